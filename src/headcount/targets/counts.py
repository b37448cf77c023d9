"""How many people are in each cell: whole numbers, without a kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError


def cell_counts(points_xy: NDArray[np.float64], size_wh: tuple[int, int], stride: int) -> NDArray[np.float32]:
    """(⌈h/s⌉, ⌈w/s⌉) the number of points in each cell of ``stride`` pixels; the far border is the last pixel's.

    Raises:
        InputError: a point outside the image.

    >>> cell_counts(np.array([[0.5, 0.5], [7.9, 3.0], [16.0, 8.0]]), (16, 8), 8).tolist()
    [[2.0, 1.0]]
    """
    column, row = (pixels_of(points_xy, size_wh) // stride).T
    columns, rows = -(-size_wh[0] // stride), -(-size_wh[1] // stride)
    return np.bincount(row * columns + column, minlength=rows * columns).reshape(rows, columns).astype(np.float32)


def check_inside(points_xy: NDArray[np.float64], size_wh: tuple[int, int]) -> None:
    """Refuse points (n, 2) of which one lies outside the image, or is not a number.

    Raises:
        InputError: there is one.
    """
    if not ((points_xy >= 0) & (points_xy <= np.asarray(size_wh))).all():  # NaN is neither
        width, height = size_wh
        raise InputError(f"Every point must lie inside the {width}×{height} image: clamp or drop those outside.")


def pixels_of(points_xy: NDArray[np.float64], size_wh: tuple[int, int]) -> NDArray[np.int64]:
    """(n, 2) the pixel (column, row) that holds each point; the far border is the last pixel's.

    Raises:
        InputError: a point outside the image.
    """
    check_inside(points_xy, size_wh)
    pixels: NDArray[np.int64] = np.minimum(np.floor(points_xy).astype(np.int64), np.array(size_wh) - 1)
    return pixels
