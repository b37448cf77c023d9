"""Counting metrics against plain Python, and identities that hold for any counts."""

from __future__ import annotations

import json
import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.evaluate.metrics.counting import (
    GENERAL_LEVELS,
    by_level,
    counting_result,
    mae_interval,
    mean_absolute_error,
    mean_signed_error,
    normalized_absolute_error,
    root_mean_square_error,
)

pairs = st.lists(st.tuples(st.floats(0, 1e5), st.integers(0, 50_000)), min_size=1, max_size=40)


def split(rows: list[tuple[float, int]]) -> tuple[list[float], list[int]]:
    return [predicted for predicted, _ in rows], [true for _, true in rows]


@given(pairs)
def test_against_plain_python(rows: list[tuple[float, int]]) -> None:
    predicted, true = split(rows)
    errors = [p - t for p, t in rows]
    relative = [abs(p - t) / t for p, t in rows if t]
    close = {"rel": 1e-9, "abs": 1e-9}
    assert mean_absolute_error(predicted, true) == pytest.approx(statistics.fmean(map(abs, errors)), **close)
    assert root_mean_square_error(predicted, true) == pytest.approx(
        math.sqrt(statistics.fmean(e * e for e in errors)), **close
    )
    assert mean_signed_error(predicted, true) == pytest.approx(statistics.fmean(errors), **close)
    nae = normalized_absolute_error(predicted, true)
    assert nae.left_out == len(rows) - len(relative)
    assert nae.value == (pytest.approx(statistics.fmean(relative), **close) if relative else None)


@given(pairs)
def test_rmse_is_at_least_mae_is_at_least_the_bias(rows: list[tuple[float, int]]) -> None:
    predicted, true = split(rows)
    mae = mean_absolute_error(predicted, true)
    # Squares of the tiniest floats vanish, hence the second term.
    assert root_mean_square_error(predicted, true) >= mae * (1 - 1e-12) - 1e-12
    assert mae >= abs(mean_signed_error(predicted, true)) * (1 - 1e-12)


@given(pairs)
def test_levels_part_the_images(rows: list[tuple[float, int]]) -> None:
    levels = by_level(*split(rows), GENERAL_LEVELS)
    assert sum(level.images for level in levels) == len(rows)
    assert sum(level.images * level.mae for level in levels) / len(rows) == pytest.approx(
        mean_absolute_error(*split(rows)), rel=1e-9, abs=1e-9
    )
    for level in levels:
        inside = [t for _, t in rows if level.low <= t <= (math.inf if level.high is None else level.high)]
        assert level.images == len(inside) > 0
        assert level.mean_count == pytest.approx(statistics.fmean(inside))


@settings(max_examples=15, deadline=None)
@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_the_images_changes_nothing(rows: list[tuple[float, int]], shuffle: random.Random) -> None:
    one = counting_result(*split(rows)).to_dict()
    shuffle.shuffle(rows)
    other = counting_result(*split(rows)).to_dict()
    for name in ("nae", "mae_negatives"):
        assert one[name] == (None if other[name] is None else pytest.approx(other[name], rel=1e-9))
    for data in (one, other):
        for name in ("levels", "protocol", "nae", "mae_negatives"):
            data.pop(name, None)
    assert one.pop("mae_interval") == pytest.approx(other.pop("mae_interval"), rel=1e-12)
    assert one == pytest.approx(other, rel=1e-9, abs=1e-9)


def test_levels_are_inclusive_above_and_named() -> None:
    true = [0, 1, 10, 11, 700, 701]
    names = [(level.name, level.images) for level in by_level(true, true)]
    assert names == [("0", 1), ("1–10", 2), ("11–50", 1), ("301–700", 1), ("> 700", 1)]


def test_the_interval_holds_the_mae_narrows_with_images_and_repeats() -> None:
    errors = [float((7 * index) % 23) for index in range(40)]
    true = [100] * 40
    predicted = [100 + error for error in errors]
    interval = mae_interval(predicted, true)
    assert interval.low < statistics.fmean(errors) < interval.high
    wide = interval.high - interval.low
    many = mae_interval(predicted * 9, true * 9)
    assert many.high - many.low == pytest.approx(wide / 3, rel=0.1)
    # The textbook's standard error of a mean, ±1.96 of it.
    assert wide == pytest.approx(2 * 1.96 * statistics.pstdev(errors) / math.sqrt(40), rel=0.1)
    assert mae_interval(predicted, true) == interval
    assert mae_interval(predicted, true, seed=1) != interval
    assert mae_interval(predicted, true, confidence=0.5).high < interval.high


def test_images_without_heads_are_left_out_of_nae_and_told() -> None:
    result = counting_result([3.0, 1.0], [0, 0])
    assert (result.nae, result.nae_left_out, result.mae_negatives) == (None, 2, 2.0)
    assert counting_result([3.0], [4]).mae_negatives is None


def test_the_result_is_plain_data() -> None:
    data = json.loads(json.dumps(counting_result([12, 8, 1], [10, 10, 0]).to_dict()))
    assert data["levels"][0] == {
        "name": "0", "low": 0, "high": 0, "images": 1, "mean_count": 0.0, "mae": 1.0, "rmse": 1.0, "bias": 1.0,
    }  # fmt: skip
    assert data["mae_interval"][0] <= data["mae"] <= data["mae_interval"][1]


@pytest.mark.parametrize(
    ("predicted", "true"),
    [([], []), ([1.0], [1, 2]), ([[1.0]], [[1]]), ([math.nan], [1]), ([1.0], [math.inf]), ([1.0], [-1])],
)
def test_counts_that_are_none(predicted: list[float], true: list[float]) -> None:
    with pytest.raises(InputError):
        mean_absolute_error(predicted, true)


@pytest.mark.parametrize("bounds", [(300, 300), (700, 300), (-1, 5)])
def test_bounds_that_do_not_ascend(bounds: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="ascend"):
        by_level([1.0], [1], bounds)
