"""UCSD: what is its own beside ``test_every_set``; layout: the public code of those who use the set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.sets.published.ucsd import list_ucsd, read_region
from headcount.data.sets.registry import DATA_SETS, read_dataset


@pytest.fixture
def root(write_set: Callable[[str], Path]) -> Path:
    return write_set("ucsd")


@pytest.mark.parametrize("videos", ["vidf", "ucsdpeds/vidf", ""])
def test_frames_are_read_with_their_region(root: Path, videos: str) -> None:
    for clip in (root / "vidf").iterdir():
        (root / videos).mkdir(parents=True, exist_ok=True)
        clip.rename(root / videos / clip.name)
    train, test = (read_dataset(f"ucsd={root}", split) for split in ("trainval", "test"))
    assert [scene.name for scene in test] == [f"ucsd/test/vidf1_33_000_f{n:03d}" for n in (1, 2, 3)]
    assert [scene.name[-8:] for scene in train] == [f"{clip}_f{n:03d}" for clip in ("003", "006") for n in (1, 2, 3)]
    assert [scene.points_xy.tolist() for scene in test] == [[], [[12.0, 2.5]], [[12.0, 2.5]] * 2]
    assert test[0].region is not None
    assert test[0].region.shape == (30, 40)
    assert test[0].region[2, 12]
    assert not test[0].region[2, 11]


def test_clips_three_to_six_are_for_training_and_their_end_for_validation(root: Path) -> None:
    for clip in range(10):
        truth = root / f"vidf-cvpr/vidf1_33_{clip:03d}_frame_full.mat"
        truth.write_bytes((root / "vidf-cvpr/vidf1_33_000_frame_full.mat").read_bytes())
    scenes = [replace(scene, image=root) for scene in list_ucsd(root).scenes]
    rule = DATA_SETS["ucsd"].splits
    assert [len(rule.apply(scenes, split)) for split in ("train", "val", "trainval", "test")] == [640, 160, 800, 1200]
    assert rule.apply(scenes, "val")[-1].name == "train/vidf1_33_006_f200"


def test_the_archive_that_is_missing_is_named(root: Path) -> None:
    (root / "vidf").rename(root.parent / "vidf")
    with pytest.raises(InputError, match=r"vidf/vidf1_33_000\.y was expected: unpack both archives"):
        list_ucsd(root)


@pytest.mark.parametrize("mask", ["a", np.zeros((16, 24)), np.full((16, 24), 2.0), np.ones((2, 2, 2)), np.ones((0, 0))])
def test_a_region_of_another_kind_is_refused(tmp_path: Path, mask: object) -> None:
    savemat(tmp_path / "roi.mat", {"roi": {"mask": mask}})
    with pytest.raises(InputError, match=r'roi.mat", roi.mask: a matrix of 0 and 1 was expected'):
        read_region(tmp_path / "roi.mat")


def test_a_region_of_another_size_or_none_is_refused(root: Path) -> None:
    roi = root / "vidf-cvpr/vidf1_33_roi_mainwalkway.mat"
    savemat(roi, {"roi": {"mask": np.ones((5, 7))}})
    with pytest.raises(InputError, match="region of interest of 7×5 pixels"):
        read_dataset(f"ucsd={root}", "test")
    roi.unlink()
    with pytest.raises(InputError, match=r"vidf1_33_roi_mainwalkway\.mat"):
        read_dataset(f"ucsd={root}", "test")


def test_rows_of_another_width_are_refused(root: Path) -> None:
    frames = np.array([[(np.ones((2, 2)),)]], dtype=[("loc", object)])
    savemat(root / "vidf-cvpr/vidf1_33_000_frame_full.mat", {"frame": frames})
    with pytest.raises(InputError, match=r"frame\{1\}.loc: n×3 real numbers were expected"):
        read_dataset(f"ucsd={root}", "test")
