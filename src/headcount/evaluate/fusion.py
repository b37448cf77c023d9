"""The weights by which a fused model believes its heads, fitted to the counts of validation images.

Six numbers at most: of each head but the first a constant, and what the crowding and the head size of a block add to
it (see ``headcount.decode.fused``). They are those of the least error over all sets, each weighing alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from headcount.core.errors import InputError
from headcount.decode.fused import Blocks, Coefficients, FusionSettings
from headcount.evaluate.metrics.counting import CountingResult, counting_result
from headcount.evaluate.thresholds import Weigh, relative_error

_RIDGE = 1e-4
"""What the square of each coefficient costs, in shares of the error: of two that count alike the smaller is taken."""
_SURE = 4.0  # a constant that leaves 2 % to the others
_NO_SPREAD = 1e-9


@dataclass(frozen=True, slots=True)
class CountedBlocks:
    """A set: the blocks and the true count of each image."""

    blocks: Sequence[Blocks]
    true: Sequence[int]

    def counts(self, settings: FusionSettings) -> list[float]:
        """The fused count of each image."""
        return [one.total(settings) for one in self.blocks]

    def result(self, settings: FusionSettings) -> CountingResult:
        """The counting errors of the fusion."""
        return counting_result(self.counts(settings), self.true)

    def result_of(self, head: str) -> CountingResult:
        """The counting errors of a head alone."""
        return counting_result([float(one.counts[head].sum()) for one in self.blocks], self.true)

    def half(self, which: int) -> CountedBlocks:
        """Every second image."""
        return CountedBlocks(self.blocks[which::2], self.true[which::2])


def free_heads(blocks: Blocks) -> list[str]:
    """The heads whose weights are fitted: all but the first, which the others are held against."""
    return list(blocks.counts)[1:]


def fit_fusion(sets: Sequence[CountedBlocks], start: FusionSettings, *, weigh: Weigh = "sets") -> FusionSettings:
    """The weights with the least error: the mean over the sets of MAE / mean count, or the MAE of all images.

    Raises:
        InputError: there is no image, or its model has one head.
    """
    if not sets or not all(len(one.blocks) for one in sets):
        raise InputError("There is no image to choose the weights of a fusion by.")
    heads = free_heads(sets[0].blocks[0])
    if not heads:
        raise InputError("The model has one head: there is nothing to fuse.")
    images = sum(len(one.true) for one in sets)
    scale = [len(one.true) / images if weigh == "images" else relative_error(1.0, one.true) / len(sets) for one in sets]
    pieces = [_Set.of(one, heads) for one in sets]
    # Centred and of one spread, so that a step of a coefficient does not have to be made good by a constant.
    features = np.hstack([one.features for one in pieces])
    middle, spread = features.mean(axis=1, keepdims=True), features.std(axis=1, keepdims=True)
    middle[0], spread[spread < _NO_SPREAD] = 0, 1
    even = [one.with_features((one.features - middle) / spread) for one in pieces]

    def error(values: NDArray[np.float64]) -> float:
        coefficients = values.reshape(len(heads), 3)
        return sum(factor * one.mae(coefficients) for factor, one in zip(scale, even, strict=True))

    unit = _RIDGE * error(np.zeros(3 * len(heads)))

    def objective(values: NDArray[np.float64]) -> float:
        return error(values) + unit * float((values**2).sum())

    found = [
        minimize(objective, one, method="Powell", options={"xtol": 1e-3, "ftol": 1e-6, "maxiter": 40})
        for one in _starts(len(heads))
    ]
    best = min(found, key=lambda one: float(one.fun)).x.reshape(len(heads), 3) / spread.ravel()
    best[:, 0] -= best @ middle.ravel()
    return start.model_copy(
        update={f"{head}_weight": _coefficients(values) for head, values in zip(heads, best, strict=True)}
    )


def _starts(heads: int) -> list[NDArray[np.float64]]:
    """All heads alike, each of them alone, and each where few people are: the error has more than one valley."""
    alike = np.zeros((heads, 3))
    none, alone, sparse = alike.copy(), [alike.copy() for _ in range(heads)], [alike.copy() for _ in range(heads)]
    none[:, 0] = -_SURE
    for head in range(heads):
        alone[head][:, 0] = np.where(np.arange(heads) == head, _SURE, -_SURE)
        sparse[head][:, 0] = np.where(np.arange(heads) == head, 0, -_SURE)
        sparse[head][head, 1] = -_SURE
    return [one.ravel() for one in (alike, none, *alone, *sparse)]


def cross_fitted(
    sets: Sequence[CountedBlocks], start: FusionSettings, *, weigh: Weigh = "sets"
) -> list[CountingResult]:
    """The errors by set where each image is counted with weights that were fitted to the others: halves, in turn."""
    counts = cross_fitted_counts(sets, start, weigh=weigh)
    return [counting_result(found, one.true) for found, one in zip(counts, sets, strict=True)]


def cross_fitted_counts(
    sets: Sequence[CountedBlocks], start: FusionSettings, *, weigh: Weigh = "sets"
) -> list[list[float]]:
    """The counts of each set's images, each with weights that were fitted to the other half of all sets."""
    fitted = [fit_fusion([one.half(other) for one in sets], start, weigh=weigh) for other in (1, 0)]
    found = []
    for one in sets:
        counts = np.zeros(len(one.true))
        for which in (0, 1):
            counts[which::2] = one.half(which).counts(fitted[which])
        found.append(list(map(float, counts)))
    return found


def _coefficients(values: NDArray[np.float64]) -> Coefficients:
    one, crowding, size = (round(float(value), 3) for value in values)
    return one, crowding, size


@dataclass(frozen=True, slots=True)
class _Set:
    """The blocks of all images of a set in one piece: (heads, n) counts, (3, n) features, and the image of each."""

    counts: NDArray[np.float64]
    features: NDArray[np.float64]
    image: NDArray[np.intp]
    true: NDArray[np.float64]

    @classmethod
    def of(cls, one: CountedBlocks, heads: Sequence[str]) -> _Set:
        first = next(name for name in one.blocks[0].counts if name not in heads)
        features = [np.stack([np.ones(b.crowding.size), b.crowding.ravel(), b.head_size.ravel()]) for b in one.blocks]
        counts = [np.stack([b.counts[name].ravel() for name in (first, *heads)]) for b in one.blocks]
        image = np.repeat(np.arange(len(one.blocks)), [b.crowding.size for b in one.blocks])
        return cls(np.hstack(counts), np.hstack(features), image, np.array(one.true, np.float64))

    def with_features(self, features: NDArray[np.float64]) -> _Set:
        return replace(self, features=features)

    def mae(self, coefficients: NDArray[np.float64]) -> float:
        logits = np.vstack([np.zeros(self.features.shape[1]), coefficients @ self.features])
        fused = (softmax(logits, axis=0) * self.counts).sum(axis=0)
        return float(np.abs(np.bincount(self.image, fused, minlength=len(self.true)) - self.true).mean())
