"""What a user names to be counted becomes single images: files, folders, patterns, lists and video."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headcount.core.addresses import no_file
from headcount.core.errors import DanglingLinkError, InputError, MissingFileError
from headcount.core.files import file_size, is_file, is_folder
from headcount.core.image import is_image_name
from headcount.core.image_kinds import HEAD_BYTES, conversion, kind_of, read_kinds, unread_suffixes
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.notes import Note
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.data.media.folders import as_pattern, folders_below, list_folder, matches
from headcount.data.media.video import FrameStream, is_video, is_video_name
from headcount.data.parse.paths import Finder
from headcount.data.parse.text import read_lines
from headcount.data.parse.values import cut

_BAD_FRAMES_MAX = 1000
_PLACES_MAX = 3
_NAMES_MAX = 3
_VIDEO, _HIDDEN, _LINK = "video", "hidden file", "link that leads nowhere"
_NO_SUFFIX, _ODD_SUFFIX = "image without a suffix", "image with another suffix"
_MANY = {
    _VIDEO: "videos",
    _HIDDEN: "hidden files",
    _NO_SUFFIX: "images without a suffix",
    _ODD_SUFFIX: "images with other suffixes",
    _LINK: "links that lead nowhere",
}
"""Kinds of files that are left aside, for more than one; an image of a kind that is not read has the kind's name."""
_TO_BE_NAMED = (_VIDEO, _HIDDEN, _NO_SUFFIX, _ODD_SUFFIX)
"""Kinds that are counted where a user names them one by one."""
_NO_IMAGES = frozenset(
    {".txt", ".xml", ".json", ".jsonl", ".csv", ".yaml", ".yml", ".md", ".html", ".mat", ".npy", ".h5"}
)
"""Suffixes of what lies beside images by the thousand: such files are not opened to see whether they are images."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to be counted: an image, or a video of many frames."""

    path: Path
    kind: Literal["image", "video"] = "image"


@dataclass(frozen=True, slots=True)
class LeftAside:
    """A file that was met in a folder or by a pattern, and is not counted; ``kind`` is what it is, in a few words."""

    path: Path
    kind: str


Found = SourceFile | LeftAside | Note | InputError
"""What an argument means: files to be counted, what was not, and what to know of it."""


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


def expand_source(argument: str, *, recursive: bool = False) -> list[Found]:
    """The files that one argument of the command line means, in natural order (``2.jpg`` before ``10.jpg``).

    - a **folder**: the image files in it, those of folders inside it only where ``recursive``. Videos, images of kinds
      that are not read, images with a suffix of none, images whose names begin with a dot and links that lead nowhere
      are left aside, and returned as such; other files are no concern (nor are macOS's ``._`` files, which hold no
      image);
    - a **pattern** with ``*``, ``?`` or ``[…]`` (``**`` for folders at any depth): the image and video files it meets,
      and what is left aside. A name that is there as it is written is no pattern;
    - a **.txt list**: one path, folder or pattern a line, relative to the list, or else to the working folder, maybe
      in quotes; blank lines are skipped, and lines that begin with # unless such a file is there. A line that leads
      nowhere, or to another list, becomes an InputError in the result;
    - a **video** by its suffix; anything else is an image, whatever its suffix.

    What lies in a folder but cannot be read, and folders that cannot, become InputErrors in the result. Each real
    folder is walked once, whatever links lead to it.

    Raises:
        InputError: the file is missing, the folder holds no image, the pattern meets nothing, the list names nothing.
    """
    path = Path(argument)
    if _is_list(path):
        return _read_list(path, recursive)
    return list(_expand_path(argument, recursive))


def _is_list(path: Path) -> bool:
    return path.suffix.lower() == ".txt" and is_file(path)


def _expand_path(argument: str, recursive: bool) -> list[Found]:
    if not argument or "\0" in argument:
        raise InputError(f"{argument!r} is no path: name an image, a folder or a video.")
    reason = no_file(argument)
    if reason is not None and not is_file(Path(argument)):
        raise InputError(reason)
    base, parts = as_pattern(argument)
    if not parts:
        if is_folder(base):
            return _in_folder(Path(argument), recursive)
        file_size(Path(argument))  # says why it is no file
        return [_source_file(Path(argument))]
    met = matches(base, parts)
    judged = [_judge(each, videos=True) if isinstance(each, Path) else each for each in met]
    found = [each for each in judged if each is not None]
    if not found and any(isinstance(each, Path) and is_folder(each) for each in met):
        text = f'The pattern "{cut(argument, 200)}" meets folders alone: end it with /* for what is in them.'
        raise _MeetsNothingError(text)
    _refuse_empty(found, _MeetsNothingError, f'The pattern "{cut(argument, 200)}" meets no image or video file')
    return found


