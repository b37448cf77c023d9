"""ShanghaiTech, parts A and B: `part_X/{train,test}_data/images/IMG_n.jpg` with `GT_IMG_n.mat`.

Zhang et al., "Single-Image Crowd Counting via Multi-Column Convolutional Neural Network", CVPR 2016. Points are
1-based (x, y) in `image_info{1}.location`; a few lie outside the image.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.files import is_folder
from headcount.core.image import read_header
from headcount.core.scene import Scene
from headcount.data.catalogue import entry
from headcount.data.splits import Split, select, shipped_validation

Part = Literal["A", "B"]
TRUTH_FOLDERS = ("ground-truth", "ground_truth")


def split_folder(root: Path, part: Part, official: Literal["train", "test"]) -> Path:
    """The folder of an official split; ``root`` may be the set, the part or the split folder itself.

    Raises:
        InputError: no such folder below ``root``; what was looked for is named.
    """
    if not is_folder(root):
        raise InputError(f'There is no folder "{root}": give the one that holds part_{part}.')
    split = f"{official}_data"
    for candidate in (root / f"part_{part}" / split, root / f"part_{part}_final" / split):
        if candidate.is_dir():
            return candidate
    if root.name.startswith(f"part_{part}") and (root / split).is_dir():
        return root / split
    if root.name == split and root.parent.name.startswith(f"part_{part}"):
        return root
    found = ", ".join(sorted(child.name for child in root.iterdir())[:5]) or "nothing"
    raise InputError(
        f'"{root}" holds {found}, but part_{part}/{split} was expected: give the folder above part_{part}.'
    )


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
    from scipy.io import loadmat  # 0.1 s to import, and only the readers need it

    if not path.is_file():
        raise InputError(f'There is no annotation "{path}".')
    try:
        points = np.asarray(loadmat(path)["image_info"][0, 0]["location"][0, 0])
    except Exception as error:  # scipy raises a dozen kinds on a damaged file
        raise InputError(
            f'"{path}" is no ShanghaiTech annotation (image_info{{1}}.location was expected): {type(error).__name__}.'
        ) from error
    if points.size == 0:
        return np.zeros((0, 2))
    if points.ndim != 2 or points.shape[1] != 2 or not np.issubdtype(points.dtype, np.number):
        raise InputError(f'"{path}" holds points of shape {points.shape}, but (n, 2) numbers were expected.')
    return points.astype(np.float64)


def to_pixel_centres(points: NDArray[np.float64], size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """1-based points as headcount's: x − 0.5, then clamped into the image (heads just outside are kept).

    >>> to_pixel_centres(np.array([[1.0, 1.0], [400.0, -3.0]]), (320, 240)).tolist()
    [[0.5, 0.5], [320.0, 0.0]]
    """
    return np.clip(points - 0.5, 0.0, np.asarray(size_wh, dtype=np.float64))


def read_shanghaitech(root: Path, part: Part, split: Split) -> list[Scene]:
    """The scenes of a part: ``train`` and ``val`` by the shipped lists, ``trainval`` both, ``test`` the official one.

    Raises:
        InputError: the layout is not the published one, or an image lacks its annotation.
    """
    official: Literal["train", "test"] = "test" if split == "test" else "train"
    folder = split_folder(root, part, official)
    images, truths = image_files(folder), truth_files(folder)
    missing = images.keys() - truths.keys()
    if not images or missing:
        what = f'the annotation of "{min(missing)}" is missing' if missing else "there are no images"
        raise InputError(f'In "{folder}" {what}: run "headcount datasets check" for the whole list.')
    catalogue = entry(f"shanghaitech-{part.lower()}")
    names = list(images)
    if split != "test" and catalogue.split_lists is not None:
        names = select(names, shipped_validation(catalogue.split_lists), split)
    scenes = []
    for name in names:
        points = to_pixel_centres(read_raw_points(truths[name]), read_header(images[name]).size_wh)
        scenes.append(Scene(images[name], points, name=f"{catalogue.name}/{official}/{name}", source=catalogue.name))
    return scenes
