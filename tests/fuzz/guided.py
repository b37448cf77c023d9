"""Inputs that coverage leads to, for every parser: libFuzzer, through atheris, beside the damage of ``mutations.py``.

    python tests/fuzz/guided.py [PARSER …] [--part 1/1] [--seconds 600] [--corpus fuzz-corpus] [--keep fuzz-findings]

The parsers, their valid files, the limits and what is a finding are those of ``fuzzer.py``; here headcount's own
modules are instrumented, and an input that reaches a new branch is kept and changed further. The corpus (a folder a
parser) stays: a later run goes on where this one was. A change is libFuzzer's own or, as often, one of
``mutations.py``, which knows how annotation files look.

Each parser runs in a process of its own (by fork: Linux). One line a parser is printed, with the branches reached
("cov"); the process ends with 1 if there is a finding, and the file that made it lies in the ``--keep`` folder. Without
atheris nothing is tried, and that is said.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TextIO

try:
    import atheris
except ImportError:
    print("left out: atheris is not installed")
    sys.exit(0)


class _WithoutModules(io.TextIOBase):
    """Standard error without the line that atheris writes for each module."""

    def __init__(self, real: TextIO) -> None:
        self._real = real

    def write(self, text: str) -> int:
        return len(text) if text.startswith("INFO: Instrumenting ") else self._real.write(text)

    def flush(self) -> None:
        self._real.flush()


sys.stderr = _WithoutModules(sys.stderr)
with ExitStack() as imports:
    imports.enter_context(atheris.instrument_imports(include=["headcount"], exclude=["headcount.core.random"]))
    from fuzzer import LIMIT_S, Outcome, Task, fuzz, left_out, tell_findings
    from mutations import MAX_BYTES, mutate
    from parsers import PARSERS, Parser

    from headcount.core.errors import nearest
    from headcount.core.random import generator

    imports.pop_all()  # readers are imported when they are first used, which is later

LONGEST = 2**18
"""What libFuzzer grows inputs to: a quarter of ``MAX_BYTES``, so that most of the time goes to small ones."""
_COVERED = re.compile(r"\bcov: (\d+)")


def lead(task: Task, *, corpus: Path, log: Path) -> None:
    """A child's life: libFuzzer's loop over the corpus, until there is no time left."""
    task.begin(str(log))

    def give(data: bytes) -> None:
        if not task.goes_on():
            task.end()
        task.give(data)

    def change(data: bytes, longest: int, seed: int) -> bytes:
        draw = generator(seed, stream=0, index=0)
        if draw.random() < 0.5:
            return bytes(atheris.Mutate(data, longest))
        other = task.seeds[int(draw.integers(len(task.seeds)))]
        return mutate([data, data, other], draw)[:longest]

    atheris.Setup(
        ["headcount", f"-seed={task.seed + 1}", f"-max_len={min(LONGEST, MAX_BYTES)}", "-rss_limit_mb=0",
         "-timeout=86400", "-detect_leaks=0", f"-artifact_prefix={task.folder}/", str(corpus)],
        give, custom_mutator=change,
    )  # fmt: skip
    atheris.Fuzz()


def guided(
    parser: Parser, corpus: Path, *, seconds: float, seed: int = 0, inputs: int = 2**62, limit_s: float = LIMIT_S
) -> tuple[Outcome, int]:
    """Guided inputs to one parser for so many seconds or inputs.

    Returns:
        what came of it, and how many branches of headcount were reached.
    """
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="guided-") as name:
        log = Path(name, "log")
        with tempfile.TemporaryDirectory(prefix="seeds-", dir=name) as laid:
            parser.lay(Path(laid).resolve())
            for data in (Path(laid, parser.file).read_bytes(), *parser.more()):
                (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)  # libFuzzer's names
        work = partial(lead, corpus=corpus.resolve(), log=log)
        outcome = fuzz(parser, seconds=seconds, seed=seed, inputs=inputs, limit_s=limit_s, work=work)
        covered = _COVERED.findall(log.read_text(errors="replace")) if log.exists() else []
    return outcome, max(map(int, covered), default=0)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/fuzz/guided.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help="all where none is named")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="every N-th parser alone, from the I-th (1/1)")
    parser.add_argument("--seconds", type=float, default=600.0, help="for each parser (600)")
    parser.add_argument("--inputs", type=int, default=2**62, help="at most so many for each parser")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="CPU seconds for one input (5)")
    parser.add_argument(
        "--corpus", type=Path, default=Path("fuzz-corpus"), help="where inputs that reach more are kept"
    )
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="where inputs that are findings go")
    found = parser.parse_args(argv)
    for name in found.parsers:
        if name not in PARSERS:
            parser.error(f'"{name}" is no parser.{nearest(name, PARSERS)}')
    if not re.fullmatch(r"[1-9]\d*/[1-9]\d*", found.part):
        parser.error(f'"{found.part}" is no part: write it as 1/2.')
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 1 where there is a finding."""
    arguments = _arguments(argv)
    total = Outcome("all")
    part, parts = map(int, arguments.part.split("/"))
    chosen = [PARSERS[name] for name in arguments.parsers] or list(PARSERS.values())
    for parser in chosen[part - 1 :: parts]:
        if left_out(parser):
            print(f"{parser.name:<20}left out: it needs {parser.needs}", flush=True)
            continue
        outcome, covered = guided(
            parser, arguments.corpus / parser.name, seconds=arguments.seconds, seed=arguments.seed,
            inputs=arguments.inputs, limit_s=arguments.limit,
        )  # fmt: skip
        print(f"{outcome.line()}{covered:>7,} cov", flush=True)
        tell_findings(parser, outcome, arguments.keep)
        total.take(outcome)
    print(f"seed {arguments.seed}, {total.tried:,} inputs in {total.seconds:,.0f} s, {len(total.findings)} findings")
    return 1 if total.findings else 0


if __name__ == "__main__":
    sys.exit(main())
