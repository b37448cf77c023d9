"""Head sizes out of a map of log areas, at given points. Such a map locates and counts nobody."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMALLEST_SIDE_PX = 2.0

_LARGEST_LOG = 100.0  # far beyond any image, and exp does not overflow


def sample_sizes(log_area: NDArray[np.float32], stride: int, points_xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) float64 sides in pixels of the squares that heads at ``points_xy`` (n, 2) are as large as.

    ``log_area`` is (h', w'), the centre of cell (i, j) at ((j + 0.5) · stride, (i + 0.5) · stride). Log areas are
    interpolated between the four cell centres around a point; beyond the outermost centres the map goes on as it ends.

    >>> log_area = np.log(np.float32([[100, 400]]))
    >>> sample_sizes(log_area, 8, np.array([[4, 4], [8, 1], [16, 8.0]])).round(2).tolist()
    [10.0, 14.14, 20.0]
    """
    rows, columns = log_area.shape
    last = np.array([columns - 1, rows - 1])
    place = np.clip(points_xy / stride - 0.5, 0, last)  # (n, xy), in cells
    first = np.minimum(place.astype(np.int64), np.maximum(last - 1, 0))
    second = np.minimum(first + 1, last)
    part = place - first
    corners = [
        log_area[y, x].astype(np.float64)
        for y in (first[:, 1], second[:, 1])
        for x in (first[:, 0], second[:, 0])
    ]  # fmt: skip
    upper = corners[0] + (corners[1] - corners[0]) * part[:, 0]
    lower = corners[2] + (corners[3] - corners[2]) * part[:, 0]
    side: NDArray[np.float64] = np.exp(np.minimum(upper + (lower - upper) * part[:, 1], _LARGEST_LOG) / 2)
    return side


def limit_sides(side_px: NDArray[np.float64], size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """(n,) sides from 2 px to the image's shorter side: what a head in it can measure.

    >>> limit_sides(np.array([0.3, 12.0, 900.0]), (640, 480)).tolist()
    [2.0, 12.0, 480.0]
    """
    return np.minimum(np.maximum(side_px, SMALLEST_SIDE_PX), float(min(size_wh)))
