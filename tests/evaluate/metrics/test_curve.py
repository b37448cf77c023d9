"""The curve of precision and recall by score, and the area below it."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.evaluate.metrics.curve import Curve


def test_a_curve_of_nothing() -> None:
    curve = Curve.of(np.zeros(0), np.zeros(0))
    assert (curve.average_precision(3), curve.miss_rate(3, 1)) == (0, 1)


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_that_below_the_best_precision_at_each_recall_or_beyond(seed: int) -> None:
    draw = np.random.default_rng(seed)
    scores, is_true = draw.integers(1, 8, 30) / 8, draw.random(30) < 0.5
    heads = int(is_true.sum()) + 3
    area = before = 0.0
    for level in sorted(set(scores), reverse=True):
        recall = is_true[scores >= level].sum() / heads
        best = max(is_true[scores >= lower].mean() for lower in set(scores) if lower <= level)
        area, before = area + (recall - before) * best, recall
    assert Curve.of(scores, scores[is_true]).area(heads) == pytest.approx(area)
    assert Curve.of(scores[::-1], scores[is_true][::-1]).area(heads) == pytest.approx(area)
