"""SCUT-HEAD: what is its own beside ``test_every_set``; layout: github.com/HCIILAB/SCUT-HEAD-Dataset-Release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.data.formats.finish import finish
from headcount.data.sets.registry import DATA_SETS, read_dataset

REAL = Path(__file__).parents[4] / "../shared/data/SCUT-HEAD"


def test_splits_are_the_sets_own(write_set: Callable[[str], Path]) -> None:
    root = write_set("scut-head-b")
    for split, number in (("train", 0), ("val", 1), ("test", 2)):
        assert [s.name for s in read_dataset(f"scut-head-b={root}", split)] == [f"scut-head-b/PartB_{number:05}"]


def test_every_object_is_an_annotated_box(write_set: Callable[[str], Path]) -> None:
    (scene,) = read_dataset(f"scut-head-a={write_set('scut-head-a')}", "train")
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == [[1, 1, 11, 21], [28, 1, 38, 21]]
    assert scene.box_provenance == ("annotated", "annotated")


def test_a_wrong_size_and_a_degenerate_box_are_kept_raw_and_left_out_when_read(
    write_set: Callable[[str], Path],
) -> None:
    root = write_set("scut-head-a")
    path = root / "SCUT_HEAD_Part_A/Annotations/PartA_00001.xml"
    text = path.read_text().replace("<width>40<", "<width>0<").replace("<height>30<", "<height>0<")
    path.write_text(text.replace("<xmax>11<", "<xmax>1<"))
    raw = DATA_SETS["scut-head-a"].list_raw(root).scenes[1].read()
    assert raw.stated_size_wh is None  # as tools write that do not know it
    assert len(raw.heads_xy) == 2
    (scene,) = read_dataset(f"scut-head-a={root}", "val")
    assert (scene.count, scene.size_wh) == (1, (40, 30))


def test_the_other_part_is_named(write_set: Callable[[str], Path]) -> None:
    root = write_set("scut-head-b")
    for folder, hint in ((root, '.*Is it "SCUT_HEAD_Part_B"'), (root / "SCUT_HEAD_Part_B", "")):
        with pytest.raises(InputError, match=f"SCUT_HEAD_Part_A/Annotations was expected{hint}"):
            read_dataset(f"scut-head-a={folder}", "train")


@pytest.mark.skipif(not REAL.is_dir(), reason="SCUT-HEAD is not here: ../shared/data/SCUT-HEAD")
@pytest.mark.parametrize(
    ("part", "split_sizes", "heads", "degenerate", "wrong_sizes"),
    [("a", (440, 160), 19_102, 2, 0), ("b", (536, 174), 12_470, 0, 20)],
)
def test_the_real_files_are_read_whole(
    part: str, split_sizes: tuple[int, int], heads: int, degenerate: int, wrong_sizes: int
) -> None:
    """Counted independently, with the standard library's parser and Pillow."""
    listing = DATA_SETS[f"scut-head-{part}"].list_raw(REAL)
    assert listing.remarks == ()
    assert tuple(sum(s.split == split for s in listing.scenes) for split in ("train", "val")) == split_sizes
    raw = [scene.read() for scene in listing.scenes]
    assert sum(len(each.heads_xy) for each in raw) == heads
    boxes = np.concatenate([each.boxes_xyxy for each in raw if each.boxes_xyxy is not None])
    assert int((boxes[:, 2:] <= boxes[:, :2]).any(axis=1).sum()) == degenerate
    scenes = [finish(replace(scene, read=lambda at=at: raw[at])) for at, scene in enumerate(listing.scenes)]
    assert sum(scene.count for scene in scenes) == heads - degenerate
    sizes = [scene.size_wh for scene in scenes]
    assert sum(each.stated_size_wh != size for each, size in zip(raw, sizes, strict=True)) == wrong_sizes
    # The evidence for the convention: no corner is left of or above 1, or beyond the image.
    assert boxes.min() == 1
    limits = np.repeat(np.array(sizes), [len(each.heads_xy) for each in raw], axis=0)
    assert (boxes[:, 2:] <= limits).all()
