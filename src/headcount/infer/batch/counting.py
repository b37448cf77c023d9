"""RowCounter: entries in, rows out; the one class that every engine runs, a process, Ray, Daft or Spark alike."""

from __future__ import annotations

import errno
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from time import perf_counter

import pyarrow as pa

from headcount.core.addresses import without_secrets
from headcount.core.ahead import in_order
from headcount.core.card import sha256_of
from headcount.core.errors import HeadcountError, InputError, ModelError
from headcount.core.image import EncodedImage, count_pictures
from headcount.core.prediction import Prediction
from headcount.core.region import RegionDiffersError
from headcount.core.scene import Scene
from headcount.data.manifests.addresses import is_address, open_file, read_file
from headcount.data.manifests.entries import Entry
from headcount.data.manifests.tars import members_of
from headcount.data.media.sources import Item, SourceFile, read_items
from headcount.data.media.video import is_video_name
from headcount.infer.batch.rows import Row, path_of, rows_table
from headcount.infer.batch.settings import BatchSettings, fingerprint

_AHEAD = 2
_VIDEO_BYTES_MAX = 2**36
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class _Step:
    """What an entry holds next: an image that is read by another thread, or what a video gave."""

    number: int
    entry: Entry
    item: Item | None = None
    frame: int | None = None
    sha256: str | None = None
    size: int | None = None
    is_last: bool = True


