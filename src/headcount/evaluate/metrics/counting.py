"""How well counts agree with the truth: MAE, RMSE, NAE, bias, by density level, with a bootstrap interval.

Every function takes counts of the same images in the same order, (n,) with n ≥ 1, and returns people (NAE: a
fraction). None depends on the order of the images.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.data.sets.catalogue import find_entry
from headcount.evaluate.metrics.table import EvaluationSettings, Figure

GENERAL_LEVELS = (0, 10, 50, 100, 300, 700)
"""Upper bounds, inclusive, of levels for sets that have none of their own: 0, 1–10, 11–50, …, above 700."""
PROTOCOL = "whole images; truth is the number of annotated heads"
_BOOTSTRAP_STREAM = 7001


class Nae(NamedTuple):
    """``value`` is None where no image has a head; ``left_out`` counts the images without heads."""

    value: float | None
    left_out: int


class Interval(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupErrors:
    """The errors on some of the images: how many these are, their mean true count, MAE, RMSE and bias."""

    images: int
    mean_count: float
    mae: float
    rmse: float
    bias: float


def errors_of_group(predicted: ArrayLike, true: ArrayLike) -> dict[str, Any]:
    """The fields of ``GroupErrors`` by name, of the counts of some images.

    Raises:
        InputError: shapes differ, there is no image, or a count is not finite.

    >>> errors_of_group([12, 8], [10, 12])
    {'images': 2, 'mean_count': 11.0, 'mae': 3.0, 'rmse': 3.1622776601683795, 'bias': -1.0}
    """
    return {
        "images": len(np.asarray(true)), "mean_count": float(np.mean(np.asarray(true, dtype=np.float64))),
        "mae": mean_absolute_error(predicted, true), "rmse": root_mean_square_error(predicted, true),
        "bias": mean_signed_error(predicted, true),
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelResult(GroupErrors):
    """The errors on images whose true count lies in ``low``…``high`` (inclusive; None: no upper bound)."""

    low: int
    high: int | None

    @property
    def name(self) -> str:
        """As it is printed: ``0``, ``1–10``, ``> 700``."""
        if self.high is None:
            return f"> {self.low - 1}"
        return str(self.low) if self.low == self.high else f"{self.low}–{self.high}"


@dataclass(frozen=True, slots=True)
class CountingResult:
    """The counting errors on a set of images, in people; NAE is a fraction.

    Attributes:
        images, heads, predicted: how many images, true heads and predicted people in all.
        mae, rmse, bias: mean absolute, root mean square and mean signed error (predicted − true).
        mae_interval: 95 % bootstrap interval of the MAE over images.
        nae, nae_left_out: mean of |error| / true, and the images without heads, which it leaves out.
        mae_negatives: MAE on those images, None where there are none.
        levels: the levels that hold images, ascending.
        protocol: what was judged, in words.
    """

    images: int
    heads: float
    predicted: float
    mae: float
    mae_interval: Interval
    rmse: float
    nae: float | None
    nae_left_out: int
    bias: float
    mae_negatives: float | None
    levels: tuple[LevelResult, ...]
    protocol: str = PROTOCOL

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = asdict(self)
        data["mae_interval"] = list(self.mae_interval)
        data["levels"] = [{"name": level.name, **asdict(level)} for level in self.levels]
        return data

    def lines(self) -> list[str]:
        """The protocol, the errors, and a table of the levels."""
        low, high = self.mae_interval
        left_out = plural(self.nae_left_out, "image") + " without heads" if self.nae_left_out else "no image"
        lines = [
            *textwrap.wrap(f"protocol: {self.protocol}", 80, subsequent_indent="  "),
            "",
            f"  MAE  {self.mae:9.2f}   95 % interval {low:.1f} to {high:.1f}",
            f"  RMSE {self.rmse:9.2f}",
            f"  NAE  {'—' if self.nae is None else f'{self.nae:.4f}':>9}   {left_out} left out",
            f"  bias {self.bias:+9.2f}   mean of predicted − true",
        ]
        if self.mae_negatives is not None:
            lines.append(f"  MAE where nobody is {self.mae_negatives:.2f}")
        lines += ["", f"  {'true count':<12}{'images':>8}{'mean count':>12}{'MAE':>10}{'RMSE':>10}{'bias':>10}"]
        return lines + [
            f"  {level.name:<12}{level.images:>8,}{level.mean_count:>12,.1f}"
            f"{level.mae:>10.2f}{level.rmse:>10.2f}{level.bias:>+10.2f}"
            for level in self.levels
        ]

    def figures(self) -> list[Figure]:
        """MAE, RMSE, NAE where there is one, and bias."""
        values = (("MAE", self.mae), ("RMSE", self.rmse), ("NAE", self.nae), ("bias", self.bias))
        return [Figure(name, value, self.protocol) for name, value in values if value is not None]


class Counting:
    """Accumulates the true and predicted count of each image."""

    def __init__(self, settings: EvaluationSettings) -> None:
        self._bounds = default_levels(settings.data) if settings.bounds is None else settings.bounds
        self._seed = settings.seed
        self._predicted: list[float] = []
        self._true: list[int] = []
        self._in_regions = 0

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image."""
        self._predicted.append(float(prediction.count))
        self._true.append(scene.count)
        self._in_regions += scene.region is not None

    def result(self) -> CountingResult:
        """The errors so far."""
        found = counting_result(self._predicted, self._true, bounds=self._bounds, seed=self._seed)
        if not self._in_regions:
            return found
        inside = f"{PROTOCOL}; {self._in_regions} of them inside their regions of interest"
        return replace(found, protocol=inside)


