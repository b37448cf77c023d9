"""Head boxes out of what a detector's maps say: overlapping ones joined, the rest a Prediction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import Boxes, centres, clip_boxes, has_area
from headcount.core.prediction import Prediction

_PAIRS_AT_ONCE = 2_000_000  # 100 MB of them


def nms(boxes_xyxy: Boxes, scores: NDArray[np.float64], iou: float) -> NDArray[np.intp]:
    """Non-maximum suppression: the rows of the boxes that are kept, from the highest score to the lowest.

    From the highest score down, a box is kept unless its intersection over union with one that is kept exceeds
    ``iou``. Of equal scores the first box goes first. ``boxes_xyxy`` is (n, 4), ``scores`` (n,).

    >>> boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10.0]])
    >>> nms(boxes, np.array([0.5, 0.9, 0.7]), 0.5).tolist()
    [1, 2]
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    better, worse = _overlapping(np.asarray(boxes_xyxy, dtype=np.float64)[order], iou)
    bounds = np.searchsorted(better, np.arange(len(order) + 1))
    kept = np.ones(len(order), np.bool_)
    for rank in np.unique(better):
        if kept[rank]:
            kept[worse[bounds[rank] : bounds[rank + 1]]] = False
    return order[kept]


def _overlapping(boxes: Boxes, iou: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of rows whose intersection over union exceeds ``iou``: the lower and the higher row, lower ones in order.

    Sorted by their left sides, only those boxes meet a box that begin before it ends: in a crowd few of all pairs.
    """
    by_left = np.argsort(boxes[:, 0], kind="stable")
    x1, y1, x2, y2 = boxes[by_left].T
    area = (x2 - x1) * (y2 - y1)
    place = np.arange(len(boxes))
    partners = np.maximum(np.searchsorted(x1, x2, side="left") - place - 1, 0)
    ends = np.cumsum(partners)
    pairs = [np.zeros((2, 0), np.intp)]
    start = 0
    while start < len(boxes):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, side="right")))
        one = np.repeat(place[start:stop], partners[start:stop])
        step = np.arange(len(one)) - np.repeat(ends[start:stop] - partners[start:stop] - before, partners[start:stop])
        other = one + 1 + step
        high = np.minimum(y2[one], y2[other]) - np.maximum(y1[one], y1[other])
        meeting = high > 0
        one, other, high = one[meeting], other[meeting], high[meeting]
        shared = (np.minimum(x2[one], x2[other]) - np.maximum(x1[one], x1[other])) * high
        union = area[one] + area[other] - shared
        much = (union > 0) & (shared / np.where(union > 0, union, 1) > iou)
        pairs.append(np.sort(by_left[np.stack([one[much], other[much]])], axis=0))
        start = stop
    better, worse = np.concatenate(pairs, axis=1)
    in_order = np.argsort(better, kind="stable")
    return better[in_order], worse[in_order]


def boxes_prediction(boxes_xyxy: Boxes, scores: NDArray[np.float64], size_wh: tuple[int, int]) -> Prediction:
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
    )
