"""Regions of interest in files: corners of polygons as JSON or as text, or a mask as an image.

- An image of the photograph's size: pixels that are neither black nor transparent are inside; of JPEG, HEIC and AVIF,
  which blur edges, those of at least half brightness.
- ``.json``: a list of corners [x, y] or of several such lists, also as a field ``polygon``, ``polygons``, ``points`` or
  ``polygons_xy`` of an object; a LabelMe file; COCO or VIA annotations of one image. Of annotated shapes polygons and
  rectangles are taken, none that is called head; points and lines are left aside, what is round is refused.
- ``.csv`` or ``.txt``: a corner a line, x and y, with or without a header; an empty line begins another polygon.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from headcount.core.errors import InputError
from headcount.core.image import is_image_name, read_header, read_image
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.region import Region, as_region
from headcount.data.formats.shapes import corners_of
from headcount.data.formats.via import region_shape, regions_of
from headcount.data.parse.json import parse_json
from headcount.data.parse.text import read_lines, read_text
from headcount.data.parse.values import attributes, is_head_name, number, numbers, quoted, size_wh

GivenRegion = Region | str | Path | ArrayLike
"""A region of interest: its file, a mask (h, w), the corners of a polygon (k, 2), or several polygons."""

_KIND = "region of interest"
_TEXTS = (".csv", ".txt")
_FIELDS = ("polygon", "polygons", "points", "polygons_xy")
_BLURS, _HALF = ("JPEG", "HEIC", "AVIF"), 128
_SHADES, _PLAIN = 8, 0.9
"""An image of which so few shades are not this share is no mask."""
_LEFT_ASIDE = ("point", "points", "line", "linestrip", "polyline")
_REFUSED = ("circle", "ellipse", "mask")
"""Areas as well: left aside, they would lack without a word."""
_Corners = list[tuple[float, float]]


def region_given(given: GivenRegion, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Region:
    """What code gives as a region: a file's path is read, all else is taken as ``as_region`` says.

    Raises:
        InputError: as ``read_region`` and ``as_region``.
    """
    return read_region(Path(given), max_pixels=max_pixels) if isinstance(given, str | Path) else as_region(given)


def read_region(path: Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Region:
    """The region of interest in a file.

    Raises:
        InputError: the file is missing, damaged, none of the known ones, or holds no region, or one that ``Region``
            refuses.
    """
    suffix = path.suffix.lower()
    if is_image_name(path):
        return _of_image(path, max_pixels)
    if suffix == ".json":
        return _of_json(path)
    if suffix in _TEXTS:
        lines = enumerate(read_lines(path, _KIND), start=1)
        parts = (group for blank, group in groupby(lines, lambda one: not one[1].strip()) if not blank)
        return _made([polygon for part in parts if (polygon := list(_corners_of_lines(part, path)))], None, path)
    raise InputError(
        f'"{path}" is no {_KIND}: name an image file (a mask), or a .json, .csv or .txt file of a polygon\'s corners.'
    )


def _of_image(path: Path, max_pixels: int) -> Region:
    least = _HALF if read_header(path).format in _BLURS else 1
    values = read_image(path, max_pixels=max_pixels, behind=0).max(axis=2)
    if np.sort(np.bincount(values.ravel()))[-_SHADES:].sum() < _PLAIN * values.size:
        raise InputError(
            f'"{path}" is no mask of a {_KIND}: it has many shades, as a photograph has; paint what is inside '
            "white and all else black."
        )
    mask = values >= least
    if mask.all() and values.min() < values.max():  # one shade alone may be meant: all of the image
        raise InputError(f'"{path}" is no mask of a {_KIND}: no pixel of it is black, so that nothing lies outside.')
    return as_region(mask, file=str(path))


def _of_json(path: Path) -> Region:
    data = parse_json(read_text(path, _KIND), path, _KIND)
    size: tuple[int, int] | None = None
    if isinstance(data, dict) and "shapes" in data:
        polygons = list(_of_labelme(data["shapes"], path))
        size = size_wh(data.get("imageWidth"), data.get("imageHeight"))
    elif isinstance(data, dict) and "annotations" in data:
        polygons = list(_of_coco(data, path))
        image = _only(data.get("images"), path, "images")
        size = size_wh(image.get("width"), image.get("height"))
    elif isinstance(data, dict) and (field := next((name for name in _FIELDS if name in data), None)) is not None:
        polygons = _of_lists(data[field], path, field)
    elif isinstance(data, dict):
        polygons = list(_of_via(data.get("_via_img_metadata", data), path))
    else:
        polygons = _of_lists(data, path, "")
    return _made(polygons, size, path)


def _made(polygons: list[_Corners], size: tuple[int, int] | None, path: Path) -> Region:
    if not polygons:
        raise InputError(f'"{path}" holds no {_KIND}: corners [x, y] of a polygon were expected.')
    region = as_region([np.array(corners) for corners in polygons], file=str(path))
    return region if size is None or region.is_relative else replace(region, size_wh=size)


def _corners_of_lines(lines: Iterator[tuple[int, str]], path: Path) -> Iterator[tuple[float, float]]:
    for line, text in lines:
        cells = [cell.strip() for cell in re.split(r"[,;\s]\s*", text.strip())]
        if [cell.lower().lstrip("#") for cell in cells] == ["x", "y"]:
            continue
        if len(cells) != 2:
            raise InputError(f'"{path}", line {line}: x and y of a corner were expected, got {quoted(text)}.')
        x, y = (number(cell, name, path, f"line {line}") for cell, name in zip(cells, "xy", strict=True))
        yield x, y


def _of_lists(data: Any, path: Path, where: str) -> list[_Corners]:
    if not isinstance(data, list) or not data:
        raise InputError(
            f'"{path}"{where and f", {where}"}: a list of corners [x, y] was expected, got {quoted(data)}.'
        )
    if isinstance(data[0], list) and data[0] and isinstance(data[0][0], list):
        return [_polygon(corners, path, f"{where}[{index}]") for index, corners in enumerate(data)]
    return [_polygon(data, path, where)]


def _polygon(corners: Any, path: Path, where: str) -> _Corners:
    if not isinstance(corners, list):
        raise InputError(f'"{path}", {where}: a list of corners [x, y] was expected, got {quoted(corners)}.')
    pairs = (numbers(corner, "[x, y]", path, f"{where}[{index}]") for index, corner in enumerate(corners))
    return [(x, y) for x, y in pairs]


def _of_labelme(shapes: Any, path: Path) -> Iterator[_Corners]:
    for index, shape in enumerate(_objects(shapes, path, "shapes")):
        where, kind = f"shapes[{index}]", shape.get("shape_type", "polygon")
        if is_head_name(str(shape.get("label", ""))) or _is_no_area(kind, path, where):
            continue
        corners = _polygon(shape.get("points"), path, f"{where}.points")
        if kind == "rectangle" and len(corners) == 2:
            corners = corners_of((*corners[0], *corners[1]))
        yield corners


def _of_coco(data: dict[str, Any], path: Path) -> Iterator[_Corners]:
    classes = data.get("categories")
    named = [one for one in classes if isinstance(one, dict)] if isinstance(classes, list) else []
    heads = [one.get("id") for one in named if is_head_name(str(one.get("name", "")))]
    for index, one in enumerate(_objects(data["annotations"], path, "annotations")):
        if one.get("category_id") in heads:
            continue
        where, parts = f"annotations[{index}].segmentation", one.get("segmentation")
        if not parts and one.get("bbox") is not None:  # a rectangle
            where = f"annotations[{index}].bbox"
            x, y, width, height = numbers(one["bbox"], "[x, y, width, height]", path, where)
            yield corners_of((x, y, x + width, y + height))
            continue
        if not isinstance(parts, list) or not all(isinstance(part, list) and len(part) % 2 == 0 for part in parts):
            raise InputError(f'"{path}", {where}: lists of x1, y1, x2, y2, … were expected, got {quoted(parts)}.')
        for part in parts:
            values = [number(value, "a corner", path, where) for value in part]
            yield list(zip(values[::2], values[1::2], strict=True))


def _of_via(images: Any, path: Path) -> Iterator[_Corners]:
    if not isinstance(images, dict) or not all(isinstance(one, dict) and "regions" in one for one in images.values()):
        raise InputError(
            f'"{path}" is no {_KIND}: a list of corners [x, y], or a file of LabelMe, COCO or VIA was expected, got '
            f"{quoted(images)}."
        )
    image = _only(list(images.values()), path, "the images")
    for index, one in enumerate(regions_of(image, path, "the image")):
        where = f"regions[{index}]"
        shape = region_shape(one, path, where)
        kind = shape.get("name", "rect")
        if any(map(is_head_name, attributes(one.get("region_attributes")).values())) or _is_no_area(kind, path, where):
            continue
        if kind == "rect":
            x, y, width, height = (number(shape.get(key), key, path, where) for key in ("x", "y", "width", "height"))
            yield corners_of((x, y, x + width, y + height))
        else:
            xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
            if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
                raise InputError(f'"{path}", {where}: all_points_x and all_points_y, as long as each other, expected.')
            yield [(number(x, "x", path, where), number(y, "y", path, where)) for x, y in zip(xs, ys, strict=True)]


def _is_no_area(kind: Any, path: Path, where: str) -> bool:
    if kind in _REFUSED:
        raise InputError(f'"{path}", {where}: {quoted(kind)} is no shape of a {_KIND}: draw polygons or rectangles.')
    return kind in _LEFT_ASIDE


def _objects(values: Any, path: Path, where: str) -> list[dict[str, Any]]:
    if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
        raise InputError(f'"{path}", {where}: a list of objects was expected, got {quoted(values)}.')
    return values


def _only(values: Any, path: Path, where: str) -> dict[str, Any]:
    found = _objects(values, path, where)
    if len(found) != 1:
        raise InputError(f'"{path}", {where}: a {_KIND} is that of one image, but here are {len(found)}: keep one.')
    return found[0]
