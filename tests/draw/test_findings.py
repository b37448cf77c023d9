"""Findings on a picture: drawn where they are, with a margin for what lies outside."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.core.geometry import as_boxes, as_points
from headcount.draw.findings import draw_findings

PLAIN = np.full((200, 400, 3), (10, 20, 30), np.uint8)


def test_nothing_found_is_a_copy() -> None:
    picture = draw_findings(PLAIN, as_points([]), as_boxes([]))
    assert np.array_equal(picture, PLAIN)
    assert not np.shares_memory(picture, PLAIN)


def test_points_and_boxes_are_drawn_where_they_are() -> None:
    picture = draw_findings(PLAIN, as_points([(100, 50)]), as_boxes([(300, 100, 350, 150)]))
    assert (PLAIN == (10, 20, 30)).all()
    changed = np.abs(picture.astype(int) - (10, 20, 30)).max(axis=2) > 60
    rows, columns = np.nonzero(changed[:, :200])
    assert (rows.mean(), columns.mean()) == pytest.approx((50, 100), abs=1)
    rows, columns = np.nonzero(changed[:, 200:])
    assert (rows.min(), rows.max(), columns.min() + 200, columns.max() + 200) == pytest.approx(
        (100, 150, 300, 350), abs=2
    )


@pytest.mark.parametrize("box", [(50, 50, 54, 54), (54, 54, 50, 50)])
def test_a_small_box_has_a_ring(box: tuple[int, ...]) -> None:
    rows, columns = np.nonzero((draw_findings(PLAIN, as_points([]), as_boxes([box])) != PLAIN).any(axis=2))
    assert (np.ptp(rows), np.ptp(columns)) == pytest.approx((48, 48), abs=4)


@pytest.mark.parametrize(("x", "margin"), [(0, 0), (-20, 32), (-1e9, 100), (420, 32)])
def test_a_margin_shows_what_lies_outside_up_to_a_quarter(x: float, margin: int) -> None:
    picture = draw_findings(PLAIN, as_points([(x, 50)]), as_boxes([]))
    assert picture.shape == (200, 400 + 2 * margin, 3)
