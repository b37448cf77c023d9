"""What is in folders, and what a pattern meets: each real folder is walked once, however many links lead to it.

A part of a pattern that is there by that very name is taken as it is (``trip [2024]``), and hidden entries are met only
by parts that begin with a dot, as in a shell.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from headcount.core.errors import InputError
from headcount.core.files import is_folder

_MAGIC = re.compile(r"[*?\[]")
_ANY_DEPTH = "**"
_PART_MAX = 1000


def list_folder(folder: Path) -> list[Path]:
    """What is in a folder, hidden entries too, in natural order.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return naturally(folder / name for name in os.listdir(folder))  # noqa: PTH208  (no paths of the names left out)
    except OSError as error:
        raise InputError(f'The folder "{folder}" cannot be read ({error.strerror or error}).') from error


def folders_below(folder: Path, seen: set[object] | None = None) -> Iterator[Path | InputError]:
    """A folder and all inside it that are not hidden, each once; links to others come last.

    Where one cannot be read, that follows it. ``seen``: what tells the folders that were walked before.
    """
    seen = set() if seen is None else seen
    waiting, behind_links = [folder], list[Path]()
    while waiting or behind_links:
        folder = waiting.pop() if waiting else behind_links.pop()
        if (identity := _identity(folder)) in seen:
            continue
        seen.add(identity)
        yield folder
        try:
            inner = [each for each in list_folder(folder) if not each.name.startswith(".") and is_folder(each)]
        except InputError as error:
            yield error
            continue
        for each in reversed(inner):
            (behind_links if _is_link(each) else waiting).append(each)


def _identity(folder: Path) -> object:
    try:
        status = folder.stat()
    except OSError:
        return str(folder)
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)


def as_pattern(argument: str) -> tuple[Path, list[str]]:
    """A pattern's beginning that is to be taken as it is, and the parts behind it, the first of which is to be matched.

    There are no parts where nothing in the argument is a pattern, or something is there by that very name.
    """
    whole = Path(argument)
    base, parts = Path(whole.anchor), list(whole.parts[1:] if whole.anchor else whole.parts)
    for number, part in enumerate(parts):
        if _MAGIC.search(part) and not _is_there(base / part):
            return base, parts[number:]
        base /= part
    return base, []


def matches(base: Path, parts: list[str]) -> list[Path | InputError]:
    """What a pattern as of ``as_pattern`` meets, in natural order, each path once; folders that cannot be read last."""
    found: list[Path] = [base]
    problems: dict[str, InputError] = {}
    for number, part in enumerate(parts):
        folders = _each_once(found)
        if part == _ANY_DEPTH:
            folders = list(_any_depth(folders, problems))
        if part == _ANY_DEPTH and number < len(parts) - 1:
            found = folders
        else:
            name = "*" if part == _ANY_DEPTH else part
            found = [entry for folder in folders for entry in _matching(folder, name, problems)]
    return [*naturally(dict.fromkeys(found)), *problems.values()]


def _each_once(paths: Iterable[Path]) -> list[Path]:
    """The folders among some paths, each real one once, by its own name rather than by a link's."""
    folders: dict[object, Path] = {}
    for path in sorted(paths, key=_is_link):  # which keeps the order otherwise
        if is_folder(path):
            folders.setdefault(_identity(path), path)
    return list(folders.values())


def _any_depth(folders: Iterable[Path], problems: dict[str, InputError]) -> Iterator[Path]:
    seen: set[object] = set()
    for folder in folders:
        for each in folders_below(folder, seen):
            if isinstance(each, Path):
                yield each
            else:
                problems[str(each)] = each


def _matching(folder: Path, part: str, problems: dict[str, InputError]) -> list[Path]:
    if len(part) > _PART_MAX:  # no file has such a name, and it would take long to find out
        return []
    if part == ".." or not _MAGIC.search(part) or _is_there(folder / part):
        return [folder / part] if _is_there(folder / part) else []
    try:
        entries = list_folder(folder)
    except InputError as error:
        problems[str(error)] = error
        return []
    shown = [entry for entry in entries if not entry.name.startswith(".") or part.startswith(".")]
    return [entry for entry in shown if fnmatch.fnmatch(entry.name, part)]


def _is_there(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except (OSError, ValueError):
        return False


def _is_link(path: Path) -> bool:
    return os.path.islink(path)  # noqa: PTH114  (Path's own fails at names that are too long)


def naturally(paths: Iterable[Path]) -> list[Path]:
    """Paths as people sort them: ``2.jpg`` before ``10.jpg``."""
    return sorted(paths, key=lambda path: natural_key(str(path)))


def natural_key(name: str) -> tuple[list[tuple[int, int | str]], str]:
    """What names are sorted by, as people sort them.

    >>> sorted(["10.jpg", "2.jpg"], key=natural_key)
    ['2.jpg', '10.jpg']
    """
    pieces = re.split(r"(\d+)", name.casefold())
    return [(0, int(piece)) if piece.isdecimal() else (1, piece) for piece in pieces if piece], name