def default_levels(data: str) -> tuple[int, ...]:
    """The density levels that papers report a data set by, or the general ones.

    >>> default_levels("shanghaitech-a"), default_levels("points")
    ((300, 700), (0, 10, 50, 100, 300, 700))
    """
    entry = find_entry(data)
    return (entry.levels if entry is not None else ()) or GENERAL_LEVELS


def mean_absolute_error(predicted: ArrayLike, true: ArrayLike) -> float:
    """MAE = (1/n) Σ |ĉᵢ − cᵢ|.

    Raises:
        InputError: shapes differ, there is no image, or a count is not finite.

    >>> mean_absolute_error([12, 8], [10, 13])
    3.5
    """
    return float(np.abs(_errors(predicted, true)).mean())


def root_mean_square_error(predicted: ArrayLike, true: ArrayLike) -> float:
    """RMSE = √((1/n) Σ (ĉᵢ − cᵢ)²), which this field's papers print as "MSE".

    Raises:
        InputError: shapes differ, there is no image, or a count is not finite.

    >>> root_mean_square_error([13, 14], [10, 10]) == 12.5 ** 0.5
    True
    """
    return math.sqrt(float(np.square(_errors(predicted, true)).mean()))


def mean_signed_error(predicted: ArrayLike, true: ArrayLike) -> float:
    """Bias = (1/n) Σ (ĉᵢ − cᵢ): positive where too many are counted.

    Raises:
        InputError: shapes differ, there is no image, or a count is not finite.

    >>> mean_signed_error([12, 7], [10, 13])
    -2.0
    """
    return float(_errors(predicted, true).mean())


def normalized_absolute_error(predicted: ArrayLike, true: ArrayLike) -> Nae:
    """NAE = mean of |ĉᵢ − cᵢ| / cᵢ over the images with heads; those without have no relative error.

    Raises:
        InputError: shapes differ, there is no image, or a count is not finite.

    >>> normalized_absolute_error([12, 5, 3], [10, 10, 0])
    Nae(value=0.35, left_out=1)
    """
    errors = np.abs(_errors(predicted, true))
    counts = np.asarray(true, dtype=np.float64)
    heads = counts > 0
    value = float((errors[heads] / counts[heads]).mean()) if heads.any() else None
    return Nae(value, int((~heads).sum()))


