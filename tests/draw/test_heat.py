"""Heat maps at the size of their image, and sheets of pictures."""

from __future__ import annotations

import numpy as np

from headcount.draw.heat import draw_heat, draw_peaks, sheet_of


def test_heat_covers_its_cells_and_no_more_than_the_image() -> None:
    heat = np.zeros((3, 4), np.float32)
    heat[1, 2] = 1
    picture = draw_heat(heat, 4, (14, 10))
    assert picture.shape == (10, 14, 3)
    bright = picture.sum(axis=2) > 300
    assert bright[4:8, 8:12].all()
    assert bright.sum() == 16


def test_heat_beyond_its_range_is_drawn_as_its_bounds() -> None:
    assert (
        draw_heat(np.full((1, 1), 7, np.float32), 4, (4, 4)) == draw_heat(np.ones((1, 1), np.float32), 4, (4, 4))
    ).all()


def test_peaks_are_dots_on_black() -> None:
    picture = draw_peaks(np.array([[8.0, 8.0]]), (32, 16))
    assert picture.shape == (16, 32, 3)
    assert picture[8, 8].min() > 200
    assert picture[:, 20:].max() == 0
    assert draw_peaks(np.zeros((0, 2)), (32, 16)).max() == 0


def test_a_sheet_has_every_picture_at_one_width() -> None:
    red = np.zeros((10, 20, 3), np.uint8)
    red[..., 0] = 255
    sheet = sheet_of([[("one", red), ("two", red)], [("three", red)]], 40)
    rows = [(row == (255, 0, 0)).all(axis=1).sum() for row in sheet]
    assert sorted(set(rows)) == [0, 40, 80]
    assert rows.count(80) == rows.count(40) == 20
