"""The VGG Image Annotator's (VIA's) files, read: JSON and CSV of versions 1 and 2, projects of version 3.

Documented at robots.ox.ac.uk/~vgg/software/via. Coordinates are pixels, the upper left corner of the first pixel at
(0, 0), as headcount has them. A head is a ``rect``, a ``point``, or the bounding box of a ``circle``, an ``ellipse``, a
``polygon`` or a ``polyline``.

The class of a region is the attribute one of whose values is called "head"; else the one named ``class``, ``label``,
``name``, ``type``, ``category`` or ``object``; else its only one. Values that are numbers of options are read by the
options' names. Regions without attributes are of one class. Images are named relative to the file, to ``images``
beside it, or to the project's own path.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headcount.core.errors import InputError
from headcount.data.formats.heads import Head, annotation_of, drawn_as_points
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, annotates_all, given, refusing
from headcount.data.formats.shapes import box_around, box_around_ellipse
from headcount.data.parse.csv import read_rows
from headcount.data.parse.json import parse_json, read_json
from headcount.data.parse.paths import MAX_NAME, Finder, FoundName
from headcount.data.parse.values import attributes, cut, head_classes, is_head_name, known_shape, number, quoted

_KIND = "VIA file"
_SHAPES = ("rect", "point", "circle", "ellipse", "polygon", "polyline")
_CLASS_KEYS = ("class", "label", "name", "type", "category", "object")
_COLUMNS = ("filename", "region_shape_attributes", "region_attributes")
_SHAPES_OF_3 = {1: "point", 2: "rect", 3: "circle", 4: "ellipse", 6: "polyline", 7: "polygon"}


@dataclass(slots=True)
class _Region:
    shape: Any
    said: dict[str, Any]
    where: str


@dataclass(slots=True)
class _Image:
    place: FoundName
    where: str
    regions: list[_Region] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _File:
    """What a file says: its images in order, and the names of an attribute's options by their numbers."""

    images: list[_Image] = field(default_factory=list)
    options: dict[str, dict[str, str]] = field(default_factory=dict)


def list_via(path: Path) -> Listing:
    """The images of a VIA file, in the order of the file; the images themselves unopened.

    Raises:
        InputError: there is no such file; an UnreadableAnnotationError where it is there but malformed.
    """
    if path.suffix.lower() not in (".json", ".csv"):
        raise InputError(f'"{path}" is no {_KIND}: a .json or .csv file was expected.')
    scenes = []
    with annotates_all(path):
        found = _of_csv(path) if path.suffix.lower() == ".csv" else _of_json(path)
        classes = _classes(found)
        names = sorted({name for of_image in classes for name in of_image})
        rows = head_classes(names, set(range(len(names))), f'"{path}"')
        heads = frozenset(names[row] for row in rows)
        for image, of_image in zip(found.images, classes, strict=True):
            try:
                annotation, points_only = _annotation(image, of_image, heads, path)
                read = given(annotation)
            except InputError as error:  # of this image alone
                read, points_only = refusing(error), False
            scenes.append(
                RawScene(
                    image.place.name, "", image.place.path, path, read,
                    group=Path(image.place.name).parent.as_posix(), refuse_outside=points_only, origin=image.where,
                    found_by=image.place.found_by,
                )
            )  # fmt: skip
    return Listing(tuple(scenes), () if scenes else (Remark("empty", path, "no image is named in this file"),))


def regions_of(image: Any, path: Path, where: str) -> list[Any]:
    """The regions of an image's object; of version 1 they are numbered.

    Raises:
        InputError: there is no such list.
    """
    regions = image.get("regions") if isinstance(image, dict) else None
    if isinstance(regions, dict):
        regions = list(regions.values())
    if not isinstance(regions, list):
        raise InputError(f'"{path}", {where}.regions: a list was expected, got {quoted(regions)}.')
    return regions


def region_shape(region: Any, path: Path, where: str) -> dict[str, Any]:
    """
    Raises:
        InputError: a region has no shape.
    """
    shape = region.get("shape_attributes") if isinstance(region, dict) else None
    if not isinstance(shape, dict):
        raise InputError(f'"{path}", {where}: an object with shape_attributes was expected, got {quoted(region)}.')
    return shape


