"""What a user should know of work that went on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """One sentence, or a part of one.

    ``remedy`` names the setting that would help, as that of a ``HeadcountError`` does.
    """

    text: str
    remedy: str = ""
