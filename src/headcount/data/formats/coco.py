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
``instances_val2017.json``), or one with folders of splits (``train/_annotations.coco.json``, ``valid``, ``test``), as
Roboflow writes it. Image files are named relative to that folder, or to an ``images`` folder in it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from headcount.core.errors import InputError
from headcount.core.files import atomic_text, is_file, is_folder, writing
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.scene import Scene
from headcount.data.formats.folders import entries, folders_in, wrong_folder
from headcount.data.formats.heads import Head, annotation_of, drawn_as_points, heads_of
from headcount.data.formats.places import copied, refuse_filled, refuse_taken_files, written_names
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, annotates_all, no_annotation
from headcount.data.parse.json import Strict, read_model
from headcount.data.parse.paths import Finder, FoundName
from headcount.data.parse.values import (
    HEAD,
    attributes,
    cut,
    head_classes,
    number,
    numbers,
    quoted,
    same_id,
    size_wh,
    split_in,
    split_of,
    stated_provenance,
)

_KIND = "COCO file"
_CATEGORY = {"id": 1, "name": HEAD, "supercategory": "person", "keypoints": [HEAD], "skeleton": []}

_MARKS = ("iscrowd", "ignore")

_Id = int | float | str
_id = partial(Field, description="an id, a whole number,")


class _ImageItem(Strict):
    id: _Id = _id()
    file_name: str = Field(description="the name of an image file")
    width: Any = None
    height: Any = None
    attributes: Any = None
    region: Any = None


class _Category(Strict):
    id: _Id = _id()
    name: str = Field(description="the name of a category")
    keypoints: Any = None


class _Annotation(Strict):
    image_id: _Id = _id()
    category_id: _Id = _id()
    id: _Id | None = _id(None)
    iscrowd: Any = None
    ignore: Any = None
    bbox: Any = None
    keypoints: Any = None
    corners: Any = None
    provenance: Any = "annotated"


class _File(Strict):
    images: list[_ImageItem] = Field(description="list of images", fail_fast=True)
    annotations: list[_Annotation] = Field(description="list of annotations", fail_fast=True)
    categories: list[_Category] | None = Field(None, description="list of categories")


def list_coco(path: Path) -> Listing:
    """The images of a COCO file, or of the files of a folder by their splits; the images themselves unopened.

    Raises:
        InputError: there is no such file, or a folder of another layout; an UnreadableAnnotationError where a file is
            there but malformed.
    """
    files = _files(path)
    scenes: list[RawScene] = []
    for split, file in files.items():
        with annotates_all(file):
            images, of_no_image = _parse(file, Finder(_image_folders(file, split)))
        for where in of_no_image:
            scenes.append(RawScene(f"{split}/{where}" if len(files) > 1 else where, split, None, file, no_annotation))
        for image in images:
            scenes.append(
                RawScene(
                    f"{split}/{image.name}" if len(files) > 1 else image.name,
                    split,
                    image.place.path,
                    file,
                    partial(_annotation, image),
                    group=Path(image.name).parent.as_posix(),
                    refuse_outside=drawn_as_points(image.heads),
                    origin=image.where,
                    found_by=image.place.found_by,
                )
            )
    return Listing(tuple(scenes), () if scenes else (Remark("empty", path, "no image is named in this file"),))


def write_coco(
    scenes: Sequence[Scene], path: str | Path, *, splits: Sequence[str] = (), copy_images: bool = False,
    overwrite: bool = False,
) -> None:  # fmt: skip
    """Write Scenes to one ``.json`` file, or a file for each split to ``annotations`` in a folder.

    ``splits`` are the scenes' (``train``, ``val``, ``test`` or empty); one file does not hold them. A box that belongs
    to no point is left out; all else is kept exactly. With ``copy_images`` the images are copied to ``images`` in the
    folder, or beside the file.

    Raises:
        InputError: something is there already and ``overwrite`` is False, a scene holds pixels and no file, two
            scenes share an image, or a file cannot be written.
    """
    path = Path(path)
    is_one_file = path.suffix.lower() == ".json"
    folder = path.parent if is_one_file else path
    if is_one_file:
        refuse_taken_files([path], overwrite=overwrite)
    else:
        refuse_filled(path / "annotations", overwrite=overwrite)
    written_names(scenes, folder)  # says what is wrong before an image is copied
    if copy_images:
        scenes = copied(scenes, folder / "images", overwrite=overwrite)
    if is_one_file:
        _write(scenes, path, folder)
        return
    with writing(path):
        (path / "annotations").mkdir(parents=True, exist_ok=True)
    labelled = list(zip(scenes, splits or [""] * len(scenes), strict=True))
    for split in dict.fromkeys(split for _, split in labelled) or [""]:
        _write([one for one, each in labelled if each == split], path / "annotations" / f"{split or 'all'}.json", path)


