"""What a model's ranges are made of, fitted to its counts of validation images, and how often they then hold.

The two scales of a residual (see ``headcount.core.interval``) are those of the largest likelihood under an asymmetric
Laplace distribution, with a small cost on their weights: a convex problem. Residuals are cross-fitted: each image's is
over a scale that was fitted to the images of the other folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from headcount.core.errors import InputError
from headcount.core.interval import EvidenceSpec, IntervalSpec, log_ratio
from headcount.core.limits import DEFAULT_LEVEL
from headcount.evaluate.metrics.interval import Coverage

FEWEST_IMAGES = 20
"""With fewer, not one residual lies beyond the ends of a range of 90 %."""
_FOLDS = 5
_STEPS = 200
_LEAST = 0.02  # a residual of 2 % is as good as none: else a handful of exact counts would make all scales small
_RIDGE = 0.01  # what the square of a weight (of standardised evidence) costs, in log-likelihood of an image
_NO_SPREAD = 1e-6


@dataclass(frozen=True, slots=True)
class CountedImages:
    """A set of images: what was counted, what is true, and the evidence of each."""

    name: str
    counts: Sequence[float]
    true: Sequence[float]
    evidence: Sequence[Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class FittedInterval:
    """What is kept in a card, and how often a range of 90 % held on images that neither its scales nor its quantiles
    were fitted to, by set."""

    spec: IntervalSpec
    coverage: Mapping[str, Coverage]


def fit_interval(sets: Sequence[CountedImages], *, level: float = DEFAULT_LEVEL) -> FittedInterval:
    """The scales, and the quantiles of the residuals, of all images alike.

    Raises:
        InputError: there are fewer than ``FEWEST_IMAGES`` images.
    """
    images = sum(len(one.counts) for one in sets)
    if images < FEWEST_IMAGES:
        raise InputError(
            f"A range takes {FEWEST_IMAGES} images with a known number to be told by, but there are {images}: add some."
        )
    names = sorted({name for one in sets for row in one.evidence for name in row})
    values = np.array([[row.get(name, 0.0) for name in names] for one in sets for row in one.evidence], np.float64)
    values = values.reshape(images, len(names))
    names = [name for name, spread in zip(names, values.std(axis=0), strict=True) if spread > _NO_SPREAD]
    values = values[:, values.std(axis=0) > _NO_SPREAD]
    counts = np.concatenate([np.asarray(one.counts, np.float64) for one in sets])
    true = np.concatenate([np.asarray(one.true, np.float64) for one in sets])
    residuals = log_ratio(true, counts)
    # Every fifth image of each set, so that each fold has some of all.
    fold = np.concatenate([np.arange(len(one.counts)) % _FOLDS for one in sets])
    scaled = np.zeros(images)
    specs = []
    for held in range(_FOLDS):
        rest = fold != held
        specs.append(_scales(names, values[rest], residuals[rest]))
        for row in np.flatnonzero(~rest).tolist():
            below, above = specs[held].scales(dict(zip(names, values[row], strict=True)))
            scaled[row] = residuals[row] / (below if residuals[row] < 0 else above)
    inside = np.zeros(images, np.bool_)
    for row in range(images):
        spec = _with_quantiles(specs[fold[row]], scaled[fold != fold[row]])
        low, high = spec.around(counts[row], dict(zip(names, values[row], strict=True)), level)
        inside[row] = low <= true[row] <= high
    owner = np.repeat(np.arange(len(sets)), [len(one.counts) for one in sets])
    coverage = {
        one.name: Coverage.of(inside[owner == number], level) for number, one in enumerate(sets) if len(one.counts)
    }
    return FittedInterval(_with_quantiles(_scales(names, values, residuals), scaled), coverage)


def _with_quantiles(spec: IntervalSpec, scaled: NDArray[np.float64]) -> IntervalSpec:
    quantiles = np.quantile(scaled, np.linspace(0, 1, _STEPS + 1))
    return spec.model_copy(
        update={"quantiles": tuple(round(float(value), 4) for value in quantiles), "images": len(scaled)}
    )


def _scales(names: Sequence[str], values: NDArray[np.float64], residuals: NDArray[np.float64]) -> IntervalSpec:
    """The scales alone; the quantiles are still to come."""
    middle, spread = values.mean(axis=0), np.maximum(values.std(axis=0), _NO_SPREAD)
    features = np.hstack([np.ones((len(values), 1)), (values - middle) / spread])
    size, above = np.abs(residuals) + _LEAST, residuals >= 0
    width = features.shape[1]

    def objective(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logs = features @ weights.reshape(2, width).T  # (images, 2): below, above
        own = np.where(above, logs[:, 1], logs[:, 0])
        cost, total = size * np.exp(-own), np.logaddexp(logs[:, 0], logs[:, 1])
        free = weights.reshape(2, width).copy()
        free[:, 0] = 0
        share = np.exp(logs - total[:, None])
        share[np.arange(len(size)), above.astype(np.intp)] -= cost
        gradient = (features.T @ share).T / len(size) + 2 * _RIDGE * free
        return float((cost + total).mean() + _RIDGE * (free**2).sum()), gradient.ravel()

    start = np.zeros((2, width))
    start[:, 0] = np.log(size.mean())
    found = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B").x.reshape(2, width)
    slopes = found[:, 1:] / spread
    constants = found[:, 0] - slopes @ middle
    evidence = tuple(
        EvidenceSpec(
            name=name, below=_digits(slopes[0, k]), above=_digits(slopes[1, k]),
            low=_digits(values[:, k].min()), high=_digits(values[:, k].max()), spread=_digits(max(spread[k], 1e-4)),
        )
        for k, name in enumerate(names)
    )  # fmt: skip
    return IntervalSpec(
        below=_digits(constants[0]), above=_digits(constants[1]), evidence=evidence, quantiles=(0, 0, 0), images=1
    )


def _digits(value: float) -> float:
    return round(float(value), 4)
