"""What a head-scale network learns: the log of a head's area in its cells, and how much each cell counts.

The scale network of "Learning Independent Instance Maps for Crowd Localization" (Gao et al.), IV-C. Its log areas are
kept as floats; an 8-bit picture of them would leave a few sizes only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headcount.targets.mask import cells_inside

_SMALLEST_PX = 1.0


class ScaleTarget(NamedTuple):
    """``log_area`` and ``weight``, (⌈h/s⌉, ⌈w/s⌉) float32 each; where ``weight`` is 0, ``log_area`` is 0 too."""

    log_area: NDArray[np.float32]
    weight: NDArray[np.float32]


def scale_target(
    boxes_xyxy: NDArray[np.float64],
    size_wh: tuple[int, int],
    *,
    stride: int = 8,
    region: NDArray[np.bool_] | None = None,
) -> ScaleTarget:
    """The target of head boxes (n, 4) in an image of ``size_wh``, at cells of ``stride`` pixels.

    A head's cells are those whose centre its box holds and the four that are read when its size is sampled at the
    box's middle. Where heads share a cell, it belongs to the one whose middle is nearest, in half sides of its box (of
    a cell at least). Each head weighs 1, shared evenly by its cells, so that near ones do not outweigh far ones; it is
    less for one that reaches out of the ``region`` (h, w), where cells weigh nothing. Sides below 1 px count as 1 px.

    A box that touches the image's border is of a head that is cut, in the photograph or by cropping it, and whose size
    is not known: it is left out.

    >>> found = scale_target(np.array([[16.0, 16.0, 32.0, 32.0]]), (48, 40))
    >>> (found.weight > 0).astype(int).tolist()
    [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]]
    >>> round(float(np.exp(found.log_area[2, 2])), 3), float(found.weight.sum())
    (256.0, 1.0)
    """
    limit = np.array(size_wh, np.float64)
    grid = -(-np.array(size_wh) // stride)  # columns, rows
    whole = ((boxes_xyxy[:, :2] > 0) & (boxes_xyxy[:, 2:] < limit)).all(axis=1)
    corners = boxes_xyxy[whole].reshape(-1, 2, 2)  # (n, corner, xy)
    sides = np.maximum(corners[:, 1] - corners[:, 0], _SMALLEST_PX)  # (n, xy)
    middles = corners.mean(axis=1)
    first = np.floor(middles / stride - 0.5)  # of the two cells along each axis between which the middle lies
    low = np.minimum(np.ceil(corners[:, 0] / stride - 0.5), first).clip(0, grid - 1).astype(np.int64)
    high = np.maximum(np.floor(corners[:, 1] / stride - 0.5) + 1, first + 2).clip(1, grid).astype(np.int64)

    # Every cell of every head, one after the other.
    wide = high[:, 0] - low[:, 0]
    cells = wide * (high[:, 1] - low[:, 1])
    head = np.repeat(np.arange(len(cells)), cells)
    within = np.arange(len(head)) - np.repeat(np.cumsum(cells) - cells, cells)
    place = np.stack([low[head, 0] + within % wide[head], low[head, 1] + within // wide[head]], axis=1)  # (m, xy)
    half = np.maximum(sides / 2, stride)
    away = (np.abs((place + 0.5) * stride - middles[head]) / half[head]).max(axis=1)

    nearest_last = np.argsort(away, kind="stable")[::-1]  # the last one that is written to a cell stays
    owner = np.full((grid[1], grid[0]), -1)
    owner[place[nearest_last, 1], place[nearest_last, 0]] = head[nearest_last]
    held = owner >= 0
    log_area, weight = np.zeros((2, *owner.shape), np.float32)
    log_area[held] = np.log(sides.prod(axis=1))[owner[held]]
    weight[held] = 1 / np.bincount(owner[held], minlength=len(cells))[owner[held]]
    if region is not None:
        inside = cells_inside(region, size_wh, stride)
        log_area, weight = log_area * inside, weight * inside
    return ScaleTarget(log_area, weight)
