"""A network of one convolution: density at stride 8."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as F

from headcount.core.card import DecoderSpec, InputSpec, OutputSpec, Task
from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.core.settings import Settings
from headcount.losses.density import density_mse
from headcount.models.method import Method, TargetBatch, Targets
from headcount.targets.density import density_map, sum_pool


class OneLayerSettings(Settings):
    density_sigma: float = 4.0


class OneLayer(Method):
    settings_type = OneLayerSettings
    task: Task = "count"
    input_spec = InputSpec(size_divisor=32)
    outputs = (OutputSpec(name="density", stride=8),)
    decoder = DecoderSpec(name="density")

    def __init__(self, settings: OneLayerSettings) -> None:
        super().__init__()
        self.settings = settings
        self.layer = nn.Conv2d(3, 1, 9, stride=8, padding=4)

    def initialise_backbone(self, file: Path) -> None:
        raise InputError("one_layer has no backbone to start from: set initialisation=none.")

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"density": F.softplus(self.layer(images) - 3)}

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        return self.forward(images)

    def targets(self, scene: Scene) -> Targets:
        density = density_map(scene.points_xy, scene.size_wh, density_sigma=self.settings.density_sigma)
        return Targets({"density": sum_pool(density, 8)[None]})

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        return {"total": density_mse(maps["density"], targets.maps["density"])}
