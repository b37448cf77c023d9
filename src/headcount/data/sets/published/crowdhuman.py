"""CrowdHuman's heads: `annotation_{train,val}.odgt`, one JSON object a line, and `Images/ID.jpg`.

    {"ID": "273271,1a0d6000b9e1f5b7", "gtboxes": [{"tag": "person", "hbox": [x, y, w, h], "vbox": …, "fbox": …,
     "head_attr": {"ignore": 0, "occ": 0, "unsure": 0}, "extra": {"box_id": 0, "occ": 0}}, {"tag": "mask", …}]}

Shao et al., "CrowdHuman: A Benchmark for Detecting Human in a Crowd", 2018; documented at crowdhuman.org/download.html.
Its archives (train01 to train03, val, test) each unpack to ``Images/``; they may lie in one such folder, or below
folders named by the archive (``CrowdHuman_train01/Images``). Images without annotation, as those of the test are,
cannot be told apart in one folder: they are listed where the archive's name tells their split.

**Coordinates** are 0-based places of edges: x, y is the left upper corner, w, h are lengths. Heads may reach beyond
the image. A head does not count, and is among the ``ignored``, where ``tag`` is not ``person`` (a mask over a crowd, a
reflection), or its ``head_attr`` or ``extra`` says ``ignore``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from headcount.core.errors import InputError
from headcount.core.files import file_size, is_file, is_folder
from headcount.core.geometry import as_boxes
from headcount.data.formats.folders import folders_in, need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name
from headcount.data.formats.raw import (
    Listing,
    RawAnnotation,
    RawScene,
    Remark,
    UnreadableAnnotationError,
    no_annotation,
)
from headcount.data.parse.json import parse_json
from headcount.data.parse.text import decode
from headcount.data.parse.values import cut, numbers, quoted

_MAX_BYTES = 2**30
_SPLITS = ("train", "val")
_HEAD = 256  # an ID stands at the beginning of its line


def list_crowdhuman(root: Path) -> Listing:
    """The images of both annotation files, in their order, then those without annotation; ``root`` holds the files.

    A line is parsed when its image is read; only its ID is looked at here.

    Raises:
        InputError: the layout is another; an UnreadableAnnotationError where a line has no ID, or one occurs twice.
    """
    need_folder(root, "annotation_train.odgt and annotation_val.odgt")
    files = {split: root / f"annotation_{split}.odgt" for split in _SPLITS}
    present = {split: path for split, path in files.items() if is_file(path)}
    if not present:
        raise wrong_folder(root, [path.name for path in files.values()], "give the folder that holds them and Images")
    images = _images(root)
    scenes: list[RawScene] = []
    seen: dict[str, str] = {}
    for split, path in present.items():
        for number, offset, length, name in _lines(path):
            if name in seen:
                raise UnreadableAnnotationError(
                    f'"{path}", line {number}: the ID "{cut(name)}" stands in {seen[name]} already: give it once.'
                )
            seen[name] = f"{path.name}, line {number}"
            read = partial(read_line, path, number, offset, length)
            scenes.append(RawScene(f"{split}/{name}", split, images.get(name), path, read, origin=f"line {number}"))
    for name, image in images.items():
        split = _split_of_archive(image.relative_to(root).parts[0])
        if name not in seen and split in {*present, "test"}:
            scenes.append(RawScene(f"{split}/{name}", split, image, None, no_annotation))
    remarks = () if images else (Remark("empty", root / "Images", "no image is in this folder"),)
    return Listing(tuple(scenes), remarks)


def _images(root: Path) -> dict[str, Path]:
    """The images by their ID, of ``Images`` here and in the folders of the archives."""
    found: dict[str, Path] = {}
    for folder in folders_in(root):
        inside = folder / "Images" if is_folder(folder / "Images") else folder
        for name, path in files_by_name(inside, "*.jpg", "*.jpeg", "*.png").items():
            found.setdefault(name, path)
    return found


def _split_of_archive(name: str) -> str:
    """``train``, ``val`` or ``test`` where the name of an archive's folder ends so, perhaps with a number."""
    ending = re.search(r"(train|val|test)[0-9]*$", name, re.ASCII | re.IGNORECASE)
    return ending.group(1).lower() if ending else ""


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
        name: Any = start[8:end].decode("utf-8", "replace")
    else:
        try:
            name = _object(path, number, line).get("ID")
        except InputError as error:
            raise UnreadableAnnotationError(error.message) from error
    if not isinstance(name, str) or not name or set(name) & set("/\\\0\ufffd"):
        raise UnreadableAnnotationError(
            f'"{path}", line {number}: an "ID", an image\'s name without suffix, was expected.'
        )
    return name


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    found = parse_json(decode(line, path), path, "annotation", line=number)
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
        raise InputError(f'"{path}", line {number}, gtboxes: a list was expected, got {quoted(persons)}.')
    where = [f"line {number}, gtboxes[{index}]" for index in range(len(persons))]
    heads = {place: person for place, person in zip(where, persons, strict=True) if _counts(person, path, place)}
    boxes = as_boxes([_box(person.get("hbox"), path, f"{place}.hbox") for place, person in heads.items()])
    return RawAnnotation(boxes_xyxy=boxes, where=tuple(heads), ignored=len(persons) - len(heads))


def _counts(person: Any, path: Path, where: str) -> bool:
    if not isinstance(person, dict):
        raise InputError(f'"{path}", {where}: an object was expected, got {quoted(person)}.')
    if person.get("tag") != "person":
        return False
    for name in ("head_attr", "extra"):
        marks = person.get(name, {})
        if not isinstance(marks, dict):
            raise InputError(f'"{path}", {where}.{name}: an object was expected, got {quoted(marks)}.')
        if marks.get("ignore", 0) not in (0, "0"):
            return False
    return True


def _box(value: Any, path: Path, where: str) -> tuple[float, float, float, float]:
    x, y, width, height = numbers(value, "[x, y, width, height]", path, where)
    if width < 0 or height < 0:
        raise InputError(f'"{path}", {where}: width and height must not be negative, got {quoted(value)}.')
    return x, y, x + width, y + height
