"""How many threads may compute: one number for every library that has threads of its own.

What was asked for comes first, then ``OMP_NUM_THREADS``, then what a container or a pinned process may use of the
machine; more than the machine has processors are never taken. Where none of them limits anything, each library chooses:
mostly one thread a physical core.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headcount.core.cgroups import control_groups
from headcount.core.errors import InputError


def thread_limit(asked: int | None = None) -> int | None:
    """The number of threads that a library must be told; None where it may choose.

    Raises:
        InputError: fewer than one are asked for.
    """
    processors = os.cpu_count() or 1  # a library starts as many threads as it is told, or dies of too many
    if asked is not None:
        if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
            raise InputError(f"The number of threads must be a whole number from 1, but {asked!r} was given.")
        return min(asked, processors)
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if first.isdecimal() and int(first) > 0:
        return min(int(first), processors)
    allowed = usable_cores()
    return allowed if allowed < processors else None


def limit_threads(asked: int | None = None) -> int | None:
    """``thread_limit``, and OpenCV told of it, for the whole process: it knows no other way.

    Raises:
        InputError: as ``thread_limit``.
    """
    limit = thread_limit(asked)
    if limit is not None:
        import cv2

        cv2.setNumThreads(limit)
    return limit


def usable_cores(root: Path = Path("/")) -> int:
    """How many cores this process may use: those it is pinned to, and no more than its container's share of time."""
    return max(1, min([_pinned(), *(math.ceil(share) for share in _shares(root))]))


@dataclass(frozen=True, slots=True)
class Threads:
    """How many threads may compute, and why.

    Attributes:
        processors: of the machine.
        pinned: how many of them this process may run on.
        share: what its container may use, in cores; None where nothing limits it.
        variable: what ``OMP_NUM_THREADS`` says; empty where it is not set.
        limit: as ``thread_limit``.
        by: what set the limit: ``OMP_NUM_THREADS``, ``pinning``, ``container``; empty where each library may choose.
    """

    processors: int
    pinned: int
    share: float | None
    variable: str
    limit: int | None
    by: str


def threads_found(root: Path = Path("/")) -> Threads:
    """How many threads may compute here where nothing is asked for."""
    processors, pinned, share = os.cpu_count() or 1, _pinned(), min(_shares(root), default=None)
    variable, limit = os.environ.get("OMP_NUM_THREADS", ""), thread_limit()
    by = ""
    if limit is not None:
        in_variable = variable.split(",")[0].strip()
        if in_variable.isdecimal() and int(in_variable) > 0:
            by = "OMP_NUM_THREADS"
        else:
            by = "container" if share is not None and math.ceil(share) < pinned else "pinning"
    return Threads(processors, pinned, share, variable, limit, by)


def _pinned() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shares(root: Path) -> Iterator[float]:
    """The limits of all control groups around this process (Linux, both versions), in cores."""
    for group in control_groups("cpu", root):
        yield from _share_of(group)


def _share_of(group: Path) -> Iterator[float]:
    try:
        if (group / "cpu.max").is_file():
            quota, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="utf-8") for name in ("quota", "period"))
        if quota != "max" and float(quota) > 0:
            yield float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return  # no limit that can be read


def refuse_fork(process: int) -> None:
    """Stop where a model was loaded in another process than this one: its threads are not here, and it would hang.

    Raises:
        InputError: ``process``, the id of the one that loaded it, is another's.
    """
    if process != os.getpid():
        raise InputError(
            "This model was loaded before its process was forked, and its threads stayed behind: start processes by "
            '"spawn" (multiprocessing.get_context("spawn")), and load the model in each.'
        )
