"""What a user names to be counted becomes single images: files, folders, patterns, lists and video."""

from __future__ import annotations

import glob
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headcount.core.errors import InputError, MissingFileError
from headcount.core.files import file_size, is_file, is_folder
from headcount.core.image import is_image_name
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.scene import Scene
from headcount.data.media.video import FrameStream, is_video_name
from headcount.data.parse.paths import Finder
from headcount.data.parse.text import read_lines
from headcount.data.parse.values import cut

_BAD_FRAMES_MAX = 1000
_PLACES_MAX = 3


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to be counted: an image, or a video of many frames."""

    path: Path
    kind: Literal["image", "video"] = "image"


@dataclass(frozen=True, slots=True)
class Item:
    """One image to be counted; or ``problem``, why a file cannot be; or ``remark``, what to know of one that was.

    ``is_incomplete``: the remark is that not all of the file could be read.
    """

    name: str
    scene: Scene | None = None
    problem: InputError | None = None
    remark: str = ""
    is_incomplete: bool = False


def expand_source(argument: str, *, recursive: bool = False) -> list[SourceFile | InputError]:
    """The files that one argument of the command line means, in natural order (``2.jpg`` before ``10.jpg``).

    - a **folder**: the image files in it, with ``recursive`` those of folders inside it too (each once, whatever links
      lead to it, and none whose name begins with a dot); other files are left aside;
    - a **pattern** with ``*``, ``?`` or ``[…]`` (``**`` for folders at any depth): the image and video files it meets;
    - a **.txt list**: one path, folder or pattern a line, relative to the list, or else to the working folder; blank
      lines and lines that begin with # are skipped. A line that leads nowhere, or to another list, becomes an
      InputError in the result;
    - a **video** by its suffix; anything else is an image, whatever its suffix.

    Raises:
        InputError: the file is missing, the folder holds no image, the pattern meets nothing, the list names nothing.
    """
    path = Path(argument)
    if _is_list(path):
        return _read_list(path)
    return list(_expand_path(argument, recursive=recursive))


def _is_list(path: Path) -> bool:
    return path.suffix.lower() == ".txt" and is_file(path)


def _expand_path(argument: str, *, recursive: bool = False) -> list[SourceFile]:
    if not argument or "\0" in argument:
        raise InputError(f"{argument!r} is no path: name an image, a folder or a video.")
    path = Path(argument)
    if is_folder(path):
        folders = _folders_within(path) if recursive else [path]
        entries = (entry for folder in folders for entry in _entries(folder))
        images = _naturally(entry for entry in entries if is_image_name(entry) and entry.is_file())
        if not images and recursive:
            raise InputError(f'The folder "{argument}" and the folders in it hold no image (name videos one by one).')
        if not images:
            raise InputError(f'The folder "{argument}" holds no image (name videos and inner folders one by one).')
        return [SourceFile(image) for image in images]
    try:
        file_size(path)
    except MissingFileError:
        if not glob.has_magic(argument):
            raise
    else:
        return [_source_file(path)]
    try:
        met = [Path(name) for name in glob.glob(argument, recursive=True)]  # noqa: PTH207  (takes absolute patterns)
    except RecursionError as error:
        raise InputError(
            f'The pattern "{argument[:40]}…" goes through too many folders: name a shorter one.'
        ) from error
    files = _naturally(entry for entry in met if entry.is_file() and (is_image_name(entry) or is_video_name(entry)))
    if not files:
        raise InputError(f'The pattern "{argument}" meets no image or video file.')
    return [_source_file(file) for file in files]


def _read_list(path: Path) -> list[SourceFile | InputError]:
    finder = Finder([path.parent])
    found: list[SourceFile | InputError] = []
    for number, line in enumerate(read_lines(path, "list of images"), start=1):
        name = line.strip()
        if not name or name.startswith("#"):
            continue
        try:
            found += _expand_line(name, finder)
        except InputError as error:
            found.append(InputError(f'"{path}", line {number}: {cut(str(error), 1000)}'))
    if not found:
        raise InputError(f'The list "{path}" names nothing to count: write one path a line.')
    return found


def _expand_line(name: str, finder: Finder) -> list[SourceFile]:
    """What a line of a list means, beside the list or else in the working folder, at last by ``finder``'s rules."""
    reason = InputError(f'There is no image "{name}", beside the list or here.')
    beside = finder.folders[0]
    for candidate in (beside / name, Path(name), finder.find(name).path if "\0" not in name else None):
        try:
            if candidate is None:
                continue
            if _is_list(candidate):
                raise InputError(f'"{candidate}" is a list itself, and lists in lists are not read.')
            return _expand_path(str(candidate))
        except MissingFileError:
            continue
        except InputError as error:  # what lies there says more than that there is nothing elsewhere
            reason = error
    raise reason


