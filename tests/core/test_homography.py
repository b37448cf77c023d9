"""A homography: what is fitted, what it leaves, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.core.homography import Homography

STUDENTS = Path(__file__).resolve().parents[3] / "shared/reference/ground_plane/students03.csv"
MATRIX = np.array([[92.0, -11, 640], [3, -40, 500], [0.001, 0.05, 1]])
SQUARE = np.array([[-3.0, 1], [3, 1], [3, 9], [-3, 9]])


def places(*depth: float) -> np.ndarray:
    return np.array([[x, y] for y in depth for x in (-4.0, -1.0, 2.0, 5.0)])


def test_four_points_are_fitted_exactly() -> None:
    exact = Homography(MATRIX)
    found = Homography.fit(exact.to_pixels(SQUARE), SQUARE)
    np.testing.assert_allclose(found.matrix / found.matrix[2, 2], MATRIX, rtol=1e-9)
    assert found.residuals_m.max() < 1e-9
    assert found.residuals_px.max() < 1e-9


def test_a_square_seen_straight_from_above_is_a_scale() -> None:
    found = Homography.fit([[100, 500], [500, 500], [500, 100], [100, 100]], [[0, 0], [4, 0], [4, 4], [0, 4]])
    np.testing.assert_allclose(found.matrix, [[100, 0, 100], [0, -100, 500], [0, 0, 1]], atol=1e-9)
    assert found.is_mirrored
    np.testing.assert_allclose(found.to_metres([[300, 400]]), [[2, 1]])


def test_metres_counted_as_pixels_are_turn_alike() -> None:
    assert not Homography.fit([[0, 0], [9, 0], [9, 9], [0, 9]], [[0, 0], [1, 0], [1, 1], [0, 1]]).is_mirrored


@given(st.integers(0, 2**32 - 1))
def test_more_points_lie_as_near_in_pixels_as_no_other_homography_puts_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    metres = places(1, 4, 9)
    pixels = Homography(MATRIX).to_pixels(metres) + random.normal(0, 1, (len(metres), 2))
    found = Homography.fit(pixels, metres)
    least = np.square(found.residuals_px).sum()
    for _ in range(5):
        nudged = Homography(found.matrix * (1 + random.normal(0, 1e-5, (3, 3))))
        assert np.square(nudged.to_pixels(metres) - pixels).sum() >= least - 1e-9
    assert least <= np.square(Homography(MATRIX).to_pixels(metres) - pixels).sum() + 1e-9


def test_residuals_are_of_each_point_in_metres_and_in_pixels() -> None:
    metres = places(1, 4, 9)
    pixels = Homography(MATRIX).to_pixels(metres)
    pixels[5] += [6, -8]
    found = Homography.fit(pixels, metres)
    np.testing.assert_allclose(found.residuals_m, np.linalg.norm(found.to_metres(pixels) - metres, axis=1))
    np.testing.assert_allclose(found.residuals_px, np.linalg.norm(found.to_pixels(metres) - pixels, axis=1))
    assert found.residuals_px.argmax() == 5
    assert 5 < found.residuals_px[5] < 10


def test_what_lies_at_or_behind_the_horizon_has_no_place() -> None:
    found = Homography(MATRIX)
    assert np.isnan(found.to_pixels([[0, -30]])).all()
    horizon_y = float((MATRIX @ [0, 1, 0])[1] / (MATRIX @ [0, 1, 0])[2])
    assert np.isnan(found.to_metres([[-220, horizon_y - 40]])).all()
    assert np.isfinite(found.to_metres([[640, 400]])).all()
    assert found.to_pixels(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    ("pixels", "metres", "words"),
    [
        ([[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 0], [1, 1]], "Four points.* but 3 were given"),
        ([[0, 0], [1, 0], [1, 1], [0, 1]], SQUARE[:3], "4 points in pixels and 3 in metres"),
        ([[0, 0], [1, 0], [1, np.nan], [0, 1]], SQUARE, "finite"),
        ([[0, 0], [1, 1], [2, 2], [3, 3]], SQUARE, "on one line in the picture"),
        ([[0, 0], [1, 0], [1, 1], [0, 1]], [[0, 0], [0, 1], [0, 2], [0, 3]], "on one line on the ground"),
        ([[0, 0], [1, 0], [2, 0], [0, 1]], SQUARE, "points 1, 2 and 3 lie on one line in the picture"),
        ([[5, 5]] * 4, SQUARE, "on one line"),
        ([[0, 0], [1, 0], [2, 0], [3, 0], [1, 1]], places(1, 2)[[0, 1, 2, 3, 5]], "All points but one lie on one line"),
        ([[0, 0], [9, 0], [9, 9], [0, 9]], SQUARE[[0, 2, 1, 3]], "behind the horizon.*exchanged"),
    ],
)
def test_poor_points_are_refused_with_what_to_do(pixels: object, metres: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Homography.fit(pixels, metres)  # type: ignore[arg-type]


def test_a_matrix_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(3, 3\)"):
        Homography(np.eye(4))
    with pytest.raises(InputError, match="to a line"):
        Homography(np.zeros((3, 3)))


@pytest.mark.skipif(not STUDENTS.is_file(), reason="shared/reference/ground_plane/students03.csv is not there")
def test_a_fit_on_400_rows_of_a_real_camera_holds_on_all() -> None:
    table = np.genfromtxt(STUDENTS, delimiter=",", names=True)
    pixels = np.stack([table["x_px"], table["y_px"]], axis=1)
    metres = np.stack([table["x_m"], table["y_m"]], axis=1)
    whole = np.flatnonzero((pixels == np.round(pixels)).all(axis=1))
    assert (len(table), len(whole)) == (5140, 1935)
    found = Homography.fit(pixels[whole[:400]], metres[whole[:400]])

    # Pixels are printed with three digits, 0.0005 px off at most: where they are whole nothing was rounded.
    assert np.linalg.norm(found.to_metres(pixels[whole]) - metres[whole], axis=1).max() < 1e-6
    # Of all rows: the place in metres lies no farther than 1e-6 m from where the pixel was before it was rounded.
    before = np.clip(found.to_pixels(metres), pixels - 0.0005, pixels + 0.0005)
    assert np.linalg.norm(found.to_metres(before) - metres, axis=1).max() < 1e-6
    assert np.linalg.norm(found.to_metres(pixels) - metres, axis=1).max() < 2.4e-5
