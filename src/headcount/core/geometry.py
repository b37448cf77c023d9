"""Points and boxes: what is computed of them alone, one place each.

Points are (n, 2) float64 (x, y) and boxes (n, 4) float64 (x1, y1, x2, y2), in pixels of the upright image, whose first
pixel's centre is at (0.5, 0.5) and whose corners are (0, 0) and its (width, height).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.core.errors import InputError

Points = NDArray[np.float64]
Boxes = NDArray[np.float64]


def as_points(values: ArrayLike) -> Points:
    """(n, 2) float64 (x, y) points; an empty sequence becomes (0, 2).

    Raises:
        InputError: another shape, or a value that is not finite.
    """
    return _rows(values, 2, "points", "(x, y)")


def as_boxes(values: ArrayLike) -> Boxes:
    """(n, 4) float64 (x1, y1, x2, y2) boxes; an empty sequence becomes (0, 4).

    Raises:
        InputError: another shape, or a value that is not finite.
    """
    return _rows(values, 4, "boxes", "(x1, y1, x2, y2)")


def checked_boxes(values: ArrayLike, name: str = "boxes") -> Boxes:
    """(n, 4) float64 boxes as ``as_boxes``, each of which has an area.

    Raises:
        InputError: another shape, a value that is not finite, or a box with x2 ≤ x1 or y2 ≤ y1; says ``name``, the
            shape and the first row that is wrong.

    >>> checked_boxes([[0, 0, 4, 4], [9, 2, 9, 8]])
    Traceback (most recent call last):
    headcount.core.errors.InputError: boxes must have x1 < x2 and y1 < y2, but of shape (2, 4) row 1 is [9, 2, 9, 8].
    """
    boxes = _rows(values, 4, name, "(x1, y1, x2, y2)")
    flat = np.flatnonzero(~has_area(boxes))
    if len(flat):
        row = ", ".join(f"{value:g}" for value in boxes[flat[0]])
        raise InputError(
            f"{name} must have x1 < x2 and y1 < y2, but of shape {boxes.shape} row {int(flat[0])} is [{row}]."
        )
    return boxes


def _rows(values: ArrayLike, width: int, what: str, order: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        return np.zeros((0, width))
    if array.ndim != 2 or array.shape[1] != width:
        raise InputError(f"{what} must be an (n, {width}) array of {order}, but its shape is {array.shape}.")
    if not np.isfinite(array).all():
        first = int(np.where(~np.isfinite(array))[0][0])
        raise InputError(f"{what} must be finite numbers, but of shape {array.shape} row {first} is not.")
    return array


def centres(boxes_xyxy: Boxes) -> Points:
    """(n, 2) centres of boxes.

    >>> centres(np.array([[2.0, 2.0, 4.0, 8.0]])).tolist()
    [[3.0, 5.0]]
    """
    return (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2


def sides(boxes_xyxy: Boxes) -> NDArray[np.float64]:
    """(n, 2) widths and heights of boxes; negative where corners are swapped.

    >>> sides(np.array([[2.0, 2.0, 4.0, 8.0]])).tolist()
    [[2.0, 6.0]]
    """
    return boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]


def has_area(boxes_xyxy: Boxes) -> NDArray[np.bool_]:
    """(n,) whether a box has both width and height; one whose corners are swapped has none."""
    return np.asarray((boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(axis=1))


def outside(points_xy: Points, size_wh: tuple[int, int], *, slack: float = 0.0) -> NDArray[np.intp]:
    """The rows of the points that lie beyond the image, by more than ``slack`` of its sides; its border is within.

    >>> outside(np.array([[0.0, 0.0], [321.0, 5.0], [320.0, 240.0]]), (320, 240)).tolist()
    [1]
    """
    size, beyond = np.asarray(size_wh), slack * np.asarray(size_wh)
    return np.flatnonzero(((points_xy < -beyond) | (points_xy > size + beyond)).any(axis=1))


def clip_points(points_xy: Points, size_wh: tuple[int, int]) -> Points:
    """(n, 2) points moved to the nearest place in the image.

    >>> clip_points(np.array([[0.5, 0.5], [399.5, -3.0]]), (320, 240)).tolist()
    [[0.5, 0.5], [320.0, 0.0]]
    """
    return np.clip(points_xy, 0.0, np.asarray(size_wh, dtype=np.float64))


def clip_to_centres(points_xy: Points, size_wh: tuple[int, int]) -> Points:
    """(n, 2) points kept at least half a pixel within the image's border, where its outermost pixels' centres are.

    >>> clip_to_centres(np.array([[0.2, 7.0], [400.0, 240.0]]), (320, 240)).tolist()
    [[0.5, 7.0], [319.5, 239.5]]
    """
    return np.clip(points_xy, 0.5, np.asarray(size_wh, dtype=np.float64) - 0.5)


def clip_boxes(boxes_xyxy: Boxes, size_wh: tuple[int, int]) -> Boxes:
    """(n, 4) the parts of boxes within the image; the order of their corners stays, so some may have no area.

    >>> clip_boxes(np.array([[-2.0, 3.0, 9.0, 12.0]]), (8, 10)).tolist()
    [[0.0, 3.0, 8.0, 10.0]]
    """
    return clip_points(boxes_xyxy.reshape(-1, 2), size_wh).reshape(-1, 4)


def boxes_around(points_xy: Points, sizes_wh: NDArray[np.float64], image_wh: tuple[int, int]) -> Boxes:
    """(n, 4) boxes of ``sizes_wh`` (n, 2) centred on ``points_xy`` (n, 2), clipped to the image.

    >>> boxes_around(np.array([[10, 3]], float), np.array([[4, 8]], float), (100, 80)).tolist()
    [[8.0, 0.0, 12.0, 7.0]]
    """
    half = sizes_wh / 2
    return clip_boxes(np.concatenate([points_xy - half, points_xy + half], axis=1), image_wh)


def sigmas_of_boxes(boxes_xyxy: Boxes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """σ_s = ⌊min(w, h) / 2⌋ and σ_l = ⌊√(w² + h²) / 2⌋ of boxes (n, 4): two (n,), in pixels (NWPU-Crowd).

    >>> [sigma.tolist() for sigma in sigmas_of_boxes(np.array([[10.0, 10.0, 40.0, 50.0]]))]
    [[15.0], [25.0]]
    """
    width, height = sides(boxes_xyxy).T
    return np.floor(np.minimum(width, height) / 2), np.floor(np.sqrt(np.square(width) + np.square(height)) / 2)


def owners(points_xy: Points, boxes_xyxy: Boxes) -> NDArray[np.intp]:
    """(m,) the row of the point that each of m boxes belongs to, −1 where there is none; no point has two boxes.

    As many boxes as possible get a point that lies in them (borders included); of all such assignments the one whose
    points are nearest to the middles of their boxes is taken, measured in each box's own size.

    >>> owners(np.array([[9.0, 9.0], [2.0, 2.0], [1.0, 3.0]]), np.array([[0.0, 0.0, 4.0, 4.0]])).tolist()
    [1]
    """
    n, m = len(points_xy), len(boxes_xyxy)
    found = np.full(m, -1, np.intp)
    if not n or not m:
        return found
    from scipy.sparse import csr_array  # start-up time
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    rows, columns = [], []
    for index, box in enumerate(boxes_xyxy):
        inside = np.flatnonzero(((points_xy >= box[:2]) & (points_xy <= box[2:])).all(axis=1))
        rows.append(np.full(len(inside), index))
        columns.append(inside)
    row, column = np.concatenate(rows), np.concatenate(columns)
    # From the middle (0) to a corner (1). A sparse matrix takes a weight of 0 for no edge, hence the shift.
    offset = np.abs(points_xy[column] - centres(boxes_xyxy)[row]) / np.maximum(sides(boxes_xyxy)[row], 1e-9)
    weight = np.hypot(offset[:, 0], offset[:, 1]) * np.sqrt(2) + 1e-3
    # Each box may also stay alone, at a price that all the others together do not reach.
    every = np.arange(m)
    graph = csr_array(
        (np.r_[weight, np.full(m, 2.0 * m + 2)], (np.r_[row, every], np.r_[column, n + every])), shape=(m, n + m)
    )
    box, point = min_weight_full_bipartite_matching(graph)
    found[box] = np.where(point < n, point, -1)
    return found


def paired_owners(points_xy: Points, boxes_xyxy: Boxes) -> NDArray[np.intp]:
    """As ``owners``, for the arrays of a Scene: of as many boxes as points, the i-th belongs to the i-th.

    >>> paired_owners(np.array([[9.0, 9.0]]), np.array([[0.0, 0.0, 4.0, 4.0]])).tolist()
    [0]
    """
    if len(points_xy) == len(boxes_xyxy):
        return np.arange(len(points_xy))
    return owners(points_xy, boxes_xyxy)


def polygon_mask(corners_xy: Points, size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """(h, w) bool: the pixels whose centre lies within the polygon, by the even-odd rule.

    >>> polygon_mask(np.array([[1.0, 0.0], [3.0, 0.0], [3.0, 1.0], [1.0, 1.0]]), (4, 2)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 0, 0, 0]]
    """
    width, height = size_wh
    xs = np.arange(width) + 0.5
    inside = np.zeros((height, width), np.bool_)
    for (x1, y1), (x2, y2) in zip(corners_xy, np.roll(corners_xy, -1, axis=0), strict=True):
        # Rows whose centres the edge crosses, half-open so that a corner is crossed once.
        low, high = np.ceil(np.clip(np.sort([y1, y2]) - 0.5, 0, height)).astype(int)
        if low < high:
            ys = np.arange(low, high) + 0.5
            crossing = x1 + (ys - y1) * (x2 - x1) / (y2 - y1)
            inside[low:high] ^= xs >= crossing[:, None]
    return inside


def in_mask(points_xy: Points, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) whether the pixel that holds a point is set in ``mask`` (h, w); the far border is the last pixel's.

    >>> in_mask(np.array([[0.5, 0.5], [2.0, 1.0]]), np.array([[True, False]])).tolist()
    [True, False]
    """
    limit = np.array([mask.shape[1], mask.shape[0]]) - 1
    cells = np.clip(np.floor(points_xy).astype(np.int64), 0, limit)
    return mask[cells[:, 1], cells[:, 0]]


def block_sums(cells: NDArray[np.floating[Any]], side: int) -> NDArray[np.float64]:
    """Sums over blocks of ``side`` cells, from the top left; the last ones may be cut.

    >>> block_sums(np.ones((3, 4)), 2).tolist()
    [[4.0, 4.0], [2.0, 2.0]]
    """
    rows, columns = (np.arange(0, length, side) for length in cells.shape)
    sums: NDArray[np.float64] = np.add.reduceat(
        np.add.reduceat(cells.astype(np.float64), rows, axis=0), columns, axis=1
    )
    return sums
