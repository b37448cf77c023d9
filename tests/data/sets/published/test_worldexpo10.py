"""WorldExpo'10: frames and labels by scene, regions of interest, five test scenes.

Layout: the CVPR 2015 paper for scenes and regions; folders and variables as in public training code for the set
(github.com/gjy3035/C-3-Framework, datasets/WE).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.sets.published.worldexpo10 import TEST_SCENES, list_worldexpo10, read_region, scene_of
from headcount.data.sets.registry import list_dataset, read_dataset

SIZE_WH = (72, 58)
TRAIN_SCENES = [f"1000{n:02}" for n in range(1, 11)]
SQUARE = ([11.0, 31.0, 31.0, 11.0], [21.0, 21.0, 41.0, 41.0])  # 1-based: edges at 10.5, 30.5 and 20.5, 40.5


def write_frame(root: Path, split: str, name: str, points: object, *, nested: bool) -> None:
    scene = name[:6]
    frames = root / f"{split}_frame" / (scene if nested else "")
    labels = root / f"{split}_label" / scene
    frames.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE_WH).save(frames / f"{name}.jpg")
    found = np.array(points, np.float64)
    savemat(labels / f"{name}.mat", {"point_position": found, "point_num": float(len(found))})


def write_roi(root: Path, split: str, scene: str, corners: tuple[list[float], list[float]] = SQUARE) -> Path:
    path = root / f"{split}_label" / scene / "roi.mat"
    xs, ys = (np.array(axis)[:, None] for axis in corners)
    savemat(path, {"maskVerticesXCoordinates": xs, "maskVerticesYCoordinates": ys})
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for scene in TRAIN_SCENES:
        for k in (2, 10):
            write_frame(tmp_path, "train", f"{scene}_A02-clip_{k}", [(1.0, 1.0), (20.5, 30.5)], nested=False)
        write_roi(tmp_path, "train", scene)
    for scene in TEST_SCENES:
        write_frame(tmp_path, "test", f"{scene}_1-04-clip1_2", [], nested=True)
        write_roi(tmp_path, "test", scene)
    return tmp_path


def test_frames_have_points_region_and_scene(root: Path) -> None:
    scene = read_dataset(f"worldexpo10={root}", "trainval")[0]
    assert scene.name == "worldexpo10/train/100001_A02-clip_2"
    assert scene.points_xy.tolist() == [[0.5, 0.5], [20, 30]]
    assert scene.attributes["scene"] == "100001"
    assert scene.region is not None
    assert scene.region.shape == (58, 72)
    # Pixels 11…30 and 21…40, counted from 1: those whose centres lie within 10.5…30.5 and 20.5…40.5.
    rows, columns = np.nonzero(scene.region)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (10, 29, 20, 39)


def test_the_five_test_scenes_keep_their_names(root: Path) -> None:
    scenes = read_dataset(f"worldexpo10={root}", "test")
    assert [scene.attributes["scene"] for scene in scenes] == sorted(TEST_SCENES)
    assert {scene.count for scene in scenes} == {0}


def test_validation_is_whole_scenes(root: Path) -> None:
    groups = {split: {raw.group for raw in list_dataset(f"worldexpo10={root}", split)} for split in ("train", "val")}
    assert (len(groups["train"]), len(groups["val"])) == (8, 2)
    assert not groups["train"] & groups["val"]


def test_labels_beside_their_folders_and_scenes_without_region_are_read(tmp_path: Path) -> None:
    write_frame(tmp_path, "test", "104207-old", [(2.0, 3.0)], nested=False)
    label = tmp_path / "test_label/104207/104207-old.mat"
    label.rename(tmp_path / "test_label/104207-old.mat")
    (raw,) = list_worldexpo10(tmp_path).scenes
    assert raw.read().region_polygon_xy is None
    assert raw.read().attributes == {"scene": "104207"}
    assert raw.read().heads_xy.tolist() == [[1.5, 2.5]]


def test_what_lacks_its_pair_is_told_and_a_region_is_no_frame(root: Path) -> None:
    (root / "test_frame/104207/104207_1-04-clip1_2.jpg").unlink()
    (root / "test_label/200608/200608_1-04-clip1_2.mat").unlink()
    (root / "test_frame/200702/frame.png").touch()
    listing = list_worldexpo10(root)
    raw = {scene.name: scene for scene in listing.scenes if scene.split == "test"}
    assert len(raw) == 5
    assert raw["test/104207_1-04-clip1_2"].image is None
    assert raw["test/200608_1-04-clip1_2"].annotation is None
    assert [remark.path.name for remark in listing.remarks] == ["frame.png"]


@pytest.mark.parametrize(
    ("corners", "words"),
    [
        (([1.0, 2.0], [1.0, 2.0]), "2 x and 2 y"),
        (([1.0, 2.0, 3.0], [1.0, 2.0]), "3 x and 2 y"),
        (([1.0, 2.0, float("nan")], [1.0, 2.0, 3.0]), "all finite"),
        (([1.0, 2.0, 1e12], [1.0, 2.0, 3.0]), "maskVerticesXCoordinates row 3"),
        (([], []), "0 x and 0 y"),
    ],
)
def test_a_region_that_is_none_is_named(tmp_path: Path, corners: tuple[list[float], list[float]], words: str) -> None:
    (tmp_path / "test_label/104207").mkdir(parents=True)
    path = write_roi(tmp_path, "test", "104207", corners)
    with pytest.raises(InputError, match=rf"roi\.mat.*{words}"):
        read_region(path)


def test_another_layout_is_told(tmp_path: Path, root: Path) -> None:
    (root / "train_label").rename(root / "train_labels")
    with pytest.raises(InputError, match=r'but train_label was expected.*Is it "train_labels"'):
        list_worldexpo10(root)
    (tmp_path / "empty" / "frames").mkdir(parents=True)
    with pytest.raises(InputError, match=r"holds frames, but train_frame \(or test_frame\) was expected"):
        list_worldexpo10(tmp_path / "empty")
    (tmp_path / "bare/test_frame").mkdir(parents=True)
    (tmp_path / "bare/test_label").mkdir()
    assert [remark.code for remark in list_worldexpo10(tmp_path / "bare").remarks] == ["empty"]


def test_a_malformed_annotation_is_named(root: Path) -> None:
    savemat(root / "test_label/104207/104207_1-04-clip1_2.mat", {"position": np.ones((1, 2))})
    with pytest.raises(InputError, match=r"holds position, but point_position was expected"):
        read_dataset(f"worldexpo10={root}", "test")


@pytest.mark.parametrize(("name", "scene"), [("", ""), ("104207", "104207"), ("10420", ""), ("1042071_a", "")])
def test_a_scene_is_the_first_six_digits(name: str, scene: str) -> None:
    assert scene_of(name) == scene
