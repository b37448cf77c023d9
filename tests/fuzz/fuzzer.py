"""Damaged files for every parser: what a parser does not read it must refuse with a sentence, soon, in little memory.

    python tests/fuzz/fuzzer.py [PARSER …] [--seconds 600] [--seed 0] [--keep fuzz-findings] [--jobs 1]
    python tests/fuzz/fuzzer.py --list
    python tests/fuzz/fuzzer.py PARSER --index 4711          one input again, with its traceback

An input is drawn from (seed, parser, index) alone, so that the same three give the same bytes again. The first inputs
of a parser are its valid files, undamaged: these must be accepted. Findings are

- any exception but a HeadcountError (which is what the command line makes a sentence of);
- more than ``--limit`` seconds of CPU time for one input (or no end after a minute and 20 times that);
- a message of more than 20,000 letters, which quotes more than a name;
- memory: over 256 MiB more than before, or more than 1 GiB of address space;
- the end of the process.

Each parser runs in a process of its own (by fork: Unix only). One line a parser is printed; the process ends with 1 if
there is a finding, and the file that made it lies in the ``--keep`` folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from mutations import mutate
from parsers import PARSERS, Parser

from headcount.core.errors import HeadcountError, nearest
from headcount.core.random import generator

LIMIT_S = 5.0
ADDRESS_SPACE = 2**30
RESIDENT = 2**28
LONGEST_MESSAGE = 20_000
_INDEX, _ACCEPTED, _REFUSED = 0, 1, 2
_SHOWN = 110
# Files in memory, where there are such: opening one on a disk takes longer than most parsers take to read it.
_FOLDER = next((name for name in ("/dev/shm",) if os.access(name, os.W_OK | os.X_OK)), None)


class WordyError(Exception):
    """A refusal that quotes too much of the file."""


class TooSlowError(BaseException):
    """The CPU time of an input is spent. No Exception, so that no parser takes it for a damaged file."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The first input of a parser that ended in one way at one place."""

    index: int
    what: str
    place: str
    data: bytes = b""


@dataclass(slots=True)
class Outcome:
    """What came of a parser: inputs tried, accepted and refused; findings by what and where, and how often."""

    parser: str
    seconds: float = 0.0
    tried: int = 0
    accepted: int = 0
    refused: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Count a finding; the first of its kind is kept."""
        self.findings.setdefault(finding.place, finding)
        self.times[finding.place] = self.times.get(finding.place, 0) + 1

    def take(self, other: Outcome) -> None:
        """Add another parser's figures to these."""
        for finding in other.findings.values():
            self.add(finding)
        self.seconds += other.seconds
        self.tried += other.tried
        self.accepted += other.accepted
        self.refused += other.refused

    def line(self) -> str:
        """One line of the report."""
        return (
            f"{self.parser:<20}{self.seconds:>6.0f} s{self.tried:>10,} inputs{self.accepted:>9,} accepted"
            f"{self.refused:>9,} refused{len(self.findings):>4} findings"
        )


def seeds_of(parser: Parser, folder: Path) -> list[bytes]:
    """Lays the parser's miniature into ``folder``; the valid contents of the file that is damaged."""
    parser.lay(folder)
    return [(folder / parser.file).read_bytes(), *parser.more()]


def input_of(parser: Parser, seeds: Sequence[bytes], seed: int, index: int) -> bytes:
    """The input of (seed, parser, index): the seeds themselves first."""
    if index < len(seeds):
        return seeds[index]
    return mutate(seeds, generator(seed, stream=zlib.crc32(parser.name.encode()), index=index))


def try_input(parser: Parser, folder: Path, data: bytes, index: int) -> bool:
    """Whether the parser accepted it; False where it refused it with a HeadcountError. Others pass.

    Raises:
        WordyError: it refused it at a length that nobody reads.
    """
    file = folder / parser.file
    file.write_bytes(data)
    # Readers that keep what they read know a file by the time of its change, of which the clock has too few.
    os.utime(file, ns=(index, index))
    try:
        parser.read(folder)
    except HeadcountError as error:
        if len(str(error)) > LONGEST_MESSAGE:
            raise WordyError(f"{len(str(error)):,} letters: {str(error)[:60]}") from error
        return False
    return True


