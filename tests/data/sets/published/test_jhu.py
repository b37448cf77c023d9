"""JHU-CROWD++: what is its own beside ``test_every_set``; layout: its own README (crowd-counting.com)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.data.formats.raw import UnreadableAnnotationError
from headcount.data.sets.published.jhu import read_annotation, read_labels
from headcount.data.sets.registry import read_dataset


def test_heads_are_centres_with_sizes_and_images_have_labels(write_set: Callable[[str], Path]) -> None:
    root = write_set("jhu-crowd++")
    (root / "train/gt/0001.txt").write_text("10 20 4 6 1 0\n30 5 0 0 3 1 \n")
    (root / "train/gt/0002.txt").write_text("")
    (root / "train/image_labels.txt").write_text("0001,2,water park, indoor,2,0\n0002,0,stadium,1,1\n")
    scene, nobody = read_dataset(f"jhu-crowd++={root}", "train")
    assert scene.points_xy.tolist() == [[10, 20], [30, 5]]
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == [[8, 17, 12, 23]]  # the head without a size keeps its point only
    assert scene.attributes == {"scene_type": "water park,indoor", "weather": "rain", "distractor": "no"}
    assert (nobody.count, nobody.attributes["weather"], nobody.attributes["distractor"]) == (0, "fog or haze", "yes")


def test_labels_of_images_may_be_missing(write_set: Callable[[str], Path]) -> None:
    root = write_set("jhu-crowd++")
    (root / "val/image_labels.txt").unlink()
    (root / "test/image_labels.txt").write_text("")
    assert read_dataset(f"jhu-crowd++={root}", "val")[0].attributes == {}
    assert read_dataset(f"jhu-crowd++={root}", "test")[0].attributes == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 2 3 4 5 6 7", "six numbers, was expected"),
        ("1 2 3 4 1 inf", "blur must be"),
        ("1 2 -3 4 1 0", "-3×4 pixels"),
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
