"""Run a model over Scenes and measure it: one pass, one image in memory at a time, every metric handed each image."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from headcount.core.errors import InputError, ModelError
from headcount.core.notes import Progress, Skipped, raise_first
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.data.formats.truth import Told
from headcount.data.sets.catalogue import find_entry
from headcount.data.sets.registry import Reading
from headcount.evaluate.metrics.counting import CountingResult
from headcount.evaluate.metrics.table import (
    METRICS,
    WEAKEST_SCORE,
    EvaluationSettings,
    MetricResult,
    SeesImages,
    SeesWeaker,
    open_metrics,
)
from headcount.evaluate.region import inside_region


class CountsScenes(Protocol):
    """What is asked of a model: a Prediction for a Scene. ``headcount.load()`` returns such a one."""

    def count(self, source: Scene, /) -> Prediction: ...


@runtime_checkable
class DecodesAgain(Protocol):
    """A model that tells what it finds below its score threshold, too; see ``Counter.count_keeping_maps``."""

    def count_keeping_maps(self, scene: Scene, /) -> tuple[Prediction, Callable[[float], Prediction | None]]: ...


@dataclass(frozen=True, slots=True)
class ImageResult:
    """One image's counts; ``time_ms`` runs from the file to the Prediction."""

    name: str
    true: int
    predicted: float
    size_wh: tuple[int, int]
    time_ms: float

    @property
    def error(self) -> float:
        """Predicted minus true."""
        return self.predicted - self.true

    @property
    def short_name(self) -> str:
        """The name without its folders, for plots."""
        return self.name.replace("\\", "/").rsplit("/", 1)[-1]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "true": self.true,
            "predicted": round(self.predicted, 3),
            "error": round(self.error, 3),
            "size_wh": list(self.size_wh),
            "time_ms": round(self.time_ms, 2),
        }


