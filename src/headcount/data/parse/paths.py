"""Where the image is that a file names: one place for all formats.

Names were written on another machine, often another system, before somebody moved the images. So a name is taken

1. as it is written, relative to the folder (a path that is absolute, or leads out by ``..``, may lead anywhere);
2. with backslashes as slashes;
3. with percent codes written out (``%20``);
4. in another form of Unicode (é as one letter or as two);
5. with another suffix of an image, or the one that it lacks, where one image alone has the name;
6. by as much of its end as lies below the folder: ``/home/me/images/a.jpg``, ``C:\\images\\a.jpg``, ``1/a.jpg``; of an
   address, by what it asks for (``http://host/data/local-files/?d=images/a.jpg``);
7. without the mark that Label Studio puts before the name of what is uploaded: ``upload/1/1a2b3c4d-a.jpg``.

The first rule that meets a file wins, and within it the first of the folders. Rules 3 to 7 guess, so they never lead
out of the folders, and rules 6 and 7 never give two names one file. Each folder is listed once.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from headcount.core.errors import InputError, nearest
from headcount.core.image import is_image_name
from headcount.data.parse.values import cut, quoted

MAX_NAME = 4096
"""No system takes a longer path."""
_DRIVE = re.compile(r"[A-Za-z]:/")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/]*|(?=/data/local-files/\?)")
_NO_MARK = "the name before it was uploaded"
_UPLOAD_MARK = re.compile(r"[0-9a-f]{8}-(?=.)")


@dataclass(frozen=True, slots=True)
class FoundName:
    """Where a name leads.

    Attributes:
        path: the file or folder; where there is none, where it was looked for first.
        name: the name with forward slashes, relative to the folder where another rule than the first found it.
        rule: by what it was found: empty where as it is written, ``missing`` where not at all.
    """

    path: Path
    name: str
    rule: str = ""

    @property
    def found_by(self) -> str:
        """The rule, where it is another than the first and met a file."""
        return "" if self.rule == "missing" else self.rule


@dataclass(slots=True)
class _Entries:
    """What is in a folder: names, and names by their form that does not depend on the system."""

    names: frozenset[str] = frozenset()
    by_key: dict[str, list[str]] = field(default_factory=dict)
    images: dict[str, list[str]] = field(default_factory=dict)
    is_closed: bool = False


class Finder:
    """Finds what one annotation file names.

    Args:
        folders: what names are relative to, the most usual first.

    >>> Finder([Path("/set")]).find("images/a.jpg").path.as_posix()
    '/set/images/a.jpg'
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = list(dict.fromkeys(folders))
        self._usual: Path | None = None
        self._met_closed = False
        self._listed: dict[Path, _Entries] = {}
        self._known: dict[str, FoundName] = {}
        self._ends: dict[Path, str] = {}  # the names that were found by their ends

    def find(self, name: str) -> FoundName:
        """Where a name leads; see the module's rules. ``name`` is not empty and holds no zero byte."""
        place = self._known.get(name) or self._find(name)
        if place.rule != "missing":
            self._known[name] = place
        return place

    def _find(self, name: str) -> FoundName:
        for path in (_normal(folder / name) for folder in self.folders):
            if self._is_there(path):
                return self._found(path, name, "")
        plain = name.replace("\\", "/")
        for folder in self.folders if plain != name else ():
            if self._is_there(path := _normal(folder / plain)):
                return self._found(path, plain, "backslashes")
        for rule, path, folder in self._guesses(plain):
            return self._found(path, relative(path, folder), rule)
        written = name if os.sep == "\\" else plain
        usual = _normal((self._usual or self.folders[0]) / written)
        # Where a folder may not be read, that is what is to be said of what should be in it.
        places = (_normal(folder / written) for folder in (self.folders if self._met_closed else ()))
        closed = (place for place in places if self._entries(place.parent).is_closed and not _may_be_looked_at(place))
        return FoundName(next(closed, usual), plain, "missing")

    def image(self, name: object, file: Path, where: str, *, kind: str = "an image") -> FoundName:
        """``find``, of what a file says at a line or key.

        Raises:
            InputError: that is no name of a file.
        """
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            raise InputError(f'"{file}", {where}: the name of {kind} file was expected, got {quoted(name)}.')
        if len(name) > MAX_NAME:
            raise InputError(f'"{file}", {where}: {quoted(name)} is no name of a file: it has {len(name):,} letters.')
        place = self.find(name)
        if not place.path.name:
            raise InputError(f'"{file}", {where}: {cut(repr(name))} names no file.')
        return place

    def _found(self, path: Path, name: str, rule: str) -> FoundName:
        if self._usual is None:  # a name that is not there is said to be missing where the others are
            self._usual = next((folder for folder in self.folders if path == _normal(folder / name)), self._usual)
        return FoundName(path, name, rule)

    def _guesses(self, plain: str) -> Iterator[tuple[str, Path, Path]]:
        """What rules 3 to 6 meet, the first being right."""
        is_address = _ADDRESS.match(plain) is not None
        asked = _asked_of(plain) if is_address else plain
        decoded = unquote(asked) if "%" in asked else asked
        decoded = asked if "\0" in decoded or _steps(decoded).count("..") > _steps(asked).count("..") else decoded
        tails = [(asked, ""), *([(decoded, "percent codes")] if decoded != asked else [])]
        if (mark := _UPLOAD_MARK.match(last := decoded.rpartition("/")[2])) is not None:
            tails.append((decoded.removesuffix(last) + last[mark.end() :], _NO_MARK))
        for tail, code in tails:
            parts = _steps(tail)
            for start in range(len(parts)):
                if ".." in parts[start:]:
                    continue
                is_end = start > 0 or is_address or code == _NO_MARK or _is_absolute(tail)
                words = [word for word in (code, "the end of the path" if is_end and code != _NO_MARK else "") if word]
                for folder in self.folders:
                    met = self._walk(folder, parts[start:])
                    if met is not None and (not is_end or self._ends.setdefault(met[0], plain) == plain):
                        yield ", ".join([*words, *met[1]]), met[0], folder

    def _walk(self, folder: Path, parts: Sequence[str]) -> tuple[Path, list[str]] | None:
        """The file at the end of folders whose names may be in another form of Unicode, and by what it was found."""
        how: list[str] = []
        for part in parts[:-1]:
            entries = self._entries(folder)
            if part not in entries.names:
                same = entries.by_key.get(same_name(part), [])
                if len(same) != 1:
                    return None
                part, how = same[0], ["another form of Unicode"]
            folder = folder / part
        entries, last = self._entries(folder), parts[-1]
        if last in entries.names:
            return folder / last, how
        same = entries.by_key.get(same_name(last), [])
        if len(same) == 1:
            return folder / same[0], ["another form of Unicode"]
        stems = [last, PurePosixPath(last).stem] if is_image_name(Path(last)) else [last]
        for stem in stems:
            images = entries.images.get(same_name(stem), [])
            if len(images) == 1:
                return folder / images[0], [*how, "another suffix"]
        return None

    def _is_there(self, path: Path) -> bool:
        entries = self._entries(path.parent)
        # Some systems find a name in another form than they list it in; and some folders may be entered, not listed.
        return path.name in entries.names or ((bool(entries.names) or entries.is_closed) and _exists(path))

    def _entries(self, folder: Path) -> _Entries:
        if folder not in self._listed:
            found = _Entries()
            try:
                names = sorted(os.listdir(folder))  # noqa: PTH208  (thousands of names, and no paths of them)
            except PermissionError:
                names, found.is_closed, self._met_closed = [], True, True
            except (OSError, ValueError):
                names = []
            found.names = frozenset(names)
            for name in names:
                found.by_key.setdefault(same_name(name), []).append(name)
                if is_image_name(Path(name)):
                    found.images.setdefault(same_name(Path(name).stem), []).append(name)
            self._listed[folder] = found
        return self._listed[folder]


