"""Images and annotations that belong together by their names: what most published layouts come down to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

from headcount.core.image import IMAGE_SUFFIXES
from headcount.data.formats.folders import entries
from headcount.data.formats.raw import RawAnnotation, RawScene, no_annotation


def natural(name: str) -> list[tuple[int, str]]:
    """A sorting key that takes numbers in a name as numbers.

    >>> sorted(["b", "a10", "a9"], key=natural)
    ['a9', 'a10', 'b']
    """
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"([0-9]+)", name)]


def files_by_name(folder: Path, *patterns: str) -> dict[str, Path]:
    """The files of a folder that are called by a pattern, by name, numbers in order; hidden ones left out.

    In a pattern (``IMG_*.jpg``, ``{*}_ann.mat``) ``*`` is any text and ``#`` a whole number. What stands in braces is
    the name, else all but the suffix, whose case does not matter. A folder that is not there has no files.
    """
    kinds = [_compiled(pattern) for pattern in patterns]
    found: dict[str, Path] = {}
    for path in entries(folder):
        match = next(filter(None, (kind.fullmatch(path.name) for kind in kinds)), None)
        if match is not None:
            found.setdefault(match["name"], path)
    return {name: found[name] for name in sorted(found, key=natural)}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    stem, _, suffix = pattern.rpartition(".")
    stem = stem if "{" in stem else f"{{{stem}}}"
    parts = {"*": ".*", "#": "[0-9]+", "{": "(?P<name>", "}": ")"}
    expression = "".join(parts.get(letter, re.escape(letter)) for letter in stem)
    return re.compile(rf"{expression}\.(?i:{re.escape(suffix)})", re.DOTALL)


def images_by_name(folder: Path) -> dict[str, Path]:
    """The images of a folder by their names without suffix; only names are looked at."""
    return files_by_name(folder, *(f"*{suffix}" for suffix in IMAGE_SUFFIXES))


def pair(
    images: Mapping[str, Path],
    annotations: Mapping[str, Path],
    read: Callable[..., RawAnnotation],
    *,
    split: str = "",
    folder: str | None = None,
    group: str | Callable[[str], str] = "",
    attributes: Mapping[str, Mapping[str, str]] | None = None,
) -> list[RawScene]:
    """A scene for each image, then one for each annotation without an image.

    ``read`` takes the annotation's path, and what ``attributes`` know of its name where they know it. A scene is called
    ``FOLDER/NAME``, where ``folder`` is the split unless it is given; ``group`` is the scene or video that all belong
    to, or maps a name to its own.
    """
    known = attributes or {}
    before = split if folder is None else folder
    scenes = []
    for name in [*images, *(name for name in annotations if name not in images)]:
        path = annotations.get(name)
        parse = no_annotation if path is None else partial(read, path, *([known[name]] if name in known else []))
        title = f"{before}/{name}" if before else name
        scenes.append(
            RawScene(title, split, images.get(name), path, parse, group=group(name) if callable(group) else group)
        )
    return scenes
