"""The heads of a prediction, as measures need them: who is told apart, where they stand, how large they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headcount.core.geometry import Points, sides
from headcount.core.homography import Floats
from headcount.core.prediction import Prediction
from headcount.video.ground import Ground
from headcount.video.measures.crossings import told_apart

HEAD_M = 0.25
"""The side of a head's box, the root of its area."""
_CELL_M = 0.5
_MOST_PLACES = 40_000


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """The heads in view.

    Attributes:
        points_xy: (n, 2) in pixels, of all but those at the horizon or above it.
        places_m: (n, 2) where they stand; None without a calibration.
        per_m: (n,) pixels that a metre takes at each head, by its box; None where there are no boxes of heads.
        lost: how many lie at the horizon or above it.
        refused: why they cannot be told apart, in a sentence; empty where they can.
    """

    points_xy: Points
    places_m: Points | None
    per_m: Floats | None
    lost: int
    refused: str


def heads_of(found: Prediction, ground: Ground | None) -> Heads:
    """The heads of a prediction."""
    points, places, lost = found.points_xy, None, 0
    per_m = None
    if found.boxes_xyxy is not None and found.boxes_kind == "heads":
        per_m = np.maximum(np.sqrt(np.maximum(sides(found.boxes_xyxy), 0).prod(axis=1)), 1.0) / HEAD_M
    if ground is not None:
        places = ground.to_metres(points, found.size_wh)
        known = np.isfinite(places).all(axis=1)
        points, places, lost = points[known], places[known], int((~known).sum())
        per_m = None if per_m is None else per_m[known]
    return Heads(points, places, per_m, lost, told_apart(found.count, len(found.points_xy), found.points_kind))


def places_of_density(found: Prediction, ground: Ground) -> tuple[Points, Floats]:
    """Where the people of a density stand: places (k, 2) in metres, and how many at each.

    People are spread evenly over each cell; cells that reach over more than half a metre of ground are first divided.
    """
    if found.density is None:
        return np.zeros((0, 2)), np.zeros(0)
    stride = found.density_stride
    rows, columns = np.nonzero(found.density > 0)
    held = found.density[rows, columns].astype(np.float64)
    corners: Points = np.column_stack([columns, rows]).astype(np.float64) * stride
    parts = _parts(corners, stride, found.size_wh, ground)
    middles = (np.stack(np.meshgrid(np.arange(parts), np.arange(parts)), axis=-1).reshape(-1, 2) + 0.5) / parts
    pixels = (corners[:, None] + middles * stride).reshape(-1, 2)
    places = ground.to_metres(pixels, found.size_wh)
    weights = np.repeat(held / parts**2, parts**2)
    known = np.isfinite(places).all(axis=1)
    return places[known], weights[known]


def _parts(corners: Points, stride: int, size_wh: tuple[int, int], ground: Ground) -> int:
    """Into how many parts a cell's side is divided."""
    if not len(corners):
        return 1
    most = max(1, math.isqrt(_MOST_PLACES // len(corners)))
    first, across, down = (
        ground.to_metres(corners + np.array(step) * stride, size_wh) for step in ((0, 0), (1, 0), (0, 1))
    )
    reach = np.maximum(np.linalg.norm(across - first, axis=1), np.linalg.norm(down - first, axis=1))
    reach = reach[np.isfinite(reach)]
    return int(np.clip(np.ceil(reach.max() / _CELL_M), 1, most)) if len(reach) else 1
