"""A run over sources: what is counted, what is to be known of it, and what could not be counted, as it comes.

The command line, the server and a monitor run the same job; each shows its events in its own way.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headcount.core.ahead import in_order
from headcount.core.errors import InputError
from headcount.core.files import is_file, is_folder
from headcount.core.image import count_pictures
from headcount.core.notes import Note, Skipped
from headcount.core.region import RegionDiffersError
from headcount.core.words import plural
from headcount.core.writers import TextWriter, writer_row
from headcount.data.formats.predictions import OnePrediction, PredictionFile, PredictionStream
from headcount.data.media.sources import (
    Item,
    LeftAside,
    SourceFile,
    expand_source,
    expected_items,
    note_of,
    note_of_pictures,
    read_items,
)
from headcount.infer.overlays import OverlayFolder
from headcount.infer.resume import RunRecord, State, go_on, settings_of, state_of

if TYPE_CHECKING:
    from headcount.core.image import RgbImage
    from headcount.core.kinds import PictureKind
    from headcount.core.prediction import Prediction
    from headcount.core.region import Region
    from headcount.data.formats.kept_rows import KeptRow
    from headcount.infer.counter import Counter


@dataclass(frozen=True, slots=True)
class Counted:
    """One image or frame that was counted."""

    item: Item
    file: SourceFile
    prediction: Prediction


_AHEAD = 4
"""Two images, and the ends of their files."""

Event = Counted | Note | Skipped


@dataclass(frozen=True, slots=True)
class Sources:
    """What a user's arguments mean.

    Attributes:
        files: each once, in the order of the arguments.
        events: what cannot be counted, and what else is to be known.
        is_one_file: the arguments are one file and no list: its error is the error of the whole run.
        left_aside: how many files were met that are not counted.
    """

    files: tuple[SourceFile, ...]
    events: tuple[Note | Skipped, ...] = ()
    is_one_file: bool = False
    left_aside: int = 0


def find_sources(arguments: Sequence[str], *, recursive: bool = False) -> Sources:
    """The files of all arguments: images, folders, patterns, lists and videos; see ``expand_source``.

    Raises:
        InputError: the only argument means nothing that can be counted.
    """
    files: dict[str, SourceFile] = {}  # by where links lead
    events: list[Note | Skipped] = []
    left: dict[str, LeftAside] = {}
    repeated = 0
    for argument in arguments:
        try:
            found = expand_source(argument, recursive=recursive)
        except InputError as error:
            if len(arguments) == 1:
                raise
            found = [error]
        for file in found:
            if isinstance(file, InputError):
                events.append(Skipped(argument, file))
            elif isinstance(file, Note):
                events.append(file)
            elif isinstance(file, LeftAside):
                left[os.path.realpath(file.path)] = file
            elif (real := os.path.realpath(file.path)) in files:
                repeated += 1
            else:
                files[real] = file
    if repeated:
        events.append(Note(f"{plural(repeated, 'file')} named more than once: each is counted once."))
    aside = [each for real, each in left.items() if real not in files]
    if (note := note_of(aside)) is not None:
        events.append(note)
    one = len(arguments) == 1 and is_file(Path(arguments[0])) and not arguments[0].lower().endswith(".txt")
    return Sources(tuple(files.values()), tuple(events), is_one_file=one, left_aside=len(aside))


def open_results(
    path: Path, sources: Sources, *, overwrite: bool, resume: bool = False
) -> PredictionFile | OnePrediction:
    """The file that a run's predictions are written to; of one image it may be of a format that holds no many.

    Raises:
        InputError: as ``PredictionFile``, or the names of the images do not fit the format (NWPU's need numbers).
    """
    if sources.is_one_file and sources.files[0].kind == "image" and not resume and not writer_row(path).many:
        return OnePrediction(path, overwrite=overwrite)
    _refuse_names(path, sources)
    try:
        return PredictionFile(path, overwrite=overwrite, resume=resume)
    except InputError as error:
        if error.remedy == "overwrite" and RunRecord(path).path.exists():
            raise InputError(
                f'"{path}" holds the results of a run that was cut off: choose another name.', remedy="resume"
            ) from error
        raise


def open_stream(suffix: str, write: Callable[[bytes], object], sources: Sources) -> PredictionStream:
    """Where a run's predictions are written as they come, in the format of a suffix.

    Raises:
        InputError: as ``open_results``.
    """
    _refuse_names(Path(f"output{suffix}"), sources)
    return PredictionStream(suffix, write)


def _refuse_names(path: Path, sources: Sources) -> None:
    writer: TextWriter = writer_row(path, many=True).load()
    if writer.refuse is not None:
        writer.refuse(str(file.path) for file in sources.files)


def open_overlays(folder: Path, arguments: Sequence[str], sources: Sources, *, overwrite: bool) -> OverlayFolder:
    """The folder that a run's pictures are written to.

    Raises:
        InputError: as ``OverlayFolder``, or it is one of the folders being counted.
    """
    if any(is_folder(Path(argument)) and Path(argument).resolve() == folder.resolve() for argument in arguments):
        raise InputError(
            f'"{folder}" is a folder being counted, and its overlays would be counted next time: choose another.'
        )
    return OverlayFolder(folder, sources.files, overwrite=overwrite)


@dataclass(frozen=True, slots=True)
class _Step:
    """What a file holds next; None at its end. ``state`` is that of the file before it was opened."""

    file: SourceFile
    state: State
    item: Item | Skipped | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was counted, and the pixels to draw it on where that is asked for."""

    prediction: Prediction
    pixels: RgbImage | None


class Job:
    """One run over files with one model.

    What one file, frame or image raises is that item's failure, and the rest goes on; what ``results`` and
    ``overlays`` raise, a full disk and Ctrl-C end the run.

    Args:
        counter: the model.
        files: what is counted, in this order.
        every_s: seconds between the frames of a video.
        results: a file or stream that every prediction is added to.
        overlays: a folder that a picture of every prediction is written to.
        draw: what these pictures show.
        region: where people are counted; one whose corners are pixels is for images of one size, that of the first.
        resume: go on behind the rows that were in ``results`` before; see ``go_on``.

    Raises:
        InputError: as ``go_on``, the model gives nothing that such a picture shows, or the folder cannot be written to.

    Attributes:
        counted: how many items were, until now.
        skipped: how many could not be.
        incomplete: how many times a part of a file could not be read.
        kept: with ``resume``, the rows that stay.
    """

    def __init__(
        self,
        counter: Counter,
        files: Sequence[SourceFile],
        *,
        every_s: float = 1.0,
        results: PredictionFile | PredictionStream | OnePrediction | None = None,
        overlays: OverlayFolder | None = None,
        draw: PictureKind = "auto",
        region: Region | None = None,
        resume: bool = False,
    ) -> None:
        if overlays is not None:
            counter.refuse_picture(draw)
        self.kept: list[KeptRow] = []
        settings = settings_of(counter, every_s=every_s, region=region)
        self._record: RunRecord | None = None
        if isinstance(results, PredictionFile) and results.can_be_resumed:
            self._record = RunRecord(results.path)
            if resume:
                self.kept, files = go_on(results, files, settings)
        if region is not None and self.kept:
            region = region.of_images_of(self.kept[0].size_wh)
        if overlays is not None:
            overlays.make()
        if self._record is not None and not resume:  # the last step: a run that is refused leaves nothing behind
            self._record.start(settings, {})
        self.counter, self.files, self.every_s = counter, files, every_s
        self.results, self.overlays, self.draw, self.region = results, overlays, draw, region
        self.counted = self.skipped = self.incomplete = 0
        self._pictures: dict[str, int] = {}  # of files that hold more than one
        self._given_up: SourceFile | None = None  # a video whose other frames are not looked at

    @property
    def can_be_resumed(self) -> bool:
        """Whether what was counted is in a file that a later run can go on with."""
        return self._record is not None and self.results is not None and self.results.added > 0

    def expected(self) -> int:
        """How many items there will be, as far as the files tell; every video is opened for it."""
        return sum(expected_items(file, every_s=self.every_s) for file in self.files)

    def run(self) -> Iterator[Event]:
        """Count everything; the picture of an item is written before the next item is told.

        While one is told, drawn and written, the next two are read and counted. The last event says which images hold
        more pictures than the one that was counted.

        Raises:
            InputError: a result or an overlay cannot be written, or not drawn.
        """
        try:
            yield from self._run()
        except BaseException:
            if self._record is not None and not self.can_be_resumed:
                self._record.end()
            raise
        if self._record is not None and self.incomplete == len(self._pictures):  # going on would read no more of them
            self._record.end()

    def _run(self) -> Iterator[Event]:
        before = self._troubles()
        for step, looked_at in in_order(self._steps(), self._look, ahead=self._ahead):
            if step.item is None:  # all of the file was told
                if self._record is not None and self._troubles() == before:
                    self._record.add(step.file, step.state)
                before = self._troubles()
            elif step.file is not self._given_up:
                yield from self._events(step.file, step.item, looked_at)
        if (note := note_of_pictures(self._pictures)) is not None:
            self.incomplete += len(self._pictures)
            yield note

    def _troubles(self) -> tuple[int, ...]:
        return self.skipped, self.incomplete, len(self._pictures)

    def _ahead(self) -> int:
        """How many steps are looked at before their turn; none until the first image says of which size all are."""
        return 0 if self.region is not None and self.region.awaits_size else _AHEAD

    def _steps(self) -> Iterator[_Step]:
        for file in self.files:
            state, items = state_of(file.path), self._items(file)
            while file is not self._given_up and (item := next(items, None)) is not None:
                yield _Step(file, state, item)
            items.close()
            yield _Step(file, state)

    def _items(self, file: SourceFile) -> Generator[Item | Skipped, None, None]:
        items = read_items(file, every_s=self.every_s, max_pixels=self.counter.max_pixels)
        while True:
            try:
                item = next(items)
            except StopIteration:
                return
            except Exception as error:
                _end_where_the_disk_is_full(error)
                yield Skipped(str(file.path), error)
                return
            yield item if item.problem is None else Skipped(item.name, item.problem)

    def _look(self, step: _Step) -> _Seen | None:
        """Count the image of a step, if it has one, by another thread."""
        item = step.item
        if not isinstance(item, Item) or item.remark:
            return None
        if item.scene is None:
            raise InputError(f'"{item.name}" holds no image.')
        if self.region is None:
            prediction = self.counter.count(item.scene)
        else:
            prediction = self.counter.count(item.scene, region=self.region)
        pixels = None if self.overlays is None else item.scene.pixels(max_pixels=self.counter.max_pixels)
        return _Seen(prediction, pixels)

    def _events(self, file: SourceFile, item: Item | Skipped, looked_at: Future[_Seen | None]) -> Iterator[Event]:
        if isinstance(item, Skipped):
            self.skipped += 1
            yield item
            return
        if item.remark:
            self.incomplete += item.is_incomplete
            yield Note(item.remark)
            return
        try:
            seen = looked_at.result()
        except Exception as error:
            _end_where_the_disk_is_full(error)
            if isinstance(error, RegionDiffersError) and file.kind == "video":
                self._given_up = file  # so will all of its frames
            self.skipped += 1
            yield Skipped(item.name, error)
            return
        assert seen is not None
        prediction = seen.prediction
        if self.region is not None:
            self.region = self.region.of_images_of(prediction.size_wh)
        if self.results is not None:
            self.results.add(prediction)
        for warning in prediction.warnings:
            yield Note(f"{item.name}: {warning}")
        self.counted += 1
        if file.kind == "image" and (number := count_pictures(file.path)) > 1:
            self._pictures[item.name] = number
        yield Counted(item, file, prediction)
        if self.overlays is not None and seen.pixels is not None:
            self.overlays.write(prediction.draw(seen.pixels, kind=self.draw), file, item.name)


def _end_where_the_disk_is_full(error: Exception) -> None:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        raise error
