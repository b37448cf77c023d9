"""Run a model over Scenes and measure its counts: streaming, one image in memory at a time."""

from __future__ import annotations

import heapq
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from headcount.core.errors import InputError, ModelError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.data.sets.catalogue import find_entry
from headcount.evaluate.metrics.counting import GENERAL_LEVELS, CountingResult, counting_result
from headcount.evaluate.metrics.game import region_errors
from headcount.evaluate.region import inside_region

PROTOCOL = "whole images; truth is the number of annotated heads"
Progress = Callable[[int, int], None]


class CountsScenes(Protocol):
    """What is asked of a model: a Prediction for a Scene. ``headcount.load()`` returns such a one."""

    def count(self, source: Scene, /) -> Prediction: ...


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
class CountingReport:
    """How a model counts a set of images.

    ``worst`` are the images with the largest absolute errors, the largest first; ``time_ms`` is the median per
    image, from the file to the Prediction.
    """

    model: str
    data: str
    split: str
    protocol: str
    result: CountingResult
    images: tuple[ImageResult, ...]
    worst: tuple[WorstImage, ...]
    time_ms: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with one row per image."""
        return {
            "model": self.model,
            "data": self.data,
            "split": self.split,
            "protocol": self.protocol,
            "time_ms_per_image": round(self.time_ms, 2),
            **self.result.to_dict(),
            "per_image": [image.to_dict() for image in self.images],
        }


def default_levels(data: str) -> tuple[int, ...]:
    """The density levels that papers report a data set by, or the general ones.

    >>> default_levels("shanghaitech-a"), default_levels("points")
    ((300, 700), (0, 10, 50, 100, 300, 700))
    """
    entry = find_entry(data)
    return (entry.levels if entry is not None else ()) or GENERAL_LEVELS


def evaluate_counting(
    counter: CountsScenes,
    scenes: Sequence[Scene],
    progress: Progress | None = None,
    *,
    data: str = "",
    split: str = "",
    bounds: Sequence[int] | None = None,
    game_levels: Sequence[int] = (),
    keep_worst: int = 12,
    seed: int = 0,
) -> CountingReport:
    """Count each scene and compare with its number of points.

    ``bounds`` are the inclusive upper bounds of the density levels (those of ``data`` where None), ``game_levels``
    the L for which GAME is computed. Density maps are dropped image by image, except those of the ``keep_worst``
    worst images. Where a scene has a region of interest, only what lies inside is judged. ``progress`` is told
    (done, all).

    Raises:
        InputError: there is no scene, its image cannot be read, or ``inside_region`` cannot be applied.
        ModelError: the model fails on an image, which is named.
    """
    if not scenes:
        raise InputError(f'There is no image to evaluate in "{data or "the data"}", split "{split}".')
    images: list[ImageResult] = []
    region_sums: dict[int, float] | None = dict.fromkeys(game_levels, 0.0)
    # A heap of the worst so far; the index makes ties fall to the earlier image and keeps scenes from comparing.
    worst: list[tuple[float, int, WorstImage]] = []
    model, in_regions = "", 0
    for index, whole in enumerate(scenes):
        start = time.perf_counter()
        name = whole.name or whole.source or f"image {index + 1}"
        try:
            prediction = counter.count(whole)
        except ModelError as error:  # one about the image itself names its file
            raise ModelError(f'"{name}": {error}') from error
        time_ms = 1000 * (time.perf_counter() - start)
        scene, prediction = inside_region(whole, prediction)
        in_regions += scene.region is not None
        model = prediction.model or model
        image = ImageResult(name, scene.count, float(prediction.count), prediction.size_wh, time_ms)
        images.append(image)
        errors = region_errors(prediction, scene.points_xy, game_levels) if region_sums is not None else None
        region_sums = None if region_sums is None or errors is None else {k: region_sums[k] + errors[k] for k in errors}
        if keep_worst > 0:
            entry = (abs(image.error), -index, WorstImage(image, scene, prediction))
            (heapq.heappush if len(worst) < keep_worst else heapq.heappushpop)(worst, entry)
        if progress is not None:
            progress(index + 1, len(scenes))
    result = counting_result(
        [image.predicted for image in images],
        [image.true for image in images],
        bounds=default_levels(data) if bounds is None else bounds,
        seed=seed,
    )
    return CountingReport(
        model=model,
        data=data,
        split=split,
        protocol=PROTOCOL if not in_regions else f"{PROTOCOL}; {in_regions} of them inside their regions of interest",
        result=replace(result, game={level: total / len(images) for level, total in (region_sums or {}).items()}),
        images=tuple(images),
        worst=tuple(entry[2] for entry in sorted(worst, key=lambda entry: entry[:2], reverse=True)),
        time_ms=statistics.median(image.time_ms for image in images),
    )
