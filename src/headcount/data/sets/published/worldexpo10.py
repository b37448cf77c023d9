"""WorldExpo'10: frames of 108 surveillance cameras, with a region of interest for each camera.

    train_frame/SCENE_….jpg              train_label/SCENE/SCENE_….mat, train_label/SCENE/roi.mat
    test_frame/SCENE/SCENE_….jpg         test_label/SCENE/SCENE_….mat, test_label/SCENE/roi.mat

Zhang et al., "Cross-scene Crowd Counting via Deep Convolutional Neural Networks", CVPR 2015. A frame's name begins
with the six digits of its camera, its scene: five of them are the test (the catalogue's ``scenes``), whose errors are
averaged scene by scene; every image has its scene in ``attributes["scene"]``. Copies differ in whether frames and
labels lie in a folder of their scene, so both are read. The layout is known from the code of those who train on the
set, which all agree on it.

Points are `point_position`, (x, y); the region's corners are `maskVerticesXCoordinates` and `…YCoordinates`. Both come
out of MATLAB's pictures, so both count pixels from 1, and are moved by half a pixel; the set itself does not say.
Points outside the region are given as written: evaluation counts within the region.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.files import is_file, is_folder
from headcount.data.formats.folders import folders_in, need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name, natural, pair
from headcount.data.formats.raw import Listing, RawAnnotation, Remark
from headcount.data.parse.mat import as_column, read_members
from headcount.data.sets.layout import join, read_mat_points, strays

CORNERS = ("maskVerticesXCoordinates", "maskVerticesYCoordinates")
ROI = "roi"
_SPLITS = ("train", "test")


def list_worldexpo10(root: Path) -> Listing:
    """The scenes of whichever of train and test is there.

    Raises:
        InputError: the layout is not the published one.
    """
    need_folder(root, "train_frame, train_label, test_frame and test_label")
    present = [split for split in _SPLITS if is_folder(root / f"{split}_frame")]
    if not present:
        raise wrong_folder(root, ["train_frame", "test_frame"], "give the folder that holds them")
    return join(_list_split(root / f"{split}_frame", root / f"{split}_label", split) for split in present)


def _list_split(frames: Path, labels: Path, split: str) -> Listing:
    if not is_folder(labels):
        raise wrong_folder(labels.parent, [labels.name], f"it holds the annotations of {frames.name}")
    images, truths = _below(frames, "*.jpg"), _below(labels, "*.mat")
    truths = {name: path for name, path in truths.items() if name != ROI}
    remarks = [] if images else [Remark("empty", frames, "no frame *.jpg is in this folder or its folders")]
    for folder in (frames, *folders_in(frames)):
        remarks += strays(folder, images.values(), "*.jpg")
    read = partial(read_annotation, labels=labels)
    return Listing(tuple(pair(images, truths, read, split=split, group=scene_of)), tuple(remarks))


def _below(folder: Path, pattern: str) -> dict[str, Path]:
    """The files of a folder and of the folders in it, by their names without suffix."""
    found: dict[str, Path] = {}
    for place in (folder, *folders_in(folder)):
        found.update(files_by_name(place, pattern))
    return {name: found[name] for name in sorted(found, key=natural)}


def scene_of(name: str) -> str:
    """The scene that a frame belongs to, by its name; empty where that does not begin with six digits.

    >>> scene_of("104207_1-04-S20100821071000000E20100821120000000_clip1_2")
    '104207'
    """
    digits = re.match(r"[0-9]{6}(?![0-9])", name)
    return digits.group() if digits else ""


def read_annotation(path: Path, *, labels: Path) -> RawAnnotation:
    """The points of a frame and the region of interest of its scene, below ``labels``; both count pixels from 1.

    Raises:
        InputError: one of the files is missing, damaged, or not in the published form.
    """
    points, scene = read_mat_points(path, "point_position"), scene_of(path.stem)
    roi = labels / scene / f"{ROI}.mat"
    return RawAnnotation(
        points_xy=points.points_xy,
        where=points.where,
        region_polygon_xy=read_region(roi) if scene and is_file(roi) else None,
        attributes={"scene": scene} if scene else {},
    )


def read_region(path: Path) -> NDArray[np.float64]:
    """(k, 2) float64 corners of the region of interest.

    Raises:
        InputError: the file is missing, damaged, not in the published form, or has no three corners.
    """
    found = read_members(path, CORNERS)
    xs, ys = (as_column(found[key], path, key) for key in CORNERS)
    if len(xs) != len(ys) or len(xs) < 3 or not np.isfinite([xs, ys]).all():
        raise InputError(
            f'"{path}" gives {len(xs)} x and {len(ys)} y of corners: a region needs as many, three or more, all finite.'
        )
    return np.stack([xs, ys], axis=1) - 0.5
