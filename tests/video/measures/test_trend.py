"""The trend of a number of people."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.video.measurement import Amount
from headcount.video.measures.trend import Trend


def after(numbers: np.ndarray, frame_s: float = 1.0, since: float = 1e9) -> Amount | None:
    trend = Trend()
    for at, number in enumerate(numbers):
        trend.take(since + at * frame_s, float(number))
    return trend.per_minute(0.9)


def test_a_place_that_fills_by_six_a_minute_says_so() -> None:
    found = after(np.arange(120) / 10)
    assert found is not None
    assert found.value == pytest.approx(6)
    assert (found.low, found.high, found.level) == (pytest.approx(6), pytest.approx(6), 0.9)


def test_noise_and_wrong_numbers_move_it_little_and_lie_in_the_range() -> None:
    random = np.random.default_rng(0)
    numbers = 50 - np.arange(300) / 20 + random.normal(0, 3, 300)
    numbers[::7] = 400
    found = after(numbers)
    assert found is not None
    assert found.value == pytest.approx(-3, abs=0.5)
    assert found.low is not None
    assert found.high is not None
    assert found.low < -3 < found.high < 0


def test_nothing_is_said_before_a_minute_was_seen() -> None:
    assert after(np.zeros(60)) is None
    assert after(np.zeros(62)) == Amount(value=0, low=0, high=0, level=0.9)
    assert after(np.zeros(3), frame_s=100) is None


def test_only_the_last_five_minutes_count_and_a_clock_that_jumps_begins_anew() -> None:
    found = after(np.concatenate([np.arange(300) * 5, np.full(301, 7)]))
    assert found is not None
    assert found.value == 0
    trend = Trend()
    for at in range(100):
        trend.take(1e9 + at, 100 + at)
    trend.take(1e9 - 5000, 3)
    assert trend.per_minute(0.9) is None
    for at in range(90):
        trend.take(1e9 - 5000 + at, 3)
    assert trend.per_minute(0.9) == Amount(value=0, low=0, high=0, level=0.9)
