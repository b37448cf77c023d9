"""What IIM's maps are: the instances they learn, the threshold that cuts them, and the loss of both.

Gao et al., "Learning Independent Instance Maps for Crowd Localization", III. It has no weights but the threshold's
encoder, which it makes for the network that holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from headcount.core.card import OutputSpec
from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.core.settings import Positive, Settings
from headcount.decode.instance import InstanceDecoderSettings
from headcount.losses.binarization import GRAD_TO_CONFIDENCE, binarize, instance_loss
from headcount.models.instance.iim.thresholds import STRIDE, ImageThreshold, PixelThreshold
from headcount.models.method import TargetBatch, Targets
from headcount.targets.density import max_pool
from headcount.targets.instance import boxes_from_points, instance_map, separate_boxes


class InstanceSettings(Settings):
    """How heads become instances, and what learns where to cut their map."""

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


class InstanceOutput:
    """What a network's confidence is, (b, 1, h/s, w/s), with a threshold at stride 8 where one is learned.

    Attributes:
        outputs: the maps that ``maps`` makes for counting.
    """

    def __init__(self, settings: InstanceSettings, stride: int) -> None:
        self.settings, self.stride = settings, stride
        self.outputs: tuple[OutputSpec, ...] = (OutputSpec(name="confidence", stride=stride),)
        if settings.threshold != "fixed":
            self.outputs += (OutputSpec(name="threshold", stride=STRIDE),)

    def threshold_encoder(self, channels: int) -> PixelThreshold | ImageThreshold | None:
        """What learns the threshold from a feature of so many channels; None where it is fixed."""
        if self.settings.threshold == "pbm":
            return PixelThreshold(channels, self.settings.threshold_widths)
        return ImageThreshold(channels) if self.settings.threshold == "ibm" else None

    def maps(
        self, feature: Tensor, logits: Tensor, encoder: PixelThreshold | ImageThreshold | None
    ) -> dict[str, Tensor]:
        """The feature (b, c, h/4, w/4) and the confidence's logits → ``confidence``, its logits, and ``threshold``."""
        maps = {"confidence": torch.sigmoid(logits), "confidence_logits": logits}
        if encoder is not None:
            maps["threshold"] = encoder(maps["confidence"], feature, self.stride)
        return maps

    def with_binary(self, maps: dict[str, Tensor]) -> dict[str, Tensor]:
        """The same maps with ``binary``, which the threshold learns by, where there is one."""
        if "threshold" not in maps:
            return maps
        threshold = F.interpolate(maps["threshold"].float(), scale_factor=float(STRIDE // self.stride), mode="nearest")
        return {**maps, "binary": binarize(maps["confidence"].float(), threshold, self.settings.grad_to_confidence)}

    def targets(self, scene: Scene) -> Targets:
        """The map ``mask``: 1 where an instance is, (1, ⌈h/s⌉, ⌈w/s⌉).

        Raises:
            InputError: instances are made of boxes, which the scene has not.
        """
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
                gap_px=self.stride,
            ).boxes_xyxy
        mask = instance_map(boxes, scene.size_wh, stride=self.stride)
        if scene.region is not None:
            mask *= max_pool(scene.region.astype(np.float32), self.stride)
        return Targets({"mask": mask[None]})

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        """``confidence`` and, where the threshold is learned, ``binary``, and their sum, ``total`` (Eq. 7)."""
        return instance_loss(
            maps["confidence_logits"].float(),
            maps.get("binary"),
            targets.maps["mask"],
            confidence=self.settings.confidence_loss,
        )


def groups_with_threshold(
    method: nn.Module, settings: InstanceSettings, lr: float, backbone_lr_factor: float
) -> list[dict[str, Any]]:
    """Optimiser groups: what lies under ``backbone``, what under ``threshold_encoder``, and the rest, at ``lr``."""
    parts = {"backbone": lr * backbone_lr_factor, "threshold_encoder": lr * settings.threshold_lr_factor}
    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in method.named_parameters():
        if parameter.requires_grad:
            part = name.split(".")[0]
            rate = parts.get(part, lr)
            key = part if part in parts else "rest"
            groups.setdefault(key, {"params": [], "lr": rate})["params"].append(parameter)
    if "threshold_encoder" in groups and not settings.threshold_decays:
        groups["threshold_encoder"]["weight_decay"] = 0.0
    return [groups[key] for key in ("rest", "backbone", "threshold_encoder") if key in groups]