@dataclass(slots=True)
class _Image:
    """One image's part of a file."""

    name: str
    place: FoundName
    where: str
    size_wh: tuple[int, int] | None
    attributes: dict[str, str]
    region: tuple[tuple[int, int], NDArray[np.int64]] | None
    heads: list[Head] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    refused: InputError | None = None


def _annotation(image: _Image) -> RawAnnotation:
    if image.refused is not None:
        raise InputError(str(image.refused))
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
    found = _json_files(inner)
    if not found:  # a folder for each split, its images beside its file, as Roboflow writes them
        found = [file for folder in folders_in(path) if split_of(folder.name) for file in _json_files(folder)]
    if not found:
        expected = ["annotations/train.json", "train/_annotations.coco.json"]
        raise wrong_folder(path, expected, "or name one COCO file")
    files: dict[str, Path] = {}
    for file in found:
        split = split_in(re.findall("[a-z]+", file.stem.lower()))
        split = split or ("" if file.parent == inner else split_of(file.parent.name))
        if split in files:
            both = f'"{files[split].relative_to(path)}" and "{file.relative_to(path)}"'
            raise InputError(f'"{path}" holds {both}, both of {split or "no known split"}: name one of the files.')
        files[split] = file
    return files


def _json_files(folder: Path) -> list[Path]:
    return [file for file in entries(folder) if file.suffix.lower() == ".json" and is_file(file)]


def _image_folders(file: Path, split: str) -> list[Path]:
    """What names may be relative to: the folder of the file or one that is usual beside it."""
    here, above = file.parent, file.parent.parent
    roots = [above, here] if here.name == "annotations" else [here, above]
    stem = file.stem.removeprefix("instances_")
    below = ["", "images", *(f"{first}{last}" for first in ("", "images/") for last in (stem, split) if last)]
    return [root / inner for root in roots for inner in below]


def _parse(file: Path, finder: Finder) -> tuple[list[_Image], list[str]]:
    """The images of a file, and of what others it has annotations.

    Raises:
        InputError: no annotation is of an image that is listed: the two lists do not belong together.
    """
    data = read_model(file, _KIND, _File)
    images: dict[str, _Image] = {}
    origins: dict[Path, str] = {}
    for index, item in enumerate(data.images):
        where, key = f"images[{index}]", same_id(item.id)
        if key in images:
            raise InputError(f'"{file}", {where}.id: the id {quoted(item.id)} is that of {images[key].where} already.')
        place = finder.image(item.file_name, file, f"{where}.file_name")
        if place.path in origins:
            raise InputError(
                f'"{file}", {where}: "{cut(item.file_name)}" stands at {origins[place.path]} already: give it once.'
            )
        origins[place.path] = where
        region = None if item.region is None else _region(item.region, file, f"{where}.region")
        images[key] = _Image(
            place.name, place, where, size_wh(item.width, item.height), attributes(item.attributes), region
        )
    heads, pointed = _categories(data, file)
    names = {same_id(one.id): one.name for one in data.categories or []}
    seen: dict[str, tuple[str, Any]] = {}
    of_no_image: dict[str, str] = {}
    for index, one in enumerate(data.annotations):
        where = f"annotations[{index}]"
        if one.id is not None:
            # Tools number the annotations of each image anew; twice the same one is a mistake.
            content = same_id(one.image_id), one.bbox, one.keypoints
            first, known = seen.setdefault(same_id(one.id), (where, content))
            if first != where and known == content:
                raise InputError(f'"{file}", {where}: this is the annotation {first} again: give it once.')
        image = images.get(same_id(one.image_id))
        if image is None:
            of_no_image.setdefault(same_id(one.image_id), f"{where}, image_id {quoted(one.image_id)}")
            continue
        category = same_id(one.category_id)
        mark = next((mark for mark in _MARKS if _is_set(getattr(one, mark))), "")
        if data.categories and category not in names:  # whether it is a head is not known
            image.refused = image.refused or _unknown_category(one, file, where)
        elif category not in heads or mark:
            image.ignored[mark if category in heads else names.get(category, category)] += 1
        else:
            try:
                image.heads.append(_head(one, category in pointed, file, where))
            except InputError as error:  # of this image alone
                image.refused = image.refused or error
    if of_no_image and len(of_no_image) == len({same_id(one.image_id) for one in data.annotations}):
        first = quoted(data.annotations[0].image_id)
        raise InputError(f'"{file}", annotations[0].image_id: no image has the id {first}, nor that of any other.')
    return list(images.values()), list(of_no_image.values())


