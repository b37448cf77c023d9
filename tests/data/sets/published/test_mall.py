"""Mall's published layout, a miniature of it, and the real frames where they are."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.parse.mat_frames import read_frames
from headcount.data.sets.published.mall import list_mall
from headcount.data.sets.registry import read_dataset

REAL = Path(__file__).parents[4] / "../shared/data/mall_dataset"
SIZE_WH = (64, 48)
POINTS = {1: [(1.0, 1.0), (64.25, 48.5)], 2: [], 801: [(20.5, 10.0)]}


def write_mat(path: Path, points: dict[int, list[tuple[float, float]]], frames: int = 802) -> None:
    """`frame{i}.loc` and `count`, nested as MATLAB nests the published file."""
    cell = np.empty((1, frames), dtype=object)
    for index in range(frames):
        structure = np.zeros((1, 1), dtype=[("loc", object)])
        structure[0, 0] = (np.asarray(points.get(index + 1, []), np.float64).reshape(-1, 2),)
        cell[0, index] = structure
    counts = np.array([[len(points.get(index + 1, []))] for index in range(frames)], np.uint8)
    savemat(path, {"frame": cell, "count": counts})


def write_mall(root: Path, *, truth: str = "mall_gt.mat") -> Path:
    (root / "frames").mkdir(parents=True)
    for number in POINTS:
        Image.new("RGB", SIZE_WH).save(root / "frames" / f"seq_{number:06d}.jpg")
    write_mat(root / truth, POINTS)
    return root


@pytest.mark.parametrize(("folder", "truth"), [("", "mall_gt.mat"), ("mall_dataset", "ground_truth.mat")])
def test_frames_are_read_by_their_number(tmp_path: Path, folder: str, truth: str) -> None:
    write_mall(tmp_path / folder, truth=truth)
    scenes = {split: read_dataset(f"mall={tmp_path}", split) for split in ("trainval", "test")}
    assert [scene.name for scene in scenes["trainval"]] == ["mall/train/seq_000001", "mall/train/seq_000002"]
    assert [scene.points_xy.tolist() for scene in scenes["trainval"]] == [[[0.5, 0.5], [63.75, 48.0]], []]
    assert [scene.name for scene in scenes["test"]] == ["mall/test/seq_000801"]
    assert scenes["test"][0].points_xy.tolist() == [[20.0, 9.5]]
    assert scenes["test"][0].region is None  # the published counts are of the whole frame


def test_training_is_800_frames_and_validation_its_end(tmp_path: Path) -> None:
    listing = list_mall(write_mall(tmp_path))
    splits = [scene.split for scene in listing.scenes]
    assert splits == ["train"] * 800 + ["test"] * 1200
    missing = [scene for scene in listing.scenes if scene.image is None]
    assert len(missing) == 1997
    assert missing[0].origin == "frame{3}"


def test_what_is_not_a_frame_is_told(tmp_path: Path) -> None:
    folder = write_mall(tmp_path) / "frames"
    (folder / "seq_000001.jpg").rename(folder / "seq_1.jpg")
    Image.new("RGB", SIZE_WH).save(folder / "seq_002001.jpg")
    remarks = list_mall(tmp_path).remarks
    assert [remark.path.name for remark in remarks] == ["seq_002001.jpg", "seq_1.jpg"]


def test_frames_without_their_file_of_points_are_listed_as_such(tmp_path: Path) -> None:
    (write_mall(tmp_path) / "mall_gt.mat").unlink()
    assert [scene.annotation for scene in list_mall(tmp_path).scenes] == [None] * 3
    with pytest.raises(InputError, match=r'annotation of ".*seq_000001.jpg" is missing'):
        read_dataset(f"mall={tmp_path}", "trainval")


def test_an_empty_folder_of_frames_is_told(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    with pytest.raises(InputError, match=r"neither frames seq_\*.jpg nor mall_gt.mat"):
        list_mall(tmp_path)
    write_mat(tmp_path / "mall_gt.mat", POINTS, 2)
    assert [remark.code for remark in list_mall(tmp_path).remarks] == ["empty"]


def test_another_layout_is_named(tmp_path: Path) -> None:
    (tmp_path / "frame").mkdir()
    with pytest.raises(InputError, match=r'holds frame, but frames \(or mall_dataset\) was expected.*Is it "frame"'):
        list_mall(tmp_path)
    with pytest.raises(InputError, match="There is no folder"):
        list_mall(tmp_path / "none")


def _one_structure(path: Path) -> None:
    savemat(path, {"frame": np.array([[(np.ones((1, 2)),)]], dtype=[("loc", object)])})


def test_a_file_of_one_frame_is_read(tmp_path: Path) -> None:
    _one_structure(tmp_path / "a.mat")
    assert [rows.tolist() for rows in read_frames(tmp_path / "a.mat")] == [[[1.0, 1.0]]]


def _cells(*values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    cell = np.empty((1, len(values)), dtype=object)
    for index, value in enumerate(values):
        cell[0, index] = value
    return cell


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"frames": _cells(np.ones((1, 2)), np.ones((1, 2)))}, r'frame was expected. Did you mean "frames"'),
        ({"frame": np.ones((3, 2))}, "frame: a cell with a structure for each frame was expected"),
        ({"frame": _cells(np.ones((1, 2)), np.ones((1, 2)))}, r"frame\{1\}: a structure with loc was expected"),
        ({"frame": _cells({"loc": np.ones((1, 2))}, {"lok": 1})}, r"frame\{2\}: a structure with loc was expected"),
        ({"frame": _cells({"loc": np.ones((1, 3))}, {"loc": 1})}, r"frame\{1\}.loc: n×2 real numbers were expected"),
        ({"frame": _cells({"loc": "ab"}, {"loc": 1})}, r"frame\{1\}.loc: n×2 real numbers.*text"),
        ({"frame": _cells({"loc": [[1e9, 1.0]]}, {"loc": 1})}, r"frame\{1\}.loc row 1: 1e\+09 lies in no image"),
        ({"frame": _cells({"loc": [[1.0, np.nan]]}, {"loc": 1})}, r"frame\{1\}.loc row 1: a point must be finite"),
    ],
)
def test_another_file_of_points_is_refused_by_name(tmp_path: Path, content: dict[str, object], words: str) -> None:
    write_mall(tmp_path)
    savemat(tmp_path / "mall_gt.mat", content)
    with pytest.raises(InputError, match=words) as caught:
        read_dataset(f"mall={tmp_path}", "trainval")
    assert "mall_gt.mat" in str(caught.value)


def test_a_file_with_too_few_frames_is_named(tmp_path: Path) -> None:
    write_mall(tmp_path)
    write_mat(tmp_path / "mall_gt.mat", POINTS, 1)
    with pytest.raises(InputError, match="holds 1 frames, so there is no annotation of frame 2"):
        read_dataset(f"mall={tmp_path}", "trainval")


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2000), st.binary(max_size=40))
def test_any_damage_is_an_input_error_or_points(
    tmp_path_factory: pytest.TempPathFactory, at: int, noise: bytes
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "mall_gt.mat"
    write_mat(path, POINTS, 3)
    content = bytearray(path.read_bytes())
    content[at : at + len(noise)] = noise
    path.write_bytes(bytes(content))
    with suppress(InputError):
        assert all(isinstance(rows, np.ndarray) for rows in read_frames(path))


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
