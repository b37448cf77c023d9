"""Words and tables for a terminal of 80 columns: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from headcount.cli.streams import printable as printable  # it is where words for a terminal are

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

_WIDEST = 100
_NOT_IN_PLACE: Any = {"redirect_stdout": False, "redirect_stderr": False}
"""Rich's bar must not stand in the place of the streams, which let only printable text through: not even its own."""


def output_console() -> Console:
    """Standard output, at most 100 columns wide (80 where it is no terminal)."""
    console = _console()
    console.width = min(console.width, _WIDEST) if console.is_terminal else 80
    return console


def _console(**settings: Any) -> Console:
    """A console that lets only printable text through: rich takes away some control characters, but no escapes."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Plain(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else segment._replace(text=printable(segment.text, keep="\n"))

    return Plain(highlight=False, markup=False, emoji=False, **settings)


def print_wrapped(text: str) -> None:
    """A paragraph on standard output, indented, its further lines a little more."""
    import textwrap

    out = output_console()
    lines = textwrap.fill(text, out.width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    out.print(lines, soft_wrap=True)


@cache  # a note that is printed by another console than the progress bar's would be printed into the bar
def error_console() -> Console:
    """Standard error, for progress, notes and skipped files."""
    return _console(stderr=True, soft_wrap=True)


@contextmanager
def progress_bar(doing: str, *, quiet: bool = False) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on standard error, told (done, all) or (done, None); nothing where standard error is no terminal, or
    ``quiet``.

    One thing alone has no bar.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=error_console(), transient=True, **_NOT_IN_PLACE) as bar:
        task = bar.add_task(doing, total=None, visible=False)

        def show(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total, visible=total != 1)

        yield show


def shorten(text: str, width: int) -> str:
    """At most ``width`` columns, the middle left out: the end of a path says most, its beginning where it is.

    A terminal gives two columns to a letter such as 人.

    >>> shorten("holiday/2024/IMG_20240817.jpg", 20)
    'holiday…20240817.jpg'
    >>> shorten("演唱会现场照片.jpg", 12)
    '演唱…片.jpg'
    """
    from rich.cells import cell_len

    if cell_len(text) <= width:
        return text
    if width < 3:
        return text[: _fitting(text, width)]
    head = (width - 1) * 2 // 5
    tail = _fitting(reversed(text), width - 1 - head)
    return f"{text[: _fitting(text, head)]}…{text[len(text) - tail :]}"


def _fitting(letters: Iterable[str], columns: int) -> int:
    """How many of the letters fit into so many columns."""
    from rich.cells import cell_len

    number = 0
    for letter in letters:
        columns -= cell_len(letter)
        if columns < 0:
            break
        number += 1
    return number


def argument_name(argument: Any) -> str:
    """An argument as the usage and the help show it: ``SOURCE...`` where there may be many, ``[PHOTO]`` where none."""
    name = (argument.metavar or argument.name.upper()) + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"
