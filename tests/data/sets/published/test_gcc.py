"""GCC: what is its own beside ``test_every_set``.

Layout: the program that wrote the set (github.com/gjy3035/GCC-CL) and its lists (github.com/gjy3035/C-3-Framework).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from headcount.data.formats.raw import UnreadableAnnotationError
from headcount.data.sets.published.gcc import list_gcc, read_annotation, read_classes
from headcount.data.sets.registry import list_dataset, read_dataset


@pytest.fixture
def root(write_set: Callable[[str], Path]) -> Path:
    return write_set("gcc")


def test_the_lists_and_the_annotation_tell_of_the_weather(root: Path) -> None:
    assert read_dataset(f"gcc={root}", "trainval")[0].attributes == {
        "crowd_level": "3", "time_class": "2", "weather_class": "0", "weather": "RAIN", "time": "07:05",
    }  # fmt: skip


@pytest.mark.parametrize("heads", [[], [[0, 0], [10, 39]]])
def test_mat_files_say_the_same(tmp_path: Path, heads: list[list[int]]) -> None:
    """As the labeller writes them: a structure without dimensions."""
    (tmp_path / "a.json").write_text(json.dumps({"image_info": heads}))
    location = np.array(heads, dtype="int").reshape(-1, 2)
    kind = np.dtype([("location", "O"), ("number", "O")])
    savemat(tmp_path / "a.mat", {"image_info": np.array((location, np.array([[len(location)]])), dtype=kind)})
    one, other = (read_annotation(tmp_path / name).heads_xy.tolist() for name in ("a.json", "a.mat"))
    assert one == other


@pytest.mark.parametrize(
    ("name", "tested"),
    [
        ("gcc", ["scene_02_3/0000000002", "scene_02_3/0000000010"]),
        ("gcc-camera", ["scene_00_1/0000000002", "scene_00_1/0000000010"]),
        ("gcc-random", [f"scene_{s}/0000000002" for s in ("00_0", "00_1", "01_0", "02_3")]),
    ],
)
def test_the_three_published_splits(root: Path, name: str, tested: list[str]) -> None:
    assert [raw.name for raw in list_dataset(f"{name}={root}", "test")] == tested


def test_without_lists_all_is_for_training(root: Path) -> None:
    (root / "txt_list").rename(root / "lists")
    assert len(list_dataset(f"gcc={root}", "trainval")) == 8


def test_an_image_in_no_list_is_in_no_split(root: Path) -> None:
    for folder, suffix in (("pngs", "png"), ("jsons", "json")):
        path = root / f"scene_01_0/{folder}/0000000002.{suffix}"
        path.rename(path.with_stem("0000000003"))
    scenes = list_gcc(root, "location").scenes
    assert [scene.split for scene in scenes] == ["train"] * 5 + ["test"] * 2 + [""]
    assert scenes[-1].name == "scene_01_0/0000000003"


def test_a_scene_without_images_is_told(tmp_path: Path) -> None:
    (tmp_path / "scene_00_0").mkdir()
    assert [remark.code for remark in list_gcc(tmp_path, "random").remarks] == ["empty"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("3 2 0 scene_00_0 0000000002", "was expected"),
        ("3 2 0 hall 0000000002 5", "was expected"),
        ("3 2 x scene_00_0 0000000002 5", "was expected"),
        ("3 2 0 scene_00_0 1 5", "already"),
    ],
)
def test_a_malformed_list_is_named(tmp_path: Path, row: str, words: str) -> None:
    (tmp_path / "train_list.txt").write_text(f"3 2 0 /scene_00_0 1.png 5\n{row}\n")
    with pytest.raises(UnreadableAnnotationError, match=rf'train_list\.txt", line 2: .*{words}'):
        read_classes(tmp_path / "train_list.txt")
