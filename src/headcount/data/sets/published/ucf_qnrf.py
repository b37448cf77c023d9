"""UCF-QNRF: `{Train,Test}/img_0001.jpg` with `img_0001_ann.mat`.

Idrees et al., "Composition Loss for Counting, Density Map Estimation and Localization in Dense Crowds", ECCV 2018;
the page of the set (www.crcv.ucf.edu/research/data-sets/ucf-qnrf) states the counts and the two folders.

Points are `annPoints`, (x, y), taken to be 1-based as in UCF_CC_50, by the same annotators in the same form; nothing
published says so. The images are large (2013 × 2902 on average), so half a pixel matters little.
"""

from __future__ import annotations

from pathlib import Path

from headcount.data.formats.raw import Listing
from headcount.data.sets.layout import Layout
from headcount.data.sets.published.ucf_cc_50 import read_annotation

_LAYOUT = Layout(
    images="img_*.jpg",
    annotations=("{*}_ann.mat",),
    splits={"train": ("Train", "train"), "test": ("Test", "test")},
    homes=("UCF-QNRF_ECCV18", "UCF-QNRF"),
)


def list_ucf_qnrf(root: Path) -> Listing:
    """The scenes of whichever of Train and Test is there; ``root`` is the folder that holds them, or the one above.

    Raises:
        InputError: the layout is not the published one.
    """
    return _LAYOUT.find(root, read_annotation)
