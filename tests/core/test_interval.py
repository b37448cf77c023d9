"""The range of a count: what a card's record makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headcount.core.errors import InputError
from headcount.core.interval import HANDFUL, EvidenceSpec, IntervalSpec, check_level, log_ratio

STEPS = tuple(np.linspace(-1, 1, 201).round(4))
CROWDING = EvidenceSpec(name="crowding", below=0.5, above=-0.5, low=0, high=4, spread=1)
SPEC = IntervalSpec(below=-1, above=-2, evidence=(CROWDING,), quantiles=STEPS, images=400)
NUMBERS = st.floats(0, 1e6)
LEVELS = st.floats(0.5, 0.99)


@given(NUMBERS, st.floats(-10, 10), LEVELS, LEVELS)
def test_a_range_holds_its_count_and_a_higher_level_is_no_narrower(
    count: float, crowding: float, one: float, other: float
) -> None:
    (low, high), (lower, higher) = (SPEC.around(count, {"crowding": crowding}, level) for level in sorted((one, other)))
    assert 0 <= lower <= low <= count <= high <= higher


def test_the_ends_are_quantiles_times_the_scale_on_a_log_scale() -> None:
    n = SPEC.images
    low, high = SPEC.around(95, {"crowding": 2}, 0.8)
    # 0.1 and 0.9 of n + 1 places; the scale below is e^(-1 + 2 · 0.5), above e^(-2 - 2 · 0.5).
    end = 2 * (0.9 * (n + 1) / n) - 1
    assert low == pytest.approx(100 * np.exp(-end * np.exp(0)) - HANDFUL, abs=1e-3)
    assert high == pytest.approx(100 * np.exp(end * np.exp(-3)) - HANDFUL, abs=1e-3)


def test_few_residuals_reach_out_to_their_last() -> None:
    few = SPEC.model_copy(update={"images": 10})
    assert few.quantiles_at(np.array([0.05, 0.95])).tolist() == [-1, 1]  # 0.95 · 11 / 10 is beyond all of ten
    many = SPEC.model_copy(update={"images": 10**6})
    np.testing.assert_allclose(many.quantiles_at(np.array([0.05, 0.95])), [-0.9, 0.9], atol=1e-5)


def test_evidence_beyond_what_was_seen_widens_both_ends() -> None:
    assert SPEC.excesses({"crowding": 4}) == {}
    assert SPEC.excesses({"crowding": 6}) == {"crowding": 2}
    assert SPEC.excesses({"crowding": -1}) == {"crowding": -1}
    np.testing.assert_allclose(SPEC.scales({"crowding": 6}), 3 * np.array(SPEC.scales({"crowding": 4})))
    np.testing.assert_allclose(SPEC.scales({"crowding": -1}), 2 * np.array(SPEC.scales({"crowding": 0})))


def test_evidence_that_is_missing_is_0_and_other_evidence_says_nothing() -> None:
    assert SPEC.around(30, {}) == SPEC.around(30, {"crowding": 0, "weather": 5})


def test_no_range_is_wider_than_a_thousandfold() -> None:
    low, high = SPEC.around(95, {"crowding": 1e9})
    assert (low, high) == (0, pytest.approx(100 * np.exp(8) - HANDFUL))


@pytest.mark.parametrize("level", [0.4999, 0.991, -1, 90, float("nan")])
def test_a_level_that_nobody_can_tell_is_refused(level: float) -> None:
    with pytest.raises(InputError, match=r"from 0\.5 to 0\.99, but"):
        check_level(level)


def test_a_record_with_quantiles_out_of_order_is_refused() -> None:
    with pytest.raises(ValidationError, match="ascending order"):
        IntervalSpec(below=0, above=0, quantiles=(1, 0, 2), images=3)


def test_residuals_of_counts_below_zero_are_those_of_zero() -> None:
    np.testing.assert_allclose(log_ratio(np.array([0.0, 5]), np.array([-3.0, 0])), [0, np.log(2)])
