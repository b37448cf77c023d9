"""What a card says of its decoder, chosen by counts on validation images: a score threshold, or a fusion's weights."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headcount.core.card import ModelCard, Result
from headcount.core.errors import InputError, ModelError
from headcount.core.files import atomic_text, refuse_suffix, refuse_taken, replacing, writing
from headcount.core.locks import held
from headcount.core.notes import Progress
from headcount.core.words import plural
from headcount.data.sets.negatives import NEGATIVES
from headcount.data.sets.registry import DATA_SETS, Reading, list_dataset, parse_spec
from headcount.decode.table import score_threshold_of
from headcount.evaluate.files import read_sets
from headcount.evaluate.metrics.counting import CountingResult
from headcount.evaluate.metrics.table import WEAKEST_SCORE, EvaluationSettings
from headcount.evaluate.run import evaluate_scenes
from headcount.evaluate.thresholds import ScoredHeads, Threshold, Weigh, choose_threshold
from headcount.infer.counter import Counter, open_model
from headcount.infer.fusion import (
    CHOSEN_HERE,
    LEAST,
    FusionCalibration,
    Measured,
    choose_fusion,
    chooses_fusion,
    fusion_of,
    measure_parts,
)
from headcount.infer.interval import IntervalCalibration, choose_interval, measure_evidence
from headcount.infer.models import ModelFiles, find_model, is_shipped
from headcount.infer.runtimes.table import Runtime, words_of

_NOTE = "Its score threshold of "


@dataclass(frozen=True, slots=True)
class CalibratedSet:
    """How a set is counted at the threshold that the card had, and at the one that was chosen."""

    data: str
    split: str
    before: CountingResult
    after: CountingResult


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was chosen.

    Attributes:
        model: the model's name.
        before: the score threshold that its card had.
        threshold: the one that counts best.
        sets: the errors by set.
        counted_by: runtime, device and precision.
        weigh: whether sets or images weighed alike.
    """

    model: str
    before: float
    threshold: Threshold
    sets: tuple[CalibratedSet, ...]
    counted_by: str
    weigh: Weigh = "sets"

    def lines(self) -> list[str]:
        """As it is printed: at most 80 columns, unless a name is longer."""
        chosen = self.threshold
        lines = [
            f"{self.model}: score threshold {self.before:g} → {chosen.value:g} "
            f"(above {chosen.low:.4g}, up to {chosen.high:.4g} counts alike)",
            f"counted by {self.counted_by}; {LEAST[self.weigh]}",
        ]
        if chosen.low <= WEAKEST_SCORE:
            lines.append(f"note: even down to a score of {WEAKEST_SCORE:g}, not enough heads are found")
        lines += ["", f"  {'':<34}{'images':>8}{'MAE before':>12}{'MAE':>10}{'bias':>10}"]
        return lines + [
            f"  {f'{one.data} {one.split}':<34}{one.after.images:>8,}{one.before.mae:>12.2f}{one.after.mae:>10.2f}"
            f"{one.after.bias:>+10.2f}"
            for one in self.sets
        ]

    def card(self, card: ModelCard) -> ModelCard:
        """The model's card with the threshold, the errors on the images that chose it, and a note.

        Results that the card holds already say at which threshold they were measured.
        """
        value = self.threshold.value
        card = card.calibrated({"score_threshold": value})
        earlier = [result for result in card.results if not result.protocol.endswith(CHOSEN_HERE)]
        found = [
            Result(
                data=one.data, split=one.split, images=one.after.images, metric="MAE", value=round(one.after.mae, 3),
                protocol=f"{one.after.protocol}; at a score threshold of {value:g}, {CHOSEN_HERE}",
            )
            for one in self.sets
        ]  # fmt: skip
        where = ", ".join(f"{one.data} {one.split} ({plural(one.after.images, 'image')})" for one in self.sets)
        note = f"{_NOTE}{value:g} was chosen on {where}: {LEAST[self.weigh]}; before it was {self.before:g}."
        return card.model_copy(
            update={
                "results": (*(_with_threshold(result, self.before) for result in earlier), *found),
                "notes": (*(one for one in card.notes if not one.startswith(_NOTE)), note),
            }
        )


