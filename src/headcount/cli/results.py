"""Counts on a terminal: a sentence for one image, a table and a summary for many."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headcount.cli.console import printable, shorten
from headcount.core.words import people, percent, plural, whole_people, whole_range, with_range

if TYPE_CHECKING:
    from rich.console import Console

    from headcount.data.formats.kept_rows import KeptRow


@dataclass(frozen=True, slots=True)
class CountLine:
    """What is kept of a prediction until the end: of thousands of images neither maps nor points."""

    name: str
    count: float
    interval: tuple[float, float] | None
    size_wh: tuple[int, int]
    is_frame: bool = False
    level: float | None = None

    @classmethod
    def of_row(cls, row: KeptRow, level: float) -> CountLine:
        """Of a row of a file of results; a frame's name ends in its second. ``level`` is that of the whole run."""
        is_frame = re.search(r"\.\w+@\d+\.\d+s$", row.source) is not None
        return cls(row.source, row.count, row.interval, row.size_wh, is_frame, level)

    @property
    def people(self) -> int:
        """The count as it is shown, and added up."""
        return whole_people(self.count)

    @property
    def range_text(self) -> str:
        """The range; empty where there is none."""
        return "" if self.interval is None else whole_range(self.interval)


def print_one(console: Console, row: CountLine, *, region: str = "") -> None:
    """``photo.jpg: 123 people, 90 %: 108–139``, on a line of its own however long the name is.

    ``region``: inside which file's.
    """
    text = f"{printable(row.name)}: {people(row.people)}{_inside(region)}{with_range(row.interval, row.level)}"
    console.print(text, soft_wrap=True)


def print_table(console: Console, rows: Sequence[CountLine]) -> None:
    """A line an image, names shortened in the middle, within the console's width."""
    from rich.table import Table
    from rich.text import Text

    # The folder all have in common says nothing here and takes the room of what tells them apart.
    common = _common_folder([row.name for row in rows])
    names = [printable(row.name[len(common) :]) for row in rows]
    numbers = [f"{row.people:,}" for row in rows]
    sizes = [f"{row.size_wh[0]}×{row.size_wh[1]}" for row in rows]
    ranges = [row.range_text for row in rows]
    level = next((row.level for row in rows if row.interval is not None), None)
    columns = [("people", numbers), ("range" if level is None else f"range {percent(level)}", ranges), ("size", sizes)]
    columns = [(title, cells) for title, cells in columns if any(cells)]
    widths = {title: max(len(title), *map(len, cells)) for title, cells in columns}
    room = max(12, console.width - sum(width + 2 for width in widths.values()))

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
    first = f"image (in {printable(common)})" if common else "image"
    table.add_column(Text(shorten(first, room)), no_wrap=True)
    for title in widths:
        table.add_column(title, justify="right", no_wrap=True, min_width=widths[title])
    for number, name in enumerate(names):
        table.add_row(Text(shorten(name, room)), *(Text(cells[number]) for _, cells in columns))
    console.print(table)


def print_summary(console: Console, rows: Sequence[CountLine], skipped: int, *, region: str = "") -> None:
    """How many in all and at most; frames of a video show the same people again, so they are not added up."""
    if rows:
        most = max(rows, key=lambda row: row.count)
        frames = any(row.is_frame for row in rows)
        total = sum(row.people for row in rows)
        parts = [plural(len(rows), "frame" if all(row.is_frame for row in rows) else "image")]
        if not frames:
            parts[0] += f": {people(total)} in all"
        parts[0] += _inside(region)
        if len(rows) > 1:
            parts += [f"{total / len(rows):,.1f} on average", f"at most {most.people:,}"]
        text = ", ".join(parts)
        room = console.width - len(text) - 3
        if len(rows) > 1 and room >= 12:
            text += f" ({shorten(_tail(most.name), room)})"
        console.print(text, style="bold", soft_wrap=True)
    if skipped:
        console.print(f"{plural(skipped, 'file')} could not be counted and {'was' if skipped == 1 else 'were'} skipped")


def _inside(region: str) -> str:
    return region and f" inside {_tail(region)}"


def _common_folder(names: Sequence[str]) -> str:
    if len(names) < 2:
        return ""
    first, last = min(names), max(names)  # what these two share, all share
    alike = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[: first.rfind(os.sep, 0, alike) + 1]


def _tail(name: str) -> str:
    return printable(name[name.rfind(os.sep) + 1 :])
