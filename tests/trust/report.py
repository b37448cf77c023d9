"""Results in a file as they come, and as one table: on the screen, and in the documentation."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.trust.experiment import Experiment, Result, Size

from headcount.core.errors import InputError
from headcount.core.files import atomic_text, write_json
from headcount.core.locks import held

BEGIN, END = "<!-- the table of make trust -->", "<!-- end of the table -->"


@dataclass(frozen=True, slots=True)
class Line:
    """One experiment's line: its result, how many seconds it took, and in which form it was tried."""

    name: str
    title: str
    result: Result
    seconds: float
    size: Size = "long"

    @property
    def seconds_said(self) -> str:
        return f"{self.seconds:,.0f}" if self.seconds >= 10 else f"{self.seconds:.1f}"


@dataclass(slots=True)
class Report:
    """The lines so far; written to ``path`` after each. Several runs may write to one file."""

    path: Path
    size: Size
    lines: dict[str, Line] = field(default_factory=dict)
    goes_on: bool = False

    @classmethod
    def going_on(cls, path: Path, size: Size) -> Report:
        """What a file holds that earlier runs wrote; an empty report where there is none."""
        report = cls(path, size, goes_on=True)
        report.read()
        return report

    def read(self) -> None:
        """Take what the file holds, which other runs may have written since."""
        if self.path.exists():
            content = json.loads(self.path.read_text(encoding="utf-8"))
            self.lines |= {each["name"]: _line(each) for each in content["results"]}

    def has(self, experiment: Experiment) -> bool:
        """Whether there is a line of an experiment in the form of this run."""
        line = self.lines.get(experiment.name)
        return line is not None and line.size == self.size

    def add(self, experiment: Experiment, result: Result, seconds: float) -> Line:
        """Keep a line, and write all that there are."""
        line = Line(experiment.name, experiment.title, result, seconds, self.size)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(self.path):
            if self.goes_on:
                self.read()
            self.lines[line.name] = line
            write_json(self.path, {"machine": machine(), "results": [asdict(each) for each in self.lines.values()]})
        self.goes_on = True
        return line

    @property
    def holds(self) -> bool:
        """Whether every experiment survived."""
        return all(line.result.holds for line in self.lines.values())

    def markdown(self) -> str:
        """The table for the documentation."""
        total = sum(line.seconds for line in self.lines.values())
        rows = [
            f"| {line.title} | {line.size} | {line.result.tried:,} | {line.result.survived:,} "
            f"| {_plain(line.result.how)} | {line.seconds_said} |"
            for line in self.lines.values()
        ]
        return "\n".join([
            "| what is tried | form | tried | survived | how it was tried | seconds |",
            "|---|---|--:|--:|---|--:|",
            *rows,
            "",
            f"{total:,.0f} seconds in all, on {machine()}.",
        ])  # fmt: skip

    def sort(self, experiments: Sequence[Experiment]) -> None:
        """Put the lines, and those of other runs, into the order of the experiments; others come last."""
        if self.goes_on:
            self.read()
        first = [each.name for each in experiments if each.name in self.lines]
        self.lines = {name: self.lines[name] for name in dict.fromkeys([*first, *self.lines])}

    def put_into(self, page: Path) -> None:
        """Put the table between the two marks of a page.

        Raises:
            ValueError: it has no such marks.
        """
        text = page.read_text(encoding="utf-8")
        before, begin, rest = text.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise ValueError(f'"{page}" has no place for the table: {BEGIN} and {END}.')
        with atomic_text(page) as file:
            file.write(f"{before}{BEGIN}\n{self.markdown()}\n{END}{after}")


def heading() -> str:
    """The first line of the table on the screen."""
    return f"{'experiment':<20}{'tried':>9}{'survived':>10}{'seconds':>9}  how"


def shown(line: Line) -> str:
    """A line of the table on the screen, and below it what did not survive."""
    result = line.result
    text = f"{line.name:<20}{result.tried:>9,}{result.survived:>10,}{line.seconds_said:>9}  {result.how}"
    return "\n".join([text, *(f"    {finding}" for finding in result.findings)])


def machine() -> str:
    """What it ran on, as far as it matters: cores, system, Python."""
    return f"{os.cpu_count()} cores, {platform.system()} on {platform.machine()}, Python {platform.python_version()}"


def _line(content: dict[str, Any]) -> Line:
    result = content["result"]
    return Line(
        content["name"],
        content["title"],
        Result(**{**result, "findings": tuple(result["findings"])}),
        content["seconds"],
        content["size"],
    )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """The file for one run at a time; another waits, for what is done in between takes no time."""
    end = time.monotonic() + 60
    while True:
        with ExitStack() as stack:
            try:
                stack.enter_context(held(path))
            except InputError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
                continue
            yield
            return


def _plain(text: str) -> str:
    return text.replace("|", "\\|")
