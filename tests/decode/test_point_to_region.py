"""Heads from logits."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.core.errors import InputError, ModelError
from headcount.core.prediction import Prediction
from headcount.decode.table import open_decoder


def decode(logits: np.ndarray, size_wh: tuple[int, int], **options: object) -> Prediction:
    return open_decoder("point_to_region", options)({"logits": np.float32(logits)[None]}, {"logits": 4}, size_wh)


def test_nobody() -> None:
    found = decode(np.full((5, 7), -1.0), (28, 20))
    assert (found.count, found.points_xy.shape, found.points_kind) == (0.0, (0, 2), "heads")
    assert decode(np.zeros((5, 7)), (28, 20)).count == 0  # above 0, not at it


def test_each_cell_above_zero_is_a_head_at_its_middle_with_its_sigmoid_as_score() -> None:
    logits = np.random.default_rng(0).normal(size=(6, 8))
    found = decode(logits, (32, 24))
    row, column = np.nonzero(logits > 0)
    assert found.count == len(row) == len(found.points_xy)
    np.testing.assert_array_equal(found.points_xy, np.stack([column * 4 + 2, row * 4 + 2], axis=1))
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-logits[row, column])), rtol=1e-6)
    assert found.scores.min() > 0.5


def test_the_padding_is_cut_off_and_points_stay_inside_the_image() -> None:
    found = decode(np.ones((8, 8)), (17, 5))
    assert found.count == 5 * 2
    assert (found.points_xy <= np.array([16.5, 4.5])).all()
    assert (found.points_xy >= 0.5).all()


def test_a_map_that_is_missing_too_small_or_not_finite_is_refused() -> None:
    with pytest.raises(ModelError, match="at least"):
        decode(np.ones((2, 2)), (32, 32))
    with pytest.raises(ModelError, match="not finite"):
        decode(np.full((2, 2), np.nan), (8, 8))
    with pytest.raises(ModelError, match='needs a map "logits"'):
        open_decoder("point_to_region", {})({"density": np.zeros((1, 2, 2), np.float32)}, {"density": 4}, (8, 8))


def test_there_is_no_threshold_to_set() -> None:
    with pytest.raises((InputError, ModelError), match="score_threshold"):
        decode(np.ones((2, 2)), (8, 8), score_threshold=0.5)
