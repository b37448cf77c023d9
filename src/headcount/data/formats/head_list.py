"""Heads on anybody's own images in one CSV or JSON file beside them: points, or boxes, read and written without loss.

Coordinates are (x, y) in pixels of the upright image (EXIF orientation obeyed), x to the right and y down, the centre
of the first pixel at (0.5, 0.5). Image files are named relative to the folder of the file, with forward slashes.

    image,x,y                       {"images": [
    hall/001.jpg,103.5,88.25          {"file": "hall/001.jpg", "points": [[103.5, 88.25], [410, 92.5]]},
    hall/001.jpg,410,92.5             {"file": "hall/empty.jpg", "points": []}
    hall/empty.jpg,,                ]}

**Points** lie inside: 0 ≤ x ≤ width, 0 ≤ y ≤ height. **Boxes** are columns ``x1,y1,x2,y2``, the upper left corner and
the lower right (in JSON the list ``"boxes"``); what reaches beyond the image is cut off. Beside boxes three columns may
be left out: ``x,y``, the head's point where it is not the middle of the box, and ``provenance``, how the box came to
be: ``annotated`` (also where nothing is said), ``interpolated`` or ``pseudo``; in JSON the lists ``"points"`` and
``"provenance"``, one entry for each box. So a boxes file with points is a points file too.

An image with no heads is one CSV row with nothing but its name. Further columns and keys are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from headcount.core.errors import InputError, nearest
from headcount.core.files import atomic_text, is_folder
from headcount.core.geometry import as_boxes, has_area
from headcount.core.scene import Scene
from headcount.data.formats.finish import finish
from headcount.data.formats.heads import Head, annotation_of
from headcount.data.formats.places import copied, refuse_taken_files, written_names
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, annotates_all, refusing
from headcount.data.parse.csv import csv_row, plain_cell, read_rows
from headcount.data.parse.json import Pair, Quad, Strict, read_model
from headcount.data.parse.paths import Finder, FoundName
from headcount.data.parse.values import cut, number, stated_provenance

HEAD_LIST_SUFFIXES = (".csv", ".json")
_POINT, _CORNERS = ("x", "y"), ("x1", "y1", "x2", "y2")
_BOX_COLUMNS = ("image", *_POINT, *_CORNERS, "provenance")


def list_points(path: Path) -> Listing:
    """The images of a points file, in the order of the file; the images themselves unopened.

    Raises:
        InputError: there is no such file; an UnreadableAnnotationError where it is there but malformed.
    """
    return _list(path, "points")


def list_boxes(path: Path) -> Listing:
    """The images of a boxes file, in the order of the file; the images themselves unopened.

    Raises:
        InputError: as ``list_points``.
    """
    return _list(path, "boxes")


def read_points(path: str | Path) -> list[Scene]:
    """The images of a points file (``.csv`` or ``.json``) as Scenes, in the order of the file.

    Raises:
        InputError: the file cannot be read or is malformed, an image is missing or unreadable, or a point is no
            number, negative or outside its image; the message names the file and the line or key.
    """
    return [finish(raw) for raw in list_points(Path(path)).scenes]


def read_boxes(path: str | Path) -> list[Scene]:
    """The images of a boxes file (``.csv`` or ``.json``) as Scenes, in the order of the file.

    Row i of a scene's boxes, points and provenance is the i-th head.

    Raises:
        InputError: the file cannot be read or is malformed, an image is missing or unreadable, a number is none, a
            box has no width or height or lies outside its image, or a point does; the message names the file and the
            line or key.
    """
    scenes = []
    for raw in list_boxes(Path(path)).scenes:
        scene = finish(raw)
        if scene.boxes_xyxy is None or len(scene.boxes_xyxy) < scene.count:
            _refuse_box_outside(raw, scene)
        scenes.append(scene)
    return scenes


def write_points(
    scenes: Sequence[Scene], path: str | Path, *, splits: Sequence[str] = (), copy_images: bool = False,
    overwrite: bool = False,
) -> Path:  # fmt: skip
    """Write the points of Scenes to a ``.csv`` or ``.json`` file that ``read_points`` gives back exactly.

    Only image files and points are kept: boxes, regions, attributes and splits are not part of the format. With
    ``copy_images`` the images are copied to ``images`` beside the file.

    Raises:
        InputError: the suffix is another, the file exists and ``overwrite`` is False, a scene holds pixels and
            no file, two scenes share an image, or the file cannot be written.
    """
    path = Path(path)
    scenes, names = _named(scenes, path, "points", copy_images, overwrite)
    with atomic_text(path) as file:
        if path.suffix.lower() == ".csv":
            file.write(csv_row(("image", *_POINT)))
            for scene, name in zip(scenes, names, strict=True):
                file.writelines(csv_row([_cell(name), *point]) for point in scene.points_xy.tolist() or [["", ""]])
        else:
            _write_json(file, [{"file": n, "points": s.points_xy.tolist()} for s, n in zip(scenes, names, strict=True)])
    return path


def write_boxes(
    scenes: Sequence[Scene], path: str | Path, *, splits: Sequence[str] = (), copy_images: bool = False,
    overwrite: bool = False,
) -> Path:  # fmt: skip
    """Write boxes, points and provenance of Scenes to a ``.csv`` or ``.json`` file that ``read_boxes`` gives back.

    Numbers come back exactly, boxes cut to their image. Boxes without a provenance become ``annotated``. Only image
    files and heads are kept, as ``write_points`` does.

    Raises:
        InputError: as ``write_points``; a scene has not one box for each point, or a box has no width or height.
    """
    path = Path(path)
    for scene in scenes:
        _need_boxes(scene)
    scenes, names = _named(scenes, path, "boxes", copy_images, overwrite)
    rows: list[dict[str, Any]] = []
    for scene, name in zip(scenes, names, strict=True):
        boxes = [] if scene.boxes_xyxy is None else scene.boxes_xyxy.tolist()
        made = list(scene.box_provenance) or ["annotated"] * len(boxes)
        rows.append({"file": name, "points": scene.points_xy.tolist(), "boxes": boxes, "provenance": made})
    with atomic_text(path) as file:
        if path.suffix.lower() == ".csv":
            file.write(csv_row(_BOX_COLUMNS))
            for row in rows:
                heads = zip(row["points"], row["boxes"], row["provenance"], strict=True)
                cells = [[*point, *box, each] for point, box, each in heads] or [[""] * (len(_BOX_COLUMNS) - 1)]
                file.writelines(csv_row([_cell(row["file"]), *one]) for one in cells)
        else:
            _write_json(file, rows)
    return path


def _named(
    scenes: Sequence[Scene], path: Path, kind: str, copy_images: bool, overwrite: bool
) -> tuple[Sequence[Scene], list[str]]:
    _suffix_of(path, kind)
    refuse_taken_files([path], overwrite=overwrite)
    written_names(scenes, path.parent)  # says what is wrong before an image is copied
    if copy_images:
        scenes = copied(scenes, path.parent / "images", overwrite=overwrite)
    return scenes, written_names(scenes, path.parent)


def _cell(name: str) -> str:
    """A relative path that a spreadsheet takes for no formula, and that leads where it led."""
    return name if plain_cell(name) == name else f"./{name}"


def _write_json(file: Any, rows: Sequence[dict[str, Any]]) -> None:
    file.write('{"images": [\n' + ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows) + "\n]}\n")


def _need_boxes(scene: Scene) -> None:
    boxes = as_boxes([]) if scene.boxes_xyxy is None else scene.boxes_xyxy
    name = scene.name or scene.image
    if len(boxes) != scene.count:
        raise InputError(f'"{name}" has {scene.count} points and {len(boxes)} boxes: give each its box.')
    flat = np.flatnonzero(~has_area(boxes))
    if len(flat):
        raise InputError(f'"{name}": box {flat[0] + 1} has no width or height: {boxes[flat[0]].tolist()}.')


@dataclass(slots=True)
class _Image:
    """What a file says of one image."""

    place: FoundName
    origin: str
    heads: list[Head] = field(default_factory=list)
    refused: InputError | None = None


def _list(path: Path, kind: str) -> Listing:
    if is_folder(path):
        raise InputError(f'"{path}" is a folder: name the {kind} file in it (.csv or .json).')
    read, once = (_csv_heads, False) if _suffix_of(path, kind) == ".csv" else (_json_heads, True)
    finder = Finder([path.parent])
    found: dict[Path, _Image] = {}
    with annotates_all(path):
        for name, where, read_heads in read(path, kind):
            place = finder.image(name, path, where)
            image = found.get(place.path)
            heads, refused = (read_heads, None) if isinstance(read_heads, list) else ([], read_heads)
            if image is None:
                found[place.path] = _Image(place, where, heads, refused)
            elif once:
                raise InputError(f'"{path}", {where}: "{cut(name)}" stands at {image.origin} already: give it once.')
            elif refused is not None or image.refused is not None:
                image.refused = image.refused or refused
            elif not heads or not image.heads:
                raise InputError(f'"{path}", {where}: "{cut(name)}" has a row of no heads, and other rows.')
            else:
                image.heads += heads
    scenes = (
        RawScene(
            image.place.name, "", image.place.path, path,
            refusing(image.refused) if image.refused else partial(_annotation, image.heads, boxed=kind == "boxes"),
            group=Path(image.place.name).parent.as_posix(), refuse_outside=True, origin=image.origin,
            found_by=image.place.found_by,
        )
        for image in found.values()
    )  # fmt: skip
    return Listing(tuple(scenes), () if found else (Remark("empty", path, "no image is named in this file"),))


def _annotation(heads: Sequence[Head], *, boxed: bool) -> RawAnnotation:
    annotation = annotation_of(heads)
    # The middle of a box is a point like any other here: outside its image it is refused.
    return replace(annotation, points_xy=annotation.heads_xy, boxes_xyxy=annotation.boxes_xyxy if boxed else None)


_Heads = Iterator[tuple[str, str, list[Head] | InputError]]
"""Name of an image, line or key, and heads: those of a row, or all of an image; or what is wrong with them."""


def _csv_heads(path: Path, kind: str) -> _Heads:
    boxed = kind == "boxes"
    needed, optional = (("image", *_CORNERS), (*_POINT, "provenance")) if boxed else (("image", *_POINT), ())
    for where, cells in read_rows(path, f"{kind} file", needed, optional, together=_POINT):
        point = [cells.get(name, "").strip() for name in _POINT]
        corners = [cells[name].strip() for name in _CORNERS] if boxed else []
        if not any(point) and not any(corners):
            yield cells["image"], where, []
        else:
            made = cells.get("provenance", "").strip() or "annotated"
            try:
                yield cells["image"], where, [_head(point if any(point) else None, corners, made, path, where)]
            except InputError as error:  # of this image alone
                yield cells["image"], where, error


class _PointsImage(Strict):
    file: str = Field(description="the name of an image file")
    points: list[Pair] = Field(description="list of [x, y]", fail_fast=True)


class _BoxesImage(Strict):
    file: str = Field(description="the name of an image file")
    boxes: list[Quad] = Field(description="list of [x1, y1, x2, y2]", fail_fast=True)
    points: list[Pair] | None = Field(None, description="list of [x, y]")
    provenance: list[Any] | None = Field(None, description="list of words")


class _PointsFile(Strict):
    images: list[_PointsImage] = Field(fail_fast=True)


class _BoxesFile(Strict):
    images: list[_BoxesImage] = Field(fail_fast=True)


def _json_heads(path: Path, kind: str) -> _Heads:
    if kind == "points":
        for index, image in enumerate(read_model(path, "points file", _PointsFile).images):
            key = f"images[{index}]"
            yield image.file, key, [
                _head(point, [], "annotated", path, f"{key}.points[{row}]") for row, point in enumerate(image.points)
            ]  # fmt: skip
        return
    for index, boxed in enumerate(read_model(path, "boxes file", _BoxesFile).images):
        key = f"images[{index}]"
        try:
            yield boxed.file, key, _boxed_heads(boxed, path, key)
        except InputError as error:  # of this image alone
            yield boxed.file, key, error


def _boxed_heads(image: _BoxesImage, path: Path, key: str) -> list[Head]:
    number_of = len(image.boxes)
    for name, values in (("points", image.points), ("provenance", image.provenance)):
        if values is not None and len(values) != number_of:
            form = f"a list of {number_of}, one for each box,"
            raise InputError(f'"{path}", {key}.{name}: {form} was expected, got {len(values)}.')
    points: Sequence[Pair | None] = image.points or [None] * number_of
    made = image.provenance or ["annotated"] * number_of
    return [
        _head(point, box, each, path, f"{key}.boxes[{row}]")
        for row, (point, box, each) in enumerate(zip(points, image.boxes, made, strict=True))
    ]


def _head(point: Sequence[Any] | None, corners: Sequence[Any], made: Any, path: Path, where: str) -> Head:
    """A head of a row's cells or of JSON's numbers; without corners it is a point alone."""
    own = None if point is None else tuple(_numbers(_POINT, point, path, where))
    if not corners:
        return Head(point_xy=own, where=where)  # type: ignore[arg-type]  # two of them
    box = _numbers(_CORNERS, corners, path, where)
    for low, high, side in ((0, 2, "x"), (1, 3, "y")):
        if not box[low] < box[high]:
            raise InputError(
                f'"{path}", {where}: {side}1 must be smaller than {side}2, got {box[low]:g} and {box[high]:g} '
                "(corners are expected, not width and height)."
            )
    return Head(own, tuple(box), stated_provenance(made, path, where), where)  # type: ignore[arg-type]


def _numbers(names: Sequence[str], values: Sequence[Any], path: Path, where: str) -> list[float]:
    if all(type(value) is float for value in values):
        return list(values)  # of a model, which has checked them
    return [number(value, name, path, where) for name, value in zip(names, values, strict=True)]


def _refuse_box_outside(raw: RawScene, scene: Scene) -> None:
    """Name the first box that nothing is left of within the image."""
    annotation = raw.read()
    assert annotation.boxes_xyxy is not None
    boxes, limit = annotation.boxes_xyxy, np.asarray(scene.size_wh)
    inside = ((boxes[:, :2] < limit) & (boxes[:, 2:] > 0)).all(axis=1)
    row = int(np.flatnonzero(~inside)[0])
    x1, y1, x2, y2 = boxes[row]
    raise InputError(
        f'"{raw.annotation}", {annotation.place(row)}: the box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) lies outside '
        f'"{raw.name}" ({limit[0]}×{limit[1]} pixels): x, y are pixels of the upright image.'
    )


def _suffix_of(path: Path, kind: str) -> str:
    suffix = path.suffix.lower()
    if suffix not in HEAD_LIST_SUFFIXES:
        raise InputError(
            f'"{path.name}" is no {kind} file: .csv or .json was expected.{nearest(suffix, HEAD_LIST_SUFFIXES)}'
        )
    return suffix
