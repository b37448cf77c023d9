"""Beijing-BRT: what is its own beside ``test_every_set``.

Layout: the README and `densityMap.m` of github.com/XMU-smartdsp/Beijing-BRT-dataset.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.sets.published.beijing_brt import list_beijing_brt, read_annotation
from headcount.data.sets.registry import list_dataset


def test_validation_is_whole_days(write_set: Callable[[str], Path]) -> None:
    train, val = (list_dataset(f"beijing-brt={write_set('beijing-brt')}", split) for split in ("train", "val"))
    assert (len(train), len(val)) == (5, 1)
    assert {len(raw.group) for raw in (*train, *val)} == {len("1-20170411")}


def test_what_is_named_otherwise_and_a_split_without_images_are_told(write_set: Callable[[str], Path]) -> None:
    root = write_set("beijing-brt")
    for image in (root / "test/frame").iterdir():
        image.unlink()
    (root / "train/frame/a.png").touch()
    remarks = list_beijing_brt(root).remarks
    assert [(remark.code, remark.path.name) for remark in remarks] == [("stray-file", "a.png"), ("empty", "frame")]


@pytest.mark.parametrize(
    ("loc", "words"), [(np.ones((2, 3)), "2×3 numbers"), (np.array([[1, 1], [-1e9, 1]]), "loc row 2"), ("text", "text")]
)
def test_a_malformed_annotation_is_named(tmp_path: Path, loc: object, words: str) -> None:
    savemat(tmp_path / "a.mat", {"loc": loc})
    with pytest.raises(InputError, match=rf"a\.mat.*{words}"):
        read_annotation(tmp_path / "a.mat")
