"""A grid of numbers over a crowd adds up to the count."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headcount.draw.grid import draw_grid, people_by_cell


@given(
    rows=st.integers(1, 40), columns=st.integers(1, 40), stride=st.sampled_from([4, 8, 16]), people=st.integers(0, 900),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_the_cells_add_up_to_the_people(rows: int, columns: int, stride: int, people: int, seed: int) -> None:
    density = np.random.default_rng(seed).gamma(0.2, size=(rows, columns)).astype(np.float32) + 1e-3
    cells, side = people_by_cell(density, stride, (columns * stride, rows * stride), people)
    assert int(cells.sum()) == people
    assert (cells >= 0).all()
    assert side % stride == 0
    assert cells.shape == (-(-rows * stride // side), -(-columns * stride // side))


def test_nobody_makes_empty_cells() -> None:
    cells, _ = people_by_cell(np.zeros((20, 30), np.float32), 8, (240, 160), 0)
    assert not cells.any()


def test_each_cell_holds_its_own_people() -> None:
    density = np.zeros((32, 64), np.float32)
    density[10, 40] = 7
    cells, side = people_by_cell(density, 8, (512, 256), 7)
    assert cells[80 // side, 320 // side] == 7


def test_numbers_stand_in_their_cells_alone() -> None:
    picture = np.full((256, 512, 3), 90, np.uint8)
    cells = np.zeros((4, 8), np.intp)
    cells[1, 2] = 38
    lines = picture.copy()
    draw_grid(lines, np.zeros_like(cells), 64)
    draw_grid(picture, cells, 64)
    rows, columns = np.nonzero((picture != lines).any(axis=2))
    assert len(rows)
    assert 64 <= rows.min() <= rows.max() < 128
    assert 128 <= columns.min() <= columns.max() < 192
