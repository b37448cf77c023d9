"""FDST (Fudan-ShanghaiTech): 100 videos of 13 scenes, 150 frames each, 1920×1080 or 1280×720.

    train_data/VIDEO/001.jpg, 001.json … 150.jpg, 150.json       test_data/VIDEO/…

Fang et al., "Locality-constrained Spatial Transformer Network for Video Crowd Counting", ICME 2019. A frame's JSON is
an export of the VGG Image Annotator (VIA): one object, under the name of the image and its size in bytes, with a list
`regions` of `shape_attributes`: a rectangle `x`, `y`, `width`, `height` around a head, in pixels from the image's
corner. 60 videos are for training and 40 for testing; frames of one video are never split. The layout is known from
the code of those who train on the set, which agree on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headcount.core.errors import InputError
from headcount.core.files import is_folder
from headcount.core.geometry import as_boxes
from headcount.data.formats.folders import folders_in, need_folder, wrong_folder
from headcount.data.formats.pairs import natural
from headcount.data.formats.raw import Listing, RawAnnotation, Remark
from headcount.data.formats.via import head_of_shape, region_shape, regions_of
from headcount.data.parse.json import read_json
from headcount.data.parse.values import quoted
from headcount.data.sets.layout import join, list_pairs, strays

_KIND = "VIA file (one object with regions)"
_SPLITS = {"train": "train_data", "test": "test_data"}


def list_fdst(root: Path) -> Listing:
    """The frames of whichever of train and test is there, video by video.

    Raises:
        InputError: the layout is not the published one.
    """
    need_folder(root, "train_data and test_data")
    present = {split: root / name for split, name in _SPLITS.items() if is_folder(root / name)}
    if not present:
        raise wrong_folder(root, list(_SPLITS.values()), "give the folder that holds them")
    return join(_list_split(folder, split) for split, folder in present.items())


def _list_split(folder: Path, split: str) -> Listing:
    videos = sorted(folders_in(folder), key=lambda video: natural(video.name))
    remarks = [] if videos else [Remark("empty", folder, "no folder of a video is in this folder")]
    remarks += strays(folder, (), "as a folder of a video, and lies beside them")
    return join([Listing((), tuple(remarks)), *(_list_video(video, split) for video in videos)])


def _list_video(video: Path, split: str) -> Listing:
    name = f"{split}/{video.name}"
    # By numbers alone: people keep resized copies (001_resize.jpg) beside the frames.
    return list_pairs(video, "#.jpg", video, "#.json", read_annotation, split=split, folder=name, group=name)


def read_annotation(path: Path) -> RawAnnotation:
    """The head boxes of one frame.

    Raises:
        InputError: the file cannot be read or is malformed; file and key are named.
    """
    data = read_json(path, _KIND)
    if len(data) != 1:
        raise InputError(f'"{path}": the annotation of one image was expected, but there are {len(data)}.')
    ((key, image),) = data.items()
    key = quoted(key)
    regions = regions_of(image, path, key)
    where = tuple(f"{key}.regions[{index}]" for index in range(len(regions)))
    boxes = [_box(region, path, place) for region, place in zip(regions, where, strict=True)]
    return RawAnnotation(boxes_xyxy=as_boxes(boxes), where=where)


def _box(region: Any, path: Path, where: str) -> tuple[float, float, float, float]:
    head = head_of_shape(region_shape(region, path, where), path, where, ["rect"])
    assert head.box_xyxy is not None, "a rectangle is a box"
    return head.box_xyxy
