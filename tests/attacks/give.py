"""Attacks are given here: each in a process of its own, in a folder of its own, within time and memory."""

from __future__ import annotations

import io
import multiprocessing
import os
import pty
import re
import resource
import select
import shutil
import signal
import sys
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import Image
from tests.attacks.attack import Attack, Told
from tests.attacks.make import MARK

SECONDS = 120.0
"""No command may take longer; the clock on the wall, of a machine that does much else."""
MOST_MIB = 1500
"""No command may grow larger; an address space of ten times that ends it before the machine suffers."""
_PRELOADED = ("headcount.cli.count", "headcount.infer.job", "headcount.infer.models", "headcount.data.sets.registry")
_PRELOADED_TOO = (
    "headcount.models.weights",
    "headcount.models.table",
    "headcount.train.loop",
    "headcount.train.tune",
)
_STYLES = re.compile(r"\x1b\[[0-9;?]*[mKhlABCDG]")
"""What rich writes to a terminal: colours, a line that is cleared, a cursor that is hidden and moved back."""


def lay_common(folder: Path, model: Path) -> None:
    """What lies beside an attack's files: an image, heads on it, a film, a model that works."""
    draw = np.random.default_rng(4)
    Image.fromarray(draw.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(folder / "image.png")
    (folder / "heads.csv").write_text("image,x,y\nimage.png,3,4\n", encoding="utf-8")
    for suffix in (".onnx", ".json"):
        shutil.copy(model.with_suffix(suffix), folder / f"tiny{suffix}")


def give(attack: Attack, folder: Path, model: Path) -> list[str]:
    """Run an attack's command in ``folder/a/b``; a sentence for each thing that went otherwise than it must."""
    inside = folder / "a" / "b"
    inside.mkdir(parents=True)
    lay_common(inside, model)
    Image.new("RGB", (64, 48)).save(folder / "outside.png")
    before = seen(folder, inside)
    attack.lay(inside)
    told = run(attack.command, inside, terminal=attack.terminal)
    findings = [*_wrong(attack, told)]
    if any(MARK in names for _, names, _ in os.walk(folder)):
        findings.append("what it holds was run")
    if seen(folder, inside) != before:
        findings.append(f"files outside were changed: {seen(folder, inside) ^ before}")
    if attack.check is not None:
        try:
            attack.check(inside, told)
        except (AssertionError, OSError, ValueError, KeyError, IndexError) as error:
            findings.append(f"{type(error).__name__}: {str(error)[:300]}")
    return [f"{attack.name}: {finding}" for finding in findings]


def seen(folder: Path, inside: Path) -> frozenset[tuple[str, int, int]]:
    """What lies in a folder, less what lies in the one inside it: names, sizes and times."""
    return frozenset(
        (str(path), path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and not path.is_relative_to(inside)
    )


def _wrong(attack: Attack, told: Told) -> Iterator[str]:
    code = {"refused": 2, "left out": 1, "read": 0}[attack.must]
    if told.code != code:
        yield f"it ended with {told.code}, not {code}: {told.err[-300:]!r}"
    if "Traceback" in told.err:
        yield f"a traceback: {told.err[-300:]!r}"
    if not re.search(attack.pattern, told.err if attack.must == "refused" else told.out + told.err):
        yield f"{attack.pattern!r} is not said: {told.err[-300:]!r}"
    if (
        attack.must == "refused"
        and len(re.findall("^Error: ", _STYLES.sub("", told.err).replace("\r", ""), re.MULTILINE)) != 1
    ):
        yield f"not one sentence of error: {told.err[-300:]!r}"
    if told.peak_mib > MOST_MIB:
        yield f"it grew to {told.peak_mib} MiB"
    if signs := raw_signs(told.out + told.err):
        yield f"signs that steer a terminal: {signs}"


def raw_signs(text: str) -> list[str]:
    """The control characters, and those that turn the direction of writing, of a text; less rich's own."""
    text = _STYLES.sub("", text).replace("\r\n", "\n").replace("\x1b]8;;\x1b\\", "")
    return sorted({ascii(sign) for sign in text if sign not in "\n\t" and _steers(sign)})


def _steers(sign: str) -> bool:
    bidirectional = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return sign in bidirectional or (unicodedata.category(sign) in ("Cc", "Zl", "Zp") and sign != "\r")


def run(command: Sequence[str], folder: Path, *, terminal: bool = False, seconds: float = SECONDS) -> Told:
    """headcount with these arguments, in a process that was forked from one in which little was ever done."""
    prepare()
    context = multiprocessing.get_context("forkserver")
    with _outputs(folder, terminal=terminal) as (paths, read):
        peak = context.Value("q", 0)
        process = context.Process(target=_perform, args=(list(command), str(folder), paths, peak))
        process.start()
        until = time.monotonic() + seconds
        while process.is_alive() and time.monotonic() < until:
            read(0.05)
        if process.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(process.pid or 0, signal.SIGKILL)  # with the workers that it started
            process.kill()
            process.join()
            return Told(-999, "", f"no end after {seconds:.0f} s")
        process.join()
        out, err = read(0.2), ""
        if not terminal:
            out, err = (Path(path).read_bytes().decode("utf-8", "backslashreplace") for path in paths)
        return Told(process.exitcode or 0, "" if terminal else out, out if terminal else err, peak.value >> 10)


_prepared = False


def prepare(*, training: bool = False) -> None:
    """Say, before the first command, what the process that the others are forked from imports."""
    global _prepared
    if not _prepared:
        multiprocessing.set_forkserver_preload([*_PRELOADED, *(_PRELOADED_TOO if training else ())])  # type: ignore[attr-defined]
        _prepared = True


@contextmanager
def _outputs(folder: Path, *, terminal: bool) -> Iterator[tuple[tuple[str, str], object]]:
    """Where standard output and error go, and what reads so long from a terminal."""
    if not terminal:
        paths = (str(folder.parent / "out"), str(folder.parent / "err"))
        try:
            yield paths, time.sleep
        finally:
            for path in paths:
                Path(path).unlink(missing_ok=True)
        return
    mine, theirs = pty.openpty()
    text = io.BytesIO()

    def read(seconds: float) -> str:
        while select.select([mine], [], [], seconds)[0]:
            with suppress(OSError):
                text.write(os.read(mine, 65_536))
                continue
            break
        return text.getvalue().decode("utf-8", "backslashreplace")

    try:
        yield (os.ttyname(theirs),) * 2, read
    finally:
        os.close(mine)
        os.close(theirs)


def _perform(command: list[str], folder: str, paths: tuple[str, str], peak: object) -> None:
    """In the process of its own."""
    os.setsid()
    limit = MOST_MIB * 10 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number, path in enumerate(paths, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOCTTY), number)
    sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    os.chdir(folder)
    os.environ["COLUMNS"] = "100"
    os.environ.pop("HEADCOUNT_MODEL", None)
    sys.argv = ["headcount", *command]
    from headcount.cli.main import main

    code: object = 0
    try:
        main()
    except SystemExit as error:
        code = error.code
    finally:
        peak.value = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # type: ignore[attr-defined]
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)
