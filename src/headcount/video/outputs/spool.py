"""Records that wait on the disk until their receiver has taken them: in order, none lost, each with an id of its own.

They are lines in files of some megabytes (``00000001.records``, …), which grow at their end and are deleted once all of
their records were taken. Files rather than a database: on a full disk a database cannot even delete, which takes room,
while a file that is deleted gives some. Each line is written and synced before it counts as kept; one that a crash cut
off is told by its checksum. Which record comes next is in ``position``, which is overwritten in place: should it be
older than what was taken, records are handed over again under the same id, by which receivers drop them.

Where the disk is full, or the records that wait have reached their bound, newer ones wait in memory, some thousands at
most, are handed over from there, and are written once that is possible.
"""

from __future__ import annotations

import os
import re
import threading
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from headcount.core.files import discard, flush_folder, writing
from headcount.core.locks import held
from headcount.video.measurement import Record

RECORDS: TypeAdapter[Record] = TypeAdapter(Record)
_NAME = re.compile(r"(\d{8})\.records")
_MEGABYTE = 1_000_000
_TRY_BYTES = 2**16
_LINES = 256
"""Written and synced at once."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that waits.

    Attributes:
        id: its own, ``RUN-NUMBER``: no other record ever has it.
        record: what waits.
    """

    id: str
    record: Record

    @property
    def run(self) -> str:
        """Of the process that wrote it: its times of running each have their own."""
        return self.id.rpartition("-")[0]


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """Where a line begins: the number of its file, and the byte in it."""

    file: int
    byte: int


