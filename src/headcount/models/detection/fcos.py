"""FCOS: each cell within a head tells how far the head's four sides are, and how near it is to the middle.

"FCOS: Fully Convolutional One-Stage Object Detection" (Tian et al.), with the later version's centre sampling, its
centre-ness beside the boxes and its loss of boxes (GIoU). Batch norms stand where it has group norms, so that tiles of
a large image equal the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss

from headcount.core.settings import Positive
from headcount.models.detection.dense import DenseDetector, DenseSettings, Positives
from headcount.models.parts.assignment import Grid, assign_points, sides_from
from headcount.models.parts.pyramid import TowerNorm

_RANGE = 8  # strides to the farthest side: 64 px at stride 8, as published
_LARGEST = 7.0  # of the exponent: a thousand cells


class FcosSettings(DenseSettings):
    """Options of FCOS."""

    tower_norm: TowerNorm = "batch"
    radius: Positive = 1.5
    """Cells whose middles lie this near to a head's middle learn it, in cells."""
    centre_weight: float = Field(default=1.0, ge=0)
    """The weight of the centre-ness's loss."""


class Fcos(DenseDetector):
    """FCOS; the score of a box is √(probability of a head × centre-ness)."""

    settings_type = FcosSettings
    settings: FcosSettings

    def __init__(self, settings: FcosSettings) -> None:
        super().__init__(settings, extra=1)
        self.scales = nn.Parameter(torch.ones(len(settings.strides)))
        bounds = [0.0, *(float(_RANGE * stride) for stride in settings.strides[:-1]), float("inf")]
        self.range_px = list(pairwise(bounds))

    def assign(self, boxes_xyxy: Tensor, grids: Sequence[Grid]) -> list[Tensor]:
        return assign_points(boxes_xyxy, grids, range_px=self.range_px, radius=self.settings.radius)

    def sides(self, level: int, raw: Tensor) -> Tensor:
        return self.strides[level] * torch.exp((self.scales[level] * raw).clamp(max=_LARGEST))

    def scores(self, logits: Tensor, extra: Tensor) -> Tensor:
        return torch.sqrt(torch.sigmoid(logits) * torch.sigmoid(extra))

    def box_losses(self, positives: Positives) -> dict[str, Tensor]:
        place, truth = positives.place_px, positives.truth_xyxy
        sides = self.sides(positives.level, positives.raw)
        told = torch.cat([place - sides[:, :2], place + sides[:, 2:]], dim=1)
        # A cell that a small head's box does not hold is its cell all the same: the box is stretched to its middle.
        inside = torch.cat([torch.minimum(truth[:, :2], place), torch.maximum(truth[:, 2:], place)], dim=1)
        centre = F.binary_cross_entropy_with_logits(
            positives.extra[:, 0], centreness(place, truth, positives.stride), reduction="none"
        )
        return {
            "box": generalized_box_iou_loss(told, inside),
            "centre": self.settings.centre_weight * centre,
        }


def centreness(place_px: Tensor, boxes_xyxy: Tensor, stride: int) -> Tensor:
    """(n,) 1 in the middle of a box, 0 on its sides: Eq. 3 of "FCOS".

    Of a head narrower or lower than two cells, the cell of its own middle has 1: it may lie at the head's side or
    beyond it, and there is no better one.
    """
    away = sides_from(place_px, boxes_xyxy)
    less, more = torch.minimum(away[:, :2], away[:, 2:]), torch.maximum(away[:, :2], away[:, 2:])
    is_small = (less + more).amin(dim=1) < 2 * stride
    is_central = (more - less).amax(dim=1) <= stride
    return torch.where(is_small & is_central, 1.0, (less / more).clamp(min=0).prod(dim=1).sqrt())
