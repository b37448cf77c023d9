"""A region of interest: what is one, how it lies on an image, and what of a prediction is inside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.region import Region, area_share, as_region, inside

SQUARE = [[2, 1], [6, 1], [6, 5], [2, 5]]


def test_every_form_is_the_same_region() -> None:
    mask = np.zeros((8, 10), np.bool_)
    mask[1:5, 2:6] = True
    forms = [
        SQUARE, [SQUARE], np.array(SQUARE), np.array([SQUARE]), [np.array(SQUARE)], [*SQUARE, SQUARE[0]],
        mask, np.dstack([mask, ~mask, ~mask, mask]),
        mask.astype(np.uint8) * 255, mask.astype(float), mask.tolist(), (np.array(SQUARE) / [10, 8]).tolist(),
        as_region(SQUARE), np.dstack([mask] * 3).astype(np.uint8), Image.fromarray(mask), [tuple(c) for c in SQUARE],
    ]  # fmt: skip
    for form in forms:
        np.testing.assert_array_equal(as_region(form).in_image((10, 8)), mask)


def test_polygons_add_up_and_shares_fit_any_size() -> None:
    two = as_region([[[0, 0], [0.5, 0], [0.5, 1], [0, 1]], [[0.25, 0], [1, 0], [1, 0.5], [0.25, 0.5]]])
    assert two.is_relative
    assert two.in_image((8, 4)).astype(int).tolist() == [[1] * 8] * 2 + [[1] * 4 + [0] * 4] * 2
    assert two.in_image((80, 40)).mean() == 0.75


def test_corners_just_beyond_the_image_are_cut_at_its_border() -> None:
    assert as_region([[-1, -1], [100.5, 0], [50, 100]]).in_image((100, 100)).any()


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ([], "is empty"),
        ([[1, 2], [3, 4]], "needs three corners or more, but has 2"),
        ([[1, 2], [1, 2], [3, 4], [1, 2]], "three corners"),
        ([[1, 2], [3, 4], [float("nan"), 5]], r"finite corners, but corner 3 is \(nan, 5\)"),
        ([[0, 0], [9, 9], [9, 0], [0, 9]], r"crosses itself \(the line from \(0, 0\) to \(9, 9\) and the one from"),
        ([[[0, 0], [9, 0], [9, 9]], [[0, 0], [1, 1]]], "polygon 2, needs three"),
        ([[1, 2], [3]], "is none"),
        ([["a", "b"], ["c", "d"], ["e", "f"]], "is none"),
        ("gate", "is none"),
        (7, "is none"),
        (np.zeros((4, 4), np.bool_), "holds no pixel: of the mask's 4×4 none is set; set those inside"),
        (np.full((4, 4), np.nan), "no finite numbers"),
        (np.zeros((2, 2, 2, 2)), "is none"),
        (np.zeros(5), "is none"),
        (np.random.default_rng(0).random((2_001, 2)), "has 2,001 corners, over 2,000: give a mask"),
        (np.random.default_rng(0).random((3, 700, 2)), "has 2,100 corners, over 2,000: give a mask"),
    ],
)  # fmt: skip
def test_what_is_no_region_is_told_in_one_sentence(given_: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        as_region(given_)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (as_region(np.ones((4, 4), np.bool_)), r'4×4 pixels, but "a\.jpg" has 12×8'),
        (as_region([[20, 0], [30, 0], [30, 7]]), r'corner \(20, 0\), which lies outside "a\.jpg" of 12×8'),
        (as_region([[1.6, 1.6], [1.9, 1.6], [1.9, 1.9]]), r'holds no pixel of "a\.jpg"'),
        (as_region([[3, 1], [9, 1], [9, 7]]).of_images_of((10, 8)), "is of images of 10×8 pixels"),
    ],
)
def test_a_region_that_does_not_fit_names_the_image(region: Region, words: str) -> None:
    with pytest.raises(InputError, match=words):
        region.in_image((12, 8), "a.jpg")


def test_a_hole_that_is_joined_by_a_line_to_the_rim_is_no_crossing() -> None:
    rim, hole = [[0, 0], [8, 0], [8, 8], [0, 8], [0, 0]], [[2, 2], [2, 6], [6, 6], [6, 2], [2, 2]]
    mask = as_region([*rim, *hole]).in_image((8, 8))
    assert mask.sum() == 64 - 16
    assert not mask[2:6, 2:6].any()


def test_one_mask_is_drawn_for_all_images_of_a_size() -> None:
    region = as_region(SQUARE)
    assert region.in_image((10, 8), "a.jpg") is region.in_image((10, 8), "b.jpg")


def test_a_polygon_of_thousands_of_corners() -> None:
    turn = np.linspace(0, 2 * np.pi, 2_000, endpoint=False)
    around = 300 * np.stack([np.cos(turn), np.sin(turn)], axis=1) * (1 + 0.01 * np.sin(100 * turn))[:, None] + 400
    mask = as_region(around).in_image((800, 800))
    assert mask.sum() == pytest.approx(np.pi * 300**2, rel=0.01)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=6))
def test_a_crossing_is_found_as_a_slow_second_writing_finds_it(corners: list[tuple[int, int]]) -> None:
    corners = [corner for at, corner in enumerate(corners) if corner != corners[at - 1]]
    if len(corners) < 3:
        return
    edges = [(corners[at], corners[(at + 1) % len(corners)]) for at in range(len(corners))]

    def meet(one: tuple, other: tuple) -> bool:
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = *one, *other
        below = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
        if below == 0:
            return False
        s = ((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / below
        t = ((cx - ax) * (by - ay) - (cy - ay) * (bx - ax)) / below
        return 1e-9 < s < 1 - 1e-9 and 1e-9 < t < 1 - 1e-9

    crosses = any(meet(edges[i], edges[j]) for i in range(len(edges)) for j in range(i))
    if crosses:
        with pytest.raises(InputError, match="crosses itself"):
            as_region([list(corner) for corner in corners])
    else:
        as_region([list(corner) for corner in corners])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 30), st.integers(1, 30), st.integers(0, 99))
def test_shares_are_those_of_pixels_counted_one_by_one(stride: int, width: int, height: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    shape = (-(-height // stride) + seed % 2, -(-width // stride))
    share = area_share(mask, stride, shape)
    for row in range(shape[0]):
        for column in range(shape[1]):
            cell = mask[row * stride : (row + 1) * stride, column * stride : (column + 1) * stride]
            assert share[row, column] == (cell.mean() if cell.size else 0)


def test_a_prediction_inside_a_region() -> None:
    density = np.ones((2, 3), np.float32)
    found = Prediction(6.0, (12, 8), [[1, 1], [11, 7]], "peaks", density=density, density_stride=4, interval=(5, 7))  # type: ignore[arg-type]
    part = inside(found, as_region([[0, 0], [6, 0], [6, 8], [0, 8]]), "a.jpg")
    assert (part.count, part.points_xy.tolist(), part.interval) == (3.0, [[1, 1]], None)
    assert "interval is of the whole image" in part.warnings[0]
    assert found.count == density.sum() == 6
    whole = inside(found, as_region([[0, 0], [1, 0], [1, 1], [0, 1]]))
    assert whole.count == found.count
    heads = inside(Prediction(2.0, (12, 8), [[1, 1], [11, 7]], "heads"), as_region([[0, 0], [6, 0], [6, 8]]))  # type: ignore[arg-type]
    assert (heads.count, heads.warnings) == (1.0, ())
    with pytest.raises(InputError, match="does not say where"):
        inside(Prediction(2.0, (12, 8)), as_region([[0, 0], [6, 0], [6, 8]]))


def test_plain_data_and_back() -> None:
    polygon, mask = as_region(SQUARE, file="gate.json"), as_region(np.eye(4, dtype=np.bool_), file="m.png")
    assert polygon.to_dict() == {"file": "gate.json", "polygons_xy": [SQUARE]}
    for region in (polygon, mask):
        found = Prediction(1.0, (12, 8), region=region).to_dict()
        assert Prediction.from_dict(found).to_dict() == found
    with pytest.raises(InputError, match="not at hand"):
        Region.from_dict(mask.to_dict()).in_image((4, 4))
    assert Prediction(1.0, (4, 4)).to_dict()["region"] is None
    assert "in a region" in repr(Prediction(1.0, (12, 8), region=polygon))
    assert repr(polygon) == "<Region: 1 polygon of 'gate.json'>"


@pytest.mark.filterwarnings("error")
def test_corners_beyond_all_numbers_are_outside_the_image() -> None:
    with pytest.raises(InputError, match=r"corner \(1e\+308, 0\), which lies outside"):
        as_region([[0, 0], [1e308, 0], [1, 1e308]]).in_image((12, 8))
