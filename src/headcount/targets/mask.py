"""Masks: where a head may be, as the mask branch of a mask-aware network learns it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.core.errors import InputError

Mask = NDArray[np.float32]


def density_mask(density: NDArray[np.float32]) -> Mask:
    """M = sign(d): 1 where the truncated density is positive (Eq. 3 of "Mask-aware networks…"), (h, w) float32.

    At an output's stride, the mask of the pooled density is the pooled mask.
    """
    mask: Mask = np.empty(density.shape, np.float32)
    np.greater(density, 0, out=mask)  # no array of booleans between: the system's zeroing of it takes as long
    return mask


def disc_mask(points_xy: NDArray[np.float64], size_wh: tuple[int, int], *, radius_px: float) -> Mask:
    """1 within ``radius_px`` of a point (measured to pixel centres), (h, w) float32.

    Raises:
        InputError: a radius that is not positive.
    """
    if radius_px <= 0:
        raise InputError(f"radius_px must be positive, but it is {radius_px}.")
    width, height = size_wh
    reach = int(np.ceil(radius_px))
    corner = np.floor(points_xy)  # the pixel that holds each point
    margin = reach + 1  # about the image: discs beyond it do not reach in
    near = ((corner >= -margin) & (corner < np.asarray(size_wh) + margin)).all(axis=1)
    points_xy, corner = points_xy[near], corner[near].astype(np.int64)
    offset = np.arange(-reach, reach + 1)
    columns, rows = (corner[:, axis, None] + offset for axis in (0, 1))  # (n, k) each
    across = (columns + 0.5 - points_xy[:, 0, None]) ** 2
    down = (rows + 0.5 - points_xy[:, 1, None]) ** 2
    inside = down[:, :, None] + across[:, None, :] <= radius_px**2
    side = margin + reach  # a disc's middle may lie in the margin itself
    framed = np.zeros((height + 2 * side, width + 2 * side), np.float32)
    cells = ((rows + side) * framed.shape[1])[:, :, None] + (columns + side)[:, None, :]
    framed.reshape(-1)[cells[inside]] = 1.0
    return np.ascontiguousarray(framed[side : side + height, side : side + width])


def box_mask(boxes_xyxy: NDArray[np.float64], size_wh: tuple[int, int]) -> Mask:
    """1 in every pixel whose centre a box holds, and in the pixel of its centre however small it is."""
    width, height = size_wh
    mask = np.zeros((height, width), np.float32)
    for x1, y1, x2, y2 in boxes_xyxy:
        left, top = max(0, int(np.ceil(x1 - 0.5))), max(0, int(np.ceil(y1 - 0.5)))
        right, bottom = min(width, int(np.floor(x2 - 0.5)) + 1), min(height, int(np.floor(y2 - 0.5)) + 1)
        if left < right and top < bottom:
            mask[top:bottom, left:right] = 1.0
        column, row = int(np.floor((x1 + x2) / 2)), int(np.floor((y1 + y2) / 2))
        if 0 <= column < width and 0 <= row < height:
            mask[row, column] = 1.0
    return mask


def check_mask(mask: ArrayLike, density: ArrayLike) -> None:
    """Check a mask against the density that it is to go with, both of the same cells.

    Raises:
        InputError: another shape, a value other than 0 and 1, or no foreground though there are people; names the
            value and, of a wrong one, where it is.

    >>> check_mask(np.full((2, 2), 0.5), np.ones((2, 2)))
    Traceback (most recent call last):
    headcount.core.errors.InputError: The mask must be 0 or 1, but of shape (2, 2) it is 0.5 at (0, 0).
    """
    masks, people = np.asarray(mask), np.asarray(density)
    if masks.shape != people.shape:
        raise InputError(
            f"The mask must have a value for each cell of the density, which is {people.shape}, but is {masks.shape}."
        )
    wrong = np.argwhere((masks != 0) & (masks != 1))
    if len(wrong):
        place = tuple(map(int, wrong[0]))
        raise InputError(f"The mask must be 0 or 1, but of shape {masks.shape} it is {masks[place]:g} at {place}.")
    if not masks.any() and (people > 0).any():
        heads = float(people.sum(dtype=np.float64))
        raise InputError(
            f"The mask has no foreground, but the density holds {heads:.1f} people: make it 1 where heads are."
        )


def cells_inside(region: NDArray[np.bool_] | None, size_wh: tuple[int, int], stride: int) -> Mask:
    """1 in every cell of ``stride`` pixels whose middle the region (h, w) holds, (⌈h/s⌉, ⌈w/s⌉); all 1 without one."""
    width, height = size_wh
    columns, rows = -(-width // stride), -(-height // stride)
    if region is None:
        return np.ones((rows, columns), np.float32)
    row = np.minimum(np.arange(rows) * stride + stride // 2, height - 1)
    column = np.minimum(np.arange(columns) * stride + stride // 2, width - 1)
    return region[row[:, None], column].astype(np.float32)