def finding_of(error: BaseException, index: int, data: bytes) -> Finding:
    """An exception as a finding: what it is, and the last line of headcount that it passed."""
    cause = error.__cause__ if isinstance(error, WordyError) and error.__cause__ else error
    frames = traceback.extract_tb(cause.__traceback__)
    own = [frame for frame in frames if f"{os.sep}headcount{os.sep}" in frame.filename] or list(frames)
    at = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "?"
    text = " ".join(str(error).split())
    return Finding(index, f"{type(error).__name__}: {text}"[:_SHOWN], f"{type(error).__name__} at {at}", data)


@contextmanager
def _cpu_limit(seconds: float) -> Iterator[None]:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _say_too_slow(number: int, frame: FrameType | None) -> None:
    raise TooSlowError("the CPU time for one input is spent")


@dataclass(frozen=True, slots=True)
class Task:
    """What a child does: inputs to one parser, from where ``counts`` stand until the deadline or so many."""

    parser: Parser
    folder: Path
    seeds: Sequence[bytes]
    seed: int
    limit_s: float
    counts: Any
    inputs: int
    deadline: float
    report: Connection

    def begin(self, log: str = os.devnull) -> None:
        """Bound this process: CPU time an input, address space, no core file; what C libraries say goes to ``log``."""
        signal.signal(signal.SIGPROF, _say_too_slow)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
        warnings.simplefilter("ignore")
        with open(log, "a") as nowhere:  # noqa: PTH123  (C libraries write to the descriptor)
            os.dup2(nowhere.fileno(), 2)
        pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
        if pages:
            limit = pages * resource.getpagesize() + ADDRESS_SPACE
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def goes_on(self) -> bool:
        """Whether there are inputs and time left."""
        return bool(self.counts[_INDEX] < self.inputs and time.monotonic() < self.deadline)

    def give(self, data: bytes) -> None:
        """One input to the parser; what is found goes to the parent."""
        index, most = self.counts[_INDEX], _peak_bytes()
        try:
            with _cpu_limit(self.limit_s):
                accepted = try_input(self.parser, self.folder, data, index)
            self.counts[_ACCEPTED if accepted else _REFUSED] += 1
        except (Exception, TooSlowError) as error:
            self.report.send(finding_of(error, index, data))
        peak = _peak_bytes()
        if peak > most + RESIDENT:
            self.report.send(Finding(index, f"{(peak - most) >> 20} MiB more memory than before", "memory", data))
        self.counts[_INDEX] += 1

    def end(self) -> NoReturn:
        """End this process: of what the parent has open and registered, nothing is this process's to end."""
        self.report.close()
        os._exit(0)


Work = Callable[[Task], None]
"""A child's whole life."""


def damage(task: Task) -> None:
    """Inputs of (seed, parser, index), one after the other."""
    task.begin()
    while task.goes_on():
        task.give(input_of(task.parser, task.seeds, task.seed, task.counts[_INDEX]))
    task.end()


