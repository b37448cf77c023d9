"""Points on anybody's own images: one CSV or JSON file beside them, read and written without loss.

Coordinates are (x, y) in pixels of the upright image (EXIF orientation obeyed), x to the right and y down, the
centre of the first pixel at (0.5, 0.5): a point lies inside where 0 ≤ x ≤ width and 0 ≤ y ≤ height. Image files
are named relative to the folder of the points file, with forward slashes.

    image,x,y                       {"images": [
    hall/001.jpg,103.5,88.25          {"file": "hall/001.jpg", "points": [[103.5, 88.25], [410, 92.5]]},
    hall/001.jpg,410,92.5             {"file": "hall/empty.jpg", "points": []}
    hall/empty.jpg,,                ]}

An image with no heads is one CSV row with x and y empty. Further columns and keys are left alone.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError, nearest
from headcount.core.files import atomic_text, is_file, is_folder, writing
from headcount.core.geometry import as_points
from headcount.core.scene import Scene
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, UnreadableAnnotationError, finish
from headcount.data.parse.values import coordinate, cut, parse_json, read_text, relative, shorten

SUFFIXES = (".csv", ".json")
_COLUMNS = ("image", "x", "y")


@dataclass(frozen=True, slots=True, eq=False)
class PointRecord:
    """What a points file says of one image, before it is compared with the image.

    Attributes:
        name: the image file as it was written.
        image: where that is.
        points_xy: (n, 2) float64, finite and not negative; may lie beyond the image's right or lower edge.
        where: the line or key of each point, for messages.
        origin: the line or key where the image is first named.
    """

    name: str
    image: Path
    points_xy: NDArray[np.float64]
    where: tuple[str, ...]
    origin: str


def read_points(path: str | Path) -> list[Scene]:
    """The images of a points file (``.csv`` or ``.json``) as Scenes, in the order of the file.

    Raises:
        InputError: the file cannot be read or is malformed, an image is missing or unreadable, or a point is no
            number, negative or outside its image; the message names the file and the line or key.
    """
    return [finish(raw) for raw in list_points(Path(path)).scenes]


def list_points(path: Path) -> Listing:
    """The images of a points file, in the order of the file; the images themselves unopened.

    Raises:
        InputError: as ``read_point_records``; an UnreadableAnnotationError where the file is there but malformed.
    """
    if not is_file(path):
        read_point_records(path)  # says what is wrong with the path
    try:
        records = read_point_records(path)
    except InputError as error:
        raise UnreadableAnnotationError(str(error)) from error
    remarks = () if records else (Remark("empty", path, "no image is named in this file"),)
    scenes = (
        RawScene(
            record.name, "", record.image, path, partial(_annotation, record),
            group=Path(record.name).parent.as_posix(), refuse_outside=True, origin=record.origin,
        )
        for record in records
    )  # fmt: skip
    return Listing(tuple(scenes), remarks)


def _annotation(record: PointRecord) -> RawAnnotation:
    return RawAnnotation(points_xy=record.points_xy, where=record.where)


def read_point_records(path: str | Path) -> list[PointRecord]:
    """What a points file says, the images themselves unopened; the checks of ``read_points`` that need none.

    Raises:
        InputError: the file cannot be read or is malformed, or a point is no number or negative.
    """
    path = Path(path)
    if is_folder(path):
        raise InputError(f'"{path}" is a folder: name the points file in it (.csv or .json).')
    reader = _reader_of(path)
    text = read_text(path, "points file")
    found = {".csv": _parse_csv, ".json": _parse_json}[reader](path, text)
    return [
        PointRecord(entry.name, image, as_points(entry.points), tuple(entry.where), entry.origin)
        for image, entry in found.items()
    ]


def write_points(scenes: Sequence[Scene], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the points of Scenes to a ``.csv`` or ``.json`` file that ``read_points`` gives back exactly.

    Only image files and points are kept: boxes, regions and attributes are not part of the format.

    Raises:
        InputError: the suffix is another, the file exists and ``overwrite`` is False, a scene holds pixels and
            no file, two scenes share an image, or the file cannot be written.
    """
    path = Path(path)
    suffix = _reader_of(path)
    with writing(path):
        if path.exists() and not overwrite:
            raise InputError(f'"{path}" exists already: choose another name, or allow it to be overwritten (--force).')
    rows: dict[str, list[list[float]]] = {}
    for scene in scenes:
        if not isinstance(scene.image, Path):
            raise InputError(f'The scene "{scene.name}" holds pixels and no file: save its image first.')
        name = relative(scene.image, path.parent)
        if name in rows:
            raise InputError(f'Two scenes are of the image "{name}": give each image once.')
        rows[name] = scene.points_xy.tolist()
    with atomic_text(path) as file:
        if suffix == ".csv":
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            for name, points in rows.items():
                # repr gives the shortest text that reads back as the same float64.
                writer.writerows([name, repr(x), repr(y)] for x, y in points)
                if not points:
                    writer.writerow([name, "", ""])
        else:
            images = [
                f'  {{"file": {json.dumps(name, ensure_ascii=False)}, "points": {json.dumps(points)}}}'
                for name, points in rows.items()
            ]
            file.write('{"images": [\n' + ",\n".join(images) + "\n]}\n")
    return path


