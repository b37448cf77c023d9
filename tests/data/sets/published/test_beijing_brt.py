"""Beijing-BRT: frames and `.mat` files of `loc`, validation by days.

Layout: the README and `densityMap.m` of github.com/XMU-smartdsp/Beijing-BRT-dataset.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.sets.published.beijing_brt import list_beijing_brt, read_annotation
from headcount.data.sets.registry import list_dataset, read_dataset

SIZE_WH = (36, 64)


def write_frame(folder: Path, name: str, loc: object) -> None:
    for part in ("frame", "ground_truth"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE_WH).save(folder / f"frame/{name}.jpg")
    savemat(folder / f"ground_truth/{name}.mat", {"loc": loc})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    base = tmp_path / "Beijing-BRT-dataset-master"
    for day in range(1, 6):
        for second in (10, 20):
            write_frame(base / "train", f"1-2017041{day}0915{second}", np.array([[1, 1], [36, 64]], np.uint16))
    write_frame(base / "test", "1-20170411091544", np.zeros((0, 2)))
    (base / "README.md").touch()
    return base


def test_points_are_one_based(root: Path) -> None:
    scene = read_dataset(f"beijing-brt={root}", "train")[0]
    assert scene.points_xy.tolist() == [[0.5, 0.5], [35.5, 63.5]]
    assert read_dataset(f"beijing-brt={root.parent}", "test")[0].count == 0


def test_validation_is_whole_days(root: Path) -> None:
    train, val = (list_dataset(f"beijing-brt={root}", split) for split in ("train", "val"))
    assert (len(train), len(val)) == (8, 2)
    assert {raw.group for raw in val} == {val[0].group}
    assert len(val[0].group) == len("1-20170411")


def test_what_lacks_its_pair_and_what_is_named_otherwise_is_told(root: Path) -> None:
    (root / "test/frame/1-20170411091544.jpg").unlink()
    (root / "train/ground_truth/1-20170415091520.mat").unlink()
    (root / "train/frame/a.png").touch()
    listing = list_beijing_brt(root)
    raw = {scene.name: scene for scene in listing.scenes}
    assert raw["test/1-20170411091544"].image is None
    assert raw["train/1-20170415091520"].annotation is None
    assert [(remark.code, remark.path.name) for remark in listing.remarks] == [
        ("stray-file", "a.png"),
        ("empty", "frame"),
    ]


def test_another_layout_is_told(tmp_path: Path, root: Path) -> None:
    (root / "test/ground_truth").rename(root / "test/groundtruth")
    with pytest.raises(InputError, match=r'but ground_truth was expected.*Is it "groundtruth"'):
        list_beijing_brt(root)
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"holds nothing, but train/frame \(or test/frame\) was expected"):
        list_beijing_brt(tmp_path / "other")


@pytest.mark.parametrize(
    ("loc", "words"), [(np.ones((2, 3)), "2×3 numbers"), (np.array([[1, 1], [-1e9, 1]]), "loc row 2"), ("text", "text")]
)
def test_a_malformed_annotation_is_named(tmp_path: Path, loc: object, words: str) -> None:
    write_frame(tmp_path / "train", "a", loc)
    with pytest.raises(InputError, match=rf"a\.mat.*{words}"):
        read_annotation(tmp_path / "train/ground_truth/a.mat")
