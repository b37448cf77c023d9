"""What could not be used, and what reading left out, said on standard error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headcount.core.notes import Skipped
    from headcount.data.formats.truth import Told


def show_skipped(skipped: Iterable[Skipped]) -> None:
    """A line for each image that could not be used."""
    from headcount.cli.console import error_console, printable

    for one in skipped:
        error_console().print(f"Skipped: {printable(one.text)}")


def show_told(told: Iterable[Told], data: str = "") -> None:
    """A line for each kind of what was left out, moved or is in doubt; ``data`` says of what."""
    from headcount.cli.console import error_console, printable

    for one in told:
        error_console().print(f"Note: {printable(data)}{data and ': '}{printable(one.text)}")
