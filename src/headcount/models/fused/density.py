"""The mask-aware density head on a feature of another network: solution 5 of "Mask-aware networks…" (III-E).

The regressor listens to the posterior of the mask, end to end; both branches are the paper's, as narrow as asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from headcount.core.card import OutputSpec
from headcount.core.scene import Scene
from headcount.losses.mask import mask_focal_bce
from headcount.models.method import TargetBatch, Targets
from headcount.models.parts.backbones import initialise_he
from headcount.models.parts.density import (
    DensityLoss,
    DensityOutput,
    DensitySettings,
    branch,
    density_target,
    region_share,
    total_of,
)
from headcount.targets.mask import density_mask


class DensityHeadSettings(DensitySettings):
    """What the density learns, and the weight of its mask."""

    density_loss: DensityLoss = "blocks"
    density_activation: Literal["relu", "softplus", "linear"] = "softplus"
    width: int = Field(default=64, ge=8)
    """Channels of the branches."""
    mask_weight: float = Field(default=0.5, ge=0)
    """Of the mask's loss; that of the density is 1."""
    mask_gamma: float = Field(default=0.0, ge=0)
    """γ of the mask's focal loss; 0 is cross-entropy."""

    @field_validator("density_loss")
    @classmethod
    def _no_locator(cls, value: DensityLoss) -> DensityLoss:
        if value == "p2r":
            raise ValueError("a loss that makes a density was expected: p2r locates heads")
        return value


class MaskAwareDensity(nn.Module):
    """(b, channels, h/s, w/s) → ``density`` and ``mask``."""

    def __init__(self, settings: DensityHeadSettings, channels: int, stride: int) -> None:
        super().__init__()
        self.settings, self.stride = settings, stride
        self.output = DensityOutput(settings, stride)
        self.outputs = (*self.output.outputs, OutputSpec(name="mask", stride=stride))
        width = settings.width
        self.mask_branch = branch(channels, width)
        self.feedback = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU(inplace=True))
        self.regressor = branch(channels + width, width, width, channels=self.output.channels)
        initialise_he(self)
        last = self.regressor[-1]
        assert isinstance(last, nn.Conv2d)
        self.output.start(last)

    def forward(self, feature: Tensor) -> dict[str, Tensor]:
        """The maps for counting, and what else the loss reads."""
        logits = self.mask_branch(feature)
        posterior = torch.sigmoid(logits)
        fused = torch.cat([feature, self.feedback(posterior)], dim=1)
        return {**self.output.maps(self.regressor(fused)), "mask": posterior, "mask_logits": logits}

    def targets(self, scene: Scene) -> Targets:
        """What a scene's points teach: the density's targets, and ``mask``, 1 where it is not 0."""
        density = density_target(scene, self.settings, self.stride)
        taught = self.output.targets(scene, density)
        own = {"mask": density_mask(density)[None], "mask_inside": region_share(scene, self.stride)[None]}
        return Targets({**taught.maps, **own}, taught.ragged)

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        """The density's losses and ``mask``, and their weighted sum, ``total``."""
        losses = self.output.loss(maps, targets)
        total = total_of(losses)
        losses["mask"] = mask_focal_bce(
            maps["mask_logits"].float(),
            targets.maps["mask"],
            gamma=self.settings.mask_gamma,
            weight=targets.maps["mask_inside"],
        )
        return {"total": total + self.settings.mask_weight * losses["mask"], **losses}
