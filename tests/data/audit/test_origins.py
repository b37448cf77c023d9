"""Coordinates off by one: each way of counting pixels wrongly is told, the right one and chance are not."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.random import generator
from headcount.data.audit.origins import Borders, borders, judge_origin

WIDTH = 40


def crowd(shift_px: float, *, images: int = 30, grid: bool = True, seed: int = 1) -> list[Borders]:
    """Points on the centres of pixels (or anywhere), all moved by ``shift_px``."""
    draws = generator(seed, stream=78)
    seen = []
    for _ in range(images):
        x = draws.integers(0, WIDTH, 60) + 0.5 if grid else draws.uniform(0, WIDTH, 60)
        seen.append(borders(np.stack([x + shift_px, np.ones(60)], axis=1), WIDTH))
    return seen


@pytest.mark.parametrize(
    "seen",
    [
        [],
        [Borders()] * 3,
        crowd(-0.5, grid=False),
        [borders(np.array([[0.0, 5.0], [20.0, 5.0]]), WIDTH)] * 50,  # nobody on one side
    ],
)
def test_nothing_to_judge(seen: list[Borders]) -> None:
    assert judge_origin(seen) is None


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("grid", [True, False])
def test_centres_of_pixels_are_right(seed: int, grid: bool) -> None:
    assert judge_origin(crowd(0.0, grid=grid, seed=seed)) is None


@pytest.mark.parametrize(
    ("shift_px", "words"),
    [
        (-0.5, "0 px from the left border .* and 1 px from the right .* as if all lay 0.5 px too far left"),
        (0.5, "0.5 px too far right"),
        (-1.0, "-0.5 px from the left .* 1 px too far left"),
        (1.0, "1 px too far right"),
    ],
)
def test_another_count_is_told(shift_px: float, words: str) -> None:
    told = judge_origin(crowd(shift_px))
    assert told is not None
    assert re.search(words, told)


def test_a_few_slips_do_not_hide_it() -> None:
    slips = borders(np.array([[WIDTH, 3.0], [WIDTH, 4.0]]), WIDTH)
    assert judge_origin([*crowd(-0.5), slips]) is not None


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(30)))
def test_the_order_of_images_changes_nothing(order: list[int]) -> None:
    seen = crowd(0.5)
    assert judge_origin([seen[i] for i in order]) == judge_origin(seen)
