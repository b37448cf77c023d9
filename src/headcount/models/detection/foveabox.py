"""FoveaBox: the cells in a head's middle part tell the logarithms of how far its four sides are.

"FoveaBox: Beyond Anchor-based Object Detector" (Kong et al.): a head is learned at each level to whose sizes its own
belongs, by the cells within its box shrunk to 0.4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from headcount.models.detection.dense import DenseDetector, DenseSettings, Positives
from headcount.models.parts.assignment import Grid, assign_fovea, sides_from

_BASIC = 4  # strides: heads of 32 px are those of stride 8, as published
_LARGEST = 7.0  # of the exponent: a thousand basic sizes
_LEAST = 1 / 16  # of a basic size: a head has sides there, however small it is
_SMOOTH = 1 / 9  # where the smooth loss becomes a square


class FoveaBoxSettings(DenseSettings):
    """Options of FoveaBox."""

    shrink: float = Field(default=0.4, gt=0, le=1)
    """σ: the part of a head's box whose cells learn it."""
    eta: float = Field(default=2.0, ge=math.sqrt(2))
    """η: a level's heads are from its basic size over η to η times it, at the first and the last level without end."""


class FoveaBox(DenseDetector):
    """FoveaBox."""

    settings_type = FoveaBoxSettings
    settings: FoveaBoxSettings

    def __init__(self, settings: FoveaBoxSettings) -> None:
        super().__init__(settings)
        basic = [_BASIC * stride for stride in settings.strides]
        lows, highs = [size / settings.eta for size in basic], [size * settings.eta for size in basic]
        self.range_px = list(zip([0.0, *lows[1:]], [*highs[:-1], math.inf], strict=True))

    def assign(self, boxes_xyxy: Tensor, grids: Sequence[Grid]) -> list[Tensor]:
        return assign_fovea(boxes_xyxy, grids, range_px=self.range_px, shrink=self.settings.shrink)

    def sides(self, level: int, raw: Tensor) -> Tensor:
        return _BASIC * self.strides[level] * torch.exp(raw.clamp(max=_LARGEST))

    def number(self, positives: Tensor, images: int) -> Tensor:
        return positives + images

    def box_losses(self, positives: Positives) -> dict[str, Tensor]:
        away = sides_from(positives.place_px, positives.truth_xyxy) / (_BASIC * positives.stride)
        each = F.smooth_l1_loss(positives.raw, away.clamp(min=_LEAST).log(), beta=_SMOOTH, reduction="none")
        return {"box": each.sum(dim=1)}
