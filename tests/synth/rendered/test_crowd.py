"""Where people stand: apart, where it is free, in rows and in lines."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from headcount.synth.rendered.crowd import groups_facing, queue, rows_of_seats, scatter

AREA = (-10.0, 2.0, 10.0, 30.0)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), n=st.integers(0, 400), apart=st.floats(0.3, 1.5), clustered=st.floats(0, 1))
def test_people_keep_their_distance_and_stay_where_it_is_free(
    seed: int, n: int, apart: float, clustered: float
) -> None:
    def free(at: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray(np.abs(at[:, 0]) > 1.0)

    at = scatter(np.random.default_rng(seed), n, AREA, free, apart_m=apart, clustered=clustered)
    assert len(at) <= n
    assert free(at).all()
    assert (at >= AREA[:2]).all()
    assert (at <= AREA[2:]).all()
    assert not cKDTree(at).query_pairs(apart * 0.999) if len(at) else True


def test_as_many_as_asked_for_where_there_is_room() -> None:
    at = scatter(np.random.default_rng(1), 300, AREA, lambda at: np.ones(len(at), np.bool_), apart_m=0.5, clustered=0.5)
    assert len(at) == 300


def test_clusters_are_closer_together_than_chance() -> None:
    def nearest(clustered: float) -> float:
        at = scatter(
            np.random.default_rng(2), 150, AREA, lambda at: np.ones(len(at), np.bool_), apart_m=0.4,
            clustered=clustered,
        )  # fmt: skip
        return float(np.median(cKDTree(at).query(at, k=2)[0][:, 1]))

    assert nearest(0.95) < 0.8 * nearest(0.0)


def test_a_queue_goes_to_and_fro() -> None:
    spots = queue(np.random.default_rng(3), 40, (0.0, 5.0, 6.0, 20.0), 4)
    assert len(spots) == 40
    lanes = np.round((spots.at[:, 1] - spots.at[:, 1].min()) / 1.1).astype(int)
    assert len(np.unique(lanes)) >= 3
    ahead = np.sign(np.sin(spots.facing))  # to the left or to the right
    assert {np.sign(np.median(ahead[lanes == lane])) for lane in (0, 1)} == {-1.0, 1.0}


def test_seats_leave_aisles_free_and_rise() -> None:
    seats = rows_of_seats(
        np.random.default_rng(4), (-6.0, 4.0, 6.0, 9.0), between_m=1.0, apart_m=0.6, rise_m=0.3, aisles=(0.0,),
        facing=math.pi,
    )  # fmt: skip
    assert seats.sitting.all()
    assert (np.abs(seats.at[:, 0]) > 0.75).all()
    np.testing.assert_allclose(seats.at[:, 2], 0.3 * (seats.at[:, 1] - 4.0), atol=1e-9)


def test_two_who_talk_face_each_other() -> None:
    at = np.array([[0.0, 5.0], [0.0, 6.0]])
    facing = groups_facing(np.random.default_rng(5), at, 0.0, 0.0, 1.0)
    np.testing.assert_allclose(np.abs(facing), [0.0, math.pi], atol=1e-9)