class Spool:
    """The records that wait for one receiver. One thread writes, another reads; the folder is held while it is open.

    Args:
        folder: where the files are; it is made.
        most_megabytes: that the files may hold.
        file_megabytes: that one file holds, about.
        most_in_memory: records that wait in memory where the disk takes none.

    Raises:
        InputError: the folder cannot be made or written to, or another run holds it.

    Attributes:
        run: begins the ids of what is written from now on.
        trouble: why the newest records wait in memory or are lost, in a sentence; empty where they do not.
        lost: records that were neither written nor kept in memory, or whose line was found damaged.
    """

    def __init__(
        self, folder: Path, *, most_megabytes: float = 1024, file_megabytes: float = 4, most_in_memory: int = 5000
    ) -> None:
        self.folder, self.run = folder, uuid4().hex[:16]
        self.trouble, self.lost = "", 0
        self._most_bytes, self._file_bytes = int(most_megabytes * _MEGABYTE), int(file_megabytes * _MEGABYTE)
        self._most_megabytes = most_megabytes
        self._most_in_memory = most_in_memory
        self._memory = deque[tuple[str, bytes]]()
        self._number = 0
        self._lock = threading.RLock()
        self._writing: int | None = None  # an open descriptor
        self._peeked: list[_Place] = []  # where the line after each of them begins; of those in memory there is none
        self._peeked_in_memory = 0
        self._is_closed = False
        self._open = ExitStack()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._open.enter_context(held(folder))
        try:
            with writing(folder):
                self._sizes = {int(match[1]): path.stat().st_size for path, match in self._files()}
                self._position = self._read_position()
                self._end = _Place(max(self._sizes, default=self._position.file), 0)
                self._on_disk = sum(1 for _ in self._lines(count_lost=True))
            self._end = _Place(self._end.file + 1, 0)  # behind a line that a crash may have cut off
        except BaseException:
            self._open.close()
            raise

    def __len__(self) -> int:
        return self._on_disk + len(self._memory)

    def append(self, records: Sequence[Record]) -> None:
        """Keep records, in this order, after those that wait. What the disk does not take waits in memory."""
        lines = [(f"{self.run}-{self._number + at}", record) for at, record in enumerate(records, start=1)]
        self._number += len(records)
        with self._lock:
            self._memory.extend((name, _line(name, record)) for name, record in lines)
            self.flush()
            surplus = len(self._memory) - self._most_in_memory
            for _ in range(surplus):  # the newest: what waits longest is what a receiver misses first
                self._memory.pop()
                self.lost += 1

    def flush(self) -> None:
        """Write what waits in memory, if the disk takes it now."""
        with self._lock:
            while self._memory and not self._peeked_in_memory:
                lines = [line for _, line in islice(self._memory, _LINES)]
                self.trouble = self._refusal(b"".join(lines))
                if self.trouble:
                    return
                self._on_disk += len(lines)
                for _ in lines:
                    self._memory.popleft()
            if self.trouble and not self._memory and self._has_room():  # what waited in memory was taken from there
                self.trouble = ""

    def _has_room(self) -> bool:
        """Whether the disk takes records again: tried with a file that nobody needs."""
        if sum(self._sizes.values()) >= self._most_bytes:
            return False
        path = self.folder / "try"
        try:
            path.write_bytes(bytes(_TRY_BYTES))
        except OSError:
            return False
        finally:
            discard(path)
        return True

    def _refusal(self, data: bytes) -> str:
        """Why some lines could not be written; empty where they were."""
        if sum(self._sizes.values()) + len(data) > self._most_bytes:
            return (
                f'"{self.folder}" holds {self._most_megabytes:,g} MB of records that wait, as many as it may: newer '
                "ones wait in memory, and are lost when that is full."
            )
        try:
            self._write(data)
        except OSError as error:
            return (
                f'"{self.folder}" takes no more records ({error.strerror or error}): they wait in memory, and are '
                "lost when that is full; make room on the disk."
            )
        return ""

    def peek(self, most: int) -> list[Waiting]:
        """The next records to hand over, the one that waits longest first. Call ``drop`` before you peek again.

        Raises:
            OSError: the disk does not give them now.
        """
        with self._lock:
            self._peeked, self._peeked_in_memory = [], 0
            found = list[Waiting]()
            for waiting, after in self._lines():
                found.append(waiting)
                self._peeked.append(after)
                if len(found) == most:
                    return found
            self.lost += max(0, self._on_disk - len(found))  # somebody deleted files, or damaged them
            self._on_disk = len(found)
            in_memory = [_parsed(line) for _, line in islice(self._memory, most - len(found))]
            self._peeked_in_memory = len(in_memory)
            return found + [waiting for waiting in in_memory if waiting is not None]

    def drop(self, number: int) -> None:
        """The first so many of those peeked at were taken, or shall not be handed over any more."""
        with self._lock:
            if self._is_closed:  # another run may have it by now; what was taken is handed over again, and dropped
                return
            of_disk = min(number, len(self._peeked))
            if of_disk:
                self._on_disk -= of_disk
                self._move_to(self._peeked[of_disk - 1])
            for _ in range(number - of_disk):
                self._memory.popleft()
            self._peeked, self._peeked_in_memory = [], 0

    def set_aside(self, waiting: Waiting, reason: str) -> None:
        """Keep a record that its receiver will never take in ``refused.txt``, for people; it counts as lost."""
        self.lost += 1
        with suppress(OSError), (self.folder / "refused.txt").open("a", encoding="utf-8") as file:
            file.write(f"{reason}\n{waiting.record.model_dump_json()}\n")

    def close(self) -> None:
        """Write what can be, and let another run have the folder."""
        with self._lock:
            self._peeked_in_memory = 0
            self.flush()
            self._finish_file()
            if not self._on_disk:
                self._move_to(self._end)
            self._is_closed = True
            self._open.close()

    def _files(self) -> Iterator[tuple[Path, re.Match[str]]]:
        for path in self.folder.iterdir():
            if (match := _NAME.fullmatch(path.name)) is not None:
                yield path, match

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.records"

    def _write(self, data: bytes) -> None:
        """Append lines to the newest file, all or none."""
        if self._writing is not None and not os.fstat(self._writing).st_nlink:
            self._finish_file()  # somebody deleted it: what is written there, nobody would ever read
        if self._writing is None:
            path = self._path(self._end.file)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._writing = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
            flush_folder(self.folder)
        before = self._end.byte
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._writing, rest) :]
            os.fsync(self._writing)
        except OSError:
            try:
                os.ftruncate(self._writing, before)
            except OSError:  # the checksum tells what was cut off, at the end of a file
                self._finish_file()
            raise
        self._end = _Place(self._end.file, before + len(data))
        self._sizes[self._end.file] = self._end.byte
        if self._end.byte >= self._file_bytes:
            self._finish_file()

    def _finish_file(self) -> None:
        if self._writing is not None:
            os.close(self._writing)
            self._writing = None
            self._end = _Place(self._end.file + 1, 0)

    def _lines(self, *, count_lost: bool = False) -> Iterator[tuple[Waiting, _Place]]:
        """The records on the disk that were not taken, each with where the next one begins."""
        for number in sorted(file for file in self._sizes if file >= self._position.file):
            byte = self._position.byte if number == self._position.file else 0
            try:
                file = self._path(number).open("rb")
            except FileNotFoundError:  # somebody deleted it; another error may be over next time
                continue
            with file:
                file.seek(byte)
                for line in file:
                    byte += len(line)
                    if (waiting := _parsed(line)) is not None:
                        yield waiting, _Place(number, byte)
                    elif count_lost and line.endswith(b"\n"):  # one that was cut off was never kept
                        self.lost += 1

    def _move_to(self, place: _Place) -> None:
        self._position = place
        for number in sorted(self._sizes):
            is_whole = number < place.file or (number == place.file and place.byte >= self._sizes[number])
            if not is_whole or (self._writing is not None and number == self._end.file):
                break
            discard(self._path(number))
            del self._sizes[number]
            self._position = _Place(number + 1, 0) if number == place.file else place
        self._write_position()

    def _read_position(self) -> _Place:
        first = _Place(min(self._sizes, default=1), 0)
        try:
            file, byte, check = (self.folder / "position").read_text(encoding="ascii").split()
            is_whole = int(check, 16) == zlib.crc32(f"{file} {byte}".encode())
            return max(_Place(int(file), int(byte)), first) if is_whole else first
        except (OSError, ValueError):
            return first

    def _write_position(self) -> None:
        text = f"{self._position.file:010d} {self._position.byte:020d}"
        line = f"{text} {zlib.crc32(text.encode()):08x}\n".encode()
        with suppress(OSError):  # older than it might be: some are handed over again, under the same ids
            descriptor = os.open(self.folder / "position", os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)


def _line(name: str, record: Record) -> bytes:
    text = f"{name} {record.model_dump_json()}".encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parsed(line: bytes) -> Waiting | None:
    """The record of a line; None where it was cut off or damaged."""
    check, _, text = line.rstrip(b"\n").partition(b" ")
    name, _, record = text.partition(b" ")
    if not line.endswith(b"\n") or check != b"%08x" % zlib.crc32(text):
        return None
    try:
        return Waiting(name.decode(), RECORDS.validate_json(record))
    except ValidationError:  # of another version of headcount
        return None
