"""Heat maps against their definition, cell by cell, and what must hold of every crowd."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.targets import heatmap
from headcount.targets.heatmap import check_heatmap, heatmap_sigma, heatmap_target

SIZE_WH, STRIDE = (120, 84), 4
MASKS, COMBINES = ("box", "ellipse", "keypoint"), ("max", "sum")
relaxed = settings(deadline=None, max_examples=40)


@st.composite
def crowds(draw: st.DrawFn, most: int = 12) -> NDArray[np.float64]:
    """Boxes that reach into the image, from a thousandth of a pixel to more than all of it; some equal, some on whole
    cells."""
    number = draw(st.integers(0, most))
    place = st.one_of(st.integers(0, 20).map(lambda n: 4.0 * n), st.floats(0, 83))
    side = st.one_of(st.integers(1, 10).map(lambda n: 4.0 * n), st.floats(0.001, 200))
    boxes = np.zeros((number, 4))
    for index in range(number):
        if index and draw(st.booleans()):
            boxes[index] = boxes[index - 1]
        else:
            x, y, w, h = draw(place), draw(place), draw(side), draw(side)
            shift = draw(st.sampled_from([0.0, 0.4]))  # some begin left of the image
            boxes[index] = [x - shift * w, y - shift * h, x + (1 - shift) * w, y + (1 - shift) * h]
    return boxes


def by_definition(
    boxes: NDArray[np.float64], mask: str, combine: str, eta: float = 0.0, eps: float = 6.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    columns, rows = SIZE_WH[0] // STRIDE, SIZE_WH[1] // STRIDE
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    heat, where = np.zeros((rows, columns)), np.zeros((rows, columns))
    for x1, y1, x2, y2 in boxes / STRIDE:
        column = min(max(int(np.floor((x1 + x2) / 2)), 0), columns - 1)
        row = min(max(int(np.floor((y1 + y2) / 2)), 0), rows - 1)
        size = 2 * min(x2 - x1, y2 - y1) + 1
        sigma = size * (1 + eta * np.exp(-size)) / eps
        value = np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * sigma**2))
        own = (x == column) & (y == row)
        if mask == "box":
            within = (x + 0.5 >= x1) & (x + 0.5 <= x2) & (y + 0.5 >= y1) & (y + 0.5 <= y2) | own
        elif mask == "ellipse":
            across = ((x + 0.5) - (x1 + x2) / 2) / ((x2 - x1) / 2)
            down = ((y + 0.5) - (y1 + y2) / 2) / ((y2 - y1) / 2)
            within = (across**2 + down**2 <= 1) | own
        else:
            within = own
        where = np.maximum(where, within)
        value = value if mask == "keypoint" else value * within
        heat = np.maximum(heat, value) if combine == "max" else heat + value
    return np.minimum(heat, 1), where


@pytest.mark.parametrize("together", [0, 20, 10**6])
@pytest.mark.parametrize("combine", COMBINES)
@pytest.mark.parametrize("mask", MASKS)
def test_equals_its_definition_however_it_is_drawn(
    mask: Any, combine: Any, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heatmap, "_TOGETHER", max(together, 1))
    monkeypatch.setattr(heatmap, "_PIECE", 5 * max(together, 1))
    draws = np.random.default_rng(3)
    middles, half = draws.uniform(0, SIZE_WH, (40, 2)), draws.uniform(0.5, 30, (40, 2))
    boxes = np.concatenate([middles - half, middles + half], axis=1)
    found = heatmap_target(boxes, SIZE_WH, mask=mask, combine=combine, eta=20.0, eps=5.0)
    heat, where = by_definition(boxes, mask, combine, eta=20.0, eps=5.0)
    assert found.heat.dtype == found.mask.dtype == np.float32
    np.testing.assert_allclose(found.heat, heat, rtol=2e-5, atol=1e-37)
    np.testing.assert_array_equal(found.mask, where)


@relaxed
@given(crowds(), st.sampled_from(MASKS), st.sampled_from(COMBINES))
def test_heat_is_from_0_to_1_and_1_at_every_head(boxes: NDArray[np.float64], mask: Any, combine: Any) -> None:
    found = heatmap_target(boxes, SIZE_WH, mask=mask, combine=combine)
    check_heatmap(found.heat, found.mask)
    column, row = found.cells.T
    assert (found.heat[row, column] == 1).all()
    assert (found.mask[row, column] == 1).all()
    assert found.drawn.all()
    assert (found.inside == 1).all()
    if mask == "keypoint":
        assert found.mask.sum() == len({tuple(cell) for cell in found.cells.tolist()})
    else:
        assert (found.mask[found.heat > 0] == 1).all()
    if not len(boxes):
        assert not found.heat.any()
        assert not found.mask.any()


@relaxed
@given(crowds(), st.sampled_from(MASKS), st.sampled_from(COMBINES), st.integers(0, 99))
def test_the_order_of_boxes_changes_nothing(boxes: NDArray[np.float64], mask: Any, combine: Any, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(boxes))
    one, two = (heatmap_target(each, SIZE_WH, mask=mask, combine=combine) for each in (boxes, boxes[order]))
    np.testing.assert_array_equal(one.heat, two.heat)
    np.testing.assert_array_equal(one.mask, two.mask)
    np.testing.assert_array_equal(one.cells[order], two.cells)


@relaxed
@given(crowds(), st.sampled_from(MASKS), st.sampled_from(COMBINES), st.integers(0, 9), st.integers(0, 9))
def test_a_shift_by_whole_cells_shifts_the_maps(
    boxes: NDArray[np.float64], mask: Any, combine: Any, right: int, down: int
) -> None:
    boxes = np.round(boxes * 64) / 64  # what a shift does not round
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1 / 64)
    boxes = boxes[(boxes.reshape(-1, 2, 2).mean(axis=1) >= 0).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)]
    wide = (SIZE_WH[0] + 400, SIZE_WH[1] + 400)
    one = heatmap_target(boxes, wide, mask=mask, combine=combine)
    two = heatmap_target(boxes + STRIDE * np.array([right, down] * 2), wide, mask=mask, combine=combine)
    rows, columns = one.heat.shape
    # A head is cut by the image's border only before the shift; what it leaves there may be drawn in another way.
    np.testing.assert_allclose(
        two.heat[down:, right:], one.heat[: rows - down, : columns - right], rtol=1e-6, atol=1e-37
    )
    np.testing.assert_array_equal(two.mask[down:, right:], one.mask[: rows - down, : columns - right])
    np.testing.assert_array_equal(two.cells, one.cells + np.array([right, down]))


def test_a_head_of_a_pixel_and_two_equal_ones() -> None:
    found = heatmap_target([[6, 6, 7, 7], [6, 6, 7, 7]], (16, 16))
    assert found.cells.tolist() == [[1, 1], [1, 1]]
    assert found.heat.sum() == found.heat[1, 1] == found.mask.sum() == 1


def test_a_head_whose_middle_lies_outside_has_the_nearest_cell() -> None:
    found = heatmap_target([[-20.0, 2, 4, 6], [30, 30, 50, 50]], (32, 32))
    assert found.cells.tolist() == [[0, 1], [7, 7]]


def test_the_heat_of_a_key_point_is_not_cut() -> None:
    found = heatmap_target([[36, 6, 56, 26]], (400, 32), mask="keypoint").heat[4]
    sigma = heatmap_sigma(np.array([[5.0, 5.0]]))[0]
    away = np.abs(np.arange(100) - 11)
    near = away <= 13.1 * sigma
    np.testing.assert_allclose(found[near], np.exp(-(away[near] ** 2) / (2 * sigma**2)), rtol=1e-5)
    assert (found[away > 13.3 * sigma + 1] == 0).all()


def test_the_sum_is_cut_off_at_1_and_at_least_the_maximum() -> None:
    boxes = np.array([[8.0, 8, 28, 28], [12, 8, 32, 28], [16, 12, 36, 32]])
    most, total = (heatmap_target(boxes, (48, 40), combine=combine).heat for combine in COMBINES)
    assert (total >= most).all()
    assert total.max() == 1
    assert (total > most).any()


@pytest.mark.parametrize("mask", MASKS)
def test_outside_the_region_there_is_nothing_and_nobody(mask: Any) -> None:
    region = np.zeros((40, 40), np.bool_)
    region[:, :20] = True
    boxes = np.array([[8.0, 8, 24, 24], [18, 20, 34, 36]])  # the middle of the second lies outside
    found = heatmap_target(boxes, (40, 40), mask=mask, region=region)
    alone = heatmap_target(boxes[:1], (40, 40), mask=mask)
    assert found.drawn.tolist() == [True, False]
    np.testing.assert_array_equal(found.inside, np.repeat([[1.0] * 5 + [0.0] * 5], 10, axis=0))
    np.testing.assert_array_equal(found.heat, alone.heat * found.inside)
    np.testing.assert_array_equal(found.mask, alone.mask * found.inside)


def test_sigma_is_that_of_the_paper() -> None:
    sizes = np.array([[1.0, 9.0], [3.0, 3.0], [8.5, 4.0]])
    np.testing.assert_allclose(heatmap_sigma(sizes), [0.5, 7 / 6, 1.5])
    widened = heatmap_sigma(sizes, eta=20.0) / heatmap_sigma(sizes)
    assert widened[0] == pytest.approx(2.0, abs=0.01)
    assert 1 < widened[1] < 1.02
    np.testing.assert_allclose(heatmap_sigma(sizes, eps=3.0), 2 * heatmap_sigma(sizes))
    assert heatmap_sigma(np.zeros((0, 2))).shape == (0,)


@pytest.mark.parametrize(
    ("boxes", "options", "words"),
    [
        ([[0, 0, 4, 4], [9, 2, 9, 8]], {}, r"boxes_xyxy .* of shape \(2, 4\) row 1 is \[9, 2, 9, 8\]"),
        ([[0, 0, 4, 4], [9, 2, 8, 8], [5, 5, 4, 4]], {}, r"boxes_xyxy .*row 1 is \[9, 2, 8, 8\]"),
        ([[0, 4, 4, 4]], {}, r"boxes_xyxy must have x1 < x2 and y1 < y2"),
        ([[0, 0, 4, float("nan")]], {}, r"boxes_xyxy must be finite numbers, but of shape \(1, 4\) row 0"),
        ([[0, 0, 4]], {}, r"boxes_xyxy must be an \(n, 4\) array .* \(1, 3\)"),
        ([[0, 0, 4, 4], [32, 0, 40, 4]], {}, r"boxes_xyxy must reach into the 32×24 image.*\(2, 4\) its row 1"),
        ([[0, 0, 4, 4]], {"region": np.ones((32, 24), np.bool_)}, r"region .*\(24, 32\), but its shape is \(32, 24\)"),
        ([[0, 0, 4, 4]], {"mask": "disc"}, 'mask must be one of "box", "ellipse", "keypoint", but it is \'disc\''),
        ([[0, 0, 4, 4]], {"combine": "mean"}, "combine must be one of"),
        ([[0, 0, 4, 4]], {"stride": 0}, "stride"),
        ([[0, 0, 4, 4]], {"eps": 0.0}, "eps"),
        ([[0, 0, 4, 4]], {"eta": -1.0}, "eta"),
    ],
)
def test_bad_input_is_named(boxes: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        heatmap_target(boxes, (32, 24), **options)


@pytest.mark.parametrize(
    ("heat", "mask", "words"),
    [
        (np.full((2, 3), 0.5), None, ""),
        (np.zeros((0, 3)), np.zeros((0, 3)), ""),
        (
            [[0.0, 1.0], [1.5, -1.0]],
            None,
            r"heat must be from 0 to 1, but of shape \(2, 2\) it is 1.5 at index \(1, 0\)",
        ),
        ([0.0, np.nan], None, r"heat .* of shape \(2,\) it is nan at index \(1,\)"),
        (-0.5, None, r"heat .* of shape \(\) it is -0.5"),
        (np.zeros((2, 3)), np.zeros((3, 2)), r"mask must be of the heat's shape \(2, 3\), but its shape is \(3, 2\)"),
        ([0.0, 1.0], [0.0, 0.5], r"mask must be 0 or 1, but of shape \(2,\) it is 0.5 at index \(1,\)"),
        ([0.0, 1.0], [False, True], ""),
    ],
)
def test_made_heat_is_checked(heat: Any, mask: Any, words: str) -> None:
    if not words:
        check_heatmap(heat, mask)
        return
    with pytest.raises(InputError, match=words):
        check_heatmap(heat, mask)


@pytest.mark.parametrize("sides_px", [(6, 16), (8, 40)])
@pytest.mark.parametrize("combine", COMBINES)
@pytest.mark.parametrize("mask", ["box", "ellipse"])
def test_many_heads_take_little_time(mask: Any, combine: Any, sides_px: tuple[int, int]) -> None:
    draws = np.random.default_rng(0)
    middles, half = draws.uniform(0, (1088, 608), (2000, 2)), draws.uniform(*sides_px, (2000, 1)) / 2
    boxes = np.concatenate([middles - half, middles + half], axis=1)

    def seconds() -> float:
        start = time.process_time()
        heatmap_target(boxes, (1088, 608), mask=mask, combine=combine)
        return time.process_time() - start

    assert min(seconds() for _ in range(10)) < 0.01
