"""What networks that give a density and nothing else share: a trunk, a last 1×1 convolution, the shared output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationInfo, field_validator
from torch import Tensor, nn

from headcount.core.card import InputSpec, Task
from headcount.core.scene import Scene
from headcount.core.settings import Positive
from headcount.models.method import Method, TargetBatch, Targets
from headcount.models.normalise import IMAGENET_MEAN, IMAGENET_STD
from headcount.models.parts.backbones import initialise_he, load_backbone
from headcount.models.parts.base import Backbone
from headcount.models.parts.density import DensityOutput, DensitySettings, total_of


class DensityNetworkSettings(DensitySettings):
    """Options of any density network: what it takes in, and where it starts."""

    in_channels: Literal[1, 3] = 3
    initialisation: Literal["he", "normal"] = "he"
    """``normal``: the printed normal(0, 0.01), which a short run does not learn from."""
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[Positive, ...] = IMAGENET_STD

    @field_validator("mean", "std")
    @classmethod
    def _one_a_channel(cls, values: tuple[float, ...], others: ValidationInfo) -> tuple[float, ...]:
        if len(values) not in (3, others.data.get("in_channels", 3)):
            raise ValueError("one number for each channel was expected")
        return values

    def input_spec(self, size_divisor: int) -> InputSpec:
        """What such a network takes in; of three means for a gray one the first is its own."""
        number = self.in_channels
        return InputSpec(channels=number, mean=self.mean[:number], std=self.std[:number], size_divisor=size_divisor)


class DensityNetwork(Method):
    """(b, c, h, w) → the maps of the shared output: ``density`` (b, 1, h/s, w/s), people a cell, or what its loss asks.

    A network builds its ``backbone`` and the rest of its trunk, and then its last convolution by ``_finish``.
    """

    settings: DensityNetworkSettings
    backbone: Backbone
    task: Task = "count"

    def _finish(self, settings: DensityNetworkSettings, channels: int) -> None:
        """Add the last convolution, of ``channels`` features, and set all weights to where training starts."""
        self.settings = settings
        stride = self.backbone.strides[0]
        self.output = DensityOutput(settings, stride)
        self.last = nn.Conv2d(channels, self.output.channels, 1)
        initialise_he(self, std=0.01 if settings.initialisation == "normal" else None)
        self.output.start(self.last, as_printed=settings.initialisation == "normal")
        self.input_spec = settings.input_spec(self.output.size_divisor(stride))
        self.outputs, self.decoder, self.task = self.output.outputs, self.output.decoder, self.output.task

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """(b, c, h, w) normalised images → what the last convolution reads."""

    def initialise_backbone(self, file: Path) -> None:
        load_backbone(self.backbone, file)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.output.maps(self.last(self.features(images)))
        return {spec.name: maps[spec.name] for spec in self.outputs}

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        return self.output.maps(self.last(self.features(images)))

    def targets(self, scene: Scene) -> Targets:
        return self.output.targets(scene)

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        losses = self.output.loss(maps, targets)
        return {"total": total_of(losses), **losses}
