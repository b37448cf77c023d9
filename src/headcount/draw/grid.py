"""A grid over a crowd, with the people of each of its cells: a number to recount by hand, place by place."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import block_sums
from headcount.core.image import RgbImage
from headcount.draw.text import Colour, line_of, write

CELLS = 8
"""Along the longer side of a picture."""
_LEAST_CELL_PX = 64
_LINE: Colour = (255, 255, 255)
_INK: Colour = (255, 255, 255)
_RIM: Colour = (0, 0, 0)


def people_by_cell(
    density: NDArray[np.float32], stride: int, size_wh: tuple[int, int], people: int
) -> tuple[NDArray[np.intp], int]:
    """(rows, columns) whole people in each cell of the grid, which sum to ``people``, and a cell's side in pixels.

    >>> cells, side = people_by_cell(np.full((16, 32), 0.1, np.float32), 8, (256, 128), 48)
    >>> cells.tolist(), side
    ([[6, 6, 6, 6], [6, 6, 6, 6]], 64)
    """
    cell = max(_LEAST_CELL_PX / stride, max(size_wh) / stride / CELLS)
    steps = max(1, round(cell))
    sums = block_sums(np.maximum(density, 0), steps)
    total = float(sums.sum())
    shares = sums * (people / total) if total > 0 else sums
    whole = np.floor(shares).astype(np.intp)
    # The largest remainders are rounded up, so that the numbers add up to the one above the picture.
    rest = max(0, people - int(whole.sum())) if total > 0 else 0
    largest = np.argsort(-(shares - whole), axis=None, kind="stable")[:rest]
    whole.flat[largest] += 1
    return whole, steps * stride


def draw_grid(picture: RgbImage, cells: NDArray[np.intp], side: int) -> None:
    """Draw the lines of a grid and the numbers of its cells, where there are any, into a picture (h, w, 3)."""
    height, width = picture.shape[:2]
    line = max(1, round(side / 160))
    for at in range(side, width, side):
        _line(picture[:, at : at + line])
    for at in range(side, height, side):
        _line(picture[at : at + line])
    size = int(np.clip(round(side / 6), 11, 72))
    for row, column in np.argwhere(cells > 0).tolist():
        left, top = column * side + 2 * line, row * side + 2 * line
        # The last row and column may be cut: a number that would be cut, too, is moved up.
        top = max(0, min(top, height - line_of(size) - 2))
        write(picture, (left, top), f"{cells[row, column]:,}", size, _INK, rim=_RIM)


def _line(part: RgbImage) -> None:
    part[:] = cv2.addWeighted(part, 0.55, np.full_like(part, _LINE), 0.45, 0)
