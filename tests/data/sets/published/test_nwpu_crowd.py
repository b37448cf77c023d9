"""NWPU-Crowd: what is its own beside ``test_every_set``.

Layout: the `readme.md` of the data set and github.com/gjy3035/NWPU-Crowd-Sample-Code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.audit.check import check_dataset
from headcount.data.sets.published.nwpu_crowd import list_nwpu_crowd, read_annotation
from headcount.data.sets.registry import list_dataset, read_dataset

POINTS = [[3.25, 4.5], [20.0, 10.0]]
BOXES = [[1.0, 2.0, 5.0, 7.0], [18.0, 8.0, 22.5, 12.0]]


@pytest.fixture
def root(write_set: Callable[[str], Path]) -> Path:
    """0002 is without heads."""
    root = write_set("nwpu-crowd")
    (root / "jsons/0002.json").write_text('{"points": [], "boxes": []}')
    return root


def test_points_boxes_levels_and_negatives(root: Path) -> None:
    negative, scene = read_dataset(f"nwpu-crowd={root}", "train")
    assert (negative.count, negative.attributes) == (0, {"luminance": "0", "level": "0"})
    assert negative.boxes_xyxy is not None
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == BOXES
    assert scene.attributes == {"luminance": "2", "level": "4"}


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


def test_an_image_in_no_list_is_told(root: Path) -> None:
    (root / "images/0005.jpg").rename(root / "images/0009.jpg")
    listing = list_nwpu_crowd(root)
    assert [(remark.path.name, "no list" in remark.message) for remark in listing.remarks] == [("0009.jpg", True)]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda root: [(root / f"{name}.txt").unlink() for name in ("train", "val")], ["train.txt (or val.txt)"]),
        (lambda root: (root / "images").rename(root / "image"), ["images was expected", 'Is it "image"?']),
        (lambda root: (root / "val.txt").write_text("0003 1 3\n0003 1\n"), ["val.txt", "line 2", "0003 1"]),
        (lambda root: (root / "val.txt").write_text("../../x 1 3\n"), ["line 1"]),
        (lambda root: (root / "val.txt").write_text("0003 1 -3\n"), ["line 1"]),
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
        ('{"points": [[1, 2], [3]]}', r"points\[1\]: \[x, y\]"),
        ('{"points": [], "boxes": 3}', "boxes: a list"),
        ('{"points": [], "boxes": [[1, 2, 3]]}', r"boxes\[0\]: \[xmin, ymin, xmax, ymax\]"),
    ],
)
def test_a_malformed_annotation_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "0001.json").write_text(text)
    with pytest.raises(InputError, match=rf"0001\.json.*{words}"):
        read_annotation(tmp_path / "0001.json")
