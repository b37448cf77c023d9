"""ShanghaiTech, parts A and B: `part_X/{train,test}_data/images/IMG_n.jpg` with `GT_IMG_n.mat`.

Zhang et al., "Single-Image Crowd Counting via Multi-Column Convolutional Neural Network", CVPR 2016. Points are
1-based (x, y) in `image_info{1}.location`; a few lie outside the image.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from headcount.data.formats.raw import Listing
from headcount.data.sets.layout import Layout, read_mat_points

read_annotation = partial(read_mat_points, key="image_info.location")
"""A `.mat` file's points in headcount's pixels."""


def list_part(root: Path, part: str) -> Listing:
    """The scenes of part ``A`` or ``B``; ``root`` may be the set, the part or one of its splits.

    Raises:
        InputError: the layout is not the published one.
    """
    layout = Layout(
        images="images/IMG_*.jpg",
        annotations=("ground-truth/GT_{*}.mat", "ground_truth/GT_{*}.mat"),
        splits={"train": ("train_data",), "test": ("test_data",)},
        homes=(f"part_{part}", f"part_{part}_final"),
        part=f"part_{part}",
    )
    return layout.find(root, read_annotation)


list_part_a = partial(list_part, part="A")
list_part_b = partial(list_part, part="B")
