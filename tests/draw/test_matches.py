"""Pictures of matches: colours where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.draw.matches import FOUND, MADE_UP, MISSED, draw_matches


def test_found_missed_and_made_up_have_their_colours() -> None:
    blank = np.zeros((60, 90, 3), np.uint8)
    predicted, true = np.array([[15.5, 30.5], [75.5, 30.5]]), np.array([[15.5, 30.5], [45.5, 30.5]])
    picture = draw_matches(blank, predicted, true, np.array([10.0, 10.0]), np.array([[0, 0]]))
    assert picture.shape == blank.shape
    assert not blank.any()
    # The circle's right side, 10 pixels from the head's pixel; then each dot.
    for (x, y), colour in (((25, 30), FOUND), ((55, 30), MISSED), ((15, 30), FOUND), ((45, 30), MISSED)):
        assert picture[y, x].tolist() == pytest.approx(colour, abs=60)  # anti-aliased
    assert picture[30, 75].tolist() == pytest.approx(MADE_UP, abs=60)
    # Centred: what is drawn of a head balances on its pixel.
    one = draw_matches(
        np.zeros((61, 61, 3), np.uint8), true[:0], np.array([[30.5, 30.5]]), np.array([20.0]), np.zeros((0, 2), int)
    )
    ink = one.sum(axis=2, dtype=np.float64)
    middle = [float((ink.sum(axis=axis) * np.arange(61)).sum() / ink.sum()) for axis in (0, 1)]
    assert middle == pytest.approx([30, 30], abs=0.1)
    assert draw_matches(blank, predicted[:0], true[:0], np.zeros(0), np.zeros((0, 2), int), scale=2).shape == (
        120,
        180,
        3,
    )
