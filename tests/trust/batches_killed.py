"""A batch count that is killed ends, once it is gone on with, with the table of one that was not."""

from __future__ import annotations

import os
import shutil
import signal
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tests.trust.experiment import Experiment, Result, Size, work_folder
from tests.trust.processes import LONGEST_S, Running, forked, have_ended, run
from tests.trust.scenes import write_pictures

from headcount.core.random import generator

_STREAM, _MOST_DRAWS = 7402, 6
_KILLS_A_RUN = {"short": 1, "long": 4}
KINDS = ("all", "writing", "main", "worker")
"""What is killed: all of its processes at a random instant, or while a part is written; the one over its workers; one
of them, after which it goes on by itself."""
_CHUNK_S = 0.2
"""About as long as a chunk takes; a kill comes at a random instant of one."""
_ORPHANS_S = 60.0
"""Workers whose main process was killed may take so long to see it, on a machine that does much else."""


def batch(pictures: Path, output: Path, *, workers: int = 2) -> tuple[object, ...]:
    """The command."""
    return (
        "count", pictures, "--model", "headcount-n", "--threads", 1, "--workers", workers, "--output", f"{output}/"
    )  # fmt: skip


def table_of(output: Path) -> Any:
    """The rows in a batch's folder, but for the seconds that they took."""
    from headcount.infer.batch.parts import results

    return results(output).to_table().drop_columns(["seconds"])


def _parts(output: Path) -> int:
    return sum(1 for _ in output.glob("parts/*.parquet"))


def _is_writing(output: Path) -> bool:
    """Whether a part is half written."""
    return any(True for _ in output.glob("parts/.*.partial"))


def _wait_until_parts(counting: Running, output: Path, number: int) -> bool:
    end = time.monotonic() + LONGEST_S
    while not counting.has_ended and time.monotonic() < end:
        if _parts(output) >= number:
            return True
        time.sleep(0.002)
    return False


def _kill(kind: str, command: tuple[object, ...], output: Path, chunks: int, draw: np.random.Generator) -> bool:
    """Start or go on, and kill at a random instant; False where it ended before."""
    there = _parts(output)
    with Running(*command) as counting:
        if not _wait_until_parts(counting, output, there + int(draw.integers(0, max(1, (chunks - there) // 2)))):
            return False
        if kind == "writing":
            return counting.kill_when(lambda: _is_writing(output))
        time.sleep(draw.random() * _CHUNK_S)
        if kind == "all" or counting.has_ended:
            return counting.kill()
        workers = counting.workers()
        if not workers:
            return False
        if kind == "main":  # those it started are on their own: they end by themselves
            counting.process.kill()
            counting.process.wait()
            assert have_ended(workers, _ORPHANS_S), "workers go on although the process over them was killed"
            return bool(counting.process.returncode == -signal.SIGKILL)
        os.kill(workers[int(draw.integers(0, len(workers)))], signal.SIGKILL)
        counting.process.wait(LONGEST_S)
        return True


def _killed(pictures: Path, output: Path, wanted: Any, at: list[str], draw: np.random.Generator) -> list[str]:
    """Kill it at instants of these kinds, and let it go on each time; what is wrong with the table at its end.

    Where it ends before it can be killed, its table is looked at, and it begins anew.
    """
    chunks, findings = len(wanted) // 16, list[str]()
    for kind in at:
        for _ in range(_MOST_DRAWS):
            if _kill(kind, batch(pictures, output), output, chunks, draw):
                break
            findings.append(_finding(pictures, output, wanted, at))
            shutil.rmtree(output, ignore_errors=True)
        else:
            raise AssertionError(f"it always ended before it could be killed ({kind})")
    findings.append(_finding(pictures, output, wanted, at))
    return [finding for finding in findings if finding][:1]


def _finding(pictures: Path, output: Path, wanted: Any, at: list[str]) -> str:
    """Go on to the end; what is wrong with the table."""
    done = run(*batch(pictures, output))
    if done.code:
        return f"Killed {at}, it does not go on: {done.sentence}"
    table = table_of(output)
    numbers = table["number"].to_pylist()
    if len(set(numbers)) != len(numbers):
        return f"Killed {at}, {len(numbers) - len(set(numbers))} rows are there twice."
    if not table.equals(wanted):
        return f"Killed {at}, it ends with another table: {len(numbers)} rows of {len(wanted)}."
    if _is_writing(output):
        return f"Killed {at}, it leaves half a part behind."
    return ""


def _try(size: Size) -> Result:
    if find_spec("pyarrow") is None or not Path("/proc/self/stat").exists():
        return Result(0, 0, "it needs the batch extra, and a system with /proc")
    kills, images, kinds_of_it = (1, 64, KINDS[1:]) if size == "short" else (20, 320, KINDS)
    kills_a_run, kinds, findings = _KILLS_A_RUN[size], list[str](), list[str]()
    with work_folder("batches") as work, forked():
        pictures = write_pictures(work / "pictures", images)
        whole = run(*batch(pictures, work / "whole", workers=1))
        assert whole.code == 0, whole.err
        wanted = table_of(work / "whole")
        assert len(wanted) == images
        for number in range(kills // kills_a_run):
            draw = generator(1, stream=_STREAM, index=number)
            at = [kinds_of_it[(kills_a_run * number + kill) % len(kinds_of_it)] for kill in range(kills_a_run)]
            findings += _killed(pictures, work / f"killed-{number}", wanted, at, draw)
            kinds += at
    how = (
        f"`headcount count` of {images} images by 2 workers into a folder, killed {kills_a_run} times a run at random "
        f"instants: {kinds.count('all')} times all of its processes, {kinds.count('writing')} times while a part was "
        f"written, {kinds.count('main')} times the process over the workers, which then end by themselves, "
        f"{kinds.count('worker')} times one worker; gone on with, the table is equal to that of a run that nobody "
        "killed, in all columns but the seconds"
    )
    return Result(len(kinds), len(kinds) - kills_a_run * len(findings), how, tuple(findings))


EXPERIMENT = Experiment("batches-killed", "SIGKILL of a batch count", _try)
