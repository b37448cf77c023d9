"""Mall: what is its own beside ``test_every_set``, and the real frames where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.parse.mat_frames import read_frames
from headcount.data.sets.published.mall import list_mall
from headcount.data.sets.registry import read_dataset

REAL = Path(__file__).parents[4] / "../shared/data/mall_dataset"


@pytest.fixture
def root(write_set: Callable[[str], Path]) -> Path:
    return write_set("mall")


def test_frames_are_read_by_their_number(root: Path) -> None:
    (root / "mall_gt.mat").rename(root / "ground_truth.mat")
    scenes = {split: read_dataset(f"mall={root}", split) for split in ("trainval", "test")}
    assert [scene.name for scene in scenes["trainval"]] == [f"mall/train/seq_{n:06}" for n in range(1, 11)]
    (scene,) = scenes["test"]
    assert (scene.name, scene.points_xy.tolist()) == ("mall/test/seq_000801", [[0.5, 0.5], [29.75, 30.0]])
    assert scene.region is None  # the published counts are of the whole frame


def test_training_is_800_frames_and_validation_its_end(root: Path) -> None:
    scenes = list_mall(root).scenes
    assert [scene.split for scene in scenes] == ["train"] * 800 + ["test"] * 1200
    missing = [scene for scene in scenes if scene.image is None]
    assert len(missing) == 1989
    assert missing[0].origin == "frame{11}"
    names = [scene.name for scene in read_dataset(f"mall={root}", "val")]
    assert names == ["mall/train/seq_000009", "mall/train/seq_000010"]


def test_what_is_not_a_frame_is_told(root: Path) -> None:
    for old, new in ((1, "1"), (2, "002001")):
        (root / f"frames/seq_{old:06}.jpg").rename(root / f"frames/seq_{new}.jpg")
    assert [remark.path.name for remark in list_mall(root).remarks] == ["seq_002001.jpg", "seq_1.jpg"]


def test_an_empty_folder_of_frames_is_told(root: Path) -> None:
    for frame in (root / "frames").iterdir():
        frame.unlink()
    assert [remark.code for remark in list_mall(root).remarks] == ["empty"]
    (root / "mall_gt.mat").unlink()
    with pytest.raises(InputError, match=r"neither frames seq_\*.jpg nor mall_gt.mat"):
        list_mall(root)


def test_a_file_of_points_that_has_changed_is_read_again(root: Path) -> None:
    raw = list_mall(root).scenes[0]
    assert len(raw.read().heads_xy) == 2
    savemat(root / "mall_gt.mat", {"frame": _cells({"loc": np.ones((3, 2))}, {"loc": np.ones((1, 2))})})
    assert len(raw.read().heads_xy) == 3


def _cells(*values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    cell = np.empty((1, len(values)), dtype=object)
    for index, value in enumerate(values):
        cell[0, index] = value
    return cell


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"frame": np.ones((3, 2))}, "frame: a cell with a structure for each frame was expected"),
        ({"frame": _cells(np.ones((1, 2)), np.ones((1, 2)))}, r"frame\{1\}: a structure with loc was expected"),
        ({"frame": _cells({"loc": np.ones((1, 2))}, {"lok": 1})}, r"frame\{2\}: a structure with loc was expected"),
        ({"frame": _cells({"loc": np.ones((1, 3))}, {"loc": 1})}, r"frame\{1\}.loc: n×2 real numbers were expected"),
    ],
)
def test_another_file_of_points_is_refused_by_name(root: Path, content: dict[str, object], words: str) -> None:
    savemat(root / "mall_gt.mat", content)
    with pytest.raises(InputError, match=rf"mall_gt\.mat.*{words}"):
        read_dataset(f"mall={root}", "trainval")


def test_a_file_of_one_frame_is_read_and_others_are_missed(root: Path) -> None:
    savemat(root / "mall_gt.mat", {"frame": np.array([[(np.ones((1, 2)),)]], dtype=[("loc", object)])})
    assert [rows.tolist() for rows in read_frames(root / "mall_gt.mat")] == [[[1.0, 1.0]]]
    with pytest.raises(InputError, match="holds 1 frames, so there is no annotation of frame 2"):
        read_dataset(f"mall={root}", "trainval")


@pytest.mark.skipif(not REAL.is_dir(), reason="Mall is not here: ../shared/data/mall_dataset")
def test_the_real_frames_and_their_counts() -> None:
    listing = list_mall(REAL)
    heads = [len(scene.read().heads_xy) for scene in listing.scenes]
    assert (len(heads), sum(heads), sum(heads[:800])) == (2000, 62_315, 23_635)
    scenes = read_dataset(f"mall={REAL}", "trainval")
    assert len(scenes) == 100
    assert {scene.size_wh for scene in scenes} == {(640, 480)}
    assert sum(scene.count for scene in scenes) == sum(heads[:100]) == 2608
    assert [scene.name for scene in read_dataset(f"mall={REAL}", "val")] == [
        f"mall/train/seq_{number:06d}" for number in range(81, 101)
    ]
