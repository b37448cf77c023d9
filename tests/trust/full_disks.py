"""A disk that fills, a folder that nobody may write to: a sentence, nothing lost, and once that is mended it goes on.

The disk is one of a few megabytes in memory (tmpfs), which only root may mount.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from tests.trust.batches_killed import batch, table_of
from tests.trust.experiment import Experiment, Result, Size, result_of, work_folder
from tests.trust.processes import Done, forked, run
from tests.trust.scenes import write_pictures
from tests.trust.training_killed import end_of, write_crowds, write_recipe
from tests.video.outputs.records import measured

from headcount.core.errors import HeadcountError
from headcount.label.page.store import Store, Stroke
from headcount.video.outputs.spool import Spool

_DISK_MB = 24


class Disk:
    """A small disk of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"

    def fill(self, *, but_bytes: int) -> None:
        """Take all its room but so much."""
        room = shutil.disk_usage(self.folder).free - but_bytes
        with self._filling.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room)

    def make_room(self) -> None:
        """Give back what ``fill`` took."""
        self._filling.unlink()

    def close(self) -> None:
        """Let nobody write to it any more."""
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """Mount one for the block."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", folder], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def can_mount() -> bool:
    """Whether this process may mount one, which containers often forbid even root."""
    if not hasattr(os, "geteuid") or os.geteuid() or shutil.which("mount") is None:
        return False
    with work_folder("disk") as work:
        try:
            with disk(work / "disk"):
                return True
        except subprocess.CalledProcessError:
            return False


def _told(done: Done, *words: str) -> str:
    """What is to be said against how a command ended that could not write."""
    if done.is_told_in_a_sentence(*words):
        return ""
    return f"it ended with {done.code} and said {done.err[-300:]!r}, where a sentence with {words} was expected"


def _training(work: Path, small: Disk) -> str:
    points = write_crowds(work / "crowds")
    assert run("train", write_recipe(work / "whole.yaml", points, work / "whole")).code == 0
    recipe = write_recipe(work / "full.yaml", points, small.folder / "run")
    small.fill(but_bytes=4_000_000)
    said = _told(run("train", recipe), "cannot be written", "No space left", "make room")
    small.make_room()
    if said:
        return said
    done = run("train", recipe, "--resume")
    if done.code or end_of(small.folder / "run") != end_of(work / "whole"):
        return f"resumed it does not end as one with room does: {done.sentence}"
    return ""


def _count(work: Path, small: Disk) -> str:
    pictures = write_pictures(work / "pictures", 60)
    options = ("--model", "headcount-n", "--quiet", "--output")
    assert run("count", pictures, *options, work / "whole.jsonl").code == 0
    results = small.folder / "counts.jsonl"
    small.fill(but_bytes=28_000)
    said = _told(run("count", pictures, *options, results), "No space left")
    before = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    small.make_room()
    if said:
        return said
    done = run("count", pictures, *options, results, "--resume")
    rows, wanted = (_rows(path) for path in (results, work / "whole.jsonl"))
    if done.code or rows != wanted:
        return f"gone on with, it has {len(rows)} rows of {len(wanted)}: {done.sentence}"
    return "" if 0 < len(before) < len(wanted) else f"{len(before)} rows were written, so that the disk was not full"


def _batch(work: Path, small: Disk) -> str:
    pictures = write_pictures(work / "many", 96)
    assert run(*batch(pictures, work / "whole-batch")).code == 0
    output = small.folder / "batch"
    small.fill(but_bytes=56_000)
    said = _told(run(*batch(pictures, output)), "No space left")
    there = sum(1 for _ in output.glob("parts/*.parquet"))
    small.make_room()
    if said:
        return said
    done = run(*batch(pictures, output))
    if done.code or not table_of(output).equals(table_of(work / "whole-batch")):
        return f"gone on with, its table is another: {done.sentence}"
    return "" if there < 6 else "all parts were written, so that the disk was not full"


def _rows(results: Path) -> list[str]:
    """The rows of a file of results, without what differs from run to run: the times."""
    lines = results.read_text(encoding="utf-8").splitlines()
    return sorted(json.dumps({**json.loads(line), "timing_ms": None}) for line in lines)


def _labels(work: Path, small: Disk) -> str:
    store = Store(small.folder / "labels.sqlite")
    [row] = store.images(["a.png"])
    small.fill(but_bytes=200_000)
    kept = []
    said = ""
    for number in range(2000):
        try:
            _stroke(store, row.id, number)
        except HeadcountError as error:
            said = str(error)
            break
        kept.append(number)
    small.make_room()
    if not kept or "make room" not in said:
        return f"{len(kept)} strokes were kept, and it said {said!r}"
    _stroke(store, row.id, len(kept))  # the same one, sent again
    store.close()
    again = Store(small.folder / "labels.sqlite")
    heads = again.row(row.id).heads
    again.close()
    return "" if heads == len(kept) + 1 else f"{heads} heads are there of {len(kept) + 1}"


def _stroke(store: Store, image: int, number: int) -> None:
    head = {"t": "head", "x": float(number), "y": 1.0, "made": "annotated"}
    store.write(image, [Stroke(f"stroke{number:05d}", "do", {f"h{number}": head})], person="one")


def _spool(work: Path, small: Disk) -> str:
    spool = Spool(small.folder / "spool", most_in_memory=10_000)
    small.fill(but_bytes=100_000)
    for number in range(2_000):
        spool.append([measured(number)])
    said = spool.trouble
    small.make_room()
    spool.append([measured(2_000)])
    spool.close()
    again = Spool(small.folder / "spool")
    numbers = [waiting.record.frame for waiting in again.peek(5_000)]  # type: ignore[union-attr]
    again.close()
    if "make room" not in said:
        return f"it did not say that the disk was full, but {said!r}"
    return "" if numbers == list(range(2_001)) and not again.lost else f"{len(numbers)} records are there of 2,001"


def _jobs(work: Path, small: Disk) -> str:
    """The jobs of a server: what came of one before its disk was full is kept, and gone on with by the next server."""
    from headcount.serve.job_store import JobFile, JobStore
    from headcount.serve.limits import Limits
    from headcount.serve.work import Step

    folder, limits = small.folder / "jobs", Limits()

    def begun(store: JobStore) -> Any:
        upload = store.new_upload()
        upload.open("a.png").write(b"x")
        upload.close()
        files = tuple(JobFile(path, name, False) for path, name in upload.files)
        return store.add(upload.folder, files, model="", every_s=1)

    store = JobStore(folder, limits)
    job = begun(store)
    store.next_work()
    small.fill(but_bytes=100_000)
    taken = 0
    while not job.is_ended and taken < 1000:
        store.took(job, Step(json.dumps({"n": taken, "more": "x" * 1000}), is_counted=True))
        taken += 1
    said = job.reason
    refused = ""
    try:
        begun(store)
    except (HeadcountError, OSError) as error:
        refused = str(error)
    small.make_room()
    if "make room" not in said or "o space left" not in refused:
        return f"after {taken} steps it said {said!r}, and to the next job {refused!r}"
    again = JobStore(folder, limits)
    found = again.find(job.id)
    if found is None:
        return "the job is gone"
    lines = (found.folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    if [json.loads(line)["n"] for line in lines] != list(range(len(lines))) or len(lines) != found.progress.counted:
        return f"{len(lines)} lines are there, of {found.progress.counted} that were counted"
    work_of_it = again.next_work()
    again.took(found, Step("{}", is_last=True))
    again.next_work()
    if work_of_it is None or not 0 < len(lines) < taken or found.state != "done":
        return f"with {len(lines)} lines of {taken}, it does not go on: {found.state} {found.reason}"
    return ""


def _closed(work: Path, small: Disk, size: Size) -> tuple[int, list[str]]:
    """What writes to a folder on a disk that nobody may write to: a sentence each, and nothing has changed there.

    Returns:
        how many, and what is to be said against some.
    """
    pictures = write_pictures(work / "few", 2)
    at = small.folder
    (at / "kept.csv").write_text("source,count\n", encoding="utf-8")
    recipe = write_recipe(work / "closed.yaml", write_crowds(work / "closed-crowds"), at / "closed")
    small.close()
    before = sorted(at.rglob("*"))
    findings = []
    commands: dict[str, tuple[object, ...]] = {
        "training": ("train", recipe),
        "count": ("count", pictures, "--model", "headcount-n", "--output", at / "new.csv"),
        "count over a file": ("count", pictures, "--model", "headcount-n", "--output", at / "kept.csv", "--force"),
        "a batch": batch(pictures, at / "batch"),
        "pictures": ("count", pictures, "--model", "headcount-n", "--save-dir", at / "pictures"),
    }
    chosen = _there(commands, size)
    for what, arguments in chosen.items():
        if said := _told(run(*arguments), "Read-only file system"):
            findings.append(f"Read-only folder, {what}: {said}.")
    stores = {"labels": lambda: Store(at / "new.sqlite"), "spool": lambda: Spool(at / "new")}
    for what, opened in stores.items():
        try:
            opened()
        except HeadcountError:
            continue
        findings.append(f"Read-only folder, {what}: no error.")
    if sorted(at.rglob("*")) != before:
        findings.append("Read-only folder: what is in it has changed.")
    return len(chosen) + len(stores), findings


FULL: dict[str, Callable[[Path, Disk], str]] = {
    "training": _training,
    "count --output": _count,
    "a batch": _batch,
    "labels": _labels,
    "spool of records": _spool,
    "jobs of the server": _jobs,
}
_NEEDS = {"training": "torch", "a batch": "pyarrow", "jobs of the server": "fastapi"}
_LONG_ALONE = ("count --output", "a batch", "count", "pictures")
"""What the short form leaves out: each starts processes of its own."""
_T = TypeVar("_T")


def _there(every: dict[str, _T], size: Size) -> dict[str, _T]:
    """What can be tried here, and is in this form."""
    return {
        what: each
        for what, each in every.items()
        if (what not in _NEEDS or find_spec(_NEEDS[what])) and (size == "long" or what not in _LONG_ALONE)
    }


def _try(size: Size) -> Result:
    if not can_mount():
        return Result(0, 0, "only root may mount a small disk, and not in every container")
    findings, full = list[str](), _there(FULL, size)
    with work_folder("disks") as work, forked():
        for number, (what, fill) in enumerate(full.items()):
            with disk(work / f"disk-{number}") as small:
                if said := fill(work, small):
                    findings.append(f"Full disk, {what}: {said}.")
        with disk(work / "closed") as small:
            closed, more = _closed(work, small, size)
    how = (
        f"a disk of {_DISK_MB} MB in memory that fills while {', '.join(full)} write to it, and one that is mounted "
        "read-only: one sentence each; what was written is kept, and once there is room all ends as if it always was"
    )
    return result_of(len(full) + closed, [*findings, *more], how)


EXPERIMENT = Experiment("full-disks", "Full disks, and folders that cannot be written to", _try)
