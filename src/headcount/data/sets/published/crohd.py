"""CroHD, the heads of Head Tracking 21: 9 videos in MOTChallenge's layout (see ``mot``), 4 of them with labels.

    HT21/train/HT21-01/img1/000001.jpg · HT21/train/HT21-01/gt/gt.txt · HT21/test/HT21-11/… without gt

Sundararaman et al., "Tracking Pedestrian Heads in Dense Crowd", CVPR 2021. Images and labels are two archives,
``HT21`` and ``HT21Labels``: the labels' folder may stay beside ``HT21`` or within it, or be merged. The annotations of
the test videos are the evaluation server's.

Of its classes (1 pedestrian, 2 static, 3 ignored, 4 person on vehicle) the first counts, where its visibility is not 0.
"""

from __future__ import annotations

from pathlib import Path

from headcount.data.formats.mot import list_mot
from headcount.data.formats.raw import Listing


def list_crohd(root: Path) -> Listing:
    """CroHD's frames; ``root`` may be what holds ``HT21``, that folder, or one of its splits.

    Raises:
        InputError: the layout is another.
    """
    return list_mot(root, "HT21", visible_only=True, labels="HT21Labels")
