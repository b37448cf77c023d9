"""How far each head of a fused model is believed, chosen by its counts on validation images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headcount.core.card import ModelCard, Result
from headcount.core.errors import InputError
from headcount.core.notes import Progress
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.data.sets.registry import Reading
from headcount.decode.fused import HEAD_MAPS, Blocks, Found, FusedDecoderSettings, blocks_of, find_each, fuse
from headcount.decode.table import settings_of
from headcount.evaluate.fusion import CountedBlocks, cross_fitted, fit_fusion, free_heads
from headcount.evaluate.metrics.counting import CountingResult
from headcount.evaluate.metrics.table import WEAKEST_SCORE, EvaluationSettings
from headcount.evaluate.run import EvaluationReport, evaluate_scenes
from headcount.evaluate.thresholds import ScoredHeads, Weigh, choose_threshold
from headcount.infer.counter import Counter, in_pixels_of
from headcount.infer.evidence import evidence_of
from headcount.infer.runtimes.table import Runtime, words_of

CHOSEN_HERE = "chosen on these images"
LEAST: dict[Weigh, str] = {"sets": "least mean over the sets of MAE / mean count", "images": "least MAE of all images"}
_FITTED_ON_OTHERS = "fitted to the other half of these images"
_NOTE = "How far each of its heads is believed was chosen on "


@dataclass(frozen=True, slots=True)
class Measured:
    """One set of images, decoded down to ``WEAKEST_SCORE``: the report of the pass, and the scores of the heads.

    Of a model that fuses several heads, image by image: ``parts``, what each of them found, and ``evidence``, what the
    fused count shows beside itself.
    """

    report: EvaluationReport
    heads: ScoredHeads
    parts: Sequence[Found] = ()
    evidence: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True, slots=True)
class FusedSet:
    """How a set is counted with the weights that the card had, with those that were chosen, and with weights that were
    fitted to other images than those counted; and what each head counts alone."""

    data: str
    split: str
    before: CountingResult
    after: CountingResult
    cross_fitted: CountingResult
    alone: Mapping[str, CountingResult]


@dataclass(frozen=True, slots=True)
class FusionCalibration:
    """What was chosen of a model that fuses several heads.

    Attributes:
        model: the model's name.
        settings: of its decoder, those that were chosen.
        sets: the errors by set.
        counted_by: runtime, device and precision.
        weigh: whether sets or images weighed alike.
    """

    model: str
    settings: Mapping[str, Any]
    sets: tuple[FusedSet, ...]
    counted_by: str
    weigh: Weigh = "sets"

    def lines(self) -> list[str]:
        """As it is printed: at most 80 columns, unless a name is longer."""
        heads = list(self.sets[0].alone)
        lines = [f"{self.model}: how far each head is believed", f"counted by {self.counted_by}; {LEAST[self.weigh]}"]
        if "boxes" in self.settings:
            lines.append(f"score threshold of the boxes: {self.settings['boxes']['score_threshold']:g}")
        for head in heads:
            if f"{head}_weight" in self.settings:
                one, crowding, size = self.settings[f"{head}_weight"]
                lines.append(f"{head}: {one:+g}, crowding {crowding:+g}, head size {size:+g}")
        columns = [*heads, "before", "fused", "on others"]
        lines += ["", "MAE", f"  {'':<22}" + "".join(f"{column:>{max(8, 1 + len(column))}}" for column in columns)]
        for one in self.sets:
            values = [*(found.mae for found in one.alone.values()), one.before.mae, one.after.mae, one.cross_fitted.mae]
            cells = "".join(f"{v:>{max(8, 1 + len(column))}.2f}" for v, column in zip(values, columns, strict=True))
            lines.append(f"  {f'{one.data} {one.split}':<22}{cells}")
        told = "on others: each half counted with weights that were fitted to the other half"
        if "boxes" in self.settings:
            return [*lines, "", f"{told};", "the threshold of the boxes is chosen on both"]
        return [*lines, "", told]

    def card(self, card: ModelCard) -> ModelCard:
        """The model's card with what was chosen, the errors on the images that chose it, and a note."""
        card = card.calibrated(self.settings)
        found = [
            Result(
                data=one.data, split=one.split, images=one.after.images, metric="MAE", value=round(result.mae, 3),
                protocol=f"{result.protocol}; weights of the heads {how}",
            )
            for one in self.sets
            for result, how in ((one.after, CHOSEN_HERE), (one.cross_fitted, _FITTED_ON_OTHERS))
        ]  # fmt: skip
        where = ", ".join(f"{one.data} {one.split} ({plural(one.after.images, 'image')})" for one in self.sets)
        note = f"{_NOTE}{where}: {LEAST[self.weigh]}."
        earlier = [one for one in card.results if not one.protocol.endswith((CHOSEN_HERE, _FITTED_ON_OTHERS))]
        return card.model_copy(
            update={
                "results": (*earlier, *found),
                "notes": (*(one for one in card.notes if not one.startswith(_NOTE)), note),
            }
        )


