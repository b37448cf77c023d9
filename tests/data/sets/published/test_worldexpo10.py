"""WorldExpo'10: what is its own beside ``test_every_set``.

Layout: the CVPR 2015 paper for scenes and regions; folders and variables as in public training code for the set
(github.com/gjy3035/C-3-Framework, datasets/WE).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.sets.catalogue import CATALOGUE
from headcount.data.sets.published.worldexpo10 import list_worldexpo10, read_region, scene_of
from headcount.data.sets.registry import list_dataset, read_dataset


def test_frames_have_points_region_and_scene(write_set: Callable[[str], Path]) -> None:
    scene = read_dataset(f"worldexpo10={write_set('worldexpo10')}", "trainval")[0]
    assert scene.attributes["scene"] == "100001"
    assert scene.region is not None
    assert scene.region.shape == (30, 40)
    # Pixels 11…30 and 6…25, counted from 1: those whose centres lie within 10.5…30.5 and 5.5…25.5.
    rows, columns = np.nonzero(scene.region)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (10, 29, 5, 24)


def test_test_scenes_keep_their_names(write_set: Callable[[str], Path]) -> None:
    found = list_dataset(f"worldexpo10={write_set('worldexpo10')}", "test")
    assert sorted({raw.group for raw in found}) == sorted(CATALOGUE["worldexpo10"].scenes)[:2]


def test_labels_beside_their_folders_and_scenes_without_region_are_read(write_set: Callable[[str], Path]) -> None:
    root = write_set("worldexpo10")
    labels = root / "test_label"
    for path in (labels / "104207").glob("*.mat"):
        path.unlink() if path.stem == "roi" else path.rename(labels / path.name)
    raw = next(scene for scene in list_worldexpo10(root).scenes if scene.split == "test")
    assert raw.read().region_polygon_xy is None
    assert raw.read().attributes == {"scene": "104207"}
    assert raw.read().heads_xy.tolist() == [[0.5, 0.5], [19.75, 29.5]]


@pytest.mark.parametrize(
    ("corners", "words"),
    [
        (([], []), "0 x and 0 y"),
        (([1.0, 2.0], [1.0, 2.0]), "2 x and 2 y"),
        (([1.0, 2.0, 3.0], [1.0, 2.0]), "3 x and 2 y"),
        (([1.0, 2.0, float("nan")], [1.0, 2.0, 3.0]), "all finite"),
    ],
)
def test_a_region_that_is_none_is_named(tmp_path: Path, corners: tuple[list[float], list[float]], words: str) -> None:
    xs, ys = (np.array(axis)[:, None] for axis in corners)
    savemat(tmp_path / "roi.mat", {"maskVerticesXCoordinates": xs, "maskVerticesYCoordinates": ys})
    with pytest.raises(InputError, match=rf"roi\.mat.*{words}"):
        read_region(tmp_path / "roi.mat")


@pytest.mark.parametrize(("name", "scene"), [("", ""), ("104207", "104207"), ("10420", ""), ("1042071_a", "")])
def test_a_scene_is_the_first_six_digits(name: str, scene: str) -> None:
    assert scene_of(name) == scene
