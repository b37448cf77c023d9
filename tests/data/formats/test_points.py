"""The points format: exact round trips, and errors that name file and line or key."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.points import read_points, write_points

SIZE_WH = (64, 48)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hall").mkdir()
    for name in ("hall/a.png", "hall/b, c.png", "e.png"):
        Image.new("RGB", SIZE_WH).save(tmp_path / name)
    return tmp_path


CSV = 'image,x,y\nhall/a.png,0.5,47.5\n"hall/b, c.png",,\nhall/a.png,64,0\n'
JSON = '{"images": [{"file": "hall/a.png", "points": [[0.5, 47.5], [64, 0]]}, {"file": "hall/b, c.png", "points": []}]}'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", CSV),
        ("p.CSV", CSV.replace("\n", "\r\n")),
        ("p.csv", "\ufeff" + CSV),
        ("p.csv", 'label,Y,X,IMAGE\nq,47.5,0.5,hall/a.png\nq,0,64,./hall/a.png\n\nq,,,"hall/b, c.png"\n'),
        ("p.json", JSON),
    ],
)
def test_reads_points_in_the_order_of_the_file(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8", newline="")
    first, second = read_points(folder / name)
    assert (first.image, first.name, first.size_wh) == (folder / "hall/a.png", "hall/a.png", SIZE_WH)
    assert first.points_xy.tolist() == [[0.5, 47.5], [64.0, 0.0]]
    assert (second.name, second.count) == ("hall/b, c.png", 0)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("p.csv", "", ["line 1", "image,x,y"]),
        ("p.csv", "image,x\n", ["line 1", '"y"']),
        ("p.csv", "image,x,y,x\n", ["line 1", '"x" 2 times']),
        ("p.csv", "image,x,y\ne.png,1,2,3\n", ["line 2", "3 cells", "got 4"]),
        ("p.csv", "image,x,y\ne.png,nan,2\n", ["line 2", "x must be a number", "nan"]),
        ("p.csv", "image,x,y\ne.png,1,inf\n", ["line 2", "y must be a number"]),
        ("p.csv", "image,x,y\ne.png,1_0,2\n", ["line 2", "1_0"]),
        ("p.csv", "image,x,y\n\ne.png,-0.1,2\n", ["line 3", "negative"]),
        ("p.csv", "image,x,y\ne.png,1,\n", ["line 2", "y must be a number"]),
        ("p.csv", "image,x,y\ne.png,1,48.01\n", ["line 2", "outside", "64×48"]),
        ("p.csv", "image,x,y\ne.png,1e300,2\n", ["line 2", "outside"]),
        ("p.csv", "image,x,y\ne.png,1,2\nf.png,1,2\n", ["line 3", "no image", "f.png"]),
        ("p.csv", "image,x,y\n,1,2\n", ["line 2", "name of an image"]),
        ("p.csv", "image,x,y\ne.png,1,2\ne.png,,\n", ["line 3", "no heads"]),
        ("p.csv", "image,x,y\ne.png,,\ne.png,1,2\n", ["line 3", "no heads"]),
        ("p.csv", 'image,x,y\n"e.png,1,2\n', ["line", "no valid CSV"]),
        ("p.json", '{"images": [\n{]}', ["line 2", "no valid JSON"]),
        ("p.csv", "a" * 5000 + ",x,y\n", ["line 1", "aaa…"]),
        ("p.json", "[]", ['"images"']),
        ("p.json", '{"images": {}}', ['"images"']),
        ("p.json", '{"images": ' + "9" * 5000 + "}", ["thousands of digits"]),
        ("p.json", '{"images": [3]}', ["images[0].file"]),
        ("p.json", '{"images": [{"file": "e.png"}]}', ["images[0].points"]),
        ("p.json", '{"images": [{"file": "e.png", "points": [[1, 2], [3]]}]}', ["images[0].points[1]", "[3]"]),
        ("p.json", '{"images": [{"file": "e.png", "points": [[1, NaN]]}]}', ["images[0].points[0]", "y must"]),
        ("p.json", '{"images": [{"file": "e.png", "points": [[1, "2"]]}]}', ["images[0].points[0]"]),
        ("p.json", '{"images": [{"file": "e.png", "points": [[true, 2]]}]}', ["images[0].points[0]", "True"]),
        ("p.json", '{"images": [{"file": "e.png", "points": [[-1, 2]]}]}', ["images[0].points[0]", "negative"]),
        ("p.json", '{"images": [{"file": "e.png", "points": [[65, 2]]}]}', ["images[0].points[0]", "outside"]),
        ("p.json", '{"images": [{"file": "e.png", "points": [[1' + "0" * 400 + ", 2]]}]}", ["points[0]", "x must"]),
        ("p.json", '{"images": [{"file": "e.png", "points": []}, {"file": "./e.png", "points": []}]}', ["images[1]"]),
        ("p.json", '{"images": ' + "[" * 100_000 + "]" * 100_000 + "}", ["nested"]),
        ("p.txt", "", [".csv or .json"]),
    ],
)  # fmt: skip
def test_an_error_names_the_file_and_the_place(folder: Path, name: str, text: str, words: list[str]) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_points(folder / name)
    for word in [name, *words]:
        assert word in str(error.value)


def test_a_missing_file_a_folder_and_bytes_that_are_no_text(folder: Path) -> None:
    with pytest.raises(InputError, match="no points file"):
        read_points(folder / "none.csv")
    with pytest.raises(InputError, match="folder"):
        read_points(folder / "hall")
    (folder / "latin.csv").write_bytes("image,x,y\ncafé.png,1,2\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_points(folder / "latin.csv")


coordinates = st.tuples(st.floats(0, SIZE_WH[0]), st.floats(0, SIZE_WH[1]))
names = st.sampled_from(["a.png", "b, c.png", 'q"uo"te.png', "zwölf 人.png", "line\u2028end.png"])


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(names, st.lists(coordinates, max_size=8), max_size=5),
    st.sampled_from([".csv", ".json"]),
)
def test_a_round_trip_is_exact(points: dict[str, list[tuple[float, float]]], suffix: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for image in points:
            Image.new("L", SIZE_WH).save(folder / image)
        scenes = [Scene(folder / image, np.array(rows).reshape(-1, 2)) for image, rows in points.items()]
        back = read_points(write_points(scenes, folder / f"p{suffix}"))
    assert [scene.image for scene in back] == [scene.image for scene in scenes]
    for one, other in zip(scenes, back, strict=True):
        assert one.points_xy.tobytes() == other.points_xy.tobytes()


def test_images_elsewhere_are_named_relative_to_the_file(folder: Path) -> None:
    path = write_points([Scene(folder / "e.png")], folder / "hall" / "p.json")
    assert json.loads(path.read_text())["images"][0]["file"] == "../e.png"
    assert read_points(path)[0].image.samefile(folder / "e.png")  # type: ignore[union-attr]


def test_nothing_is_overwritten_and_nothing_half_written(folder: Path) -> None:
    path = write_points([Scene(folder / "e.png")], folder / "p.csv")
    before = path.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        write_points([], path)
    with pytest.raises(InputError, match="image name"):
        write_points([Scene(folder / "bad\udcff.png")], path, overwrite=True)
    assert path.read_bytes() == before
    assert not list(folder.glob(".*"))
    with pytest.raises(InputError, match="cannot be written"):
        write_points([], folder / "none" / "p.csv")


def test_scenes_that_have_no_file_or_share_one_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        write_points([Scene(np.zeros((2, 2, 3), np.uint8), name="x")], folder / "p.csv")
    with pytest.raises(InputError, match="Two scenes"):
        write_points([Scene(folder / "e.png"), Scene(folder / "hall/../e.png")], folder / "p.csv")