def near_name(path: Path) -> str:
    """A hint at a file that is not there: the nearest name in its folder, or that there is no such folder."""
    try:
        names = [each.name for each in path.parent.iterdir()]
    except (OSError, ValueError):
        return f' There is no folder "{cut(str(path.parent), 1000)}".' if not _exists(path.parent) else ""
    hint = nearest(path.name, names)
    return hint if hint.startswith(" Did") else ""


def relative(path: Path, folder: Path) -> str:
    """A path as it is written in a file of ``folder``: with forward slashes, absolute only on another drive."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def same_name(name: str) -> str:
    """A name in the form in which names are compared: one letter for é, whichever system wrote it."""
    return unicodedata.normalize("NFC", name)


def _asked_of(address: str) -> str:
    """The path in an address; of one that asks for a file behind ``?d=`` that of the file."""
    path, _, query = address[_ADDRESS.match(address).end() :].partition("?")  # type: ignore[union-attr]
    asked = next((part[2:] for part in query.split("&") if part.startswith("d=")), "")
    return asked or path


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))


def _steps(name: str) -> list[str]:
    return [part for part in _DRIVE.sub("/", name, count=1).split("/") if part not in ("", ".")]


def _is_absolute(name: str) -> bool:
    return name.startswith("/") or _DRIVE.match(name) is not None


def _may_be_looked_at(path: Path) -> bool:
    try:
        path.stat()
    except PermissionError:
        return False
    except (OSError, ValueError):
        return True
    return True


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