def _in_folder(folder: Path, recursive: bool) -> list[Found]:
    met: list[Path | InputError] = []
    for each in folders_below(folder) if recursive else [folder]:
        if isinstance(each, InputError):
            met.append(each)
            continue
        try:
            met += list_folder(each)
        except InputError:  # of one inside it comes next
            if each == folder:
                raise
    judged = [_judge(each, videos=False) if isinstance(each, Path) else each for each in met]
    found = [each for each in judged if each is not None]
    if recursive:
        _refuse_empty(found, InputError, f'The folder "{folder}" and the folders in it hold no image')
    else:
        _refuse_empty(found, InputError, f'The folder "{folder}" holds no image', " (name inner folders one by one)")
    return found


class _MeetsNothingError(InputError):
    """A pattern meets nothing that can be counted."""


def _refuse_empty(found: Sequence[Found], kind: type[InputError], what: str, advice: str = "") -> None:
    if any(isinstance(each, SourceFile | InputError) for each in found):
        return
    left = note_of(each for each in found if isinstance(each, LeftAside))
    raise kind(f"{what} that can be read: {left.text}" if left is not None else f"{what}{advice}.")


def _judge(path: Path, *, videos: bool) -> Found | None:
    """What an entry of a folder is to a count; None where it is nothing that could be counted."""
    suffix = path.suffix.lower()
    if is_video_name(path):
        found: Found | None = SourceFile(path, "video") if videos else LeftAside(path, _VIDEO)
    elif is_image_name(path):
        found = SourceFile(path)
    elif suffix in unread_suffixes():
        found = LeftAside(path, unread_suffixes()[suffix])
    else:
        found = LeftAside(path, _ODD_SUFFIX if suffix else _NO_SUFFIX)  # if it is an image, see below
    is_told_by_content = isinstance(found, LeftAside) and found.kind in (_NO_SUFFIX, _ODD_SUFFIX)
    if suffix in _NO_IMAGES or path.name.startswith("._"):
        return None
    try:
        file_size(path)
    except DanglingLinkError:  # that of a hidden name without a suffix is an editor's lock
        is_other = suffix and is_told_by_content
        return LeftAside(path, _LINK) if not is_other and (suffix or not path.name.startswith(".")) else None
    except MissingFileError:  # gone since it was listed
        return None
    except InputError as error:
        return None if is_told_by_content or is_folder(path) else error
    if is_told_by_content and not _looks_like_an_image(path):
        return None
    return LeftAside(path, _HIDDEN) if path.name.startswith(".") and not videos else found


def _looks_like_an_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return kind_of(file.read(HEAD_BYTES)) in read_kinds()
    except OSError:
        return False


def note_of(left: Iterable[LeftAside]) -> Note | None:
    """One sentence on all that was left aside: how many of each kind, some names, and what to do; None for nothing.

    >>> note_of([LeftAside(Path("a.jp2"), "JP2"), LeftAside(Path("b.mp4"), "video")]).text
    '2 files were left aside: 1 JP2 (a.jp2), 1 video (b.mp4); convert images to JPEG or PNG, name videos one by one.'
    """
    by_kind: dict[str, list[Path]] = {}
    for each in left:
        by_kind.setdefault(each.kind, []).append(each.path)
    if not by_kind:
        return None
    number = sum(map(len, by_kind.values()))
    parts = []
    for kind, paths in by_kind.items():
        names = ", ".join(cut(path.name, 80) for path in paths[:_NAMES_MAX])
        more = ", …" if len(paths) > _NAMES_MAX else ""
        parts.append(f"{len(paths):,} {_MANY.get(kind, kind) if len(paths) > 1 else kind} ({names}{more})")
    named = [_MANY[kind] for kind in by_kind if kind in _TO_BE_NAMED]
    actions = [conversion(images)] if (images := by_kind.keys() - _MANY.keys()) else []
    actions += [f"name {_listed(named)} one by one"] if named else []
    actions += ["fetch what the links lead to"] if _LINK in by_kind else []
    was = "was" if number == 1 else "were"
    return Note(f"{plural(number, 'file')} {was} left aside: {', '.join(parts)}; {', '.join(actions)}.")


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def note_of_pictures(pictures: Mapping[str, int]) -> Note | None:
    """One sentence on files of which the first picture alone was counted; ``pictures`` is how many each holds.

    >>> note_of_pictures({"scan.tif": 12}).text
    '1 file holds more than one picture, of which the first was counted: "scan.tif" (12); save the others one by one.'
    """
    if not pictures:
        return None
    names = ", ".join(f'"{cut(name, 80)}" ({number:,})' for name, number in list(pictures.items())[:_NAMES_MAX])
    more = ", …" if len(pictures) > _NAMES_MAX else ""
    holds = "holds" if len(pictures) == 1 else "hold"
    return Note(
        f"{plural(len(pictures), 'file')} {holds} more than one picture, of which the first was counted: {names}{more};"
        " save the others one by one."
    )


