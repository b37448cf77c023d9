"""How long counting takes: the median over images, from the file to the Prediction, nothing else in between."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.table import EvaluationSettings, Figure


@dataclass(frozen=True, slots=True)
class TimingResult:
    """``median_ms``: milliseconds per image."""

    median_ms: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"time_ms_per_image": round(self.median_ms, 2)}

    def lines(self) -> list[str]:
        """One line."""
        return [f"  {self.median_ms:.0f} ms per image (median), from file to prediction"]

    def figures(self) -> list[Figure]:
        """None: a time is of a machine, not of a model."""
        return []


class Timing:
    """Accumulates the time of each image.

    >>> timing = Timing(EvaluationSettings())
    >>> for seconds in (0.02, 0.03, 0.9):
    ...     timing.add(None, None, seconds)
    >>> timing.result().lines()
    ['  30 ms per image (median), from file to prediction']
    """

    def __init__(self, settings: EvaluationSettings) -> None:
        self._seconds: list[float] = []

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image."""
        self._seconds.append(seconds)

    def result(self) -> TimingResult:
        """The median so far."""
        return TimingResult(1000 * statistics.median(self._seconds))
