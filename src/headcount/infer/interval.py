"""The range of a model's counts, learned from its errors on validation images and written into its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headcount.core.card import ModelCard, Result
from headcount.core.interval import COVERAGE
from headcount.core.notes import Progress
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.data.sets.registry import Reading
from headcount.evaluate.fusion import CountedBlocks, cross_fitted_counts, free_heads
from headcount.evaluate.interval import CountedImages, FittedInterval, fit_interval
from headcount.evaluate.metrics.table import EvaluationSettings
from headcount.evaluate.run import EvaluationReport, evaluate_scenes
from headcount.infer.counter import Counter
from headcount.infer.fusion import Measured, blocks_at, chooses_fusion, fusion_of, measure_parts
from headcount.infer.runtimes.table import Runtime, words_of

_PROTOCOL = "share of images whose true number lies in its range of {level:g} %; scales and quantiles of other images"


@dataclass(frozen=True, slots=True)
class EvidenceOfSet:
    """One set of images, counted as the card says, with what each of them shows beside its count."""

    report: EvaluationReport
    images: CountedImages
    parts: Measured | None = None


@dataclass(frozen=True, slots=True)
class IntervalCalibration:
    """What was learned of a model's errors.

    Attributes:
        model: the model's name.
        fitted: what is kept, and how often a range of 90 % held.
        sets: (data, split, images) of each set.
        counted_by: runtime, device and precision.
    """

    model: str
    fitted: FittedInterval
    sets: tuple[tuple[str, str, int], ...]
    counted_by: str

    def lines(self) -> list[str]:
        """As it is printed: at most 80 columns, unless a name is longer."""
        spec = self.fitted.spec
        first = next(iter(self.fitted.coverage.values()))
        lines = [
            f"{self.model}: the range of its counts, learned from {plural(spec.images, 'image')}",
            f"counted by {self.counted_by}",
            "",
            f"ranges of {100 * first.level:g} % that were learned from other images hold the true number in",
        ]
        return lines + [f"  {name:<24}{found.words()}" for name, found in self.fitted.coverage.items()]

    def card(self, card: ModelCard) -> ModelCard:
        """The model's card with the range, and how often it held."""
        found = [
            Result(
                data=data, split=split, images=images, metric=COVERAGE, value=round(coverage.share, 4),
                protocol=_PROTOCOL.format(level=100 * coverage.level),
            )
            for (data, split, images), coverage in zip(self.sets, self.fitted.coverage.values(), strict=True)
        ]  # fmt: skip
        return card.with_interval(self.fitted.spec, found)


class _Watched:
    """Counts scenes as a Counter does, and keeps the evidence of each."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.evidence: list[dict[str, float]] = []

    def count(self, scene: Scene) -> Prediction:
        """The prediction of a scene."""
        prediction, evidence = self._counter.count_with_evidence(scene)
        self.evidence.append(evidence)
        return prediction


def measure_evidence(
    card: ModelCard, runtime: Runtime, key: tuple[str, str], read: Reading, *, progress: Progress | None = None,
    keep_going: bool = False,
) -> EvidenceOfSet:  # fmt: skip
    """Count the images of a set, called by its (data, split), once; ``keep_going``: as of ``evaluate_scenes``.

    Raises:
        InputError, ModelError: as ``evaluate_scenes``.
    """
    parts: Measured | None = None
    evidence: Sequence[Mapping[str, float]]
    if chooses_fusion(card):
        parts = measure_parts(card, runtime, key, read, progress=progress, keep_going=keep_going)
        report, evidence = parts.report, parts.evidence
    else:
        watched = _Watched(Counter(card, runtime))
        report = evaluate_scenes(
            watched, read, EvaluationSettings(data=key[0], split=key[1]), metrics=(), keep_worst=0,
            keep_going=keep_going, progress=progress,
        )  # fmt: skip
        evidence = watched.evidence
    counts, true = [one.predicted for one in report.images], [float(one.true) for one in report.images]
    return EvidenceOfSet(report, CountedImages(key[0], counts, true, evidence), parts)


def choose_interval(card: ModelCard, runtime: Runtime, measured: Sequence[EvidenceOfSet]) -> IntervalCalibration:
    """What is learned of a model's errors, on images that did not train it.

    Of a model that fuses several heads, whose weights may have been chosen on the same images, each half of them is
    counted with weights that are fitted to the other half.

    Raises:
        InputError: there are too few images.
    """
    sets = [one.images for one in measured]
    fusion = fusion_of(card)
    parts = [one.parts for one in measured if one.parts is not None]
    if fusion is not None and parts and all(one.parts for one in parts):
        blocks = [
            CountedBlocks(blocks_at(one.parts, fusion.boxes.score_threshold, fusion.block_px), one.heads.true)
            for one in parts
        ]
        if free_heads(blocks[0].blocks[0]):
            crossed = cross_fitted_counts(blocks, fusion)
            sets = [
                CountedImages(one.name, counts, one.true, one.evidence)
                for one, counts in zip(sets, crossed, strict=True)
            ]
    told = tuple((one.report.data, one.report.split, len(one.report.images)) for one in measured)
    return IntervalCalibration(card.name, fit_interval(sets), told, words_of(runtime))
