"""WorldExpo'10: frames of 108 surveillance cameras, with a region of interest for each camera.

    train_frame/SCENE_….jpg              train_label/SCENE/SCENE_….mat, train_label/SCENE/roi.mat
    test_frame/SCENE/SCENE_….jpg         test_label/SCENE/SCENE_….mat, test_label/SCENE/roi.mat

Zhang et al., "Cross-scene Crowd Counting via Deep Convolutional Neural Networks", CVPR 2015. A frame's name begins with
the six digits of its camera, its scene: five of them are the test (``TEST_SCENES``), whose errors are averaged scene
by scene; every image has its scene in ``attributes["scene"]``. Copies differ in whether frames and labels lie in a
folder of their scene, so both are read. The layout is known from the code of those who train on the set, which all
agree on it.

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
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.pairs import files_by_name, natural, strays
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, no_annotation
from headcount.data.parse.mat import as_column, as_rows, read_members, row_names

TEST_SCENES = ("104207", "200608", "200702", "202201", "500717")
POINTS = "point_position"
CORNERS = ("maskVerticesXCoordinates", "maskVerticesYCoordinates")
ROI = "roi"
_SPLITS = ("train", "test")


def read_annotation(path: Path, *, scene: str, roi: Path | None) -> RawAnnotation:
    """The points of a frame and the region of interest of its scene, both 1-based as written, so x − 0.5.

    Raises:
        InputError: one of the files is missing, damaged, or not in the published form.
    """
    points = as_rows(read_members(path, [POINTS])[POINTS], 2, path, POINTS)
    return RawAnnotation(
        points_xy=points - 0.5,
        where=row_names(POINTS, len(points)),
        region_polygon_xy=None if roi is None else read_region(roi),
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


def scene_of(name: str) -> str:
    """The scene that a frame belongs to, by its name; empty where that does not begin with six digits.

    >>> scene_of("104207_1-04-S20100821071000000E20100821120000000_clip1_2")
    '104207'
    """
    digits = re.match(r"[0-9]{6}(?![0-9])", name)
    return digits.group() if digits else ""


def list_worldexpo10(root: Path) -> Listing:
    """The scenes of whichever of train and test is there.

    Raises:
        InputError: the layout is not the published one.
    """
    need_folder(root, "train_frame, train_label, test_frame and test_label")
    present = [split for split in _SPLITS if is_folder(root / f"{split}_frame")]
    if not present:
        raise wrong_folder(root, ["train_frame", "test_frame"], "give the folder that holds them")
    scenes: list[RawScene] = []
    remarks: list[Remark] = []
    for split in present:
        frames, labels = root / f"{split}_frame", root / f"{split}_label"
        if not is_folder(labels):
            raise wrong_folder(root, [labels.name], f"it holds the annotations of {frames.name}")
        images = _below(frames, ".jpg")
        truths = {name: path for name, path in _below(labels, ".mat").items() if path.stem != ROI}
        if not images:
            remarks.append(Remark("empty", frames, "no frame *.jpg is in this folder or its folders"))
        for folder in (frames, *filter(is_folder, frames.iterdir())):
            remarks += strays(folder, images.values(), "*.jpg")
        for name in [*images, *(name for name in truths if name not in images)]:
            scenes.append(_raw(name, split, images.get(name), truths.get(name), labels))
    return Listing(tuple(scenes), tuple(remarks))


def _raw(name: str, split: str, image: Path | None, truth: Path | None, labels: Path) -> RawScene:
    scene = scene_of(name)
    roi = labels / scene / f"{ROI}.mat" if scene else None
    if truth is None:
        read = no_annotation
    else:
        read = partial(read_annotation, truth, scene=scene, roi=roi if roi is not None and is_file(roi) else None)
    return RawScene(f"{split}/{name}", split, image, truth, read, group=scene)


def _below(folder: Path, suffix: str) -> dict[str, Path]:
    """The files of a folder and of the folders in it, by their names without suffix."""
    found: dict[str, Path] = {}
    for place in (folder, *sorted(filter(is_folder, folder.iterdir()))):
        found.update(files_by_name(place, [suffix]))
    return {name: found[name] for name in sorted(found, key=natural)}
