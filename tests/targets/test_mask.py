"""Masks against their definitions, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.targets.density import density_map
from headcount.targets.mask import box_mask, check_mask, density_mask, disc_mask

SIZE_WH = (23, 17)
relaxed = settings(deadline=None, max_examples=60)
coordinate = st.one_of(st.integers(0, 46).map(lambda n: n / 2), st.floats(0, 17))
points_lists = st.lists(st.tuples(coordinate, st.floats(0, 17)), max_size=6)


def _centres() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[0 : SIZE_WH[1], 0 : SIZE_WH[0]]
    return columns + 0.5, rows + 0.5


@relaxed
@given(points_lists)
def test_density_mask_is_the_support_of_the_density(points: list[tuple[float, float]]) -> None:
    density = density_map(np.array(points).reshape(-1, 2), SIZE_WH, kernel_size=5)
    mask = density_mask(density)
    x, y = _centres()
    expected = np.zeros(mask.shape, np.bool_)
    for px, py in points:
        column, row = min(int(px), SIZE_WH[0] - 1), min(int(py), SIZE_WH[1] - 1)
        expected |= (abs(x - 0.5 - column) <= 2) & (abs(y - 0.5 - row) <= 2)
    np.testing.assert_array_equal(mask, expected)
    assert mask.dtype == np.float32


anywhere = st.lists(st.tuples(st.floats(-40, 60), st.floats(-40, 60)), max_size=4)


@relaxed
@given(st.one_of(points_lists, anywhere), st.floats(0.1, 12))
def test_disc_mask_is_every_pixel_centre_within_the_radius(points: list[tuple[float, float]], radius: float) -> None:
    x, y = _centres()
    expected = np.zeros((SIZE_WH[1], SIZE_WH[0]), np.bool_)
    for px, py in points:
        expected |= (x - px) ** 2 + (y - py) ** 2 <= radius**2
    mask = disc_mask(np.array(points, np.float64).reshape(-1, 2), SIZE_WH, radius_px=radius)
    np.testing.assert_array_equal(mask, expected)
    assert (mask.shape, mask.dtype) == ((17, 23), np.float32)


@pytest.mark.parametrize("radius", [0.0, -1.0])
def test_a_radius_that_is_not_positive_is_refused(radius: float) -> None:
    with pytest.raises(InputError, match="radius_px must be positive"):
        disc_mask(np.array([[1.0, 1.0]]), SIZE_WH, radius_px=radius)


side = st.one_of(st.integers(-6, 60).map(lambda n: n / 2), st.floats(-5, 30))


@relaxed
@given(st.lists(st.tuples(side, side, side, side), max_size=5))
def test_box_mask_is_every_pixel_centre_within_and_the_middle(corners: list[tuple[float, float, float, float]]) -> None:
    x, y = _centres()
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    expected = np.zeros((SIZE_WH[1], SIZE_WH[0]), np.bool_)
    for x1, y1, x2, y2 in boxes:
        expected |= (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
        middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
        expected |= (np.floor(middle_x) == x - 0.5) & (np.floor(middle_y) == y - 0.5)
    mask = box_mask(np.array(boxes, np.float64).reshape(-1, 4), SIZE_WH)
    np.testing.assert_array_equal(mask, expected)
    assert (mask.shape, mask.dtype) == ((17, 23), np.float32)


def test_a_box_smaller_than_a_pixel_marks_the_pixel_of_its_centre() -> None:
    mask = box_mask(np.array([[3.1, 4.1, 3.3, 4.3]]), SIZE_WH)
    assert np.argwhere(mask).tolist() == [[4, 3]]


def test_a_mask_must_be_of_the_density_it_goes_with() -> None:
    people, nobody = np.full((2, 3), 0.5), np.zeros((2, 3))
    check_mask(np.eye(2, 3), people)
    check_mask(nobody, nobody)  # nobody there: nothing to show
    with pytest.raises(InputError, match=r"no foreground, but the density holds 3\.0 people"):
        check_mask(nobody, people)
    with pytest.raises(InputError, match=r"which is \(2, 3\), but is \(1, 3\)"):
        check_mask(np.ones((1, 3)), people)
    with pytest.raises(InputError, match=r"must be 0 or 1, but of shape \(2, 3\) it is 0\.5 at \(0, 0\)"):
        check_mask(people, people)
    with pytest.raises(InputError, match=r"it is nan at \(0, 0\)"):
        check_mask(np.full((2, 3), np.nan), people)
