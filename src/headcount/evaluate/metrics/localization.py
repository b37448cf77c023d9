"""How well heads are located: true and false positives and misses, precision, recall, F1, by head size.

A prediction and a head may be paired where their distance is at most a radius; a maximum matching decides. TP, FP and
FN are summed over the images, then P = TP / (TP + FP), R = TP / (TP + FN), F1 = 2TP / (2TP + FP + FN); each is 0 where
there is nothing to divide by, as in the official NWPU evaluation. Figures of different radii are never comparable, so
every result says its protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.kinds import Matcher
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.data.formats.nwpu import HEAD_LEVELS, NwpuHeads
from headcount.evaluate.metrics.counting import GENERAL_LEVELS, counting_result
from headcount.evaluate.metrics.located import (
    SIGMA_L,
    SIGMA_S,
    ImagePoints,
    LevelRecall,
    LocalizationResult,
    MeanResult,
    Radius,
    RadiusResult,
    Tally,
)
from headcount.evaluate.metrics.matching import Indices, as_thresholds, grouped_by_threshold, match_grouped
from headcount.evaluate.metrics.table import EvaluationSettings, NotMeasured

MEAN_THRESHOLDS_PX = tuple(range(1, 101))
"""The distances of UCF-QNRF's protocol."""
_BATCH = 400_000  # points matched at once
_BATCH_OF_THRESHOLDS = 15_000  # as long as pairs reach out to 100 px


