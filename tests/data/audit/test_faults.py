"""Faults of one image's annotation: points, boxes, the stated size, EXIF and the region."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headcount.data.audit.faults import check_boxes, check_frame, check_points
from headcount.data.audit.findings import CODES, NOTES
from headcount.data.formats.raw import RawAnnotation


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], {}),
        ([[0, 0], [8, 6]], {}),
        ([[-0.01, 0]], {"point-outside": 1}),
        ([[8.01, 0], [0, 6.01], [4, 4]], {"point-outside": 2}),
        ([[1, 2], [1, 2], [1, 2.001]], {"point-repeated": 1}),
        ([[9, 9], [9, 9]], {"point-outside": 2, "point-repeated": 1}),
        ([[np.inf, 1], [1, np.nan]], {"point-not-finite": 2}),
    ],
)
def test_points_of_one_image(points: list[list[float]], expected: dict[str, int]) -> None:
    found = check_points(np.array(points, dtype=float).reshape(-1, 2), (8, 6), "a.jpg")
    assert {finding.code: finding.occurrences for finding in found} == expected
    assert set(expected) <= set(CODES) - NOTES


def test_what_rounding_moves_over_the_border_is_noted() -> None:
    points = np.array([[8.005, 1.0], [-0.005, 2.0], [8.5, 3.0]])
    found = check_points(points, (8, 6), "a.jpg", slack=1e-3)
    assert {finding.code: finding.occurrences for finding in found} == {"nearly": 2, "point-outside": 1}
    assert [finding.is_problem for finding in found] == [False, True]


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([], {}),
        ([[0, 0, 8, 6], [-1, 0, 9, 7]], {}),
        ([[1, 1, 1, 4], [1, 1, 4, 1], [4, 4, 1, 1]], {"box-degenerate": 3}),
        ([[8, 1, 12, 4], [-5, 1, 0, 4]], {"box-outside": 2}),
        ([[-1.5, 1, 4, 4]], {"box-beyond": 1}),
        ([[1, 1, 4, 4], [1, 1, 4, 4], [1, 1, 4, 5]], {"box-repeated": 1}),
        ([[np.nan, 1, 4, 4]], {"box-not-finite": 1}),
    ],
)
def test_boxes_of_one_image(boxes: list[list[float]], expected: dict[str, int]) -> None:
    found = check_boxes(np.array(boxes, dtype=float).reshape(-1, 4), (8, 6), "a.jpg")
    assert {finding.code: finding.occurrences for finding in found} == expected


def test_rows_are_counted_from_one() -> None:
    (finding,) = check_points(np.array([[1.0, 1.0], [np.nan, 1.0]]), (8, 6), "a.jpg")
    assert finding.message == "1 point not finite, the first in row 2"


def test_without_an_image_nothing_is_outside() -> None:
    assert (
        check_points(np.array([[-9.0, 99.0]]), None, "a") == check_boxes(np.array([[-9.0, 1, -8, 2]]), None, "a") == []
    )


@pytest.mark.parametrize(
    ("annotation", "orientation", "expected"),
    [
        (RawAnnotation(), 1, []),
        (RawAnnotation(stated_size_wh=(8, 6)), 1, []),
        (RawAnnotation(stated_size_wh=(6, 8)), 1, ["size-differs"]),
        (RawAnnotation(points_xy=np.array([[1.0, 1.0]])), 6, ["exif-rotated"]),
        (RawAnnotation(stated_size_wh=(8, 6)), 6, ["exif-rotated"]),
        (RawAnnotation(stated_size_wh=(6, 8)), 6, ["exif-unapplied"]),
        (RawAnnotation(points_xy=np.array([[1.0, 7.9]])), 8, ["exif-unapplied"]),
        (RawAnnotation(points_xy=np.array([[7.9, 7.9]])), 8, ["exif-rotated"]),
        (RawAnnotation(points_xy=np.array([[1.0, 7.9]])), 3, ["exif-rotated"]),
        (RawAnnotation(region_mask=np.ones((6, 8), np.bool_)), 1, []),
        (RawAnnotation(region_mask=np.ones((8, 6), np.bool_)), 1, ["region-differs"]),
        (RawAnnotation(region_polygon_xy=np.array([[1.0, 1.0], [2.0, 1.0]])), 1, ["region-differs"]),
        (RawAnnotation(region_polygon_xy=np.array([[1.0, 1.0], [2.0, np.nan], [3.0, 3.0]])), 1, ["region-differs"]),
    ],
)
def test_the_frame_of_an_image_of_8_by_6(annotation: RawAnnotation, orientation: int, expected: list[str]) -> None:
    found, comparable = check_frame(annotation, (8, 6), orientation, "a.jpg")
    assert [finding.code for finding in found] == expected
    assert comparable == ("exif-unapplied" not in expected)


@settings(deadline=None, max_examples=50)
@given(arrays(np.float64, st.tuples(st.integers(0, 6), st.just(4)), elements=st.floats(width=16)), st.randoms())
def test_the_order_of_rows_changes_no_number(boxes: np.ndarray, chance: object) -> None:
    order = list(range(len(boxes)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    for check, rows in ((check_boxes, boxes), (check_points, boxes[:, :2])):
        one, other = check(rows, (8, 6), "a"), check(rows[order], (8, 6), "a")
        assert [(f.code, f.occurrences) for f in one] == [(f.code, f.occurrences) for f in other]
