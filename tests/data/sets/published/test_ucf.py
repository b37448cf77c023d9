"""UCF_CC_50 and UCF-QNRF: what is their own beside ``test_every_set``.

Layouts: the note in UCF_CC_50 and its three files at hand; the page of UCF-QNRF (www.crcv.ucf.edu).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.data.sets.published.ucf_cc_50 import list_ucf_cc_50
from headcount.data.sets.published.ucf_qnrf import list_ucf_qnrf
from headcount.data.sets.registry import list_dataset, read_dataset

REAL = Path(__file__).parents[4] / "../shared/data/UCF_CC_50"


def test_five_folds_test_every_image_once(write_set: Callable[[str], Path]) -> None:
    root = write_set("ucf-cc-50-fold1")
    (root / "README.txt").write_text("a note")
    tested: list[str] = []
    for number in range(1, 6):
        names = [raw.name for raw in list_dataset(f"ucf-cc-50-fold{number}={root}", "test")]
        assert names == [str(n) for n in range(10 * number - 9, 10 * number + 1)]
        tested += names
    assert tested == [str(n) for n in range(1, 51)]


def test_a_fold_that_is_none_and_an_empty_split_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'no data set that headcount reads\. Did you mean "ucf-cc-50-fold'):
        list_dataset(f"ucf-cc-50-fold6={tmp_path}", "test")
    (tmp_path / "part_A").mkdir()
    with pytest.raises(InputError, match=r"holds part_A, but 1\.jpg \(or 1_ann\.mat\) was expected"):
        list_dataset(f"ucf-cc-50-fold1={tmp_path}", "test")
    (tmp_path / "Train").mkdir()
    assert [remark.code for remark in list_ucf_qnrf(tmp_path).remarks] == ["empty"]


@pytest.mark.skipif(not REAL.is_dir(), reason="UCF_CC_50 is not here: ../shared/data/UCF_CC_50")
def test_the_real_images_have_their_heads_inside() -> None:
    scenes = read_dataset(f"ucf-cc-50-fold1={REAL}", "test")
    assert [scene.count for scene in scenes] == [4633, 1940, 2364]
    for raw, scene in zip(list_ucf_cc_50(REAL).scenes, scenes, strict=True):
        assert raw.image is not None
        # 1-based as they are: nothing had to be clamped, and at x as written one point would have been outside.
        assert np.array_equal(raw.read().heads_xy, scene.points_xy)
