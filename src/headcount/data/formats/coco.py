"""COCO's JSON, read and written: one object per head, its box, its point as a keypoint, or both.

Documented at cocodataset.org (format-data). Of an annotation are read ``bbox`` ([x, y, width, height], the first
pixel's upper left corner at (0, 0), as headcount has it) and, where the category has one keypoint, ``keypoints``
([x, y, visibility]). ``iscrowd`` and ``ignore`` mark what is not to be counted, and so are other categories than
"head" where there are several. Written are, for a head

- with a box: ``bbox``, and ``keypoints`` where its point is not the box's centre;
- with a point only: ``keypoints``, and a ``bbox`` of no width and height there, since other readers look for one.

Every number comes back exactly: where x + width would round to another corner, ``corners`` (x1, y1, x2, y2) stands
beside the box. Three keys are headcount's own, which other readers pass over: an annotation's ``provenance``, an
image's ``attributes``, and its ``region`` of interest as COCO's uncompressed run lengths.

A path is one ``.json`` file, or a folder with ``annotations/*.json`` whose names tell the split (``train.json``,
``instances_val2017.json``). Image files are named relative to that folder, or to an ``images`` folder in it.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError, nearest
from headcount.core.files import atomic_text, is_file, is_folder, writing
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.scene import Provenance, Scene
from headcount.data.formats.heads import Head, annotation_of, drawn_as_points, heads_of
from headcount.data.formats.places import image_of, refuse_filled, refuse_taken
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, UnreadableAnnotationError, wrong_folder
from headcount.data.parse.values import (
    HEAD,
    attributes,
    cut,
    head_class,
    number,
    numbers,
    read_json,
    relative,
    shorten,
    size_wh,
)
from headcount.data.parse.values import split_of as _usual_name

_KIND = "COCO file"
_PROVENANCES: tuple[Provenance, ...] = get_args(Provenance)
_CATEGORY = {"id": 1, "name": HEAD, "supercategory": "person", "keypoints": [HEAD], "skeleton": []}


def list_coco(path: Path) -> Listing:
    """The images of a COCO file, or of the files of a folder by their splits; the images themselves unopened.

    Raises:
        InputError: there is no such file, or a folder of another layout; an UnreadableAnnotationError where a file is
            there but malformed.
    """
    files = _files(path)
    scenes: list[RawScene] = []
    for split, file in files.items():
        try:
            images = _parse(file)
        except InputError as error:
            if not is_file(file):
                raise
            raise UnreadableAnnotationError(str(error)) from error
        folder = _image_folder(file, [image.name for image in images], split)
        for image in images:
            scenes.append(
                RawScene(
                    f"{split}/{image.name}" if len(files) > 1 else image.name,
                    split,
                    Path(os.path.normpath(folder / image.name)),
                    file,
                    partial(_annotation, image, file),
                    group=Path(image.name).parent.as_posix(),
                    refuse_outside=drawn_as_points(image.heads),
                    origin=image.where,
                )
            )
    return Listing(tuple(scenes), () if scenes else (Remark("empty", path, "no image is named in this file"),))


def write_coco(
    scenes: Sequence[Scene], path: str | Path, *, splits: Sequence[str] = (), overwrite: bool = False
) -> None:
    """Write Scenes to one ``.json`` file, or a file for each split to ``annotations`` in a folder.

    ``splits`` are the scenes' (``train``, ``val``, ``test`` or empty); one file does not hold them. A box that belongs
    to no point is left out; all else is kept exactly.

    Raises:
        InputError: something is there already and ``overwrite`` is False, a scene holds pixels and no file, two
            scenes share an image, or a file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        refuse_taken([path], overwrite=overwrite)
        _write(scenes, path, path.parent)
        return
    folder = path / "annotations"
    refuse_filled(folder, overwrite=overwrite)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    labelled = list(zip(scenes, splits or [""] * len(scenes), strict=True))
    for split in dict.fromkeys(split for _, split in labelled) or [""]:
        of_split = [scene for scene, its in labelled if its == split]
        _write(of_split, folder / f"{split or 'all'}.json", path)


@dataclass(slots=True)
class _Image:
    """One image's part of a file."""

    name: str
    where: str
    size_wh: tuple[int, int] | None
    attributes: dict[str, str]
    region: tuple[tuple[int, int], NDArray[np.int64]] | None
    heads: list[Head] = field(default_factory=list)
    ignored: int = 0


def _annotation(image: _Image, file: Path) -> RawAnnotation:
    region = None if image.region is None else _mask(*image.region)
    return annotation_of(
        image.heads, size_wh=image.size_wh, attributes=image.attributes, region=region, ignored=image.ignored
    )


