"""A density map on IIM's network, heads found in it by their Gaussian (Table 5 of "Learning Independent Instance
Maps…", the row "Density Map, GPR").
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional as F

from headcount.core.card import DecoderSpec, OutputSpec
from headcount.core.scene import Scene
from headcount.decode.gaussian_prior import GaussianPriorDecoderSettings
from headcount.models.instance.predictor import PredictorMethod, PredictorSettings
from headcount.models.method import TargetBatch, Targets
from headcount.targets.density import density_map

_AREA_PX = 100.0  # the loss is of people in 100 pixels: there a lone head of σ = 4 peaks at 1


class GaussianPriorSettings(PredictorSettings):
    """Options of the density map; the defaults are the paper's VGG-16 and 15×15 kernels."""

    decoder: GaussianPriorDecoderSettings = GaussianPriorDecoderSettings()
    """Its kernel is the one that heads are painted with and found by."""


class GaussianPrior(PredictorMethod):
    """(b, 3, h, w) → ``density`` (b, 1, h/s, w/s), people per cell, never negative."""

    settings_type = GaussianPriorSettings

    def __init__(self, settings: GaussianPriorSettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.unit = _AREA_PX / settings.map_stride**2  # people per cell → people in 100 pixels
        self.outputs = (OutputSpec(name="density", stride=settings.map_stride),)
        self.decoder = DecoderSpec(name="gaussian_prior", settings=settings.decoder.model_dump())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        # Softplus, not the usual ReLU: nearly all of the target is 0, where a ReLU soon learns nothing any more.
        return {"density": F.softplus(self.feature_and_logits(images)[1]) / self.unit}

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        return self.forward(images)

    def targets(self, scene: Scene) -> Targets:
        density = density_map(
            scene.points_xy,
            scene.size_wh,
            density_sigma=self.settings.decoder.density_sigma,
            kernel_size=self.settings.decoder.kernel_size,
            region=scene.region,
            stride=self.settings.map_stride,
        )
        return Targets({"density": density[None]})

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        loss = F.mse_loss(maps["density"].float() * self.unit, targets.maps["density"] * self.unit)
        return {"total": loss, "density": loss}
