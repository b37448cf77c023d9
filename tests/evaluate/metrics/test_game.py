"""GAME: sums are kept, level 0 is the absolute error, and finer grids never forgive more."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.evaluate.metrics.game import grid_of_density, grid_of_points, region_errors

sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))


def scene(size_wh: tuple[int, int], stride: int, seed: int) -> tuple[Prediction, np.ndarray]:
    draw = np.random.Generator(np.random.Philox(seed))
    width, height = size_wh
    # One row and column more than the image needs: padding.
    density = draw.random((-(-height // stride) + 1, -(-width // stride) + 1), dtype=np.float32)
    points = draw.random((seed % 9, 2)) * size_wh
    return Prediction(float(density.sum()), size_wh, density=density, density_stride=stride), points


@settings(deadline=None)
@given(sizes, st.integers(1, 16), st.integers(0, 10_000))
def test_game_0_is_the_absolute_error_and_game_never_falls(size_wh: tuple[int, int], stride: int, seed: int) -> None:
    prediction, points = scene(size_wh, stride, seed)
    errors = region_errors(prediction, points, (0, 1, 2, 3, 4))
    assert errors is not None
    assert errors[0] == pytest.approx(abs(prediction.count - len(points)), rel=1e-5, abs=1e-4)
    ascending = list(errors.values())
    assert all(coarse <= fine + 1e-9 for coarse, fine in pairwise(ascending))


@settings(deadline=None)
@given(sizes, st.integers(1, 16), st.integers(0, 3), st.integers(0, 10_000))
def test_a_density_is_shared_out_by_area(size_wh: tuple[int, int], stride: int, level: int, seed: int) -> None:
    prediction, _ = scene(size_wh, stride, seed)
    density = prediction.density
    assert density is not None
    grid = grid_of_density(density, stride, size_wh, level)
    assert grid.sum() == pytest.approx(float(density.sum(dtype=np.float64)), rel=1e-9)
    # By brute force: each cell's part inside the image in tiny squares, each square to the region it lies in.
    fine, side = 8, 1 << level
    expected = np.zeros((side, side))
    for row, column in np.ndindex(density.shape):
        x = column * stride + (np.arange(stride * fine) + 0.5) / fine
        y = row * stride + (np.arange(stride * fine) + 0.5) / fine
        x, y = x[x < size_wh[0]], y[y < size_wh[1]]
        columns = np.bincount((x / size_wh[0] * side).astype(int), minlength=side) / max(len(x), 1)
        rows = np.bincount((y / size_wh[1] * side).astype(int), minlength=side) / max(len(y), 1)
        columns[-1] += not len(x)
        rows[-1] += not len(y)
        expected += float(density[row, column]) * np.outer(rows, columns)
    # Borders of up to 8 regions fall on multiples of 1/8 px, where no square is cut.
    assert grid == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_points_on_the_borders_and_outside() -> None:
    points = np.array([[0, 0], [5, 4], [10, 8], [-3, 9], [4.999, 3.999]])
    assert grid_of_points(points, (10, 8), 1).tolist() == [[2, 0], [1, 2]]
    assert grid_of_points(np.zeros((0, 2)), (10, 8), 1).tolist() == [[0, 0], [0, 0]]


def test_located_heads_serve_where_there_is_no_density() -> None:
    points = np.array([[1.0, 1.0], [9.0, 1.0]])
    heads = Prediction(2.0, (10, 8), points_xy=points[::-1], points_kind="heads")
    assert region_errors(heads, np.array([[1.0, 1.0], [1.0, 7.0]]), (0, 1)) == {0: 0.0, 1: 2.0}
    peaks = Prediction(2.0, (10, 8), points_xy=points, points_kind="peaks")
    assert region_errors(peaks, points) is None


@pytest.mark.parametrize("level", [-1, 9])
def test_levels_out_of_range(level: int) -> None:
    with pytest.raises(InputError, match="0 to 8"):
        grid_of_points(np.zeros((0, 2)), (10, 8), level)