def _peak_bytes() -> int:
    """The largest resident size of this process so far (kilobytes, says Linux; bytes, says macOS)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def fuzz(
    parser: Parser, *, seconds: float, seed: int = 0, inputs: int = 2**62, limit_s: float = LIMIT_S, work: Work = damage
) -> Outcome:  # fmt: skip
    """Damaged inputs to one parser, in processes of its own, for so many seconds or inputs."""
    context = multiprocessing.get_context("fork")
    counts = context.Array("q", 3, lock=False)
    outcome = Outcome(parser.name)
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_FOLDER) as name:
        folder = Path(name).resolve()
        seeds = seeds_of(parser, folder)
        started = time.monotonic()
        deadline = started + seconds
        while counts[_INDEX] < inputs and time.monotonic() < deadline:
            here, there = context.Pipe(duplex=False)
            task = Task(parser, folder, seeds, seed, limit_s, counts, inputs, deadline, there)
            process = context.Process(target=work, args=(task,), daemon=True)
            process.start()
            there.close()
            end = _follow(process, here, counts, outcome, 60 + 20 * limit_s)
            if end:
                index = counts[_INDEX]
                outcome.add(Finding(index, end, end, (folder / parser.file).read_bytes()))
                counts[_INDEX] += 1
        outcome.seconds = time.monotonic() - started
    outcome.tried, outcome.accepted, outcome.refused = counts[_INDEX], counts[_ACCEPTED], counts[_REFUSED]
    return outcome


def _follow(process: Any, report: Connection, counts: Any, outcome: Outcome, longest_s: float) -> str:
    """Waits for a child and takes its findings; how it ended, empty where by itself."""
    index, since = -1, time.monotonic()
    try:
        while True:
            try:
                while report.poll(0.2):
                    outcome.add(report.recv())
            except EOFError:
                process.join(longest_s)  # it is about to end
                break
            if counts[_INDEX] != index:
                index, since = counts[_INDEX], time.monotonic()
            elif time.monotonic() - since > longest_s:
                return f"no end after {longest_s:.0f} s"
    finally:
        process.join(1)
        if process.is_alive():
            process.kill()
            process.join()
    return "" if process.exitcode == 0 else f"the process ended with {process.exitcode}"


def left_out(parser: Parser) -> str:
    """The package that a parser needs and that is not installed, else empty."""
    return parser.needs if parser.needs and find_spec(parser.needs) is None else ""


def _again(parser: Parser, seed: int, index: int, keep: Path) -> int:
    """One input once more, in this process, with its traceback."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_FOLDER) as name:
        folder = Path(name).resolve()
        data = input_of(parser, seeds_of(parser, folder), seed, index)
        print(f"{parser.name} {index}: {len(data):,} bytes in {_kept(parser, index, data, keep)}", flush=True)
        try:
            if not try_input(parser, folder, data, index):
                parser.read(folder)  # says why
        except HeadcountError as error:
            print(f"refused: {error}")
            return 0
    print("accepted")
    return 0


def _kept(parser: Parser, index: int, data: bytes, keep: Path) -> Path:
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"{parser.name}-{index}{Path(parser.file).suffix}"
    path.write_bytes(data)
    return path


def tell_findings(parser: Parser, outcome: Outcome, keep: Path) -> None:
    """Print a parser's findings, and keep the file of each."""
    for place, finding in outcome.findings.items():
        file = _kept(parser, finding.index, finding.data, keep)
        print(
            f"  {outcome.times[place]:,} × {place}, first at index {finding.index} ({file}): {finding.what}", flush=True
        )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/fuzz/fuzzer.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help="all where none is named")
    parser.add_argument("--list", action="store_true", help="the names of the parsers")
    parser.add_argument("--seconds", type=float, default=600.0, help="for each parser (600)")
    parser.add_argument("--inputs", type=int, default=2**62, help="at most so many for each parser")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--index", type=int, help="only this input, here, with its traceback")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="CPU seconds for one input (5)")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="where inputs that are findings go")
    parser.add_argument("--jobs", type=int, default=1, help="parsers at a time")
    found = parser.parse_args(argv)
    for name in found.parsers:
        if name not in PARSERS:
            parser.error(f'"{name}" is no parser.{nearest(name, PARSERS)}')
    if found.index is not None and len(found.parsers) != 1:
        parser.error("--index is of one PARSER: name it.")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 1 where there is a finding."""
    arguments = _arguments(argv)
    if arguments.list:
        print("\n".join(f"{parser.name:<20}{parser.file}" for parser in PARSERS.values()))
        return 0
    chosen = [PARSERS[name] for name in arguments.parsers] or list(PARSERS.values())
    if arguments.index is not None:
        return _again(chosen[0], arguments.seed, arguments.index, arguments.keep)
    total = Outcome("all")

    def run(parser: Parser) -> Outcome | None:
        if left_out(parser):
            return None
        return fuzz(
            parser, seconds=arguments.seconds, seed=arguments.seed, inputs=arguments.inputs, limit_s=arguments.limit
        )

    with ThreadPoolExecutor(max(1, arguments.jobs)) as pool:
        for parser, outcome in zip(chosen, pool.map(run, chosen), strict=True):
            if outcome is None:
                print(f"{parser.name:<20}left out: it needs {parser.needs}", flush=True)
                continue
            print(outcome.line(), flush=True)
            tell_findings(parser, outcome, arguments.keep)
            total.take(outcome)
    print(f"seed {arguments.seed}, {total.tried:,} inputs in {total.seconds:,.0f} s, {len(total.findings)} findings")
    return 1 if total.findings else 0


if __name__ == "__main__":
    sys.exit(main())
