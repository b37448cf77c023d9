"""GCC, the crowds rendered in GTA V: `scene_XX_Y/pngs/NAME.png` with `jsons/NAME.json` (or `mats/NAME.mat`).

Wang et al., "Learning from Synthetic Data for Crowd Counting in the Wild", CVPR 2019. XX is one of 100 places, Y one of
its four cameras; `segs/` and `vis/` are not read. The layout is documented by the program that wrote it
(github.com/gjy3035/GCC-CL, GCC-Labeler), the lists by github.com/gjy3035/C-3-Framework (datasets/GCC).

    jsons/NAME.json     {"image_info": [[row, column], …], "weather": …, "timeInfo": [hour, minute], "roi": …}
    mats/NAME.mat       image_info.location (n, 2): row, column
    txt_list/*.txt      CROWD_LEVEL TIME WEATHER scene_XX_Y NAME COUNT, a line for each image

**Rows come first, and both count from 0**: the labeller writes the pixel whose mask it has looked up as
``mask[row, column]``, so that x = column + 0.5 and y = row + 0.5. How it rounds would also allow half a pixel more.
The ``roi`` is in the game's own coordinates, not in the image, and is left out.

**Three published splits.** `gcc` is by location (``cross_location_*_list.txt``): no place is in training and in test.
`gcc-camera` is by camera (the place is known, the view is new), `gcc-random` at random, where both are known: its
errors say nothing of new places. Without their lists all images are training data, and there is no test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from headcount.core.errors import InputError
from headcount.core.files import is_file, is_folder
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name, list_rows, natural
from headcount.data.formats.raw import (
    Listing,
    RawAnnotation,
    RawScene,
    Remark,
    UnreadableAnnotationError,
    no_annotation,
)
from headcount.data.parse.json import read_json
from headcount.data.parse.mat import as_rows, read_members, row_names
from headcount.data.parse.values import numbers, shorten

By = Literal["location", "camera", "random"]
LISTS: Mapping[By, str] = {
    "location": "cross_location_{}_list.txt",
    "camera": "cross_camera_{}_list.txt",
    "random": "{}_list.txt",
}
_SPLITS = ("train", "test")
_LOCATION = "image_info.location"
_FOLDERS = ("GCC", "performed_bak")
_SCENE = re.compile(r"scene_[0-9]+_[0-9]+")
_COLUMNS = ("crowd_level", "time_class", "weather_class")


def read_annotation(path: Path, attributes: Mapping[str, str] | None = None) -> RawAnnotation:
    """The heads of a `.json` or `.mat` file: pixels (row, column) counted from 0, as (x, y) of their centres.

    Raises:
        InputError: the file is missing, malformed, or not in the published form.
    """
    said = dict(attributes or {})
    if path.suffix.lower() == ".mat":
        pixels = as_rows(read_members(path, [_LOCATION])[_LOCATION], 2, path, _LOCATION)
        where = row_names(_LOCATION, len(pixels))
    else:
        data = read_json(path, "annotation")
        heads = data.get("image_info")
        if not isinstance(heads, list):
            raise InputError(f'"{path}", image_info: a list of [row, column] was expected, got {shorten(heads)}.')
        where = tuple(f"image_info[{index}]" for index in range(len(heads)))
        rows = [numbers(head, "[row, column]", path, place) for head, place in zip(heads, where, strict=True)]
        pixels = np.asarray(rows, np.float64).reshape(-1, 2)
        time = data.get("timeInfo")
        if isinstance(data.get("weather"), str):
            said["weather"] = data["weather"]
        if isinstance(time, list) and len(time) == 2 and all(type(part) is int for part in time):
            said["time"] = f"{time[0]:02}:{time[1]:02}"
    return RawAnnotation(points_xy=pixels[:, ::-1] + 0.5, where=where, attributes=said)


def read_list(path: Path) -> dict[str, dict[str, str]]:
    """The images of a list, as ``scene_XX_Y/NAME``, and what it says of each.

    Raises:
        UnreadableAnnotationError: the file is no text, or a line has another form or names an image again.
    """
    found: dict[str, dict[str, str]] = {}
    for line, row, cells in list_rows(path):
        scene = re.split(r"[/\\]", cells[3])[-1] if len(cells) == 6 else ""
        if not _SCENE.fullmatch(scene) or not all(cell.lstrip("-").isdecimal() for cell in (*cells[:3], cells[5])):
            form = '"level time weather scene_XX_Y name count"'
            raise UnreadableAnnotationError(f'"{path}", line {line}: {form} was expected, got {shorten(row)}.')
        name = f"{scene}/{cells[4].removesuffix('.png')}"
        if name in found:
            raise UnreadableAnnotationError(f'"{path}", line {line}: {shorten(name)} stands in the list already.')
        found[name] = dict(zip(_COLUMNS, cells, strict=False))
    return found


def list_by_location(root: Path) -> Listing:
    """Split by location: see ``list_gcc``."""
    return list_gcc(root, "location")


def list_by_camera(root: Path) -> Listing:
    """Split by camera: see ``list_gcc``."""
    return list_gcc(root, "camera")


def list_at_random(root: Path) -> Listing:
    """Split at random: see ``list_gcc``."""
    return list_gcc(root, "random")


def list_gcc(root: Path, by: By) -> Listing:
    """All images, training first, with the split of the published lists; one that is in no list has none.

    ``root`` holds the folders of the scenes, or is the folder above; the lists lie in `txt_list` of either.

    Raises:
        InputError: the layout is not the published one; an UnreadableAnnotationError for a list.
    """
    need_folder(root, "scene_00_0 and the others")
    base = next((root / name for name in _FOLDERS if is_folder(root / name)), root)
    folders = sorted((f for f in base.iterdir() if _SCENE.fullmatch(f.name) and is_folder(f)), key=lambda f: f.name)
    if not folders:
        raise wrong_folder(base, ["scene_00_0"], "give the folder that holds the scenes")
    lists = {}
    for split in _SPLITS:
        places = (folder / "txt_list" / LISTS[by].format(split) for folder in (root, base))
        path = next(filter(is_file, places), None)
        if path is not None:
            lists[split] = read_list(path)
    scenes: list[RawScene] = []
    remarks: list[Remark] = []
    for folder in folders:
        images = files_by_name(folder / "pngs", [".png"]) or files_by_name(folder / "jpgs", [".jpg"])
        if not images:
            remarks.append(Remark("empty", folder, "no image pngs/*.png is in this scene"))
        truths = {**files_by_name(folder / "mats", [".mat"]), **files_by_name(folder / "jsons", [".json"])}
        for name in sorted(images.keys() | truths.keys(), key=natural):
            scenes.append(_raw(folder.name, name, images.get(name), truths.get(name), lists))
    order = {"train": 0, "test": 1, "": 2}
    return Listing(tuple(sorted(scenes, key=lambda scene: order[scene.split])), tuple(remarks))


def _raw(
    folder: str, name: str, image: Path | None, truth: Path | None, lists: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> RawScene:
    full = f"{folder}/{name}"
    split = next((split for split, names in lists.items() if full in names), "") if lists else "train"
    said = lists[split][full] if lists and split else {}
    read = no_annotation if truth is None else partial(read_annotation, truth, said)
    place = folder.rpartition("_")[0]  # scene_XX: its four cameras see the same people
    return RawScene(full, split, image, truth, read, group=place)
