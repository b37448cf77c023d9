"""What published sets are made of: folders of pairs, numbered frames, lists of images, points in MAT and JSON files.

A file of ``published/`` is a layout as data and the one parser that the set needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.files import file_size, is_folder
from headcount.core.image import IMAGE_SUFFIXES
from headcount.data.formats.folders import entries, need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name, pair
from headcount.data.formats.raw import (
    Listing,
    RawAnnotation,
    RawScene,
    Remark,
    UnreadableAnnotationError,
    no_annotation,
)
from headcount.data.parse.mat import as_rows, read_members, row_names
from headcount.data.parse.mat_frames import LOCATION, frame_place, read_frames, rows_of
from headcount.data.parse.text import read_lines
from headcount.data.parse.values import numbers, quoted

Read = Callable[..., RawAnnotation]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Folders of splits, in each of them images and annotations that belong together by name.

    Attributes:
        images: how images are called below a split's folder, as in ``files_by_name``: ``images/IMG_*.jpg``.
        annotations: how their annotations are; where copies differ, the usual first.
        splits: split → the names of its folder, the usual first; a set without splits lies in one folder, ``""``.
        homes: the names of the folder that holds the splits, the usual first. It may be given, or the one above it.
        part: the set is told from another of the same layout by the name of that folder, which begins so.
    """

    images: str
    annotations: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    homes: tuple[str, ...] = ()
    part: str = ""

    def find(
        self,
        root: Path,
        read: Read,
        *,
        group: str | Callable[[str], str] = "",
        attributes: Callable[[Path], Mapping[str, Mapping[str, str]]] | None = None,
    ) -> Listing:
        """The scenes of whichever split is there; ``root`` is the folder that holds them, the one above, or a split's.

        ``group`` is as in ``pair``; ``attributes`` maps a split's folder to what it knows of each name.

        Raises:
            InputError: the layout is another.
        """
        expected = self._expected()
        need_folder(root, ", ".join(expected[:-1]) + f" and {expected[-1]}")
        parts = []
        for split, folder in self._folders(root).items():
            images, pattern = self._place(folder, (self.images,))
            annotations, called = self._place(folder, self.annotations)
            known = attributes(folder) if attributes is not None else None
            found = list_pairs(images, pattern, annotations, called, read, split=split, group=group, attributes=known)
            if not split and not found.scenes:
                raise wrong_folder(folder, expected, "give the folder that holds them")
            parts.append(found)
        return join(parts)

    def _folders(self, root: Path) -> dict[str, Path]:
        """The folder of each split that is there."""
        candidates = (*(root / home for home in self.homes), root)
        bases = [base for base in candidates if base.absolute().name.startswith(self.part) and is_folder(base)]
        for base in bases:
            found = {split: _first_folder(base, names) for split, names in self.splits.items()}
            if present := {split: folder for split, folder in found.items() if folder is not None}:
                return present
        own, above = root.absolute().name, root.absolute().parent.name
        if above in self.homes or (self.part and above.startswith(self.part)):
            for split, names in self.splits.items():
                if own in names:
                    return {split: root}
        advice = f"give the folder above {self.homes[0]}" if self.part else "give the folder that holds them"
        raise wrong_folder(bases[0] if bases and not self.part else root, self._expected(), advice)

    def _expected(self) -> list[str]:
        names = [names[0] for names in self.splits.values()]
        if names == [""]:
            return [shown(pattern, number="1") for pattern in (self.images, *self.annotations)]
        return [f"{self.homes[0]}/{name}" if self.part else name for name in names]

    def _place(self, folder: Path, patterns: Sequence[str]) -> tuple[Path, str]:
        """The folder below a split's where the first of the patterns has one, and the pattern of the files in it."""
        parted = [pattern.rpartition("/") for pattern in patterns]
        for below, _, name in parted:
            if is_folder(folder / below):
                return folder / below, name
        raise wrong_folder(folder, [below for below, _, _ in parted], "the published layout")


def _first_folder(base: Path, names: Iterable[str]) -> Path | None:
    return next((base / name for name in names if is_folder(base / name)), None)


def home_of(root: Path, homes: Iterable[str]) -> Path:
    """The folder that a set's archives unpack to, where it lies in ``root``; else ``root``."""
    return _first_folder(root, homes) or root


def join(parts: Iterable[Listing]) -> Listing:
    """Listings one after the other."""
    listed = tuple(parts)
    return Listing(
        tuple(scene for part in listed for scene in part.scenes),
        tuple(remark for part in listed for remark in part.remarks),
    )


def list_pairs(
    images: Path,
    pattern: str,
    annotations: Path,
    called: str,
    read: Read,
    *,
    split: str,
    folder: str | None = None,
    group: str | Callable[[str], str] = "",
    attributes: Mapping[str, Mapping[str, str]] | None = None,
) -> Listing:
    """The pairs of two folders (or of one), by the patterns of their files; a folder without images is remarked.

    The rest is as in ``pair``.
    """
    pictures, truths = files_by_name(images, pattern), files_by_name(annotations, called)
    form = shown(pattern)
    remarks = [] if pictures else [Remark("empty", images, f"no image {form} is in this folder")]
    if images == annotations:
        remarks += strays(images, [*pictures.values(), *truths.values()], f"{form} or {shown(called)}")
    else:
        remarks += strays(images, pictures.values(), form)
    scenes = pair(pictures, truths, read, split=split, folder=folder, group=group, attributes=attributes)
    return Listing(tuple(scenes), tuple(remarks))