@dataclass(frozen=True, slots=True)
class WorstImage:
    """An image with one of the largest absolute errors, kept for the contact sheet."""

    image: ImageResult
    scene: Scene
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """How a model does on a set of images.

    Attributes:
        model, data, split: what was measured on what.
        counted_by: runtime, device and precision, or empty.
        images: one for each scene that was counted, in their order.
        worst: the images with the largest absolute errors, the largest first.
        results: what each metric found, by its name; those that have nothing to say are not there.
        scenes: those that were counted, as they were given.
        skipped: the images that could not be read or counted, and why.
        missing: how many annotations have no image here.
        told: what of the annotations was left out or moved, or is in doubt.
        not_reached: how many images were still to come when the run was interrupted.
    """

    model: str
    data: str
    split: str
    counted_by: str
    images: tuple[ImageResult, ...]
    worst: tuple[WorstImage, ...]
    results: Mapping[str, MetricResult]
    scenes: tuple[Scene, ...] = field(default=(), repr=False)
    skipped: tuple[Skipped, ...] = ()
    missing: int = 0
    told: tuple[Told, ...] = ()
    not_reached: int = 0

    @property
    def expected(self) -> int:
        """How many images there should have been."""
        return len(self.images) + len(self.skipped) + self.missing + self.not_reached

    @property
    def counting(self) -> CountingResult:
        """What the metric ``counting`` found, which must have been asked for."""
        found = self.results["counting"]
        assert isinstance(found, CountingResult)
        return found

    def lines(self) -> list[str]:
        """As it is printed: at most 80 columns, unless a name is longer."""
        heads = sum(image.true for image in self.images)
        lines = [
            f"{self.model} on {self.data}, split {self.split}: "
            f"{_of(len(self.images), self.expected)}{plural(self.expected, 'image')}, {plural(heads, 'head')}"
        ]
        if self.counted_by:
            lines.append(f"counted by {self.counted_by}")
        if self.split in ("train", "trainval") or (self.split == "all" and find_entry(self.data) is not None):
            lines.append("note: the model may have been trained on these images")
        for number, result in enumerate(self.results.values()):
            lines += ([""] if number else []) + result.lines()
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with one row per image."""
        return {
            "model": self.model,
            "data": self.data,
            "split": self.split,
            "images": len(self.images),
            "images_expected": self.expected,
            "skipped": [{"name": one.name, "why": one.text} for one in self.skipped],
            "annotations": [one.to_dict() for one in self.told],
            "counted_by": self.counted_by,
            "metrics": {name: result.to_dict() for name, result in self.results.items()},
            "figures": [figure._asdict() for result in self.results.values() for figure in result.figures()],
            "per_image": [image.to_dict() for image in self.images],
        }


def evaluate_scenes(
    counter: CountsScenes,
    scenes: Sequence[Scene] | Reading,
    settings: EvaluationSettings | None = None,
    *,
    metrics: Iterable[str] | None = None,
    also: Sequence[SeesImages] = (),
    counted_by: str = "",
    keep_worst: int = 12,
    keep_going: bool = False,
    progress: Progress | None = None,
) -> EvaluationReport:
    """Count each scene once and hand it, the prediction and the seconds that counting took to each metric.

    Where a scene has a region of interest, only what lies inside is judged. ``metrics`` are names of the table, all
    where None; ``also`` is handed the images, too. Density maps are dropped image by image, except those of the
    ``keep_worst`` worst images. ``progress`` is told (done, all).

    With ``keep_going`` an image that cannot be read or counted is left out and named in the report, and so are those
    that a ``Reading`` could not use; Ctrl-C ends the run with what was measured until then.

    Raises:
        InputError: there is no scene, its image cannot be read, ``inside_region`` cannot be applied, or there is no
            such metric; with ``keep_going`` only where no image is left: what the first one raised.
        ModelError: the model fails on an image, which is named.
    """
    settings = EvaluationSettings() if settings is None else settings
    read = scenes if isinstance(scenes, Reading) else Reading(tuple(scenes))
    skipped = list(read.skipped)
    if skipped and not (read.scenes and keep_going):
        raise_first(skipped)
    if not read.scenes:
        raise InputError(
            f'There is no image to evaluate in "{settings.data or "the data"}", split "{settings.split}": '
            "take another split.",
            remedy="split",
        )
    opened = open_metrics(settings, metrics)
    looks_deeper = any(isinstance(metric, SeesWeaker) for metric in opened.values())
    images: list[ImageResult] = []
    # A heap of the worst so far; the index makes ties fall to the earlier image and keeps scenes from comparing.
    worst: list[tuple[float, int, WorstImage]] = []
    model = ""
    measured: list[Scene] = []
    not_reached = 0
    for index, whole in enumerate(read.scenes):
        if progress is not None and index:
            progress(index, len(read.scenes))
        name = name_of(whole, index)
        try:
            start = time.perf_counter()
            try:
                again: Callable[[float], Prediction | None] | None = None
                if looks_deeper and isinstance(counter, DecodesAgain):
                    counted, again = counter.count_keeping_maps(whole)
                else:
                    counted = counter.count(whole)
            except KeyboardInterrupt:
                if not (keep_going and images):
                    raise
                not_reached = len(read.scenes) - index
                break
            except ModelError as error:  # one about the image itself names its file
                raise ModelError(f'"{name}": {error.message}') from error
            seconds = time.perf_counter() - start
            named = replace(whole, name=name)
            scene, prediction = inside_region(named, counted)
            weaker = None if again is None else again(WEAKEST_SCORE)
            weaker = None if weaker is None else inside_region(named, weaker)[1]
            again = None  # it holds the maps
        except Exception as error:
            if not keep_going:
                raise
            skipped.append(Skipped(name, error))
            continue
        measured.append(whole)
        for called, metric in opened.items():
            with METRICS[called].blamed(f'"{name}"'):
                if isinstance(metric, SeesWeaker):
                    metric.add_with_weaker(scene, prediction, weaker, seconds)
                else:
                    metric.add(scene, prediction, seconds)
        for sees in also:
            sees.add(scene, prediction, seconds)
        model = prediction.model or model
        image = ImageResult(name, scene.count, float(prediction.count), prediction.size_wh, 1000 * seconds)
        images.append(image)
        if keep_worst > 0:
            entry = (abs(image.error), -index, WorstImage(image, scene, prediction))
            (heapq.heappush if len(worst) < keep_worst else heapq.heappushpop)(worst, entry)
    if progress is not None:
        progress(len(read.scenes) - not_reached, len(read.scenes))
    if not images:
        raise_first(skipped)
    results: dict[str, MetricResult | None] = {}
    for called, metric in opened.items():
        with METRICS[called].blamed("its result"):
            results[called] = metric.result()
    return EvaluationReport(
        model=model,
        data=settings.data,
        split=settings.split,
        counted_by=counted_by,
        images=tuple(images),
        worst=tuple(entry[2] for entry in sorted(worst, key=lambda entry: entry[:2], reverse=True)),
        results={name: result for name, result in results.items() if result is not None},
        scenes=tuple(measured),
        skipped=tuple(skipped),
        missing=read.missing,
        told=read.told,
        not_reached=not_reached,
    )


def _of(part: int, whole: int) -> str:
    return f"{part:,} of " if part < whole else ""


def name_of(scene: Scene, index: int) -> str:
    """What an image is called in reports: its name, or where it came from, or its number, counted from ``index`` 0."""
    return scene.name or scene.source or f"image {index + 1}"
