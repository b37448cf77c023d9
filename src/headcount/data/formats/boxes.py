"""Head boxes on anybody's own images: one CSV or JSON file beside them, as `points.py` has it for points.

Coordinates are pixels of the upright image: x1, y1 the upper left corner, x2, y2 the lower right, each corner between
0 and the image's width or height; what reaches beyond the image is cut off. Image files are named relative to the
folder of the boxes file, with forward slashes.

    image,x1,y1,x2,y2                      {"images": [
    hall/001.jpg,99,82.5,108,94              {"file": "hall/001.jpg", "boxes": [[99, 82.5, 108, 94]]},
    hall/empty.jpg,,,,                       {"file": "hall/empty.jpg", "boxes": []}
                                           ]}

An image with no heads is one CSV row with nothing but its name. Three columns may be left out: ``x,y``, the head's
point where it is not the middle of the box, and ``provenance``, how the box came to be: ``annotated`` (also where
nothing is said), ``interpolated`` or ``pseudo``. In JSON they are the lists ``"points"`` and ``"provenance"``, one
entry for each box. With points in it, a boxes file is a points file too. Further columns and keys are left alone.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from headcount.core.errors import InputError, nearest
from headcount.core.files import atomic_text, writing
from headcount.core.geometry import as_boxes, as_points, has_area
from headcount.core.scene import Provenance, Scene
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, UnreadableAnnotationError, finish
from headcount.data.parse.values import coordinate, cut, parse_json, read_text, relative, shorten

SUFFIXES = (".csv", ".json")
_CORNERS = ("x1", "y1", "x2", "y2")
_POINT = ("x", "y")
_COLUMNS = ("image", *_POINT, *_CORNERS, "provenance")
_PROVENANCES: tuple[Provenance, ...] = get_args(Provenance)


def read_boxes(path: str | Path) -> list[Scene]:
    """The images of a boxes file (``.csv`` or ``.json``) as Scenes, in the order of the file.

    Row i of a scene's boxes, points and provenance is the i-th head.

    Raises:
        InputError: the file cannot be read or is malformed, an image is missing or unreadable, a number is none, a
            box has no width or height or lies outside its image, or a point does; the message names the file and the
            line or key.
    """
    path = Path(path)
    scenes = []
    for raw in list_boxes(path).scenes:
        scene = finish(raw)
        if scene.boxes_xyxy is None or len(scene.boxes_xyxy) < scene.count:
            _say_outside(path, raw, scene)
        scenes.append(scene)
    return scenes


def list_boxes(path: Path) -> Listing:
    """The images of a boxes file, in the order of the file; the images themselves unopened.

    Raises:
        InputError: the file cannot be read; an UnreadableAnnotationError where it is there but malformed.
    """
    parse = _parse_csv if _suffix_of(path) == ".csv" else _parse_json
    text = read_text(path, "boxes file (.csv or .json)")
    try:
        found = parse(path, text)
    except InputError as error:
        raise UnreadableAnnotationError(str(error)) from error
    scenes = (
        RawScene(
            entry.name, "", image, path, partial(_annotation, entry), group=Path(entry.name).parent.as_posix(),
            refuse_outside=True, origin=entry.origin,
        )
        for image, entry in found.items()
    )  # fmt: skip
    return Listing(tuple(scenes), () if found else (Remark("empty", path, "no image is named in this file"),))


def write_boxes(scenes: Sequence[Scene], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write boxes, points and provenance of Scenes to a ``.csv`` or ``.json`` file that ``read_boxes`` gives back.

    Numbers come back exactly, boxes cut to their image. Boxes without a provenance become ``annotated``. Only image
    files and heads are kept: regions and attributes are not part of the format.

    Raises:
        InputError: the suffix is another, the file exists and ``overwrite`` is False, a scene holds pixels and no
            file, two scenes share an image, a scene has not one box for each point, a box has no width or height, or
            the file cannot be written.
    """
    path = Path(path)
    suffix = _suffix_of(path)
    with writing(path):
        if path.exists() and not overwrite:
            raise InputError(f'"{path}" exists already: choose another name, or allow it to be overwritten (--force).')
    images: dict[str, _Entry] = {}
    for scene in scenes:
        if not isinstance(scene.image, Path):
            raise InputError(f'The scene "{scene.name}" holds pixels and no file: save its image first.')
        name = relative(scene.image, path.parent)
        if name in images:
            raise InputError(f'Two scenes are of the image "{name}": give each image once.')
        images[name] = _entry_of(scene, name)
    with atomic_text(path) as file:
        if suffix == ".csv":
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            for name, entry in images.items():
                for point, box, provenance in zip(entry.points, entry.boxes, entry.provenance, strict=True):
                    # repr gives the shortest text that reads back as the same float64.
                    writer.writerow([name, *map(repr, point), *map(repr, box), provenance])
                if not entry.boxes:
                    writer.writerow([name, *[""] * (len(_COLUMNS) - 1)])
        else:
            rows = [
                f'  {{"file": {json.dumps(name, ensure_ascii=False)}, "points": {json.dumps(entry.points)}, '
                f'"boxes": {json.dumps(entry.boxes)}, "provenance": {json.dumps(entry.provenance)}}}'
                for name, entry in images.items()
            ]
            file.write('{"images": [\n' + ",\n".join(rows) + "\n]}\n")
    return path


