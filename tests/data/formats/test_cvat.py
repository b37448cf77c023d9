"""CVAT's XML for images: which shapes are heads, and what is refused by file and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.formats.cvat import list_cvat
from headcount.data.formats.finish import finish

BOX = '<box label="head" source="manual" occluded="0" xtl="1" ytl="2" xbr="11" ybr="22"/>'


def xml(shapes: str = BOX, *, image: str = 'id="0" name="a.png" width="64" height="48"', meta: str = "") -> str:
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n'
    return f"{head}{meta}<image {image}>\n{shapes}\n</image>\n</annotations>\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("L", (64, 48)).save(tmp_path / "a.png")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    (folder / "annotations.xml").write_text(text, encoding="utf-8")
    return folder / "annotations.xml"


def test_shapes_become_boxes_and_points(folder: Path) -> None:
    shapes = (
        BOX
        + '<box label="head" source="auto" xtl="20" ytl="10" xbr="40" ybr="20" rotation="90"/>'
        + '<polygon label="head" points="1,1;5,2;3,9"/><ellipse label="head" cx="30" cy="30" rx="4" ry="3"/>'
        + '<points label="head" points="50,40;51.5,41"/><box label="hat" xtl="0" ytl="0" xbr="1" ybr="1"/>'
        + '<tag label="image"><attribute name="weather">rain</attribute></tag>'
    )
    meta = (
        "<meta><task><labels><label><name>head</name></label><label><name>hat</name></label></labels></task></meta>\n"
    )
    (raw,) = list_cvat(write(folder, xml(shapes, meta=meta))).scenes
    annotation, scene = raw.read(), finish(raw)
    assert scene.boxes_xyxy is not None
    expected = [[1, 2, 11, 22], [25, 5, 35, 25], [1, 1, 5, 9], [26, 27, 34, 33]]
    assert np.allclose(scene.boxes_xyxy, expected)
    assert scene.points_xy[-2:].tolist() == [[50, 40], [51.5, 41]]
    assert scene.box_provenance == ("annotated", "pseudo", "annotated", "annotated")
    assert (annotation.ignored, annotation.stated_size_wh, annotation.where[0]) == (1, (64, 48), "line 5")
    assert dict(scene.attributes) == {"weather": "rain"}


def test_a_point_and_a_box_of_one_group_are_one_head(folder: Path) -> None:
    shapes = BOX.replace("<box", '<box group_id="3"') + '<points label="head" group_id="3" points="2,3"/>'
    (raw,) = list_cvat(write(folder, xml(shapes)).parent).scenes
    assert finish(raw).points_xy.tolist() == [[2, 3]]


def test_images_are_found_where_cvat_exports_them(folder: Path) -> None:
    for subset in ("train", "Validation"):
        (folder / "images" / subset).mkdir(parents=True)
        Image.new("L", (64, 48)).save(folder / "images" / subset / "b.png")
    image = '<image id="{}" name="b.png" subset="{}" width="64" height="48"/>'
    write(folder, f"<annotations>{image.format(1, 'train')}{image.format(2, 'Validation')}</annotations>")
    listing = list_cvat(folder)
    assert [(raw.name, raw.split, finish(raw).count) for raw in listing.scenes] == [
        ("train/b.png", "train", 0), ("val/b.png", "val", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("tasks", [('task_id="3"', 'task_id="4"'), ("", ""), ('subset="train"', 'subset="train"')])
def test_frames_are_numbered_anew_in_each_task_of_a_project(folder: Path, tasks: tuple[str, str]) -> None:
    Image.new("L", (64, 48)).save(folder / "b.png")
    image = '<image id="0" name="{}.png" {} width="64" height="48"/>'
    write(folder, f"<annotations>{image.format('a', tasks[0])}{image.format('b', tasks[1])}</annotations>")
    assert [raw.name for raw in list_cvat(folder).scenes] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotation/>", ["line 1", "<annotations> was expected"]),
        ('<annotations>\n<track id="0"/></annotations>', ["put the video", "CVAT for images 1.1"]),
        ("<annotations>\n<meta><source>q.mp4</source></meta><track label='head'/></annotations>", ['video "q.mp4"']),
        (xml(image='id="0"'), ["line 3", "name of an image file"]),
        (xml().replace("</image>", '</image><image id="1" name="./a.png"/>'), ["line 5", "line 3 already"]),
        (xml(BOX.replace('"11"', '"0"')), ["line 4", "smaller"]),
        (xml('<points label="head" points="1;2"/>'), ["line 4", "'1'"]),
        (xml('<polyline label="head" points="1,2;2,3"/>' + BOX), ["line 4", "'polyline'"]),
        (xml("<box/>"), ["line 4", "no label"]),
    ],
)
def test_an_error_names_the_file_and_the_line(folder: Path, text: str, words: list[str]) -> None:
    write(folder, text)
    with pytest.raises(InputError) as caught:
        _ = [finish(raw) for raw in list_cvat(folder).scenes]
    for word in ["annotations.xml", *words]:
        assert word in str(caught.value)
