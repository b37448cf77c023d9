"""Coverage: how often the true number lies in its range."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.interval import Coverage, Intervals
from headcount.evaluate.metrics.table import EvaluationSettings


def _scene(heads: int) -> Scene:
    return Scene(np.zeros((8, 8, 3), np.uint8), np.full((heads, 2), 4.0))


def test_bounds_are_those_of_clopper_and_pearson() -> None:
    # Published: 95 % intervals of 0 of 10 and 10 of 10, and of 81 of 263 (0.308; 0.2527 to 0.3676).
    assert Coverage.of([False] * 10, 0.9).bounds == (0, pytest.approx(0.3085, abs=1e-4))
    assert Coverage.of([True] * 10, 0.9).bounds == (pytest.approx(0.6915, abs=1e-4), 1)
    assert Coverage.of([True] * 81 + [False] * 182, 0.9).bounds == (
        pytest.approx(0.2527, abs=1e-4),
        pytest.approx(0.3676, abs=1e-4),
    )


def test_the_promise_is_among_what_the_images_allow_or_is_not() -> None:
    assert Coverage.of([True] * 90 + [False] * 10, 0.9).holds
    assert not Coverage.of([True] * 70 + [False] * 30, 0.9).holds
    assert not Coverage.of([True] * 100, 0.9).holds  # too wide is no good, either


def test_ends_are_inside_and_images_without_a_range_are_left_out() -> None:
    metric = Intervals(EvaluationSettings())
    assert metric.result() is None
    for heads, interval in ((3, (3.0, 9.0)), (9, (3.0, 9.0)), (10, (3.0, 9.0)), (1, None)):
        metric.add(_scene(heads), Prediction(6, (8, 8), interval=interval, interval_level=0.8), 0.1)
    result = metric.result()
    assert result is not None
    assert (result.coverage.inside, result.coverage.images, result.coverage.level) == (2, 3, 0.8)
    assert (result.median_width, result.median_share) == (6, 1)
    assert result.lines() == [
        "  ranges of 80 % hold the true number in 66.7 % of 3 images (9.4 to 99.2)",
        "  they are 6.0 people wide, 100 % of the count, by the median",
    ]
    (figure,) = result.figures()
    assert (figure.metric, figure.value) == ("coverage", 0.6667)
