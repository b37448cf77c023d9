"""LabelMe's files: which shapes are heads, which are refused, and by file and key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.formats.finish import finish
from headcount.data.formats.labelme import list_labelme, read_annotation


def shape(**changed: Any) -> dict[str, Any]:
    plain = {"label": "head", "points": [[9, 20], [1, 2.5]], "group_id": None, "shape_type": "rectangle", "flags": {}}
    return {**plain, **changed}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("L", (64, 48)).save(tmp_path / "a.png")
    return tmp_path


def write(folder: Path, shapes: Any, **more: Any) -> Path:
    file = folder / "a.json"
    data = {"version": "5.5.0", "shapes": shapes, "imagePath": "a.png", "imageWidth": 64, "imageHeight": 48}
    file.write_text(json.dumps({**data, **more}))
    return file


def test_shapes_become_boxes_and_points(folder: Path) -> None:
    shapes = [
        shape(),
        shape(shape_type="polygon", points=[[10, 10], [20, 12], [15, 30]], flags={"pseudo": True}),
        shape(shape_type="circle", points=[[30, 30], [33, 34]]),
        shape(shape_type="point", points=[[40, 41]]),
        shape(label="ignore", shape_type="linestrip"),
    ]
    scene = finish(list_labelme(write(folder, shapes).parent).scenes[0])
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == [[1, 2.5, 9, 20], [10, 10, 20, 30], [25, 25, 35, 35]]
    assert scene.box_provenance == ("annotated", "pseudo", "annotated")
    assert scene.points_xy.tolist() == [[5, 11.25], [15, 20], [30, 30], [40, 41]]
    assert read_annotation(folder / "a.json").ignored == 1


def test_a_point_and_a_box_of_one_group_are_one_head(folder: Path) -> None:
    write(folder, [shape(group_id=1), shape(group_id=1, shape_type="point", points=[[2, 3]])])
    annotation = read_annotation(folder / "a.json")
    assert annotation.heads_xy.tolist() == [[2, 3]]
    assert annotation.boxes_xyxy is not None
    assert annotation.boxes_xyxy.tolist() == [[1, 2.5, 9, 20]]


def test_images_without_a_file_and_files_of_others_are_told(folder: Path) -> None:
    write(folder, [])
    Image.new("L", (4, 4)).save(folder / "b.png")
    (folder / "settings.json").write_text("{}")
    listing = list_labelme(folder)
    assert [(raw.name, raw.annotation is None) for raw in listing.scenes] == [("a", False), ("b.png", True)]
    assert [(remark.code, remark.path.name) for remark in listing.remarks] == [("stray-file", "settings.json")]


def test_a_folder_of_nothing_or_of_two_files_for_one_image_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.json file"):
        list_labelme(folder)
    write(folder, []).rename(folder / "b.json")
    write(folder, [])
    with pytest.raises(InputError, match="are of one image"):
        list_labelme(folder)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (3, ["shapes", "a list of shapes was expected"]),
        ([shape(label=3)], ["shapes[0].label", "the name of a class"]),
        ([shape(shape_type="rectangel")], ["shapes[0].shape_type", 'Did you mean "rectangle"']),
        ([shape(shape_type=[])], ["shapes[0].shape_type", "Known: rectangle"]),
        ([shape(shape_type="line")], ["shapes[0].shape_type", "'line'"]),
        ([shape(points=[[1, 2]])], ["shapes[0].points", "2 or 4 points"]),
        ([shape(), shape(points=[[1, 2], [3]])], ["shapes[1].points[1]", "[x, y]"]),
        ([shape(shape_type="point", points=[[-1, 2]])], ["shapes[0]", "outside"]),
    ],
)
def test_an_error_names_the_file_and_the_key(folder: Path, shapes: Any, words: list[str]) -> None:
    write(folder, shapes)
    with pytest.raises(InputError) as caught:
        finish(list_labelme(folder).scenes[0])
    for word in ["a.json", *words]:
        assert word in str(caught.value)


def test_what_is_to_be_ignored_is_no_other_class(folder: Path) -> None:
    write(folder, [shape(label="person"), shape(label="ignore")])
    assert [(len(raw.read().heads_xy), raw.read().ignored) for raw in list_labelme(folder).scenes] == [(1, 1)]


@pytest.mark.parametrize("text", ["", "[]"])
def test_a_broken_file_is_listed_and_refused_when_it_is_read(folder: Path, text: str) -> None:
    (folder / "a.json").write_text(text)
    (raw,) = list_labelme(folder).scenes
    with pytest.raises(InputError, match=r"a\.json"):
        finish(raw)


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("rectangle", [[1, 2], [9, 2], [9, 20], [1, 20]]),
        ("rotation", [[5, 2], [9, 11], [5, 20], [1, 11]]),
        ("quadrilateral", [[1, 2], [9, 3], [8, 20], [2, 19]]),
        ("mask", [[1, 2], [9, 20]]),
    ],
)
def test_shapes_of_x_anylabeling_count_by_their_boxes(folder: Path, kind: str, points: list[list[float]]) -> None:
    more = {"score": None, "difficult": False, "attributes": {}, "direction": 0.7}
    write(folder, [{**shape(shape_type=kind, points=points), **more}])
    found = read_annotation(folder / "a.json").boxes_xyxy
    assert found is not None
    assert found.tolist() == [[1, 2, 9, 20]]


def test_what_is_not_counted_is_told_by_label(folder: Path) -> None:
    write(folder, [shape(), shape(label="hat"), shape(label="ignore")])
    assert dict(read_annotation(folder / "a.json").ignored_as) == {"hat": 1, "ignore": 1}


def test_an_image_that_was_renamed_with_its_file_is_found(folder: Path) -> None:
    write(folder, [shape()]).rename(folder / "new.json")
    (folder / "a.png").rename(folder / "new.png")
    (raw,) = list_labelme(folder).scenes
    assert (raw.image, raw.found_by) == (folder / "new.png", "the name of the annotation")
