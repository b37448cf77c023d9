"""Head boxes of an implausible size: a slip of the hand, a wrong unit, a box around the whole body.

Somebody who stands close to the camera is many times larger than the rest, so the rule is coarse. A box is named when

- its sides are further apart than 4 : 1, or
- in an image of 8 boxes or more it is over 8 times the upper quartile of the sides √(width · height), or under a
  quarter of the lower one, *and* 3 times larger or smaller than the perspective of the other boxes has it (a robust
  line of log side over y).

Measured on the 31,570 boxes of SCUT-HEAD at hand, which were looked at: sides are at most 3.2 : 1 apart, 5.9 times the
upper quartile is the largest and 1/2.1 of the lower one the smallest, all true heads. The rule names none of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

from headcount.core.geometry import has_area, sides
from headcount.core.words import plural
from headcount.data.audit.faults import rounded
from headcount.data.audit.findings import Finding

MAX_ASPECT = 4.0
MAX_OVER, MAX_UNDER = 8.0, 4.0
MIN_OFF = 3.0
_ENOUGH = 8
_MOST_FITTED = 300


def check_sizes(boxes_xyxy: NDArray[np.float64], place: str) -> list[Finding]:
    """A finding where (n, 4) boxes have an implausible size; those not finite or without area are left out.

    >>> row = np.array([[x, 5.0, x + 10, 15.0] for x in range(0, 200, 20)])
    >>> row[3, 2:] += 200
    >>> [finding.boxes_xyxy for finding in check_sizes(row, "a.jpg")]
    [((60.0, 5.0, 270.0, 215.0),)]
    """
    boxes = boxes_xyxy[np.isfinite(boxes_xyxy).all(axis=1)]
    boxes = boxes[has_area(boxes)]
    if not len(boxes):
        return []
    width, height = sides(boxes).T
    odd = np.maximum(width / height, height / width) > MAX_ASPECT
    side = np.sqrt(width * height)
    if len(boxes) >= _ENOUGH:
        low, high = np.quantile(side, [0.25, 0.75])
        for index in np.flatnonzero((side > MAX_OVER * high) | (side < low / MAX_UNDER)):
            factor = side[index] / _expected(boxes, side, int(index))
            odd[index] |= bool(factor >= MIN_OFF if side[index] > high else factor <= 1 / MIN_OFF)
    if not odd.any():
        return []
    first = int(np.flatnonzero(odd)[0])
    number = int(odd.sum())
    text = (
        f"{plural(number, 'box')} of an unlikely size, the first "
        f"{width[first]:g}×{height[first]:g} at ({boxes[first, 0]:g}, {boxes[first, 1]:g}), "
        f"where the median side is {np.median(side):.0f}"
    )
    return [Finding("head-size", place, text, number, boxes_xyxy=rounded(boxes[odd]))]


def _expected(boxes: NDArray[np.float64], side: NDArray[np.float64], index: int) -> float:
    """The side in pixels that the other boxes have at the middle of this one."""
    y = boxes[:, [1, 3]].mean(axis=1)
    # Evenly by y, so that the far and the near are both there.
    others = np.argsort(np.delete(y, index), kind="stable")
    others = others[np.linspace(0, len(others) - 1, min(len(others), _MOST_FITTED)).astype(int)]
    xs, ys = np.delete(y, index)[others], np.log(np.delete(side, index)[others])
    if np.ptp(xs) == 0:
        return float(np.exp(np.median(ys)))
    slope, intercept, _, _ = theilslopes(ys, xs)
    # No further than the others reach: a line of logarithms grows without bound.
    return float(np.exp(intercept + slope * np.clip(y[index], xs.min(), xs.max())))
