"""CVAT's tracks: which frame has which heads, and which image or frame of a video it is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.audit.check import check_dataset
from headcount.data.formats.cvat import list_cvat
from headcount.data.formats.finish import finish
from headcount.data.sets.convert import convert_dataset

SIZE_WH = (64, 48)


def box(frame: int, x: float, more: str = "") -> str:
    return f'<box frame="{frame}" xtl="{x}" ytl="2" xbr="{x + 10}" ybr="22" {more}/>\n'


def track(*shapes: str, label: str = "head") -> str:
    return f'<track id="0" label="{label}">\n{"".join(shapes)}</track>\n'


def write(folder: Path, tracks: str, meta: str = "", images: str = "") -> Path:
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n'
    (folder / "annotations.xml").write_text(f"{head}{meta}{images}{tracks}</annotations>\n", encoding="utf-8")
    return folder


def frames(folder: Path, *numbers: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        Image.new("L", SIZE_WH, number).save(folder / f"frame_{number:06}.PNG")


def lefts(folder: Path) -> dict[str, list[float]]:
    found = {}
    for raw in list_cvat(folder).scenes:
        scene = finish(raw)
        boxes = np.zeros((0, 4)) if scene.boxes_xyxy is None else scene.boxes_xyxy
        found[raw.name] = boxes[:, 0].tolist()
    return found


def test_heads_are_between_two_shapes_until_one_is_outside(tmp_path: Path) -> None:
    frames(tmp_path / "images", 0, 2, 4, 6, 8)
    shapes = box(0, 0, 'keyframe="1"'), box(4, 8, 'keyframe="1"'), box(6, 8, 'outside="1" keyframe="1"')
    write(tmp_path, track(*shapes) + track(box(8, 20, 'keyframe="0"')))
    assert lefts(tmp_path) == {
        "frame_000000.PNG": [0], "frame_000002.PNG": [4], "frame_000004.PNG": [8], "frame_000006.PNG": [],
        "frame_000008.PNG": [20],
    }  # fmt: skip
    made = [finish(raw).box_provenance for raw in list_cvat(tmp_path).scenes]
    assert made == [("annotated",), ("interpolated",), ("annotated",), (), ("interpolated",)]


def test_a_track_without_an_end_stays_to_the_last_frame(tmp_path: Path) -> None:
    frames(tmp_path, 3, 5)
    write(tmp_path, track(box(3, 7)))
    assert lefts(tmp_path) == {"frame_000003.PNG": [7], "frame_000005.PNG": [7]}


def test_tracks_of_another_class_are_counted_as_ignored(tmp_path: Path) -> None:
    frames(tmp_path, 0, 1)
    write(tmp_path, track(box(0, 7)) + track(box(0, 7), box(1, 7, 'outside="1"'), label="hat"))
    assert [dict(raw.read().ignored_as) for raw in list_cvat(tmp_path).scenes] == [{"hat": 1}, {}]


def test_frames_may_be_of_images_that_the_file_names(tmp_path: Path) -> None:
    Image.new("L", SIZE_WH).save(tmp_path / "x9.png")
    Image.new("L", SIZE_WH).save(tmp_path / "x7.png")
    images = (
        '<image id="0" name="x9" width="64" height="48"/><image id="1" name="x7"><box label="head" xtl="1" ytl="1" '
    )
    images += 'xbr="9" ybr="9"/></image>\n'
    write(tmp_path, track(box(0, 3), box(1, 5)), images=images)
    assert lefts(tmp_path) == {"x9.png": [3], "x7.png": [5, 1]}


@pytest.mark.parametrize(
    "meta",
    [
        "<meta><task><start_frame>2</start_frame><stop_frame>6</stop_frame><frame_filter>step=2</frame_filter></task>"
        "<source>q.avi</source></meta>",
        "<meta><job><size>3</size><start_frame>2</start_frame><frame_filter>step=2</frame_filter></job></meta>",
    ],
)
def test_frames_may_be_a_videos(tmp_path: Path, meta: str) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "q.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, SIZE_WH)
    for _ in range(8):
        writer.write(np.zeros((*SIZE_WH[::-1], 3), np.uint8))
    writer.release()
    write(tmp_path, track(box(2, 1), box(4, 5, 'outside="1"')), meta=meta)
    assert lefts(tmp_path) == {"q.avi#2": [1], "q.avi#4": [], "q.avi#6": []}
    assert [finding.code for finding in check_dataset(f"cvat={tmp_path}") if finding.is_problem] == []


def test_what_is_tracked_is_converted(tmp_path: Path) -> None:
    frames(tmp_path / "images", 0, 1)
    write(tmp_path, track(box(0, 3), box(1, 5)))
    report = convert_dataset(f"cvat={tmp_path}", "coco", tmp_path / "c.json")
    assert (report.images, report.heads) == (2, 2)


@pytest.mark.parametrize(
    ("tracks", "words"),
    [
        ('<track id="0"/>', "line 3.*no label"),
        ('<track label="head"><box frame="x"/></track>', "line 3: frame must be a whole number"),
        ('<track label="head"><box/></track>', "frame must be a whole number"),
        ('<track label="head"><box frame="0" xtl="1"/></track>', "ytl must be a number"),
        ('<track label="head"><line frame="0"/></track>', "'line' is no shape"),
        (track(box(0, 1), box(100_000_000, 2)) + track(*[box(0, 1), box(99_000_000, 2)]), "over 5,000,000 heads"),
    ],
)
def test_an_error_names_the_file_and_the_line(tmp_path: Path, tracks: str, words: str) -> None:
    frames(tmp_path, 0)
    with pytest.raises(InputError, match=rf"annotations\.xml.*{words}"):
        list_cvat(write(tmp_path, tracks))


def test_too_many_frames_and_frames_of_two_tasks_are_refused(tmp_path: Path) -> None:
    (tmp_path / "q.avi").touch()
    with pytest.raises(InputError, match="states 9,000,001 frames"):
        list_cvat(write(tmp_path, track(box(0, 1)), meta="<meta><task><stop_frame>9000000</stop_frame></task></meta>"))
    images = '<image id="0" name="a.png" task_id="1"/><image id="0" name="b.png" task_id="2"/>'
    with pytest.raises(InputError, match="several images of one id"):
        list_cvat(write(tmp_path, track(box(0, 1)), images=images))
