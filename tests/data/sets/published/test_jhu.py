"""JHU-CROWD++: text files of heads, labels of images, the three official splits.

Layout: the README that comes with the data (crowd-counting.com).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.formats.raw import UnreadableAnnotationError
from headcount.data.sets.published.jhu import list_jhu, read_annotation, read_labels
from headcount.data.sets.registry import list_dataset, read_dataset

SIZE_WH = (40, 30)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    base = tmp_path / "jhu_crowd_v2.0"
    for split, names in {"train": ["0001", "0002"], "val": ["0003"], "test": ["0004"]}.items():
        for name in ("images", "gt"):
            (base / split / name).mkdir(parents=True)
        for name in names:
            Image.new("RGB", SIZE_WH).save(base / split / f"images/{name}.jpg")
            (base / split / f"gt/{name}.txt").write_text("10 20 4 6 1 0\n30 5 0 0 3 1 \n")
        (base / split / "image_labels.txt").write_text("".join(f"{name},2,street,0,0\n" for name in names))
    (base / "train/gt/0002.txt").write_text("")
    (base / "train/image_labels.txt").write_text("0001,2,water park, indoor,2,0\n0002,0,stadium,1,1\n")
    return base


def test_heads_are_centres_with_sizes(root: Path) -> None:
    scene, nobody = read_dataset(f"jhu-crowd++={root}", "train")
    assert scene.points_xy.tolist() == [[10, 20], [30, 5]]
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == [[8, 17, 12, 23]]  # the head without a size keeps its point only
    assert scene.attributes == {"scene_type": "water park,indoor", "weather": "rain", "distractor": "no"}
    assert (nobody.count, nobody.attributes["weather"]) == (0, "fog or haze")
    assert nobody.attributes["distractor"] == "yes"


@pytest.mark.parametrize("name", ["jhu-crowd", "jhu-crowd++"])
def test_the_splits_are_the_sets_own(root: Path, name: str) -> None:
    for split, number in {"train": 2, "val": 1, "test": 1, "trainval": 3}.items():
        assert len(list_dataset(f"{name}={root.parent}", split)) == number


def test_labels_of_images_may_be_missing(root: Path) -> None:
    (root / "val/image_labels.txt").unlink()
    (root / "test/image_labels.txt").write_text("")
    assert read_dataset(f"jhu-crowd++={root}", "val")[0].attributes == {}
    assert read_dataset(f"jhu-crowd++={root}", "test")[0].attributes == {}


def test_what_lacks_its_pair_and_what_is_named_otherwise_is_told(root: Path) -> None:
    (root / "val/images/0003.jpg").unlink()
    (root / "test/gt/0004.txt").unlink()
    (root / "train/images/a.png").touch()
    listing = list_jhu(root)
    raw = {scene.name: scene for scene in listing.scenes}
    assert raw["val/0003"].image is None
    assert raw["test/0004"].annotation is None
    assert [(remark.code, remark.path.name) for remark in listing.remarks] == [
        ("stray-file", "a.png"),
        ("empty", "images"),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 2 3", "six numbers, was expected"),
        ("1 2 3 4 5 6 7", "six numbers"),
        ("1 2 3 x 1 0", "height must be a number, got 'x'"),
        ("nan 2 3 4 1 0", "x must be a number"),
        ("1 2 3 4 1 inf", "blur must be"),
        ("1 2 -3 4 1 0", "-3×4 pixels"),
        ("1 2e9 3 4 1 0", "lies in no image"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "0001.txt").write_text(f"1 2 3 4 1 0\n\n{line}\n")
    with pytest.raises(InputError, match=rf'0001\.txt", line 3: .*{words}'):
        read_annotation(tmp_path / "0001.txt")


@pytest.mark.parametrize(
    ("text", "words"),
    [("0001,2,street,0\n", "line 1"), ("\n,2,street,0,0", "line 2"), ("a,1,s,0,0\na,1,s,0,0", "already")],
)
def test_malformed_labels_are_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "image_labels.txt").write_text(text)
    with pytest.raises(UnreadableAnnotationError, match=rf"image_labels\.txt.*{words}"):
        read_labels(tmp_path / "image_labels.txt")


def test_another_layout_is_told(tmp_path: Path, root: Path) -> None:
    (root / "val/gt").rename(root / "val/gts")
    with pytest.raises(InputError, match=r'but gt was expected.*Is it "gts"'):
        list_jhu(root)
    (tmp_path / "other/Training").mkdir(parents=True)
    with pytest.raises(InputError, match=r"holds Training, but train \(or val, test\) was expected"):
        list_jhu(tmp_path / "other")


TOKEN = st.sampled_from(["1", "2.5", "-3", "nan", "1_0", "x", ",", "\n", "\x0b", "1e400", "٣"])
TEXT = st.lists(TOKEN, max_size=14).map(" ".join).map(str.encode)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | TEXT)
def test_fuzz(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    for read in (read_annotation, read_labels):
        with suppress(InputError):
            read(tmp_path / "a.txt")
