"""Images and annotations that belong together by their names: what most published layouts come down to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from headcount.core.errors import InputError
from headcount.core.image import SUFFIXES
from headcount.data.formats.raw import RawAnnotation, RawScene, Remark, UnreadableAnnotationError, no_annotation
from headcount.data.parse.text import read_lines


def natural(name: str) -> list[tuple[int, str]]:
    """A sorting key that takes numbers in a name as numbers.

    >>> sorted(["b", "a10", "a9"], key=natural)
    ['a9', 'a10', 'b']
    """
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"([0-9]+)", name)]


def files_by_name(folder: Path, suffixes: Iterable[str], *, ending: str = "") -> dict[str, Path]:
    """The files of a folder named ``NAME`` + ``ending`` + suffix, by NAME, numbers in order; hidden ones left out.

    Suffixes are compared without case. A folder that is not there has no files.
    """
    known = {suffix.lower() for suffix in suffixes}
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix.lower() in known and path.stem.endswith(ending) and not path.name.startswith("."):
            found[path.stem[: len(path.stem) - len(ending)]] = path
    return {name: found[name] for name in sorted(found, key=natural)}


def images_by_name(folder: Path) -> dict[str, Path]:
    """The images of a folder by their names without suffix; only names are looked at."""
    return files_by_name(folder, SUFFIXES)


def pair(
    images: Mapping[str, Path],
    annotations: Mapping[str, Path],
    read: Callable[..., RawAnnotation],
    *,
    split: str = "",
    group: Callable[[str], str] | None = None,
    attributes: Mapping[str, Mapping[str, str]] | None = None,
) -> list[RawScene]:
    """A scene for each image, then one for each annotation without an image.

    ``read`` takes the annotation's path, and what ``attributes`` say of its name where they are given. A scene's name
    is its file's, behind ``SPLIT/`` where there is one; ``group`` maps the file's name to the scene or video that it
    belongs to.
    """
    known = attributes or {}
    scenes = []
    for name in [*images, *(name for name in annotations if name not in images)]:
        path = annotations.get(name)
        parse = no_annotation if path is None else partial(read, path, *([known[name]] if name in known else []))
        title = f"{split}/{name}" if split else name
        scenes.append(RawScene(title, split, images.get(name), path, parse, group=group(name) if group else ""))
    return scenes


def list_rows(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Line number, text and words of each line of a list of images that is not blank.

    Raises:
        UnreadableAnnotationError: the file is missing or no text.
    """
    try:
        lines = read_lines(path, "list of images")
    except InputError as error:
        raise UnreadableAnnotationError(str(error)) from error
    for line, row in enumerate(lines, start=1):
        if row.strip():
            yield line, row, row.split()


def strays(folder: Path, taken: Iterable[Path], expected: str) -> list[Remark]:
    """A remark on each image or MAT file of a folder that was not taken; ``expected`` is how they are named."""
    known = set(taken)
    return [
        Remark("stray-file", path, f"this is not named {expected}")
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in {*SUFFIXES, ".mat"} and path not in known and not path.name.startswith(".")
    ]
