"""The strip above a picture hides nothing, and says what stands below it."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.core.prediction import Prediction
from headcount.draw.strip import box_key, dot_key, legend_px, with_strip
from headcount.draw.text import line_of, width_of, write

GRAY = np.full((480, 640, 3), 90, np.uint8)


def test_the_picture_below_is_as_it_was() -> None:
    drawn = with_strip(GRAY, "123 people, 90 %: 108 to 139")
    assert drawn.shape[1:] == GRAY.shape[1:]
    assert 20 < len(drawn) - 480 < 80
    assert np.array_equal(drawn[-480:], GRAY)
    assert drawn[:-480].max() == 255


def test_the_legend_stands_beside_the_number_or_below_it() -> None:
    key = dot_key((255, 0, 0), (255, 255, 255), "head", legend_px(640))
    beside = with_strip(GRAY, "1 person", [key])
    assert len(beside) == len(with_strip(GRAY, "1 person"))
    assert beside[:-480, 320:].max() == 255
    long = box_key((255, 0, 0), "a sentence that takes room beside it", legend_px(640))
    assert len(with_strip(GRAY, "1,234 people, 90 %: 1,100 to 1,391 (in the region)", [long])) > len(beside)


@pytest.mark.parametrize("size_wh", [(40, 400), (400, 30), (8, 8)])
def test_where_words_have_no_room_there_is_no_strip(size_wh: tuple[int, int]) -> None:
    picture = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    assert np.array_equal(with_strip(picture, "123 people, 90 %: 108 to 139"), picture)


@pytest.mark.parametrize("width", [200, 320, 640, 1024, 4000, 6000])
def test_the_number_fits_any_picture_and_grows_with_it(width: int) -> None:
    picture = np.zeros((width // 2, width, 3), np.uint8)
    drawn = with_strip(picture, "12,345 people, 90 %: 11,111 to 13,333")
    strip = drawn[: len(drawn) - width // 2]
    assert len(strip)
    ink = np.flatnonzero((strip > 128).any(axis=(0, 2)))
    assert ink.min() > 0
    assert ink.max() < width - 1


def test_words_are_as_wide_and_tall_as_they_say_and_cut_at_the_edge() -> None:
    page = np.zeros((80, 400, 3), np.uint8)
    write(page, (10, 20), "Agency 123", 30, (255, 255, 255))
    rows, columns = np.nonzero(page.any(axis=2))
    assert 20 <= rows.min() < rows.max() < 20 + line_of(30)
    assert 10 <= columns.min() < columns.max() <= 10 + width_of("Agency 123", 30)
    small = np.zeros((10, 10, 3), np.uint8)
    for place in ((-5, -5), (5, 5), (50, 50)):
        write(small, place, "Agency", 20, (255, 255, 255), rim=(1, 1, 1))
    assert small.any()


def test_a_heat_map_of_many_has_numbers_and_one_of_few_has_none() -> None:
    density = np.zeros((60, 80), np.float32)
    density[20:24, 30:34] = 1.0
    few, many = (
        Prediction(float(part.sum()), (640, 480), density=part, density_stride=8).draw(GRAY, kind="density")[-480:]
        for part in (density, 10 * density)
    )
    changed = (few != many).any(axis=2)
    assert changed[:, 80].mean() > 0.9  # a line of the grid
    assert not changed[300:318, 330:390].any()  # a square of nobody