def fusion_of(card: ModelCard) -> FusedDecoderSettings | None:
    """The decoder's settings of a model that fuses several heads; None of any other."""
    if card.decoder is None:
        return None
    settings = settings_of(card.decoder.name, card.decoder.settings, where=f"the card of {card.name}")
    return settings if isinstance(settings, FusedDecoderSettings) else None


def chooses_fusion(card: ModelCard) -> bool:
    """Whether there is something to choose of a fused model: the weights of several heads, the threshold of boxes."""
    made = {output.name for output in card.outputs}
    heads = [head for head, name in HEAD_MAPS.items() if name in made]
    return fusion_of(card) is not None and (len(heads) > 1 or "boxes" in heads)


class _Parts:
    """Counts scenes, and keeps what each head of the model found of them, boxes down to ``WEAKEST_SCORE``."""

    def __init__(self, card: ModelCard, runtime: Runtime, settings: FusedDecoderSettings) -> None:
        lowest = min(WEAKEST_SCORE, settings.boxes.score_threshold)
        weaker = settings.boxes.model_copy(update={"score_threshold": lowest})
        self.counter, self.own = Counter(card, runtime), settings
        self.weaker = settings.model_copy(update={"boxes": weaker})
        self.found: list[Found] = []
        self.evidence: list[Mapping[str, float]] = []

    def count(self, scene: Scene) -> Prediction:
        """The fused prediction of a scene."""
        view, strides = self.counter.view(scene)
        found = find_each(view.maps, strides, self.weaker, view.decoded_wh)
        self.found.append(found)
        fused = fuse(found.above(self.own.boxes.score_threshold), self.own, view.maps, strides)
        self.evidence.append(evidence_of(fused, view.pixels, fused.counts))
        return in_pixels_of(scene.size_wh, fused)


def measure_parts(
    card: ModelCard, runtime: Runtime, key: tuple[str, str], read: Reading | Sequence[Scene], *,
    progress: Progress | None = None, keep_going: bool = False, keep_worst: int = 0,
) -> Measured:  # fmt: skip
    """Count the images of a set, called by its (data, split), once, and keep what each head finds.

    Raises:
        InputError, ModelError: as ``evaluate_scenes``.
    """
    settings = fusion_of(card)
    assert settings is not None
    counter, heads = _Parts(card, runtime, settings), ScoredHeads()
    report = evaluate_scenes(
        counter, read, EvaluationSettings(data=key[0], split=key[1]), metrics=(), keep_worst=keep_worst,
        keep_going=keep_going, progress=progress,
    )  # fmt: skip
    for image, found in zip(report.images, counter.found, strict=True):
        boxes = found.predictions.get("boxes")
        scores = np.zeros(0) if boxes is None or boxes.scores is None else boxes.scores
        heads.scores.append(-np.sort(-scores))
        heads.true.append(image.true)
    return Measured(report, heads, tuple(counter.found), tuple(counter.evidence))


def blocks_at(parts: Sequence[Found], score: float, block_px: int) -> list[Blocks]:
    """The blocks of each image, with the boxes alone that have at least a score."""
    return [blocks_of(found.above(score), block_px) for found in parts]


def choose_fusion(
    card: ModelCard, runtime: Runtime, measured: Sequence[Measured], weigh: Weigh = "sets"
) -> FusionCalibration:
    """First the score threshold that counts best by the boxes alone, then the weights of the heads.

    Raises:
        InputError: there is no image.
    """
    before = fusion_of(card)
    assert before is not None
    if not measured or not all(one.parts for one in measured):
        raise InputError("There is no image to choose the weights of a fusion by.")
    settings: dict[str, Any] = {}
    threshold = before.boxes.score_threshold
    if "boxes" in measured[0].parts[0].predictions:
        threshold = choose_threshold([one.heads for one in measured], min(WEAKEST_SCORE, threshold), weigh=weigh).value
        settings["boxes"] = {**before.boxes.model_dump(), "score_threshold": threshold}

    def at(score: float) -> list[CountedBlocks]:
        return [CountedBlocks(blocks_at(one.parts, score, before.block_px), one.heads.true) for one in measured]

    sets, former = at(threshold), at(before.boxes.score_threshold)
    free = free_heads(sets[0].blocks[0])
    fitted = fit_fusion(sets, before, weigh=weigh) if free else before
    others = cross_fitted(sets, before, weigh=weigh) if free else [one.result(before) for one in sets]
    for head in free:
        settings[f"{head}_weight"] = getattr(fitted, f"{head}_weight")
    told = tuple(
        FusedSet(
            one.report.data, one.report.split, was.result(before), counted.result(fitted), crossed,
            {head: counted.result_of(head) for head in counted.blocks[0].counts},
        )
        for one, was, counted, crossed in zip(measured, former, sets, others, strict=True)
    )  # fmt: skip
    return FusionCalibration(card.name, settings, told, words_of(runtime), weigh)
