"""YOLO's folders of text files, read and written: a line ``class cx cy width height`` per box, in parts of the image.

Documented at docs.ultralytics.com (datasets/detect). A path is the folder of ``data.yaml``, or that file:

    path: set                # what the following are relative to; the file's own folder where it is left out
    train: images/train      # a folder of images (all below it), a .txt list of images, or several of these
    val: images/val
    names: {0: head}         # several classes: the one called "head" is counted, or the only one that is used

An image's boxes stand where its path has ``labels`` for the last ``images``, and ``.txt``: nobody is there where that
file is empty. A line of more values is a polygon, whose bounding box is taken, or with ``kpt_shape`` a box with
keypoints, which are passed over. Every value lies from 0 to 1, or a hair outside, as tools round.

Written are 8 decimals, which move no corner by as much as 0.01 px in images of up to 1.3 million pixels a side.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from headcount.core.errors import InputError, nearest
from headcount.core.files import atomic_text, is_file, is_folder, writing
from headcount.core.geometry import as_boxes, centres, has_area, sides
from headcount.core.image import is_image_name, read_header
from headcount.core.scene import Scene
from headcount.data.formats.folders import wrong_folder
from headcount.data.formats.heads import boxes_by_head
from headcount.data.formats.places import image_of, image_suffix, place_names, put_image, refuse_filled
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, no_annotation
from headcount.data.parse.paths import Finder
from headcount.data.parse.text import read_lines, read_text
from headcount.data.parse.values import HEAD, cut, head_classes, is_head_name, number, quoted

DECIMALS = 8
PIXEL_DECIMALS = 2
_SPLITS = ("train", "val", "test")
_YAML_NAMES = ("data.yaml", "dataset.yaml", "data.yml")
_KIND, _LABELS = "YOLO data.yaml", "YOLO label file"
_DEEPEST = 32
_HAIR = 1e-3


def list_yolo(path: Path) -> Listing:
    """The images of the splits that a ``data.yaml`` names; labels and images unopened.

    An image without its text file has no annotation: an empty file says that nobody is there.

    Raises:
        InputError: there is no ``data.yaml``, it is malformed, or a folder that it names is missing.
    """
    file = _yaml_of(path)
    data = _load(file)
    names = _names(data, file)
    keypoints = _keypoint_values(data, file)
    images, remarks = _listed(data, file)
    labels = {image: label_of(image) for image in images}
    used: set[int] = set()
    if len(names) > 1 and not any(map(is_head_name, names)):  # only then are the labels looked at
        used = {kind for label in labels.values() for kind in _used(label) if kind < len(names)}
    heads = head_classes(names, used, f'"{file}", names')
    scenes = []
    for image, (name, split) in images.items():
        label = labels[image] if is_file(labels[image]) else None
        read = no_annotation if label is None else partial(read_labels, label, image, heads, len(names), keypoints)
        scenes.append(RawScene(name, split, image, label, read, group=Path(name).parent.as_posix()))
    return Listing(tuple(scenes), tuple(remarks))


def _listed(data: dict[str, Any], file: Path) -> tuple[dict[Path, tuple[str, str]], list[Remark]]:
    """Name and split of each image of the splits that the file names."""
    root, stated = file.parent, data.get("path")
    if isinstance(stated, str) and stated and "\0" not in stated:
        # A path of another machine leads nowhere: the file's own folder then.
        found = Finder([root]).find(stated).path
        root = found if is_folder(found) else root
    finder = Finder([root, file.parent])
    images: dict[Path, tuple[str, str]] = {}
    remarks: list[Remark] = []
    missing: list[tuple[Path, InputError]] = []
    splits = [split for split in _SPLITS if data.get(split) not in (None, "")]
    if not splits:
        raise InputError(f'"{file}" names no images: "train", "val" or "test" was expected.{nearest("train", data)}')
    for split in splits:
        folders = data[split] if isinstance(data[split], list) else [data[split]]
        for number_, folder in enumerate(folders):
            where = f"{split}[{number_}]" if len(folders) > 1 else split
            if not isinstance(folder, str) or not folder or "\0" in folder:
                raise InputError(f'"{file}", {where}: a folder of images was expected, got {quoted(folder)}.')
            place = _folder(finder, folder)
            if place is None:
                path = Path(os.path.normpath(root / folder))
                text = f'"{file}", {where}: there is no folder "{cut(str(path), 1000)}".'
                missing.append((path, InputError(text)))
                continue
            before = len(images)
            for image, name in _images(place, root):
                other = images.setdefault(image, (name, split))[1]
                if other != split:
                    raise InputError(f'"{file}": "{image}" is in {other} and in {split}: name it in one.')
            if len(images) == before:
                remarks.append(Remark("empty", place, "no image is in this folder"))
    if missing and not images:
        raise missing[0][1]
    remarks += [Remark("empty", path, f'"{file.name}" names this folder, but it is not there') for path, _ in missing]
    return images, remarks


def _folder(finder: Finder, name: str) -> Path | None:
    """The folder or list of a split."""
    # Some tools write "../train/images" for what lies beside the file.
    for each in (name, re.sub(r"^(\.\.[/\\])+", "", name)):
        place = finder.find(each).path
        if is_folder(place) or is_file(place):
            return place
    return None


def label_of(image: Path) -> Path:
    """Where an image's boxes stand.

    >>> label_of(Path("set/images/train/a.b.jpg")).as_posix()
    'set/labels/train/a.b.txt'
    """
    parts = list(image.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _used(label: Path) -> set[int]:
    """The classes that a text file has boxes of; what is wrong with it is said when it is read."""
    try:
        words = (line.split(maxsplit=1) for line in read_lines(label, _LABELS)) if is_file(label) else ()
        return {int(word[0]) for word in words if word and re.fullmatch("[0-9]{1,9}", word[0])}
    except InputError:
        return set()


def read_labels(
    label: Path, image: Path, heads: Collection[int] = (0,), classes: int = 1, keypoints: int = 0
) -> RawAnnotation:  # fmt: skip
    """The boxes of one text file, in pixels of its image, whose header is read for its size.

    ``heads`` are those of so many classes that are counted; ``keypoints`` are the values that follow each box.

    Raises:
        InputError: the file or the image cannot be read, or a line is malformed; file and line are named.
    """
    rows: list[list[float]] = []
    places: list[str] = []
    ignored = 0
    for line_number, line in enumerate(read_lines(label, _LABELS), start=1):
        cells = line.split()
        if not cells:
            continue
        where = f"line {line_number}"
        form = f"{5 + keypoints} numbers (class, cx, cy, width, height{', keypoints' if keypoints else ''})"
        polygon = not keypoints and len(cells) >= 7 and len(cells) % 2 == 1
        if len(cells) != 5 + keypoints and not polygon:
            raise InputError(f'"{label}", {where}: {form} were expected, got {len(cells)}.')
        if not re.fullmatch("[0-9]{1,9}", cells[0]) or int(cells[0]) >= classes:
            raise InputError(
                f'"{label}", {where}: a class from 0 to {classes - 1} was expected, got {quoted(cells[0])}.'
            )
        values = [number(cell, "a value", label, where) for cell in cells[1 : None if polygon else 5]]
        outside = next((value for value in values if not -_HAIR <= value <= 1 + _HAIR), None)
        if outside is not None:
            advice = "values are parts of the image's width and height"
            raise InputError(f'"{label}", {where}: {outside:g} is not from 0 to 1: {advice}, not pixels.')
        if int(cells[0]) not in heads:
            ignored += 1
            continue
        if polygon:
            xs, ys = values[0::2], values[1::2]
            rows.append([min(xs), min(ys), max(xs), max(ys)])
        else:
            cx, cy, width, height = values
            rows.append([cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2])
        places.append(where)
    size_wh = np.array(read_header(image).size_wh * 2) if rows else np.ones(4)
    # Shares of 6 to 8 decimals are pixels to a hundredth: what was a whole pixel becomes one again, on which the
    # matching radii, rounded down, depend.
    boxes = as_boxes(rows) * size_wh
    rounded = np.round(boxes, PIXEL_DECIMALS)
    kept = np.where(has_area(rounded)[:, None], rounded, boxes)  # no box is rounded to nothing
    return RawAnnotation(boxes_xyxy=kept, where=tuple(places), ignored=ignored)


def write_yolo(
    scenes: Sequence[Scene], folder: str | Path, *, splits: Sequence[str] = (), copy_images: bool = False,
    overwrite: bool = False,
) -> None:  # fmt: skip
    """Write the boxes of Scenes to ``labels``, their images as links (or copies) to ``images``, and ``data.yaml``.

    ``splits`` are the scenes' (``train``, ``val``, ``test``; empty counts as ``train``). Points become the boxes'
    centres; nothing but boxes is part of the format.

    Raises:
        InputError: the folder holds something and ``overwrite`` is False, a scene holds pixels and no file, a head has
            no box, a box has no area or lies outside its image, or a file cannot be written.
    """
    folder = Path(folder)
    refuse_filled(folder, overwrite=overwrite)
    splits = [split or "train" for split in splits] or ["train"] * len(scenes)
    names = place_names(scenes, splits, avoid=("images", "labels"))
    texts = [_lines(scene) for scene in scenes]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for scene, name, text in zip(scenes, names, texts, strict=True):
        image = image_of(scene)
        put_image(image, folder / "images" / f"{name}{image_suffix(image)}", copy=copy_images)
        label = folder / "labels" / f"{name}.txt"
        with writing(label):
            label.parent.mkdir(parents=True, exist_ok=True)
        with atomic_text(label) as file:
            file.write(text)
    written = [split for split in _SPLITS if split in splits] or ["train"]
    for split in written:
        with writing(folder):
            (folder / "images" / split).mkdir(parents=True, exist_ok=True)
    with atomic_text(folder / "data.yaml") as file:
        # No "path": others take a relative one from where they are started, not from this file.
        file.write("".join(f"{split}: images/{split}\n" for split in written) + f"names:\n  0: {HEAD}\n")


def _lines(scene: Scene) -> str:
    if (boxes_by_head(scene) < 0).any():
        raise InputError(f'"{scene.name or scene.image}" has heads without a box, which YOLO cannot hold.')
    boxes = as_boxes([]) if scene.boxes_xyxy is None else scene.boxes_xyxy
    parts = boxes / np.array(scene.size_wh * 2)
    if (parts < 0).any() or (parts > 1).any() or not has_area(boxes).all():
        raise InputError(f'"{scene.name or scene.image}" has a box outside its image or without area: clip it first.')
    # No box is rounded to nothing.
    rows = np.concatenate([centres(parts), np.maximum(sides(parts), 10.0**-DECIMALS)], axis=1)
    return "".join("0 " + " ".join(f"{value:.{DECIMALS}f}" for value in row) + "\n" for row in rows.tolist())


def _yaml_of(path: Path) -> Path:
    if is_file(path):
        if path.suffix.lower() not in (".yaml", ".yml"):
            raise InputError(f'"{path}" is no {_KIND}: name that file, or its folder.')
        return path
    if not is_folder(path):
        raise InputError(f'There is no folder "{path}": give the one that holds data.yaml.')
    found = [path / name for name in _YAML_NAMES if is_file(path / name)]
    found = found or [file for file in sorted(path.glob("*.y*ml")) if is_file(file)]
    if not found:
        advice = "it says where images are and what the classes are called (train: images/train, names: {0: head})"
        raise wrong_folder(path, ["data.yaml"], advice)
    if len(found) > 1:
        raise InputError(f'"{path}" holds "{found[0].name}" and "{found[1].name}": name the one that is meant.')
    return found[0]


def _load(file: Path) -> dict[str, Any]:
    text = read_text(file, _KIND)
    try:
        # Aliases let a few lines stand for billions of values, and no data.yaml needs one.
        depth = 0
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise InputError(f'"{file}" repeats a value by an alias (*name), which is refused: write it out.')
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:  # the time that YAML takes grows with the square of the depth
                raise InputError(f'"{file}" is nested too deeply to be a {_KIND}.')
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise InputError(f'"{file}"{line}: this is no valid YAML ({getattr(error, "problem", "")}).') from error
    except (ValueError, RecursionError, TypeError, AttributeError, LookupError, OverflowError) as error:
        # A date that is none, a number of thousands of digits, lists in lists, a key that is a list.
        raise InputError(f'"{file}" is no {_KIND} ({type(error).__name__}).') from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise InputError(f'"{file}" is no {_KIND}: lines such as "train: images/train" were expected.')
    return data


def _names(data: dict[str, Any], file: Path) -> list[str]:
    names = data.get("names")
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise InputError(f'"{file}", names: the classes must be numbered from 0 without gaps.')
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str | int) for name in names):
        raise InputError(f'"{file}", names: the names of the classes were expected, as in "names: {{0: head}}".')
    return [str(name) for name in names]


def _keypoint_values(data: dict[str, Any], file: Path) -> int:
    """How many values of keypoints follow each box."""
    shape = data.get("kpt_shape")
    if shape is None:
        return 0
    if not isinstance(shape, list) or len(shape) != 2 or not all(type(one) is int and 0 < one < 1000 for one in shape):
        raise InputError(f'"{file}", kpt_shape: [number, 2 or 3] was expected, got {quoted(shape)}.')
    return int(shape[0] * shape[1])


def _images(place: Path, root: Path) -> Iterator[tuple[Path, str]]:
    """The images of a folder, or of a list, and their names."""
    if is_folder(place):
        images = [path for path in sorted(place.rglob("*")) if is_image_name(path) and not path.name.startswith(".")]
    else:
        finder = Finder([place.parent, root])
        lines = enumerate(read_lines(place, "list of images"), start=1)
        images = [finder.image(line.strip(), place, f"line {row}").path for row, line in lines if line.strip()]
    base = Path(os.path.normpath(root))
    for image in images:
        inside = image.relative_to(base) if image.is_relative_to(base) else image
        yield image, inside.as_posix().removeprefix("images/")
