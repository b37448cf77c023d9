"""Points in cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.targets.counts import cell_counts


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 20), st.integers(0, 60), st.integers(0, 99))
def test_every_point_is_in_the_cell_that_holds_it(width: int, height: int, stride: int, heads: int, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0, [width, height], (heads, 2))
    counts = cell_counts(points, (width, height), stride)
    assert counts.shape == (-(-height // stride), -(-width // stride))
    assert counts.dtype == np.float32
    expected = np.zeros_like(counts)
    for x, y in points:
        expected[int(y // stride), int(x // stride)] += 1
    np.testing.assert_array_equal(counts, expected)


def test_the_far_border_is_the_last_cells() -> None:
    assert cell_counts(np.array([[16.0, 8.0]]), (16, 8), 8).tolist() == [[0, 1]]


def test_a_point_outside_is_refused() -> None:
    with pytest.raises(InputError, match="inside the 16×8 image"):
        cell_counts(np.array([[16.5, 8.0]]), (16, 8), 8)
    with pytest.raises(InputError, match="inside the 16×8 image"):
        cell_counts(np.array([[np.nan, 8.0]]), (16, 8), 8)
