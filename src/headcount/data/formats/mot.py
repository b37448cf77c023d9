"""MOTChallenge, the layout of tracked videos, in which CroHD and GTA_Head are published.

    train/VIDEO/seqinfo.ini        [Sequence] name, imDir, frameRate, seqLength, imWidth, imHeight, imExt
    train/VIDEO/img1/000001.jpg    frames, by their number
    train/VIDEO/gt/gt.txt          frame, id, left, top, width, height[, considered[, class[, visibility]]]

Documented at motchallenge.net/instructions and in Milan et al., "MOT16: A Benchmark for Multi-Object Tracking",
table 3.

**Coordinates**: frames and boxes are 1-based, says the challenge: left = 1 is the image's left edge, so 1 is taken off
left and top; width and height are lengths.

**Columns**: the first six are needed; cells are parted by commas, semicolons or blanks. A head is left out, as the
challenge's evaluation kit leaves it out, where ``considered`` is 0, or a class is stated and is not 1, or, where a set
says so, its visibility is 0. Lines of ten cells and more are of the older layout (MOT15) with places in the world
behind ``considered``, and no class.
"""

from __future__ import annotations

import configparser
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.files import atomic_text, file_size, is_file, is_folder, writing
from headcount.core.image import IMAGE_SUFFIXES
from headcount.data.formats.folders import entries, folders_in, need_folder, wrong_folder
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, no_annotation
from headcount.data.parse.text import read_lines
from headcount.data.parse.values import number

