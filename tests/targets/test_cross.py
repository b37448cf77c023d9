"""Cross-shaped labels."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.targets.cross import cross_map


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_nobody(stride: int) -> None:
    cross = cross_map(np.zeros((0, 2)), (9, 7), stride=stride)
    assert cross.shape == (-(-7 // stride), -(-9 // stride))
    assert cross.dtype == np.float32
    assert cross.sum() == 0


@pytest.mark.parametrize(
    ("xy", "cells"), [((8.0, 8.0), 5), ((0.0, 0.0), 3), ((16.0, 12.0), 3), ((16.0, 5.0), 4), ((7.9, 11.9), 4)]
)
def test_a_head_has_five_cells_less_those_beyond_the_border(xy: tuple[float, float], cells: int) -> None:
    assert cross_map(np.array([xy]), (16, 12)).sum() == cells


def test_crosses_that_meet_are_one_shape_of_zeros_and_ones_in_any_order() -> None:
    points = np.array([[5.5, 5.5], [6.5, 5.5], [5.5, 5.5]])
    cross = cross_map(points, (16, 12))
    assert set(np.unique(cross)) == {0, 1}
    assert cross.sum() == 8
    assert np.array_equal(cross, cross_map(points[::-1], (16, 12)))


def test_at_a_stride_arms_are_cells() -> None:
    assert np.argwhere(cross_map(np.array([[9.0, 9.0]]), (20, 20), stride=4)).tolist() == [
        [1, 2], [2, 1], [2, 2], [2, 3], [3, 2],
    ]  # fmt: skip


def test_heads_outside_the_region_leave_nothing() -> None:
    region = np.zeros((8, 8), np.bool_)
    region[:, :4] = True
    cross = cross_map(np.array([[3.5, 2.5], [4.5, 6.5]]), (8, 8), region=region)
    assert np.argwhere(cross).tolist() == [[1, 3], [2, 2], [2, 3], [3, 3]]


def test_a_point_outside_the_image_is_refused() -> None:
    with pytest.raises(InputError, match="inside the 8×8 image"):
        cross_map(np.array([[8.5, 2.0]]), (8, 8))
