"""The score threshold by which heads are counted best: every one that tells images apart is tried at once.

A detector's decoder goes from the highest score down, so that what it finds at a threshold is what it finds at a lower
one, without the scores below. One pass at a low threshold therefore says what each higher one would have counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.counting import CountingResult, counting_result

_EQUAL = 1e-9  # sums of the same errors in another order


class ScoredHeads:
    """The scores of the heads found in each image, and how many there are; handed the images of an evaluation.

    Attributes:
        scores: one array an image, from the highest down.
        true: the true count of each image.
    """

    def __init__(self) -> None:
        self.scores: list[NDArray[np.float64]] = []
        self.true: list[int] = []

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image.

        Raises:
            InputError: the model gives its heads no scores.
        """
        if prediction.scores is None:
            raise InputError(f'The heads found in "{scene.name}" have no scores, which a threshold is chosen by.')
        self.scores.append(-np.sort(-prediction.scores))
        self.true.append(scene.count)

    def counts_at(self, threshold: float) -> list[int]:
        """How many heads of each image have at least a score.

        >>> seen = ScoredHeads()
        >>> seen.scores = [np.array([0.9, 0.5, 0.2]), np.array([])]
        >>> seen.counts_at(0.5)
        [2, 0]
        """
        return [int(np.count_nonzero(scores >= threshold)) for scores in self.scores]

    def result_at(self, threshold: float) -> CountingResult:
        """The counting errors at a threshold; as ``counting_result``."""
        return counting_result(self.counts_at(threshold), self.true)


Weigh = Literal["sets", "images"]
"""What counts alike when a threshold is chosen by several sets: each set, or each image."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The threshold that was chosen.

    Attributes:
        value: a short number near the middle of ``low`` and ``high``.
        low, high: all thresholds above ``low`` and up to ``high`` count alike.
        error: the mean over the sets of their relative error (see ``relative_error``), or the MAE of all images.
    """

    value: float
    low: float
    high: float
    error: float


def relative_error(mae: float, true: Sequence[int]) -> float:
    """A set's MAE as a share of its mean count, so that sets of different density weigh alike.

    The mean count is taken as 1 where it is less.

    >>> relative_error(5.0, [10, 40])
    0.2
    """
    return mae / max(1.0, sum(true) / len(true))


def choose_threshold(sets: Sequence[ScoredHeads], lowest: float, *, weigh: Weigh = "sets") -> Threshold:
    """The threshold above ``lowest``, at which the heads were decoded, with the least error.

    That is the mean relative error of the sets, which thus weigh alike, or with ``weigh="images"`` the MAE of all
    images together, so that sets weigh by how many they have.

    Where a range of thresholds counts alike it is the middle of it, of several such ranges the middle of the widest,
    and of equally wide ones the highest.

    Raises:
        InputError: there is no image.

    >>> seen = ScoredHeads()
    >>> seen.scores, seen.true = [np.array([0.9, 0.8, 0.3]), np.array([0.7, 0.2])], [2, 1]
    >>> choose_threshold([seen], 0.05)
    Threshold(value=0.5, low=0.3, high=0.7, error=0.0)
    """
    if not sets or not all(one.scores for one in sets):
        raise InputError("There is no image to choose a score threshold by.")
    scores, error = _errors(sets, weigh)
    # Where scores are equal, one threshold lets in all of them or none: ``scores[i]`` lets in the first i + 1.
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1) if len(scores) else np.zeros(0, np.intp)
    high = np.concatenate([[1.0], scores[ends]])
    low = np.append(high[1:], min(lowest, high[-1]))
    error = error[np.concatenate([[0], ends + 1])]
    possible = low < high  # a score of 1 leaves no room above it, one at ``lowest`` none below
    low, high, error = low[possible], high[possible], error[possible]
    best = error <= error.min() + _EQUAL
    starts = np.flatnonzero(best & ~np.append(False, best[:-1]))
    stops = np.flatnonzero(best & ~np.append(best[1:], False))
    widest = int(np.argmax(high[starts] - low[stops]))
    bottom, top = float(low[stops[widest]]), float(high[starts[widest]])
    return Threshold(_short_between(bottom, top), bottom, top, float(error[starts[widest]]))


def _errors(sets: Sequence[ScoredHeads], weigh: Weigh) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All scores from the highest down, (n,), and the error once none, one, … all of them count, (n + 1,)."""
    scores, steps = [np.zeros(0)], [np.zeros(0)]
    start, images = 0.0, sum(len(one.true) for one in sets)
    for one in sets:
        by_set = relative_error(1.0, one.true) / (len(one.true) * len(sets))
        weight = 1 / images if weigh == "images" else by_set
        start += weight * sum(one.true)
        for found, true in zip(one.scores, one.true, strict=True):
            # A head more makes the error smaller until there are as many as there should be.
            steps.append(np.where(np.arange(len(found)) < true, -weight, weight))
            scores.append(found)
    every, step = np.concatenate(scores), np.concatenate(steps)
    order = np.argsort(-every, kind="stable")
    return every[order], start + np.concatenate([[0.0], np.cumsum(step[order])])


def _short_between(low: float, high: float) -> float:
    """The number of fewest digits, three at least, near the middle of ``low`` (outside) and ``high`` (inside)."""
    middle = (low + high) / 2
    for digits in range(3, 16):
        value = round(middle, digits)
        if low < value <= high and value < 1:
            return value
    return high if high < 1 else middle
