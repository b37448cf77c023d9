"""YOLO's folders of text files, read and written: a line ``class cx cy width height`` per box, in parts of the image.

Documented at docs.ultralytics.com (datasets/detect). A path is the folder of ``data.yaml``, or that file:

    path: set                # what the following are relative to; the file's own folder where it is left out
    train: images/train      # a folder of images (all below it), a .txt list of images, or several of these
    val: images/val
    names: {0: head}         # several classes: the one called "head" is counted

An image's boxes stand where its path has ``labels`` for the last ``images``, and ``.txt``: nobody is there where that
file is empty. A line of more values is a polygon, whose bounding box is taken, or with ``kpt_shape`` a box with
keypoints, which are passed over. Every value lies from 0 to 1.

Written are 8 decimals, which move no corner by as much as 0.01 px in images of up to 1.3 million pixels a side.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from headcount.core.errors import InputError, nearest
from headcount.core.files import atomic_text, is_file, is_folder, writing
from headcount.core.geometry import as_boxes
from headcount.core.image import is_image_name, read_header
from headcount.core.scene import Scene
from headcount.data.formats.heads import boxes_by_head
from headcount.data.formats.places import image_of, image_suffix, place_names, put_image, refuse_filled
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, no_annotation, wrong_folder
from headcount.data.parse.values import HEAD, cut, head_class, number, read_text, shorten

DECIMALS = 8
_SPLITS = ("train", "val", "test")
_YAML_NAMES = ("data.yaml", "dataset.yaml", "data.yml")
_KIND = "YOLO data.yaml"
_DEEPEST = 32


def list_yolo(path: Path) -> Listing:
    """The images of the splits that a ``data.yaml`` names; labels and images unopened.

    An image without its text file has no annotation: an empty file says that nobody is there.

    Raises:
        InputError: there is no ``data.yaml``, it is malformed, or a folder that it names is missing.
    """
    file = _yaml_of(path)
    data = _load(file)
    names = _names(data, file)
    head = head_class(names, f'"{file}", names')
    keypoints = _keypoint_values(data, file)
    root = file.parent
    stated = data.get("path")
    if isinstance(stated, str) and "\0" not in stated and is_folder(root / stated):
        root = root / stated  # an absolute path of another machine leads nowhere: the file's own folder then
    scenes: list[RawScene] = []
    remarks: list[Remark] = []
    seen: dict[Path, str] = {}
    for split in _SPLITS:
        if split not in data or data[split] in (None, ""):
            continue
        folders = data[split] if isinstance(data[split], list) else [data[split]]
        for number_, folder in enumerate(folders):
            where = f"{split}[{number_}]" if len(folders) > 1 else split
            if not isinstance(folder, str) or not folder or "\0" in folder:
                raise InputError(f'"{file}", {where}: a folder of images was expected, got {shorten(folder)}.')
            place = _existing(root, folder, file, where)
            before = len(scenes)
            for image, name in _images(place, root):
                if image in seen:
                    if seen[image] != split:
                        raise InputError(f'"{file}": "{image}" is in {seen[image]} and in {split}: name it in one.')
                    continue
                seen[image] = split
                label = label_of(image)
                read = partial(read_labels, label, image, head, len(names), keypoints)
                there = is_file(label)
                scenes.append(
                    RawScene(
                        name, split, image, label if there else None, read if there else no_annotation,
                        group=Path(name).parent.as_posix(),
                    )
                )  # fmt: skip
            if len(scenes) == before:
                remarks.append(Remark("empty", place, "no image is in this folder"))
    if not any(split in data for split in _SPLITS):
        raise InputError(f'"{file}" names no images: "train", "val" or "test" was expected.{nearest("train", data)}')
    return Listing(tuple(scenes), tuple(remarks))


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


def read_labels(label: Path, image: Path, head: int = 0, classes: int = 1, keypoints: int = 0) -> RawAnnotation:
    """The boxes of one text file, in pixels of its image, whose header is read for its size.

    ``head`` is the class to be counted out of so many; ``keypoints`` are the values that follow each box.

    Raises:
        InputError: the file or the image cannot be read, or a line is malformed; file and line are named.
    """
    lines = read_text(label, "YOLO label file").splitlines()
    rows: list[list[float]] = []
    places: list[str] = []
    ignored = 0
    for line_number, line in enumerate(lines, start=1):
        cells = line.split()
        if not cells:
            continue
        where = f"line {line_number}"
        form = f"{5 + keypoints} numbers (class, cx, cy, width, height{', keypoints' if keypoints else ''})"
        polygon = not keypoints and len(cells) >= 7 and len(cells) % 2 == 1
        if len(cells) != 5 + keypoints and not polygon:
            raise InputError(f'"{label}", {where}: {form} were expected, got {len(cells)}.')
        if not cells[0].isascii() or not cells[0].isdigit() or len(cells[0]) > 9 or int(cells[0]) >= classes:
            raise InputError(
                f'"{label}", {where}: a class from 0 to {classes - 1} was expected, got {shorten(cells[0])}.'
            )
        values = [number(cell, "a value", label, where) for cell in cells[1 : None if polygon else 5]]
        outside = next((value for value in values if not 0 <= value <= 1), None)
        if outside is not None:
            advice = "values are parts of the image's width and height"
            raise InputError(f'"{label}", {where}: {outside:g} is not from 0 to 1: {advice}, not pixels.')
        if int(cells[0]) != head:
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
    return RawAnnotation(boxes_xyxy=as_boxes(rows) * size_wh, where=tuple(places), ignored=ignored)


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
    there = [split for split in _SPLITS if split in splits] or ["train"]
    for split in there:
        with writing(folder):
            (folder / "images" / split).mkdir(parents=True, exist_ok=True)
    with atomic_text(folder / "data.yaml") as file:
        # No "path": others take a relative one from where they are started, not from this file.
        file.write("".join(f"{split}: images/{split}\n" for split in there) + f"names:\n  0: {HEAD}\n")


def _lines(scene: Scene) -> str:
    if (boxes_by_head(scene) < 0).any():
        raise InputError(f'"{scene.name or scene.image}" has heads without a box, which YOLO cannot hold.')
    boxes = as_boxes([]) if scene.boxes_xyxy is None else scene.boxes_xyxy
    parts = boxes / np.array(scene.size_wh * 2)
    if (parts < 0).any() or (parts > 1).any() or (boxes[:, 2:] <= boxes[:, :2]).any():
        raise InputError(f'"{scene.name or scene.image}" has a box outside its image or without area: clip it first.')
    centres, sizes = (parts[:, :2] + parts[:, 2:]) / 2, parts[:, 2:] - parts[:, :2]
    # No box is rounded to nothing.
    rows = np.concatenate([centres, np.maximum(sizes, 10.0**-DECIMALS)], axis=1)
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
        raise InputError(f'"{file}", kpt_shape: [number, 2 or 3] was expected, got {shorten(shape)}.')
    return int(shape[0] * shape[1])


def _existing(root: Path, folder: str, file: Path, where: str) -> Path:
    # Some tools write "../train/images" for what lies beside the file.
    shorter = re.sub(r"^(\.\./)+", "", folder)
    for place in (root / folder, file.parent / folder, file.parent / shorter):
        if is_folder(place) or is_file(place):
            return Path(os.path.normpath(place))
    raise InputError(f'"{file}", {where}: there is no folder "{cut(str(root / folder), 1000)}".')


def _images(place: Path, root: Path) -> Iterator[tuple[Path, str]]:
    """The images of a folder, or of a list, and their names."""
    if is_folder(place):
        images = [path for path in sorted(place.rglob("*")) if is_image_name(path) and not path.name.startswith(".")]
    else:
        lines = [line.strip() for line in read_text(place, "list of images").split("\n")]
        for line_number, line in enumerate(lines, start=1):
            if "\0" in line or (line and not Path(os.path.normpath(place.parent / line)).name):
                raise InputError(f'"{place}", line {line_number}: {cut(repr(line))} names no image.')
        images = [Path(os.path.normpath(place.parent / line)) for line in lines if line]
    base = Path(os.path.normpath(root))
    for image in images:
        inside = image.relative_to(base) if image.is_relative_to(base) else image
        yield image, inside.as_posix().removeprefix("images/")
