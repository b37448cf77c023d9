"""`NAME=PATH`: readers by name, and the splits of one's own points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.registry import read_dataset


def _points_file(folder: Path, images: int) -> Path:
    rows = ["image,x,y"]
    for number in range(images):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / f"{number}.png")
        rows += [f"{number}.png,{1 + k % 6},{1 + k // 6}" for k in range(number)] or [f"{number}.png,,"]
    path = folder / "points.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_points_are_split_once_and_for_all(tmp_path: Path) -> None:
    spec = f"points={_points_file(tmp_path, 20)}"
    train, val = read_dataset(spec, "train"), read_dataset(spec, "val")
    assert (len(train), len(val)) == (16, 4)
    names = {str(scene.image) for scene in train}
    assert not names & {str(scene.image) for scene in val}
    assert [str(s.image) for s in read_dataset(spec, "val")] == [str(s.image) for s in val]
    assert len(read_dataset(spec, "trainval")) == len(read_dataset(spec, "test")) == 20


def test_few_points_are_all_for_training(tmp_path: Path) -> None:
    spec = f"points={_points_file(tmp_path, 9)}"
    assert (len(read_dataset(spec, "train")), len(read_dataset(spec, "val"))) == (9, 0)


@pytest.mark.parametrize(
    ("spec", "split", "words"),
    [
        ("shanghaitech-b", "val", "NAME=PATH"),
        ("shanghaitch-b=/x", "val", 'Did you mean "shanghaitech-b"'),
        ("shanghaitech-b=/nowhere", "val", "no folder"),
        ("shanghaitech-b=/nowhere", "valid", 'Did you mean "val"'),
    ],
)
def test_what_cannot_be_read_is_said(spec: str, split: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_dataset(spec, split)
    assert words in str(caught.value)