@dataclass(slots=True)
class _Entry:
    name: str
    origin: str
    points: list[tuple[float, float]]
    where: list[str]
    said_empty: bool = False


def _reader_of(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f'"{path.name}" is no points file: .csv or .json was expected.{nearest(suffix, SUFFIXES)}')
    return suffix


def _parse_csv(path: Path, text: str) -> dict[Path, _Entry]:
    found: dict[Path, _Entry] = {}
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        for column in _COLUMNS:
            if header.count(column) != 1:
                raise InputError(
                    f'"{path}", line 1: the header must name the columns image,x,y once each, but it is '
                    f'"{cut(",".join(header))}" ("{column}" {header.count(column)} times).'
                )
        positions = [header.index(column) for column in _COLUMNS]
        for cells in reader:
            where = f"line {reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(header):
                raise InputError(f'"{path}", {where}: {len(header)} cells were expected, got {len(cells)}.')
            name, x, y = (cells[position] for position in positions)
            entry = _entry(found, path, name, where)
            if entry.said_empty or (not x.strip() and not y.strip() and entry.points):
                raise InputError(
                    f'"{path}", {where}: "{cut(name)}" has a row without x, y (no heads) and others with them.'
                )
            if not x.strip() and not y.strip():
                entry.said_empty = True
                continue
            entry.points.append((_number(x, "x", path, where), _number(y, "y", path, where)))
            entry.where.append(where)
    except csv.Error as error:
        raise InputError(f'"{path}", line {reader.line_num}: this is no valid CSV ({error}).') from error
    return found


def _parse_json(path: Path, text: str) -> dict[Path, _Entry]:
    found: dict[Path, _Entry] = {}
    data = parse_json(text, path, "points file")
    images = data.get("images") if isinstance(data, dict) else None
    if not isinstance(images, list):
        form = '{"images": [{"file": …, "points": [[x, y], …]}, …]}'
        raise InputError(f'"{path}" must be {form}, but has no list "images".')
    for index, item in enumerate(images):
        key = f"images[{index}]"
        name, points = (item.get("file"), item.get("points")) if isinstance(item, dict) else (None, None)
        if not isinstance(name, str):
            raise InputError(f'"{path}", {key}.file: the name of an image file was expected.')
        if not isinstance(points, list):
            raise InputError(f'"{path}", {key}.points: a list of [x, y] was expected ([] where nobody is).')
        before = len(found)
        entry = _entry(found, path, name, key)
        if len(found) == before:
            raise InputError(f'"{path}", {key}.file: "{cut(name)}" stands at {entry.origin} already: give it once.')
        for number, point in enumerate(points):
            where = f"{key}.points[{number}]"
            if not isinstance(point, list) or len(point) != 2:
                raise InputError(f'"{path}", {where}: [x, y] was expected, got {shorten(point)}.')
            if any(isinstance(value, str) for value in point):
                raise InputError(f'"{path}", {where}: two numbers were expected, got {shorten(point)}.')
            entry.points.append((_number(point[0], "x", path, where), _number(point[1], "y", path, where)))
            entry.where.append(where)
    return found


def _entry(found: dict[Path, _Entry], path: Path, name: str, where: str) -> _Entry:
    if not name or "\0" in name:
        raise InputError(f'"{path}", {where}: the name of an image file was expected, got {shorten(name)}.')
    image = Path(os.path.normpath(path.parent / name))
    return found.setdefault(image, _Entry(name, where, [], []))


def _number(value: Any, axis: str, path: Path, where: str) -> float:
    number = coordinate(value, axis, path, where)
    if number < 0:
        raise InputError(f'"{path}", {where}: {axis} must not be negative, got {number:g} (0 is the image\'s edge).')
    return number
