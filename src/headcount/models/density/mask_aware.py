"""Mask-aware networks for crowd counting (Jiang et al.): a mask branch that a density regressor listens to.

Joins a backbone, a neck (or the paper's 1×1 adapter), the mask branch of III-D and one of the five regressors of
III-E, or a baseline. C(i,o,k) is a convolution with ReLU; the last layer of every branch is linear.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn

from headcount.core.card import OutputSpec, Task
from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.core.settings import Positive
from headcount.losses.mask import mask_focal_bce
from headcount.models.density.base import DensityNetworkSettings
from headcount.models.method import Method, TargetBatch, Targets
from headcount.models.parts.backbones import TimmOptions, build_backbone, initialise_he, load_backbone
from headcount.models.parts.density import DensityOutput, branch, density_target, region_share, total_of
from headcount.models.parts.necks import TopDownNeck
from headcount.targets.density import max_pool
from headcount.targets.mask import Mask, box_mask, check_mask, density_mask, disc_mask

Variant = Literal[
    "solution1", "solution2", "solution3", "solution4", "solution5", "baseline1", "baseline2", "baseline3"
]
_OF_ANY_LOSS = ("solution4", "solution5", "baseline1", "baseline2")
"""The others multiply the density by the mask, cell by cell, or feed a first density back."""


class MaskAwareSettings(DensityNetworkSettings):
    """Options of the mask-aware network; the defaults are the paper's light solution 5."""

    variant: Variant = "solution5"
    backbone: str = "light"
    """``light``, ``vgg16`` (the paper's "csr"), or any timm network that has ``features_only``."""
    backbone_options: TimmOptions | None = None
    """Of a timm network."""
    width: int = Field(default=256, ge=8)
    """Channels of the branches."""
    hard_mask: bool = True
    """Solution 4 when testing: the mask cut at 0.5, or the posterior."""
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[Positive, ...] = (0.5, 0.5, 0.5)

    mask: Literal["density", "disc", "box"] = "density"
    disc_radius_px: Positive = 8.0

    alpha: float = Field(default=1.0, ge=0)
    """Weight of the density loss (α of Eq. 3; the paper gives no value)."""
    mask_weight: float = Field(default=1.0, ge=0)
    mask_gamma: float = Field(default=0.0, ge=0)
    """γ of the mask's focal loss; 0 is cross-entropy."""

    @field_validator("variant")
    @classmethod
    def _whose_density_is_at_its_own_stride(cls, value: Variant, others: ValidationInfo) -> Variant:
        loss = others.data.get("density_loss")
        if loss in ("zip", "p2r") and value not in _OF_ANY_LOSS:
            raise ValueError(f"with density_loss: {loss} one of {', '.join(_OF_ANY_LOSS)} was expected")
        return value


