"""Local maxima of a map, a plateau counted once."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_EQUAL = 1 - 1e-5  # cells this close to their neighbourhood's maximum are one plateau with it


def local_maxima(
    values: NDArray[np.float32], allowed: NDArray[np.bool_], *, reach: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Cells with none higher within ``reach`` cells in x or y: where they are, and one cell of each.

    Of (h, w) ``values``, those above 0 where ``allowed`` is true; the others still overshadow their neighbours.
    Touching cells of equal value are one plateau: the (n, 2) places are their means as (column, row), the (n, 2)
    cells the first of each, as (column, row) too. Row by row, from the top.

    >>> values = np.float32([[0, 0, 0, 0, 0], [0, 3, 3, 0, 2], [0, 0, 0, 0, 0]])
    >>> places, cells = local_maxima(values, values > 1)
    >>> places.tolist(), cells.tolist()
    ([[1.5, 1.0], [4.0, 1.0]], [[1, 1], [4, 1]])
    """
    highest = cv2.dilate(np.ascontiguousarray(values), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    is_highest = (values >= highest * np.float32(_EQUAL)) & (values > 0) & allowed
    found, labels = cv2.connectedComponents(is_highest.view(np.uint8), connectivity=8)
    row, column = np.nonzero(is_highest)
    plateau = labels[row, column] - 1
    size = np.maximum(np.bincount(plateau, minlength=found - 1), 1)
    mean_x = np.bincount(plateau, column, minlength=found - 1) / size
    mean_y = np.bincount(plateau, row, minlength=found - 1) / size
    first = np.unique(plateau, return_index=True)[1]
    return np.stack([mean_x, mean_y], axis=1), np.stack([column[first], row[first]], axis=1).astype(np.intp)