def _files(path: Path) -> dict[str, Path]:
    """The files of a path by their split."""
    if not is_folder(path):
        if path.suffix.lower() != ".json":
            raise InputError(f'"{path}" is no {_KIND}: a .json file, or a folder with annotations/*.json was expected.')
        return {"": path}
    inner = path / "annotations" if is_folder(path / "annotations") else path
    found = sorted(file for file in inner.glob("*.json") if not file.name.startswith("."))
    if not found:
        raise wrong_folder(path, ["annotations/train.json"], "or name one COCO file")
    files: dict[str, Path] = {}
    for file in found:
        split = next((known for word in re.findall("[a-z]+", file.stem.lower()) if (known := _usual_name(word))), "")
        if split in files:
            both = f'"{files[split].name}" and "{file.name}"'
            raise InputError(f'"{inner}" holds {both}, both of {split or "no known split"}: name one of the files.')
        files[split] = file
    return files


def _image_folder(file: Path, names: Sequence[str], split: str) -> Path:
    """Where the names lead: the folder of the file or one that is usual beside it, by the first image that is there."""
    here, above = file.parent, file.parent.parent
    roots = [above, here] if here.name == "annotations" else [here, above]
    stem = file.stem.removeprefix("instances_")
    below = ["", "images", *(f"{first}{last}" for first in ("", "images/") for last in {stem, split} if last)]
    candidates = [root / inner for root in roots for inner in below]
    for name in names[:20]:
        for folder in candidates:
            if is_file(folder / name):
                return folder
    return candidates[0]


def _parse(file: Path) -> list[_Image]:
    """The images of a file."""
    data = read_json(file, _KIND)
    images: dict[int | str, _Image] = {}
    named: dict[str, str] = {}
    for where, item in _items(data, "images", file):
        key = _id(item.get("id"), file, f"{where}.id")
        if key in images:
            raise InputError(f'"{file}", {where}.id: the id {shorten(key)} is that of {images[key].where} already.')
        name = item.get("file_name")
        if not isinstance(name, str) or not name or "\0" in name:
            raise InputError(f'"{file}", {where}.file_name: the name of an image file was expected.')
        place = os.path.normpath(name)
        if place in named:
            raise InputError(f'"{file}", {where}: "{cut(name)}" stands at {named[place]} already: give it once.')
        named[place] = where
        stated = size_wh(item.get("width"), item.get("height"))
        region = _region(item["region"], file, f"{where}.region") if "region" in item else None
        images[key] = _Image(name, where, stated, attributes(item.get("attributes")), region)
    wanted, keypoints = _category(data, file)
    seen: dict[int | str, str] = {}
    for where, item in _items(data, "annotations", file):
        if "id" in item:
            key = _id(item["id"], file, f"{where}.id")
            if key in seen:
                raise InputError(f'"{file}", {where}.id: the id {shorten(key)} is that of {seen[key]} already.')
            seen[key] = where
        key = _id(item.get("image_id"), file, f"{where}.image_id")
        if key not in images:
            raise InputError(f'"{file}", {where}.image_id: no image has the id {shorten(key)}.')
        category = _id(item.get("category_id"), file, f"{where}.category_id")
        if wanted is not None and category not in wanted:
            raise InputError(f'"{file}", {where}.category_id: no category has the id {shorten(category)}.')
        marked = item.get("iscrowd") in (1, True) or item.get("ignore") in (1, True)
        if marked or (wanted is not None and not wanted[category]):
            images[key].ignored += 1
            continue
        images[key].heads.append(_head(item, keypoints, file, where))
    return list(images.values())


def _items(data: dict[str, Any], key: str, file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    values = data.get(key)
    if not isinstance(values, list):
        hint = nearest(key, data) if data else ""
        raise InputError(f'"{file}" must be a {_KIND}, but has no list "{key}".{hint}')
    for index, item in enumerate(values):
        where = f"{key}[{index}]"
        if not isinstance(item, dict):
            raise InputError(f'"{file}", {where}: an object was expected, got {shorten(item)}.')
        yield where, item


def _id(value: Any, file: Path, where: str) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f'"{file}", {where}: an id, a whole number, was expected, got {shorten(value)}.')
    return value


def _category(data: dict[str, Any], file: Path) -> tuple[dict[int | str, bool] | None, bool]:
    """Which ids are categories, and whether they are heads (None: the file names no categories); and whether a head
    has one keypoint, its point."""
    if "categories" not in data:
        items = _items(data, "annotations", file)
        used = {_id(item.get("category_id"), file, f"{where}.category_id") for where, item in items}
        if len(used) > 1:
            raise InputError(f'"{file}" has annotations of {len(used)} categories, but no list "categories".')
        return None, True
    names: dict[int | str, str] = {}
    keypoints: dict[int | str, bool] = {}
    for where, item in _items(data, "categories", file):
        key = _id(item.get("id"), file, f"{where}.id")
        if key in names:
            raise InputError(f'"{file}", {where}.id: the id {shorten(key)} stands there twice.')
        name, points = item.get("name"), item.get("keypoints")
        if not isinstance(name, str):
            raise InputError(f'"{file}", {where}.name: the name of a category was expected, got {shorten(name)}.')
        names[key] = name
        keypoints[key] = isinstance(points, list) and len(points) == 1
    if not names and not data.get("annotations"):
        return {}, False
    head = list(names)[head_class(list(names.values()), f'"{file}", categories')]
    return {key: key == head for key in names}, keypoints[head]


