"""JHU-CROWD++, and JHU-CROWD before it: `{train,val,test}/images/0001.jpg`, `gt/0001.txt`, `image_labels.txt`.

Sindagi et al., "JHU-CROWD++: Large-Scale Crowd Counting Dataset and A Benchmark Method", TPAMI 2020; the layout is
documented in the README that comes with the data (crowd-counting.com). The first version ("Pushing the Frontiers of
Unconstrained Crowd Counting", ICCV 2019) is read in the same layout: no other is documented.

    gt/0001.txt         x y w h o b    a line for each head: its centre, width and height, occlusion 1–3, blur 0 or 1
    image_labels.txt    0001,count,scene-type,weather,distractor    weather 0 none, 1 fog or haze, 2 rain, 3 snow

All are whole numbers. Whether they are places or pixels counted from 0 is not documented: they are taken as places, as
written, half a pixel off at most. Sizes are rough, and may be 0: such heads keep their point and lose their box when
read. The occlusion and blur of single heads have no place in a Scene; scene type, weather and distractor are kept as
attributes. Images with nobody have an empty file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from headcount.core.errors import InputError
from headcount.core.files import is_file, is_folder
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name, pair, strays
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, UnreadableAnnotationError
from headcount.data.parse.text import read_text
from headcount.data.parse.values import number, shorten

LABELS = "image_labels.txt"
WEATHER = {"0": "none", "1": "fog or haze", "2": "rain", "3": "snow"}
_SPLITS = ("train", "val", "test")
_COLUMNS = ("x", "y", "width", "height", "occlusion", "blur")
_FOLDERS = ("jhu_crowd_v2.0", "jhu_crowd_v1.0")


def read_annotation(path: Path, attributes: Mapping[str, str] | None = None) -> RawAnnotation:
    """The heads of a text file: the centre as the point, and the box around it.

    Raises:
        InputError: the file is missing or no text, or a line has not six numbers or a negative size.
    """
    points, boxes, where = [], [], []
    for line, text in enumerate(read_text(path, "annotation").splitlines(), start=1):
        cells = text.split()
        if not cells:
            continue
        place = f"line {line}"
        if len(cells) != len(_COLUMNS):
            raise InputError(f'"{path}", {place}: "x y w h o b", six numbers, was expected, got {shorten(text)}.')
        x, y, w, h = (number(c, name, path, place) for c, name in zip(cells[:4], _COLUMNS, strict=False))
        for cell, name in zip(cells[4:], _COLUMNS[4:], strict=True):
            number(cell, name, path, place)
        if w < 0 or h < 0:
            raise InputError(f'"{path}", {place}: a head of {w:g}×{h:g} pixels cannot be.')
        points.append((x, y))
        boxes.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
        where.append(place)
    return RawAnnotation(
        points_xy=np.asarray(points, np.float64).reshape(-1, 2),
        boxes_xyxy=np.asarray(boxes, np.float64).reshape(-1, 4),
        where=tuple(where),
        attributes=attributes or {},
    )


def read_labels(path: Path) -> dict[str, dict[str, str]]:
    """What `image_labels.txt` says of each image, by its name.

    Raises:
        UnreadableAnnotationError: the file is no text, or a line has not five parts or names an image again.
    """
    found: dict[str, dict[str, str]] = {}
    try:
        text = read_text(path, "list of labels")
    except InputError as error:
        raise UnreadableAnnotationError(str(error)) from error
    for line, row in enumerate(text.splitlines(), start=1):
        if not row.strip():
            continue
        cells = [cell.strip() for cell in row.split(",")]
        if len(cells) < 5 or not cells[0]:
            form = "image,count,scene,weather,distractor"
            raise UnreadableAnnotationError(f'"{path}", line {line}: {form} was expected, got {shorten(row)}.')
        name, (weather, distractor) = cells[0], cells[-2:]
        if name in found:
            raise UnreadableAnnotationError(f'"{path}", line {line}: {shorten(name)} has a line already.')
        found[name] = {
            "scene_type": ",".join(cells[2:-2]),
            "weather": WEATHER.get(weather, weather),
            "distractor": {"0": "no", "1": "yes"}.get(distractor, distractor),
        }
    return found


def list_jhu(root: Path) -> Listing:
    """The scenes of whichever of train, val and test is there; ``root`` holds them, or is the folder above.

    Raises:
        InputError: the layout is not the published one; an UnreadableAnnotationError for `image_labels.txt`.
    """
    need_folder(root, "train, val and test")
    base = next((root / name for name in _FOLDERS if is_folder(root / name)), root)
    present = [split for split in _SPLITS if is_folder(base / split)]
    if not present:
        raise wrong_folder(base, list(_SPLITS), "give the folder that holds them")
    scenes: list[RawScene] = []
    remarks: list[Remark] = []
    for split in present:
        folder = base / split
        for name in ("images", "gt"):
            if not is_folder(folder / name):
                raise wrong_folder(folder, [name], "the published layout")
        images = files_by_name(folder / "images", [".jpg"])
        if not images:
            remarks.append(Remark("empty", folder / "images", "no image *.jpg is in this folder"))
        remarks += strays(folder / "images", images.values(), "*.jpg")
        labels = read_labels(folder / LABELS) if is_file(folder / LABELS) else {}
        truths = files_by_name(folder / "gt", [".txt"])
        scenes += pair(images, truths, read_annotation, split=split, attributes=labels)
    return Listing(tuple(scenes), tuple(remarks))
