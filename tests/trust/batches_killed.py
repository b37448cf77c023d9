"""A batch count that is killed ends, once it is gone on with, with the table of one that was not."""

from __future__ import annotations

import os
import signal
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tests.trust.experiment import Experiment, Result, Size, result_of, work_folder
from tests.trust.processes import LONGEST_S, Running, run
from tests.trust.scenes import write_pictures

from headcount.core.random import generator

_STREAM, _MOST_DRAWS = 7402, 6
_KILLS_A_RUN = 2
KINDS = ("all", "writing", "worker", "main")
"""What is killed: all of its processes at a random instant, or while a part is written; one worker; all but them."""
_CHUNK_S = 2.0
"""About as long as a chunk takes; a kill comes at a random instant of one."""


def batch(pictures: Path, output: Path) -> tuple[object, ...]:
    """The command."""
    return (
        "count", pictures, "--model", "headcount-n", "--threads", 1, "--workers", 2, "--output", f"{output}/"
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
        if kind == "main":
            counting.process.kill()
            counting.process.wait()
            return bool(counting.process.returncode == -signal.SIGKILL)  # those it started are on their own
        workers = counting.children()
        if not workers:
            return False
        os.kill(workers[int(draw.integers(0, len(workers)))], signal.SIGKILL)
        counting.process.wait(LONGEST_S)
        return True


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
    kills, images = (2, 64) if size == "short" else (20, 320)
    chunks, kinds, findings = images // 16, list[str](), list[str]()
    with work_folder("batches") as work:
        pictures = write_pictures(work / "pictures", images)
        whole = run(*batch(pictures, work / "whole"))
        assert whole.code == 0, whole.err
        wanted = table_of(work / "whole")
        assert len(wanted) == images
        for number in range(kills // _KILLS_A_RUN):
            output = work / f"killed-{number}"
            draw = generator(1, stream=_STREAM, index=number)
            at = [KINDS[(_KILLS_A_RUN * number + kill) % len(KINDS)] for kill in range(_KILLS_A_RUN)]
            for kind in at:
                killed = any(_kill(kind, batch(pictures, output), output, chunks, draw) for _ in range(_MOST_DRAWS))
                assert killed, f"it always ended before it could be killed ({kind})"
            kinds += at
            findings += filter(None, [_finding(pictures, output, wanted, at)])
    how = (
        f"`headcount count` of {images} images by 2 workers into a folder, killed {_KILLS_A_RUN} times a run at random "
        f"instants: {kinds.count('all')} times all of its processes, {kinds.count('writing')} times while a part was "
        f"written, {kinds.count('worker')} times one worker, {kinds.count('main')} times the process over them; gone "
        "on with, the table is equal to that of a run that nobody killed, in all columns but the seconds"
    )
    return result_of(len(kinds), findings, how)


EXPERIMENT = Experiment("batches-killed", "SIGKILL of a batch count", _try)
