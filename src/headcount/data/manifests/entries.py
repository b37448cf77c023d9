"""One thing to be counted, as a manifest names it, and how a reader is told what to take of what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from headcount.core.notes import Note, Skipped
from headcount.data.media.sources import LeftAside


@dataclass(frozen=True, slots=True)
class Entry:
    """An image or a video.

    Attributes:
        address: the absolute path of a file, or its address (``s3://bucket/a.jpg``).
        member: of a tar, the name of the member in it; empty where the file itself is meant.
        offset: of a tar, where the member's bytes begin, where that is known.
        size: how many bytes it has, where that is known.
    """

    address: str
    member: str = ""
    offset: int | None = None
    size: int | None = None

    @property
    def name(self) -> str:
        """What people are told: the file, and the member in it."""
        return f"{self.address}/{self.member}" if self.member else self.address


@dataclass(frozen=True, slots=True)
class ManifestOptions:
    """What to take of a source.

    ``recursive``: of a folder, the images in folders inside it, too. ``column``: of a table, the column that holds the
    addresses; empty: the first there is of ``COLUMNS``.
    """

    recursive: bool = False
    column: str = ""


COLUMNS = ("address", "path", "image", "url")
"""Columns that hold addresses, the first one there is is taken."""

Met = Entry | LeftAside | Note | Skipped
"""What a reader gives: what is to be counted, what is not, and what to know of it."""

ManifestReader = Callable[[str, ManifestOptions], Iterator[Met]]
"""A row of the table of kinds: the path or address of a source → what it names, in its order."""
