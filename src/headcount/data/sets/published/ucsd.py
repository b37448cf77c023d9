"""UCSD pedestrians: 2,000 gray frames of a walkway, 238×158, ten a second, in ten clips of 200.

    vidf/vidf1_33_000.y/vidf1_33_000_f001.png … vidf/vidf1_33_009.y/vidf1_33_009_f200.png
    vidf-cvpr/vidf1_33_000_frame_full.mat … vidf-cvpr/vidf1_33_roi_mainwalkway.mat

Chan et al., "Privacy Preserving Crowd Monitoring: Counting People without People Models or Tracking", CVPR 2008. The
two archives, `ucsdpeds.zip` and `vidf-cvpr.zip`, are unpacked side by side, so that `vidf` may lie in `ucsdpeds`.
Frames 601 to 1,400 (clips 3 to 6) are for training, the other 1,200 for testing.

Points are the first two columns, (x, y), of `frame{i}.loc`; the third is something else. They count pixels from 1: less
half a pixel, those within the region are as many as the set's own counts in 1,649 of the 2,000 frames, without it in
1,494, as others have measured. The published counts are those within the region `roi.mask`, the walkway; points outside
it are given as written: evaluation counts within the region.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.files import is_file, is_folder
from headcount.data.formats.folders import entries, need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name
from headcount.data.formats.raw import Listing
from headcount.data.parse.mat import read_members
from headcount.data.sets.layout import join, kept, list_frames, strays

CLIPS = 10
FRAMES_PER_CLIP = 200
TRAINING_CLIPS = range(3, 7)
TRUTHS = "vidf-cvpr"
REGION_FILE = "vidf1_33_roi_mainwalkway.mat"
REGION = "roi.mask"
_VIDEOS = ("vidf", "ucsdpeds/vidf", "")
_TRUTHS = (TRUTHS, f"{TRUTHS}/{TRUTHS}")


def list_ucsd(root: Path) -> Listing:
    """The frames of the ten clips; ``root`` is the folder in which both archives were unpacked.

    Raises:
        InputError: the layout is not the published one.
    """
    need_folder(root, f"vidf and {TRUTHS}")
    videos = next((root / name for name in _VIDEOS if _holds(root / name, "vidf1_33_*.y")), None)
    truths = next((root / name for name in _TRUTHS if _holds(root / name, "vidf1_33_*_frame_full.mat")), None)
    if truths is None or videos is None:
        missing = [f"{TRUTHS}/vidf1_33_000_frame_full.mat"] if truths is None else ["vidf/vidf1_33_000.y"]
        raise wrong_folder(root, missing, "unpack both archives of the set into it")
    return join(_list_clip(videos, truths, clip) for clip in range(CLIPS))


def _holds(folder: Path, pattern: str) -> bool:
    return any(path.match(pattern) for path in entries(folder))


def _list_clip(videos: Path, truths: Path, clip: int) -> Listing:
    name = f"vidf1_33_{clip:03d}"
    folder, truth = videos / f"{name}.y", truths / f"{name}_frame_full.mat"
    frames = [f"{name}_f{number:03d}" for number in range(1, FRAMES_PER_CLIP + 1)]
    found = files_by_name(folder, "*.png")
    images = {frame: found[frame] for frame in frames if frame in found}
    scenes = list_frames(
        frames,
        images,
        truth if is_file(truth) else None,
        lambda _: "train" if clip in TRAINING_CLIPS else "test",
        columns=3,
        region=partial(read_region, truths / REGION_FILE),
    )
    remarks = strays(folder, images.values(), f"{frames[0]}.png") if is_folder(folder) else []
    return Listing(tuple(scenes), tuple(remarks))


@kept
def read_region(path: Path) -> NDArray[np.bool_]:
    """(158, 238) bool, True on the walkway; read-only, since all frames share it.

    Raises:
        InputError: the file is missing, damaged, or not in the published form.
    """
    mask = read_members(path, [REGION])[REGION]
    if mask.ndim != 2 or mask.dtype.kind not in "iufb" or not np.isin(mask, (0, 1)).all() or not mask.any():
        raise InputError(f'"{path}", {REGION}: a matrix of 0 and 1 was expected, 1 inside the region of interest.')
    inside: NDArray[np.bool_] = mask.astype(np.bool_)
    inside.flags.writeable = False
    return inside
