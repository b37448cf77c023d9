"""What is told of work while it goes on, and what a user should know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int], None]
"""Told (done, all) as work goes on."""


@dataclass(frozen=True, slots=True)
class Note:
    """One sentence, or a part of one.

    ``remedy`` names the setting that would help, as that of a ``HeadcountError`` does.
    """

    text: str
    remedy: str = ""
