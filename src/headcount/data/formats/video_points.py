"""Points on frames of anybody's own videos: one CSV file beside them.

    video,frame,x,y
    queue.mp4,0,103.5,88.25
    queue.mp4,0,410,92.5
    queue.mp4,250,,

- ``video`` is relative to the CSV's folder, with forward slashes. The column may be left out: then the video is the
  one beside the CSV that has its name (``queue.csv``, ``queue.mp4``).
- ``frame`` counts from 0 in the order of showing, as OpenCV and FFmpeg do: the first frame is 0.
- ``x``, ``y`` are as in a points file (see ``points``): pixels of the upright frame, the first pixel's centre at
  (0.5, 0.5). A frame without heads is one row with x and y empty; frames that are not named are not annotated.
- ``time_s`` may be there too: the second of the frame, kept as its attribute. Further columns are left alone.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from headcount.core.errors import InputError
from headcount.core.files import is_file, is_folder
from headcount.core.geometry import as_points
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, UnreadableAnnotationError
from headcount.data.media.video import Video, is_video_name
from headcount.data.parse.values import number, read_text, relative, shorten

_KIND = "CSV file of points on video"
_NEEDED = ("frame", "x", "y")
_OPTIONAL = ("video", "time_s")
_LAST_FRAME = 100_000_000


@dataclass(slots=True)
class _Frame:
    """What the rows of one frame say."""

    origin: str
    points: list[tuple[float, float]] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    said_empty: bool = False
    time_s: str = ""


def list_video_points(path: Path) -> Listing:
    """The annotated frames of a CSV file, video by video, each video's in rising order; no video is opened.

    Raises:
        InputError: there is no such file; an UnreadableAnnotationError where it is there but malformed.
    """
    if is_folder(path) or not is_file(path):
        read_text(path, _KIND)  # says what is wrong with the path
    try:
        videos = _parse(path)
    except InputError as error:
        raise UnreadableAnnotationError(str(error)) from error
    scenes = []
    for file, frames in videos.items():
        video, name = Video(file), relative(file, path.parent)
        for at in sorted(frames):
            frame = frames[at]
            annotation = RawAnnotation(
                points_xy=as_points(frame.points),
                where=tuple(frame.where),
                attributes={"time_s": frame.time_s} if frame.time_s else {},
            )
            scenes.append(
                RawScene(
                    f"{name}#{at}", "", video.frame(at), path, partial(_same, annotation),
                    group=name, refuse_outside=True, origin=frame.origin,
                )
            )  # fmt: skip
    return Listing(tuple(scenes), () if scenes else (Remark("empty", path, "no frame is named in this file"),))


def _same(annotation: RawAnnotation) -> RawAnnotation:
    return annotation


def _parse(path: Path) -> dict[Path, dict[int, _Frame]]:
    """The frames of each video, in the order in which the file names them.

    Raises:
        InputError: the file is no UTF-8 text or no such CSV; the line is named.
    """
    reader = csv.reader(io.StringIO(read_text(path, _KIND), newline=""), strict=True)
    videos: dict[Path, dict[int, _Frame]] = {}
    beside: Path | None = None
    try:
        for row in _rows(reader, path):
            where = f"line {reader.line_num}"
            if "video" in row:
                file = _video(row["video"], path, where)
            else:
                file = beside = beside or _beside(path)
            at = _number_of(row["frame"], path, where)
            frame = videos.setdefault(file, {}).setdefault(at, _Frame(where))
            _add(frame, row, path, where)
    except csv.Error as error:
        raise InputError(f'"{path}", line {reader.line_num}: this is no valid CSV ({error}).') from error
    return videos


def _rows(reader: Iterator[list[str]], path: Path) -> Iterator[dict[str, str]]:
    """Each row's cells by the names of the columns that are known here."""
    header = [cell.strip().lower() for cell in next(reader, [])]
    wrong = [
        name for name in (*_NEEDED, *_OPTIONAL) if header.count(name) > 1 or (name in _NEEDED and name not in header)
    ]
    if wrong:
        hint = " To annotate image files, use points=." if "image" in header else ""
        raise InputError(
            f'"{path}", line 1: the header must name the columns frame,x,y once each (and may name video and time_s), '
            f'but it is {shorten(",".join(header))}: see "{wrong[0]}".{hint}'
        )
    columns = {name: header.index(name) for name in (*_NEEDED, *_OPTIONAL) if name in header}
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            line = getattr(reader, "line_num", 0)
            raise InputError(f'"{path}", line {line}: {len(header)} cells were expected, got {len(cells)}.')
        yield {name: cells[column].strip() for name, column in columns.items()}


def _add(frame: _Frame, row: dict[str, str], path: Path, where: str) -> None:
    x, y, time_s = row["x"], row["y"], row.get("time_s", "")
    if time_s:
        number(time_s, "time_s", path, where)
        if frame.time_s and frame.time_s != time_s:
            earlier = f"{frame.time_s} s from {frame.origin}"
            raise InputError(f'"{path}", {where}: frame {row["frame"]} is at {time_s} s here, but at {earlier} on.')
        frame.time_s = time_s
    empty = not x and not y
    if frame.said_empty or (empty and frame.points):
        raise InputError(
            f'"{path}", {where}: frame {row["frame"]} has a row without x, y (no heads) and other rows beside it.'
        )
    if empty:
        frame.said_empty = True
        return
    point = number(x, "x", path, where), number(y, "y", path, where)
    if min(point) < 0:
        raise InputError(
            f'"{path}", {where}: x and y must not be negative, got {point[0]:g}, {point[1]:g} (0 is the frame\'s edge).'
        )
    frame.points.append(point)
    frame.where.append(where)


def _number_of(text: str, path: Path, where: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) > _LAST_FRAME:
        raise InputError(f'"{path}", {where}: frame must be a whole number from 0, got {shorten(text)}.')
    return int(text)


def _video(name: str, path: Path, where: str) -> Path:
    if not name or "\0" in name:
        raise InputError(f'"{path}", {where}: the name of a video file was expected, got {shorten(name)}.')
    return Path(os.path.normpath(path.parent / name))


def _beside(path: Path) -> Path:
    """The video with the CSV's name.

    Raises:
        InputError: there is none, or more than one.
    """
    found = sorted(each for each in path.parent.iterdir() if each.stem == path.stem and is_video_name(each))
    if len(found) != 1:
        there = f"{len(found)} are there" if found else "there is none"
        raise InputError(
            f'"{path}" has no column "video", so one video named {path.stem} was expected beside it, but {there}: add '
            "the column."
        )
    return found[0]
