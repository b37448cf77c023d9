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
- ``time_s`` may be present too: the second of the frame, kept as its attribute. Further columns are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from headcount.core.errors import InputError
from headcount.core.geometry import as_points
from headcount.data.formats.folders import entries
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, annotates_all, given, refusing
from headcount.data.media.video import Video, is_video_name
from headcount.data.parse.csv import read_rows
from headcount.data.parse.paths import Finder, relative, same_name
from headcount.data.parse.values import number

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
    is_empty: bool = False
    time_s: str = ""
    refused: InputError | None = None


def list_video_points(path: Path) -> Listing:
    """The annotated frames of a CSV file, video by video, each video's in rising order; no video is opened.

    Raises:
        InputError: there is no such file; an UnreadableAnnotationError where it is there but malformed.
    """
    with annotates_all(path):
        videos = _parse(path)
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
                    f"{name}#{at}", "", video.frame(at), path,
                    refusing(frame.refused) if frame.refused else given(annotation),
                    group=name, refuse_outside=True, origin=frame.origin,
                )
            )  # fmt: skip
    return Listing(tuple(scenes), () if scenes else (Remark("empty", path, "no frame is named in this file"),))


def _parse(path: Path) -> dict[Path, dict[int, _Frame]]:
    """The frames of each video, in the order in which the file names them.

    Raises:
        InputError: the file is no text or no such CSV; the line is named.
    """
    videos: dict[Path, dict[int, _Frame]] = {}
    finder = Finder([path.parent])
    beside: Path | None = None
    advice = "; it may name video and time_s (image files are annotated in a points file)"
    for where, cells in read_rows(path, _KIND, _NEEDED, _OPTIONAL, advice=advice):
        row = {name: cell.strip() for name, cell in cells.items()}
        if "video" in row:
            file = finder.image(row["video"], path, where, kind="a video").path
        else:
            file = beside = beside or _beside(path)
        at = int(number(row["frame"], "frame", path, where, least=0, limit=_LAST_FRAME, whole=True))
        frame = videos.setdefault(file, {}).setdefault(at, _Frame(where))
        try:
            _add(frame, row, path, where)
        except InputError as error:  # of this frame alone
            frame.refused = frame.refused or error
    return videos


def _add(frame: _Frame, row: dict[str, str], path: Path, where: str) -> None:
    x, y, time_s = row["x"], row["y"], row.get("time_s", "")
    if time_s:
        number(time_s, "time_s", path, where)
        if frame.time_s and frame.time_s != time_s:
            earlier = f"{frame.time_s} s from {frame.origin}"
            raise InputError(f'"{path}", {where}: frame {row["frame"]} is at {time_s} s here, but at {earlier} on.')
        frame.time_s = time_s
    empty = not x and not y
    if frame.is_empty or (empty and frame.points):
        raise InputError(
            f'"{path}", {where}: frame {row["frame"]} has a row without x, y (no heads) and other rows beside it.'
        )
    if empty:
        frame.is_empty = True
        return
    frame.points.append((number(x, "x", path, where), number(y, "y", path, where)))
    frame.where.append(where)


def _beside(path: Path) -> Path:
    """The video with the CSV's name.

    Raises:
        InputError: there is none, or more than one.
    """
    stem = same_name(path.stem)
    found = [each for each in entries(path.parent) if same_name(each.stem) == stem and is_video_name(each)]
    if len(found) != 1:
        there = f"{len(found)} are there" if found else "there is none"
        raise InputError(
            f'"{path}" has no column "video", so one video named {path.stem} was expected beside it, but {there}: add '
            "the column."
        )
    return found[0]
