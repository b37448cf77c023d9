"""Cross-shaped labels: a head is its cell and the four beside it.

The localization branch of RAZ-Net (Liu et al., "Recurrent Attentive Zooming for Joint Crowd Counting and Precise
Localization"): dots convolved with [[0, 1, 0], [1, 1, 1], [0, 1, 0]], as a label of 0 or 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headcount.targets.counts import pixels_of
from headcount.targets.density import max_pool

_ARMS_XY = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])


def cross_map(
    points_xy: NDArray[np.float64],
    size_wh: tuple[int, int],
    *,
    stride: int = 1,
    region: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """1 in the cell of each point and in the four beside it, 0 elsewhere: (⌈h/s⌉, ⌈w/s⌉) float32.

    ``points_xy`` (n, 2) lie inside the image of ``size_wh``. Arms that reach beyond the map are cut off; crosses that
    meet become one shape, and how many there were is lost. ``region`` (h, w) bool: points outside it are left out, as
    are cells that it does not touch.

    Raises:
        InputError: a point outside the image.

    >>> cross_map(np.array([[1.5, 1.5]]), (4, 3)).astype(int).tolist()
    [[0, 1, 0, 0], [1, 1, 1, 0], [0, 1, 0, 0]]
    """
    width, height = size_wh
    pixels = pixels_of(points_xy, size_wh)
    if region is not None:
        pixels = pixels[region[pixels[:, 1], pixels[:, 0]]]
    limit = np.array([-(-width // stride), -(-height // stride)])
    cells = (pixels[:, None] // stride + _ARMS_XY).reshape(-1, 2)
    cells = cells[((cells >= 0) & (cells < limit)).all(axis=1)]
    crosses = np.zeros(limit[::-1], np.float32)
    crosses[cells[:, 1], cells[:, 0]] = 1.0
    if region is not None:
        crosses *= max_pool(region.astype(np.float32), stride)
    return crosses
