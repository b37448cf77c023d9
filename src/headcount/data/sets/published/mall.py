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

from functools import partial
from pathlib import Path

from headcount.core.errors import InputError
from headcount.core.files import is_file, is_folder
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.pairs import images_by_name, strays
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, no_annotation
from headcount.data.parse.mat import row_names
from headcount.data.parse.mat_frames import FrameRows, frame_rows, place, rows_of

FRAMES_FOLDER = "frames"
TRUTH_FILES = ("mall_gt.mat", "ground_truth.mat")
FRAMES = 2000
TRAINING_FRAMES = 800
_FOLDER = "mall_dataset"


def read_annotation(frames: FrameRows, number: int, path: Path) -> RawAnnotation:
    """The points of frame ``number``, 1-based as written, so x − 0.5.

    Raises:
        InputError: the file is missing, damaged, not in the published form, or without this frame.
    """
    points = rows_of(frames, number, 2, path)
    return RawAnnotation(points_xy=points - 0.5, where=row_names(f"{place(number)}.loc", len(points)))


def list_mall(root: Path) -> Listing:
    """The frames, 1 to 800 for training and 801 to 2,000 for testing; ``root`` may also be the folder above.

    Raises:
        InputError: the layout is not the published one.
    """
    need_folder(root, f"{FRAMES_FOLDER} and {TRUTH_FILES[0]}")
    folder = root / _FOLDER if is_folder(root / _FOLDER) else root
    truth = next((folder / name for name in TRUTH_FILES if is_file(folder / name)), None)
    if not is_folder(folder / FRAMES_FOLDER):
        raise wrong_folder(folder, [FRAMES_FOLDER, _FOLDER], f"give the folder that holds {FRAMES_FOLDER}")
    names = {number: f"seq_{number:06d}" for number in range(1, FRAMES + 1)}
    found = images_by_name(folder / FRAMES_FOLDER)
    images = {number: found[name] for number, name in names.items() if name in found}
    remarks = strays(folder / FRAMES_FOLDER, images.values(), f"seq_000001.jpg to seq_{FRAMES:06d}.jpg")
    if not images:
        remarks.append(Remark("empty", folder / FRAMES_FOLDER, "no frame seq_*.jpg is in this folder"))
    if truth is None and not images:
        raise InputError(f'"{folder}" has neither frames seq_*.jpg nor {TRUTH_FILES[0]}: complete the copy.')
    frames = None if truth is None else frame_rows(truth)
    scenes = []
    for number, name in names.items():
        if number not in images and frames is None:
            continue
        split = "train" if number <= TRAINING_FRAMES else "test"
        read = no_annotation if frames is None or truth is None else partial(read_annotation, frames, number, truth)
        scenes.append(RawScene(f"{split}/{name}", split, images.get(number), truth, read, origin=place(number)))
    return Listing(tuple(scenes), tuple(remarks))
