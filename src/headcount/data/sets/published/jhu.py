"""JHU-CROWD++, and JHU-CROWD before it: `{train,val,test}/images/0001.jpg`, `gt/0001.txt`, `image_labels.txt`.

Sindagi et al., "JHU-CROWD++: Large-Scale Crowd Counting Dataset and A Benchmark Method", TPAMI 2020; the layout is
documented in the README that comes with the data (crowd-counting.com). The first version ("Pushing the Frontiers of
Unconstrained Crowd Counting", ICCV 2019) is read in the same layout: no other is documented.

    gt/0001.txt         x y w h o b    a line for each head: its centre, width and height, occlusion 1–3, blur 0 or 1
    image_labels.txt    0001,count,scene-type,weather,distractor    weather 0 none, 1 fog or haze, 2 rain, 3 snow

All are whole numbers. Whether they are places or pixels counted from 0 is not documented: they are taken as places, as
written, half a pixel off at most. Sizes are rough, and may be 0: such heads keep their point and lose their box when
read. The occlusion and blur of single heads have no place in a Scene; scene type, weather and distractor are kept as
attributes. Images with nobody have an empty file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from headcount.core.errors import InputError
from headcount.core.files import is_file
from headcount.core.geometry import as_boxes, as_points
from headcount.data.formats.raw import Listing, RawAnnotation
from headcount.data.parse.text import read_lines
from headcount.data.parse.values import number, quoted
from headcount.data.sets.layout import Layout, read_list

LABELS = "image_labels.txt"
WEATHER = {"0": "none", "1": "fog or haze", "2": "rain", "3": "snow"}
_COLUMNS = ("x", "y", "width", "height", "occlusion", "blur")
_LAYOUT = Layout(
    images="images/*.jpg",
    annotations=("gt/*.txt",),
    splits={split: (split,) for split in ("train", "val", "test")},
    homes=("jhu_crowd_v2.0", "jhu_crowd_v1.0"),
)


def list_jhu(root: Path) -> Listing:
    """The scenes of whichever of train, val and test is there; ``root`` holds them, or is the folder above.

    Raises:
        InputError: the layout is not the published one; an UnreadableAnnotationError for `image_labels.txt`.
    """
    return _LAYOUT.find(root, read_annotation, attributes=lambda folder: read_labels(folder / LABELS))


def read_annotation(path: Path, attributes: Mapping[str, str] | None = None) -> RawAnnotation:
    """The heads of a text file: the centre as the point, and the box around it.

    Raises:
        InputError: the file is missing or no text, or a line has not six numbers or a negative size.
    """
    heads, where = [], []
    for line, text in enumerate(read_lines(path, "annotation"), start=1):
        cells = text.split()
        if not cells:
            continue
        place = f"line {line}"
        if len(cells) != len(_COLUMNS):
            raise InputError(f'"{path}", {place}: "x y w h o b", six numbers, was expected, got {quoted(text)}.')
        head = [number(cell, name, path, place) for cell, name in zip(cells, _COLUMNS, strict=True)]
        if head[2] < 0 or head[3] < 0:
            raise InputError(f'"{path}", {place}: a head of {head[2]:g}×{head[3]:g} pixels cannot be.')
        heads.append(head[:4])
        where.append(place)
    points_xy, sizes_wh = np.split(np.asarray(heads, np.float64).reshape(-1, 4), 2, axis=1)
    return RawAnnotation(
        points_xy=as_points(points_xy),
        boxes_xyxy=as_boxes(np.hstack([points_xy - sizes_wh / 2, points_xy + sizes_wh / 2])),
        where=tuple(where),
        attributes=attributes or {},
    )


def read_labels(path: Path) -> dict[str, dict[str, str]]:
    """What `image_labels.txt` says of each image, by its name; nothing where there is none.

    Raises:
        UnreadableAnnotationError: the file is no text, or a line has not five parts or names an image again.
    """
    return read_list(path, "image,count,scene,weather,distractor", _label) if is_file(path) else {}


def _label(row: str) -> tuple[str, dict[str, str]] | None:
    cells = [cell.strip() for cell in row.split(",")]
    if len(cells) < 5 or not cells[0]:
        return None
    name, (weather, distractor) = cells[0], cells[-2:]
    return name, {
        "scene_type": ",".join(cells[2:-2]),
        "weather": WEATHER.get(weather, weather),
        "distractor": {"0": "no", "1": "yes"}.get(distractor, distractor),
    }
