"""Independent Instance Maps (Gao et al., "Learning Independent Instance Maps for Crowd Localization").

A confidence predictor, and a threshold encoder that learns where to cut its map: each connected component above the
threshold is one head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from headcount.core.card import DecoderSpec, OutputSpec, TileSpec
from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.core.settings import Positive
from headcount.decode.instance import InstanceDecoderSettings
from headcount.losses.binarization import GRAD_TO_CONFIDENCE, binarize, instance_loss
from headcount.models.instance.iim.thresholds import STRIDE, ImageThreshold, PixelThreshold
from headcount.models.instance.predictor import PredictorMethod, PredictorSettings
from headcount.models.method import TargetBatch, Targets
from headcount.targets.density import max_pool
from headcount.targets.instance import boxes_from_points, instance_map, separate_boxes


class IimSettings(PredictorSettings):
    """Options of IIM; the defaults are the paper's VGG-16 with pixel-level binarization."""

    threshold: Literal["pbm", "ibm", "fixed"] = "pbm"
    """``fixed``: at ``decoder.threshold``, the baseline rows of Table 3."""
    threshold_widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(256, 128, 64), min_length=1)
    grad_to_confidence: float = Field(default=GRAD_TO_CONFIDENCE, ge=0)
    """Share of the binary map's gradient that reaches the confidence; 0 for the rows "PBM" and "IBM" alone."""
    threshold_lr_factor: Positive = 0.02
    """Rate of the threshold encoder relative to the predictor's: 0.02 for VGG-16, 0.1 for HRNet."""
    threshold_decays: bool = True
    """Whether the optimiser's weight decay holds for the threshold encoder too; the authors' does not."""
    confidence_loss: Literal["mse", "bce"] = "mse"

    instances: Literal["boxes", "points", "either"] = "boxes"
    """What instances are made of; ``either`` takes boxes where a scene has them, and points elsewhere."""
    largest_half_px: Positive = 25.0
    """15 for UCF-QNRF and JHU-CROWD."""
    smallest_half_px: Positive = 3.0
    floor_px: Positive = 1.0
    point_cap_px: int = Field(default=15, ge=0)
    separate_points: bool = False
    """Shrink squares about points as boxes are, where a coarse map would join them."""

    decoder: InstanceDecoderSettings = InstanceDecoderSettings()
    tile_overlap: Literal["average", "crop"] = "average"
    """``crop`` gives a tiled image the maps of the whole one; the authors average."""


class Iim(PredictorMethod):
    """(b, 3, h, w) → ``confidence`` (b, 1, h/s, w/s) in 0…1 and ``threshold`` (b, 1, h/8, w/8) in 0.2…0.7."""

    settings_type = IimSettings

    def __init__(self, settings: IimSettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.threshold_encoder: PixelThreshold | ImageThreshold | None = None
        if settings.threshold == "pbm":
            self.threshold_encoder = PixelThreshold(self.channels, settings.threshold_widths)
        elif settings.threshold == "ibm":
            self.threshold_encoder = ImageThreshold(self.channels)
        self.outputs = (OutputSpec(name="confidence", stride=settings.map_stride),)
        if self.threshold_encoder is not None:
            self.outputs += (OutputSpec(name="threshold", stride=STRIDE),)
        self.decoder = DecoderSpec(name="instances", settings=settings.decoder.model_dump())
        if settings.tile_overlap == "average":
            self.tile = TileSpec(size=1024, halo=64, overlap="average", exact=False)

    def _predict(self, images: Tensor) -> dict[str, Tensor]:
        feature, logits = self.feature_and_logits(images)
        maps = {"confidence": torch.sigmoid(logits), "confidence_logits": logits}
        if self.threshold_encoder is not None:
            maps["threshold"] = self.threshold_encoder(maps["confidence"], feature, self.settings.map_stride)
        return maps

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self._predict(images)
        return {spec.name: maps[spec.name] for spec in self.outputs}

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        maps = self._predict(images)
        if "threshold" in maps:
            factor = float(STRIDE // self.settings.map_stride)
            threshold = F.interpolate(maps["threshold"].float(), scale_factor=factor, mode="nearest")
            maps["binary"] = binarize(maps["confidence"].float(), threshold, self.settings.grad_to_confidence)
        return maps

    def targets(self, scene: Scene) -> Targets:
        settings = self.settings
        if scene.boxes_xyxy is not None and settings.instances != "points":
            boxes, separated = scene.boxes_xyxy, True
        elif settings.instances == "boxes":
            raise InputError(
                f'instances: boxes needs head boxes, which "{scene.name}" has not: choose points, or estimate boxes.',
                remedy="estimate",
            )
        else:
            boxes = boxes_from_points(scene.points_xy, cap_px=settings.point_cap_px)
            separated = settings.separate_points
        if separated:
            boxes = separate_boxes(
                boxes,
                smallest_half_px=settings.smallest_half_px,
                largest_half_px=settings.largest_half_px,
                floor_px=settings.floor_px,
                gap_px=settings.map_stride,
            ).boxes_xyxy
        mask = instance_map(boxes, scene.size_wh, stride=settings.map_stride)
        if scene.region is not None:
            mask *= max_pool(scene.region.astype(np.float32), settings.map_stride)
        return Targets({"mask": mask[None]})

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        return instance_loss(
            maps["confidence_logits"].float(),
            maps.get("binary"),
            targets.maps["mask"],
            confidence=self.settings.confidence_loss,
        )

    def parameter_groups(self, lr: float, backbone_lr_factor: float) -> list[dict[str, Any]]:
        """The backbone, the rest of the predictor, and the threshold encoder at its own lower rate."""
        parts = {"backbone": lr * backbone_lr_factor, "threshold_encoder": lr * self.settings.threshold_lr_factor}
        groups: dict[str, dict[str, Any]] = {}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                part = name.split(".")[0]
                rate = parts.get(part, lr)
                key = part if part in parts else "rest"
                groups.setdefault(key, {"params": [], "lr": rate})["params"].append(parameter)
        if "threshold_encoder" in groups and not self.settings.threshold_decays:
            groups["threshold_encoder"]["weight_decay"] = 0.0
        return [groups[key] for key in ("rest", "backbone", "threshold_encoder") if key in groups]