@dataclass(slots=True)
class _Entry:
    """What a file says of one image: the i-th of each list is the i-th head's."""

    name: str
    origin: str = ""
    boxes: list[list[float]] = field(default_factory=list)
    points: list[list[float]] = field(default_factory=list)
    provenance: list[Provenance] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    said_empty: bool = False

    def add(self, corners: Sequence[Any], point: Sequence[Any] | None, provenance: Any, path: Path, where: str) -> None:
        box = [coordinate(value, name, path, where) for name, value in zip(_CORNERS, corners, strict=True)]
        for low, high, side in ((0, 2, "x"), (1, 3, "y")):
            if not box[low] < box[high]:
                raise InputError(
                    f'"{path}", {where}: {side}1 must be smaller than {side}2, got {box[low]:g} and {box[high]:g} '
                    "(corners are expected, not width and height)."
                )
        if point is None:
            # Halved first: the sum of two large numbers may be infinite.
            self.points.append([box[0] / 2 + box[2] / 2, box[1] / 2 + box[3] / 2])
        else:
            self.points.append(
                [coordinate(value, name, path, where) for name, value in zip(_POINT, point, strict=True)]
            )
        if provenance not in _PROVENANCES:
            hint = nearest(provenance, _PROVENANCES) if isinstance(provenance, str) else ""
            raise InputError(f'"{path}", {where}: {shorten(provenance)} is no provenance of a box.{hint}')
        self.boxes.append(box)
        self.provenance.append(provenance)
        self.where.append(where)


def _annotation(entry: _Entry) -> RawAnnotation:
    return RawAnnotation(
        points_xy=as_points(entry.points),
        boxes_xyxy=as_boxes(entry.boxes),
        box_provenance=tuple(entry.provenance),
        where=tuple(entry.where),
    )


def _entry_of(scene: Scene, name: str) -> _Entry:
    boxes = as_boxes([]) if scene.boxes_xyxy is None else scene.boxes_xyxy
    if len(boxes) != scene.count:
        raise InputError(f'"{scene.name or name}" has {scene.count} points and {len(boxes)} boxes: give each its box.')
    flat = np.flatnonzero(~has_area(boxes))
    if len(flat):
        raise InputError(
            f'"{scene.name or name}": box {flat[0] + 1} has no width or height: {boxes[flat[0]].tolist()}.'
        )
    provenance = list(scene.box_provenance) or ["annotated"] * len(boxes)
    return _Entry(name, boxes=boxes.tolist(), points=scene.points_xy.tolist(), provenance=provenance)


def _say_outside(path: Path, raw: RawScene, scene: Scene) -> None:
    """Name the first box that nothing is left of within the image."""
    annotation = raw.read()
    assert annotation.boxes_xyxy is not None
    boxes, limit = annotation.boxes_xyxy, np.asarray(scene.size_wh)
    inside = ((boxes[:, :2] < limit) & (boxes[:, 2:] > 0)).all(axis=1)
    row = int(np.flatnonzero(~inside)[0])
    x1, y1, x2, y2 = boxes[row]
    raise InputError(
        f'"{path}", {annotation.place(row)}: the box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) lies outside "{raw.name}" '
        f"({limit[0]}×{limit[1]} pixels): x, y are pixels of the upright image."
    )


def _suffix_of(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f'"{path.name}" is no boxes file: .csv or .json was expected.{nearest(suffix, SUFFIXES)}')
    return suffix


