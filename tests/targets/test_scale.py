"""Head boxes to the log areas a head-scale network learns, and what each cell weighs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headcount.decode.scale import sample_sizes
from headcount.targets.scale import scale_target

Boxes = NDArray[np.float64]


def _squares(*xys: tuple[float, float, float]) -> Boxes:
    """Squares of a middle (x, y) and a side."""
    return np.array([[x - s / 2, y - s / 2, x + s / 2, y + s / 2] for x, y, s in xys], np.float64).reshape(-1, 4)


def test_nobody_weighs_nothing() -> None:
    found = scale_target(np.zeros((0, 4)), (100, 60))
    assert found.log_area.shape == found.weight.shape == (8, 13)
    assert found.log_area.dtype == found.weight.dtype == np.float32
    assert found.log_area.max() == found.weight.max() == 0


def test_a_head_fills_the_cells_whose_centre_its_box_holds() -> None:
    found = scale_target(np.array([[11.0, 18.0, 37.0, 30.0]]), (64, 64))
    expected = np.zeros((8, 8), np.bool_)
    expected[2:4, 1:5] = True  # centres at 12, 20, 28, 36 across and 20, 28 down
    assert ((found.weight > 0) == expected).all()
    np.testing.assert_allclose(found.log_area[expected], np.log(26 * 12), rtol=1e-6)
    np.testing.assert_allclose(found.weight[expected], 1 / 8)


def test_a_tiny_head_has_the_four_cells_its_size_is_read_from() -> None:
    found = scale_target(_squares((17.0, 33.0, 3.0)), (64, 64))
    assert np.argwhere(found.weight > 0).tolist() == [[3, 1], [3, 2], [4, 1], [4, 2]]
    assert sample_sizes(found.log_area, 8, np.array([[17.0, 33.0]])) == pytest.approx(3)


def test_a_cell_of_two_heads_belongs_to_the_nearer_one() -> None:
    found = scale_target(_squares((30.0, 32.0, 32.0), (60.0, 32.0, 32.0)), (96, 64))
    assert found.log_area[3, 5] == found.log_area[3, 3]  # centre at 44, both are 32 px wide
    small = scale_target(_squares((48.0, 48.0, 64.0), (60.0, 60.0, 6.0)), (96, 96))
    assert np.exp(small.log_area[7, 7] / 2) == pytest.approx(6)  # though the large one holds that cell as well
    assert np.exp(small.log_area[5, 5] / 2) == pytest.approx(64)


@pytest.mark.parametrize("box", [[0, 10, 20, 30], [10, 0, 30, 20], [80, 40, 100, 55], [70, 50, 90, 60], [-5, 9, 7, 20]])
def test_a_head_that_the_border_cuts_is_left_out(box: list[float]) -> None:
    assert scale_target(np.array([box], np.float64), (100, 60)).weight.max() == 0


def test_outside_the_region_nothing_weighs() -> None:
    region = np.zeros((60, 100), np.bool_)
    region[:, :48] = True
    boxes = _squares((20.0, 20.0, 16.0), (80.0, 30.0, 16.0), (48.0, 30.0, 32.0))
    found = scale_target(boxes, (100, 60), region=region)
    assert found.weight[:, 6:].max() == found.log_area[:, 6:].max() == 0
    assert found.weight.sum() == pytest.approx(1 + 0.5)


def test_no_side_counts_less_than_a_pixel() -> None:
    assert scale_target(_squares((20.0, 20.0, 0.01)), (64, 64)).log_area.min() == 0


heads = st.lists(st.tuples(st.floats(-20, 140), st.floats(-20, 100), st.floats(0.5, 90)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(heads)
def test_each_head_that_holds_a_cell_weighs_one(crowd: list[tuple[float, float, float]]) -> None:
    boxes = _squares(*crowd)
    found = scale_target(boxes, (120, 80))
    assert found.weight.sum() == pytest.approx(round(float(found.weight.sum())), abs=1e-3)
    assert found.weight.sum() <= len(boxes) + 1e-3
    assert (found.log_area[found.weight == 0] == 0).all()


@settings(max_examples=60, deadline=None)
@given(heads, st.randoms(use_true_random=False))
def test_the_order_of_heads_makes_no_difference(crowd: list[tuple[float, float, float]], random: object) -> None:
    crowd = list({(x, y): (x, y, s) for x, y, s in crowd}.values())  # which of two equal heads wins is left to order
    shuffled = list(crowd)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = scale_target(_squares(*crowd), (120, 80)), scale_target(_squares(*shuffled), (120, 80))
    ties = (one.log_area != other.log_area).sum()
    assert ties <= len(crowd) * 2  # cells as far from one head as from another
    assert one.weight.sum() == pytest.approx(other.weight.sum(), abs=1.01)


@settings(max_examples=60, deadline=None)
@given(st.floats(25, 100), st.floats(25, 60), st.floats(1, 40))
def test_what_is_written_for_one_head_is_read_at_it(x: float, y: float, side: float) -> None:
    found = scale_target(_squares((x, y, side)), (128, 96))
    assert sample_sizes(found.log_area, 8, np.array([[x, y]])) == pytest.approx(side, rel=1e-4)
