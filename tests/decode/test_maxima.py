"""Local maxima, a plateau counted once."""

from __future__ import annotations

import numpy as np

from headcount.decode.maxima import local_maxima


def test_a_flat_map_of_zeros_has_none() -> None:
    places, cells = local_maxima(np.zeros((3, 4), np.float32), np.ones((3, 4), np.bool_))
    assert places.shape == cells.shape == (0, 2)


def test_a_plateau_is_one_at_its_middle() -> None:
    places, cells = local_maxima(np.ones((3, 5), np.float32), np.ones((3, 5), np.bool_))
    assert (places.tolist(), cells.tolist()) == ([[2.0, 1.0]], [[0, 0]])


def test_what_is_not_allowed_still_overshadows() -> None:
    values = np.float32([[0, 2, 3, 0]])
    assert len(local_maxima(values, values < 3)[0]) == 0


def test_reach_is_how_far_a_maximum_overshadows() -> None:
    values = np.float32([[3, 0, 0, 2, 0]])
    assert local_maxima(values, values > 0, reach=2)[1].tolist() == [[0, 0], [3, 0]]
    assert local_maxima(values, values > 0, reach=3)[1].tolist() == [[0, 0]]
