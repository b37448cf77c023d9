"""The table of metrics: name → the class that accumulates one; and what is asked of such a class and of its result.

A metric is one row and one file: the report, its JSON, the terminal and the model card ask nothing else of it. Another
package adds one by the entry-point group ``headcount.metrics``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from headcount.core.kinds import Matcher
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.table import Row, Table

WEAKEST_SCORE = 0.01
"""Curves reach down to it, whatever a model's own threshold: heads of lower scores are of no use to anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """What a metric may want to know before the first image.

    Attributes:
        data, split: what is evaluated, for people; ``data`` is a published set's name or ends in that of a file.
        bounds: inclusive upper bounds of the levels of true counts; those of the data set where None.
        matcher: which of the maximum matchings of predictions and heads is taken.
        peaks_are_heads: locate by the peaks of a density map, too.
        mean_over_thresholds: add UCF-QNRF's mean over 1 to 100 px.
        seed: of what is drawn at random.
    """

    data: str = ""
    split: str = ""
    bounds: tuple[int, ...] | None = None
    matcher: Matcher = "fast"
    peaks_are_heads: bool = False
    mean_over_thresholds: bool = False
    seed: int = 0


class Figure(NamedTuple):
    """One figure for the model card, and how it was measured: those of different protocols are not comparable."""

    metric: str
    value: float
    protocol: str


class MetricResult(Protocol):
    """What a metric found."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        ...

    def lines(self) -> list[str]:
        """As it is printed: plain text of at most 80 columns."""
        ...

    def figures(self) -> list[Figure]:
        """What of it goes into a model card; may be empty."""
        ...


class SeesImages(Protocol):
    """Whatever is handed each image of an evaluation."""

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image, both as seen inside its region of interest; ``seconds`` is the counting alone.

        Every scene has a name, and ``prediction`` a density map where the model makes one: neither pixels nor maps
        should be kept.
        """
        ...


class Metric(SeesImages, Protocol):
    """Accumulates over images; made anew for each evaluation with its ``EvaluationSettings``, the only argument."""

    def result(self) -> MetricResult | None:
        """What was found over all images, at least one; None where there is nothing to say."""
        ...


@runtime_checkable
class SeesWeaker(Protocol):
    """A metric that looks below the model's own score threshold, since its curves go on there."""

    def add_with_weaker(self, scene: Scene, prediction: Prediction, weaker: Prediction | None, seconds: float) -> None:
        """In the place of ``add``: ``weaker`` is what the same decoder finds of the image down to ``WEAKEST_SCORE``.

        It is None where the model has no score threshold.
        """
        ...


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """The result of a metric that was asked for in vain, and why."""

    why: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"not_measured": self.why}

    def lines(self) -> list[str]:
        """The reason."""
        return [f"  {self.why}"]

    def figures(self) -> list[Figure]:
        """None."""
        return []


@runtime_checkable
class FitsSomeData(Protocol):
    """A class of metric that is measured, unless it is named, only of some data."""

    def fits(self, settings: EvaluationSettings) -> bool:
        """Whether it says anything of this data; a static method."""
        ...


def _row(name: str, target: str, title: str, **needs: str) -> Row:
    return Row(name=name, target=f"headcount.evaluate.metrics.{target}", title=title, **needs)


METRICS = Table(
    "metrics",
    "metric",
    [
        _row("counting", "counting:Counting", "MAE, RMSE, NAE and bias of the counts, by level"),
        _row("interval", "interval:Intervals", "How often the true number lies in the range that is given"),
        _row("scenes", "scenes:Scenes", "MAE and RMSE by scene, and their means"),
        _row("game", "game:Game", "GAME: the error of the counts by region"),
        _row("density", "density:Density", "PSNR and SSIM of density maps"),
        _row("timing", "timing:Timing", "The time to count an image"),
        _row("localization", "localization:Localization", "Precision, recall and F1 of located heads"),
        _row("nap", "nap:Nap", "nAP: average precision of located heads by the distance of their neighbours"),
        _row(
            "boxes",
            "boxes:BoxMetric",
            "AP50, AP, MR⁻² and F1 of the boxes of heads",
            package="faster_coco_eval",
            extra="boxes",
        ),
    ],
    Row,
)
"""In the order in which they are printed."""


def open_metrics(settings: EvaluationSettings, names: Iterable[str] | None = None) -> dict[str, Metric]:
    """Metrics by name, ready for their first image: those of ``names``, or all whose packages are installed and which
    fit the data.

    Raises:
        InputError: there is no metric of a name; the nearest is suggested.
        MissingExtraError: a named metric needs a package that is not installed.
    """
    if names is not None:
        return {name: METRICS.load(name)(settings) for name in names}
    made = {row.name: row.load() for row in METRICS.rows() if row.is_installed}
    return {
        name: metric(settings)
        for name, metric in made.items()
        if not isinstance(metric, FitsSomeData) or metric.fits(settings)
    }
