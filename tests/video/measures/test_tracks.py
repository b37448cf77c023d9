"""Short tracks: who is followed, through gaps and past others, and who is not."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.video.measures.tracks import Steps, Tracker


def follow(frames: list[list[list[float]]], frame_s: float = 0.2) -> list[Steps]:
    tracker = Tracker()
    return [tracker.follow(np.array(f, float).reshape(-1, 2), at * frame_s) for at, f in enumerate(frames)]


def test_who_walks_keeps_one_track_and_tells_the_speed() -> None:
    steps = follow([[[0.2 * at, 0]] for at in range(6)])
    assert {tuple(one.ids.tolist()) for one in steps} == {(0,)}
    np.testing.assert_allclose(steps[-1].speeds_m_s, [1.0])
    np.testing.assert_allclose(steps[-1].before, [[0.8, 0]])
    assert steps[0].elapsed_s.tolist() == [0]


def test_two_who_pass_each_other_go_on_as_before() -> None:
    frames = [[[0.25 * at, 0.0], [3 - 0.25 * at, 0.1]] for at in range(13)]
    last = follow(frames)[-1]
    np.testing.assert_allclose(last.now[np.argsort(last.ids)], frames[-1])


def test_a_head_that_is_hidden_for_a_moment_is_the_same() -> None:
    steps = follow([[[0.2 * at, 0]] if at not in (4, 5, 6) else [] for at in range(10)])
    assert steps[-1].ids.tolist() == [0]
    assert (steps[5].elapsed_s == 0).all()
    np.testing.assert_allclose(steps[7].elapsed_s, [0.8])
    np.testing.assert_allclose(steps[7].before, [[0.6, 0]])


def test_who_was_gone_for_long_or_appears_far_away_is_another() -> None:
    assert follow([[[0, 0]], *[[]] * 9, [[0, 0]]])[-1].ids.tolist() == [1]
    assert sorted(follow([[[0, 0]], [[9, 9]]])[-1].ids.tolist()) == [0, 1]
    assert follow([[], [], []])[-1].ids.tolist() == []


def test_in_pixels_the_reach_is_in_sizes_of_heads() -> None:
    for per_m, kept in ((100.0, True), (10.0, False)):
        tracker = Tracker()
        tracker.follow(np.array([[100.0, 100]]), 0.0, np.array([per_m]))
        steps = tracker.follow(np.array([[130.0, 100]]), 0.2, np.array([per_m]))
        assert (len(steps.ids) == 1) is kept


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_everybody_is_followed_where_steps_are_short_for_the_room(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    start = np.stack(np.meshgrid(np.arange(8), np.arange(8)), axis=-1).reshape(-1, 2)[:n] * 2.0
    way = random.uniform(-1.4, 1.4, 2)  # all in one direction, each a little to the side
    tracker, whose = Tracker(), {}
    for at in range(8):
        order = random.permutation(n)
        places = start + way * at * 0.2 + random.normal(0, 0.03, (n, 2))
        steps = tracker.follow(places[order], at * 0.2)
        assert (np.diff(steps.ids) > 0).all()
        for track, place in zip(steps.ids.tolist(), steps.now, strict=True):
            person = int(np.argmin(np.linalg.norm(places - place, axis=1)))
            assert whose.setdefault(track, person) == person
    assert len(whose) == n