def head_of_shape(shape: Mapping[str, Any], path: Path, where: str, known: Collection[str] = _SHAPES) -> Head:
    """A head of a region's ``shape_attributes``.

    Raises:
        InputError: the shape is none of the ``known`` ones, or its numbers are none.
    """
    kind = shape.get("name", "rect")
    known_shape(kind, list(known), path, f"{where}.shape_attributes.name")
    if kind in ("polygon", "polyline"):
        xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
        if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys) or not xs:
            raise InputError(f'"{path}", {where}: all_points_x and all_points_y, as long as each other, were expected.')
        points = [(number(x, "x", path, where), number(y, "y", path, where)) for x, y in zip(xs, ys, strict=True)]
        return Head(None, box_around(points), where=where)
    keys = {"rect": "x y width height", "point": "cx cy", "circle": "cx cy r", "ellipse": "cx cy rx ry"}[kind].split()
    values = [number(shape.get(key), key, path, where) for key in keys]
    if kind == "point":
        return Head((values[0], values[1]), None, where=where)
    if min(values[2:]) < 0:
        sizes = "×".join(f"{value:g}" for value in values[2:])
        raise InputError(f'"{path}", {where}: {" and ".join(keys[2:])} must not be negative, got {sizes}.')
    if kind == "rect":
        x, y, width, height = values
        return Head(None, (x, y, x + width, y + height), where=where)
    turn = math.degrees(number(shape.get("theta") or 0, "theta", path, where)) if kind == "ellipse" else 0.0
    return Head(None, box_around_ellipse((values[0], values[1]), (values[2], values[-1]), turn), where=where)


def _of_json(path: Path) -> _File:
    data = read_json(path, _KIND)
    if isinstance(data.get("metadata"), dict) and isinstance(data.get("file"), dict):
        return _of_version_3(data, path)
    images = data.get("_via_img_metadata", data)
    if not isinstance(images, dict) or not all(isinstance(one, dict) and "filename" in one for one in images.values()):
        raise InputError(f'"{path}" must be a {_KIND}, an object of images with "filename", but is {quoted(data)}.')
    found = _File(options=_options(_inner(data, "_via_attributes", "region")))
    add = _adder(found, path, _inner(data, "_via_settings", "core").get("default_filepath"))
    for key, one in images.items():
        where = quoted(key)
        image = add(one["filename"], where)
        image.attributes = attributes(one.get("file_attributes"))
        for index, region in enumerate(regions_of(one, path, where)):
            place = f"{where}.regions[{index}]"
            said = region.get("region_attributes") if isinstance(region, dict) else None
            shape = region_shape(region, path, place)
            image.regions.append(_Region(shape, said if isinstance(said, dict) else {}, place))
    return found


