"""Points on frames of one's own videos: what the CSV says, whose frames they are, and which mistakes are named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.image import RgbImage
from headcount.data.audit.check import check_dataset
from headcount.data.formats.raw import RawAnnotation, RawScene
from headcount.data.formats.video_points import list_video_points
from headcount.data.sets.convert import convert_dataset
from headcount.data.sets.registry import read_dataset
from headcount.data.sets.splits import own_videos

SIZE_WH, FRAMES, STEP = (96, 48), 40, 6


def write_video(path: Path, frames: int = FRAMES) -> None:
    """Gray frames, each lighter by ``STEP`` than the one before."""
    code = cv2.VideoWriter_fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), code, 10, SIZE_WH)
    for number in range(frames):
        writer.write(np.full((*SIZE_WH[::-1], 3), number * STEP, np.uint8))
    writer.release()


def said(image: RgbImage) -> int:
    """The number of a frame."""
    return round(float(image.mean()) / STEP)


TWO = """video,frame,x,y,time_s,colour
b.mp4,25,3.5,4.5,2.5,red
sub/a.avi,7,,,0.7,
b.mp4,3,96,48,,
b.mp4,25,0,0,2.5,
"""


def write(folder: Path, text: str = TWO, *, videos: bool = True) -> Path:
    if videos:
        (folder / "sub").mkdir(exist_ok=True)
        write_video(folder / "b.mp4")
        write_video(folder / "sub" / "a.avi")
    path = folder / "points.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_frames_and_their_points_are_read(tmp_path: Path) -> None:
    scenes = read_dataset(f"video={write(tmp_path)}", "trainval")
    assert [scene.name for scene in scenes] == ["b.mp4#3", "b.mp4#25", "sub/a.avi#7"]
    assert [said(scene.pixels()) for scene in scenes] == [3, 25, 7]
    assert [scene.points_xy.tolist() for scene in scenes] == [[[96.0, 48.0]], [[3.5, 4.5], [0.0, 0.0]], []]
    assert [dict(scene.attributes) for scene in scenes] == [{}, {"time_s": "2.5"}, {"time_s": "0.7"}]
    assert {scene.size_wh for scene in scenes} == {SIZE_WH}
    assert scenes[0].source == f"{tmp_path / 'b.mp4'}#3"


def test_without_a_column_it_is_the_video_of_the_same_name(tmp_path: Path) -> None:
    path = write(tmp_path, "frame,x,y\n2,1,1\n")
    write_video(tmp_path / "points.avi", 4)
    assert [said(scene.pixels()) for scene in read_dataset(f"video={path}", "train")] == [2]
    write_video(tmp_path / "points.mp4", 4)
    with pytest.raises(InputError, match=r"one video named points was expected beside it, but 2 are there.*add the"):
        list_video_points(path)


def test_a_file_without_rows_is_an_empty_set(tmp_path: Path) -> None:
    listing = list_video_points(write(tmp_path, "frame,x,y\n", videos=False))
    assert not listing.scenes
    assert [remark.code for remark in listing.remarks] == ["empty"]


def test_listing_opens_no_video(tmp_path: Path) -> None:
    listing = list_video_points(write(tmp_path, videos=False))
    assert len(listing.scenes) == 3
    with pytest.raises(InputError, match=r'points.csv", line 4: there is no image ".*b.mp4#3"'):
        read_dataset(f"video={tmp_path / 'points.csv'}", "trainval")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,x,y\na.jpg,1,2\n", "image files are annotated in a points file"),
        ("video,frame,x,y\n\nb.mp4,1.5,2,3\n", "line 3: frame must be a whole number from 0 to 100,000,000, got '1.5'"),
        ("video,frame,x,y\nb.mp4,-1,2,3\n", "line 2: frame must be a whole number"),
        ("video,frame,x,y\n,1,2,3\n", "line 2: the name of a video file was expected"),
        ("video,frame,x,y\nb.mp4,1,,3\n", "line 2: x must be a number, got ''"),
        ("video,frame,x,y\nb.mp4,1,2,3\nb.mp4,1,,\n", r"line 3: frame 1 has a row without x, y \(no heads\)"),
        ("video,frame,x,y\nb.mp4,1,,\nb.mp4,1,2,3\n", r"line 3: frame 1 has a row without x, y \(no heads\)"),
        ("video,frame,x,y,time_s\nb.mp4,1,2,3,1\nb.mp4,1,2,3,2\n", "line 3: frame 1 is at 2 s here, but at 1 s from"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        _ = [raw.read() for raw in list_video_points(write(tmp_path, text, videos=False)).scenes]
    assert "points.csv" in str(caught.value)


def test_points_outside_and_frames_beyond_the_end_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, f"video,frame,x,y\nb.mp4,{FRAMES},1,1\n")
    (scene,) = read_dataset(f"video={path}", "train")
    with pytest.raises(InputError, match=f'b.mp4" has {FRAMES} frames, numbered from 0, so there is no frame {FRAMES}'):
        scene.pixels()
    assert [finding.code for finding in check_dataset(f"video={path}")] == ["unreadable-image"]
    write(tmp_path, "video,frame,x,y\nb.mp4,1,97,1\n", videos=False)
    with pytest.raises(InputError, match=r'line 2: the point \(97, 1\) lies outside "b.mp4#1"'):
        read_dataset(f"video={path}", "train")
    assert "point-outside" in [finding.code for finding in check_dataset(f"video={path}")]


def test_validation_is_the_end_of_each_video() -> None:
    def raw(name: str, number: int) -> RawScene:
        return RawScene(f"{name}#{number}", "", Path("x.jpg"), None, RawAnnotation, group=name)

    scenes = [raw(name, number) for name in ("a", "b") for number in range(10)]
    rule = own_videos()
    assert [scene.name for scene in rule.apply(scenes, "val")] == ["a#8", "a#9", "b#8", "b#9"]
    assert len(rule.apply(scenes, "train")) == 16
    assert rule.apply(scenes, "test") == rule.apply(scenes, "trainval") == scenes
    assert rule.apply(scenes[:9], "val") == rule.apply([], "val") == []
    assert rule.apply(scenes[:9], "train") == scenes[:9]


def test_frames_are_no_files_to_convert(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'b\.mp4#3" is a frame of a video and no file: save the frame as an image'):
        convert_dataset(f"video={write(tmp_path)}", "coco", tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