def _categories(data: _File, file: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The ids of the categories that are heads, and of those whose one keypoint is the head's point.

    Raises:
        InputError: no annotation is of a category that is listed, or it is not clear which is to be counted.
    """
    used = dict.fromkeys(same_id(one.category_id) for one in data.annotations)
    if not data.categories:
        if len(used) > 1:
            raise InputError(f'"{file}" has annotations of {len(used)} categories, but no list "categories".')
        return frozenset(used), frozenset(used)
    known: dict[str, _Category] = {}
    for index, category in enumerate(data.categories):
        if (key := same_id(category.id)) in known:
            raise InputError(f'"{file}", categories[{index}].id: the id {quoted(category.id)} stands there twice.')
        known[key] = category
    if used and not used.keys() & known.keys():
        raise _unknown_category(data.annotations[0], file, "annotations[0]")
    keys = list(known)
    rows = {key: row for row, key in enumerate(keys)}
    chosen = head_classes(
        [known[key].name for key in keys], {rows[key] for key in used if key in rows}, f'"{file}", categories'
    )
    heads = frozenset(keys[index] for index in chosen)
    pointed = (key for key in heads if isinstance(known[key].keypoints, list) and len(known[key].keypoints) == 1)
    return heads, frozenset(pointed)


def _is_set(mark: Any) -> bool:
    """Tools write it as 1, "1", true or "True"."""
    return isinstance(mark, int | float | str) and str(mark).strip().lower() in ("1", "1.0", "true")


def _unknown_category(one: _Annotation, file: Path, where: str) -> InputError:
    return InputError(f'"{file}", {where}.category_id: no category has the id {quoted(one.category_id)}.')


def _head(one: _Annotation, pointed: bool, file: Path, where: str) -> Head:
    box = None if one.bbox is None else _box(one, file, where)
    point = None
    if pointed and one.keypoints is not None:
        x, y, visibility = numbers(one.keypoints, "[x, y, visibility]", file, f"{where}.keypoints")
        if visibility:
            point = (x, y)
            if box is not None and box[:2] == box[2:]:
                box = None  # a point only
    if box is None and point is None:
        raise InputError(f'"{file}", {where}: a "bbox" was expected, [x, y, width, height].')
    return Head(point, box, stated_provenance(one.provenance, file, where), where)


def _box(one: _Annotation, file: Path, where: str) -> tuple[float, float, float, float]:
    x, y, width, height = numbers(one.bbox, "[x, y, width, height]", file, f"{where}.bbox")
    if width < 0 or height < 0:
        raise InputError(
            f'"{file}", {where}.bbox: width and height must not be negative, got {width:g} and {height:g}.'
        )
    box = (x, y, x + width, y + height)
    if one.corners is None:
        return box
    x1, y1, x2, y2 = corners = tuple(numbers(one.corners, "[x1, y1, x2, y2]", file, f"{where}.corners"))
    near = [math.isclose(*pair, rel_tol=1e-9, abs_tol=1e-9) for pair in zip(box, corners, strict=True)]
    if not all(near):
        raise InputError(f'"{file}", {where}: "bbox" and "corners" are two boxes: remove the corners.')
    return x1, y1, x2, y2


def _region(value: Any, file: Path, where: str) -> tuple[tuple[int, int], NDArray[np.int64]]:
    """Size (h, w) and run lengths of a region; drawn when the image is read."""
    size, counts = (value.get("size"), value.get("counts")) if isinstance(value, dict) else (None, None)
    if not (isinstance(size, list) and isinstance(counts, list) and len(size) == 2):
        raise InputError(f'"{file}", {where}: {{"size": [height, width], "counts": […]}} was expected.')
    lengths = [
        number(one, "a run length", file, where, least=0, limit=DEFAULT_MAX_PIXELS, whole=True)
        for one in [*size, *counts]
    ]
    height, width = int(lengths[0]), int(lengths[1])
    if sum(lengths[2:]) != height * width or height * width > DEFAULT_MAX_PIXELS:
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
    named = zip(scenes, written_names(scenes, folder), strict=True)
    for index, (scene, name) in enumerate(named, start=1):
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
