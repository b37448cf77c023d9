"""Pictures of a watched place: what is drawn where, and that it can be told apart."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from headcount.draw.zones import CALM, LEVELS, DrawnLine, DrawnPoint, DrawnZone, colour_of, draw_zones

SQUARE = np.array([(100.0, 200.0), (300.0, 200.0), (300.0, 380.0), (100.0, 380.0)])
GRAY = np.full((480, 640, 3), 90, np.uint8)

# Viénot, Brettel and Mollon (1999): linear RGB as who lacks one kind of cone sees it.
BLINDNESS = {
    "none": np.eye(3),
    "red": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "green": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
}


def lab(colour: tuple[int, int, int], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* of an sRGB colour, as somebody sees it."""
    srgb = np.array(colour) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(matrix @ linear, 0, 1)
    back = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    pixel = back.astype(np.float32).reshape(1, 1, 3)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_RGB2LAB), np.float64).ravel()


@pytest.mark.parametrize("matrix", BLINDNESS.values(), ids=BLINDNESS)
def test_levels_are_told_apart_by_everybody(matrix: NDArray[np.float64]) -> None:
    for one, other in itertools.combinations((CALM, *LEVELS), 2):
        assert np.linalg.norm(lab(one, matrix) - lab(other, matrix)) > 25, (one, other)


def test_levels_darken_so_that_a_gray_print_tells_them() -> None:
    lightness = [lab(colour, np.eye(3))[0] for colour in LEVELS]
    assert all(one - other > 15 for one, other in itertools.pairwise(lightness))


def test_a_level_above_the_colours_looks_like_the_highest() -> None:
    assert colour_of(0) == CALM
    assert colour_of(9) == LEVELS[-1]


def test_nothing_to_draw_leaves_a_copy() -> None:
    drawn = draw_zones(GRAY)
    assert np.array_equal(drawn, GRAY)
    assert drawn is not GRAY


def test_a_zone_is_tinted_inside_and_the_rest_stays() -> None:
    before = GRAY.copy()
    drawn = draw_zones(GRAY, [DrawnZone("", SQUARE)])
    assert np.array_equal(GRAY, before)
    changed = (drawn != GRAY).any(axis=2)
    assert not changed[:190].any()
    assert not changed[390:].any()
    assert not changed[:, :90].any()
    assert not changed[:, 310:].any()
    urgent = draw_zones(GRAY, [DrawnZone("", SQUARE, level=3)])
    inside = urgent[290, 200].astype(int)
    assert inside[0] > 90 > inside[1]
    assert np.abs(inside - 90).max() < 40  # lightly: what is below it is seen
    edge = urgent[290, 98:103].astype(int).reshape(-1, 3)
    assert (np.abs(edge - LEVELS[2]).sum(axis=1) < 30).any()


def test_the_arrow_points_to_the_right_of_who_looks_along_the_line() -> None:
    for ends, forward in (((100, 240), (300, 240)), (0, 1)), (((300, 240), (100, 240)), (0, -1)), (
        ((200, 100), (200, 300)),
        (-1, 0),
    ):  # fmt: skip
        drawn = draw_zones(GRAY, lines=[DrawnLine("", np.array(ends, float))])
        rows, columns = np.nonzero((drawn != GRAY).any(axis=2))
        middle = np.array(ends, float).mean(axis=0)
        reach = np.stack([columns + 0.5, rows + 0.5], axis=1) - middle
        assert float((reach @ forward).max()) > 30
        assert float((reach @ forward).min()) > -6


@pytest.mark.parametrize("seed", range(6))
def test_a_label_hides_no_head_where_there_is_room(seed: int) -> None:
    heads = np.random.default_rng(seed).uniform((0, 0), (640, 480), (30, 2))
    heads = np.concatenate([heads, [(200, 190), (200, 215)]])  # where it would be first
    bare = draw_zones(GRAY, [DrawnZone("", SQUARE)])
    drawn = draw_zones(GRAY, [DrawnZone("door", SQUARE, "7 people")], heads_xy=heads)
    labelled = (drawn != bare).any(axis=2)
    assert labelled.sum() > 500
    columns, rows = np.clip(heads.astype(int), 0, (639, 479)).T
    assert not labelled[rows, columns].any()


def test_a_part_without_name_and_numbers_has_no_label_and_foreign_letters_do_no_harm() -> None:
    part = draw_zones(GRAY, [DrawnZone("", SQUARE, level=2)])
    assert not (part == (15, 15, 15)).all(axis=2).sum(axis=1).max() > 250
    assert (draw_zones(GRAY, [DrawnZone("入口", SQUARE)]) != draw_zones(GRAY, [DrawnZone("", SQUARE)])).any()


def test_labels_do_not_hide_each_other() -> None:
    zones = [DrawnZone(f"zone {number}", SQUARE + np.array([number * 12, 0]), "123 people") for number in range(3)]
    alone = [(draw_zones(GRAY, [zone]) != GRAY).any(axis=2) for zone in zones]
    together = draw_zones(GRAY, zones)
    paper = (together == (15, 15, 15)).all(axis=2)
    one = [(draw_zones(GRAY, [zone]) == (15, 15, 15)).all(axis=2).sum() for zone in zones]
    assert all(mask.any() for mask in alone)
    assert paper.sum() > 0.8 * sum(one) - 3 * 2_500  # outlines' rims cross each other


def test_what_lies_outside_is_cut_and_has_no_label() -> None:
    zone = DrawnZone("far", np.array([(1e12, 1e12), (1e12, 2e12), (2e12, 1e12)]), "9 people")
    line = DrawnLine("away", np.array([(-500.0, -500.0), (-400.0, -500.0)]))
    point = DrawnPoint("1", (-50, -50), (-60, -60), "9 m")
    assert np.array_equal(draw_zones(GRAY, [zone], lines=[line], points=[point]), GRAY)
    half = draw_zones(GRAY, [DrawnZone("half", SQUARE - (200, 100))])
    assert (half[:, :50] != GRAY[:, :50]).any()


def test_grid_is_light_and_points_show_where_the_fit_puts_them() -> None:
    grid = [np.array([(0.0, 100.0), (640.0, 100.0)])]
    drawn = draw_zones(GRAY, grid=grid)
    rows = np.flatnonzero((drawn != GRAY).any(axis=(1, 2)))
    assert set(rows.tolist()) <= {98, 99, 100, 101}
    assert 90 < drawn[99:101, 320].max() < 160
    marked = draw_zones(GRAY, points=[DrawnPoint("1", (200, 200), (240, 200), "0.31 m")])
    assert (marked[200, 200:240] != GRAY[200, 200:240]).any(axis=1).all()  # the line from one to the other


@pytest.mark.parametrize("size_wh", [(64, 64), (640, 360), (3840, 2160)])
def test_sizes_of_words_and_lines_follow_the_picture(size_wh: tuple[int, int]) -> None:
    heads_xy = np.array([(0.2, 0.5), (0.4, 0.3), (0.6, 0.6), (0.8, 0.4)]) * size_wh
    zone = DrawnZone("the square in front of the station", SQUARE / (640, 480) * size_wh, "42 people, 2.2 per m²", 1)
    drawn = draw_zones(np.full((size_wh[1], size_wh[0], 3), 90, np.uint8), [zone], heads_xy=heads_xy)
    assert drawn.shape == (size_wh[1], size_wh[0], 3)
    paper = (drawn == (15, 15, 15)).all(axis=2)
    if size_wh[0] > 600:
        rows = np.flatnonzero(paper.sum(axis=1) > size_wh[0] / 8)
        assert size_wh[1] / 60 < len(rows) < size_wh[1] / 8
