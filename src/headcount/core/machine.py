"""What this machine is, as far as counting cares: its processor, and how much memory there is."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headcount.core.cgroups import control_groups

_FEATURES = {
    "avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "VNNI", "avx_vnni": "VNNI", "avx512_bf16": "BF16",
    "amx_bf16": "AMX", "amx_int8": "AMX", "asimd": "NEON", "asimddp": "dot product", "i8mm": "I8MM", "bf16": "BF16",
}  # fmt: skip
"""Flag of the kernel → what people call it; what makes a network quicker."""
_UNLIMITED = 1 << 60  # version 1 of control groups writes "no limit" as a number that no machine has


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor.

    Attributes:
        name: as its maker calls it, or the architecture where that cannot be read.
        features: those that make a network quicker; None where the system does not tell them.
    """

    name: str
    architecture: str
    features: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in bytes; None where it cannot be read.

    Attributes:
        total: of the machine.
        free: what programs can still have of it.
        limit: what the container of this process may take, None where nothing limits it.
        used: what the container has taken of its limit; files that are kept in memory are not counted.
    """

    total: int | None = None
    free: int | None = None
    limit: int | None = None
    used: int | None = None


def processor(root: Path = Path("/")) -> Processor:
    """The processor of this machine; ``root`` is where ``proc`` lies."""
    told = dict(_cpu_lines(root))
    architecture = platform.machine()
    name = told.get("model name") or platform.processor() or architecture or "unknown"
    flags = told.get("flags", told.get("Features"))
    if flags is None:
        return Processor(name, architecture, None)
    has = set(flags.split())
    return Processor(name, architecture, tuple(dict.fromkeys(word for flag, word in _FEATURES.items() if flag in has)))


def memory(root: Path = Path("/")) -> Memory:
    """How much memory there is; ``root`` is where ``proc`` and ``sys`` lie."""
    told = _meminfo(root)
    total = told.get("MemTotal") or _total_of_the_system()
    limits = [(limit, group) for group in control_groups("memory", root) if (limit := _limit_of(group)) is not None]
    if not limits:
        return Memory(total, told.get("MemAvailable"))
    limit, group = min(limits, key=lambda pair: pair[0])
    return Memory(total, told.get("MemAvailable"), limit, _used_by(group))


def _cpu_lines(root: Path) -> Iterator[tuple[str, str]]:
    """The lines of the first processor."""
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.split("\n\n", 1)[0].splitlines():
        key, _, value = line.partition(":")
        yield key.strip(), value.strip()


def _meminfo(root: Path) -> dict[str, int]:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":")[::2] for line in lines)
    return {key: 1024 * int(value.split()[0]) for key, value in pairs if value.split()[:1] and value.endswith(" kB")}


def _total_of_the_system() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not on Windows
        return None


def _limit_of(group: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        limit = _number(group / name)
        if limit is not None and limit < _UNLIMITED:
            return limit
    return None


def _used_by(group: Path) -> int | None:
    for name in ("memory.current", "memory.usage_in_bytes"):
        if (used := _number(group / name)) is not None:
            return max(0, used - _kept_files(group))
    return None


def _kept_files(group: Path) -> int:
    try:
        lines = (group / "memory.stat").read_text(encoding="utf-8").splitlines()
        return next(
            (int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "total_inactive"))), 0
        )
    except (OSError, ValueError, IndexError):
        return 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # ValueError: "max"
        return None