def strays(folder: Path, taken: Iterable[Path], expected: str) -> list[Remark]:
    """A remark on each image or MAT file of a folder that was not taken; ``expected`` is how they are named."""
    known = set(taken)
    return [
        Remark("stray-file", path, f"this is not named {expected}")
        for path in entries(folder)
        if path.suffix.lower() in {*IMAGE_SUFFIXES, ".mat"} and path not in known
    ]


def shown(pattern: str, *, number: str = "N") -> str:
    """A pattern of ``files_by_name`` as people write it.

    >>> shown("images/{#}_ann.mat")
    'N_ann.mat'
    """
    return pattern.rpartition("/")[2].translate({ord("{"): "", ord("}"): "", ord("#"): number})


def kept(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """A reader that keeps what it made of the files it read last, or why it could not; a changed one is read again."""

    @lru_cache(maxsize=16)
    def read_once(path: Path, mtime_ns: int, size: int) -> T | InputError:
        try:
            return read(path)
        except InputError as error:
            return error

    @wraps(read)
    def look(path: Path) -> T:
        file_size(path)  # says what is wrong with the path
        status = path.stat()
        found = read_once(path, status.st_mtime_ns, status.st_size)
        if isinstance(found, InputError):
            raise found.with_traceback(None)
        return found

    return look


def list_frames(
    names: Sequence[str],
    images: Mapping[str, Path],
    annotation: Path | None,
    split_of: Callable[[int], str],
    *,
    columns: int = 2,
    region: Callable[[], NDArray[np.bool_]] | None = None,
) -> list[RawScene]:
    """A scene for each frame of a video that has an image, or a place in its one annotation (see ``mat_frames``).

    The i-th of ``names``, from 1, is frame i of ``annotation`` (None: there is none), whose rows of ``columns`` numbers
    begin with x and y, which count pixels from 1; ``split_of`` takes that number. ``region`` gives the region of
    interest of all.
    """
    scenes = []
    for number, name in enumerate(names, start=1):
        image, split = images.get(name), split_of(number)
        if image is None and annotation is None:
            continue
        read = no_annotation if annotation is None else partial(_read_frame, annotation, number, columns, region)
        scenes.append(RawScene(f"{split}/{name}", split, image, annotation, read, origin=frame_place(number)))
    return scenes


_kept_frames = kept(read_frames)


def _read_frame(path: Path, number: int, columns: int, region: Callable[[], NDArray[np.bool_]] | None) -> RawAnnotation:
    points = rows_of(partial(_kept_frames, path), number, columns, path)[:, :2] - 0.5
    where = row_names(f"{frame_place(number)}.{LOCATION}", len(points))
    return RawAnnotation(points_xy=points, where=where, region_mask=None if region is None else region())


def read_list(
    path: Path, form: str, parse: Callable[[str], tuple[str, dict[str, str]] | None]
) -> dict[str, dict[str, str]]:
    """What a list of images knows of each, by name, in its order; blank lines are passed over.

    ``parse`` maps a line to the name and its attributes, or to None where it has not the ``form``.

    Raises:
        UnreadableAnnotationError: the file is missing or no text, or a line is malformed or names an image again.
    """
    try:
        lines = read_lines(path, "list of images")
    except InputError as error:
        raise UnreadableAnnotationError(error.message) from error
    found: dict[str, dict[str, str]] = {}
    for line, row in enumerate(lines, start=1):
        if not row.strip():
            continue
        parsed = parse(row)
        if parsed is None:
            raise UnreadableAnnotationError(f'"{path}", line {line}: {form} was expected, got {quoted(row)}.')
        name, attributes = parsed
        if name in found:
            raise UnreadableAnnotationError(f'"{path}", line {line}: {quoted(name)} stands in the list already.')
        found[name] = attributes
    return found


def read_mat_points(path: Path, key: str) -> RawAnnotation:
    """The points (x, y) of a variable of a `.mat` file, which count pixels from 1, so x − 0.5.

    Raises:
        InputError: the file is missing, damaged, or not in the published form.
    """
    points = as_rows(read_members(path, [key])[key], 2, path, key)
    return RawAnnotation(points_xy=points - 0.5, where=row_names(key, len(points)))


def json_rows(data: Mapping[str, Any], key: str, form: str, path: Path) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """(n, columns) float64 of a list of lists in a JSON object, and the place of each; ``form``: ``[x, y]``.

    Raises:
        InputError: there is no such list; file and place are named.
    """
    values = data.get(key)
    if not isinstance(values, list):
        raise InputError(f'"{path}", {key}: a list of {form} was expected, got {quoted(values)}.')
    where = tuple(f"{key}[{index}]" for index in range(len(values)))
    rows = [numbers(value, form, path, which) for value, which in zip(values, where, strict=True)]
    return np.asarray(rows, np.float64).reshape(-1, form.count(",") + 1), where
