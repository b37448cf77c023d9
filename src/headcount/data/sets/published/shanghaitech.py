"""ShanghaiTech, parts A and B: `part_X/{train,test}_data/images/IMG_n.jpg` with `GT_IMG_n.mat`.

Zhang et al., "Single-Image Crowd Counting via Multi-Column Convolutional Neural Network", CVPR 2016. Points are
1-based (x, y) in `image_info{1}.location`; a few lie outside the image.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.files import is_file
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, no_annotation
from headcount.data.parse.mat import as_rows, read_members

Part = Literal["A", "B"]
OFFICIAL: tuple[Literal["train", "test"], ...] = ("train", "test")
TRUTH_FOLDERS = ("ground-truth", "ground_truth")
LOCATION = "image_info.location"


def split_folder(root: Path, part: Part, official: Literal["train", "test"]) -> Path:
    """The folder of an official split; ``root`` may be the set, the part or the split folder itself.

    Raises:
        InputError: no such folder below ``root``; what was looked for is named.
    """
    need_folder(root, f"part_{part}")
    split = f"{official}_data"
    for candidate in (root / f"part_{part}" / split, root / f"part_{part}_final" / split):
        if candidate.is_dir():
            return candidate
    if root.name.startswith(f"part_{part}") and (root / split).is_dir():
        return root / split
    if root.name == split and root.parent.name.startswith(f"part_{part}"):
        return root
    raise wrong_folder(root, [f"part_{part}/{split}"], f"give the folder above part_{part}")


def image_files(folder: Path) -> dict[str, Path]:
    """The images of a split folder by name (``IMG_7``), in order of their number."""
    images = folder / "images"
    if not images.is_dir():
        raise InputError(f'"{folder}" has no "images" folder: the published layout was expected.')
    return {path.stem: path for path in sorted(images.glob("IMG_*.jpg"), key=_number)}


def truth_files(folder: Path) -> dict[str, Path]:
    """The annotation files of a split folder by the name of their image."""
    for name in TRUTH_FOLDERS:
        if (folder / name).is_dir():
            files = sorted((folder / name).glob("GT_IMG_*.mat"), key=_number)
            return {path.stem.removeprefix("GT_"): path for path in files}
    raise InputError(f'"{folder}" has no "{TRUTH_FOLDERS[0]}" (or "{TRUTH_FOLDERS[1]}") folder with the annotations.')


def _number(path: Path) -> int:
    digits = re.search(r"(\d+)$", path.stem)
    return int(digits.group(1)) if digits else -1


def read_raw_points(path: Path) -> NDArray[np.float64]:
    """The points of a `.mat` file as written: (n, 2), 1-based (x, y), outside ones and all.

    Raises:
        InputError: the file is missing, damaged, or not in the published form.
    """
    if not is_file(path):
        raise InputError(f'There is no annotation "{path}".')
    return as_rows(read_members(path, [LOCATION])[LOCATION], 2, path, LOCATION)


def read_annotation(path: Path) -> RawAnnotation:
    """A `.mat` file's points in headcount's pixels: 1-based as written, so x − 0.5."""
    return RawAnnotation(points_xy=read_raw_points(path) - 0.5)


def list_part_a(root: Path) -> Listing:
    """Part A: see ``list_part``."""
    return list_part(root, "A")


def list_part_b(root: Path) -> Listing:
    """Part B: see ``list_part``."""
    return list_part(root, "B")


def list_part(root: Path, part: Part) -> Listing:
    """The scenes of a part, of whichever official split is there; ``root`` as for ``split_folder``.

    Raises:
        InputError: the layout is not the published one.
    """
    need_folder(root, f"part_{part}")
    folders: dict[str, Path] = {}
    for official in OFFICIAL:
        with suppress(InputError):
            folders[official] = split_folder(root, part, official)
    if not folders:
        expected = [f"part_{part}/{official}_data" for official in OFFICIAL]
        raise wrong_folder(root, expected, f"give the folder above part_{part}")
    scenes: list[RawScene] = []
    remarks: list[Remark] = []
    for split, folder in folders.items():
        images, truths = image_files(folder), truth_files(folder)
        if not images:
            remarks.append(Remark("empty", folder / "images", "no image IMG_*.jpg is in this folder"))
        taken = set(images.values())
        for path in sorted((folder / "images").iterdir()):
            if path not in taken and not path.name.startswith("."):
                text = "this is not named IMG_*.jpg, in upper and lower case as here"
                remarks.append(Remark("stray-file", path, text))
        for name in [*images, *(name for name in truths if name not in images)]:
            truth = truths.get(name)
            read = no_annotation if truth is None else partial(read_annotation, truth)
            scenes.append(RawScene(f"{split}/{name}", split, images.get(name), truth, read))
    return Listing(tuple(scenes), tuple(remarks))
