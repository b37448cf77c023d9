"""Heads are hidden so that nobody can be recognised, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.draw.privacy import Hiding, head_sizes_px, heads_of, hide_heads

WAYS: tuple[Hiding, ...] = ("blur", "pixelate")
SIZE_WH = (320, 240)


def noise(seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (SIZE_WH[1], SIZE_WH[0], 3), dtype=np.uint8)


def boxed(*boxes: tuple[float, float, float, float]) -> Prediction:
    array = np.array(boxes, np.float64).reshape(-1, 4)
    middles = (array[:, :2] + array[:, 2:]) / 2
    return Prediction(len(boxes), SIZE_WH, middles, "heads", boxes_xyxy=array)


def changed(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((one != other).any(axis=2))


@pytest.mark.parametrize("how", WAYS)
def test_a_picture_without_people_stays_as_it_is(how: Hiding) -> None:
    picture = noise()
    np.testing.assert_array_equal(hide_heads(picture, boxed(), how), picture)
    nobody = Prediction(0.0, SIZE_WH, density=np.zeros((30, 40), np.float32), density_stride=8)
    np.testing.assert_array_equal(hide_heads(picture, nobody, how), picture)


def test_off_gives_the_picture_itself() -> None:
    picture = noise()
    assert hide_heads(picture, boxed((10, 10, 60, 60)), "off") is picture


@pytest.mark.parametrize("how", WAYS)
def test_a_head_is_hidden_beyond_its_box_nothing_else_is_and_the_picture_given_stays(how: Hiding) -> None:
    picture = noise()
    before = picture.copy()
    hidden = hide_heads(picture, boxed((100, 80, 140, 120)), how)
    np.testing.assert_array_equal(picture, before)
    where = changed(hidden, picture)
    assert where[80:120, 100:140].mean() > 0.97  # chance leaves some pixels as they were
    rows, columns = np.nonzero(where)
    assert rows.min() >= 100 - 1.4 * 20 - 1
    assert columns.max() <= 120 + 1.4 * 20 + 1
    assert columns.min() < 95  # hair, and a chin


@pytest.mark.parametrize("how", WAYS)
@given(seed=st.integers(0, 10**6), side=st.integers(16, 90))
@settings(max_examples=25)
def test_what_a_face_is_recognised_by_leaves_no_trace(how: Hiding, seed: int, side: int) -> None:
    """Pictures that differ within the cells of a head alone, whose means are the same, are hidden alike."""
    head = (160 - side / 2, 120 - side / 2, 160 + side / 2, 120 + side / 2)
    prediction = boxed(head)
    x1, y1, x2, y2 = (round(value) for value in heads_of(prediction)[0])
    picture = np.full((SIZE_WH[1], SIZE_WH[0], 3), 90, np.uint8)
    draw = np.random.default_rng(seed)
    other = picture.copy()
    # A pair of neighbouring pixels, one brighter and the other darker by as much.
    for _ in range(200):
        x, y = int(draw.integers(x1 + 2, x2 - 3)), int(draw.integers(y1 + 2, y2 - 2))
        if (other[y, x : x + 2] == 90).all():
            other[y, x], other[y, x + 1] = 150, 30
    one, two = hide_heads(picture, prediction, how), hide_heads(other, prediction, how)
    assert np.abs(other.astype(int) - picture).max() == 60
    inside = np.abs(one.astype(int) - two)[120 - side // 4 : 120 + side // 4, 160 - side // 4 : 160 + side // 4]
    # What is left is the pairs that a cell's border parts: as many brightnesses as there are cells, no face.
    assert inside.max() <= 60 * 200 / (side**2 / 8)
    assert np.unique(two[120 - side // 4 : 120 + side // 4, 160 - side // 4 : 160 + side // 4, 0]).size <= 80


def test_a_pixelated_head_has_four_cells_a_side_however_large_it_is() -> None:
    for side in (20, 60, 160):
        hidden = hide_heads(
            noise(side), boxed((150 - side / 2, 120 - side / 2, 150 + side / 2, 120 + side / 2)), "pixelate"
        )
        row = hidden[120, 150 - side // 2 : 150 + side // 2, 0].astype(int)
        assert 2 <= np.count_nonzero(np.diff(row)) <= 4


@pytest.mark.parametrize("how", WAYS)
def test_detail_is_gone(how: Hiding) -> None:
    picture = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    picture[::2, ::2] = picture[1::2, 1::2] = 255  # the finest there is
    hidden = hide_heads(picture, boxed((100, 60, 200, 160)), how)
    head = hidden[75:145, 115:185].astype(float)
    assert np.abs(np.diff(head, axis=1)).mean() < 3
    assert np.abs(np.diff(picture.astype(float), axis=1)).mean() > 200


def test_heads_at_the_border_and_beyond_are_hidden_as_far_as_they_are_seen() -> None:
    picture = noise()
    hidden = hide_heads(picture, boxed((-30, -30, 20, 20), (310, 230, 380, 300), (500, 500, 540, 540)), "blur")
    where = changed(hidden, picture)
    assert where[:15, :15].mean() > 0.9
    assert where[-5:, -5:].mean() > 0.9


def test_a_copy_of_another_size_is_hidden_in_the_same_places() -> None:
    large = np.kron(noise(), np.ones((2, 2, 1), np.uint8))
    hidden = hide_heads(large, boxed((100, 80, 140, 120)), "pixelate")
    where = changed(hidden, large)
    assert where[170:230, 210:270].mean() > 0.9
    assert not where[:100].any()


def test_points_without_boxes_are_hidden_in_circles_as_large_as_their_neighbours_leave_them() -> None:
    near = np.array([[x, 200.0] for x in range(20, 320, 40)])
    far = np.array([[x, 40.0] for x in range(10, 320, 10)])
    sizes = head_sizes_px(np.concatenate([near, far]), SIZE_WH)
    assert (sizes[: len(near)] > 2 * np.median(sizes[len(near) :])).all()
    points = Prediction(len(near), SIZE_WH, near, "peaks")
    where = changed(hide_heads(noise(), points, "blur"), noise())
    assert all(where[int(y), int(x)] or where[int(y), int(x) - 1] for x, y in near)
    assert not where[:100].any()


def test_boxes_of_parts_of_heads_tell_no_size() -> None:
    part = Prediction(1, SIZE_WH, [[160, 120]], "heads", boxes_xyxy=[[158, 118, 162, 122]], boxes_kind="parts")
    where = changed(hide_heads(noise(), part, "blur"), noise())
    assert where.sum() > 15 * 15


@pytest.mark.parametrize("how", WAYS)
def test_where_only_a_density_counted_the_whole_place_is_hidden(how: Hiding) -> None:
    density = np.zeros((30, 40), np.float32)
    density[10:14, 5:20] = 0.2
    found = Prediction(float(density.sum()), SIZE_WH, density=density, density_stride=8)
    where = changed(hide_heads(noise(), found, how), noise())
    assert where[80:112, 40:160].mean() > 0.98
    assert not where[:60].any()
    assert not where[:, 200:].any()


def test_people_whom_the_boxes_miss_are_hidden_by_the_density() -> None:
    density = np.zeros((30, 40), np.float32)
    density[12, 12] = density[12, 30] = 1.0  # two people, one of them boxed
    found = Prediction(
        2.0, SIZE_WH, [[100, 100]], "heads", boxes_xyxy=[[90, 90, 110, 110]], density=density, density_stride=8
    )
    where = changed(hide_heads(noise(), found, "blur"), noise())
    assert where[98:102, 240:248].all()
    assert where[95:105, 95:105].mean() > 0.9


@given(st.lists(st.tuples(st.floats(-50, 400), st.floats(-50, 300)), max_size=40))
def test_sizes_are_never_beyond_reason(points: list[tuple[float, float]]) -> None:
    sizes = head_sizes_px(np.array(points, np.float64).reshape(-1, 2), SIZE_WH)
    assert len(sizes) == len(points)
    assert ((sizes >= 6) & (sizes <= 240 / 8)).all()


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(InputError, match=r'no way "blurr" to hide heads\. Did you mean "blur"'):
        hide_heads(noise(), boxed(), "blurr")  # type: ignore[arg-type]
