"""Waits between tries: longer each time, bounded, and by chance."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from headcount.video.sources.backoff import FIRST_S, LONGEST_S, Backoff

CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(CHANCES)
def test_waits_are_within_a_quarter_of_their_step_and_never_over_a_minute(chances: Sequence[float]) -> None:
    coming = iter(chances)
    waits = Backoff(chance=lambda: next(coming))
    for number in range(len(chances)):
        step = min(LONGEST_S, FIRST_S * 2**number)
        assert 0.75 * step <= waits.next_s() <= min(LONGEST_S, 1.25 * step)


@given(CHANCES, st.floats(0, 1000))
def test_it_begins_anew_only_after_it_worked_as_long_as_the_last_wait(chances: Sequence[float], up_s: float) -> None:
    waits = Backoff(chance=lambda: 0.5)
    last = [waits.next_s() for _ in chances][-1]
    waits.worked_s(up_s)
    assert waits.next_s() == (FIRST_S if up_s >= last else min(LONGEST_S, 2 * last))


def test_two_cameras_are_not_asked_in_step() -> None:
    one, other = Backoff(), Backoff()
    assert [one.next_s() for _ in range(6)] != [other.next_s() for _ in range(6)]
