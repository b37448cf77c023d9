"""Head boxes out of what a detector's maps say: overlapping ones joined, the rest a Prediction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import Boxes, centres, clip_boxes, has_area
from headcount.core.prediction import Prediction

_PAIRS_MAX = 1_000_000  # held at once, 60 MB of them


def nms(boxes_xyxy: Boxes, scores: NDArray[np.float64], iou: float) -> NDArray[np.intp]:
    """Non-maximum suppression: the rows of the boxes that are kept, from the highest score to the lowest.

    From the highest score down, a box is kept unless its intersection over union with one that is kept exceeds
    ``iou``. Of equal scores the first box goes first. ``boxes_xyxy`` is (n, 4), ``scores`` (n,).

    >>> boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10.0]])
    >>> nms(boxes, np.array([0.5, 0.9, 0.7]), 0.5).tolist()
    [1, 2]
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    ranked = np.ascontiguousarray(np.asarray(boxes_xyxy, dtype=np.float64)[order].T)  # (4, n)
    if len(order) and np.ptp(ranked[1]) > np.ptp(ranked[0]):
        ranked = ranked[[1, 0, 3, 2]]  # swept along the longer side of the crowd
    by_start = np.argsort(ranked[0], kind="stable")
    # Sorted by where they start, only those boxes meet a box that start before it ends: in a crowd few of all pairs.
    later = np.searchsorted(ranked[0, by_start], ranked[2, by_start]) - np.arange(len(order)) - 1
    if later.clip(0).sum() > _PAIRS_MAX:
        return order[_kept_one_by_one(ranked, iou)]
    return order[_kept_of_pairs(ranked, by_start, later.clip(0), iou)]


def _kept_one_by_one(ranked: Boxes, iou: float) -> NDArray[np.intp]:
    """Each kept box against all that are left: fast where few are kept."""
    kept, left = [], np.arange(ranked.shape[1])
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        left = left[overlaps(ranked[:, first : first + 1], ranked[:, left]) <= iou]
    return np.array(kept, np.intp)


def _kept_of_pairs(ranked: Boxes, by_start: NDArray[np.intp], later: NDArray[np.intp], iou: float) -> NDArray[np.intp]:
    """Every pair that may meet at once; the i-th by its start is paired with the ``later[i]`` that follow it."""
    one = np.repeat(np.arange(len(later)), later)
    other = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(later) - later, later)
    one, other = by_start[one], by_start[other]
    meeting = (ranked[1, one] < ranked[3, other]) & (ranked[1, other] < ranked[3, one])
    one, other = one[meeting], other[meeting]
    much = overlaps(ranked[:, one], ranked[:, other]) > iou
    better, worse = np.sort(np.stack([one[much], other[much]]), axis=0)
    in_order = np.argsort(better, kind="stable")
    better, worse = better[in_order], worse[in_order]
    bounds = np.searchsorted(better, np.arange(len(later) + 1))
    kept = np.ones(len(later), np.bool_)
    for rank in np.unique(better):
        if kept[rank]:
            kept[worse[bounds[rank] : bounds[rank + 1]]] = False
    return np.flatnonzero(kept)


def overlaps(one: Boxes, other: Boxes) -> NDArray[np.float64]:
    """Intersection over union of boxes (4, …), one with the other, spread as numpy does; 0 where neither has an area.

    >>> overlaps(np.array([[0, 0, 10, 10.0]]).T, np.array([[0, 0, 10, 5], [20, 0, 30, 10.0]]).T).tolist()
    [0.5, 0.0]
    """
    wide = np.minimum(one[2], other[2]) - np.maximum(one[0], other[0])
    high = np.minimum(one[3], other[3]) - np.maximum(one[1], other[1])
    shared = np.maximum(wide, 0) * np.maximum(high, 0)
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    ratio: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(union), where=union > 0)
    return ratio


def boxes_prediction(
    boxes_xyxy: Boxes, scores: NDArray[np.float64], size_wh: tuple[int, int], *, warnings: tuple[str, ...] = ()
) -> Prediction:
    """A detector's heads: the parts of boxes (n, 4) within the image, each with its score; the count is their number.

    Points are the middles of what is seen. A box without area within the image is no head.

    >>> found = boxes_prediction(np.array([[-4, 0, 8, 6], [40, 0, 44, 6.0]]), np.array([0.9, 0.8]), (32, 24))
    >>> found.count, found.points_xy.tolist(), found.boxes_xyxy.tolist()
    (1.0, [[4.0, 3.0]], [[0.0, 0.0, 8.0, 6.0]])
    """
    seen = clip_boxes(boxes_xyxy, size_wh)
    heads = has_area(seen)
    return Prediction(
        count=float(heads.sum()),
        size_wh=size_wh,
        points_xy=centres(seen[heads]),
        points_kind="heads",
        scores=np.asarray(scores, dtype=np.float64)[heads],
        boxes_xyxy=seen[heads],
        boxes_kind="heads",
        warnings=warnings,
    )
