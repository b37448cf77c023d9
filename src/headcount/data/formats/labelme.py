"""LabelMe's JSON, read and written: one file per image, its shapes labelled "head".

Documented by the labelme project (github.com/wkentaro/labelme). Coordinates are pixels, the upper left corner of the
first pixel at (0, 0), as headcount has them. A path is a folder of such files, folders in it included; a first folder
named train, val or test tells the split. ``imagePath`` is relative to the file.

A head is a ``rectangle``, a ``point``, or the bounding box of a ``polygon``, ``oriented_rectangle`` or ``circle``. One
point and one rectangle of the same ``group_id`` are one head: written so where a point is not the middle of its box.
Other kinds of shape are refused, and so are other labels, since a misnamed head would not be counted: only "ignore"
marks what is not to be.

A shape's flag ``interpolated`` or ``pseudo`` tells how its box came to be. The image's ``attributes`` are a key of
headcount's own, which LabelMe keeps.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from headcount.core.errors import InputError
from headcount.core.files import atomic_text, is_file, writing
from headcount.core.image import is_image_name
from headcount.core.scene import Provenance, Scene
from headcount.data.formats.heads import Head, annotation_of, heads_of, join_groups
from headcount.data.formats.places import image_of, place_names, refuse_filled
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, need_folder, no_annotation
from headcount.data.parse.values import HEAD, attributes, known_shape, numbers, read_json, relative, shorten, size_wh

_KIND = "LabelMe file"
_IGNORE = "ignore"
_SHAPES = ("rectangle", "point", "polygon", "oriented_rectangle", "circle")
_SPLITS = ("train", "val", "test")
_MADE: tuple[Provenance, ...] = ("interpolated", "pseudo")


def list_labelme(path: Path) -> Listing:
    """The images that LabelMe files in a folder are of, and those of no such file; the images unopened.

    Raises:
        InputError: there is no such folder, it holds no LabelMe file, or two are of one image.
    """
    need_folder(path, "LabelMe files (.json)")
    below = sorted(file for file in path.rglob("*") if not file.name.startswith(".") and is_file(file))
    images = {Path(os.path.normpath(file)): file for file in below if is_image_name(file)}
    scenes: list[RawScene] = []
    remarks: list[Remark] = []
    taken: dict[Path, Path] = {}
    for file in below:
        if file.suffix.lower() != ".json":
            continue
        points_only = False
        try:
            data = read_json(file, _KIND)
            if "shapes" not in data and "imagePath" not in data:
                remarks.append(Remark("stray-file", file, "this JSON file is none of LabelMe's"))
                continue
            image = _image(data, file)
            shapes = data.get("shapes")
            # The centre of a box may lie outside an image, a drawn point not.
            points_only = isinstance(shapes, list) and all(
                isinstance(shape, dict) and shape.get("shape_type") == "point" for shape in shapes
            )
        except InputError:
            # Said again when it is read; until then it is of the image beside it, or only of itself.
            stem = file.with_suffix("")
            image = next((one for one in images if one.with_suffix("") == stem), file)
        if image in taken:
            raise InputError(f'"{file}" and "{taken[image]}" are of one image, "{image}": keep one of them.')
        taken[image] = file
        scenes.append(_scene(file.relative_to(path), image, file, points_only=points_only))
    scenes += [_scene(file.relative_to(path), file, None) for image, file in images.items() if image not in taken]
    if not taken:
        found = f"{len(remarks)} other .json files" if remarks else "no .json file"
        raise InputError(f'"{path}" holds {found}: give the folder that holds LabelMe files.')
    return Listing(tuple(sorted(scenes, key=lambda scene: scene.name)), tuple(remarks))


def read_annotation(file: Path) -> RawAnnotation:
    """What one LabelMe file says of its image.

    Raises:
        InputError: it cannot be read or is malformed, or a shape can be no head; file and key are named.
    """
    data = read_json(file, _KIND)
    _image(data, file)
    shapes = data.get("shapes")
    if not isinstance(shapes, list):
        raise InputError(f'"{file}" must be a {_KIND}, but has no list "shapes".')
    drawn: list[tuple[Head, Any]] = []
    ignored = 0
    for index, shape in enumerate(shapes):
        where = f"shapes[{index}]"
        label = shape.get("label") if isinstance(shape, dict) else None
        if not isinstance(label, str):
            raise InputError(f'"{file}", {where}: an object with a "label" was expected, got {shorten(shape)}.')
        if label.strip().lower() == _IGNORE:
            ignored += 1
            continue
        if label.strip().lower() != HEAD:
            advice = f'name what is to be counted "{HEAD}" and the rest "{_IGNORE}"'
            raise InputError(f'"{file}", {where}: the label {shorten(label)} is not known: {advice}.')
        drawn.append((_head(shape, file, where), shape.get("group_id")))
    stated = size_wh(data.get("imageWidth"), data.get("imageHeight"))
    return annotation_of(
        join_groups(drawn), size_wh=stated, attributes=attributes(data.get("attributes")), ignored=ignored
    )


def write_labelme(
    scenes: Sequence[Scene], folder: str | Path, *, splits: Sequence[str] = (), overwrite: bool = False
) -> None:
    """Write a LabelMe file for each Scene into a folder, into one of its split where it has one.

    A box that belongs to no point is left out, and the region; all else is kept exactly.

    Raises:
        InputError: the folder holds something and ``overwrite`` is False, a scene holds pixels and no file, or a file
            cannot be written.
    """
    folder = Path(folder)
    refuse_filled(folder, overwrite=overwrite)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for scene, name in zip(scenes, place_names(scenes, splits), strict=True):
        file = folder / f"{name}.json"
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        width, height = scene.size_wh
        shapes: list[dict[str, Any]] = []
        for number_, head in enumerate(heads_of(scene), start=1):
            shapes += _shapes(head, number_)
        data: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": relative(image_of(scene), file.parent),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        if scene.attributes:
            data["attributes"] = dict(scene.attributes)
        with atomic_text(file) as out:
            out.write(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def _scene(name: Path, image: Path, file: Path | None, *, points_only: bool = False) -> RawScene:
    split = name.parts[0] if len(name.parts) > 1 and name.parts[0] in _SPLITS else ""
    read = no_annotation if file is None else partial(read_annotation, file)
    return RawScene(
        (name.with_suffix("") if file is not None else name).as_posix(), split, image, file, read,
        group=name.parent.as_posix(), refuse_outside=points_only, origin="imagePath",
    )  # fmt: skip


def _image(data: dict[str, Any], file: Path) -> Path:
    name = data.get("imagePath")
    if not isinstance(name, str) or not name or "\0" in name:
        raise InputError(f'"{file}", imagePath: the name of an image file was expected, got {shorten(name)}.')
    place = Path(os.path.normpath(file.parent / name))
    if "\\" in name and not is_file(place):  # written on Windows
        place = Path(os.path.normpath(file.parent / name.replace("\\", "/")))
    return place


def _head(shape: dict[str, Any], file: Path, where: str) -> Head:
    kind = shape.get("shape_type", "polygon")
    known_shape(kind, _SHAPES, file, f"{where}.shape_type")
    corners = shape.get("points")
    least, most = {"rectangle": (2, 2), "point": (1, 1), "circle": (2, 2)}.get(kind, (3, 100_000))
    if not isinstance(corners, list) or len(corners) not in range(least, most + 1):
        wanted = f"{least}" if least == most else f"{least} or more"
        raise InputError(f'"{file}", {where}.points: {wanted} points [x, y] were expected of a {kind}.')
    points = []
    for index, corner in enumerate(corners):
        x, y = numbers(corner, "[x, y]", file, f"{where}.points[{index}]")
        points.append((x, y))
    flags = shape.get("flags")
    made = [each for each in _MADE if isinstance(flags, dict) and flags.get(each) is True]
    provenance = made[0] if made else "annotated"
    if kind == "point":
        return Head(points[0], None, where=where)
    if kind == "circle":
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        return Head(None, (x - radius, y - radius, x + radius, y + radius), provenance, where)
    xs, ys = zip(*points, strict=True)
    return Head(None, (min(xs), min(ys), max(xs), max(ys)), provenance, where)


def _shapes(head: Head, group: int) -> list[dict[str, Any]]:
    """One shape of a head, or two that share a group."""
    both = head.point_xy is not None and head.box_xyxy is not None
    shared = {"label": HEAD, "group_id": group if both else None, "description": ""}
    shapes = []
    if head.box_xyxy is not None:
        x1, y1, x2, y2 = head.box_xyxy
        flags = {} if head.provenance == "annotated" else {head.provenance: True}
        shapes.append({**shared, "points": [[x1, y1], [x2, y2]], "shape_type": "rectangle", "flags": flags})
    if head.point_xy is not None:
        shapes.append({**shared, "points": [list(head.point_xy)], "shape_type": "point", "flags": {}})
    return shapes