def _head(item: dict[str, Any], keypoints: bool, file: Path, where: str) -> Head:
    box = _box(item, file, where) if "bbox" in item else None
    point = None
    if keypoints and "keypoints" in item:
        x, y, visibility = numbers(item["keypoints"], "[x, y, visibility]", file, f"{where}.keypoints")
        if visibility:
            point = (x, y)
            if box is not None and box[:2] == box[2:]:
                box = None  # a point only
    if box is None and point is None:
        raise InputError(f'"{file}", {where}: a "bbox" was expected, [x, y, width, height].')
    provenance = item.get("provenance", "annotated")
    if provenance not in _PROVENANCES:
        hint = nearest(provenance, _PROVENANCES) if isinstance(provenance, str) else ""
        raise InputError(f'"{file}", {where}: {shorten(provenance)} is no provenance of a box.{hint}')
    return Head(point, box, provenance, where)


def _box(item: dict[str, Any], file: Path, where: str) -> tuple[float, float, float, float]:
    x, y, width, height = numbers(item["bbox"], "[x, y, width, height]", file, f"{where}.bbox")
    if width < 0 or height < 0:
        raise InputError(
            f'"{file}", {where}.bbox: width and height must not be negative, got {width:g} and {height:g}.'
        )
    box = (x, y, x + width, y + height)
    if "corners" not in item:
        return box
    x1, y1, x2, y2 = corners = tuple(numbers(item["corners"], "[x1, y1, x2, y2]", file, f"{where}.corners"))
    near = [math.isclose(*pair, rel_tol=1e-9, abs_tol=1e-9) for pair in zip(box, corners, strict=True)]
    if not all(near):
        raise InputError(f'"{file}", {where}: "bbox" and "corners" are two boxes: remove the corners.')
    return x1, y1, x2, y2


def _region(value: Any, file: Path, where: str) -> tuple[tuple[int, int], NDArray[np.int64]]:
    """Size (h, w) and run lengths of a region; drawn when the image is read."""
    size, counts = (value.get("size"), value.get("counts")) if isinstance(value, dict) else (None, None)
    if not (isinstance(size, list) and isinstance(counts, list) and len(size) == 2):
        raise InputError(f'"{file}", {where}: {{"size": [height, width], "counts": […]}} was expected.')
    lengths = [number(one, "a run length", file, where, limit=DEFAULT_MAX_PIXELS) for one in [*size, *counts]]
    height, width = int(lengths[0]), int(lengths[1])
    whole = all(one >= 0 and one == int(one) for one in lengths)
    if not whole or sum(lengths[2:]) != height * width or height * width > DEFAULT_MAX_PIXELS:
        raise InputError(f'"{file}", {where}: the run lengths are not those of a region of {width}×{height} pixels.')
    return (height, width), np.array(lengths[2:], np.int64)


def _mask(size_hw: tuple[int, int], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(h, w) bool of COCO's run lengths: down the columns, beginning outside."""
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(size_hw, order="F")


def _run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat.size and flat[0] else counts}


def _write(scenes: Sequence[Scene], file: Path, folder: Path) -> None:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    names: set[str] = set()
    for index, scene in enumerate(scenes, start=1):
        name = relative(image_of(scene), folder)
        if name in names:
            raise InputError(f'Two scenes are of the image "{name}": give each image once.')
        names.add(name)
        width, height = scene.size_wh
        image: dict[str, Any] = {"id": index, "file_name": name, "width": width, "height": height}
        if scene.attributes:
            image["attributes"] = dict(scene.attributes)
        if scene.region is not None:
            image["region"] = _run_lengths(scene.region)
        images.append(image)
        for head in heads_of(scene):
            annotations.append({"id": len(annotations) + 1, "image_id": index, "category_id": 1, **_plain(head)})
    with atomic_text(file) as out:
        out.write('{\n"info": {"description": "Heads, written by headcount"},\n')
        out.write(f'"categories": {json.dumps([_CATEGORY])},\n')
        # One a line: such a file can be compared and searched.
        out.write('"images": [\n' + ",\n".join(json.dumps(image, ensure_ascii=False) for image in images) + "\n],\n")
        out.write('"annotations": [\n' + ",\n".join(map(json.dumps, annotations)) + "\n]\n}\n")


def _plain(head: Head) -> dict[str, Any]:
    """The part of an annotation that is of the head; json writes the shortest text that gives the same float64."""
    plain: dict[str, Any] = {"iscrowd": 0}
    if head.box_xyxy is None:
        assert head.point_xy is not None
        plain |= {"bbox": [*head.point_xy, 0.0, 0.0], "area": 0.0}
    else:
        x1, y1, x2, y2 = head.box_xyxy
        width, height = x2 - x1, y2 - y1
        plain |= {"bbox": [x1, y1, width, height], "area": width * height, "provenance": head.provenance}
        if (x1 + width, y1 + height) != (x2, y2):
            plain["corners"] = [x1, y1, x2, y2]
    if head.point_xy is not None:
        plain |= {"keypoints": [*head.point_xy, 2], "num_keypoints": 1}
    return plain
