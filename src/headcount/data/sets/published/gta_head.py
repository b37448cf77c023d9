"""GTA_Head: rendered crowds with head boxes, 35 scenes (24 train, 11 test) in MOTChallenge's layout (see ``mot``).

    train/SCENE/img1/000001.jpg · train/SCENE/gt/gt.txt · train/SCENE/seqinfo.ini · test/SCENE/…

Zhong et al., "Mask Focal Loss: A unifying framework for dense crowd counting with canonical object detection networks"
(2022). Its page (github.com/gkw0010/GTAV_Head-dataset) says that images and centres are GCC's, that each head has
"xmin, ymin, length and width", and that the set "follows the standard of MOTChallenge CVPR19"; nothing further is known
to us, so what that standard leaves open is assumed here:

- weather, day part and shooting angle stand in ``seqinfo.ini`` as further keys; they become the attributes ``weather``,
  ``day_part`` and ``angle``, any other key one of its own name in lower case;
- every box counts that ``considered`` and class do not exclude; visibility excludes none, as in CVPR19's evaluation.
"""

from __future__ import annotations

from pathlib import Path

from headcount.data.formats.mot import list_mot
from headcount.data.formats.raw import Listing

_ATTRIBUTES = {
    "daypart": "day_part", "time": "day_part", "timeofday": "day_part", "time_of_day": "day_part",
    "shootingangle": "angle", "shooting_angle": "angle", "view": "angle",
}  # fmt: skip


def list_gta_head(root: Path) -> Listing:
    """GTA_Head's images; ``root`` may be what holds ``GTA_Head``, that folder, or one of its splits.

    Raises:
        InputError: the layout is another, or a description of a scene is malformed.
    """
    return list_mot(root, "GTA_Head", visible_only=False, attribute_names=_ATTRIBUTES)
