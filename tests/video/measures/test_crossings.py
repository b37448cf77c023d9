"""Crossings: once a walker and crossing, in their direction, between the ends, and refused where nobody can tell."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from tests.video import students as of_students
from tests.video.measures.test_density import trajectories, walkers

from headcount.video.measures.crossings import BAND_M, Crossings, LineCounter, Passed, nearest_m, told_apart
from headcount.video.measures.tracks import Steps, Tracker

ACROSS = np.array([[0.0, -5], [0, 5]])
"""Upwards; where y grows away from the viewer, right is where x is above 0."""


def steps_of(before: Any, now: Any, ids: Any = None) -> Steps:
    n = len(now)
    return Steps(
        np.arange(n) if ids is None else np.asarray(ids), np.array(before, float), np.array(now, float), np.ones(n),
        np.ones(n), np.full(n, 5),
    )  # fmt: skip


def walked(counter: LineCounter, path: Any) -> tuple[int, int]:
    path = np.array(path, float)
    for before, now in pairwise(path):
        counter.take(steps_of([before], [now]))
    return counter.forward, counter.backward


@pytest.mark.parametrize(
    ("path", "crossed"),
    [
        ([[-1, 0], [-0.3, 0], [0.3, 0], [1, 0]], (1, 0)),
        ([[1, 0], [0.3, 0], [-0.3, 0], [-1, 0]], (0, 1)),
        ([[-1, 0], [1, 0], [-1, 0], [1, 0]], (2, 1)),
        ([[-1, 0], [0, 0], [1, 0]], (1, 0)),  # a step that ends on the line
        ([[-1, 0], [0.1, 0], [-0.1, 0], [0.1, 0], [1, 0]], (1, 0)),
        ([[-1, 0], [0.1, 0], [-0.1, 0], [-1, 0]], (0, 0)),  # turned back on the line
        ([[-1, 6], [1, 6]], (0, 0)),  # beside its end
        ([[-1, 0], [-1, 6], [1, 6], [1, 0]], (0, 0)),  # around its end
        ([[-1, 0], [-1, 6], [1, 6], [1, 0], [-1, 0]], (0, 1)),
        ([[0, 0], [1, 0]], (0, 0)),  # it began on the line
        ([[-1, 0]], (0, 0)),
    ],
)
def test_a_walk_crosses_as_often_as_it_does(path: Any, crossed: tuple[int, int]) -> None:
    assert walked(LineCounter(ACROSS, -1), path) == crossed
    assert walked(LineCounter(ACROSS, 1), path) == crossed[::-1]
    assert walked(LineCounter(ACROSS[::-1], -1), path) == crossed[::-1]


@given(st.integers(0, 2**32 - 1))
def test_jitter_on_the_line_counts_nobody_twice(seed: int) -> None:
    jitter = np.random.default_rng(seed).uniform(-0.99 * BAND_M, 0.99 * BAND_M, (50, 2))
    stands = np.concatenate([[[-2, 0]], jitter, [[2, 0]]])
    assert walked(LineCounter(ACROSS, -1), stands[:-1]) == (0, 0)
    assert walked(LineCounter(ACROSS, -1), stands) == (1, 0)
    slow = np.stack([np.linspace(-1, 1, 50), np.zeros(50)], axis=1) + jitter / 2
    assert walked(LineCounter(ACROSS, -1), slow) == (1, 0)


def counted(rows: np.ndarray, line: np.ndarray, every: int = 1) -> LineCounter:
    """By tracks alone, from rows of frame, person and places."""
    tracker, counter = Tracker(), LineCounter(line)
    for frame in np.unique(rows[:, 0])[::every]:
        counter.take(tracker.follow(rows[rows[:, 0] == frame, 4:], frame / of_students.FRAMES_A_SECOND))
    return counter


def by_identity(rows: np.ndarray, line: np.ndarray) -> LineCounter:
    """By who is who, as the table says."""
    counter, before = LineCounter(line), {}
    for frame in np.unique(rows[:, 0]):
        now = {int(row[1]): row[4:] for row in rows[rows[:, 0] == frame]}
        ids = sorted({*before, *now})
        counter.take(steps_of([before.get(i, now.get(i)) for i in ids], [now.get(i, before.get(i)) for i in ids], ids))
        before |= now
    return counter


LINES = [
    np.array(ends, float) for ends in ([(-1, -7), (-1, 8)], [(-7, 1), (6, 1)], [(-5, -6), (4, 7)], [(2, -6), (2, 8)])
]


def test_walkers_flow_as_pedpy_says() -> None:
    rows = walkers(seed=4, frames=40)
    pedpy, walked_ = trajectories(rows)
    for ends in LINES:
        line = pedpy.MeasurementLine(ends.tolist())
        table, crossings = pedpy.compute_n_t(traj_data=walked_, measurement_line=line)
        found, true = counted(rows, ends), by_identity(rows, ends)
        assert len(crossings) > 5
        # A crossing counts once it is 15 cm beyond: those of the last steps may still be to come.
        last = rows[rows[:, 0] == 39, 4:]
        left = int((shapely.distance(shapely.points(last), line.line) <= BAND_M).sum())
        assert 0 <= len(crossings) - (true.forward + true.backward) <= left
        assert (found.forward, found.backward) == (true.forward, true.backward)
        minutes = 40 / of_students.FRAMES_A_SECOND / 60
        per_m_min = (found.forward + found.backward) / minutes / np.linalg.norm(ends[1] - ends[0])
        theirs = table["cumulative_pedestrians"].iloc[-1] / minutes / line.length
        assert per_m_min == pytest.approx(theirs, abs=left / minutes / line.length + 1e-9)


@of_students.needed
def test_students_are_counted_as_their_identities_say() -> None:
    rows = of_students.students()
    pedpy, walked_ = trajectories(rows)
    wrong = total = 0
    for ends in LINES:
        true, found = by_identity(rows, ends), counted(rows, ends)
        wrong += abs(found.forward - true.forward) + abs(found.backward - true.backward)
        total += true.forward + true.backward
        _, first = pedpy.compute_n_t(traj_data=walked_, measurement_line=pedpy.MeasurementLine(ends.tolist()))
        one_by_one = {int(who): by_identity(rows[rows[:, 1] == who], ends) for who in np.unique(rows[:, 1])}
        crossed = {who for who, counter in one_by_one.items() if counter.forward + counter.backward}
        assert crossed <= set(first["id"])
        for who in set(first["id"]) - crossed:  # who turned round on the line, or was last seen there
            beside, _ = LineCounter(ends)._places(rows[rows[:, 1] == who, 4:], np.ones(1))
            assert min(beside.max(), -beside.min()) <= BAND_M
    assert total > 150
    assert wrong <= 0.02 * total


@of_students.needed
@pytest.mark.parametrize(("every", "refused"), [(1, False), (2, True), (3, True)])
def test_students_are_refused_where_frames_are_too_far_apart(every: int, refused: bool) -> None:
    rows = of_students.students()
    crossings = Crossings([(ends, 1) for ends in LINES])
    reasons = [
        crossings.take(rows[rows[:, 0] == frame, 4:], frame / of_students.FRAMES_A_SECOND)
        for frame in np.unique(rows[:, 0])[::every]
    ]
    # The first ten frames measure how fast they walk.
    assert all(bool(reason) is refused for reason in reasons[12:])
    minute = crossings.passed()[0].per_min
    if refused:
        assert "nobody can tell which is which: measure" in reasons[-1]
        assert minute is None
    else:
        assert crossings.walking_m_s == pytest.approx(0.75, abs=0.05)  # 0.6 m/s by the table, and a quarter more
        assert minute is not None


def pass_by(crossings: Crossings, seconds: float, *, since: float = 0.0, frame_s: float = 0.2) -> str:
    """One walker every two seconds, at 1 m/s, over x = 0 to the right."""
    reason = ""
    for at in np.arange(since, since + seconds - 1e-9, frame_s):
        places = [[(at - begin) - 3, 0.5] for begin in np.arange(0, at + 1e-9, 2) if at - begin < 6]
        reason = crossings.take(np.array(places, float).reshape(-1, 2), float(at))
    return reason


def test_crossings_a_minute_are_of_the_last_minute() -> None:
    crossings = Crossings([(ACROSS, -1)])
    pass_by(crossings, 9)
    assert crossings.passed()[0].per_min is None
    pass_by(crossings, 191, since=9.0)
    told = crossings.passed()[0]
    assert told.forward in (98, 99)
    assert told.backward == 0
    assert told.lately == (30, 0)
    assert told.per_min == pytest.approx(1, abs=0.01)
    for at in np.arange(200, 270, 0.2):
        crossings.take(np.zeros((0, 2)), float(at))
    told = crossings.passed()[0]
    assert told.lately == (0, 0)
    assert told.forward > 90


def test_time_that_nobody_saw_is_not_counted_as_empty() -> None:
    crossings = Crossings([(ACROSS, -1)])
    pass_by(crossings, 40)
    for at in np.arange(40, 60, 0.2):
        crossings.refuse(float(at))
    assert crossings.passed()[0].per_min is None
    pass_by(crossings, 20, since=60.0)
    told = crossings.passed()[0]
    assert told.per_min == pytest.approx(1.5, abs=0.1)  # 40 s of the last 60
    assert told.lately[0] * told.per_min == pytest.approx(30, abs=3)


def test_a_clock_that_jumps_begins_anew_and_keeps_what_was_counted() -> None:
    crossings = Crossings([(ACROSS, -1)])
    pass_by(crossings, 60)
    before = crossings.passed()[0].forward
    crossings.take(np.array([[1.0, 0]]), 5.0)
    assert crossings.passed()[0] == Passed(before, 0, (0, 0), None)
    crossings.take(np.array([[-1.0, 0]]), 1e6)
    assert crossings.passed()[0].forward == before
    assert crossings.take(np.array([[-1.0, 0]]), 1e6) == ""


def test_heads_that_cannot_be_told_apart_are_refused() -> None:
    assert told_apart(100, 78, "heads") == ""
    assert told_apart(1.4, 0, "heads") == ""
    assert "without locating" in told_apart(100, 100, "peaks")
    assert "without locating" in told_apart(0, 0, "none")
    assert "only 50 are heads" in told_apart(100, 50, "heads")
    assert nearest_m(np.zeros((1, 2))) is None
    assert nearest_m(np.array([[0.0, 0], [30, 0]]), np.array([10.0, 10])) == 3
