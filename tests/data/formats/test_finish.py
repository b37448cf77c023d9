"""Raw scenes become Scenes in one place: clamping, boxes, regions, and what is refused with its file and line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.finish import finish
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.raw import RawAnnotation, RawScene

SIZE_WH = (40, 30)


@pytest.fixture
def raw(tmp_path: Path) -> RawScene:
    Image.new("RGB", SIZE_WH).save(tmp_path / "a.png")
    (tmp_path / "a.txt").touch()
    return RawScene("train/a", "train", tmp_path / "a.png", tmp_path / "a.txt", RawAnnotation)


def _finished(raw: RawScene, **fields: object) -> Scene:
    return finish(replace(raw, read=lambda: RawAnnotation(**fields)))  # type: ignore[arg-type]


def test_nobody_is_annotated(raw: RawScene) -> None:
    scene = finish(raw, data="set")
    assert (scene.count, scene.boxes_xyxy, scene.region) == (0, None, None)
    assert (scene.name, scene.source) == ("set/train/a", "set")
    assert (finish(raw).name, finish(raw).source) == ("train/a", str(raw.image))
    empty = _finished(raw, boxes_xyxy=np.zeros((0, 4)))
    assert empty.boxes_xyxy is not None
    assert empty.boxes_xyxy.shape == (0, 4)


def test_points_outside_are_clamped_or_refused_with_their_line(raw: RawScene) -> None:
    points = np.array([[3.0, 4.0], [41.0, -2.0]])
    assert _finished(raw, points_xy=points).points_xy.tolist() == [[3, 4], [40, 0]]
    with pytest.raises(InputError, match=r'a\.txt", line 7: the point \(41, -2\) lies outside "train/a" \(40×30'):
        _finished(replace(raw, refuse_outside=True), points_xy=points, where=("line 6", "line 7"))


def test_centres_of_boxes_are_the_points_where_there_are_no_others(raw: RawScene) -> None:
    boxes = np.array([[0, 0, 4, 6], [35, 20, 45, 30], [50, 0, 60, 9], [5, 5, 5, 9], [9, 9, 7, 12.0]])
    scene = _finished(raw, boxes_xyxy=boxes)
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == [[0, 0, 4, 6], [35, 20, 40, 30]]
    assert scene.points_xy.tolist() == [[2, 3], [40, 25]]
    assert scene.box_provenance == ("annotated", "annotated")
    both = _finished(raw, boxes_xyxy=boxes, points_xy=np.ones((5, 2)), box_provenance="pseudo")
    assert (both.count, both.box_provenance) == (5, ("pseudo", "pseudo"))


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(*[st.floats(-100, 100)] * 4), max_size=8))
def test_whatever_is_written_the_scene_lies_within_its_image(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, float, float, float]]
) -> None:
    image = tmp_path_factory.getbasetemp() / "within.png"
    if not image.is_file():
        Image.new("RGB", SIZE_WH).save(image)
    boxes = np.array(rows, np.float64).reshape(-1, 4)
    scene = finish(RawScene("a", "", image, image, lambda: RawAnnotation(boxes_xyxy=boxes)))
    assert scene.boxes_xyxy is not None
    assert len(scene.boxes_xyxy) == scene.count <= len(rows)
    assert ((scene.points_xy >= 0) & (scene.points_xy <= SIZE_WH)).all()
    assert (scene.boxes_xyxy[:, 2:] > scene.boxes_xyxy[:, :2]).all()
    assert ((scene.boxes_xyxy >= 0) & (scene.boxes_xyxy <= SIZE_WH * 2)).all()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"points_xy": np.array([[1, 1], [np.nan, 2]]), "where": ("line 1", "line 2")}, "line 2: a point must be"),
        ({"points_xy": np.array([[np.inf, 2]])}, "head 1: a point must be finite"),
        ({"boxes_xyxy": np.array([[1, 1, np.nan, 2]]), "where": ("object 4",)}, "object 4: a box must be finite"),
        ({"region_mask": np.ones((40, 30), np.bool_)}, "30×40 pixels, but .* has 40×30"),
        ({"region_polygon_xy": np.ones((2, 2))}, "three corners"),
    ],
)
def test_what_cannot_be_is_refused_by_file_and_place(raw: RawScene, fields: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        _finished(raw, **fields)
    assert "a.txt" in str(caught.value)


def test_what_is_missing_is_named(raw: RawScene, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'image of the annotation ".*a\.txt" is missing'):
        finish(replace(raw, image=None))
    with pytest.raises(InputError, match=r'annotation of ".*a\.png" is missing'):
        finish(replace(raw, annotation=None))
    with pytest.raises(InputError, match=r'a\.txt", line 3: there is no image ".*b\.png"'):
        finish(replace(raw, image=tmp_path / "b.png", origin="line 3"))


def test_a_region_is_taken_as_it_is_or_drawn(raw: RawScene) -> None:
    mask = np.zeros((30, 40), np.bool_)
    mask[5:20, 10:30] = True
    corners = np.array([[10, 5], [30, 5], [30, 20], [10, 20.0]])
    for fields in ({"region_mask": mask}, {"region_polygon_xy": corners}, {"region_polygon_xy": corners[::-1]}):
        np.testing.assert_array_equal(_finished(raw, **fields).region, mask)


def test_a_wrong_layout_says_found_expected_and_nearest(tmp_path: Path) -> None:
    for name in ("Frames", "extra", ".hidden"):
        (tmp_path / name).mkdir()
    message = str(wrong_folder(tmp_path, ["frames/seq_000001.jpg", "mall_gt.mat"], "give the folder of the set"))
    assert message.endswith(
        'holds Frames, extra, but frames/seq_000001.jpg (or mall_gt.mat) was expected: '
        'give the folder of the set. Is it "Frames"?'
    )  # fmt: skip
    assert "holds nothing, but frames was expected." in str(wrong_folder(tmp_path / "extra", ["frames"]))
    (tmp_path / "a.zip").touch()
    with pytest.raises(InputError, match="is an archive: unpack it and give the folder that holds frames"):
        need_folder(tmp_path / "a.zip", "frames")
    (tmp_path / "a.txt").touch()
    with pytest.raises(InputError, match="is a file: give the folder that holds frames"):
        need_folder(tmp_path / "a.txt", "frames")
    with pytest.raises(InputError, match="There is no folder"):
        need_folder(tmp_path / "none", "frames")
