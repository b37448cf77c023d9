"""What an experiment is, and the folder that it works in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Size = Literal["short", "long"]
"""``short``: seconds, in every run of the tests; ``long``: what the table in the documentation is made of."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an experiment.

    Attributes:
        tried: how many times something was done that could have gone wrong; 0 where it could not be tried here.
        survived: how many times it went as it must.
        how: how it was tried, and what surviving means, in a few words; where nothing was tried, why.
        findings: a sentence for each time that it did not.
    """

    tried: int
    survived: int
    how: str
    findings: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether something was tried, and all of it survived."""
        return 0 < self.tried == self.survived and not self.findings


@dataclass(frozen=True, slots=True)
class Experiment:
    """One line of the table.

    Attributes:
        name: what is written to run it alone.
        title: what is tried, as the table says it.
        run: tries it.
    """

    name: str
    title: str
    run: Callable[[Size], Result]


def result_of(tried: int, findings: list[str], how: str) -> Result:
    """Of so many tries, each with one finding at most."""
    return Result(tried, tried - len(findings), how, tuple(findings))


_base: Path | None = None


@contextmanager
def kept_in(folder: Path | None) -> Iterator[None]:
    """What experiments make in this block stays in ``folder``; None: nowhere."""
    global _base
    before, _base = _base, folder
    try:
        yield
    finally:
        _base = before


@contextmanager
def work_folder(name: str) -> Iterator[Path]:
    """A new, empty folder for an experiment; gone afterwards unless it shall be kept."""
    if _base is not None:
        _base.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_base)).resolve()
    try:
        yield folder
    finally:
        if _base is None:
            shutil.rmtree(folder, ignore_errors=True)
