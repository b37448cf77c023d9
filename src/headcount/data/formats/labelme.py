"""LabelMe's JSON, read and written: one file per image, its shapes labelled "head".

Documented by the labelme project (github.com/wkentaro/labelme). Coordinates are pixels, the upper left corner of the
first pixel at (0, 0), as headcount has them. A path is a folder of such files, folders in it included; the first folder
named train, val or test tells the split. ``imagePath`` is relative to the file.

X-AnyLabeling's files are of this form too; its ``rectangle`` has four corners, its ``rotation`` is a turned one.

A head is a ``rectangle``, a ``point``, or the bounding box of a ``polygon``, ``oriented_rectangle``, ``rotation``,
``quadrilateral``, ``mask`` or ``circle``. One point and one rectangle of the same ``group_id`` are one head: written so
where a point is not the middle of its box.
Other kinds of shape are refused. Shapes of other labels are not counted; where none in the folder is called head, the
only label is taken for one. "ignore" marks what is never counted.

A shape's flag ``interpolated`` or ``pseudo`` tells how its box came to be. The image's ``attributes`` are a key of
headcount's own, which LabelMe keeps.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from headcount.core.errors import InputError
from headcount.core.files import atomic_text, writing
from headcount.core.image import is_image_name
from headcount.core.scene import Provenance, Scene
from headcount.data.formats.folders import files_below, need_folder
from headcount.data.formats.heads import Head, annotation_of, heads_of, join_groups
from headcount.data.formats.places import copied, image_of, place_names, refuse_filled
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, no_annotation
from headcount.data.formats.shapes import box_around, box_around_ellipse
from headcount.data.parse.json import Strict, as_model, read_json
from headcount.data.parse.paths import Finder, relative
from headcount.data.parse.values import HEAD, attributes, head_classes, known_shape, numbers, size_wh, split_in

_KIND = "LabelMe file"
_IGNORE = "ignore"
_SHAPES = ("rectangle", "point", "polygon", "oriented_rectangle", "rotation", "quadrilateral", "mask", "circle")
_CORNERS = {"rectangle": (2, 4), "mask": (2, 2), "point": (1, 1), "circle": (2, 2)}
_MANY = 100_000
_MADE: tuple[Provenance, ...] = ("interpolated", "pseudo")


class _Shape(Strict):
    label: str = Field(description="the name of a class")
    shape_type: Any = "polygon"
    points: Any = None
    group_id: Any = None
    flags: Any = None

    @property
    def is_counted(self) -> bool:
        return self.label.strip().lower() != _IGNORE


class _File(Strict):
    imagePath: str = Field(description="the name of an image file")  # noqa: N815  (LabelMe's own name)
    shapes: list[_Shape] = Field(description="list of shapes", fail_fast=True)
    imageWidth: Any = None  # noqa: N815
    imageHeight: Any = None  # noqa: N815
    attributes: Any = None


def list_labelme(path: Path) -> Listing:
    """The images that LabelMe files in a folder are of, and those of no such file; the images unopened.

    Raises:
        InputError: there is no such folder, it holds no LabelMe file, or two are of one image.
    """
    need_folder(path, "LabelMe files (.json)")
    below = files_below(path)
    images = {file: file.with_suffix("") for file in below if is_image_name(file)}
    finders: dict[Path, Finder] = {}
    remarks: list[Remark] = []
    taken: dict[Path, Path] = {}
    rules: dict[Path, str] = {}
    points_only: set[Path] = set()
    labels: set[str] = set()
    for file in below:
        if file.suffix.lower() != ".json":
            continue
        try:
            data = read_json(file, _KIND)
            if "shapes" not in data and "imagePath" not in data:
                remarks.append(Remark("stray-file", file, "this JSON file is none of LabelMe's"))
                continue
            finder = finders.setdefault(file.parent, Finder([file.parent]))
            place = finder.image(data.get("imagePath"), file, "imagePath")
            image, rules[file] = place.path, place.found_by
            if place.rule == "missing" and (beside := finder.find(file.stem)).rule != "missing":
                image, rules[file] = beside.path, "the name of the annotation"  # both were renamed
            shapes = [shape for shape in as_model(data, file, _KIND, _File).shapes if shape.is_counted]
            labels |= {shape.label for shape in shapes}
            # The centre of a box may lie outside an image, a drawn point not.
            if all(shape.shape_type == "point" for shape in shapes):
                points_only.add(file)
        except InputError:
            # Said again when it is read; until then it is of the image beside it, or only of itself.
            image = next((one for one, stem in images.items() if stem == file.with_suffix("")), file)
        if image in taken:
            raise InputError(f'"{file}" and "{taken[image]}" are of one image, "{image}": keep one of them.')
        taken[image] = file
    if not taken:
        found = f"{len(remarks)} other .json files" if remarks else "no .json file"
        raise InputError(f'"{path}" holds {found}: give the folder that holds LabelMe files.')
    names = sorted(labels)
    heads = frozenset(names[row] for row in head_classes(names, set(range(len(names))), f'"{path}"'))
    scenes = [
        replace(_scene(path, image, file, heads, file in points_only), found_by=rules.get(file, ""))
        for image, file in taken.items()
    ]
    scenes += [_scene(path, image, None) for image in images if image not in taken]
    return Listing(tuple(sorted(scenes, key=lambda scene: scene.name)), tuple(remarks))


def read_annotation(file: Path, heads: Collection[str] = (HEAD,)) -> RawAnnotation:
    """What one LabelMe file says of its image; ``heads`` are the labels that are counted.

    Raises:
        InputError: it cannot be read or is malformed, or a shape can be no head; file and key are named.
    """
    data = as_model(read_json(file, _KIND), file, _KIND, _File)
    drawn: list[tuple[Head, Any]] = []
    ignored: Counter[str] = Counter()
    for index, shape in enumerate(data.shapes):
        if shape.is_counted and shape.label in heads:
            drawn.append((_head(shape, file, f"shapes[{index}]"), shape.group_id))
        else:
            ignored[shape.label.strip()] += 1
    stated = size_wh(data.imageWidth, data.imageHeight)
    return annotation_of(join_groups(drawn), size_wh=stated, attributes=attributes(data.attributes), ignored=ignored)


def write_labelme(
    scenes: Sequence[Scene], folder: str | Path, *, splits: Sequence[str] = (), copy_images: bool = False,
    overwrite: bool = False,
) -> None:  # fmt: skip
    """Write a LabelMe file for each Scene into a folder, into one of its split where it has one.

    A box that belongs to no point is left out, and the region; all else is kept exactly. With ``copy_images`` each
    image is copied beside its file, where LabelMe looks for it.

    Raises:
        InputError: the folder holds something and ``overwrite`` is False, a scene holds pixels and no file, or a file
            cannot be written.
    """
    folder = Path(folder)
    refuse_filled(folder, overwrite=overwrite)
    names = place_names(scenes, splits)  # says what is wrong before a folder is made
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if copy_images:
        scenes = copied(scenes, folder, names, overwrite=overwrite)
    for scene, name in zip(scenes, names, strict=True):
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


def _scene(
    root: Path, image: Path, file: Path | None, heads: Collection[str] = (), points_only: bool = False
) -> RawScene:  # fmt: skip
    name = (image if file is None else file).relative_to(root)
    split = split_in(name.parts[:-1])
    read = no_annotation if file is None else partial(read_annotation, file, heads)
    return RawScene(
        (name.with_suffix("") if file is not None else name).as_posix(), split, image, file, read,
        group=name.parent.as_posix(), refuse_outside=points_only, origin="imagePath",
    )  # fmt: skip


def _head(shape: _Shape, file: Path, where: str) -> Head:
    kind, corners, flags = shape.shape_type, shape.points, shape.flags
    known_shape(kind, _SHAPES, file, f"{where}.shape_type")
    least, most = _CORNERS.get(kind, (3, _MANY))
    if not isinstance(corners, list) or not least <= len(corners) <= most:
        wanted = f"{least}" if least == most else f"{least} or {'more' if most == _MANY else most}"
        raise InputError(f'"{file}", {where}.points: {wanted} points [x, y] were expected of a {kind}.')
    points = []
    for index, corner in enumerate(corners):
        x, y = numbers(corner, "[x, y]", file, f"{where}.points[{index}]")
        points.append((x, y))
    made = [each for each in _MADE if isinstance(flags, dict) and flags.get(each) is True]
    provenance = made[0] if made else "annotated"
    if kind == "point":
        return Head(points[0], None, where=where)
    if kind == "circle":
        centre, edge = points
        radius = math.dist(centre, edge)
        return Head(None, box_around_ellipse(centre, (radius, radius)), provenance, where)
    return Head(None, box_around(points), provenance, where)


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
