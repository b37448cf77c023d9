"""UCSD's published layout in a miniature, as the public code of those who use the set describes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.formats.raw import RawScene
from headcount.data.sets.published.ucsd import list_ucsd, read_region
from headcount.data.sets.registry import DATA_SETS, read_dataset

SIZE_WH = (24, 16)
FRAMES = 3


def write_mat(path: Path, frames: int = FRAMES, columns: int = 3) -> None:
    """`frame{i}.loc`: frame i has i − 1 people, on the region's border."""
    cell = np.empty((1, frames), dtype=object)
    for index in range(frames):
        structure = np.zeros((1, 1), dtype=[("loc", object), ("id", object)])
        structure[0, 0] = (np.tile([12.5, 3.0, 7.0, 0.0][:columns], (index, 1)), np.arange(index).reshape(1, -1))
        cell[0, index] = structure
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"frame": cell})


def write_region(path: Path, mask: object = None) -> None:
    inside = np.zeros(SIZE_WH[::-1], np.uint8)
    inside[:, 12:] = 1
    savemat(path, {"roi": {"xi": np.ones((4, 1)), "yi": np.ones((4, 1)), "mask": inside if mask is None else mask}})


def write_ucsd(root: Path, *, videos: str = "ucsdpeds/vidf", clips: tuple[int, ...] = (0, 3, 6)) -> Path:
    for clip in clips:
        folder = root / videos / f"vidf1_33_{clip:03d}.y"
        folder.mkdir(parents=True)
        for number in range(1, FRAMES + 1):
            Image.new("L", SIZE_WH).save(folder / f"vidf1_33_{clip:03d}_f{number:03d}.png")
        write_mat(root / "vidf-cvpr" / f"vidf1_33_{clip:03d}_frame_full.mat")
    write_region(root / "vidf-cvpr" / "vidf1_33_roi_mainwalkway.mat")
    return root


@pytest.mark.parametrize("videos", ["vidf", "ucsdpeds/vidf", ""])
def test_frames_are_read_with_their_region(tmp_path: Path, videos: str) -> None:
    write_ucsd(tmp_path, videos=videos)
    train, test = (read_dataset(f"ucsd={tmp_path}", split) for split in ("trainval", "test"))
    assert [scene.name for scene in test] == [f"ucsd/test/vidf1_33_000_f{n:03d}" for n in (1, 2, 3)]
    assert [scene.name[-8:] for scene in train] == [f"{clip}_f{n:03d}" for clip in ("003", "006") for n in (1, 2, 3)]
    assert [scene.points_xy.tolist() for scene in test] == [[], [[12.0, 2.5]], [[12.0, 2.5]] * 2]
    assert test[0].region is not None
    assert test[0].region.shape == SIZE_WH[::-1]
    assert test[0].region[2, 12]
    assert not test[0].region[2, 11]
    assert test[0].pixels().shape == (*SIZE_WH[::-1], 3)


def test_clips_three_to_six_are_for_training_and_their_end_for_validation(tmp_path: Path) -> None:
    write_ucsd(tmp_path)
    annotated = [scene for scene in list_ucsd(tmp_path).scenes if scene.annotation is not None]
    assert [scene.split for scene in annotated] == ["test"] * 200 + ["train"] * 400
    whole = [
        RawScene(scene.name, scene.split, tmp_path, scene.annotation, scene.read)
        for clip in range(10)
        for scene in _frames_of(tmp_path, clip)
    ]
    rule = DATA_SETS["ucsd"].splits
    assert [len(rule.apply(whole, split)) for split in ("train", "val", "trainval", "test")] == [640, 160, 800, 1200]
    assert rule.apply(whole, "val")[-1].name == "train/vidf1_33_006_f200"


def _frames_of(root: Path, clip: int) -> list[RawScene]:
    write_mat(root / "vidf-cvpr" / f"vidf1_33_{clip:03d}_frame_full.mat", 1)
    return [scene for scene in list_ucsd(root).scenes if f"_33_{clip:03d}_" in scene.name]


def test_annotations_without_frames_and_frames_without_annotations(tmp_path: Path) -> None:
    write_ucsd(tmp_path)
    (tmp_path / "ucsdpeds/vidf/vidf1_33_000.y/vidf1_33_000_f002.png").rename(
        tmp_path / "ucsdpeds/vidf/vidf1_33_000.y/x.png"
    )
    (tmp_path / "vidf-cvpr/vidf1_33_003_frame_full.mat").unlink()
    listing = list_ucsd(tmp_path)
    assert listing.scenes[1].image is None
    bare = [scene.name for scene in listing.scenes if scene.annotation is None]
    assert bare == [f"train/vidf1_33_003_f{n:03d}" for n in (1, 2, 3)]
    assert [remark.path.name for remark in listing.remarks] == ["x.png"]


def test_another_layout_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds nothing, but vidf-cvpr/vidf1_33_000_frame_full\.mat was expected"):
        list_ucsd(tmp_path)
    write_mat(tmp_path / "vidf-cvpr" / "vidf1_33_000_frame_full.mat")
    with pytest.raises(InputError, match=r"vidf/vidf1_33_000\.y was expected: unpack both archives"):
        list_ucsd(tmp_path)
    with pytest.raises(InputError, match="There is no folder"):
        list_ucsd(tmp_path / "none")


@pytest.mark.parametrize("mask", ["a", np.zeros((16, 24)), np.full((16, 24), 2.0), np.ones((2, 2, 2)), np.ones((0, 0))])
def test_a_region_of_another_kind_is_refused(tmp_path: Path, mask: object) -> None:
    write_region(tmp_path / "roi.mat", mask)
    with pytest.raises(InputError, match=r'roi.mat", roi.mask: a matrix of 0 and 1 was expected'):
        read_region(tmp_path / "roi.mat")


def test_a_region_of_another_size_or_none_is_refused(tmp_path: Path) -> None:
    write_ucsd(tmp_path)
    roi = tmp_path / "vidf-cvpr" / "vidf1_33_roi_mainwalkway.mat"
    write_region(roi, np.ones((5, 7)))
    with pytest.raises(InputError, match="region of interest of 7×5 pixels"):
        read_dataset(f"ucsd={tmp_path}", "test")
    roi.unlink()
    with pytest.raises(InputError, match=r"vidf1_33_roi_mainwalkway\.mat"):
        read_dataset(f"ucsd={tmp_path}", "test")


def test_rows_of_another_width_are_refused(tmp_path: Path) -> None:
    write_ucsd(tmp_path)
    write_mat(tmp_path / "vidf-cvpr" / "vidf1_33_000_frame_full.mat", columns=2)
    with pytest.raises(InputError, match=r"frame\{2\}.loc: n×3 real numbers were expected"):
        read_dataset(f"ucsd={tmp_path}", "test")
