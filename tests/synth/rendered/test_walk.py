"""Walking: those who stand stay, those who walk keep their pace, make way and stay in the place."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.synth.rendered.people import STAND, WALK, Stance
from headcount.synth.rendered.walk import walk

AREA = (-6.0, 2.0, 6.0, 20.0)


def _stance(seed: int, n: int, walking: float) -> Stance:
    rng = np.random.default_rng(seed)
    at = np.column_stack([rng.uniform(-6, 6, n), rng.uniform(2, 20, n), np.zeros(n)])
    doing = np.where(rng.random(n) < walking, WALK, STAND)
    return Stance(at, rng.uniform(0, 6, n), doing, np.zeros(n, int), rng.uniform(0, 6, n), np.zeros((n, 2)))


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 60), walking=st.floats(0, 1))
def test_nobody_jumps_or_leaves(seed: int, n: int, walking: float) -> None:
    first = _stance(seed, n, walking)
    moments = list(walk(np.random.default_rng(seed), first, AREA, np.zeros((0, 3)), frames=30, per_second=10.0))
    assert len(moments) == 30
    np.testing.assert_array_equal(moments[0].at, first.at)
    still = first.doing != WALK
    for before, after in pairwise(moments):
        step = np.linalg.norm(after.at - before.at, axis=1)
        assert (step[still] == 0).all()
        assert step.max() <= 2.0 * 1.3 / 10 + 1e-9  # the quickest, a little hurried
    assert (moments[-1].at[:, 0] > AREA[0] - 3).all()
    assert (moments[-1].at[:, 0] < AREA[2] + 3).all()


def test_two_on_one_line_make_way_for_each_other() -> None:
    at = np.array([[0.0, 4.0, 0.0], [0.05, 12.0, 0.0]])
    stance = Stance(at, np.array([0.0, np.pi]), np.full(2, WALK), np.zeros(2, int), np.zeros(2), np.zeros((2, 2)))
    moments = list(walk(np.random.default_rng(1), stance, AREA, np.zeros((0, 3)), frames=80, per_second=10.0))
    gaps = [float(np.linalg.norm(moment.at[0] - moment.at[1])) for moment in moments]
    assert min(gaps) > 0.3
    assert moments[-1].at[0, 1] > 10  # and both go on


def test_a_post_is_walked_round() -> None:
    stance = Stance(
        np.array([[0.02, 4.0, 0.0]]), np.zeros(1), np.full(1, WALK), np.zeros(1, int), np.zeros(1), np.zeros((1, 2))
    )
    post = np.array([[0.0, 8.0, 0.3]])
    way = [
        moment.at[0, :2] for moment in walk(np.random.default_rng(2), stance, AREA, post, frames=80, per_second=10.0)
    ]
    assert min(float(np.hypot(*(at - post[0, :2]))) for at in way) > 0.35
    assert way[-1][1] > 10


def test_the_same_numbers_walk_the_same_way() -> None:
    a, b = (
        list(walk(np.random.default_rng(7), _stance(3, 20, 0.8), AREA, np.zeros((0, 3)), frames=10, per_second=25.0))
        for _ in range(2)
    )
    np.testing.assert_array_equal(a[-1].at, b[-1].at)
    np.testing.assert_array_equal(a[-1].facing, b[-1].facing)
