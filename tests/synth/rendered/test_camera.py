"""The camera: projection, homography and ground agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headcount.synth.rendered.camera import Camera

CAMERAS = st.builds(
    Camera, height_m=st.floats(1.7, 60), pitch_deg=st.floats(5, 85), fov_deg=st.floats(20, 100),
    size_wh=st.just((1280, 720)), roll_deg=st.floats(-8, 8),
)  # fmt: skip


@given(camera=CAMERAS, ahead=st.floats(2, 60), aside=st.floats(-20, 20))
def test_ground_to_pixels_and_back(camera: Camera, ahead: float, aside: float) -> None:
    ground = np.array([[aside, ahead]])
    pixels, away = camera.project(np.array([[aside, ahead, 0.0]]))
    if away[0] < 0.5:
        return
    u, v, w = camera.homography @ (aside, ahead, 1.0)
    np.testing.assert_allclose((u / w, v / w), pixels[0], rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(camera.to_ground(pixels), ground, rtol=1e-6, atol=1e-6)


def test_what_lies_straight_ahead_is_in_the_middle() -> None:
    camera = Camera(height_m=10.0, pitch_deg=45.0, fov_deg=60.0, size_wh=(640, 480))
    pixels, away = camera.project(np.array([[0.0, 10.0, 0.0]]))
    np.testing.assert_allclose(pixels, [[320.0, 240.0]], atol=1e-9)
    assert away[0] == pytest.approx(10 * np.sqrt(2))


def test_the_angle_of_view_reaches_from_edge_to_edge() -> None:
    camera = Camera(height_m=0.0, pitch_deg=0.0, fov_deg=90.0, size_wh=(640, 480))
    pixels, _ = camera.project(np.array([[-5.0, 5.0, 0.0], [5.0, 5.0, 0.0], [0.0, 5.0, 1.0]]))
    np.testing.assert_allclose(pixels[:2, 0], [0.0, 640.0], atol=1e-9)
    assert pixels[2, 1] < 240  # up is up


def test_the_sky_is_no_ground() -> None:
    camera = Camera(height_m=3.0, pitch_deg=5.0, fov_deg=60.0, size_wh=(640, 480))
    assert np.isnan(camera.to_ground(np.array([[320.0, 1.0]]))).all()


def test_clip_space_is_the_picture() -> None:
    camera = Camera(height_m=4.0, pitch_deg=20.0, fov_deg=70.0, size_wh=(800, 600), roll_deg=3.0)
    places = np.array([[0.5, 6.0, 1.6], [-2.0, 20.0, 0.0], [3.0, 9.0, 1.0]])
    pixels, away = camera.project(places)
    x, y, z, w = camera.clip_matrix() @ np.concatenate([places, np.ones((3, 1))], axis=1).T
    np.testing.assert_allclose((x / w + 1) / 2 * 800, pixels[:, 0])
    np.testing.assert_allclose((1 - y / w) / 2 * 600, pixels[:, 1])
    np.testing.assert_allclose(w, away)
    assert (np.diff((z / w)[np.argsort(away)]) > 0).all()  # what is farther away is behind
    assert (np.abs(z / w) < 1).all()
