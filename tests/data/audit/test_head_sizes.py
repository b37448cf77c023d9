"""Implausible head sizes: slips are named, people who stand close or far away are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headcount.data.audit.head_sizes import check_sizes


def perspective(number: int = 40, *, growth: float = 10.0) -> NDArray[np.float64]:
    """(n, 4) square boxes that grow evenly from 6 px at the top to ``growth`` times that below."""
    rows = np.linspace(0, 1, number)
    side = 6 * growth**rows
    x, y = 37 * np.arange(number) % 600, 400 * rows
    return np.stack([x, y, x + side, y + side], axis=1)


def with_side(boxes: NDArray[np.float64], index: int, side: float) -> NDArray[np.float64]:
    boxes[index, 2:] = boxes[index, :2] + side
    return boxes


@pytest.mark.parametrize(
    "boxes",
    [
        np.zeros((0, 4)),
        *(perspective(growth=growth) for growth in (1.0, 4.0, 30.0)),
        with_side(perspective(growth=2.0), 5, 60),  # somebody close to the camera
        with_side(perspective(7, growth=1.0), 3, 506),  # few are judged by their shape alone
        np.concatenate([perspective(), [[5, 5, 5, 9], [np.nan, 0, 4, 4]]]),  # those that are none are left to others
    ],
)
def test_what_is_plausible_is_not_named(boxes: NDArray[np.float64]) -> None:
    assert check_sizes(boxes, "a.jpg") == []


@pytest.mark.parametrize("size_wh", [(300, 300), (1.5, 1.5), (60, 10), (8, 40)])
def test_a_slip_is_named(size_wh: tuple[float, float]) -> None:
    boxes = perspective(growth=2.0)
    boxes[20, 2:] = boxes[20, :2] + size_wh
    (finding,) = check_sizes(boxes, "a.jpg")
    assert finding.code == "head-size"
    assert finding.boxes_xyxy == (tuple(np.round(boxes[20], 3).tolist()),)


@settings(deadline=None, max_examples=40)
@given(st.floats(0.5, 4), st.permutations(range(20)))
def test_scale_and_order_change_nothing(scale: float, order: list[int]) -> None:
    boxes = perspective(20, growth=2.0)
    boxes[7, 2:] += 300
    (one,) = check_sizes(boxes, "a.jpg")
    (other,) = check_sizes(boxes[order] * scale, "a.jpg")
    assert np.allclose(np.array(one.boxes_xyxy) * scale, other.boxes_xyxy, atol=1e-2)
