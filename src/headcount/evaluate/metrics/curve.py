"""The curve of precision and recall by score, and what is read off it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_RECALLS = np.linspace(0, 1, 101)
_FALSE_PER_IMAGE = 10 ** np.linspace(-2, 0, 9)
_LEAST_MISS_RATE = 1e-10  # it has a logarithm


class Curve(NamedTuple):
    """How many findings of at least each score that occurs, the highest first, are true and false: (k,) each."""

    true: NDArray[np.intp]
    false: NDArray[np.intp]

    @classmethod
    def of(cls, scores: NDArray[np.float64], true_scores: NDArray[np.float64]) -> Curve:
        """Of the scores of all findings and of the true ones, in any order.

        >>> curve = Curve.of(np.array([0.9, 0.8, 0.8, 0.1]), np.array([0.9, 0.8]))
        >>> curve.true.tolist(), curve.false.tolist()
        ([1, 2, 2], [0, 1, 2])
        """
        levels = np.unique(scores)
        at_least = len(scores) - np.searchsorted(np.sort(scores), levels)
        true = len(true_scores) - np.searchsorted(np.sort(true_scores), levels)
        return cls(true[::-1], (at_least - true)[::-1])

    def average_precision(self, heads: int) -> float:
        """COCO's: the mean over recalls 0, 0.01 … 1 of the best precision at that recall or beyond; 0 where none is.

        >>> round(Curve(np.array([1, 1, 2]), np.array([0, 1, 1])).average_precision(4), 4)  # 1 to 0.25, 2/3 to 0.5
        0.4224
        """
        precision = self.true / np.maximum(self.true + self.false, 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        place = np.searchsorted(self.true / heads, _RECALLS)
        return float(np.append(best, 0.0)[place].mean())

    def area(self, heads: int) -> float:
        """The area below the curve, as of PASCAL VOC 2010: at each recall the best precision there or beyond.

        >>> round(Curve(np.array([1, 1, 2]), np.array([0, 1, 1])).area(4), 4)  # 1 to 0.25, 2/3 to 0.5
        0.4167
        """
        precision = self.true / np.maximum(self.true + self.false, 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        return float((np.diff(self.true / heads, prepend=0.0) * best).sum())

    def miss_rate(self, heads: int, images: int) -> float:
        """MR⁻²: at each number of false boxes an image, the miss rate of the most boxes that are within it.

        It is 1 where even the first boxes are beyond it.

        >>> round(Curve(np.array([9, 9]), np.array([0, 1])).miss_rate(10, 1), 6)
        0.1
        """
        miss = np.append(1.0, 1 - self.true / heads)  # of no boxes at all
        place = np.searchsorted(self.false / images, _FALSE_PER_IMAGE, side="right")
        return float(np.exp(np.log(np.maximum(miss[place], _LEAST_MISS_RATE)).mean()))
