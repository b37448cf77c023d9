"""What a user names to be counted becomes single images: files, folders, patterns, lists and video."""

from __future__ import annotations

import glob
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from headcount.core.errors import InputError, MissingFileError
from headcount.core.files import file_size, is_file, is_folder
from headcount.core.image import is_image_name
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.scene import Scene
from headcount.data.media.video import is_video_name, open_video, quiet_cv2
from headcount.data.parse.values import cut

_BAD_FRAMES_MAX = 50


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to be counted: an image, or a video of many frames."""

    path: Path
    kind: Literal["image", "video"] = "image"


@dataclass(frozen=True, slots=True)
class Item:
    """One image to be counted; or ``problem``, why a file cannot be; or ``remark``, what to know of one that was."""

    name: str
    scene: Scene | None = None
    problem: InputError | None = None
    remark: str = ""


def expand_source(argument: str) -> list[SourceFile | InputError]:
    """The files that one argument of the command line means, in natural order (``2.jpg`` before ``10.jpg``).

    - a **folder**: the image files in it, not those of folders inside it; other files are left aside;
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
    return list(_expand_path(argument))


def _is_list(path: Path) -> bool:
    return path.suffix.lower() == ".txt" and is_file(path)


def _expand_path(argument: str) -> list[SourceFile]:
    if not argument or "\0" in argument:
        raise InputError(f"{argument!r} is no path: name an image, a folder or a video.")
    path = Path(argument)
    if is_folder(path):
        images = _naturally(entry for entry in _entries(path) if is_image_name(entry) and entry.is_file())
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
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'The list "{path}" cannot be read as UTF-8 text ({error}).') from error
    found: list[SourceFile | InputError] = []
    for number, line in enumerate(lines, start=1):
        name = line.strip()
        if not name or name.startswith("#"):
            continue
        try:
            found += _expand_line(name, path.parent)
        except InputError as error:
            found.append(InputError(f'"{path}", line {number}: {cut(str(error), 1000)}'))
    if not found:
        raise InputError(f'The list "{path}" names nothing to count: write one path a line.')
    return found


def _expand_line(name: str, folder: Path) -> list[SourceFile]:
    """What a line of a list means, beside the list in ``folder`` or else in the working folder."""
    reason = InputError(f'There is no image "{name}", beside the list or here.')
    for candidate in (folder / name, Path(name)):
        try:
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
        video = open_video(file.path)
    except InputError:
        return 1
    try:
        return max(1, math.ceil(_declared_seconds(video) / every_s))
    finally:
        video.release()


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
    cv2 = quiet_cv2()
    video = open_video(path)
    try:
        size_wh = int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if size_wh[0] * size_wh[1] > max_pixels:
            width, height = size_wh
            raise InputError(f'"{path}" has frames of {width}×{height} pixels, over the limit of {max_pixels:,}.')
        frame_s = 1 / _frames_per_second(video)
        digits = 1 if every_s >= 0.1 else 3
        number, bad, due_s, second = 0, 0, 0.0, 0.0
        while bad <= _BAD_FRAMES_MAX and video.grab():
            # The container's clock where it runs (a phone's frame rate varies), else the frame's number.
            clock_s = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            second = max(clock_s, second) if clock_s > 0 or number == 0 else number * frame_s
            number += 1
            if second + frame_s / 2 < due_s:
                continue
            good, frame = video.retrieve()
            if not good or frame is None or frame.ndim != 3:
                bad += 1
                continue
            due_s = (math.floor((second + frame_s / 2) / every_s) + 1) * every_s
            name = f"{path}@{second:.{digits}f}s"
            yield Item(name, Scene(image=cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), source=name, name=name))
        declared_s = _declared_seconds(video)
    finally:
        video.release()
    if number == 0 or number <= bad:
        raise InputError(f'No frame of the video "{path}" can be read: it is damaged, or of a kind that is not known.')
    reached_s = second + frame_s
    if bad:
        yield Item(str(path), remark=f'"{path}" has {bad} damaged frames, which were left out.')
    if declared_s - reached_s > max(1.0, 0.05 * declared_s):
        text = f'"{path}" ends after {reached_s:.1f} s though it says {declared_s:.1f} s: it is cut short or damaged.'
        yield Item(str(path), remark=text)


def _frames_per_second(video: Any) -> float:
    rate = float(video.get(quiet_cv2().CAP_PROP_FPS))
    return rate if math.isfinite(rate) and 0.1 <= rate <= 1000 else 25.0


def _declared_seconds(video: Any) -> float:
    frames = float(video.get(quiet_cv2().CAP_PROP_FRAME_COUNT))
    return frames / _frames_per_second(video) if math.isfinite(frames) and frames > 0 else 0.0
