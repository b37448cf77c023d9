"""The heat of heads: what a detector of head middles learns, and where Mask Focal Loss takes heads to be.

"Mask Focal Loss…" (Zhong et al.), Eq. 8 to 10.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

HeatMask = Literal["box", "ellipse", "keypoint"]


class HeatmapTarget(NamedTuple):
    """``heat`` and ``mask``, (⌈h/s⌉, ⌈w/s⌉) float32 each; ``cells`` (n, 2), each head's cell as (column, row)."""

    heat: NDArray[np.float32]
    mask: NDArray[np.float32]
    cells: NDArray[np.intp]


def heatmap_target(
    boxes_xyxy: NDArray[np.float64],
    size_wh: tuple[int, int],
    *,
    stride: int = 4,
    mask: HeatMask = "box",
    combine: Literal["max", "sum"] = "max",
    eta: float = 0.0,
    eps: float = 6.0,
) -> HeatmapTarget:
    """The heat and mask of head boxes (n, 4) in an image of ``size_wh``, at cells of ``stride`` pixels."""
    grid = -(-np.array(size_wh) // stride)  # columns, rows
    corners = boxes_xyxy.reshape(-1, 2, 2) / stride  # (n, corner, xy)
    middle = np.floor(corners.mean(axis=1)).clip(0, grid - 1).astype(np.intp)
    diameter = 2 * (corners[:, 1] - corners[:, 0]).min(axis=1, initial=np.inf) + 1
    sigma = diameter * (1 + eta * np.exp(-diameter)) / eps  # Eq. 10
    low = np.minimum(np.ceil(corners[:, 0] - 0.5).astype(np.intp), middle).clip(0)
    high = np.maximum(np.floor(corners[:, 1] - 0.5).astype(np.intp) + 1, middle + 1).clip(None, grid)
    wide = high[:, 0] - low[:, 0]
    cells = wide * (high[:, 1] - low[:, 1])
    head = np.repeat(np.arange(len(cells)), cells)
    within = np.arange(len(head)) - np.repeat(np.cumsum(cells) - cells, cells)
    column, row = low[head, 0] + within % wide[head], low[head, 1] + within // wide[head]
    away = (column - middle[head, 0]) ** 2 + (row - middle[head, 1]) ** 2
    value = np.exp(-away / (2 * sigma[head] ** 2)).astype(np.float32)
    heat = np.zeros((grid[1], grid[0]), np.float32)
    np.maximum.at(heat, (row, column), value)
    inside = np.zeros_like(heat)
    inside[row, column] = 1
    return HeatmapTarget(heat, inside, middle)