def _with_threshold(result: Result, threshold: float) -> Result:
    if "score threshold of" in result.protocol:
        return result
    words = f"at a score threshold of {threshold:g}"
    return result.model_copy(update={"protocol": f"{result.protocol}; {words}" if result.protocol else words})


@dataclass(frozen=True, slots=True)
class Target:
    """Where a calibrated card goes, and the files beside it: ``copies`` are (weights, their copy)."""

    card: Path
    copies: tuple[tuple[Path, Path], ...] = ()

    def write(self, card: ModelCard) -> None:
        """Write the card, after the copies of the weights.

        Raises:
            InputError: a file cannot be written.
        """
        hashes = dict(card.sha256)
        for source, copy in self.copies:
            with writing(copy), replacing(copy) as partial:
                shutil.copyfile(source, partial)
            if source.name in hashes:
                hashes[copy.name] = hashes.pop(source.name)
        if self.copies:
            card = card.model_copy(update={"name": self.card.stem, "sha256": hashes})
        with atomic_text(self.card) as file:
            file.write(card.sealed_json())


def calibrate(
    model: str | Path,
    data: Sequence[str],
    *,
    split: str = "val",
    weigh: Weigh = "sets",
    output: Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    runtime: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Calibration | FusionCalibration:
    """Choose the score threshold of a detector by its counts, or the weights of a fused model's heads and the score
    threshold of its boxes, and write them into the model's card.

    Args:
        model: a shipped name, or the path of an ``.onnx`` or ``.safetensors`` file with its card beside it.
        data: ``NAME=PATH`` of each set.
        split: which of their images; never the test split.
        weigh: what counts alike, each set or each image; see ``choose_threshold``.
        output: copy the model to this file and write the copy's card, and leave the model's own as it is.
        overwrite: whether files at ``output`` may be overwritten, or the card of a shipped model.
        device, runtime, precision, threads: as of ``headcount.load``.
        progress: told (done, all) of each set.

    Raises:
        InputError: the split holds test images, an image cannot be read, or the card cannot be written.
        ModelError: there is nothing to choose for this model, or as ``headcount.load``.
    """
    found = find_model(model)
    target = target_of(found, output, overwrite=overwrite)
    with held(target.card):
        opened = open_model(found, device=device, runtime=runtime, precision=precision, threads=threads)
        measured = [
            measure(found.card, opened, key, read, progress=progress)
            for key, read in read_choosing_sets(data, split).items()
        ]
        chosen = choose(found.card, opened, measured, weigh=weigh)
        target.write(chosen.card(found.card))
    return chosen


def calibrate_interval(
    model: str | Path,
    data: Sequence[str],
    *,
    split: str = "val",
    output: Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    runtime: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
) -> IntervalCalibration:
    """Learn the range of a model's counts from its errors, and write it into the model's card.

    Args as of ``calibrate``.

    Raises:
        InputError: as ``calibrate``, or there are too few images.
        ModelError: the model counts nobody, or as ``headcount.load``.
    """
    found = find_model(model)
    target = target_of(found, output, overwrite=overwrite, interval=True)
    with held(target.card):
        opened = open_model(found, device=device, runtime=runtime, precision=precision, threads=threads)
        measured = [
            measure_evidence(found.card, opened, key, read, progress=progress)
            for key, read in read_choosing_sets(data, split).items()
        ]
        chosen = choose_interval(found.card, opened, measured)
        target.write(chosen.card(found.card))
    return chosen


def target_of(found: ModelFiles, output: Path | None, *, overwrite: bool, interval: bool = False) -> Target:
    """Where the calibrated card of a model goes; asked before the images are counted.

    Raises:
        InputError: the model is shipped and neither ``output`` nor ``overwrite`` is given; ``output`` is there already,
            or has a suffix that none of the model's weights have; or what is written there could not be.
        ModelError: there is nothing to choose for this model. A range (``interval``) can be learned for all that count.
    """
    if not interval:
        _refuse_nothing_to_choose(found.card)
    elif found.card.decoder is None:
        raise ModelError(f'The model "{found.card.name}" counts nobody: there is no range to learn.')
    own = next(iter(found.weights.values())).with_suffix(".json")
    if output is None:
        if is_shipped(own) and not overwrite:
            raise InputError(
                f'"{found.card.name}" is shipped with headcount, and its card stays as it is: name a file for a copy '
                "of the model.",
                remedy="output",
            )
        target = Target(own)
    else:
        refuse_suffix(output, *found.weights)
        copies = tuple((source, output.with_suffix(suffix)) for suffix, source in found.weights.items())
        target = Target(output.with_suffix(".json"), copies)
        for path in (target.card, *(copy for _, copy in copies)):
            refuse_taken(path, overwrite=overwrite)
            if any(path.exists() and path.samefile(source) for source in found.weights.values()):
                raise InputError(f'"{path}" is the model itself: name another file for the copy.')
    folder = target.card.absolute().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f'"{folder}" is closed to writing, so no card can be put there: name a file elsewhere for a copy of the '
            "model.",
            remedy="output",
        )
    return target


