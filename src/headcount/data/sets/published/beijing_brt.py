"""Beijing-BRT: `{train,test}/frame/NAME.jpg` with `{train,test}/ground_truth/NAME.mat`; a bus platform, 360×640.

Ding et al., "A Deeply-Recursive Convolutional Network For Crowd Counting", ICASSP 2018; the layout is documented in the
README of github.com/XMU-smartdsp/Beijing-BRT-dataset ("each row is the location [x, y]"), the points' variable, `loc`,
in the `densityMap.m` beside it. That rounds (x, y) up to rows and columns counted from 1 and moves what then is 0 to 1,
so they are places in MATLAB's pictures, taken as 1-based: x − 0.5; it may also mean places counted from 0, half a
pixel further.

Names are camera, date and time (`1-20170419091545`). The official test has frames of the same days as training, some
seconds apart, so it says little of another place. Validation is whole days out of training.
"""

from __future__ import annotations

from pathlib import Path

from headcount.core.files import is_folder
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name, pair, strays
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark
from headcount.data.parse.mat import as_rows, read_members, row_names

POINTS = "loc"
_SPLITS = ("train", "test")
_FOLDERS = ("Beijing-BRT-dataset", "Beijing-BRT-dataset-master")
_DAY = len("1-20170419")


def read_annotation(path: Path) -> RawAnnotation:
    """The points of a `.mat` file, 1-based as written, so x − 0.5.

    Raises:
        InputError: the file is missing, damaged, or not in the published form.
    """
    points = as_rows(read_members(path, [POINTS])[POINTS], 2, path, POINTS)
    return RawAnnotation(points_xy=points - 0.5, where=row_names(POINTS, len(points)))


def list_beijing_brt(root: Path) -> Listing:
    """The scenes of whichever of train and test is there; ``root`` is the folder that holds them, or the one above.

    Raises:
        InputError: the layout is not the published one.
    """
    need_folder(root, "train and test")
    base = next((root / name for name in _FOLDERS if is_folder(root / name)), root)
    scenes: list[RawScene] = []
    remarks: list[Remark] = []
    for split in _SPLITS:
        folder = base / split
        if not is_folder(folder):
            continue
        for name in ("frame", "ground_truth"):
            if not is_folder(folder / name):
                raise wrong_folder(folder, [name], "the published layout")
        images = files_by_name(folder / "frame", [".jpg"])
        if not images:
            remarks.append(Remark("empty", folder / "frame", "no image *.jpg is in this folder"))
        remarks += strays(folder / "frame", images.values(), "*.jpg")
        truths = files_by_name(folder / "ground_truth", [".mat"])
        scenes += pair(images, truths, read_annotation, split=split, group=lambda n: n[:_DAY])
    if not scenes and not remarks:
        raise wrong_folder(base, ["train/frame", "test/frame"], "give the folder that holds train and test")
    return Listing(tuple(scenes), tuple(remarks))
