"""Points and boxes of one's own images in one file: exact round trips, and errors that name file and line or key."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.head_list import read_boxes, read_points, write_boxes, write_points

SIZE_WH = (64, 48)
READ = {"points": read_points, "boxes": read_boxes}
WRITE = {"points": write_points, "boxes": write_boxes}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hall").mkdir()
    for name in ("hall/a.png", "hall/b, c.png", "e.png"):
        Image.new("RGB", SIZE_WH).save(tmp_path / name)
    return tmp_path


POINTS = 'image,x,y\nhall/a.png,0.5,47.5\n"hall/b, c.png",,\nhall/a.png,64,0\n'
POINTS_JSON = (
    '{"images": [{"file": "hall/a.png", "points": [[0.5, 47.5], [64, 0]]}, {"file": "hall/b, c.png", "points": []}]}'
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", POINTS),
        ("p.CSV", "\ufeff" + POINTS.replace("\n", "\r")),
        ("p.csv", 'label,Y,X,IMAGE\nq,47.5,0.5,hall/a.png\nq,0,64,./hall/a.png\n\nq,,,"hall/b, c.png"\n'),
        ("p.json", POINTS_JSON),
    ],
)
def test_reads_points_in_the_order_of_the_file(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8", newline="")
    first, second = read_points(folder / name)
    assert (first.image, first.name, first.size_wh) == (folder / "hall/a.png", "hall/a.png", SIZE_WH)
    assert first.points_xy.tolist() == [[0.5, 47.5], [64.0, 0.0]]
    assert (second.name, second.count, second.boxes_xyxy) == ("hall/b, c.png", 0, None)


CSV = 'image,x1,y1,x2,y2\nhall/a.png,0.5,2,4.5,8\n"hall/b, c.png",,,,\nhall/a.png,56,-2,70,6\n'
JSON = (
    '{"images": [{"file": "hall/a.png", "boxes": [[0.5, 2, 4.5, 8], [56, -2, 70, 6]]}, '
    '{"file": "hall/b, c.png", "boxes": []}]}'
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("b.csv", CSV),
        ("b.json", JSON),
    ],
)
def test_reads_boxes_in_the_order_of_the_file_cut_to_the_image(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8", newline="")
    first, second = read_boxes(folder / name)
    assert (first.image, first.name, first.size_wh) == (folder / "hall/a.png", "hall/a.png", SIZE_WH)
    assert first.boxes_xyxy is not None
    assert first.boxes_xyxy.tolist() == [[0.5, 2, 4.5, 8], [56, 0, 64, 6]]
    assert first.points_xy.tolist() == [[2.5, 5], [63, 2]]
    assert first.box_provenance == ("annotated", "annotated")
    assert second.boxes_xyxy is not None
    assert (second.name, second.count, len(second.boxes_xyxy)) == ("hall/b, c.png", 0, 0)


def test_points_and_provenance_may_be_stated(folder: Path) -> None:
    rows = (
        "y,X,provenance,image,x1,y1,x2,y2,note\n9,8,pseudo,e.png,0,0,10,20,q\n,,,e.png,0,0,10,20,\n,,,hall/a.png,,,,,\n"
    )
    (folder / "b.csv").write_text(rows)
    images = [{"file": "e.png", "boxes": [[0, 0, 10, 20]] * 2, "points": [[8, 9], [5, 10]],
               "provenance": ["pseudo", "annotated"]}, {"file": "hall/a.png", "boxes": []}]  # fmt: skip
    (folder / "b.json").write_text(json.dumps({"images": images}))
    for name in ("b.csv", "b.json"):
        scene, empty = read_boxes(folder / name)
        assert scene.points_xy.tolist() == [[8, 9], [5, 10]]
        assert scene.box_provenance == ("pseudo", "annotated")
        assert empty.count == 0


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("p.csv", "image,x,y\n\ne.png,-0.1,2\n", ["line 3", "(-0.1, 2) lies outside"]),
        ("p.csv", "image,x,y\ne.png,1,\n", ["line 2", "y must be a number"]),
        ("p.csv", "image,x,y\ne.png,1,48.1\n", ["line 2", "outside", "64×48"]),
        ("p.csv", "image,x,y\ne.png,1e300,2\n", ["line 2", "lies in no image"]),
        ("p.csv", "image,x,y\n,1,2\n", ["line 2", "name of an image"]),
        ("p.csv", "image,x,y\ne.png,1,2\ne.png,,\n", ["line 3", "no heads"]),
        ("p.csv", "image,x,y\ne.png,,\ne.png,1,2\n", ["line 3", "no heads"]),
        ("p.json", '{"images": [{"file": "e.png"}]}', ["images[0].points"]),
        ("p.json", '{"images": [{"file": "e.png", "points": [[1, 2], [3]]}]}', ["images[0].points[1]", "[3]"]),
        ("p.json", '{"images": [{"file": "e.png", "points": [[-1, 2]]}]}', ["points[0]", "(-1, 2) lies outside"]),
        ("p.json", '{"images": [{"file": "e.png", "points": [[65, 2]]}]}', ["images[0].points[0]", "outside"]),
        ("p.json", '{"images": [{"file": "e.png", "points": []}, {"file": "./e.png", "points": []}]}', ["0] already"]),
        ("p.txt", "", [".csv or .json"]),
        ("b.csv", "image,x1,y1,x2,y2,x\n", ["line 1", "x and y"]),
        ("b.csv", "image,x1,y1,x2,y2\ne.png,1,2,,4\n", ["line 2", "x2 must be a number"]),
        ("b.csv", "image,x1,y1,x2,y2\n\ne.png,30,2,8,9\n", ["line 3", "x1 must be smaller", "not width and height"]),
        ("b.csv", "image,x1,y1,x2,y2\ne.png,1,2,3,2\n", ["line 2", "y1 must be smaller than y2"]),
        ("b.csv", "image,x1,y1,x2,y2\ne.png,60,2,70,6\n", ["line 2", "(65, 4)", "outside", "64×48"]),
        ("b.csv", "image,x1,y1,x2,y2\ne.png,-1e308,2,1e308,6\n", ["line 2", "lies in no image"]),
        ("b.csv", "image,x1,y1,x2,y2,x,y\ne.png,70,2,80,6,9,9\n", ["line 2", "the box (70, 2, 80, 6) lies outside"]),
        ("b.csv", "image,x1,y1,x2,y2,x,y\ne.png,1,2,3,4,9,\n", ["line 2", "y must be a number"]),
        ("b.csv", "image,x1,y1,x2,y2,x,y\ne.png,,,,,9,9\n", ["line 2", "x1 must be a number"]),
        ("b.csv", "image,x1,y1,x2,y2,provenance\ne.png,1,2,3,4,interpolate\n", ["line 2", '"interpolated"']),
        ("b.json", '{"images": [{"file": "e.png"}]}', ["images[0].boxes"]),
        ("b.json", '{"images": [{"file": "e.png", "boxes": [[1, 2, 3, 4], [3]]}]}', ["images[0].boxes[1]", "[3]"]),
        ("b.json", '{"images": [{"file": "e.png", "boxes": [[1, 2, 3, 2]]}]}', ["images[0].boxes[0]", "y1 must"]),
        ("b.json", '{"images": [{"file": "e.png", "boxes": [[1, 2, 3, 4]], "points": []}]}', ["points", "list of 1"]),
        ("b.json", '{"images": [{"file": "e.png", "boxes": [[1, 2, 3, 4]], "points": [3]}]}', ["points[0]", "[x, y]"]),
        ("b.json", '{"images": [{"file": "e.png", "boxes": [[1, 2, 3, 4]], "provenance": [[]]}]}', ["no provenance"]),
    ],
)  # fmt: skip
def test_an_error_names_the_file_and_the_place(folder: Path, name: str, text: str, words: list[str]) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        (read_points if name[0] == "p" else read_boxes)(folder / name)
    for word in [name, *words]:
        assert word in str(error.value)


@pytest.mark.parametrize("kind", READ)
def test_a_path_that_is_no_file_is_told(folder: Path, kind: str) -> None:
    with pytest.raises(InputError, match=f"no {kind} file"):
        READ[kind](folder / "none.csv")
    with pytest.raises(InputError, match=f"is a folder: name the {kind} file"):
        READ[kind](folder / "hall")


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_odd_names_come_back_and_a_boxes_file_is_a_points_file_too(tmp_path: Path, suffix: str) -> None:
    scenes = []
    for name in ("b, c.png", 'q"uo"te.png', "zwölf 人.png", "line\u2028end.png", "a\rb.png"):
        Image.new("L", SIZE_WH).save(tmp_path / name)
        scenes.append(Scene(tmp_path / name, np.array([[1 / 3, 5e-324]]), np.array([[0, 0, 0.1, 48]])))
    path = write_boxes(scenes, tmp_path / f"b{suffix}")
    for back in (read_boxes(path), read_points(path), read_points(write_points(scenes, tmp_path / f"p{suffix}"))):
        assert [scene.image for scene in back] == [scene.image for scene in scenes]
        assert [scene.points_xy.tobytes() for scene in back] == [scene.points_xy.tobytes() for scene in scenes]


def test_images_elsewhere_are_named_relative_to_the_file(folder: Path) -> None:
    path = write_points([Scene(folder / "e.png")], folder / "hall" / "p.json")
    assert json.loads(path.read_text())["images"][0]["file"] == "../e.png"
    assert read_points(path)[0].image.samefile(folder / "e.png")  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", WRITE)
def test_nothing_is_half_written(folder: Path, kind: str) -> None:
    write = WRITE[kind]
    path = write([Scene(folder / "e.png")], folder / "b.csv")
    before = path.read_bytes()
    with pytest.raises(InputError, match="image name"):
        write([Scene(folder / "bad\udcff.png")], path, overwrite=True)
    assert path.read_bytes() == before
    assert not list(folder.glob(".*"))
    with pytest.raises(InputError, match="cannot be written"):
        write([], folder / "none" / "b.csv")


def test_scenes_that_the_format_cannot_hold_are_refused(folder: Path) -> None:
    point, box = np.ones((1, 2)), np.array([[0, 0, 2, 2.0]])
    for scenes, words in (
        ([Scene(folder / "e.png", point, box[[0, 0]])], "1 points and 2 boxes"),
        ([Scene(folder / "e.png", point, box * [1, 1, 0, 1])], "box 1 has no width"),
    ):
        with pytest.raises(InputError, match=words):
            write_boxes(scenes, folder / "b.csv")
    assert not (folder / "b.csv").exists()
