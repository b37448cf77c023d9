"""CrowdHuman's heads: `annotation_{train,val}.odgt`, one JSON object a line, and `Images/ID.jpg`.

    {"ID": "273271,1a0d6000b9e1f5b7", "gtboxes": [{"tag": "person", "hbox": [x, y, w, h], "vbox": …, "fbox": …,
     "head_attr": {"ignore": 0, "occ": 0, "unsure": 0}, "extra": {"box_id": 0, "occ": 0}}, {"tag": "mask", …}]}

Shao et al., "CrowdHuman: A Benchmark for Detecting Human in a Crowd", 2018; documented at crowdhuman.org/download.html.
Its archives (train01 to train03, val, test) each unpack to ``Images/``; they may lie in one such folder, or below
folders named by the archive (``CrowdHuman_train01/Images``). The test images have no annotations and cannot be told
apart from others in one folder: they are listed where they lie in a folder named ``…test``.

**Coordinates** are 0-based places of edges: x, y is the left upper corner, w, h are lengths. Heads may reach beyond
the image. A head does not count, and is among the ``ignored``, where ``tag`` is not ``person`` (a mask over a crowd, a
reflection), or its ``head_attr`` or ``extra`` says ``ignore``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from headcount.core.errors import InputError
from headcount.core.files import file_size, is_file, is_folder
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.raw import (
    Listing,
    RawAnnotation,
    RawScene,
    Remark,
    UnreadableAnnotationError,
    no_annotation,
)

_MAX_BYTES = 2**30
_SUFFIXES = (".jpg", ".jpeg", ".png")
_SPLITS = ("train", "val")
_HEAD = 256  # an ID stands at the beginning of its line


def list_crowdhuman(root: Path) -> Listing:
    """The images of both annotation files, in their order, and those of a test folder; ``root`` holds the files.

    A line is parsed when its image is read; only its ID is looked at here.

    Raises:
        InputError: the layout is another; an UnreadableAnnotationError where a line has no ID, or one occurs twice.
    """
    need_folder(root, "annotation_train.odgt and annotation_val.odgt")
    files = {split: root / f"annotation_{split}.odgt" for split in _SPLITS}
    if not any(is_file(path) for path in files.values()):
        raise wrong_folder(root, [path.name for path in files.values()], "give the folder that holds them and Images")
    images = _images(root)
    remarks = [] if images else [Remark("empty", root / "Images", "no image is in this folder")]
    scenes: list[RawScene] = []
    seen: dict[str, str] = {}
    for split, path in files.items():
        if not is_file(path):
            continue
        for number, offset, length, name in _lines(path):
            if name in seen:
                raise UnreadableAnnotationError(
                    f'"{path}", line {number}: the ID "{name[:60]}" stands in {seen[name]} already: give it once.'
                )
            seen[name] = f"{path.name}, line {number}"
            read = partial(read_line, path, number, offset, length)
            scenes.append(RawScene(f"{split}/{name}", split, images.get(name), path, read, origin=f"line {number}"))
    for name, image in images.items():
        if name not in seen and _archive(image, root).lower().endswith("test"):
            scenes.append(RawScene(f"test/{name}", "test", image, None, no_annotation))
    return Listing(tuple(scenes), tuple(remarks))


def _images(root: Path) -> dict[str, Path]:
    """The images by their ID, of ``Images`` here and in the folders of the archives."""
    found: dict[str, Path] = {}
    for folder in (root, *(child for child in sorted(root.iterdir()) if child.is_dir())):
        inside = folder / "Images" if is_folder(folder / "Images") else folder
        if inside == root:
            continue
        for path in sorted(inside.iterdir()):
            if path.suffix.lower() in _SUFFIXES and not path.name.startswith("."):
                found.setdefault(path.stem, path)
    return found


def _archive(image: Path, root: Path) -> str:
    """The name of the folder below ``root`` that an image lies in."""
    return image.relative_to(root).parts[0]


def _lines(path: Path) -> Iterator[tuple[int, int, int, str]]:
    """(number, offset, length, ID) of each line that is not blank."""
    size = file_size(path)
    if size > _MAX_BYTES:
        raise UnreadableAnnotationError(f'"{path}" has {size:,} bytes, over the limit of {_MAX_BYTES:,}.')
    offset = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, offset, len(line), _identifier(path, number, line)
                offset += len(line)
    except OSError as error:
        raise UnreadableAnnotationError(f'"{path}" cannot be read ({error.strerror or error}).') from error


def _identifier(path: Path, number: int, line: bytes) -> str:
    """The ID of a line; quickly where it comes first, as published."""
    start = line[:_HEAD].lstrip()
    if start.startswith(b'{"ID": "') and (end := start.find(b'"', 8)) > 8 and b"\\" not in start[:end]:
        try:
            name = start[8:end].decode("utf-8")
        except UnicodeDecodeError:
            name = ""
    else:
        try:
            name = _object(path, number, line).get("ID", "")
        except InputError as error:
            raise UnreadableAnnotationError(str(error)) from error
    if not isinstance(name, str) or not name or "/" in name or "\\" in name or "\0" in name:
        raise UnreadableAnnotationError(
            f'"{path}", line {number}: an "ID", an image\'s name without suffix, was expected.'
        )
    return name


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except RecursionError as error:
        raise InputError(f'"{path}", line {number}: this is nested too deeply to be an annotation.') from error
    except ValueError as error:  # of JSON, of its encoding, or of a number with too many digits
        raise InputError(f'"{path}", line {number}: this is no valid JSON ({str(error)[:80]}).') from error
    if not isinstance(found, dict):
        raise InputError(f'"{path}", line {number}: {{"ID": …, "gtboxes": […]}} was expected.')
    return found


def read_line(path: Path, number: int, offset: int, length: int) -> RawAnnotation:
    """The heads of line ``number``, which is ``length`` bytes from ``offset`` on.

    Raises:
        InputError: the line is no JSON, or a head in it is no box; the message names line and key.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            line = file.read(length)
    except OSError as error:
        raise InputError(f'"{path}" cannot be read ({error.strerror or error}).') from error
    return parse_line(path, number, line)


