"""Files with one bit flipped, or cut short: refused by name, or read as if nothing were wrong, and nothing is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tests.trust.absurd_models import MODEL
from tests.trust.batches_killed import batch, table_of
from tests.trust.experiment import Experiment, Result, Size, result_of, work_folder
from tests.trust.processes import forked, run
from tests.trust.scenes import write_pictures
from tests.trust.training_killed import write_crowds, write_recipe

from headcount import load
from headcount.core.errors import HeadcountError, InputError
from headcount.core.random import generator

_STREAM = 7403
_LONG, _SHORT = 120, 6
PICTURE = generator(3, stream=_STREAM).integers(0, 256, (64, 96, 3), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Subject:
    """Files that may be damaged, and how they are read.

    Attributes:
        what: as the table calls it.
        files: those that are damaged, one at a time.
        read: what comes of them: equal to what came of them undamaged, or a refusal.
        name: what a refusal must name, of the damaged file.
    """

    what: str
    files: tuple[Path, ...]
    read: Callable[[], Any]
    name: Callable[[Path], str] = lambda path: path.name


def damaged(content: bytes, draw: np.random.Generator, *, is_cut: bool) -> bytes:
    """The bytes with one bit flipped, or without their end."""
    place = int(draw.integers(0, len(content)))
    if is_cut:
        return content[:place]
    flipped = bytearray(content)
    flipped[place] ^= 1 << int(draw.integers(0, 8))
    return bytes(flipped)


@dataclass(slots=True)
class Tally:
    """What came of the damage to one subject."""

    tried: int = 0
    refused: int = 0
    findings: tuple[str, ...] = ()


def try_damage(subject: Subject, number: int) -> Tally:
    """So many flips and as many cuts of a subject's files, each undone."""
    tally, wanted = Tally(), subject.read()
    for index in range(2 * number):
        path = subject.files[index // 2 % len(subject.files)]
        whole = path.read_bytes()
        draw = generator(1, stream=_STREAM, index=index)
        path.write_bytes(damaged(whole, draw, is_cut=bool(index % 2)))
        tally.tried += 1
        words = f"{subject.what}, {path.name}, {'cut' if index % 2 else 'a bit flipped'} ({index})"
        try:
            if subject.read() != wanted:
                tally.findings += (f"{words}: it is read, and says something else.",)
        except HeadcountError as error:
            tally.refused += 1
            if subject.name(path) not in str(error):
                tally.findings += (f"{words}: the refusal does not name it: {error}",)
        except Exception as error:
            tally.findings += (f"{words}: {type(error).__name__} instead of a sentence: {str(error)[:120]}",)
        finally:
            path.write_bytes(whole)
    return tally


def _counted(weights: Path, runtime: str = "auto") -> Callable[[], Any]:
    def read() -> Any:
        counter = load(weights, runtime=runtime)
        found = counter.count(PICTURE)
        return counter.card, found.count, found.points_xy.tolist()

    return read


def _models(work: Path, size: Size) -> list[Subject]:
    import headcount

    folder = work / "model"
    folder.mkdir()
    for shipped in (Path(headcount.__file__).parent / "weights").glob(f"{MODEL}.*"):
        shutil.copy(shipped, folder)
    graph, tensors, card = (folder / f"{MODEL}{suffix}" for suffix in (".onnx", ".safetensors", ".json"))
    for_torch = Subject("weights for torch", (tensors,), _counted(tensors))
    return [
        Subject("weights", (graph,), _counted(graph)),
        *([for_torch] if size == "long" else []),  # the networks' package takes longer to import than all else here
        # Where the sum of the weights is damaged in the card, the weights are what does not fit.
        Subject("card", (card,), _counted(graph), lambda path: path.stem),
    ]


def _checkpoint(work: Path) -> Subject:
    from headcount.train.checkpoint import read_checkpoint

    points = write_crowds(work / "crowds")
    recipe = write_recipe(work / "tiny.yaml", points, work / "run", epochs=2, steps_per_epoch=2)
    done = run("train", recipe)
    assert done.code == 0, done.err
    *_, last = sorted((work / "run").glob("last-*"))

    def read() -> Any:
        found = read_checkpoint(last)
        return found.step, found.state, {name: value.numpy().tobytes() for name, value in found.tensors.items()}

    files = tuple(last / name for name in ("state.safetensors", "state.json", "SHA256SUMS"))
    return Subject("checkpoint", files, read, lambda path: path.parent.name)


def _label_project(work: Path) -> Subject:
    from headcount.label.page.store import Store, Stroke

    path = work / "labels.sqlite"
    store = Store(path)
    rows = store.images([f"{number}.png" for number in range(4)])
    for number in range(80):
        head = {"t": "head", "x": 10.0 + number, "y": 20.5, "made": "annotated"}
        store.write(rows[number % 4].id, [Stroke(f"stroke{number:05d}", "do", {f"h{number}": head})], person="one")
    store.close()
    copy = work / "copy.sqlite"

    def read() -> Any:
        # Reading makes files beside a database, and may mend it: that is tried with a copy.
        for beside in (copy, *work.glob("copy.sqlite-*")):
            beside.unlink(missing_ok=True)
        shutil.copy(path, copy)
        opened = Store(copy)
        try:
            found = opened.labelled()
            return [(row.name, dict(opened.document(row.id).things)) for row in found]
        finally:
            opened.close()

    return Subject("label project", (path,), read, lambda path: "copy.sqlite")


def _batch(work: Path) -> Subject:
    """A batch's folder, as a run that goes on meets it: parts that are damaged are counted again, by name."""
    from headcount.infer.batch.parts import missing_chunks
    from headcount.infer.batch.plan import read_plan
    from headcount.infer.batch.store import open_store

    pictures, output = write_pictures(work / "few", 40), work / "batch"
    done = run(*batch(pictures, output, workers=1))
    assert done.code == 0, done.err

    def read() -> Any:
        plan = read_plan(open_store(output))
        assert plan is not None
        if missing := [chunk.name for chunk in missing_chunks(plan)]:
            raise InputError(f"To be counted again: {missing}.")
        return table_of(output).to_pylist()

    return Subject("a batch", (*sorted(output.glob("parts/*.parquet")), *sorted(output.glob("plan*.json"))), read)


def _mended(work: Path) -> list[str]:
    """Parts that are damaged, and gone on with: the table is what it was."""
    output = work / "batch"
    wanted = table_of(output)
    for index, path in enumerate(sorted(output.glob("parts/*.parquet"))):
        draw = generator(2, stream=_STREAM, index=index)
        path.write_bytes(damaged(path.read_bytes(), draw, is_cut=bool(index % 2)))
    done = run(*batch(work / "few", output, workers=1))
    if done.code or not table_of(output).equals(wanted):
        return [f"A batch with damaged parts, gone on with: the table is not what it was. {done.sentence}"]
    return []


def _try(size: Size) -> Result:
    number = _SHORT if size == "short" else _LONG
    findings: list[str] = []
    told: list[str] = []
    tried = 0
    with work_folder("damage") as work, forked():
        subjects = [_checkpoint(work), *_models(work, size), _label_project(work)]
        if find_spec("pyarrow") is not None:
            subjects.append(_batch(work))
        for subject in subjects:
            tally = try_damage(subject, number)
            tried += tally.tried
            findings += tally.findings
            told.append(f"{subject.what} {tally.refused} of {tally.tried} refused")
        if find_spec("pyarrow") is not None:
            tried, findings = tried + 1, findings + _mended(work)
    how = (
        f"{number} flipped bits and {number} cuts each: refused with a sentence that names the file, or read as if "
        f"undamaged, all values equal; {', '.join(told)} (a part is counted again)"
    )
    return result_of(tried, findings, how)


EXPERIMENT = Experiment("damage", "Flipped bits and cuts in checkpoints, weights, cards, label projects, batches", _try)
