"""`NAME=PATH`: readers by name, and the splits of one's own points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.sets.registry import read_dataset


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


def _shanghaitech_b(root: Path) -> Path:
    folder = root / "part_B" / "train_data"
    for name in ("images", "ground-truth"):
        (folder / name).mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "images" / "IMG_1.jpg")
    (folder / "ground-truth" / "GT_IMG_1.mat").touch()
    return root


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("shanghaitech-a", "st", "It is laid out like shanghaitech-b: write shanghaitech-b={}/st."),
        ("scut-head-a", "st", "It is laid out like shanghaitech-b: write shanghaitech-b={}/st."),
        ("shanghaitech-b", "", "write shanghaitech-b={}/st."),
        ("shanghaitech-b", "st/part_B/train_data/images", "write shanghaitech-b={}/st/part_B"),
    ],
)
def test_the_nearest_known_layout_is_named(tmp_path: Path, name: str, given: str, words: str) -> None:
    _shanghaitech_b(tmp_path / "st")
    with pytest.raises(InputError, match="was expected") as caught:
        read_dataset(f"{name}={tmp_path / given}", "train")
    assert words.format(tmp_path) in str(caught.value)


def test_folds_are_named_where_the_set_is_asked_for() -> None:
    with pytest.raises(InputError, match=r"write ucf-cc-50-fold1=/data/x \(to ucf-cc-50-fold5"):
        read_dataset("ucf-cc-50=/data/x", "train")
