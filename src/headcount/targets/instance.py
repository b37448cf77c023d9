"""Instance maps: one rectangle a head, each apart from its neighbours, 1 inside and 0 outside.

"Learning Independent Instance Maps for Crowd Localization" (Gao et al.), III-A and IV-C; what it leaves open is
settled here: the shrinking changes all heads of a round at once, so that no result depends on their order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from headcount.core.errors import InputError

_ROUNDS, _NEIGHBOURS, _SHRINK = 40, 4, 0.9


class Separated(NamedTuple):
    """Boxes made to stand apart: (n, 4) xyxy, and how many of them still touch another."""

    boxes_xyxy: NDArray[np.float64]
    touching: int


def separate_boxes(
    boxes_xyxy: NDArray[np.float64],
    *,
    smallest_half_px: float = 3.0,
    largest_half_px: float = 25.0,
    floor_px: float = 1.0,
    gap_px: float = 0.0,
) -> Separated:
    """Head boxes as instances: limited in size, then shrunk about their centres until neighbours stand apart.

    Half sizes are first brought between ``smallest_half_px`` and ``largest_half_px`` (25 px; 15 px for UCF-QNRF and
    JHU-CROWD). While a head and one of its four nearest overlap, or the gap between them is less than a quarter of
    the larger one's half size (or than ``gap_px``, where the map's cells are coarser), the larger of the two shrinks
    by 0.9, not below half sizes of ``floor_px``, in at most 40 rounds. Of two equally large both shrink.

    Raises:
        InputError: a size limit that is not positive, or limits in the wrong order.

    >>> apart = separate_boxes(np.array([[0, 0, 20, 20], [18, 0, 38, 20.0]]))
    >>> apart.touching, bool(apart.boxes_xyxy[0, 2] < apart.boxes_xyxy[1, 0])
    (0, True)
    """
    if not 0 < smallest_half_px <= largest_half_px or floor_px <= 0:
        raise InputError(
            f"Half sizes must be positive and in order, but smallest is {smallest_half_px}, largest {largest_half_px}, "
            f"floor {floor_px} px."
        )
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2  # (n, 2)
    half = np.clip((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 2, smallest_half_px, largest_half_px)
    first, second = _neighbour_pairs(centres)
    between = np.abs(centres[first] - centres[second])  # (pairs, 2)
    for _ in range(_ROUNDS):
        size = half.max(axis=1)
        larger = np.maximum(size[first], size[second])
        gap = (between - half[first] - half[second]).max(axis=1)  # negative where they overlap
        # Boxes only shrink, so a pair that stands apart stays so.
        near = gap < np.maximum(larger / 4, gap_px)
        first, second, between, larger = first[near], second[near], between[near], larger[near]
        shrinking = np.zeros(len(half), np.bool_)
        shrinking[first[size[first] >= larger]] = True
        shrinking[second[size[second] >= larger]] = True
        shrunk = np.where(shrinking[:, None], np.maximum(half * _SHRINK, np.minimum(half, floor_px)), half)
        if (shrunk == half).all():
            break
        half = shrunk
    gap = (between - half[first] - half[second]).max(axis=1, initial=-np.inf)
    touching = len(np.unique(np.concatenate([first[gap <= 0], second[gap <= 0]])))
    return Separated(np.concatenate([centres - half, centres + half], axis=1), touching)


def _neighbour_pairs(centres: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Every head with each of its (up to) four nearest, as two index arrays; each pair once."""
    k = min(_NEIGHBOURS, len(centres) - 1)
    if k < 1:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    # Coinciding heads crowd each other out of their own lists, so oneself is found by index, not as the first.
    nearest = np.asarray(cKDTree(centres).query(centres, k=k + 1)[1]).reshape(len(centres), k + 1)
    mine, other = np.repeat(np.arange(len(centres)), k + 1), nearest.ravel()
    pairs = np.unique(np.minimum(mine, other) * len(centres) + np.maximum(mine, other))
    first, second = np.divmod(pairs, len(centres))
    return first[first != second], second[first != second]


def boxes_from_points(
    points_xy: NDArray[np.float64], *, cap_px: int = 15, sigma_cap_px: float = 7.5, beta: float = 0.125
) -> NDArray[np.float64]:
    """(n, 4) squares about points, as large as the crowd leaves room for: where there are no boxes.

    σ = min(``sigma_cap_px``, ``beta`` × the distance to the nearest other head); a square reaches
    min(``cap_px``, ⌊2σ + 0.5⌋) pixels to each side of the pixel at its point, up to 31 px in all. They leave half of
    the distance between neighbours free.

    >>> boxes_from_points(np.array([[20.5, 20.5]])).tolist()
    [[5.0, 5.0, 36.0, 36.0]]
    """
    distance = np.full(len(points_xy), np.inf)
    if len(points_xy) > 1:
        distance = np.asarray(cKDTree(points_xy).query(points_xy, k=2)[0])[:, 1]
    reach = np.minimum(cap_px, np.floor(2 * np.minimum(sigma_cap_px, beta * distance) + 0.5))
    half = (reach + 0.5)[:, None]  # the pixel's own half
    return np.concatenate([points_xy - half, points_xy + half], axis=1)


def instance_map(boxes_xyxy: NDArray[np.float64], size_wh: tuple[int, int], *, stride: int = 1) -> NDArray[np.float32]:
    """1 in each cell whose centre a box holds, and in the cell of each box's centre: (⌈h/s⌉, ⌈w/s⌉) float32.

    ``size_wh`` is the image's; boxes are cut off at its border. All boxes at once: corners of +1 and −1, summed
    along both axes, tell how many boxes hold a cell.

    >>> instance_map(np.array([[1.0, 0.0, 3.0, 2.0]]), (4, 3)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    columns, rows = -(-size_wh[0] // stride), -(-size_wh[1] // stride)
    limit = np.array([columns, rows])
    cells = boxes_xyxy.reshape(-1, 2, 2) / stride  # (n, corner, xy)
    low = np.ceil(cells[:, 0] - 0.5).astype(np.int64)  # the first centre at or after the corner
    high = np.floor(cells[:, 1] - 0.5).astype(np.int64) + 1
    low, high = np.clip(low, 0, limit), np.clip(high, 0, limit)
    holding = (low < high).all(axis=1)
    left, top, right, bottom = low[holding, 0], low[holding, 1], high[holding, 0], high[holding, 1]
    wide = columns + 1
    corners = np.concatenate([top * wide + left, bottom * wide + right, top * wide + right, bottom * wide + left])
    steps = np.zeros((rows + 1, wide), np.int32)
    np.add.at(steps.ravel(), corners, np.repeat(np.array([1, 1, -1, -1], np.int32), holding.sum()))
    np.cumsum(steps, axis=0, out=steps)
    np.cumsum(steps, axis=1, out=steps)
    inside = steps[:rows, :columns] > 0
    centres = np.floor(cells.mean(axis=1)).astype(np.int64)
    centres = centres[((centres >= 0) & (centres < limit)).all(axis=1)]
    inside[centres[:, 1], centres[:, 0]] = True
    return inside.astype(np.float32)
