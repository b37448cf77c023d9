"""YOLO's folders of text files, read and written: a line ``class cx cy width height`` per box, in parts of the image.

Documented at docs.ultralytics.com (datasets/detect). A path is the folder of ``data.yaml``, or that file:

    path: set                # what the following are relative to; the file's own folder where it is left out
    train: images/train      # a folder of images (all below it), a .txt list of images, or several of these
    val: images/val
    names: {0: head}         # several classes: the one called "head" is counted, or the only one that is used

Folders with ``obj.data`` or ``classes.txt`` are read too (see ``yolo_folders``). An image's boxes stand where its path
has ``labels`` for the last ``images``, and ``.txt``: nobody is there where that file is empty. A line of more values is
a polygon, whose bounding box is taken, or with ``kpt_shape`` a box with keypoints, which are passed over. Every value
lies from 0 to 1, or a hair outside, as tools round.

Written are 8 decimals, which move no corner by as much as 0.01 px in images of up to 1.3 million pixels a side.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from headcount.core.errors import InputError
from headcount.core.files import atomic_text, writing
from headcount.core.geometry import as_boxes, centres, has_area, sides
from headcount.core.image import read_header
from headcount.core.scene import Scene
from headcount.data.formats.heads import boxes_by_head
from headcount.data.formats.places import image_of, image_suffix, place_names, put_image, refuse_filled
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, no_annotation
from headcount.data.formats.yolo_folders import SPLITS, YoloFolder, find_yolo
from headcount.data.parse.paths import relative
from headcount.data.parse.text import read_lines
from headcount.data.parse.values import HAIR, HEAD, head_classes, is_head_name, is_thing, number, quoted

DECIMALS = 8
PIXEL_DECIMALS = 2
_LABELS = "YOLO label file"
_NUMBER = re.compile(r"[0-9]{1,6}(\.0*)?")  # some tools write 0.0
_ONE_CLASS: Mapping[int, str] = MappingProxyType({0: HEAD})


def list_yolo(path: Path) -> Listing:
    """The images of a YOLO folder (see ``yolo_folders``); labels and images unopened.

    An image without its text file has no annotation: an empty file says that nobody is there. Text files with boxes
    whose image is not there are listed too, last.

    Raises:
        InputError: nothing says what the classes are called, it is malformed, or nothing that it names is there.
    """
    found = find_yolo(path)
    heads = _head_numbers(found)
    scenes = []
    for image, one in found.images.items():
        read = no_annotation
        if one.label is not None:
            read = partial(read_labels, one.label, image, heads, found.names, found.keypoints)
        scenes.append(
            RawScene(
                one.name, one.split, image, one.label, read, group=Path(one.name).parent.as_posix(),
                found_by=one.found_by,
            )
        )  # fmt: skip
    for text, split in found.texts.items():
        if _holds_boxes(text):
            name = relative(text.with_suffix(""), found.file.parent)
            scenes.append(RawScene(name, split, None, text, no_annotation))
    return Listing(tuple(scenes), tuple(found.remarks))


def _head_numbers(found: YoloFolder) -> frozenset[int]:
    """The numbers of the classes that are heads; the text files are looked at only where names do not tell."""
    numbers, names = list(found.names), list(found.names.values())
    used: set[int] = set()
    if not any(map(is_head_name, names)) and (len(names) > 1 or is_thing(names[0])):
        used = {kind for one in found.images.values() for kind in _used(one.label) if kind in found.names}
    known = {number_: row for row, number_ in enumerate(numbers)}
    rows = head_classes(names, {known[kind] for kind in used}, f'"{found.file}", names')
    return frozenset(numbers[row] for row in rows)


def _used(label: Path | None) -> set[int]:
    """The classes that a text file has boxes of; what is wrong with it is said when it is read."""
    try:
        words = (line.split(maxsplit=1) for line in read_lines(label, _LABELS)) if label is not None else ()
        return {int(word[0].partition(".")[0]) for word in words if word and _NUMBER.fullmatch(word[0])}
    except InputError:
        return set()


def _holds_boxes(text: Path) -> bool:
    """Whether a text file has lines as those of boxes are, and so is no list, readme or empty file."""
    try:
        rows = [line.split() for line in read_lines(text, _LABELS) if line.strip()]
    except InputError:
        return False
    return bool(rows) and all(len(row) >= 5 and _NUMBER.fullmatch(row[0]) is not None for row in rows)


def read_labels(
    label: Path, image: Path, heads: Collection[int] = (0,), names: Mapping[int, str] = _ONE_CLASS, keypoints: int = 0
) -> RawAnnotation:  # fmt: skip
    """The boxes of one text file, in pixels of its image, whose header is read for its size.

    ``heads`` are those of the classes, by number, that are counted; ``keypoints`` are the values that follow each box.

    Raises:
        InputError: the file or the image cannot be read, or a line is malformed; file and line are named.
    """
    rows: list[list[float]] = []
    places: list[str] = []
    ignored: Counter[str] = Counter()
    nearly = 0
    for line_number, line in enumerate(read_lines(label, _LABELS), start=1):
        cells = line.split()
        if not cells:
            continue
        where = f"line {line_number}"
        form = f"{5 + keypoints} numbers (class, cx, cy, width, height{', keypoints' if keypoints else ''})"
        polygon = not keypoints and len(cells) >= 7 and len(cells) % 2 == 1
        if len(cells) != 5 + keypoints and not polygon:
            raise InputError(f'"{label}", {where}: {form} were expected, got {len(cells)}.')
        kind = int(cells[0].partition(".")[0]) if _NUMBER.fullmatch(cells[0]) else -1
        if kind not in names:
            known = f"from {min(names)} to {max(names)}" if len(names) > 1 else f"{min(names)}"
            raise InputError(f'"{label}", {where}: a class {known} was expected, got {quoted(cells[0])}.')
        values = [number(cell, "a value", label, where) for cell in cells[1 : None if polygon else 5]]
        outside = next((value for value in values if not -HAIR <= value <= 1 + HAIR), None)
        if outside is not None:
            advice = "values are parts of the image's width and height"
            raise InputError(f'"{label}", {where}: {outside:g} is not from 0 to 1: {advice}, not pixels.')
        if kind not in heads:
            ignored[names[kind]] += 1
            continue
        nearly += sum(not 0 <= value <= 1 for value in values)
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
    return RawAnnotation(
        boxes_xyxy=kept + 0.0,  # no -0
        where=tuple(places),
        ignored=sum(ignored.values()),
        ignored_as=ignored,
        nearly=nearly,
    )


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
    written = [split for split in SPLITS if split in splits] or ["train"]
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