class RowCounter:
    """Counts entries with one model, which is opened once, when this is made; make it where it is used.

    >>> import pyarrow as pa
    >>> count = RowCounter(BatchSettings(model="headcount-n", threads=1))
    >>> rows = count(pa.table({"number": [0], "address": ["no.jpg"], "member": [None]}))
    >>> rows["error"].to_pylist()
    ['There is no file or folder "no.jpg": check the path.']

    Args:
        settings: what to count with.
        expected: the fingerprint that the rows must have; empty: whichever it is.

    Raises:
        HeadcountError: as ``headcount.load``, or the fingerprint here is another one.

    Attributes:
        fingerprint: that of its rows.
        described: what that is made of.
    """

    def __init__(self, settings: BatchSettings, expected: str = "") -> None:
        self.settings = settings
        self._counter = settings.open()
        self.described = settings.described(self._counter)
        self.fingerprint = fingerprint(self.described)
        if expected and self.fingerprint != expected:
            raise ModelError(
                f"Rows of this batch have the fingerprint {expected}, but here they would have {self.fingerprint} "
                f"({self.described['runtime']}): have the same model, runtime and precision everywhere."
            )

    def __call__(self, entries: pa.Table) -> pa.Table:
        """The rows of some entries, in their order.

        Args:
            entries: ``number``, ``address`` and ``member`` (null or empty: the file itself); ``offset`` and ``size``
                where the plan holds them.

        Returns:
            A table of the schema ``ROWS``: one row an image, of a video one a frame. What cannot be counted has an
            ``error``.

        Raises:
            OSError: there is no space left on the device.
        """
        return self.table([row for _, rows in self.each(entries) for row in rows])

    def table(self, rows: list[Row]) -> pa.Table:
        """Rows as a table."""
        settings = self.settings
        return rows_table(
            rows, model=self._counter.card.name, fingerprint=self.fingerprint, points=settings.points,
            boxes=settings.boxes,
        )  # fmt: skip

    def each(
        self, entries: pa.Table, is_stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[int, list[Row]]]:
        """The rows of each entry as they come, with its number; the next two are read while one is counted.

        Args:
            entries: as of ``__call__``.
            is_stopped: asked before each image and frame; where it says so, this ends, and gives no rows of a video
                that it is in the midst of.

        Raises:
            OSError: as of ``__call__``.
        """
        rows: list[Row] = []
        refused: set[int] = set()
        for step, looked_at in in_order(self._steps(entries, refused), self._look, ahead=lambda: _AHEAD):
            if is_stopped():
                return
            row = self._row(step, looked_at, refused)
            if row is not None:
                rows.append(row)
            elif step.item is not None and step.item.remark:
                _remark(rows, step)
            if step.is_last:
                yield step.number, rows
                rows = []

    def _steps(self, entries: pa.Table, refused: set[int]) -> Iterator[_Step]:
        """``refused``: the numbers of videos whose other frames are not looked at; it grows meanwhile."""
        for number, entry in entries_of(entries):
            if entry.member or not is_video_name(_path_of(entry.address)):
                yield _Step(number, entry)
            else:
                yield from self._frames(number, entry, refused)

    def _frames(self, number: int, entry: Entry, refused: set[int]) -> Iterator[_Step]:
        """The frames of a video, and at last an end; one at an address is fetched to a file of its own first."""
        frame = 0
        try:
            with _on_disk(entry.address) as path:
                sha256, size = sha256_of(path), path.stat().st_size
                file = SourceFile(path, "video")
                settings = self.settings
                for item in read_items(file, every_s=settings.every_s, max_pixels=settings.max_pixels):
                    if number in refused:
                        break
                    named = replace(item, remark=item.remark.replace(str(path), entry.address))
                    is_frame = item.scene is not None
                    yield _Step(number, entry, named, frame if is_frame else None, sha256, size, is_last=False)
                    frame += is_frame
        except Exception as error:
            _end_where_the_disk_is_full(error)
            problem = error if isinstance(error, InputError) else InputError(_told(error, entry))
            yield _Step(number, entry, Item(entry.address, problem=problem), is_last=False)
        yield _Step(number, entry, Item(entry.address, remark=""), is_last=True)

    def _look(self, step: _Step) -> Row | None:
        """Count what a step holds, by another thread."""
        started = perf_counter()
        row = Row(step.number, step.entry.address, step.entry.member, step.frame, sha256=step.sha256, size=step.size)
        if step.item is None:
            content = _content_of(step.entry)
            row = replace(row, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
            image = EncodedImage(content, step.entry.name)
            try:
                found = self._count(image)
            except Exception as error:
                _end_where_the_disk_is_full(error)
                return replace(row, error=_told(error, step.entry), seconds=perf_counter() - started)
            warnings = found.warnings
            if (pictures := count_pictures(image)) > 1:
                warnings = (*warnings, f"The file holds {pictures:,} pictures, of which the first was counted.")
            return replace(row, prediction=found, warnings=warnings, seconds=perf_counter() - started)
        if step.item.problem is not None:
            raise step.item.problem
        if step.item.scene is None:
            return None
        found = self._count(step.item.scene)
        second = float(step.item.name.rpartition("@")[2].removesuffix("s"))
        return replace(row, second=second, prediction=found, warnings=found.warnings, seconds=perf_counter() - started)

    def _count(self, image: EncodedImage | Scene) -> Prediction:
        region = self.settings.region
        return self._counter.count(image) if region is None else self._counter.count(image, region=region)

    def _row(self, step: _Step, looked_at: Future[Row | None], refused: set[int]) -> Row | None:
        try:
            return looked_at.result()
        except Exception as error:
            _end_where_the_disk_is_full(error)
            if step.number in refused:
                return None
            if isinstance(error, RegionDiffersError) and step.frame is not None:
                refused.add(step.number)  # so would all of the video's frames be
            return Row(
                step.number, step.entry.address, step.entry.member, step.frame, sha256=step.sha256, size=step.size,
                error=_told(error, step.entry),
            )  # fmt: skip


def entries_of(table: pa.Table) -> Iterator[tuple[int, Entry]]:
    """The entries of a table, with their numbers; columns that it lacks are null."""
    names = [name for name in ("number", "address", "member", "offset", "size") if name in table.column_names]
    for batch in table.select(names).to_batches():
        for row in batch.to_pylist():
            entry = Entry(row["address"], row.get("member") or "", row.get("offset"), row.get("size"))
            yield int(row["number"]), entry


def _remark(rows: list[Row], step: _Step) -> None:
    """What is to be known of a video goes to its last row."""
    assert step.item is not None
    if rows:
        rows[-1] = replace(rows[-1], warnings=(*rows[-1].warnings, step.item.remark))


def _content_of(entry: Entry) -> bytes:
    if not entry.member:
        return read_file(entry.address if is_address(entry.address) else str(path_of(entry.address)))
    offset, size = entry.offset, entry.size
    if offset is None or size is None:
        members = members_of(entry.address)
        if entry.member not in members:
            raise InputError(f'The tar "{entry.address}" holds no image "{entry.member}": check its name.')
        offset, size = members[entry.member]
    return read_file(entry.address, offset=offset, size=size)


def _path_of(address: str) -> Path:
    return Path(PurePosixPath(address.partition("?")[0])) if is_address(address) else Path(address)


@contextmanager
def _on_disk(address: str) -> Iterator[Path]:
    """A video as a file: OpenCV reads no others."""
    if not is_address(address):
        yield path_of(address)
        return
    with tempfile.TemporaryDirectory(prefix="headcount-") as folder:
        path = Path(folder) / f"video{_path_of(address).suffix.lower()}"
        with open_file(address, forward=True) as source, path.open("wb") as target:
            for block in _blocks(source.read, address):
                target.write(block)
        yield path


def _blocks(read: Callable[[int], bytes], address: str) -> Iterator[bytes]:
    left = _VIDEO_BYTES_MAX
    while block := read(_BLOCK):
        left -= len(block)
        if left < 0:
            raise InputError(f'"{address}" has more than {_VIDEO_BYTES_MAX:,} bytes: cut the video into several.')
        yield block


def _told(error: Exception, entry: Entry) -> str:
    """Why an entry could not be counted, in a sentence."""
    if isinstance(error, HeadcountError):
        return error.message
    return without_secrets(f'"{entry.name}" ({type(error).__name__}: {str(error)[:500]})')


def _end_where_the_disk_is_full(error: Exception) -> None:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        raise error