def _parse_csv(path: Path, text: str) -> dict[Path, _Entry]:
    found: dict[Path, _Entry] = {}
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        for column in _COLUMNS:
            optional = column in _POINT or column == "provenance"
            if header.count(column) > 1 or (not optional and column not in header):
                raise InputError(
                    f'"{path}", line 1: the header must name the columns image,x1,y1,x2,y2 once each, but it is '
                    f'"{cut(",".join(header))}" ("{column}" {header.count(column)} times).'
                )
        if ("x" in header) != ("y" in header):
            raise InputError(f'"{path}", line 1: the columns x and y go together, but only one is there.')
        for cells in reader:
            where = f"line {reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(header):
                raise InputError(f'"{path}", {where}: {len(header)} cells were expected, got {len(cells)}.')
            row = dict(zip(header, cells, strict=True))
            corners = [row[column].strip() for column in _CORNERS]
            point = [row.get(column, "").strip() for column in _POINT]
            entry = _entry(found, path, row["image"], where)
            nobody = not any(corners) and not any(point)
            if entry.said_empty or (nobody and entry.boxes):
                said = "a row without a box (no heads) and others with one"
                raise InputError(f'"{path}", {where}: "{cut(row["image"])}" has {said}.')
            if nobody:
                entry.said_empty = True
                continue
            provenance = row.get("provenance", "").strip() or "annotated"
            entry.add(corners, point if any(point) else None, provenance, path, where)
    except csv.Error as error:
        raise InputError(f'"{path}", line {reader.line_num}: this is no valid CSV ({error}).') from error
    return found


def _parse_json(path: Path, text: str) -> dict[Path, _Entry]:
    found: dict[Path, _Entry] = {}
    data = parse_json(text, path, "boxes file")
    images = data.get("images") if isinstance(data, dict) else None
    if not isinstance(images, list):
        form = '{"images": [{"file": …, "boxes": [[x1, y1, x2, y2], …]}, …]}'
        raise InputError(f'"{path}" must be {form}, but has no list "images".')
    for index, item in enumerate(images):
        key = f"images[{index}]"
        item = item if isinstance(item, dict) else {}
        name, boxes = item.get("file"), item.get("boxes")
        if not isinstance(name, str):
            raise InputError(f'"{path}", {key}.file: the name of an image file was expected.')
        if not isinstance(boxes, list):
            raise InputError(f'"{path}", {key}.boxes: a list of [x1, y1, x2, y2] was expected ([] where nobody is).')
        points = _one_each(item, "points", [None] * len(boxes), path, key)
        provenance = _one_each(item, "provenance", ["annotated"] * len(boxes), path, key)
        before = len(found)
        entry = _entry(found, path, name, key)
        if len(found) == before:
            raise InputError(f'"{path}", {key}.file: "{cut(name)}" stands at {entry.origin} already: give it once.')
        for number, box in enumerate(boxes):
            corners = _numbers(box, 4, "[x1, y1, x2, y2]", path, f"{key}.boxes[{number}]")
            point = points[number]
            if "points" in item:
                point = _numbers(point, 2, "[x, y]", path, f"{key}.points[{number}]")
            entry.add(corners, point, provenance[number], path, f"{key}.boxes[{number}]")
    return found


def _one_each(item: dict[str, Any], what: str, default: list[Any], path: Path, key: str) -> list[Any]:
    values = item.get(what, default)
    if not isinstance(values, list) or len(values) != len(default):
        got = f"{len(values)}" if isinstance(values, list) else shorten(values)
        raise InputError(
            f'"{path}", {key}.{what}: a list of {len(default)}, one for each box, was expected, got {got}.'
        )
    return values


def _numbers(values: Any, length: int, form: str, path: Path, where: str) -> list[Any]:
    if not isinstance(values, list) or len(values) != length or any(isinstance(value, str) for value in values):
        raise InputError(f'"{path}", {where}: {form}, all numbers, was expected, got {shorten(values)}.')
    return values


def _entry(found: dict[Path, _Entry], path: Path, name: str, where: str) -> _Entry:
    if not name or "\0" in name:
        raise InputError(f'"{path}", {where}: the name of an image file was expected, got {shorten(name)}.')
    return found.setdefault(Path(os.path.normpath(path.parent / name)), _Entry(name, where))
