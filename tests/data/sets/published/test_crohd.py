"""CroHD and GTA_Head: what is their own beside ``test_every_set`` and their layout's ``test_mot``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.data.sets.published.crohd import list_crohd
from headcount.data.sets.registry import DATA_SETS, read_dataset


def test_crohd_is_listed_by_video_and_frame(write_set: Callable[[str], Path]) -> None:
    root = write_set("crohd")
    scenes = [scene for scene in list_crohd(root / "train").scenes if scene.split == "train"]
    assert [scene.name for scene in scenes] == [
        f"train/HT21-0{video}/00000{number}" for video in range(1, 5) for number in (1, 2)
    ]
    assert [len(scene.read().heads_xy) for scene in scenes[:4]] == [2, 1, 2, 1]
    assert scenes[0].read().stated_size_wh == (40, 30)
    assert dict(scenes[0].read().attributes) == {"video": "HT21-01"}
    tests = [scene for scene in list_crohd(root).scenes if scene.split == "test"]
    assert [scene.annotation for scene in tests] == [None, None]  # the evaluation server's


@pytest.mark.parametrize("place", ["", "HT21"])
def test_labels_may_lie_in_their_own_archive(write_set: Callable[[str], Path], place: str) -> None:
    root = write_set("crohd")
    labels = root.parent / place / "HT21Labels/train/HT21-01"
    labels.mkdir(parents=True)
    (root / "train/HT21-01/gt").rename(labels / "gt")
    assert [len(scene.read().heads_xy) for scene in list_crohd(root.parent).scenes[:2]] == [2, 1]


def test_a_video_without_annotation_is_told_from_a_missing_frame(write_set: Callable[[str], Path]) -> None:
    root = write_set("crohd")
    (root / "train/HT21-01/img1/000002.jpg").unlink()
    (root / "train/HT21-02/gt/gt.txt").unlink()
    scenes = {scene.name: scene for scene in list_crohd(root).scenes}
    missing = scenes["train/HT21-01/000002"]
    assert (missing.image, len(missing.read().heads_xy)) == (None, 1)
    assert scenes["train/HT21-02/000001"].annotation is None


def test_gta_head_keeps_weather_day_part_and_angle(write_set: Callable[[str], Path]) -> None:
    """Its page, github.com/gkw0010/GTAV_Head-dataset, names MOTChallenge's standard; where these stand is assumed."""
    root = write_set("gta-head")
    video = root / "train/scene_01"
    with (video / "seqinfo.ini").open("a") as info:
        info.write("weather=THUNDER\nShootingAngle=high\ntime=night\nmap=7\n")
    (video / "gt/gt.txt").write_text("1,1,1,1,4,4,1,1,0\n")
    scene = read_dataset(f"gta-head={root}", "trainval")[0]
    assert scene.attributes == {
        "video": "scene_01", "weather": "THUNDER", "day_part": "night", "angle": "high", "map": "7",
    }  # fmt: skip
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == [[0, 0, 4, 4]]  # visibility excludes nobody here
    with pytest.raises(InputError, match="GTA_Head/train was expected"):
        DATA_SETS["gta-head"].list_raw(video)
