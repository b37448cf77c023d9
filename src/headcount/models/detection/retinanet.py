"""RetinaNet: each cell has anchors, boxes of given sizes, and tells which are heads and how to mend them.

"Focal Loss for Dense Object Detection" (Lin et al.), with the numbers of torchvision's, one class and as many heads as
there are. Heads of a few pixels need a level of stride 4 and small anchors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field, field_validator
from pydantic_core.core_schema import ValidationInfo
from torch import Tensor
from torch.nn import functional as F

from headcount.core.settings import Positive
from headcount.models.detection.dense import DenseDetector, DenseSettings, Positives
from headcount.models.parts.assignment import Grid, assign_anchors

_SIZE = 4  # strides: 32 px at stride 8, as published
_OCTAVE = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
_LARGEST = math.log(1000 / 16)  # of the exponent, as torchvision has it
_SMOOTH = 1 / 9  # where the smooth loss becomes a square


class RetinaNetSettings(DenseSettings):
    """Options of RetinaNet."""

    anchor_sizes: tuple[Annotated[tuple[Positive, ...], Field(min_length=1)], ...] | None = None
    """Sides in pixels of the anchors of each stride, as many of each; None: 4 strides times 1, 2^⅓ and 2^⅔."""
    aspect_ratios: tuple[Positive, ...] = Field(default=(0.5, 1.0, 2.0), min_length=1)
    """Height to width of the anchors, at the same area."""
    matched_iou: float = Field(default=0.5, gt=0, le=1)
    """An anchor learns a head from this intersection over union on."""
    unmatched_iou: float = Field(default=0.4, gt=0, le=1)
    """An anchor learns that nobody is there below this."""
    box_loss: Literal["l1", "smooth_l1"] = "l1"

    @field_validator("anchor_sizes")
    @classmethod
    def _a_row_for_each_stride(
        cls, sizes: tuple[tuple[float, ...], ...] | None, info: ValidationInfo
    ) -> tuple[tuple[float, ...], ...] | None:
        strides = info.data.get("strides", ())
        if sizes is not None and (len(sizes) != len(strides) or len({len(row) for row in sizes}) > 1):
            raise ValueError(f"{len(strides)} lists of sizes, one for each stride and all as long, were expected")
        return sizes

    @field_validator("unmatched_iou")
    @classmethod
    def _below_the_matched(cls, value: float, info: ValidationInfo) -> float:
        if value > info.data.get("matched_iou", 1.0):
            raise ValueError("a number of at most matched_iou was expected")
        return value


class RetinaNet(DenseDetector):
    """RetinaNet; of each cell A = sizes × ratios boxes, sizes first."""

    settings_type = RetinaNetSettings
    settings: RetinaNetSettings

    def __init__(self, settings: RetinaNetSettings) -> None:
        sizes = settings.anchor_sizes or [
            [_SIZE * stride * octave for octave in _OCTAVE] for stride in settings.strides
        ]
        super().__init__(settings, anchors=len(sizes[0]) * len(settings.aspect_ratios))
        self.shapes = [_shapes(of_level, settings.aspect_ratios) for of_level in sizes]

    def assign(self, boxes_xyxy: Tensor, grids: Sequence[Grid]) -> list[Tensor]:
        shapes = [torch.tensor(of_level) for of_level in self.shapes]
        settings = self.settings
        return assign_anchors(
            boxes_xyxy, grids, shapes_wh=shapes, high=settings.matched_iou, low=settings.unmatched_iou
        )

    def sides(self, level: int, raw: Tensor) -> Tensor:
        batch, _, rows, columns = raw.shape
        told = raw.reshape(batch, -1, 4, rows, columns)
        shape = told.new_tensor(self.shapes[level])[:, :, None, None]  # (A, 2, 1, 1)
        middle, half = told[:, :, :2] * shape, torch.exp(told[:, :, 2:].clamp(max=_LARGEST)) * shape / 2
        return torch.cat([half - middle, half + middle], dim=2).reshape(batch, -1, rows, columns)

    def box_losses(self, positives: Positives) -> dict[str, Tensor]:
        shape = positives.raw.new_tensor(self.shapes[positives.level])[positives.anchor]  # (n, 2)
        middle, size = (
            (positives.truth_xyxy[:, :2] + positives.truth_xyxy[:, 2:]) / 2,
            positives.truth_xyxy[:, 2:] - positives.truth_xyxy[:, :2],
        )
        wanted = torch.cat([(middle - positives.place_px) / shape, (size / shape).log()], dim=1)
        if self.settings.box_loss == "l1":
            each = F.l1_loss(positives.raw, wanted, reduction="none")
        else:
            each = F.smooth_l1_loss(positives.raw, wanted, beta=_SMOOTH, reduction="none")
        return {"box": each.sum(dim=1)}


def _shapes(sizes: Sequence[float], ratios: Sequence[float]) -> list[tuple[float, float]]:
    """Width and height of each anchor of a cell."""
    return [(size / math.sqrt(ratio), size * math.sqrt(ratio)) for size in sizes for ratio in ratios]
