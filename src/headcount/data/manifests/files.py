"""Folders, patterns, images and videos, on disk as a plain count takes them, or at an address by the same rules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from headcount.core.errors import InputError
from headcount.core.image import is_image_name
from headcount.core.image_kinds import unread_suffixes
from headcount.core.notes import Skipped
from headcount.data.manifests.addresses import file_system, is_address
from headcount.data.manifests.entries import Entry, ManifestOptions, Met
from headcount.data.media.folders import natural_key
from headcount.data.media.sources import Found, LeftAside, SourceFile, expand_source
from headcount.data.media.video import is_video_name


def read_files(source: str, options: ManifestOptions) -> Iterator[Met]:
    """The images and videos that a folder, a pattern or a single name means.

    Raises:
        InputError: there are none.
    """
    if is_address(source):
        yield from _at_address(source, options)
    else:
        yield from map(as_met, expand_source(source, recursive=options.recursive))


def as_met(found: Found) -> Met:
    """What a plain count finds, as a manifest's entry."""
    if isinstance(found, SourceFile):
        return Entry(absolute(found.path))
    return Skipped("", found) if isinstance(found, InputError) else found


def absolute(path: str | Path) -> str:
    """The path from the root, so that it leads there from every working folder; links in it stay."""
    return os.path.abspath(path)  # noqa: PTH100  (Path has nothing that leaves links alone)


def _at_address(source: str, options: ManifestOptions) -> Iterator[Met]:
    path = PurePosixPath(source.partition("?")[0])
    is_pattern = any(sign in source for sign in "*[") and not source.startswith("http")
    if not is_pattern and not source.endswith("/") and (is_image_name(Path(path)) or is_video_name(Path(path))):
        yield Entry(source)  # not looked for now: a missing one becomes a row
        return
    fs, inner = file_system(source)
    try:
        names = _listed(fs, inner, is_pattern=is_pattern, recursive=options.recursive)
    except FileNotFoundError as error:
        raise InputError(f'There is no file or folder "{source}": check the address.') from error
    except Exception as error:
        raise InputError(f'"{source}" cannot be listed ({type(error).__name__}: {str(error)[:200]}).') from error
    if names is None:
        yield Entry(source)
        return
    found = False
    for name in names:
        met = _judged(fs, name, videos=is_pattern)
        found |= isinstance(met, Entry)
        if met is not None:
            yield met
    if not found:
        raise InputError(f'"{source}" holds no image that can be read.')


def _listed(fs: Any, path: str, *, is_pattern: bool, recursive: bool) -> list[str] | None:
    """The files in a folder or of a pattern, in natural order; None where the path is a file's."""
    if is_pattern:
        names = fs.glob(path)
    elif fs.isfile(path):
        return None
    else:
        names = fs.find(path, maxdepth=None if recursive else 1)
    return sorted(map(str, names), key=natural_key)


def _judged(fs: Any, name: str, *, videos: bool) -> Met | None:
    path = Path(name)
    if path.name.startswith("._"):
        return None
    if is_video_name(path):
        return Entry(str(fs.unstrip_protocol(name))) if videos else LeftAside(path, "video")
    if path.name.startswith(".") and is_image_name(path) and not videos:
        return LeftAside(path, "hidden file")
    if is_image_name(path):
        return Entry(str(fs.unstrip_protocol(name)))
    kind = unread_suffixes().get(path.suffix.lower())
    return None if kind is None else LeftAside(path, kind)
