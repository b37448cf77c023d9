"""Points and boxes: shapes, clipping, ownership, masks, the σ of NWPU-Crowd."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import (
    as_boxes,
    as_points,
    boxes_around,
    centres,
    clip_boxes,
    clip_points,
    has_area,
    in_mask,
    owners,
    paired_owners,
    polygon_mask,
    sides,
    sigmas_of_boxes,
)

Array = NDArray[np.float64]
place = st.integers(0, 12).map(float)


@st.composite
def some_boxes(draw: st.DrawFn, most: int = 4) -> Array:
    corners = draw(st.lists(st.tuples(place, place, place, place), max_size=most))
    return as_boxes([(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners])


some_points = st.lists(st.tuples(place, place), max_size=5).map(as_points)


@pytest.mark.parametrize("make", [as_points, as_boxes])
def test_nothing_is_no_rows(make: object) -> None:
    width = 2 if make is as_points else 4
    assert make([]).shape == (0, width)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("make", "values", "complaint"),
    [
        (as_points, [1, 2], r"\(n, 2\) array of \(x, y\)"),
        (as_points, [[1, 2, 3]], r"shape is \(1, 3\)"),
        (as_points, [[0, 0], [1, np.nan]], "row 1 is not"),
        (as_boxes, [[1, 2]], r"\(n, 4\) array"),
        (as_boxes, [[0, 0, np.inf, 1]], "row 0 is not"),
    ],
)
def test_other_shapes_and_numbers_are_refused(make: object, values: object, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        make(values)  # type: ignore[operator]


def test_swapped_or_flat_boxes_have_no_area() -> None:
    boxes = as_boxes([[0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 1], [0, 1, 1, 1]])
    assert has_area(boxes).tolist() == [True, False, False, False]
    assert sides(boxes).tolist() == [[1, 1], [-1, 1], [0, 1], [1, 0]]


@given(some_boxes(), some_points)
def test_clipping_moves_nothing_that_lies_inside(boxes: Array, points: Array) -> None:
    assert np.array_equal(clip_boxes(boxes, (12, 12)), boxes)
    assert np.array_equal(clip_points(points, (12, 12)), points)
    cut = clip_boxes(boxes - 6, (7, 5))
    assert cut.shape == boxes.shape
    assert (cut >= 0).all()
    assert (cut[:, ::2] <= 7).all()
    assert (cut[:, 1::2] <= 5).all()


def test_boxes_around_points_stay_in_the_image() -> None:
    points, sizes = as_points([[0, 0], [50, 40]]), as_points([[10, 4], [10, 4]])
    assert boxes_around(points, sizes, (52, 41)).tolist() == [[0, 0, 5, 2], [45, 38, 52, 41]]


def _best(points: Array, boxes: Array) -> tuple[int, float]:
    """The most boxes that can have a point of their own, and then the least sum, by trying everything."""
    inside = [[(p >= b[:2]).all() and (p <= b[2:]).all() for p in points] for b in boxes]
    best = (0, 0.0)
    choices = [[-1, *(k for k in range(len(points)) if row[k])] for row in inside]
    for choice in itertools.product(*choices):
        used = [k for k in choice if k >= 0]
        if len(set(used)) < len(used):
            continue
        best = min(best, (-len(used), _away(points, boxes, choice)))
    return -best[0], best[1]


def _away(points: Array, boxes: Array, choice: tuple[int, ...]) -> float:
    total = 0.0
    for box, k in zip(boxes, choice, strict=True):
        if k >= 0:
            offset = np.abs(points[k] - (box[:2] + box[2:]) / 2) / np.maximum(box[2:] - box[:2], 1e-9)
            total += float(np.hypot(*offset) * np.sqrt(2))
    return total


@given(some_points, some_boxes())
@settings(max_examples=150)
def test_as_many_boxes_as_can_get_a_point_of_their_own_the_nearest(points: Array, boxes: Array) -> None:
    found = owners(points, boxes)
    taken = found[found >= 0]
    assert len(set(taken.tolist())) == len(taken)
    for box, row in zip(boxes, found, strict=True):
        assert row < 0 or ((points[row] >= box[:2]).all() and (points[row] <= box[2:]).all())
    number, away = _best(points, boxes)
    assert len(taken) == number
    assert _away(points, boxes, tuple(found.tolist())) == pytest.approx(away, abs=1e-6)


def test_of_as_many_boxes_as_points_the_rows_go_together() -> None:
    points, boxes = as_points([[9, 9], [1, 1]]), as_boxes([[0, 0, 2, 2], [8, 8, 10, 10]])
    assert paired_owners(points, boxes).tolist() == [0, 1]
    assert owners(points, boxes).tolist() == [1, 0]
    assert paired_owners(points, boxes[:1]).tolist() == [1]


def test_a_crowd_is_owned_soon() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 1000, (2000, 2))
    order = rng.permutation(2000)[:1900]
    boxes = boxes_around(points[order], np.full((1900, 2), 2.0), (1000, 1000))
    found = owners(points, boxes)
    assert (found == order).mean() > 0.95
    assert (found >= 0).all()


def test_sigmas_are_those_of_nwpu() -> None:
    small, large = sigmas_of_boxes(as_boxes([[10, 10, 40, 50], [0, 0, 3, 3], [0, 0, 1, 1]]))
    assert small.tolist() == [15, 1, 0]
    assert large.tolist() == [25, 2, 0]


def test_centres_are_halfway() -> None:
    assert centres(as_boxes([[0, 0, 3, 5]])).tolist() == [[1.5, 2.5]]


@given(st.lists(st.tuples(place, place), min_size=3, max_size=3))
def test_a_triangle_holds_the_pixels_whose_centres_lie_in_it(corners: list[tuple[float, float]]) -> None:
    mask = polygon_mask(as_points(corners), (12, 12))
    contour = np.array(corners, np.float32)[:, None]
    for y, x in np.ndindex(12, 12):
        distance = cv2.pointPolygonTest(contour, (x + 0.5, y + 0.5), measureDist=True)
        if abs(distance) > 1e-3:  # a centre on the border may fall to either side
            assert mask[y, x] == (distance > 0)


def test_points_on_the_far_border_are_the_last_pixel_s() -> None:
    mask = np.zeros((2, 3), np.bool_)
    mask[1, 2] = True
    assert in_mask(as_points([[3, 2], [2.5, 1.5], [1.9, 1.5], [0, 0]]), mask).tolist() == [True, True, False, False]
