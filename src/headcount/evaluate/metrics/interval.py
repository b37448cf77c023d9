"""How often the true number lies in the range that a prediction gives, and how wide these ranges are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from headcount.core.interval import COVERAGE
from headcount.core.limits import DEFAULT_LEVEL
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.table import EvaluationSettings, Figure

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Coverage:
    """A share of images, beside the share that was promised.

    Attributes:
        level: the share of images whose true number was to lie in its range.
        inside: how many images' did.
        images: of how many.
        bounds: what the share may be of images of this kind: the exact interval of Clopper and Pearson at 95 %.
    """

    level: float
    inside: int
    images: int
    bounds: tuple[float, float]

    @classmethod
    def of(cls, inside: Sequence[bool] | NDArray[np.bool_], level: float) -> Coverage:
        """Of whether each image's true number lay in its range, at least one.

        >>> found = Coverage.of([True] * 9 + [False], 0.9)
        >>> found.share, tuple(round(bound, 3) for bound in found.bounds), found.holds
        (0.9, (0.555, 0.997), True)
        """
        hits, images, tail = int(np.sum(inside)), len(inside), (1 - _CONFIDENCE) / 2
        low = float(beta.ppf(tail, hits, images - hits + 1)) if hits else 0.0
        high = float(beta.ppf(1 - tail, hits + 1, images - hits)) if hits < images else 1.0
        return cls(level, hits, images, (low, high))

    @property
    def share(self) -> float:
        """The share that was inside."""
        return self.inside / self.images

    @property
    def holds(self) -> bool:
        """Whether the promised share is among those that the images allow."""
        return self.bounds[0] <= self.level <= self.bounds[1]

    def words(self) -> str:
        """As it is printed: ``92.5 % of 80 images (84.4 to 97.2)``."""
        low, high = self.bounds
        return f"{100 * self.share:.1f} % of {self.images:,} images ({100 * low:.1f} to {100 * high:.1f})"


@dataclass(frozen=True, slots=True)
class IntervalResult:
    """``coverage`` of the ranges; ``median_width``: of their widths, in people; ``median_share``: over the count."""

    coverage: Coverage
    median_width: float
    median_share: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "level": self.coverage.level,
            "coverage": round(self.coverage.share, 4),
            "coverage_bounds": [round(bound, 4) for bound in self.coverage.bounds],
            "images": self.coverage.images,
            "median_width": round(self.median_width, 2),
            "median_width_over_count": round(self.median_share, 4),
        }

    def lines(self) -> list[str]:
        """Two lines."""
        share = f"{100 * self.median_share:.0f} % of the count"
        return [
            f"  ranges of {100 * self.coverage.level:g} % hold the true number in {self.coverage.words()}",
            f"  they are {self.median_width:,.1f} people wide, {share}, by the median",
        ]

    def figures(self) -> list[Figure]:
        """The coverage."""
        protocol = f"share of images whose true number lies in its range of {100 * self.coverage.level:g} %"
        return [Figure(COVERAGE, round(self.coverage.share, 4), protocol)]


class Intervals:
    """Accumulates ranges; images without one are left out, and without any there is nothing to say.

    >>> intervals = Intervals(EvaluationSettings())
    >>> scene = Scene(np.zeros((8, 8, 3), np.uint8), [[1, 1], [2, 2]])
    >>> intervals.add(scene, Prediction(3.0, (8, 8), interval=(1.0, 5.0), interval_level=0.9), 0.1)
    >>> intervals.result().lines()[0]
    '  ranges of 90 % hold the true number in 100.0 % of 1 images (2.5 to 100.0)'
    """

    def __init__(self, settings: EvaluationSettings) -> None:
        self._inside: list[bool] = []
        self._widths: list[float] = []
        self._counts: list[float] = []
        self._level = DEFAULT_LEVEL

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image."""
        if prediction.interval is None:
            return
        low, high = prediction.interval
        self._level = prediction.interval_level or DEFAULT_LEVEL
        self._inside.append(low <= scene.count <= high)
        self._widths.append(high - low)
        self._counts.append(max(prediction.count, 1.0))

    def result(self) -> IntervalResult | None:
        """The coverage so far."""
        if not self._inside:
            return None
        widths, counts = np.array(self._widths), np.array(self._counts)
        return IntervalResult(
            Coverage.of(self._inside, self._level), float(np.median(widths)), float(np.median(widths / counts))
        )