_OFFICIAL = ("train", "val", "test")
_USUAL_KEYS = frozenset({"name", "imdir", "framerate", "seqlength", "imwidth", "imheight", "imext"})
_MAX_BYTES = 2**29
_MAX_INI_BYTES = 2**16
_KEPT_ROWS = 2_500_000  # 40 bytes each
_LARGEST = 1e9  # an id may be larger than any coordinate
_CELLS_NEEDED = 6


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The heads of one video, by frame: those of frame f are rows ``starts[i]`` to ``starts[i + 1]``, frames[i] = f.

    Attributes:
        frames: (k,) int64 numbers of the frames that have a row, ascending.
        starts: (k + 1,) int64.
        boxes_xyxy: (n, 4) float64 as written, less 1.
        lines: (n,) int64, 1-based line of each.
        ignored: frame → rows that are not to be counted.
    """

    frames: NDArray[np.int64]
    starts: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float64]
    lines: NDArray[np.int64]
    ignored: Mapping[int, int]


def list_mot(
    root: Path, name: str, *, visible_only: bool, labels: str = "", attribute_names: Mapping[str, str] | None = None
) -> Listing:
    """The frames of all videos of a set in this layout, by video and number; no annotation is opened.

    Args:
        name: the usual name of the folder that holds ``train``.
        visible_only: a head of visibility 0 is none.
        labels: the folder of the annotations where they are an archive of their own, beside that of the images or
            within it.
        attribute_names: what ``seqinfo.ini`` states beyond the usual becomes attributes, renamed by this.

    Raises:
        InputError: there are no videos below ``root``, or a ``seqinfo.ini`` is malformed.
    """
    need_folder(root, f"{name}/train")
    base = next((each for each in (root, root / name) if _splits(each)), None)
    splits = [root.name] if base is None else _splits(base)
    if base is None:
        if root.name not in _OFFICIAL or not _videos(root):
            advice = "give the folder that holds train, with a folder for each video"
            raise wrong_folder(root, ["train" if root.absolute().name == name else f"{name}/train"], advice)
        base = root.parent
    scenes: list[RawScene] = []
    remarks: list[Remark] = []
    for split in splits:
        videos = _videos(base / split)
        if not videos:
            remarks.append(Remark("empty", base / split, "no folder in here holds frames (img1)"))
        for video in videos:
            places = [video, *(each / labels / split / video.name for each in (base.parent, base) if labels)]
            truths = (path for place in places for path in entries(place / "gt"))
            truth = next((path for path in truths if path.name == "gt.txt" and is_file(path)), None)
            listing = _list_video(video, split, truth, visible_only, attribute_names or {})
            scenes += listing.scenes
            remarks += listing.remarks
    return Listing(tuple(scenes), tuple(remarks))


def _splits(base: Path) -> list[str]:
    return [split for split in _OFFICIAL if is_folder(base / split)]


def _videos(folder: Path) -> list[Path]:
    return [
        path
        for path in folders_in(folder)
        if (is_folder(path / "img1") or is_file(path / "seqinfo.ini") or is_folder(path / "gt"))
    ]


def _list_video(video: Path, split: str, truth: Path | None, visible_only: bool, names: Mapping[str, str]) -> Listing:
    stated = read_sequence_info(video / "seqinfo.ini")
    images = video / stated.get("imdir", "img1")
    # A folder named by a file never leads out of the video's.
    if not is_folder(images) or ".." in images.parts or video not in images.parents:
        images = video / "img1"
    others = {names.get(key, key): text for key, text in stated.items() if key not in _USUAL_KEYS}
    known: dict[str, Any] = {
        "visible_only": visible_only,
        "size_wh": _stated_size(stated),
        "attributes": {"video": video.name, **others},
    }
    frames: dict[int, Path] = {}
    remarks: list[Remark] = []
    for path in entries(images):
        number = _frame_number(path)
        if number is None or number in frames:
            text = "this is not named by a number as the frames are, or twice there"
            remarks.append(Remark("stray-file", path, text))
        else:
            frames[number] = path
    if not frames:
        remarks.append(Remark("empty", images, "no frame is in this folder"))
    # A frame that is annotated as the video's length has it, and whose image is not there.
    missing = () if truth is None else set(range(1, _stated_length(stated) + 1)) - frames.keys()
    scenes = []
    for number in sorted({*frames, *missing}):
        image = frames.get(number)
        name = f"{number:06}" if image is None else image.stem
        read = no_annotation if truth is None else partial(read_frame, truth, number, **known)
        scenes.append(RawScene(f"{split}/{video.name}/{name}", split, image, truth, read, group=video.name))
    return Listing(tuple(scenes), tuple(remarks))


def _frame_number(path: Path) -> int | None:
    digits = re.fullmatch(r"\D*?(\d{1,12})", path.stem, re.ASCII)
    return int(digits.group(1)) if digits and path.suffix.lower() in IMAGE_SUFFIXES else None


def read_sequence_info(path: Path) -> dict[str, str]:
    """What ``seqinfo.ini`` states, its keys in lower case; nothing where there is none.

    Raises:
        InputError: it is malformed; file and line are named.
    """
    if not is_file(path):
        return {}
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    lines = read_lines(path, "description of a video", max_bytes=_MAX_INI_BYTES)
    try:
        parser.read_string("\n".join(lines), source=str(path))
    except configparser.MissingSectionHeaderError as error:
        raise InputError(f'"{path}", line {error.lineno}: the section [Sequence] was expected first.') from error
    except configparser.ParsingError as error:
        raise InputError(f'"{path}", line {error.errors[0][0]}: key=value was expected.') from error
    except configparser.Error as error:
        raise InputError(f'"{path}" is no description of a video ({error.message}).') from error
    section = next((name for name in parser.sections() if name.lower() == "sequence"), None)
    return {} if section is None else {key: value.strip() for key, value in parser.items(section) if value.strip()}


def _stated_length(stated: Mapping[str, str]) -> int:
    return int(stated["seqlength"]) if re.fullmatch(r"[0-9]{1,6}", stated.get("seqlength", "")) else 0


def _stated_size(stated: Mapping[str, str]) -> tuple[int, int] | None:
    sides = [stated.get(key, "") for key in ("imwidth", "imheight")]
    if not all(re.fullmatch(r"\d{1,7}", side, re.ASCII) for side in sides):
        return None
    return int(sides[0]), int(sides[1])


def read_frame(
    path: Path, frame: int, *, visible_only: bool, size_wh: tuple[int, int] | None = None,
    attributes: Mapping[str, str] | None = None,
) -> RawAnnotation:  # fmt: skip
    """The heads of one frame; the video's file is parsed once and kept while there is room.

    Raises:
        InputError: as ``parse_track``.
    """
    track = _tracks.get(path, visible_only)
    at = int(np.searchsorted(track.frames, frame))
    rows = slice(0, 0)
    if at < len(track.frames) and track.frames[at] == frame:
        rows = slice(int(track.starts[at]), int(track.starts[at + 1]))
    return RawAnnotation(
        boxes_xyxy=track.boxes_xyxy[rows].copy(),
        where=tuple(f"line {line}" for line in track.lines[rows].tolist()),
        stated_size_wh=size_wh,
        attributes=dict(attributes or {}),
        ignored=track.ignored.get(frame, 0),
    )


def parse_track(path: Path, *, visible_only: bool) -> Track:
    """A video's ``gt.txt``.

    Raises:
        InputError: the file is missing, too large, no text, or a line has too few cells or no sensible numbers in them.
    """
    table, lines = _table(path, read_lines(path, "list of tracked heads", max_bytes=_MAX_BYTES))
    frame, left, top, width, height, considered, kind, seen = table.T
    # A cell that is not there is −1, which stands for "not stated" in these files too.
    counted = (considered != 0) & np.isin(kind, (-1, 1)) & ((seen != 0) | (not visible_only))
    numbers = frame.astype(np.int64)
    left_out, times = np.unique(numbers[~counted], return_counts=True)
    order = np.flatnonzero(counted)[np.argsort(numbers[counted], kind="stable")]
    frames, starts = np.unique(numbers[order], return_index=True)
    boxes = np.stack([left - 1, top - 1, left - 1 + width, top - 1 + height], axis=1)
    return Track(
        frames=frames,
        starts=np.append(starts, len(order)).astype(np.int64),
        boxes_xyxy=boxes[order],
        lines=lines[order],
        ignored=dict(zip(left_out.tolist(), times.tolist(), strict=True)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """The heads of one frame to be written: ``boxes_xyxy`` (n, 4), each one's number ``ids`` (n,), from 1 up, and how
    much of each is seen, ``visible`` (n,) from 0 to 1."""

    boxes_xyxy: NDArray[np.float64]
    ids: NDArray[np.intp]
    visible: NDArray[np.float64]


def write_mot_video(
    folder: Path, frames: Sequence[TrackedFrame], *, size_wh: tuple[int, int], per_second: float, suffix: str,
    attributes: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Write ``gt/gt.txt`` and ``seqinfo.ini`` of a video whose frames lie in ``img1``, numbered from 000001.

    Coordinates come back to within 0.01 px, and no visible share is written as 0. ``attributes`` are stated in
    ``seqinfo.ini`` beside the usual.

    Raises:
        InputError: they cannot be written.
    """
    with writing(folder):
        (folder / "gt").mkdir(parents=True, exist_ok=True)
    with atomic_text(folder / "gt" / "gt.txt") as file:
        for number, frame in enumerate(frames, start=1):
            for (left, top, right, bottom), one, seen in zip(frame.boxes_xyxy, frame.ids, frame.visible, strict=True):
                cells = (f"{left + 1:.2f}", f"{top + 1:.2f}", f"{right - left:.2f}", f"{bottom - top:.2f}")
                file.write(f"{number},{one},{','.join(cells)},1,1,{max(seen, 1e-4):.4f}\n")
    width, height = size_wh
    stated = {
        "name": folder.name, "imDir": "img1", "frameRate": f"{per_second:g}", "seqLength": len(frames),
        "imWidth": width, "imHeight": height, "imExt": suffix, **(attributes or {}),
    }  # fmt: skip
    with atomic_text(folder / "seqinfo.ini") as file:
        file.write("[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in stated.items()))


_Table = tuple[NDArray[np.float64], NDArray[np.int64]]


def _table(path: Path, lines_of_text: list[str]) -> _Table:
    """(n, 8) frame, left, top, width, height, considered, class, visibility; and (n,) the line of each row."""
    fast = _fast_table(lines_of_text)
    if fast is not None:
        return fast
    rows: list[list[float]] = []
    lines: list[int] = []
    for line, row in enumerate(lines_of_text, start=1):
        cells = re.split(r"\s*[,;]\s*|\s+", row.strip().rstrip(",;").rstrip())
        if cells == [""]:
            continue
        if len(cells) < _CELLS_NEEDED:
            raise InputError(
                f'"{path}", line {line}: frame, id, left, top, width, height were expected, got {len(cells)} cells.'
            )
        where = f"line {line}"
        values = [number(cell, f"cell {k}", path, where, limit=_LARGEST) for k, cell in enumerate(cells[:9], start=1)]
        number(cells[0], "the frame", path, where, least=0, limit=_LARGEST, whole=True)
        if values[4] < 0 or values[5] < 0:
            raise InputError(f'"{path}", line {line}: width and height must not be negative, got {row.strip()[:60]!r}.')
        rows.append(_columns(values, len(cells)))
        lines.append(line)
    return np.array(rows, np.float64).reshape(-1, 8), np.array(lines, np.int64)


def _columns(values: list[float], cells: int) -> list[float]:
    considered = values[6] if cells > 6 else -1.0
    # Ten cells and more: x, y, z in the world, where others have class and visibility.
    kind = values[7] if 8 <= cells < 10 else -1.0
    seen = values[8] if cells == 9 else -1.0
    return [values[0], *values[2:6], considered, kind, seen]


def _fast_table(lines: list[str]) -> _Table | None:
    """The same for the files as they are published, whose lines all have as many cells; None for any other."""
    if not any(map(str.strip, lines[:1])) or not set("".join(lines[:100])) <= set("0123456789.,-"):
        return None
    try:
        found = np.loadtxt(lines, delimiter=",", comments=None, ndmin=2)
    except ValueError:
        return None
    rows, cells = found.shape
    # Blank lines are passed over there, so that rows would have lost their lines; "nan" and "inf" are numbers there.
    if rows != len(lines) or cells < _CELLS_NEEDED or not (np.abs(found[:, :9]) <= _LARGEST).all():
        return None
    if (found[:, 0] < 0).any() or (found[:, 0] % 1 != 0).any() or (found[:, 4:6] < 0).any():
        return None
    unstated = np.full(rows, -1.0)
    considered = found[:, 6] if cells > 6 else unstated
    kind = found[:, 7] if 8 <= cells < 10 else unstated
    seen = found[:, 8] if cells == 9 else unstated
    table = np.column_stack([found[:, 0], found[:, 2:6], considered, kind, seen])
    return table, np.arange(1, rows + 1, dtype=np.int64)


class _Tracks:
    """The videos read last, as many as have ``_KEPT_ROWS`` rows together; a file that has changed is read again."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple[str, bool, int, int], Track] = OrderedDict()
        self.lock = threading.Lock()
        self.parsing: dict[str, threading.Lock] = {}

    def get(self, path: Path, visible_only: bool) -> Track:
        file_size(path)  # says what is wrong with the path
        status = path.stat()
        key = (str(path), visible_only, status.st_mtime_ns, status.st_size)
        with self.lock:
            if key in self.kept:
                self.kept.move_to_end(key)
                return self.kept[key]
            busy = self.parsing.setdefault(str(path), threading.Lock())
        with busy:  # threads that ask for the same video wait for the one that reads it
            with self.lock:
                if key in self.kept:
                    return self.kept[key]
            track = parse_track(path, visible_only=visible_only)
            with self.lock:
                self.kept[key] = track
                while len(self.kept) > 1 and sum(len(each.lines) for each in self.kept.values()) > _KEPT_ROWS:
                    self.kept.popitem(last=False)
                self.parsing.pop(str(path), None)
        return track


_tracks = _Tracks()
