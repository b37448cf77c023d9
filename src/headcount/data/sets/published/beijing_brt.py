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

from functools import partial
from pathlib import Path

from headcount.data.formats.raw import Listing
from headcount.data.sets.layout import Layout, read_mat_points

read_annotation = partial(read_mat_points, key="loc")
"""A `.mat` file's points in headcount's pixels."""

_DAY = len("1-20170419")
_LAYOUT = Layout(
    images="frame/*.jpg",
    annotations=("ground_truth/*.mat",),
    splits={"train": ("train",), "test": ("test",)},
    homes=("Beijing-BRT-dataset", "Beijing-BRT-dataset-master"),
)


def list_beijing_brt(root: Path) -> Listing:
    """The scenes of whichever of train and test is there; ``root`` is the folder that holds them, or the one above.

    Raises:
        InputError: the layout is not the published one.
    """
    return _LAYOUT.find(root, read_annotation, group=lambda name: name[:_DAY])
