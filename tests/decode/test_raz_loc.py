"""Heads from cross-shaped labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import ModelError
from headcount.core.prediction import Prediction
from headcount.decode.table import open_decoder
from headcount.targets.cross import cross_map


def decode(cross: np.ndarray, size_wh: tuple[int, int], stride: int = 1, **options: float) -> Prediction:
    return open_decoder("raz_loc", options)({"cross": cross.astype(np.float32)[None]}, {"cross": stride}, size_wh)


def test_nobody() -> None:
    found = decode(np.zeros((5, 7)), (7, 5))
    assert (found.count, found.points_xy.shape, found.points_kind) == (0.0, (0, 2), "heads")
    assert found.scores is not None
    assert found.scores.shape == (0,)


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize(("column", "row"), [(c, r) for c in (0, 1, 4, 8, 9) for r in (0, 1, 3, 6, 7)])
def test_one_head_is_found_wherever_it_is_even_on_the_border(column: int, row: int, stride: int) -> None:
    size = (10 * stride, 8 * stride)
    point = (np.array([[column, row]]) + 0.5) * stride
    found = decode(cross_map(point, size, stride=stride), size, stride)
    assert found.count == 1
    assert np.abs(found.points_xy - point).max() <= stride / 2


@pytest.mark.parametrize(("apart", "heads"), [(1, 1), (2, 1), (3, 1), (4, 2)])
def test_two_heads_are_told_apart_from_four_cells_on(apart: int, heads: int) -> None:
    points = np.array([[10.5, 10.5], [10.5 + apart, 10.5]])
    found = decode(cross_map(points, (24, 20)), (24, 20))
    assert found.count == heads
    assert np.allclose(found.points_xy.mean(axis=0), points.mean(axis=0))


def test_the_threshold_is_of_the_average() -> None:
    cross = cross_map(np.array([[4.5, 4.5]]), (9, 9))
    assert decode(cross * 0.91, (9, 9)).count == 1
    assert decode(cross * 0.89, (9, 9)).count == 0
    assert decode(cross * 0.89, (9, 9), threshold=0.4).count == 1


def test_the_last_cells_points_stay_inside_and_the_padding_is_cut_off() -> None:
    cross = np.zeros((8, 8))
    cross[2, 2] = cross[6, 6] = 5.0
    found = decode(cross, (9, 9), stride=4)
    assert found.points_xy.tolist() == [[8.5, 8.5]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 30))
def test_points_apart_come_back_whatever_their_order(seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    places = rng.permutation(48)[:number]
    points = np.stack([places % 8, places // 8], axis=1) * 6 + rng.uniform(1, 3, (number, 2))
    found = decode(cross_map(points, (48, 36)), (48, 36))
    again = decode(cross_map(points[::-1], (48, 36)), (48, 36))
    assert np.array_equal(found.points_xy, again.points_xy)
    expected = np.floor(points) + 0.5
    # On the border a head and the cell beside it average the same.
    assert len(found.points_xy) == number
    if number:
        distance = np.abs(found.points_xy[:, None] - expected[None]).max(axis=2)
        assert distance.min(axis=0).max() <= 0.5


@pytest.mark.parametrize(
    ("maps", "options", "words"),
    [
        ({}, {}, ['needs a map "cross"']),
        ({"cross": np.full((1, 4, 4), np.nan)}, {}, ['map "cross"', "not finite"]),
        ({"cross": np.zeros((1, 4, 4)), "other": np.full((1, 2, 2), np.inf)}, {}, ['map "other"']),
        ({"cross": np.zeros((1, 3, 4))}, {}, ["at least (1, 4, 4)", "(1, 3, 4)"]),
        ({"cross": np.zeros((1, 4, 4))}, {"treshold": 1}, ['no key "decoder.settings.treshold"', '"threshold"']),
        ({"cross": np.zeros((1, 4, 4))}, {"threshold": 1.0}, ["decoder.settings.threshold", "1.0", "below 1"]),
    ],
)
def test_what_does_not_fit_is_named(maps: dict[str, np.ndarray], options: dict[str, float], words: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        open_decoder("raz_loc", options)(maps, dict.fromkeys(maps, 1), (4, 4))
    for word in words:
        assert word in str(caught.value)
