"""NWPU-Crowd: `images/0001.jpg` with `jsons/0001.json` (or `mats/0001.mat`), and `train.txt`, `val.txt`, `test.txt`.

Wang et al., "NWPU-Crowd: A Large-Scale Benchmark for Crowd Counting and Localization", TPAMI 2020; the layout is
documented in the `readme.md` that comes with the data and in github.com/gjy3035/NWPU-Crowd-Sample-Code.

    jsons/0001.json     {"img_id": …, "human_num": n, "points": [[x, y], …], "boxes": [[xmin, ymin, xmax, ymax], …]}
    mats/0001.mat       annPoints (n, 2), and annBoxes (n, 4) since May 2020
    train.txt           0001 LUMINANCE LEVEL, a line for each image; luminance 0–3, scene level 0–4

Images may also lie in `images_part1` … `images_part5` as they come out of the archives. Coordinates are taken as they
are written, as places: they come from a labelling tool in the browser, and the authors' own code rounds them up to
pixels counted from 1, in the `.mat` files too. Luminance and level are kept as attributes. Images without anybody
(351 in the whole set) are scenes with no points.

**The labels of the 1,500 test images are not published.** They are no scenes: `test` is refused with a sentence, and
what a model says of them is judged by crowdbenchmark.com only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from headcount.core.files import is_file, is_folder
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name, images_by_name, pair
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark
from headcount.data.parse.json import read_json
from headcount.data.parse.mat import as_rows, read_members, row_names
from headcount.data.sets.layout import json_rows, read_list

_LABELLED = ("train", "val")
_PARTS = ("images", *(f"images_part{part}" for part in range(1, 6)))
_POINTS, _BOXES = "annPoints", "annBoxes"


def list_nwpu_crowd(root: Path) -> Listing:
    """The labelled scenes, train and val; ``root`` is the folder that holds the lists.

    Raises:
        InputError: the layout is not the published one; an UnreadableAnnotationError for one of the lists.
    """
    need_folder(root, "images, jsons, train.txt and val.txt")
    lists = {split: root / f"{split}.txt" for split in _LABELLED if is_file(root / f"{split}.txt")}
    folders = [root / name for name in _PARTS if is_folder(root / name)]
    if not lists or not folders:
        expected = ["train.txt", "val.txt"] if not lists else ["images"]
        raise wrong_folder(root, expected, "give the folder that holds images, jsons, train.txt and val.txt")
    truths = {**files_by_name(root / "mats", "*.mat"), **files_by_name(root / "jsons", "*.json")}
    if not truths:
        raise wrong_folder(root, ["jsons/0001.json", "mats/0001.mat"], "the annotations of the images")
    images = {name: path for folder in folders for name, path in images_by_name(folder).items()}
    scenes: list[RawScene] = []
    for split, path in lists.items():
        levels = read_levels(path)
        # An image that is listed and neither here nor annotated is of a part of the copy that is not here.
        pictures, annotations = (
            {name: files.pop(name) for name in levels if name in files} for files in (images, truths)
        )
        scenes += pair(pictures, annotations, read_annotation, split=split, attributes=levels)
    return Listing(tuple(scenes), tuple(_unlisted(root, images, set(lists))))


def _unlisted(root: Path, images: Mapping[str, Path], lists: set[str]) -> list[Remark]:
    if lists != set(_LABELLED):  # a list is missing, and its images are as they should be
        return []
    test = read_levels(root / "test.txt") if is_file(root / "test.txt") else {}
    left = [path for name, path in images.items() if name not in test]
    if not left or not test:
        return []
    return [Remark("stray-file", left[0], f"{len(left):,} images stand in no list, this for one")]


def read_levels(path: Path) -> dict[str, dict[str, str]]:
    """The images of a list, and the luminance and level of each.

    Raises:
        UnreadableAnnotationError: the file is no text, or a line is not "id luminance level" or names an image again.
    """
    return read_list(path, '"id luminance level", whole numbers,', _levels)


def _levels(row: str) -> tuple[str, dict[str, str]] | None:
    cells = row.split()
    # Only ASCII digits: the id becomes the name of a file.
    if len(cells) not in (1, 3) or not all(cell.isascii() and cell.isdecimal() for cell in cells):
        return None
    return cells[0], dict(zip(("luminance", "level"), cells[1:], strict=False))


def read_annotation(path: Path, attributes: Mapping[str, str] | None = None) -> RawAnnotation:
    """The points and boxes of a `.json` or `.mat` file, as written.

    Raises:
        InputError: the file is missing, malformed, or not in the published form.
    """
    if path.suffix.lower() == ".mat":
        found = read_members(path, [_POINTS], optional=[_BOXES])
        points = as_rows(found[_POINTS], 2, path, _POINTS)
        boxes = as_rows(found[_BOXES], 4, path, _BOXES) if _BOXES in found else None
        where = row_names(_POINTS, len(points))
    else:
        data = read_json(path, "annotation")
        points, where = json_rows(data, "points", "[x, y]", path)
        boxes = json_rows(data, "boxes", "[xmin, ymin, xmax, ymax]", path)[0] if "boxes" in data else None
    return RawAnnotation(points_xy=points, boxes_xyxy=boxes, where=where, attributes=attributes or {})