def parse_line(path: Path, number: int, line: bytes) -> RawAnnotation:
    """As ``read_line``, of a line that is there already."""
    persons = _object(path, number, line).get("gtboxes")
    if not isinstance(persons, list):
        raise InputError(f'"{path}", line {number}, gtboxes: a list was expected, got {_short(persons)}.')
    boxes: list[list[float]] = []
    where: list[str] = []
    ignored = 0
    for index, person in enumerate(persons):
        key = f"gtboxes[{index}]"
        if not isinstance(person, dict):
            raise InputError(f'"{path}", line {number}, {key}: an object was expected, got {_short(person)}.')
        if _is_ignored(path, number, key, person):
            ignored += 1
            continue
        x, y, width, height = _xywh(path, number, f"{key}.hbox", person.get("hbox"))
        boxes.append([x, y, x + width, y + height])
        where.append(f"line {number}, {key}")
    return RawAnnotation(
        boxes_xyxy=np.array(boxes, np.float64).reshape(-1, 4), where=tuple(where), ignored=ignored
    )  # fmt: skip


def _is_ignored(path: Path, number: int, key: str, person: dict[str, Any]) -> bool:
    if person.get("tag") != "person":
        return True
    for name in ("head_attr", "extra"):
        said = person.get(name, {})
        if not isinstance(said, dict):
            raise InputError(f'"{path}", line {number}, {key}.{name}: an object was expected, got {_short(said)}.')
        if said.get("ignore", 0) not in (0, "0"):
            return True
    return False


def _xywh(path: Path, number: int, key: str, value: object) -> list[float]:
    place = f'"{path}", line {number}, {key}'
    if not isinstance(value, list) or len(value) != 4:
        raise InputError(f"{place}: [x, y, width, height] was expected, got {_short(value)}.")
    numbers = []
    for cell in value:
        # An integer may be too large for a float, which is what comparing first spares us.
        if isinstance(cell, bool) or not isinstance(cell, int | float) or not -1e9 <= cell <= 1e9 or math.isnan(cell):
            raise InputError(f"{place}: four numbers of pixels were expected, got {_short(value)}.")
        numbers.append(float(cell))
    if numbers[2] < 0 or numbers[3] < 0:
        raise InputError(f"{place}: width and height must not be negative, got {_short(value)}.")
    return numbers


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