class _PassThrough(torch.autograd.Function):
    """1 where the posterior exceeds 0.5, with the gradient of the identity (Eq. 4)."""

    @staticmethod
    def forward(ctx: Any, posterior: Tensor) -> Tensor:
        return torch.ceil(posterior - 0.5)  # not a comparison, which would hide from receptive_reach that it depends

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class MaskAware(Method):
    """(b, c, h, w) → ``density`` and ``mask``, (b, 1, h/s, w/s) each, s the stride of the backbone's finest map."""

    settings_type = MaskAwareSettings
    task: Task = "count"

    def __init__(self, settings: MaskAwareSettings) -> None:
        super().__init__()
        self.settings = settings
        width, variant = settings.width, settings.variant
        self.backbone = build_backbone(
            settings.backbone, in_channels=settings.in_channels, options=settings.backbone_options
        )
        channels, strides = self.backbone.channels, self.backbone.strides
        if any(coarse != 2 * fine for fine, coarse in pairwise(strides)):
            raise InputError(f"The backbone's strides must double from one to the next, but they are {strides}.")
        # The paper's light backbone already ends in the branches' 256 channels: no adapter there.
        self.neck: nn.Module | None = None if channels == [width] else TopDownNeck(channels, width)
        self.stride = strides[0]
        self.output = DensityOutput(settings, self.stride)
        self.task, self.decoder = self.output.task, self.output.decoder

        self.mask_branch = branch(width, width) if variant not in ("baseline1", "baseline2") else None
        self.feedback: nn.Module | None = None
        if variant in ("solution4", "solution5", "baseline3"):
            self.feedback = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU(inplace=True))
            self.regressor = branch(2 * width, width, width, channels=self.output.channels)
        elif variant == "baseline2":
            self.regressor = branch(width, width, width, width, channels=self.output.channels)
        else:
            self.regressor = branch(width, width, channels=self.output.channels)

        std = 0.01 if settings.initialisation == "normal" else None
        for part in (self.neck, self.mask_branch, self.feedback, self.regressor):
            if part is not None:
                initialise_he(part, std=std)
        if settings.backbone in ("light", "vgg16"):
            initialise_he(self.backbone, std=std)
        self.output.start(_last(self.regressor), as_printed=settings.initialisation == "normal")

        self.input_spec = settings.input_spec(self.output.size_divisor(strides[-1]))
        self.outputs = self.output.outputs
        if variant.startswith("solution"):
            self.outputs += (OutputSpec(name="mask", stride=self.stride),)

    def initialise_backbone(self, file: Path) -> None:
        load_backbone(self.backbone, file)

    def _maps(self, images: Tensor, true_mask: Tensor | None) -> dict[str, Tensor]:
        features = self.backbone(images)
        image = features[0] if self.neck is None else self.neck(features)
        variant = self.settings.variant
        if self.mask_branch is None:
            return self.output.maps(self.regressor(image))
        logits = self.mask_branch(image)
        if variant == "baseline3":  # the branch regresses density, which the fusion then listens to
            assert self.feedback is not None
            first = self.output.maps(logits)["density"]
            fused = torch.cat([image, self.feedback(first)], dim=1)
            return {**self.output.maps(self.regressor(fused)), "first_density": first}
        posterior = torch.sigmoid(logits)
        maps = {"mask": posterior, "mask_logits": logits}
        if self.feedback is not None:
            entering = posterior
            if variant == "solution4":
                hard = self.settings.hard_mask
                entering = true_mask if true_mask is not None else _PassThrough.apply(posterior) if hard else posterior
            fused = torch.cat([image, self.feedback(entering)], dim=1)
            return {**self.output.maps(self.regressor(fused)), **maps}
        gate = posterior
        if variant == "solution1":
            gate = true_mask if true_mask is not None else _PassThrough.apply(posterior)
        elif variant == "solution3":
            gate = _PassThrough.apply(posterior)
        return {"density": self.output.maps(self.regressor(image))["density"] * gate, **maps}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self._maps(images, None)
        return {spec.name: maps[spec.name] for spec in self.outputs}

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        return self._maps(images, targets.maps["mask"])

    def targets(self, scene: Scene) -> Targets:
        density = density_target(scene, self.settings, self.stride)
        mask = density_mask(density) if self.settings.mask == "density" else self._drawn_mask(scene)
        if scene.region is None:  # which may hold a head's density, and nothing of its box
            try:
                check_mask(mask, density)
            except InputError as error:
                raise InputError(f'"{scene.name}", mask: {self.settings.mask}: {error.message}') from error
        taught = self.output.targets(scene, density)
        own = {"mask": mask[None], "mask_inside": region_share(scene, self.stride)[None]}
        return Targets({**taught.maps, **own}, taught.ragged)

    def _drawn_mask(self, scene: Scene) -> Mask:
        """The mask of discs or boxes, at the output's stride."""
        if self.settings.mask == "disc":
            mask = disc_mask(scene.points_xy, scene.size_wh, radius_px=self.settings.disc_radius_px)
        elif scene.boxes_xyxy is not None:
            mask = box_mask(scene.boxes_xyxy, scene.size_wh)
        else:
            raise InputError(f'mask: box needs head boxes, which "{scene.name}" has not: choose density or disc.')
        return max_pool(mask if scene.region is None else mask * scene.region, self.stride)

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        settings = self.settings
        losses = self.output.loss(maps, targets)
        total = settings.alpha * total_of(losses)
        if "mask_logits" in maps:
            losses["mask"] = mask_focal_bce(
                maps["mask_logits"].float(),
                targets.maps["mask"],
                gamma=settings.mask_gamma,
                weight=targets.maps.get("mask_inside"),
            )
            total = total + settings.mask_weight * losses["mask"]
        elif "first_density" in maps:
            losses["first_density"] = total_of(self.output.loss({"density": maps["first_density"]}, targets))
            total = total + settings.mask_weight * losses["first_density"]
        return {"total": total, **losses}


def _last(branch: nn.Sequential) -> nn.Conv2d:
    layer = branch[-1]
    assert isinstance(layer, nn.Conv2d)
    return layer