def _entries(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f'The folder "{folder}" cannot be read ({error.strerror or error}).') from error


def _folders_within(folder: Path) -> list[Path]:
    """A folder and all inside it, each real one once."""
    found, seen = [folder], {folder.resolve()}
    for outer in found:  # it grows as inner ones are found
        for inner in sorted(_entries(outer)):
            if is_folder(inner) and inner.resolve() not in seen:
                seen.add(inner.resolve())
                found.append(inner)
    return found


def _source_file(path: Path) -> SourceFile:
    return SourceFile(path, "video" if is_video_name(path) else "image")


def _naturally(paths: Iterable[Path]) -> list[Path]:
    def key(path: Path) -> tuple[list[tuple[int, int | str]], str]:
        pieces = re.split(r"(\d+)", str(path).casefold())
        return [(0, int(piece)) if piece.isdecimal() else (1, piece) for piece in pieces if piece], str(path)

    return sorted(paths, key=key)


def expected_items(file: SourceFile, *, every_s: float = 1.0) -> int:
    """How many images a file will give, for a progress bar: 1, or a video's length over ``every_s`` (0: unknown)."""
    if file.kind == "image":
        return 1
    try:
        stream = FrameStream(file.path)
    except InputError:
        return 1
    declared_s = stream.declared_s
    stream.close()
    return max(1, math.ceil(declared_s / every_s))


def read_items(file: SourceFile, *, every_s: float = 1.0, max_pixels: int = DEFAULT_MAX_PIXELS) -> Iterator[Item]:
    """The images of one file. An image is not opened here; of a video the frame at 0, ``every_s``, … seconds.

    A frame's name is the video's with the second it is at: ``queue.mp4@12.0s``. Nothing is raised: what cannot be
    read comes as an Item with a ``problem``.
    """
    name = str(file.path)
    if file.kind == "image":
        yield Item(name, Scene(image=file.path, source=name, name=file.path.stem))
        return
    try:
        yield from _frames(file.path, every_s, max_pixels)
    except InputError as error:
        yield Item(name, problem=error)


def _frames(path: Path, every_s: float, max_pixels: int) -> Iterator[Item]:
    stream = FrameStream(path)
    try:
        width, height = stream.size_wh
        if width * height > max_pixels:
            raise InputError(
                f'"{path}" has frames of {width}×{height} pixels, over the limit of {max_pixels:,}.',
                remedy="max_pixels",
            )
        digits = 1 if every_s >= 0.1 else 3
        good, bad, due_s = 0, 0, 0.0
        while (good or bad <= _BAD_FRAMES_MAX) and stream.grab():
            second = stream.second
            if second + stream.frame_s / 2 < due_s:
                continue
            pixels = stream.pixels()
            if pixels is None:
                bad += 1
                continue
            good += 1
            due_s = (math.floor((second + stream.frame_s / 2) / every_s) + 1) * every_s
            name = f"{path}@{second:.{digits}f}s"
            yield Item(name, Scene(image=pixels, source=name, name=name))
    finally:
        stream.close()
    if not good:
        raise InputError(f'No frame of the video "{path}" can be read: it is damaged, or of a kind that is not known.')
    yield from _remarks(stream, bad)


def _remarks(stream: FrameStream, bad: int) -> Iterator[Item]:
    """What to know of a video that was read to its end."""
    path = stream.path
    if bad:
        text = f'"{path}" has {bad} damaged frames, which were left out.'
        yield Item(str(path), remark=text, is_incomplete=True)
    if stream.gaps:
        places = ", ".join(f"{gap.second:.1f} s" for gap in stream.gaps[:_PLACES_MAX])
        more = f" and {len(stream.gaps) - _PLACES_MAX} places more" if len(stream.gaps) > _PLACES_MAX else ""
        lost_s = sum(gap.seconds for gap in stream.gaps)
        text = f'"{path}" is damaged after {places}{more}: about {lost_s:.1f} s could not be read and were left out.'
        yield Item(str(path), remark=text, is_incomplete=True)
    if stream.steps_back:
        places = ", ".join(f"{second:.1f} s" for second in stream.steps_back[:_PLACES_MAX])
        text = f'"{path}" has a clock that steps back after {places}: time goes on from there.'
        yield Item(str(path), remark=text)
    reached_s = stream.second + stream.frame_s
    if stream.declared_s - reached_s > max(1.0, 0.05 * stream.declared_s):
        stated = f"ends after {reached_s:.1f} s though it says {stream.declared_s:.1f} s"
        text = f'"{path}" {stated}: it is cut short or damaged.'
        yield Item(str(path), remark=text, is_incomplete=True)
