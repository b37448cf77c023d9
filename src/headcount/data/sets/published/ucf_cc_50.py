"""UCF_CC_50: `N.jpg` with `N_ann.mat`, N from 1 to 50, in one folder. Gray photographs of very dense crowds.

Idrees et al., "Multi-source Multi-scale Counting in Extremely Dense Crowd Images", CVPR 2013. Points are
`annPoints`, (x, y) from 1: a point of image 1, which is 984 pixels wide, has x = 984.26, so x − 0.5 lies inside.

There is no official test. The note in the set says that its five folds were drawn at random and does not list them;
papers take ten images after the other, as here: fold k tests on images 10k − 9 to 10k, and trains on the others.
"""

from __future__ import annotations

from pathlib import Path

from headcount.core.files import is_folder
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name, pair, strays
from headcount.data.formats.raw import Listing, RawAnnotation
from headcount.data.parse.mat import as_rows, read_members, row_names

POINTS = "annPoints"
ENDING = "_ann"
_FOLDERS = ("UCF_CC_50", "UCFCrowdCountingDataset_CVPR13")


def read_annotation(path: Path) -> RawAnnotation:
    """The points of a `.mat` file, 1-based as written, so x − 0.5.

    Raises:
        InputError: the file is missing, damaged, or not in the published form.
    """
    points = as_rows(read_members(path, [POINTS])[POINTS], 2, path, POINTS)
    return RawAnnotation(points_xy=points - 0.5, where=row_names(POINTS, len(points)))


def list_ucf_cc_50(root: Path) -> Listing:
    """All images, without an official split; ``root`` is the folder that holds them, or the one above.

    Raises:
        InputError: the layout is not the published one.
    """
    need_folder(root, "1.jpg and 1_ann.mat")
    folder = next((root / name for name in _FOLDERS if is_folder(root / name)), root)
    images = {name: path for name, path in files_by_name(folder, [".jpg"]).items() if name.isdecimal()}
    truths = files_by_name(folder, [".mat"], ending=ENDING)
    if not images and not truths:
        raise wrong_folder(folder, ["1.jpg", "1_ann.mat"], "give the folder that holds them")
    remarks = strays(folder, [*images.values(), *truths.values()], "N.jpg or N_ann.mat")
    return Listing(tuple(pair(images, truths, read_annotation)), tuple(remarks))
