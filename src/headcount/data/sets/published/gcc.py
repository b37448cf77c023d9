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
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from headcount.core.files import is_file
from headcount.data.formats.folders import folders_in, need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name, pair
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark
from headcount.data.parse.json import read_json
from headcount.data.parse.mat import as_rows, read_members, row_names
from headcount.data.sets.layout import home_of, json_rows, read_list

By = Literal["location", "camera", "random"]
LISTS: Mapping[By, str] = {
    "location": "cross_location_{}_list.txt",
    "camera": "cross_camera_{}_list.txt",
    "random": "{}_list.txt",
}
_SPLITS = ("train", "test")
_LOCATION = "image_info.location"
_HOMES = ("GCC", "performed_bak")
_SCENE = re.compile(r"scene_[0-9]+_[0-9]+")
_COLUMNS = ("crowd_level", "time_class", "weather_class")


def list_gcc(root: Path, by: By) -> Listing:
    """All images, training first, with the split of the published lists; one that is in no list has none.

    ``root`` holds the folders of the scenes, or is the folder above; the lists lie in `txt_list` of either.

    Raises:
        InputError: the layout is not the published one; an UnreadableAnnotationError for a list.
    """
    need_folder(root, "scene_00_0 and the others")
    base = home_of(root, _HOMES)
    folders = [folder for folder in folders_in(base) if _SCENE.fullmatch(folder.name)]
    if not folders:
        raise wrong_folder(base, ["scene_00_0"], "give the folder that holds the scenes")
    classes: dict[str, dict[str, str]] = {}
    split_of: dict[str, str] = {}
    for split in _SPLITS:
        places = (folder / "txt_list" / LISTS[by].format(split) for folder in (root, base))
        if (path := next(filter(is_file, places), None)) is not None:
            listed = read_classes(path)
            classes |= listed
            split_of |= dict.fromkeys(listed, split)
    scenes: list[RawScene] = []
    remarks: list[Remark] = []
    for folder in folders:
        images = files_by_name(folder / "pngs", "*.png") or files_by_name(folder / "jpgs", "*.jpg")
        if not images:
            remarks.append(Remark("empty", folder, "no image pngs/*.png is in this scene"))
        truths = {**files_by_name(folder / "mats", "*.mat"), **files_by_name(folder / "jsons", "*.json")}
        known = {name: classes.get(f"{folder.name}/{name}", {}) for name in {*images, *truths}}
        place = folder.name.rpartition("_")[0]  # scene_XX: its four cameras see the same people
        scenes += pair(images, truths, read_annotation, folder=folder.name, group=place, attributes=known)
    scenes = [replace(scene, split=split_of.get(scene.name, "") if split_of else "train") for scene in scenes]
    return Listing(tuple(sorted(scenes, key=lambda scene: (*_SPLITS, "").index(scene.split))), tuple(remarks))


list_by_location = partial(list_gcc, by="location")
list_by_camera = partial(list_gcc, by="camera")
list_at_random = partial(list_gcc, by="random")


def read_classes(path: Path) -> dict[str, dict[str, str]]:
    """The images of a list, as ``scene_XX_Y/NAME``, and the classes of crowd, time and weather of each.

    Raises:
        UnreadableAnnotationError: the file is no text, or a line has another form or names an image again.
    """
    return read_list(path, '"level time weather scene_XX_Y name count"', _classes)


def _classes(row: str) -> tuple[str, dict[str, str]] | None:
    cells = row.split()
    scene = re.split(r"[/\\]", cells[3])[-1] if len(cells) == 6 else ""
    if not _SCENE.fullmatch(scene) or not all(cell.lstrip("-").isdecimal() for cell in (*cells[:3], cells[5])):
        return None
    return f"{scene}/{cells[4].removesuffix('.png')}", dict(zip(_COLUMNS, cells, strict=False))


def read_annotation(path: Path, attributes: Mapping[str, str] | None = None) -> RawAnnotation:
    """The heads of a `.json` or `.mat` file: pixels (row, column) counted from 0, as (x, y) of their centres.

    Raises:
        InputError: the file is missing, malformed, or not in the published form.
    """
    known = dict(attributes or {})
    if path.suffix.lower() == ".mat":
        pixels = as_rows(read_members(path, [_LOCATION])[_LOCATION], 2, path, _LOCATION)
        where = row_names(_LOCATION, len(pixels))
    else:
        data = read_json(path, "annotation")
        pixels, where = json_rows(data, "image_info", "[row, column]", path)
        time = data.get("timeInfo")
        if isinstance(data.get("weather"), str):
            known["weather"] = data["weather"]
        if isinstance(time, list) and len(time) == 2 and all(type(part) is int for part in time):
            known["time"] = f"{time[0]:02}:{time[1]:02}"
    return RawAnnotation(points_xy=pixels[:, ::-1] + 0.5, where=where, attributes=known)