def by_level(predicted: ArrayLike, true: ArrayLike, bounds: Sequence[int] = GENERAL_LEVELS) -> tuple[LevelResult, ...]:
    """The errors by true count, for levels with the inclusive upper ``bounds`` and one above them.

    Levels without images are left out.

    Raises:
        InputError: as the other metrics, or the bounds are not ascending from 0 on.

    >>> for level in by_level([90, 650, 640], [100, 600, 700], (300, 700)):
    ...     print(level.name, level.images, level.mae, level.bias)
    0–300 1 10.0 -10.0
    301–700 2 55.0 -5.0
    """
    if any(bound < 0 for bound in bounds) or any(a >= b for a, b in pairwise(bounds)):
        raise InputError(f"The bounds of levels must ascend, as in 300,700, but they are {','.join(map(str, bounds))}.")
    _errors(predicted, true)  # what cannot be compared is refused
    found, counts = np.asarray(predicted, dtype=np.float64), np.asarray(true, dtype=np.float64)
    # A count equal to a bound belongs below it.
    index = np.searchsorted(np.asarray(bounds, dtype=np.float64), counts, side="left")
    results = []
    for number in range(len(bounds) + 1):
        mine = index == number
        if mine.any():
            results.append(
                LevelResult(
                    low=bounds[number - 1] + 1 if number else 0,
                    high=bounds[number] if number < len(bounds) else None,
                    **errors_of_group(found[mine], counts[mine]),
                )
            )
    return tuple(results)


def mae_interval(
    predicted: ArrayLike, true: ArrayLike, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """The percentile bootstrap interval of the MAE: images are drawn anew, with replacement, ``resamples`` times.

    It says how much the MAE owes to which images are in the set. The same counts and seed give the same interval
    everywhere.

    Raises:
        InputError: as the other metrics, or a confidence outside 0…1.

    >>> mae_interval([12, 8], [10, 10])
    Interval(low=2.0, high=2.0)
    """
    if not 0 < confidence < 1 or resamples < 1:
        raise InputError(f"A bootstrap takes 0 < confidence < 1 and resamples ≥ 1, got {confidence} and {resamples}.")
    # Sorted, so that the order of the images changes nothing.
    errors = np.sort(np.abs(_errors(predicted, true)))
    draw = generator(seed, stream=_BOOTSTRAP_STREAM)
    means = [errors[draw.integers(errors.size, size=errors.size)].mean() for _ in range(resamples)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def counting_result(
    predicted: ArrayLike, true: ArrayLike, *, bounds: Sequence[int] = GENERAL_LEVELS, seed: int = 0
) -> CountingResult:
    """Every counting metric at once.

    Raises:
        InputError: as the single metrics.

    >>> result = counting_result([12, 8, 1], [10, 10, 0])
    >>> round(result.mae, 3), round(result.bias, 3), result.nae, result.mae_negatives
    (1.667, 0.333, 0.2, 1.0)
    """
    errors = _errors(predicted, true)
    counts = np.asarray(true, dtype=np.float64)
    nae = normalized_absolute_error(predicted, true)
    return CountingResult(
        images=len(counts),
        heads=float(counts.sum()),
        predicted=float(np.sum(np.asarray(predicted, dtype=np.float64))),
        mae=mean_absolute_error(predicted, true),
        mae_interval=mae_interval(predicted, true, seed=seed),
        rmse=root_mean_square_error(predicted, true),
        nae=nae.value,
        nae_left_out=nae.left_out,
        bias=mean_signed_error(predicted, true),
        mae_negatives=float(np.abs(errors[counts == 0]).mean()) if nae.left_out else None,
        levels=by_level(predicted, true, bounds),
    )


def _errors(predicted: ArrayLike, true: ArrayLike) -> NDArray[np.float64]:
    one, other = np.asarray(predicted, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if one.shape != other.shape or one.ndim != 1:
        raise InputError(f"Predicted and true counts must be (n,) each, but are {one.shape} and {other.shape}.")
    if one.size == 0:
        raise InputError("There is no image to evaluate.")
    if not (np.isfinite(one).all() and np.isfinite(other).all()) or bool((other < 0).any()):
        raise InputError("Counts must be finite numbers, and true ones not negative.")
    return one - other
