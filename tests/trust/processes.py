"""headcount in processes of its own: run to the end, or killed at an instant.

By ``forked()`` they are started from one that has imported what they need, which takes longer than most of them run:
they are processes like others, but that the seconds of importing are left out.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

import headcount

LONGEST_S = 600.0
"""No process of an experiment takes longer, unless it hangs."""
_LOOKS_S = 2e-4
"""Between two looks at what a process does: less than it takes to write a file."""
_PRELOADED = (
    "headcount.cli.main",
    "headcount.cli.count",
    "headcount.infer.job",
    "headcount.infer.models",
    "headcount.data.sets.registry",
)


@dataclass(frozen=True, slots=True)
class Done:
    """How a process ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line of what it wrote to standard error: where it failed, its sentence."""
        return (self.err.strip().splitlines() or [""])[-1]

    def is_told_in_a_sentence(self, *words: str) -> bool:
        """Whether it ended as a user's mistake does, without a traceback, and says all of the words."""
        return self.code in (1, 2) and "Traceback" not in self.err and all(word in self.err for word in words)


def environment() -> dict[str, str]:
    """One in which the headcount under test is found, and every line is as wide as it likes to be."""
    sources = str(Path(headcount.__file__).parents[1])
    paths = os.pathsep.join([sources, os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "COLUMNS": "10000", "NO_COLOR": "1"}


_forks = False


@contextmanager
def forked(*, when: bool = True) -> Iterator[None]:
    """Processes that are started in this block are forks of one that has imported what counting and training need."""
    global _forks
    before, _forks = _forks, when
    try:
        yield
    finally:
        _forks = before


def run(*arguments: object, cwd: Path | None = None, changes: Mapping[str, str] | None = None) -> Done:
    """Run ``headcount …`` to its end; ``changes`` are of its environment."""
    if not _forks:
        done = subprocess.run(
            [sys.executable, "-m", "headcount", *map(str, arguments)],
            capture_output=True, text=True, errors="replace", cwd=cwd, timeout=LONGEST_S, check=False,
            env={**environment(), **(changes or {})},
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name) / "out", Path(name) / "err"
        process = _fork(arguments, out, err, cwd, changes)
        process.join(LONGEST_S)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(list(map(str, arguments)), LONGEST_S)
        return Done(process.exitcode, *(path.read_text(encoding="utf-8", errors="replace") for path in (out, err)))


def _fork(
    arguments: tuple[object, ...], out: Path, err: Path, cwd: Path | None, changes: Mapping[str, str] | None
) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_PRELOADED, *(["headcount.train.loop"] if find_spec("torch") else [])])
    words = ["headcount", *map(str, arguments)]
    process = context.Process(
        target=_headcount, args=(words, str(out), str(err), cwd, {**environment(), **(changes or {})})
    )
    process.start()
    return process


def _headcount(words: list[str], out: str, err: str, cwd: Path | None, variables: dict[str, str]) -> None:
    """What a fork does: it is ``headcount`` with these words."""
    os.setsid()
    os.environ.update(variables)
    if cwd is not None:
        os.chdir(cwd)
    # Where both are one pipe, it is opened once: whoever reads it takes its name away then.
    opened = {path: os.open(path, os.O_WRONLY | os.O_CREAT, 0o666) for path in {out, err}}
    for number, path in ((1, out), (2, err)):
        os.dup2(opened[path], number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", errors="replace") for number in (1, 2))
    sys.argv = words

    from headcount.cli.main import main

    main()


class _Fork:
    """A fork with what is used of ``subprocess.Popen``."""

    def __init__(self, arguments: tuple[object, ...], cwd: Path | None) -> None:
        with tempfile.TemporaryDirectory() as name:
            out = Path(name) / "out"
            os.mkfifo(out)
            self._process = _fork(arguments, out, out, cwd, None)
            self.pid: int = self._process.pid
            self.stdout: TextIO | None = out.open(encoding="utf-8", errors="replace")

    @property
    def returncode(self) -> int | None:
        code: int | None = self._process.exitcode
        return code

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float = LONGEST_S) -> None:
        self._process.join(timeout)

    def kill(self) -> None:
        self._process.kill()


class Running:
    """``headcount …`` under way. Left, it is killed with all that it started."""

    def __init__(self, *arguments: object, cwd: Path | None = None) -> None:
        self.process: Any = _Fork(arguments, cwd) if _forks else subprocess.Popen(
            [sys.executable, "-m", "headcount", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd=cwd,
            env=environment(), start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def line(self, holds: str) -> str:
        """The next line that it prints with these words; empty where it ends without it."""
        assert self.process.stdout is not None
        return next((line for line in self.process.stdout if holds in line), "")

    def kill(self) -> bool:
        """SIGKILL to it and to every process that it started; whether it was still running."""
        was_running = self.process.poll() is None
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has ended, or is a fork that has no group of its own yet
            if was_running:
                self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return was_running and self.process.returncode == -signal.SIGKILL

    def workers(self) -> list[int]:
        """The Python processes that it started to work for it, by their numbers: not the one that keeps their books."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                words = (folder / "cmdline").read_bytes()
            except (OSError, ValueError):  # it has just ended
                continue
            if parent == self.process.pid and b"spawn_main" in words:
                found.append(int(folder.name))
        return sorted(found)

    def kill_when(self, is_time: Callable[[], bool]) -> bool:
        """Kill it at an instant at which something holds, and still does once it stands still; whether one came."""
        end = time.monotonic() + LONGEST_S
        while self.process.poll() is None and time.monotonic() < end:
            if is_time():
                os.killpg(self.process.pid, signal.SIGSTOP)
                if is_time():
                    return self.kill()
                os.killpg(self.process.pid, signal.SIGCONT)
            time.sleep(_LOOKS_S)
        return False


def have_ended(numbers: Iterable[int], within_s: float) -> bool:
    """Whether processes end by themselves, or have done so, within so many seconds."""
    end = time.monotonic() + within_s
    while left := [number for number in numbers if _runs(number)]:
        if time.monotonic() > end:
            return False
        numbers = left
        time.sleep(0.05)
    return True


def _runs(number: int) -> bool:
    """Whether there is such a process, and it has not just been left to be buried."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
