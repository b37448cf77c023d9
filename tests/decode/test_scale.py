"""Sizes read from a map of log areas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.decode.scale import limit_sides, sample_sizes

MAP = np.random.default_rng(4).normal(6, 1, (5, 7)).astype(np.float32)
coordinates = st.floats(-50, 150, allow_nan=False)


def _centres(stride: int) -> np.ndarray:
    rows, columns = np.indices(MAP.shape)
    return np.stack([columns.ravel(), rows.ravel()], axis=1) * float(stride) + stride / 2


def test_no_points_have_no_sizes() -> None:
    assert sample_sizes(MAP, 8, np.zeros((0, 2))).shape == (0,)


@pytest.mark.parametrize("stride", [1, 4, 8])
def test_at_cell_centres_the_cells_own_size_is_read(stride: int) -> None:
    sides = sample_sizes(MAP, stride, _centres(stride))
    np.testing.assert_array_equal(sides, np.exp(MAP.ravel().astype(np.float64) / 2))


def test_between_two_cells_the_log_area_lies_half_way() -> None:
    sides = sample_sizes(MAP, 8, np.array([[8.0, 4.0], [4.0, 8.0]]))
    expected = np.exp([(MAP[0, 0] + MAP[0, 1]) / 4, (MAP[0, 0] + MAP[1, 0]) / 4])
    np.testing.assert_allclose(sides, expected, rtol=1e-6)


def test_beyond_the_outermost_centres_the_map_goes_on_as_it_ends() -> None:
    outside = np.array([[0.0, 0.0], [56.0, 40.0], [-3.0, 4.0], [90.0, 4.0]])
    expected = np.exp(MAP[[0, 4, 0, 0], [0, 6, 0, 6]].astype(np.float64) / 2)
    np.testing.assert_array_equal(sample_sizes(MAP, 8, outside), expected)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(coordinates, coordinates), max_size=20), st.floats(1, 300), st.sampled_from([(1, 1), (4, 9)]))
def test_a_constant_map_gives_everyone_its_size(
    points: list[tuple[float, float]], side: float, shape: tuple[int, int]
) -> None:
    log_area = np.full(shape, 2 * np.log(side), np.float32)
    sides = sample_sizes(log_area, 8, np.array(points, np.float64).reshape(-1, 2))
    np.testing.assert_allclose(sides, side, rtol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=20))
def test_no_size_lies_beyond_the_map(points: list[tuple[float, float]]) -> None:
    sides = sample_sizes(MAP, 8, np.array(points))
    assert sides.min() >= np.exp(MAP.min() / 2) * (1 - 1e-6)
    assert sides.max() <= np.exp(MAP.max() / 2) * (1 + 1e-6)


def test_absurd_values_stay_finite_and_are_limited() -> None:
    sides = sample_sizes(np.array([[1e30, -1e30]], np.float32), 8, np.array([[4.0, 4.0], [12.0, 4.0]]))
    assert limit_sides(sides, (640, 480)).tolist() == [480, 2]
    assert limit_sides(np.array([5.0]), (1, 9)).tolist() == [1]
