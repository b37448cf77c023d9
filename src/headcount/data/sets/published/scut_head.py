"""SCUT-HEAD, parts A (classrooms) and B (web photographs): `SCUT_HEAD_Part_X/{Annotations,JPEGImages,ImageSets/Main}`.

Peng et al., "Detecting Heads using Feature Refine Net and Cascaded Multi-scale Architecture", ICPR 2018; the layout is
Pascal VOC's, documented with the data (github.com/HCIILAB/SCUT-HEAD-Dataset-Release). Every object is a head, though
its name is ``person``. ``<filename>`` is the annotators' own, so files are paired by the names they have. 62 files of
the whole set state another image size or none (0×0), and a few boxes have no width or height: both given as written.

**Corners** are places of edges, taken as they are written. LabelImg made the files (its tags, its paths), which stores
the place of the mouse between 0 and the image's width, and 0 as 1. Measured on 1,310 images of trainval: in part B 179
boxes have xmin = 1 and none has 0, 184 have xmax = width and none has more. Were it VOC's own counting (pixels from 1,
the last included), heads would lie half a pixel left of and above (xmin + xmax) / 2, (ymin + ymax) / 2; but the edges
in the images lie symmetric about a place right of and below it: by 0.4 and 0.1 px in part A, 0.25 and 0.5 px in part B
(mean gradient along the sides of 10,000 boxes).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from headcount.core.files import is_folder
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.raw import Listing
from headcount.data.formats.voc import ANNOTATIONS, list_voc_folder
from headcount.data.sets.layout import home_of


def list_part(root: Path, part: str) -> Listing:
    """The scenes of part ``A`` or ``B``, with the splits of its own lists.

    Raises:
        InputError: the layout is not the published one.
    """
    return list_voc_folder(part_folder(root, part), heads=None)


list_part_a = partial(list_part, part="A")
list_part_b = partial(list_part, part="B")


def part_folder(root: Path, part: str) -> Path:
    """The folder of a part; ``root`` may be the folder above it, the part itself, or what holds ``SCUT-HEAD``.

    Raises:
        InputError: it is not there, or the other part is given.
    """
    name, other = f"SCUT_HEAD_Part_{part}", f"SCUT_HEAD_Part_{'B' if part == 'A' else 'A'}"
    need_folder(root, name)
    folder = home_of(root, [name, f"SCUT-HEAD/{name}", f"SCUT_HEAD/{name}"])
    if folder == root and (not is_folder(root / ANNOTATIONS) or root.resolve().name == other):
        raise wrong_folder(root, [f"{name}/{ANNOTATIONS}"], f"give the folder above {name}")
    return folder
