"""Mall: 2,000 frames of one webcam in a shopping centre, 640×480, less than two a second.

    frames/seq_000001.jpg … seq_002000.jpg      mall_gt.mat (or ground_truth.mat), perspective_roi.mat

Chen et al., "Feature Mining for Localised Crowd Counting", BMVC 2012. Points are `frame{i}.loc`, (x, y) from 1, and
`count(i)` is their number. Frames 1 to 800 are for training, 801 to 2,000 for testing. The file holds 62,315 points,
papers state 62,325.

The region of interest in `perspective_roi.mat` is not set: the published counts are of the whole frame. In all 2,000
frames `count` is the number of all points, 4 of which lie outside the region, on passers-by at its border; what it
leaves out (10 % of the frame) are shop windows with mannequins and reflections, where nobody is annotated.
"""

from __future__ import annotations

from pathlib import Path

from headcount.core.errors import InputError
from headcount.core.files import is_file, is_folder
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.pairs import images_by_name
from headcount.data.formats.raw import Listing, Remark
from headcount.data.sets.layout import home_of, list_frames, strays

FRAMES_FOLDER = "frames"
TRUTH_FILES = ("mall_gt.mat", "ground_truth.mat")
FRAMES_OF_VIDEO = 2000
TRAINING_FRAMES = 800
_HOME = "mall_dataset"


def list_mall(root: Path) -> Listing:
    """The frames, 1 to 800 for training and 801 to 2,000 for testing; ``root`` may also be the folder above.

    Raises:
        InputError: the layout is not the published one.
    """
    need_folder(root, f"{FRAMES_FOLDER} and {TRUTH_FILES[0]}")
    folder = home_of(root, [_HOME])
    if not is_folder(folder / FRAMES_FOLDER):
        raise wrong_folder(folder, [FRAMES_FOLDER, _HOME], f"give the folder that holds {FRAMES_FOLDER}")
    truth = next((folder / name for name in TRUTH_FILES if is_file(folder / name)), None)
    names = [f"seq_{number:06d}" for number in range(1, FRAMES_OF_VIDEO + 1)]
    found = images_by_name(folder / FRAMES_FOLDER)
    images = {name: found[name] for name in names if name in found}
    if truth is None and not images:
        raise InputError(f'"{folder}" has neither frames seq_*.jpg nor {TRUTH_FILES[0]}: complete the copy.')
    remarks = strays(folder / FRAMES_FOLDER, images.values(), f"seq_000001.jpg to seq_{FRAMES_OF_VIDEO:06d}.jpg")
    if not images:
        remarks.append(Remark("empty", folder / FRAMES_FOLDER, "no frame seq_*.jpg is in this folder"))
    scenes = list_frames(names, images, truth, lambda number: "train" if number <= TRAINING_FRAMES else "test")
    return Listing(tuple(scenes), tuple(remarks))
