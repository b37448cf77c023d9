"""What is told of work while it goes on, and what a user should know of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from headcount.core.errors import HeadcountError, InputError

Progress = Callable[[int, int], None]
"""Told (done, all) as work goes on."""


@dataclass(frozen=True, slots=True)
class Note:
    """One sentence, or a part of one.

    ``remedy`` names the setting that would help, as that of a ``HeadcountError`` does.
    """

    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """One image, frame or file that could not be used, and why; the rest goes on."""

    name: str
    error: Exception

    @property
    def text(self) -> str:
        """The reason in a sentence: a HeadcountError names its file itself, other exceptions do not."""
        if isinstance(self.error, HeadcountError):
            return self.error.message
        return f'"{self.name}" ({type(self.error).__name__}: {self.error})'

    @property
    def remedy(self) -> str:
        """What would help, as in ``HeadcountError``."""
        return self.error.remedy if isinstance(self.error, HeadcountError) else ""


def raise_first(skipped: Sequence[Skipped]) -> NoReturn:
    """Where nothing at all could be used: what the first one raised is the error of the whole.

    Raises:
        HeadcountError: that, or an InputError with its text.
    """
    first = skipped[0]
    if isinstance(first.error, HeadcountError):
        raise first.error
    raise InputError(f"{first.text}.") from first.error
