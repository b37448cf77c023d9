"""Instance maps: boxes that stand apart, squares about points, and what is drawn of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.targets.instance import boxes_from_points, instance_map, separate_boxes
from headcount.targets.mask import box_mask


def _crowd(number: int, seed: int, *, size: float = 300, half: tuple[float, float] = (1, 40)) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, size, (number, 2))
    halves = rng.uniform(*half, (number, 2))
    return np.concatenate([centres - halves, centres + halves], axis=1)


def test_no_box_stays_no_box() -> None:
    apart = separate_boxes(np.zeros((0, 4)))
    assert apart.boxes_xyxy.shape == (0, 4)
    assert apart.touching == 0
    assert instance_map(np.zeros((0, 4)), (8, 4)).sum() == 0


def test_one_box_is_only_limited_in_size() -> None:
    small, large = np.array([[10.0, 10.0, 12.0, 14.0]]), np.array([[0.0, 0.0, 100.0, 20.0]])
    assert separate_boxes(small).boxes_xyxy.tolist() == [[8.0, 9.0, 14.0, 15.0]]
    assert separate_boxes(large).boxes_xyxy.tolist() == [[25.0, 0.0, 75.0, 20.0]]
    assert separate_boxes(large, largest_half_px=15).boxes_xyxy.tolist() == [[35.0, 0.0, 65.0, 20.0]]


def test_the_larger_of_two_overlapping_heads_shrinks_first() -> None:
    boxes = np.array([[0.0, 0.0, 40.0, 40.0], [34.0, 15.0, 44.0, 25.0]])
    apart = separate_boxes(boxes)
    assert apart.boxes_xyxy[1].tolist() == boxes[1].tolist()
    large = apart.boxes_xyxy[0]
    assert large[2] < boxes[1, 0]
    assert boxes[1, 0] - large[2] >= (large[2] - large[0]) / 2 / 4  # a quarter of its half size
    assert apart.touching == 0


def test_heads_at_one_place_stop_at_the_floor_and_are_counted() -> None:
    apart = separate_boxes(np.array([[0.0, 0.0, 20.0, 20.0]] * 2 + [[100.0, 100.0, 120.0, 120.0]]), floor_px=2)
    assert apart.touching == 2
    assert (apart.boxes_xyxy[:2, 2:] - apart.boxes_xyxy[:2, :2] == 4).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 80), st.integers(0, 1000))
def test_the_order_of_heads_changes_nothing(number: int, seed: int) -> None:
    boxes = _crowd(number, seed)
    order = np.random.default_rng(seed).permutation(number)
    apart, permuted = separate_boxes(boxes), separate_boxes(boxes[order])
    np.testing.assert_allclose(permuted.boxes_xyxy, apart.boxes_xyxy[order], atol=1e-9)
    assert permuted.touching == apart.touching


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(0, 1000))
def test_centres_stay_and_sizes_stay_within_limits(number: int, seed: int) -> None:
    boxes = _crowd(number, seed)
    apart = separate_boxes(boxes, floor_px=1.5).boxes_xyxy
    np.testing.assert_allclose(apart[:, :2] + apart[:, 2:], boxes[:, :2] + boxes[:, 2:], atol=1e-9)
    half = (apart[:, 2:] - apart[:, :2]) / 2
    assert half.min() >= 1.5 - 1e-9
    assert half.max() <= 25 + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(0, 1000))
def test_what_does_not_touch_is_a_component_of_its_own(number: int, seed: int) -> None:
    boxes = _crowd(number, seed, size=400, half=(4, 30))
    apart = separate_boxes(boxes, gap_px=1)
    if apart.touching:
        return
    labels = cv2.connectedComponents(instance_map(apart.boxes_xyxy, (500, 500)).astype(np.uint8), connectivity=4)[0] - 1
    inside = ((boxes[:, :2] + boxes[:, 2:]) / 2 < 500).all(axis=1).sum()
    assert labels == inside


def test_limits_out_of_order_are_named() -> None:
    with pytest.raises(InputError, match="smallest is 9"):
        separate_boxes(np.zeros((1, 4)), smallest_half_px=9, largest_half_px=5)


def test_squares_about_points_leave_half_the_distance_free() -> None:
    points = np.array([[10.5, 10.5], [30.5, 10.5]])
    boxes = boxes_from_points(points)
    # σ = 0.125 · 20 = 2.5, reach ⌊5.5⌋ = 5: 11 px squares.
    assert boxes.tolist() == [[5.0, 5.0, 16.0, 16.0], [25.0, 5.0, 36.0, 16.0]]


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.array([[3.5, 4.5]])])
def test_a_lonely_point_gets_the_largest_square(points: NDArray[np.float64]) -> None:
    boxes = boxes_from_points(points)
    assert boxes.shape == (len(points), 4)
    assert (boxes[:, 2:] - boxes[:, :2] == 31).all()


def test_coinciding_points_get_a_pixel_each() -> None:
    assert (np.diff(boxes_from_points(np.full((3, 2), 5.5)).reshape(-1, 2, 2), axis=1) == 1).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 1000), st.sampled_from([1, 2, 4]))
def test_the_map_is_what_drawing_box_by_box_gives(number: int, seed: int, stride: int) -> None:
    """A second implementation: the mask of ``targets/mask.py`` at the map's own scale."""
    boxes = np.clip(_crowd(number, seed, size=90, half=(0.4, 12)), -5, 95)
    size_wh = (88, 72)
    expected = box_mask(boxes / stride, (size_wh[0] // stride, size_wh[1] // stride))
    np.testing.assert_array_equal(instance_map(boxes, size_wh, stride=stride), expected)


def test_a_head_on_the_border_is_cut_and_one_in_a_last_half_cell_is_kept() -> None:
    assert instance_map(np.array([[-3.0, -3.0, 1.0, 1.0]]), (4, 4)).tolist()[0] == [1.0, 0.0, 0.0, 0.0]
    assert instance_map(np.array([[8.2, 8.2, 8.8, 8.8]]), (9, 9), stride=2)[4, 4] == 1


def test_ten_thousand_heads_keep_their_number_where_there_is_room() -> None:
    grid = np.stack(np.meshgrid(np.arange(100), np.arange(100)), axis=-1).reshape(-1, 2) * 12.0 + 6.5
    drawn = instance_map(boxes_from_points(grid), (1200, 1200))
    assert cv2.connectedComponents(drawn.astype(np.uint8), connectivity=4)[0] - 1 == 10_000
