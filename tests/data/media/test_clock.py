"""Time only grows, whatever the container's clock says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headcount.data.media.clock import Clock


def tenths(start: int, stop: int, shift: float = 0.0) -> list[float]:
    return [round(0.1 * number + shift, 6) for number in range(start, stop)]


CASES = {
    "plain": (tenths(0, 5), tenths(0, 5), [], []),
    "no clock": ([0.0] * 4, tenths(0, 4), [], []),
    "frames before its zero": ([0, 0, 0, *tenths(1, 4)], tenths(0, 6), [], []),
    "a clock that begins late": ([7.3, 7.4], [7.3, 7.4], [], []),
    "a rate that varies": ([0, 0.02, 0.9, 0.92, 1.8], [0, 0.02, 0.9, 0.92, 1.8], [], []),
    "joined": (tenths(0, 50) * 2, tenths(0, 100), [4.9], []),
    "joined three times": (tenths(0, 30) * 3, tenths(0, 90), [2.9, 5.9], []),
    "joined with a later one": (
        [*tenths(0, 20), *tenths(0, 20, 500)], [*tenths(0, 20), *tenths(0, 20, 500)], [], [(1.9, 498.0)]),
    "astray for a frame": ([0, 0.1, 0.9, 0.2, 1.0, 1.1], [0, 0.1, 0.9, 1.0, 1.001, 1.1], [], []),
    "out of order behind a hole": (
        [0, 0.1, 1.1, 0.2, 1.2, 0.3, *tenths(13, 40)], [0, 0.1, 1.1, 1.2, 1.201, 1.301, 1.302, *tenths(14, 40)], [],
        []),
    "lost frames": ([*tenths(0, 10), *tenths(40, 50)], [*tenths(0, 10), *tenths(40, 50)], [], [(0.9, 3.0)]),
    "waits everywhere": ([0, 2, 4, 11, 13], [0, 2, 4, 11, 13], [], []),
    "few frames lost where all come steadily": (
        [*tenths(0, 30), *tenths(36, 60)], [*tenths(0, 30), *tenths(36, 60)], [], [(2.9, 0.6)]),
    "the same where they do not": (
        [*(0.17 * n for n in range(30)), *(0.17 * n for n in range(35, 60))],
        [*(0.17 * n for n in range(30)), *(0.17 * n for n in range(35, 60))], [], []),
    "a last frame without a time": ([*tenths(0, 30), 0], tenths(0, 31), [], []),
    "half a century": ([0, 0.1, 2e9, 2e9 + 0.1], [0, 0.1, 0.2, 0.3], [0.1], []),
    "no number": ([0, 0.1, float("nan"), 0.2], [0, 0.1, 0.2, 0.201], [], []),
    "before zero": ([-1.5, -1.4, 0.1], [0, 0.1, 0.2], [], []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_clock_gives_a_time_that_goes_on(name: str) -> None:
    said, seconds, steps, pauses = CASES[name]
    clock = Clock(frame_s=0.1)
    assert [clock.tick(second) for second in said] == pytest.approx(seconds)
    assert clock.steps == pytest.approx(steps)
    assert [value for gap in clock.pauses for value in (gap.second, gap.seconds)] == pytest.approx(
        [value for gap in pauses for value in gap]
    )
    assert clock.frames == len(said)


def test_a_wait_behind_damage_is_no_pause() -> None:
    clock = Clock(frame_s=0.1)
    for number in range(10):
        clock.tick(number / 10)
    clock.tick(9.0, behind_damage=True)
    assert not clock.pauses


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60))
@example([8.98846567431158e307, 0.0, 8.988465674311579e307, 0.0])
def test_no_clock_makes_time_stand_still(said: list[float]) -> None:
    clock = Clock(frame_s=0.04)
    seconds = [clock.tick(second) for second in said]
    assert all(second >= 0 for second in seconds)
    assert all(two > one for one, two in pairwise(seconds) if one < 1e6)