def read_choosing_sets(specs: Sequence[str], split: str) -> dict[tuple[str, str], Reading]:
    """As ``read_sets``, of images that something may be chosen by.

    Raises:
        InputError: as ``read_sets``, or the split holds test images.
    """
    if split == "test":
        raise InputError('The test split chooses nothing: take another one, such as "val".', remedy="split")
    for spec in specs:
        if spec.startswith(f"{NEGATIVES}="):
            continue
        name, path = parse_spec(spec)
        is_own = DATA_SETS[name].general
        if split == "all" and not (is_own and all(raw.split != "test" for raw in list_dataset(spec, split))):
            raise InputError(
                f'The split "all" of "{path}" holds test images, and the test split chooses nothing: take another one, '
                'such as "val".',
                remedy="split",
            )
    return read_sets(specs, split)


def measure(
    card: ModelCard, runtime: Runtime, key: tuple[str, str], read: Reading, *, progress: Progress | None = None,
    keep_going: bool = False,
) -> Measured:  # fmt: skip
    """Count the images of a set, called by its (data, split), once; ``keep_going``: as of ``evaluate_scenes``.

    Raises:
        InputError, ModelError: as ``evaluate_scenes``, or heads have no scores.
    """
    if chooses_fusion(card):
        return measure_parts(card, runtime, key, read, progress=progress, keep_going=keep_going)
    own = score_threshold_of(card)
    counter = Counter(card.calibrated({"score_threshold": min(WEAKEST_SCORE, own or 1.0)}), runtime)
    heads = ScoredHeads()
    report = evaluate_scenes(
        counter, read, EvaluationSettings(data=key[0], split=key[1]), metrics=(), also=[heads], keep_worst=0,
        keep_going=keep_going, progress=progress,
    )  # fmt: skip
    return Measured(report, heads)


def choose(
    card: ModelCard, runtime: Runtime, measured: Sequence[Measured], *, weigh: Weigh = "sets"
) -> Calibration | FusionCalibration:
    """What counts the sets best, and what it makes of each; ``weigh``: see ``choose_threshold`` and ``fit_fusion``.

    Raises:
        ModelError: the model has neither a score threshold nor several heads to fuse.
    """
    _refuse_nothing_to_choose(card)
    if chooses_fusion(card):
        return choose_fusion(card, runtime, measured, weigh)
    before = score_threshold_of(card)
    assert before is not None
    threshold = choose_threshold([one.heads for one in measured], min(WEAKEST_SCORE, before), weigh=weigh)
    sets = tuple(
        CalibratedSet(
            one.report.data, one.report.split, one.heads.result_at(before), one.heads.result_at(threshold.value)
        )
        for one in measured
    )
    return Calibration(card.name, before, threshold, sets, words_of(runtime), weigh)


def _refuse_nothing_to_choose(card: ModelCard) -> None:
    """Stop where a model has neither a score threshold nor several heads.

    Raises:
        ModelError: it has not.
    """
    if chooses_fusion(card):
        return
    if fusion_of(card) is not None:
        raise ModelError(f'The model "{card.name}" has one head: there is nothing to fuse.')
    if score_threshold_of(card) is None:
        raise ModelError(f'The model "{card.name}" has no score threshold: there is nothing to choose.')
