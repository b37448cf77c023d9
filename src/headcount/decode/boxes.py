"""Head boxes out of what a detector's maps say: overlapping ones joined, the rest a Prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import Boxes, centres, clip_boxes, has_area
from headcount.core.prediction import Prediction

_PAIRS_MAX = 200_000  # of boxes that are compared at once: 30 MB


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
    left, kept, most = np.arange(len(order)), [np.zeros(0, np.intp)], len(order)
    # So many of the highest at once as meet each other in few pairs; what they leave of the others goes on.
    while len(left):
        first, most = _highest(ranked[:, left], most)
        better = left[: len(first.boxes[0])]
        better = better[_kept(first, iou)]
        kept.append(better)
        left = left[len(first.boxes[0]) :]
        left = left[~_covered(ranked[:, left], ranked[:, better], iou)]
        most *= 2
    return order[np.concatenate(kept)]


@dataclass(frozen=True, slots=True)
class _Swept:
    """Boxes (4, n), sorted for finding those that meet: in strips from top to bottom, in each by where they start.

    A box has an entry in every strip that it reaches. ``row`` is the box of each entry, ``start`` and ``end`` where
    along the strips, laid end to end, it lies.
    """

    boxes: Boxes
    row: NDArray[np.intp]
    strip: NDArray[np.intp]
    start: NDArray[np.float64]
    end: NDArray[np.float64]

    @classmethod
    def over(cls, boxes: Boxes, of: Boxes) -> _Swept:
        """``boxes``, in strips that are made for the boxes ``of``, in which they lie."""
        low = of.min(axis=1)
        length, height = 1 + np.ptp(of[::2]), max(1.0, float((of[3] - of[1]).mean()))  # 3 entries a box at most
        top, bottom = np.floor((boxes[1::2] - low[1]) / height).astype(np.intp)
        row, strip = _expand(top, np.maximum(bottom - top, 0) + 1)
        start = strip * length + boxes[0, row] - low[0]
        end = strip * length + boxes[2, row] - low[0]
        order = np.argsort(start, kind="stable")
        return cls(boxes, row[order], strip[order], start[order], end[order])

    @property
    def later(self) -> NDArray[np.intp]:
        """How many entries after each of them start before it ends."""
        stop: NDArray[np.intp] = np.searchsorted(self.start, self.end, side="right")
        number: NDArray[np.intp] = np.maximum(stop - np.arange(len(self.row)) - 1, 0)
        return number


def _expand(first: NDArray[np.intp], number: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """``number`` integers from ``first`` on, of all rows: the row of each, and the integer."""
    row = np.repeat(np.arange(len(number)), number)
    return row, first[row] + np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)


def _highest(ranked: Boxes, most: int) -> tuple[_Swept, int]:
    """The first boxes of ``ranked``, as many up to ``most`` as meet in few pairs, and how many."""
    while True:
        swept = _Swept.over(ranked[:, :most], ranked[:, :most])
        if most <= 1 or swept.later.sum() <= _PAIRS_MAX:
            return swept, most
        most //= 2


def _kept(swept: _Swept, iou: float) -> NDArray[np.intp]:
    """The boxes that are kept of those that are ranked, the highest first."""
    one, other = _overlapping(swept, swept, np.arange(len(swept.row)) + 1, swept.later, iou)
    better, worse = np.sort(np.stack([one, other]), axis=0)
    in_order = np.argsort(better, kind="stable")
    better, worse = better[in_order], worse[in_order]
    bounds = np.searchsorted(better, np.arange(swept.boxes.shape[1] + 1))
    kept = np.ones(swept.boxes.shape[1], np.bool_)
    for rank in np.unique(better):
        if kept[rank]:
            kept[worse[bounds[rank] : bounds[rank + 1]]] = False
    return np.flatnonzero(kept)


def _covered(boxes: Boxes, by: Boxes, iou: float) -> NDArray[np.bool_]:
    """Which boxes (4, n) overlap too much with one of ``by`` (4, m)."""
    covered = np.zeros(boxes.shape[1], np.bool_)
    if not len(covered) or not by.shape[1]:
        return covered
    every = np.concatenate([boxes, by], axis=1)
    own, others = _Swept.over(boxes, every), _Swept.over(by, every)
    for one, other in ((own, others), (others, own)):  # of two that meet, one starts while the other lasts
        first = np.searchsorted(other.start, one.start)
        number = np.maximum(np.searchsorted(other.start, one.end, side="right") - first, 0)
        stops = np.searchsorted(np.cumsum(number), np.arange(_PAIRS_MAX, number.sum() + _PAIRS_MAX, _PAIRS_MAX))
        start = 0
        for stop in np.unique(np.append(stops + 1, len(number)).clip(1, len(number))):
            part = _overlapping(one, other, first[start:stop], number[start:stop], iou, skipped=start)
            covered[part[0] if one is own else part[1]] = True
            start = stop
    return covered


def _overlapping(
    one: _Swept, other: _Swept, first: NDArray[np.intp], number: NDArray[np.intp], iou: float, *, skipped: int = 0
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of boxes of ``one`` and ``other`` that overlap by more than ``iou``.

    Looked at are, for each entry of ``one`` after those ``skipped``, ``number`` entries of ``other`` from ``first`` on.
    """
    left, right = _expand(first, number)
    left = left + skipped
    # Once, in the first strip that both reach, and maybe in others: a pair that is found twice does no harm.
    same = one.strip[left] == other.strip[right]
    a, b = one.row[left[same]], other.row[right[same]]
    meeting = (one.boxes[1, a] < other.boxes[3, b]) & (other.boxes[1, b] < one.boxes[3, a])
    a, b = a[meeting], b[meeting]
    much = overlaps(one.boxes[:, a], other.boxes[:, b]) > iou
    return a[much], b[much]


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
