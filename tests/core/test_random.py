"""Draws depend on what they are for, never on what was drawn before."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from headcount.core.random import generator

GOLDEN = [1632374361, 2854690802, 3088178978]
KEYS = [
    {"seed": seed, "stream": stream, "epoch": epoch, "index": index}
    for seed, stream, epoch, index in itertools.product((0, 1, 2**31), (1, 2), (0, 1, 1000), (0, 1, 4096))
]


def _draw(key: dict[str, int], n: int = 4) -> tuple[float, ...]:
    seed = key["seed"]
    return tuple(generator(seed, stream=key["stream"], epoch=key["epoch"], index=key["index"]).random(n))


def test_the_same_key_draws_the_same_in_any_order() -> None:
    forward = {str(key): _draw(key) for key in KEYS}
    backward = {str(key): _draw(key) for key in reversed(KEYS)}
    assert forward == backward


def test_every_key_draws_differently() -> None:
    assert len({_draw(key) for key in KEYS}) == len(KEYS)


def test_a_long_draw_does_not_run_into_the_next_key() -> None:
    long = generator(1, stream=1, index=0).random(100_000)
    following = generator(1, stream=1, index=1).random(16)
    assert not np.isin(following, long).any()


def test_draws_leave_the_global_state_alone() -> None:
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    generator(1, stream=1).random(100)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_first_draws_are_these_on_every_machine() -> None:
    assert generator(1, stream=2, epoch=3, index=4).integers(0, 2**32, 3).tolist() == GOLDEN


def test_draws_are_spread_evenly_over_indices() -> None:
    draws = np.array([generator(7, stream=3, index=index).random() for index in range(2000)])
    assert np.abs(np.histogram(draws, bins=10, range=(0, 1))[0] - 200).max() < 70
    assert draws.mean() == pytest.approx(0.5, abs=0.03)
