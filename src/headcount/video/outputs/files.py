"""Tables that grow at their end: CSV for spreadsheets, JSON lines for programs. What is there is never written over."""

from __future__ import annotations

import csv
import io
import os
from contextlib import ExitStack, suppress
from pathlib import Path

from headcount.core.errors import InputError
from headcount.core.files import file_size, refuse_taken, writing
from headcount.core.locks import held
from headcount.data.parse.csv import plain_cell
from headcount.video.measurement import Measurement, Record
from headcount.video.outputs.columns import COLUMNS, rows_of
from headcount.video.outputs.table import Picture
from headcount.video.site import Site


class _Growing:
    """A text file that whole lines are added to, each written through at once; held against other runs.

    A line that a full disk cut off is taken back. Where the file was moved away (logs are rotated so), a new one is
    begun.
    """

    def __init__(self, path: Path, head: bytes) -> None:
        self.path, self._head = path, head
        refuse_taken(path, overwrite=True)
        self._held = ExitStack()
        self._held.enter_context(held(path))
        try:
            with writing(path):
                self._open()
        except BaseException:
            self._held.close()
            raise

    def add(self, lines: bytes) -> None:
        """Add lines.

        Raises:
            OSError: they were not, or not wholly, and what was of them is taken back.
        """
        if self._was_moved():
            os.close(self._descriptor)
            self._open()
        if not os.fstat(self._descriptor).st_size:
            lines = self._head + lines
        before = os.fstat(self._descriptor).st_size
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, before)
            raise

    def close(self) -> None:
        """Let another run have it."""
        os.close(self._descriptor)
        self._held.close()

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(self.path, flags, 0o644)
        size = os.fstat(self._descriptor).st_size
        if size and _last_byte(self.path, size) != b"\n":  # a line that a crash cut off
            os.write(self._descriptor, b"\n")

    def _was_moved(self) -> bool:
        try:
            return not os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except OSError:
            return True


class CsvFile:
    """Measures as CSV: a row for the camera's view and one for each zone of every frame; the header stands once.

    Raises:
        InputError: the file has other columns, cannot be written, or is held by another run.
    """

    name = "csv"

    def __init__(self, path: Path, site: Site, folder: Path) -> None:
        path = folder / path
        head = _csv([list(COLUMNS)])
        _refuse_other(path, head)
        self._file = _Growing(path, head)

    def take(self, record: Record, picture: Picture | None) -> None:
        """Add the rows of a measurement; other records have none."""
        if isinstance(record, Measurement):
            self._file.add(_csv(rows_of(record)))

    def close(self) -> None:
        """Let another run have the file."""
        self._file.close()


class JsonLines:
    """Every record as a line of JSON, in the fields of its class; ``kind`` tells which that is.

    Raises:
        InputError: the file holds something else, cannot be written, or is held by another run.
    """

    name = "jsonl"

    def __init__(self, path: Path, site: Site, folder: Path) -> None:
        path = folder / path
        _refuse_other(path, b"{")
        self._file = _Growing(path, b"")

    def take(self, record: Record, picture: Picture | None) -> None:
        """Add its line."""
        self._file.add(record.model_dump_json().encode() + b"\n")

    def close(self) -> None:
        """Let another run have the file."""
        self._file.close()


def _refuse_other(path: Path, begin: bytes) -> None:
    """Stop where a file with something in it does not begin as it should."""
    if not path.exists() or not file_size(path):
        return
    with writing(path), path.open("rb") as file:
        found = file.read(len(begin))
    if found != begin:
        what = "other columns" if begin != b"{" else "no JSON lines"
        raise InputError(f'"{path}" exists already and holds {what}: nothing is added to it; choose another name.')


def _csv(rows: list[list[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([plain_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _last_byte(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1)
