"""Where the cells of a map lie, for losses that measure how far they are from points."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

_MOST_PAIRS = 2**20
"""Of a cell and a point, at once: 4 MB of float32 for each intermediate result."""


def middles(height: int, width: int, stride: int, *, like: Tensor) -> Tensor:
    """(h·w, 2) the middles (x, y) of a map's cells in pixels, row by row, on the device and of the type of ``like``.

    >>> middles(1, 2, 8, like=torch.zeros(())).tolist()
    [[4.0, 4.0], [12.0, 4.0]]
    """
    x = (torch.arange(width, device=like.device, dtype=like.dtype) + 0.5) * stride
    y = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) * stride
    return torch.cartesian_prod(y, x).flip(1)


def squared_distances(cells_xy: Tensor, points_xy: Tensor) -> Tensor:
    """(c, 2) and (n, 2) → (c, n), without the cancellation of the expanded square."""
    across = cells_xy[:, None, 0] - points_xy[None, :, 0]
    down = cells_xy[:, None, 1] - points_xy[None, :, 1]
    return across.square_().add_(down.square_())


def portions(cells: int, points: int) -> Iterator[slice]:
    """The rows of ``cells`` in portions whose pairs with ``points`` stay few enough for the memory.

    >>> [(one.start, one.stop) for one in portions(10, 2**18)]
    [(0, 4), (4, 8), (8, 10)]
    """
    step = max(1, _MOST_PAIRS // max(points, 1))
    for first in range(0, cells, step):
        yield slice(first, min(first + step, cells))