class Localization:
    """Accumulates the points of each image; they are matched at the end, all images together."""

    def __init__(self, settings: EvaluationSettings) -> None:
        self._settings = settings
        self._images: list[ImagePoints] = []
        self._weaker: list[ImagePoints] = []
        self._kinds: set[str] = set()

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image."""
        self.add_with_weaker(scene, prediction, None, seconds)

    def add_with_weaker(self, scene: Scene, prediction: Prediction, weaker: Prediction | None, seconds: float) -> None:
        """As ``add``; ``weaker`` is what the model finds down to ``WEAKEST_SCORE``, for curves alone."""
        self._kinds.add(prediction.points_kind)
        self._images.append(ImagePoints.of_prediction(scene, prediction))
        if weaker is not None:
            self._weaker.append(ImagePoints.of_prediction(scene, weaker))

    def result(self) -> LocalizationResult | NotMeasured | None:
        """The figures so far; None of a model that does not locate heads, unless its peaks were asked for."""
        if self._kinds != {"heads"} and not self._settings.peaks_are_heads:
            return None
        if "none" in self._kinds:
            return NotMeasured("the model says nowhere where heads are: no localization figures")
        found = evaluate_localization(
            self._images, mean=self._settings.mean_over_thresholds, matcher=self._settings.matcher
        )
        weaker = tuple(self._weaker) if len(self._weaker) == len(self._images) else ()
        return replace(found, kinds=tuple(sorted(self._kinds)), weaker=weaker)


def images_of_files(
    predictions: Mapping[int, NDArray[np.float64]], truth: Mapping[int, NwpuHeads]
) -> list[ImagePoints]:
    """What ``read_nwpu_predictions`` and ``read_nwpu_truth`` gave, in the order of the truth.

    The files hold the index of a pixel, the points here its centre.

    Raises:
        InputError: an image has no prediction, or one that the truth lacks.
    """
    if predictions.keys() != truth.keys():
        odd = min(predictions.keys() ^ truth.keys())
        raise InputError(f"Image {odd} is in one of predictions and truth only: give each the same ids.")
    return [
        ImagePoints(f"{image:04d}", predictions[image] + 0.5, h.points_xy + 0.5, h.sigma_s_px, h.sigma_l_px, h.levels)
        for image, h in truth.items()
    ]


def available_radii(images: Iterable[ImagePoints], *, fixed_px: Sequence[float] = (4, 8)) -> tuple[Radius, ...]:
    """σ_l and σ_s where every head has them, then the fixed radii."""
    images = list(images)
    heads = any(not image.negative for image in images)
    sigmas = [r for r in (SIGMA_L, SIGMA_S) if heads and all(r.of(image) is not None for image in images)]
    return (*sigmas, *map(Radius.fixed, fixed_px))


def evaluate_localization(
    images: Sequence[ImagePoints],
    *,
    radii: Sequence[Radius] | None = None,
    mean: bool = False,
    matcher: Matcher = "fast",
    bounds: Sequence[int] = GENERAL_LEVELS,
    seed: int = 0,
) -> LocalizationResult:
    """Match the points of each image and sum up; counting errors are measured beside it.

    ``radii`` are those of ``available_radii`` where None; ``mean`` adds the mean over 1 to 100 px.

    Raises:
        InputError: there is no image, or a radius needs boxes that an image lacks.

    >>> image = ImagePoints("a", np.array([[0.0, 0.0], [50.0, 0.0]]), np.array([[3.0, 4.0]]))
    >>> evaluate_localization([image]).at("8px").total
    Tally(true_positives=1, false_positives=1, false_negatives=0)
    """
    if not images:
        raise InputError("There is no image to evaluate.")
    images = tuple(images)
    chosen = available_radii(images) if radii is None else tuple(radii)
    return LocalizationResult(
        images=images,
        matcher=matcher,
        radii=tuple(_at_radius(images, radius, matcher) for radius in chosen),
        counting=counting_result(
            [image.count for image in images], [len(image.true_xy) for image in images], bounds=bounds, seed=seed
        ),
        mean=mean_over_thresholds(images) if mean else None,
    )


def matched_pairs(images: Sequence[ImagePoints], radius: Radius, *, matcher: Matcher = "fast") -> list[Indices]:
    """The matching of each image: (k, 2) rows of (prediction, head).

    Raises:
        InputError: the radius needs boxes that an image lacks, or an unknown matcher.
    """
    found: list[Indices] = []
    for batch in _batches(images):
        reach = [radius.of(image) for image in batch]
        for image, radii in zip(batch, reach, strict=True):
            if radii is None:
                raise InputError(f'"{image.name}" has no boxes, which {radius.title} comes from: use fixed pixels.')
        predicted, true = [image.predicted_xy for image in batch], [image.true_xy for image in batch]
        sizes, true_sizes = list(map(len, predicted)), list(map(len, true))
        group, true_group = np.repeat(np.arange(len(batch)), sizes), np.repeat(np.arange(len(batch)), true_sizes)
        points, heads = np.concatenate(predicted), np.concatenate(true)
        radius_px = np.concatenate([r for r in reach if r is not None])
        matched = match_grouped(points, heads, radius_px, group, true_group, matcher=matcher)
        starts = np.stack([np.cumsum([0, *sizes[:-1]]), np.cumsum([0, *true_sizes[:-1]])], axis=1)
        ends = np.searchsorted(group[matched[:, 0]], np.arange(1, len(batch)))
        found += [part - start for part, start in zip(np.split(matched, ends), starts, strict=True)]
    return found


def mean_over_thresholds(
    images: Sequence[ImagePoints], thresholds_px: Sequence[float] = MEAN_THRESHOLDS_PX
) -> MeanResult:
    """P, R and F1 of the set at each distance, whose means UCF-QNRF reports (Idrees et al., ECCV 2018).

    Raises:
        InputError: thresholds that are negative or do not ascend.

    >>> image = ImagePoints("a", np.array([[0.0, 0.0]]), np.array([[0.0, 50.5]]))
    >>> mean_over_thresholds([image]).f1
    0.5
    """
    thresholds = as_thresholds(thresholds_px)
    matched = np.zeros(len(thresholds), dtype=np.intp)
    for batch in _batches(images, _BATCH_OF_THRESHOLDS):
        predicted_xy, true_xy = [image.predicted_xy for image in batch], [image.true_xy for image in batch]
        number = np.arange(len(batch))
        matched += grouped_by_threshold(
            np.concatenate(predicted_xy), np.concatenate(true_xy), thresholds,
            np.repeat(number, list(map(len, predicted_xy))), np.repeat(number, list(map(len, true_xy))),
        )  # fmt: skip
    predicted, heads = sum(len(i.predicted_xy) for i in images), sum(len(i.true_xy) for i in images)
    tallies = tuple(Tally(int(tp), predicted - int(tp), heads - int(tp)) for tp in matched)
    return MeanResult(tuple(map(float, thresholds_px)), tallies)


def by_score_threshold(images: Sequence[ImagePoints], radius: Radius, thresholds: Sequence[float]) -> list[Tally]:
    """The tally of the predictions whose score is at least each threshold, matched anew for each.

    Raises:
        InputError: an image has no scores, or no boxes that the radius needs.
    """
    for image in images:
        if image.scores is None:
            raise InputError(f'The predictions of "{image.name}" have no scores to set a threshold on.')
    heads = sum(len(image.true_xy) for image in images)
    tallies = []
    for threshold in thresholds:
        kept = [_above(image, threshold) for image in images]
        found = sum(map(len, matched_pairs(kept, radius)))
        tallies.append(Tally(found, sum(len(image.predicted_xy) for image in kept) - found, heads - found))
    return tallies


def _above(image: ImagePoints, threshold: float) -> ImagePoints:
    assert image.scores is not None
    return ImagePoints(
        image.name, image.predicted_xy[image.scores >= threshold], image.true_xy, image.sigma_s_px, image.sigma_l_px
    )


def _at_radius(images: tuple[ImagePoints, ...], radius: Radius, matcher: Matcher) -> RadiusResult:
    pairs = matched_pairs(images, radius, matcher=matcher)
    tallies = tuple(
        Tally(len(matched), len(image.predicted_xy) - len(matched), len(image.true_xy) - len(matched))
        for image, matched in zip(images, pairs, strict=True)
    )
    levels: tuple[LevelRecall, ...] = ()
    if any(image.levels is not None for image in images) and all(i.negative or i.levels is not None for i in images):
        heads, found = np.zeros(HEAD_LEVELS, np.intp), np.zeros(HEAD_LEVELS, np.intp)
        for image, matched in zip(images, pairs, strict=True):
            if image.levels is not None:
                heads += np.bincount(image.levels, minlength=HEAD_LEVELS)
                found += np.bincount(image.levels[matched[:, 1]], minlength=HEAD_LEVELS)
        levels = tuple(LevelRecall(level, int(heads[level]), int(found[level])) for level in range(HEAD_LEVELS))
    return RadiusResult(
        radius=radius,
        total=Tally(
            sum(t.true_positives for t in tallies),
            sum(t.false_positives for t in tallies),
            sum(t.false_negatives for t in tallies),
        ),
        negative_false_positives=sum(
            t.false_positives for t, image in zip(tallies, images, strict=True) if image.negative
        ),
        levels=levels,
        per_image=tallies,
        pairs=tuple(pairs),
    )


def _batches(images: Sequence[ImagePoints], most: int = _BATCH) -> Iterable[Sequence[ImagePoints]]:
    """The images in runs of so many points: one search for many small images, bounded memory for many large ones."""
    start = points = 0
    for index, image in enumerate(images):
        size = len(image.predicted_xy) + len(image.true_xy)
        if index > start and points + size > most:
            yield images[start:index]
            start, points = index, 0
        points += size
    if start < len(images):
        yield images[start:]
