"""UCF-QNRF: `{Train,Test}/img_0001.jpg` with `img_0001_ann.mat`.

Idrees et al., "Composition Loss for Counting, Density Map Estimation and Localization in Dense Crowds", ECCV 2018;
the page of the set (www.crcv.ucf.edu/research/data-sets/ucf-qnrf) states the counts and the two folders.

Points are `annPoints`, (x, y), taken to be 1-based as in UCF_CC_50, by the same annotators in the same form; nothing
published says so. The images are large (2013 × 2902 on average), so half a pixel matters little.
"""

from __future__ import annotations

from pathlib import Path

from headcount.core.files import is_folder
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name, pair, strays
from headcount.data.formats.raw import Listing, RawScene, Remark
from headcount.data.sets.published.ucf_cc_50 import ENDING, read_annotation

_FOLDERS = ("UCF-QNRF_ECCV18", "UCF-QNRF")
_SPLITS = {"train": ("Train", "train"), "test": ("Test", "test")}


def list_ucf_qnrf(root: Path) -> Listing:
    """The scenes of whichever of Train and Test is there; ``root`` is the folder that holds them, or the one above.

    Raises:
        InputError: the layout is not the published one.
    """
    need_folder(root, "Train and Test")
    base = next((root / name for name in _FOLDERS if is_folder(root / name)), root)
    scenes: list[RawScene] = []
    remarks: list[Remark] = []
    for split, names in _SPLITS.items():
        folder = next((base / name for name in names if is_folder(base / name)), None)
        if folder is None:
            continue
        images = {name: path for name, path in files_by_name(folder, [".jpg"]).items() if name.startswith("img_")}
        truths = files_by_name(folder, [".mat"], ending=ENDING)
        if not images:
            remarks.append(Remark("empty", folder, "no image img_*.jpg is in this folder"))
        remarks += strays(folder, [*images.values(), *truths.values()], "img_N.jpg or img_N_ann.mat")
        scenes += pair(images, truths, read_annotation, split=split)
    if not scenes and not remarks:
        raise wrong_folder(base, ["Train", "Test"], "give the folder that holds them")
    return Listing(tuple(scenes), tuple(remarks))
