"""When frames of a recording are due, and what a reader that fell behind passes over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headcount.video.sources.pacing import Backlog, CatchUp, Due, Lag, Pace

STEPS = st.lists(st.floats(0.001, 2), min_size=1, max_size=60)


@given(STEPS, st.lists(st.floats(0, 0.5), min_size=60, max_size=60))
def test_a_frame_is_shown_at_its_second_or_as_soon_as_it_is_read(
    steps: Sequence[float], delays: Sequence[float]
) -> None:
    pace, now, second = Pace(), 50.0, 0.0
    start = now + delays[0]
    for step, delay in zip(steps, delays, strict=False):
        now += delay  # reading took so long
        wait = pace.wait_s(second, now)
        late = pace.behind_s(second, now)
        assert min(wait, late) == 0
        assert wait == pytest.approx(max(0.0, start + second - now), abs=1e-5)
        now += wait
        assert now >= start + second - 1e-5
        second += step


@given(st.floats(0.1, 30), st.floats(0.2, 60), st.floats(0, 0.3))
def test_each_step_has_one_due_frame_at_most_and_its_first(per_second: float, fps: float, jitter: float) -> None:
    due, seconds = Due(per_second), [(number + jitter * (number % 2)) / fps for number in range(300)]
    taken = [second for second in seconds if due.takes(second, 1 / fps)]
    assert taken[0] == 0
    # Never more often than asked for, and at the film's own pace where that is slower.
    assert len(taken) <= seconds[-1] * per_second + 2
    assert len(taken) >= min(seconds[-1] * min(per_second, fps / (1 + 2 * jitter)) * 0.9 - 2, 300)


def test_due_frames_are_the_same_in_films_whose_clock_is_a_little_off() -> None:
    due = Due(1.0)
    taken = [n for n in range(100) if due.takes(n / 25 - 0.001 * (n > 0), 1 / 25)]
    assert taken == [0, 25, 50, 75]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80))
def test_nothing_is_decoded_that_refers_to_what_was_passed_over(packets: Sequence[tuple[bool, bool]]) -> None:
    catching, whole = CatchUp(), True
    for number, (is_key, behind) in enumerate(packets):
        wanted = catching.wants(is_key=is_key, behind=behind, now=float(number))
        if wanted and not is_key:
            assert whole
            assert not behind
        if is_key and wanted:
            whole = True
        elif not wanted:
            whole = False


@given(st.floats(0.05, 1.0), st.floats(1, 60))
def test_a_reader_that_waits_for_the_network_is_never_behind(waiting: float, fps: float) -> None:
    backlog = Backlog()
    assert not any(backlog.packet(waited_s=waiting / fps, now=n / fps) for n in range(600))


def test_a_burst_at_the_beginning_is_no_backlog() -> None:
    backlog = Backlog()
    assert not any(backlog.packet(waited_s=0.0, now=n * 0.001) for n in range(100))


@given(st.floats(-2e-4, 2e-4), st.floats(0, 0.9), st.integers(0, 10**6))
def test_a_camera_whose_clock_is_a_little_off_is_never_behind(drift: float, jitter_s: float, seed: int) -> None:
    lag, late = Lag(), np.random.default_rng(seed).uniform(0, jitter_s, 3000)
    assert not any(lag.frame(second=n, now=n * (1 + drift) + late[n]) for n in range(3000))


@given(st.floats(0.05, 1))
def test_a_reader_that_falls_back_is_behind_within_a_minute_and_not_once_it_caught_up(slower: float) -> None:
    lag = Lag()
    found = [n for n in range(0, 60 * 10) if lag.frame(second=n / 10, now=n / 10 * (1 + slower))]
    assert found
    now = 60 * (1 + slower)
    assert not lag.frame(second=now, now=now)


def test_a_camera_whose_clock_is_set_is_not_behind() -> None:
    lag = Lag()
    assert not any(lag.frame(second=n / 10, now=n / 10) for n in range(100))
    assert not any(lag.frame(second=n / 10 - 3600, now=10 + n / 10) for n in range(100))