def _read_list(path: Path, recursive: bool) -> list[Found]:
    finder = Finder([path.parent])
    found: list[Found] = []
    comments: list[str] = []
    for number, line in enumerate(read_lines(path, "list of images"), start=1):
        met = read_line(path, number, line, finder, recursive=recursive)
        if met is None:
            comments.append(f'line {number}: "{cut(line.strip(), 80)}"')
        else:
            found += met
    if comments:
        more = ", …" if len(comments) > _NAMES_MAX else ""
        these = ", ".join(comments[:_NAMES_MAX]) + more
        text = f'"{path}" has {plural(len(comments), "line")} of images that were taken for comments ({these}).'
        found.append(Note(text))
    if not any(not isinstance(each, Note) for each in found):
        raise InputError(f'The list "{path}" names nothing to count: write one path a line.')
    return found


def read_line(path: Path, number: int, line: str, finder: Finder, *, recursive: bool) -> list[Found] | None:
    """What line ``number`` of the list at ``path`` means; an InputError where it leads nowhere.

    Nothing where it is blank or a comment; None where it is a comment that names an image.
    """
    name = line if line != line.strip() and _is_named(line, path.parent) else line.strip()
    if name.startswith("#") and not _is_named(name, path.parent):
        return None if is_image_name(Path(name)) or is_video_name(Path(name)) else []
    if not name:
        return []
    if len(name) > 2 and name[0] == name[-1] and name[0] in "\"'" and not _is_named(name, path.parent):
        name = name[1:-1]
    try:
        return _expand_line(name, finder, recursive)
    except InputError as error:
        return [InputError(f'"{path}", line {number}: {cut(error.message, 1000)}')]


def _is_named(name: str, folder: Path) -> bool:
    """Whether a file or folder is there by that very name, beside the list or in the working folder."""
    return any(is_file(place) or is_folder(place) for place in (folder / name, Path(name)))


def _expand_line(name: str, finder: Finder, recursive: bool) -> list[Found]:
    """What a line of a list means, beside the list or else in the working folder, at last by ``finder``'s rules."""
    reason = missing = InputError(f'There is no image "{name}", beside the list or here.')
    is_name = False
    beside = finder.folders[0]
    for candidate in (beside / name, Path(name), finder.find(name).path if "\0" not in name else None):
        try:
            if candidate is None:
                continue
            if _is_list(candidate):
                raise InputError(f'"{candidate}" is a list itself, and lists in lists are not read.')
            return _expand_path(str(candidate), recursive)
        except MissingFileError:
            is_name = True
        except InputError as error:  # what lies there says more than that there is nothing elsewhere
            reason = error
    # A folder's name with brackets in it, which is there in one place, is a pattern in the others.
    raise missing if is_name and isinstance(reason, _MeetsNothingError) else reason


def _source_file(path: Path) -> SourceFile:
    return SourceFile(path, "video" if is_video(path) else "image")


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
        if not good:
            stream.refuse_undecoded()
    finally:
        stream.close()
    yield from _remarks(stream, bad)


def _remarks(stream: FrameStream, bad: int) -> Iterator[Item]:
    """What to know of a video that was read to its end."""
    path = stream.path
    if bad:
        text = f'"{path}" has {bad} damaged frames, which were left out.'
        yield Item(str(path), remark=text, is_incomplete=True)
    if stream.gaps:
        lost_s = sum(gap.seconds for gap in stream.gaps)
        after = _places([gap.second for gap in stream.gaps])
        text = f'"{path}" is damaged after {after}: about {lost_s:.1f} s could not be read and were left out.'
        yield Item(str(path), remark=text, is_incomplete=True)
    if stream.pauses:
        lost_s = sum(gap.seconds for gap in stream.pauses)
        after = _places([gap.second for gap in stream.pauses])
        text = (
            f'"{path}" has no frames for about {lost_s:.1f} s after {after}: they are lost, or nothing was recorded '
            "there."
        )
        yield Item(str(path), remark=text, is_incomplete=True)
    if stream.steps_back:
        text = f'"{path}" has a clock that starts anew after {_places(stream.steps_back)}: time goes on from there.'
        yield Item(str(path), remark=text)
    if text := stream.missing_end():
        yield Item(str(path), remark=text, is_incomplete=True)


def _places(seconds: Sequence[float]) -> str:
    places = ", ".join(f"{second:.1f} s" for second in seconds[:_PLACES_MAX])
    further = len(seconds) - _PLACES_MAX
    return places if further < 1 else f"{places} and {further} more"