def _inner(data: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _adder(found: _File, path: Path, own: Any = None) -> Any:
    """What adds an image, by its name and place, once."""
    is_own = isinstance(own, str) and 0 < len(own) <= MAX_NAME and "\0" not in own
    finder = Finder([path.parent, path.parent / "images", *([path.parent / own] if is_own else [])])
    seen: dict[Path, str] = {}

    def add(name: Any, where: str) -> _Image:
        place = finder.image(name, path, f"{where}.filename")
        if place.path in seen:
            raise InputError(
                f'"{path}", {where}: "{cut(place.name)}" stands at {seen[place.path]} already: give it once.'
            )
        seen[place.path] = where
        found.images.append(_Image(place, where))
        return found.images[-1]

    return add


def _options(stated: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The names of each attribute's options, by their numbers."""
    found = {}
    for name in stated:
        options = _inner(stated, name, "options")
        found[name] = {key: text for key, text in options.items() if isinstance(text, str) and text.strip()}
    return found


def _of_version_3(data: dict[str, Any], path: Path) -> _File:
    stated = _inner(data, "attribute")
    names = {key: one.get("aname") for key, one in stated.items() if isinstance(one, dict)}
    found = _File(options={str(names[key]): texts for key, texts in _options(stated).items() if key in names})
    add = _adder(found, path)
    images: dict[str, _Image] = {}
    for view in _inner(data, "view"):
        listed = _inner(data, "view", view).get("fid_list")
        files = [_inner(data, "file", str(one)) for one in listed] if isinstance(listed, list) else []
        if len(files) == 1 and files[0].get("type", 2) == 2:
            images[view] = add(files[0].get("fname"), f"file[{quoted(str(listed[0]))}]")  # type: ignore[index]
    for key in _inner(data, "metadata"):
        where, one = f"metadata[{quoted(key)}]", _inner(data, "metadata", key)
        numbers, view = one.get("xy"), str(one.get("vid"))
        if view not in images or not isinstance(numbers, list) or not numbers:
            continue  # of a video, or of a file as a whole
        said = {str(names.get(which, which)): value for which, value in _inner(one, "av").items()}
        images[view].regions.append(_Region(_shape_of_3(numbers, path, where), said, where))
    return found


def _shape_of_3(numbers: list[Any], path: Path, where: str) -> dict[str, Any]:
    kind = _SHAPES_OF_3.get(numbers[0], "") if type(numbers[0]) is int else ""
    values = numbers[1:]
    if kind in ("polygon", "polyline"):
        return {"name": kind, "all_points_x": values[::2], "all_points_y": values[1::2]}
    keys = {"point": ("cx", "cy"), "rect": ("x", "y", "width", "height"), "circle": ("cx", "cy", "r"),
            "ellipse": ("cx", "cy", "rx", "ry")}.get(kind, ())  # fmt: skip
    if not keys or len(values) < len(keys):
        raise InputError(f'"{path}", {where}.xy: a shape and its numbers were expected, got {quoted(numbers)}.')
    return {"name": kind, **dict(zip(keys, values, strict=False))}


def _of_csv(path: Path) -> _File:
    found = _File()
    add = _adder(found, path)
    images: dict[str, _Image] = {}
    advice = f" (those of {_KIND}s)"
    for where, cells in read_rows(path, _KIND, _COLUMNS, ("file_attributes",), advice=advice):
        name = cells["filename"]
        if name not in images:
            images[name] = add(name, where)
            stated = _cell(cells.get("file_attributes", "{}"), path, where)
            images[name].attributes = attributes(stated)
        shape = _cell(cells["region_shape_attributes"], path, where)
        if shape:
            images[name].regions.append(_Region(shape, _cell(cells["region_attributes"], path, where), where))
    return found


def _cell(text: str, path: Path, where: str) -> dict[str, Any]:
    try:
        found = parse_json(text.strip() or "{}", path, "cell")
    except InputError as error:
        raise InputError(f'"{path}", {where}: {quoted(text)} is no JSON.') from error
    if not isinstance(found, dict):
        raise InputError(f'"{path}", {where}: an object such as {{"name": "rect"}} was expected, got {quoted(text)}.')
    return found


def _classes(found: _File) -> list[list[str]]:
    """The class of each region of each image."""
    regions = [region for image in found.images for region in image.regions]
    keys = list(dict.fromkeys(key for region in regions for key in region.said))
    of_heads = (key for region in regions for key in region.said if is_head_name(_class(region, key, found)))
    usual = (key for wanted in _CLASS_KEYS for key in keys if key.strip().lower() == wanted)
    key = next((key for key in (*of_heads, *usual, *(keys if len(keys) == 1 else ()))), "")
    return [[_class(region, key, found) for region in image.regions] for image in found.images]


def _class(region: _Region, key: str, found: _File) -> str:
    value = region.said.get(key, "")
    options = found.options.get(key, {})
    if isinstance(value, dict):  # boxes that are ticked
        value = next((name for name, ticked in value.items() if ticked is True), "")
    text = str(value) if isinstance(value, str | int | float) else ""
    return options.get(text, text).strip()


def _annotation(
    image: _Image, classes: list[str], heads: Collection[str], path: Path
) -> tuple[RawAnnotation, bool]:  # fmt: skip
    found: list[Head] = []
    ignored: Counter[str] = Counter()
    for region, name in zip(image.regions, classes, strict=True):
        if name in heads:
            found.append(head_of_shape(region.shape, path, region.where))
        else:
            ignored[name] += 1
    return annotation_of(found, attributes=image.attributes, ignored=ignored), drawn_as_points(found)
