"""CVAT's tracks ("CVAT for video 1.1"): the heads of each frame, and which image a frame is.

    <track label="head"><box frame="7" keyframe="1" outside="0" xtl=… /> … </track>

A shape that is ``outside`` is not there. Frames between two shapes of a track, and behind the last one up to the task's
end, have what CVAT shows there: coordinates in between, ``interpolated`` as those are that it writes so
(``keyframe="0"``).

A frame is the ``image`` of that id, where the file names images; else ``frame_000007.png`` in ``images`` beside the
file, or beside it, as CVAT exports them; else the frame of the video that the file names, beside it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree.ElementTree import Element

from headcount.core.errors import InputError
from headcount.core.files import is_file
from headcount.core.image import VideoFrame, is_image_name
from headcount.data.formats.folders import entries
from headcount.data.formats.heads import Head
from headcount.data.media.video import Video, is_video_name
from headcount.data.parse.paths import Finder
from headcount.data.parse.values import number
from headcount.data.parse.xml import element_line

ShapeHeads = Callable[[Element, Path, str], list[Head]]
_LAST_FRAME = 100_000_000
_MOST_HEADS = 5_000_000
_MOST_FRAMES = 1_000_000
_FRAME_NAME = re.compile(r"frame_([0-9]{1,9})", re.IGNORECASE)


@dataclass(slots=True)
class FrameHeads:
    """What tracks say of one frame; ``origin`` is the line of the first shape on it."""

    heads: list[Head] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a task.

    Attributes:
        images: the image of each by its number; of a file that names images, none.
        name: of the video or the folder, which all belong to.
    """

    images: Mapping[int, Path | VideoFrame]
    name: str


def read_tracks(
    root: Element, file: Path, heads: Collection[str], shape_heads: ShapeHeads, frames: Collection[int]
) -> dict[int, FrameHeads]:
    """The heads of each of the ``frames`` that a track has something on.

    Raises:
        InputError: a frame is no number, or a shape is malformed; or there are more heads than any video has.
    """
    found: dict[int, FrameHeads] = {}
    last = max(frames, default=-1)
    made = 0
    for track in root.iterfind("track"):
        label, where = track.get("label"), f"line {element_line(track)}"
        if label is None:
            raise InputError(f'"{file}", {where}: <track> has no label.')
        shapes = sorted(((_frame_of(shape, file), shape) for shape in track), key=lambda pair: pair[0])
        for (at, shape), (following, next_shape) in zip(shapes, [*shapes[1:], (last + 1, None)], strict=True):
            if shape.get("outside") == "1":
                continue
            place = f"line {element_line(shape)}"
            span = range(at, max(at + 1, following))
            made += len(span)
            if made > _MOST_HEADS:
                raise InputError(f'"{file}", {where}: over {_MOST_HEADS:,} heads in one video: export it in parts.')
            if label not in heads:
                for frame in span:
                    if frame in frames:
                        found.setdefault(frame, FrameHeads(origin=place)).ignored[label] += 1
                continue
            drawn = shape_heads(shape, file, place)
            if shape.get("keyframe") == "0":
                drawn = [replace(head, provenance="interpolated") for head in drawn]
            until = shape_heads(next_shape, file, place) if next_shape is not None and len(span) > 1 else drawn
            for frame in span:
                if frame in frames:
                    share = (frame - at) / len(span)
                    here = drawn if frame == at else [_between(*pair, share) for pair in _paired(drawn, until)]
                    found.setdefault(frame, FrameHeads(origin=place)).heads += here
    return found


def _frame_of(shape: Element, file: Path) -> int:
    where = f"line {element_line(shape)}"
    return int(number(shape.get("frame"), "frame", file, where, least=0, limit=_LAST_FRAME, whole=True))


def _paired(drawn: Sequence[Head], until: Sequence[Head]) -> Iterator[tuple[Head, Head]]:
    """Each head and where it goes; it stays where the two shapes are not alike."""
    alike = len(drawn) == len(until)
    for head, after in zip(drawn, until if alike else drawn, strict=True):
        yield head, after if (head.box_xyxy is None) == (after.box_xyxy is None) else head


def _between(head: Head, after: Head, share: float) -> Head:
    def mixed(first: Sequence[float] | None, second: Sequence[float] | None) -> tuple[float, ...] | None:
        if first is None or second is None:
            return None
        return tuple(a + (b - a) * share for a, b in zip(first, second, strict=True))

    point, box = mixed(head.point_xy, after.point_xy), mixed(head.box_xyxy, after.box_xyxy)
    return Head(point, box, "interpolated", head.where)  # type: ignore[arg-type]  # as many numbers as before


def frames_of(root: Element, file: Path) -> Frames:
    """The frames that the tracks of a file are of: images beside it, or the video that it names.

    Raises:
        InputError: neither is there, or the file does not tell which frames there are.
    """
    folder = file.parent
    for place in (folder / "images", folder):
        named = ((_FRAME_NAME.fullmatch(path.stem), path) for path in entries(place) if is_image_name(path))
        images = {int(match[1]): path for match, path in named if match is not None}
        if images:
            return Frames(images, folder.resolve().name)
    source = _meta(root, "source")
    videos = [path for path in entries(folder) if is_video_name(path)]
    video = Finder([folder]).find(source[:1000]).path if source else None
    if video is None or not is_file(video) or not is_video_name(video):
        video = videos[0] if len(videos) == 1 else None
    if video is None:
        wanted = f'the video "{source[:100]}"' if source else "the video"
        raise InputError(
            f'"{file}" is "CVAT for video", whose frames are known by their numbers alone: put {wanted} or its frames '
            'frame_000000.png and so on beside it, or export "CVAT for images 1.1".'
        )
    opened = Video(video)
    return Frames({at: opened.frame(at) for at in _numbers(root, file)}, video.name)


def _numbers(root: Element, file: Path) -> Sequence[int]:
    """The frames of the task, by what it states; else those that a track has a shape on."""
    first, last, size = (_meta(root, key) for key in ("start_frame", "stop_frame", "size"))
    step = re.search(r"step\s*=\s*([0-9]{1,6})", _meta(root, "frame_filter"))
    every = int(step[1]) or 1 if step else 1
    begin = int(first) if re.fullmatch("[0-9]{1,9}", first) else 0
    if re.fullmatch("[0-9]{1,9}", last):
        frames = range(begin, int(last) + 1, every)
    elif re.fullmatch("[0-9]{1,9}", size):
        frames = range(begin, begin + int(size) * every, every)
    else:
        return sorted({_frame_of(shape, file) for track in root.iterfind("track") for shape in track})
    if len(frames) > _MOST_FRAMES:
        raise InputError(f'"{file}" states {len(frames):,} frames: export them in parts of {_MOST_FRAMES:,} at most.')
    return frames


def _meta(root: Element, key: str) -> str:
    """What the file states of its task; empty where it does not."""
    places = (f"meta/{kind}{key}" for kind in ("task/", "job/", "project/tasks/task/", ""))
    return next((text.strip() for place in places if (text := root.findtext(place))), "")
