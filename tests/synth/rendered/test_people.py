"""People: looks within bounds, and bodies that hold together."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.synth.rendered.instances import Instances
from headcount.synth.rendered.meshes import PARTS
from headcount.synth.rendered.people import (
    CHEER,
    SIT,
    STAND,
    WALK,
    Taste,
    add_people,
    draw_looks,
    draw_stance,
    heads_of,
)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), n=st.integers(0, 50))
def test_looks_are_as_people_are(seed: int, n: int) -> None:
    looks = draw_looks(np.random.default_rng(seed), n, Taste())
    assert len(looks) == n
    assert ((looks.height >= 1.0) & (looks.height <= 2.0)).all()
    assert ((2 * looks.head > 0.17) & (2 * looks.head < 0.27)).all()  # metres from chin to crown
    for colour in (looks.skin, looks.hair_colour, looks.top, looks.legs, looks.shoes):
        assert colour.shape == (n, 3)
        assert ((colour >= 0) & (colour <= 1)).all()


def test_a_standing_persons_head_is_on_top() -> None:
    rng = np.random.default_rng(1)
    looks = draw_looks(rng, 40, Taste(children=0.0))
    stance = draw_stance(rng, np.zeros((40, 3)), np.zeros(40), STAND)
    middle, size, frame = heads_of(looks, stance)
    crown = middle[:, 2] + size[:, 2]
    np.testing.assert_allclose(crown, looks.height, rtol=0.06)
    np.testing.assert_allclose(np.linalg.det(frame), 1.0)


def test_who_sits_is_lower_and_who_walks_is_not() -> None:
    rng = np.random.default_rng(2)
    looks = draw_looks(rng, 30, Taste(children=0.0))
    high = {
        doing: heads_of(looks, draw_stance(rng, np.zeros((30, 3)), np.zeros(30), doing))[0][:, 2]
        for doing in (STAND, WALK, SIT)
    }
    assert (high[SIT] < high[STAND] - 0.25).all()
    np.testing.assert_allclose(high[WALK], high[STAND], atol=0.12)


def test_whoever_turns_takes_all_of_himself_along() -> None:
    rng = np.random.default_rng(3)
    looks = draw_looks(rng, 1, Taste())
    stance = draw_stance(np.random.default_rng(4), np.array([[3.0, 8.0, 0.0]]), np.zeros(1), STAND)
    turned = draw_stance(np.random.default_rng(4), np.array([[3.0, 8.0, 0.0]]), np.full(1, np.pi), STAND)
    a, b = (heads_of(looks, one)[0][0] - (3.0, 8.0, 0.0) for one in (stance, turned))
    np.testing.assert_allclose(a[:2], -b[:2], atol=1e-9)
    np.testing.assert_allclose(a[2], b[2])


def test_every_shape_belongs_to_its_person() -> None:
    rng = np.random.default_rng(5)
    looks = draw_looks(rng, 12, Taste(hats=0.5, umbrellas=0.5, coats=0.5))
    stance = draw_stance(rng, rng.uniform(-5, 5, (12, 3)) * (1, 1, 0), np.zeros(12), STAND, cheering=0.5)
    into = Instances()
    add_people(into, looks, stance, np.array(["near", "middle", "far"] * 4), first=100)
    people, heads = set(), set()
    for name, detail, rows in into.groups():
        assert name in PARTS
        assert detail in ("near", "middle", "far")
        assert np.isfinite(rows).all()
        people |= set(rows[:, 21].astype(int).tolist())
        heads |= set(rows[rows[:, 22] == 1, 21].astype(int).tolist())
        at = rows[:, [3, 7, 11]] - stance.at[rows[:, 21].astype(int) - 100]
        assert np.abs(at[:, :2]).max() < 1.2  # nothing is far from whom it belongs to
    assert people == heads == set(range(100, 112))


def test_raised_hands_are_over_the_shoulders() -> None:
    rng = np.random.default_rng(6)
    looks = draw_looks(rng, 20, Taste(children=0.0))
    stance = draw_stance(rng, np.zeros((20, 3)), np.zeros(20), STAND)
    stance.arms[:] = CHEER
    into = Instances()
    add_people(into, looks, stance, np.full(20, "near"))
    hands = next(rows for name, _, rows in into.groups() if name == "hand")
    assert np.median(hands[:, 11]) > 1.7
