"""NWPU-Crowd: JSON or MAT, lists with luminance and level, negatives, and a test without labels.

Layout: the `readme.md` of the data set and github.com/gjy3035/NWPU-Crowd-Sample-Code.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.audit.check import check_dataset
from headcount.data.formats.raw import UnreadableAnnotationError
from headcount.data.sets.published.nwpu_crowd import list_nwpu_crowd, read_annotation, read_list
from headcount.data.sets.registry import list_dataset, read_dataset

SIZE_WH = (40, 30)
POINTS = [[3.25, 4.5], [20.0, 10.0]]
BOXES = [[1.0, 2.0, 5.0, 7.0], [18.0, 8.0, 22.5, 12.0]]


def write_json(path: Path, points: object = POINTS, boxes: object = BOXES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    number = len(points) if isinstance(points, list) else 0
    path.write_text(json.dumps({"img_id": "x.jpg", "human_num": number, "points": points, "boxes": boxes}))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for number in range(1, 6):
        Image.new("RGB", SIZE_WH).save(tmp_path / f"images/{number:04}.jpg")
    write_json(tmp_path / "jsons/0001.json")
    write_json(tmp_path / "jsons/0002.json", [], [])
    write_json(tmp_path / "jsons/0003.json", POINTS[:1], BOXES[:1])
    (tmp_path / "train.txt").write_text("0002 0 0 \n0001 2 4\n\n")
    (tmp_path / "val.txt").write_bytes(b"0003 1 3\r\n")
    (tmp_path / "test.txt").write_text("0004\n0005\n")
    return tmp_path


def test_points_boxes_levels_and_negatives(root: Path) -> None:
    negative, scene = read_dataset(f"nwpu-crowd={root}", "train")
    assert (negative.count, negative.attributes) == (0, {"luminance": "0", "level": "0"})
    assert negative.boxes_xyxy is not None
    assert scene.name == "nwpu-crowd/train/0001"
    assert scene.points_xy.tolist() == POINTS
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == BOXES
    assert scene.attributes == {"luminance": "2", "level": "4"}
    assert [s.name for s in read_dataset(f"nwpu-crowd={root}", "val")] == ["nwpu-crowd/val/0003"]
    assert len(list_dataset(f"nwpu-crowd={root}", "trainval")) == 3


def test_test_has_no_labels_and_says_so(root: Path) -> None:
    with pytest.raises(InputError, match=r'test images are not published: use "val".*crowdbenchmark'):
        list_dataset(f"nwpu-crowd={root}", "test")
    assert not list_nwpu_crowd(root).remarks
    codes = {finding.code for finding in check_dataset(f"nwpu-crowd={root}")}
    assert codes == {"count-differs", "no-heads"}


def test_mat_files_are_read_where_there_is_no_json(root: Path) -> None:
    (root / "mats").mkdir()
    savemat(root / "mats/0001.mat", {"annPoints": np.array(POINTS) + 1, "annBoxes": np.array(BOXES)})
    savemat(root / "mats/0003.mat", {"annPoints": np.array(POINTS)})
    (root / "jsons/0003.json").unlink()
    assert read_dataset(f"nwpu-crowd={root}", "train")[1].points_xy.tolist() == POINTS  # the JSON's
    scene = read_dataset(f"nwpu-crowd={root}", "val")[0]
    assert (scene.points_xy.tolist(), scene.boxes_xyxy) == (POINTS, None)
    assert read_annotation(root / "mats/0001.mat").boxes_xyxy is not None


def test_images_may_lie_in_the_parts_of_the_archives(root: Path) -> None:
    (root / "images").rename(root / "images_part1")
    (root / "images_part2").mkdir()
    (root / "images_part1/0003.jpg").rename(root / "images_part2/0003.jpg")
    assert len(list_dataset(f"nwpu-crowd={root}", "trainval")) == 3


def test_what_lacks_its_pair_is_told_and_what_is_in_no_list(root: Path) -> None:
    (root / "images/0001.jpg").unlink()
    (root / "jsons/0002.json").unlink()
    Image.new("RGB", SIZE_WH).save(root / "images/0009.jpg")
    listing = list_nwpu_crowd(root)
    raw = {scene.name: scene for scene in listing.scenes}
    assert raw["train/0001"].image is None
    assert raw["train/0002"].annotation is None
    assert [(remark.path.name, "no list" in remark.message) for remark in listing.remarks] == [("0009.jpg", True)]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda root: [(root / f"{name}.txt").unlink() for name in ("train", "val")], ["train.txt (or val.txt)"]),
        (lambda root: (root / "images").rename(root / "image"), ["images was expected", 'Is it "image"?']),
        (lambda root: (root / "jsons").rename(root / "json"), ["jsons/0001.json", 'Is it "json"?']),
        (lambda root: (root / "val.txt").write_text("0003 1 3\n0003 1\n"), ["val.txt", "line 2", "0003 1"]),
        (lambda root: (root / "val.txt").write_text("0003 1 3\n0003 1 3\n"), ["line 2", "0003 stands"]),
        (lambda root: (root / "val.txt").write_text("../../x 1 3\n"), ["line 1"]),
        (lambda root: (root / "val.txt").write_text("0003 1 -3\n"), ["line 1"]),
        (lambda root: (root / "val.txt").write_bytes(b"\xff\xfa"), ["UTF-8"]),
    ],
)
def test_another_layout_is_told(root: Path, damage: object, words: list[str]) -> None:
    damage(root)  # type: ignore[operator]
    with pytest.raises(InputError) as caught:
        read_dataset(f"nwpu-crowd={root}", "val")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1"),
        ("[]", "JSON object"),
        ("{}", "points: a list"),
        ('{"points": [[1, 2], [3]]}', r"points\[1\]: \[x, y\]"),
        ('{"points": [[1, "2"]]}', r"points\[0\]"),
        ('{"points": [[1, NaN]]}', r"points\[0\]: y must be a number"),
        ('{"points": [[1, 1e12]]}', "lies in no image"),
        ('{"points": [], "boxes": 3}', "boxes: a list"),
        ('{"points": [], "boxes": [[1, 2, 3]]}', r"boxes\[0\]: \[xmin, ymin, xmax, ymax\]"),
    ],
)
def test_a_malformed_annotation_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "0001.json").write_text(text)
    with pytest.raises(InputError, match=rf"0001\.json.*{words}"):
        read_annotation(tmp_path / "0001.json")


LINE = st.lists(st.sampled_from(["0001", "2", "-1", "x", "1.5", " ", "٣", "\n"]), max_size=8).map(" ".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["points", "boxes"]), inner),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | JSON.map(lambda data: json.dumps(data).encode()), st.binary(max_size=40) | LINE)
def test_fuzz(tmp_path: Path, annotation: bytes, listed: bytes | str) -> None:
    (tmp_path / "a.json").write_bytes(annotation)
    (tmp_path / "train.txt").write_bytes(listed if isinstance(listed, bytes) else listed.encode())
    with suppress(InputError):
        read_annotation(tmp_path / "a.json")
    with suppress(UnreadableAnnotationError):
        read_list(tmp_path / "train.txt")
