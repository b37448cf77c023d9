"""Photographs of nobody are parted by their names alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.sets.negatives import read_negatives
from headcount.evaluate.files import read_sets
from headcount.infer.calibrate import read_choosing_sets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    for name in range(60):
        Image.new("RGB", (9, 8)).save(tmp_path / "empty" / f"{name}.png")
    return tmp_path / "empty"


def test_one_in_five_is_for_validation_wherever_it_lies(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    for name in range(0, 60, 3):
        Image.new("RGB", (9, 8)).save(tmp_path / "few" / f"{name}.png")
    parts = {
        (place, split): {scene.name for scene in read_negatives(tmp_path / place, split)}
        for place in ("empty", "few")
        for split in ("train", "val", "trainval", "test", "all")
    }
    assert len(parts["empty", "all"]) == 60
    assert parts["empty", "train"] | parts["empty", "val"] == parts["empty", "all"] == parts["empty", "trainval"]
    assert parts["empty", "test"] == parts["empty", "all"]
    assert not parts["empty", "train"] & parts["empty", "val"]
    assert 4 <= len(parts["empty", "val"]) <= 20  # one in five
    for split in ("train", "val"):
        assert parts["few", split] < parts["empty", split]
    assert all(scene.count == 0 for scene in read_negatives(folder, "val"))


def test_they_are_named_like_a_data_set(folder: Path) -> None:
    (key,) = read_sets([f"negatives={folder}"], None)
    assert key == ("negatives", "val")
    ((name, split), read) = next(iter(read_choosing_sets([f"negatives={folder}"], "all").items()))
    assert (name, split, len(read.scenes)) == ("negatives", "all", 60)
    with pytest.raises(InputError, match='"negatives" is given twice'):
        read_sets([f"negatives={folder}", f"negatives={folder}"], None)
    with pytest.raises(InputError, match='"vla" is no split'):
        read_sets([f"negatives={folder}"], "vla")
    with pytest.raises(InputError, match="photographs without people"):
        read_sets([f"negatives={folder / 'none'}"], None)
