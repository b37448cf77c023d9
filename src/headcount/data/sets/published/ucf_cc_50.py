"""UCF_CC_50: `N.jpg` with `N_ann.mat`, N from 1 to 50, in one folder. Gray photographs of very dense crowds.

Idrees et al., "Multi-source Multi-scale Counting in Extremely Dense Crowd Images", CVPR 2013. Points are
`annPoints`, (x, y) from 1: a point of image 1, which is 984 pixels wide, has x = 984.26, so x − 0.5 lies inside.

There is no official test. The note in the set says that its five folds were drawn at random and does not list them;
papers take ten images after the other, as here: fold k tests on images 10k − 9 to 10k, and trains on the others.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from headcount.data.formats.raw import Listing
from headcount.data.sets.layout import Layout, read_mat_points

read_annotation = partial(read_mat_points, key="annPoints")
"""A `.mat` file's points in headcount's pixels."""

_LAYOUT = Layout(
    images="#.jpg",
    annotations=("{#}_ann.mat",),
    splits={"": ("",)},
    homes=("UCF_CC_50", "UCFCrowdCountingDataset_CVPR13"),
)


def list_ucf_cc_50(root: Path) -> Listing:
    """All images, without an official split; ``root`` is the folder that holds them, or the one above.

    Raises:
        InputError: the layout is not the published one.
    """
    return _LAYOUT.find(root, read_annotation)
