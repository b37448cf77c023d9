"""The ground: the camera is worked out of marked points, and heads lie where people stand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.video.cameras import ASLANT, BELOW, DOWN, PLACES, SIZE, calibration, heads

from headcount.core.errors import InputError
from headcount.synth.rendered.camera import Camera
from headcount.video.ground import Ground
from headcount.video.site import CalibrationSettings

FOV = math.degrees(2 * math.atan(360 / ASLANT.focal_px))


def off(ground: Ground, camera: Camera, places: np.ndarray, height_m: float = 1.6) -> float:
    found = ground.to_metres(heads(camera, places, height_m), camera.size_wh, height_m=height_m)
    return float(np.linalg.norm(found - places, axis=1).max())


def test_the_camera_of_a_rendered_scene_is_found_and_heads_are_put_below() -> None:
    ground = Ground(calibration(ASLANT))
    assert ground.camera is not None
    assert ground.camera.focal_px == pytest.approx(ASLANT.focal_px, rel=1e-6)
    assert ground.camera.down_degrees == pytest.approx(25, abs=1e-4)
    np.testing.assert_allclose(ground.camera.position_m, [0, 0, 6], atol=1e-5)
    np.testing.assert_allclose(ground.camera.rotation, ASLANT.frame, atol=1e-6)
    assert ground.camera.vertical_fov_degrees == pytest.approx(math.degrees(2 * math.atan(360 / ASLANT.focal_px)))
    for height_m in (0.0, 1.2, 1.6, 1.9):
        assert off(ground, ASLANT, PLACES, height_m) < 1e-4
    # As if it stood on the ground, a head would be put metres farther away.
    wrong = ground.to_metres(heads(ASLANT, PLACES), SIZE, height_m=0)
    assert np.linalg.norm(wrong - PLACES, axis=1).min() > 2


@settings(max_examples=40, deadline=None)
@given(
    height=st.floats(2.5, 40), pitch=st.floats(15, 75), fov=st.floats(30, 110), roll=st.floats(-10, 10),
    turn=st.floats(0, 360), moved=st.tuples(st.floats(-50, 50), st.floats(-50, 50)), left_handed=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_any_camera_is_found_from_four_to_nine_points(
    height: float, pitch: float, fov: float, roll: float, turn: float, moved: tuple[float, float], left_handed: bool,
    seed: int,
) -> None:  # fmt: skip
    """The metres may be turned, moved and counted either way, as a surveyor's are."""
    camera = Camera(height, pitch, fov, SIZE, roll)
    random = np.random.default_rng(seed)
    corners = np.array([[0.1, 0.5], [0.9, 0.5], [0.9, 0.95], [0.1, 0.95]]) * SIZE
    corners = np.concatenate(
        [corners, random.uniform(0.1, 0.9, (int(random.integers(0, 6)), 2)) * [1280, 360] + [0, 330]]
    )
    places = camera.to_ground(corners)
    assume(np.isfinite(places).all() and np.abs(places).max() < 20 * height)
    angle = math.radians(turn)
    way = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    way = way @ np.diag([1, -1 if left_handed else 1])
    settings_ = CalibrationSettings.model_validate(
        {
            "points": [
                {"pixel": p, "metres": m}
                for p, m in zip(corners.tolist(), (places @ way.T + moved).tolist(), strict=True)
            ],
            "size_wh": SIZE,
            "most_residual_m": 1e6,  # how sure exact points are is not asked here
        }
    )
    ground = Ground(settings_)
    assert ground.camera is not None
    assert ground.camera.focal_px == pytest.approx(camera.focal_px, rel=1e-3)
    assert ground.camera.position_m[2] == pytest.approx(height, rel=1e-3)
    inside = camera.to_ground(random.uniform(0.1, 0.9, (20, 2)) * [1280, 360] + [0, 330])
    seen, depth = camera.project(np.column_stack([inside, np.full(20, 1.6)]))
    near = (depth > 0.5) & (np.abs(inside).max(axis=1) < 20 * height)
    assume(height > 2.5 and near.any())
    found = ground.to_metres(seen[near], SIZE)
    np.testing.assert_allclose(found, inside[near] @ way.T + moved, atol=0.01)
    np.testing.assert_allclose(ground.to_pixels(found, SIZE), seen[near], atol=0.1)


def test_marked_pixels_that_are_a_pixel_off_put_heads_centimetres_off() -> None:
    random = np.random.default_rng(3)
    errors = []
    for _ in range(20):
        exact = calibration(ASLANT)
        points = [
            point.model_copy(update={"pixel": tuple(np.array(point.pixel) + random.normal(0, 1, 2))})
            for point in exact.points
        ]
        errors.append(off(Ground(exact.model_copy(update={"points": tuple(points)})), ASLANT, PLACES))
    assert float(np.median(errors)) < 0.25


def test_points_at_the_height_of_heads_need_no_camera() -> None:
    ground = Ground(calibration(DOWN, BELOW, mark_m=1.6))
    assert ground.camera is None
    assert off(ground, DOWN, BELOW) < 1e-9
    with pytest.raises(InputError, match="do not tell how high the camera hangs"):
        ground.to_metres([[5, 5]], SIZE, height_m=0)
    aslant = Ground(calibration(ASLANT, mark_m=1.6))
    assert off(aslant, ASLANT, PLACES, 0.0) < 1e-4  # and where there is a camera, the ground is below


@pytest.mark.parametrize("known", [{"camera_height_m": 8}, {"vertical_fov_degrees": FOV}])
def test_a_camera_that_looks_straight_down_needs_its_height_or_angle(known: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"straight down.*give camera_height_m or vertical_fov_degrees"):
        Ground(calibration(DOWN, BELOW))
    ground = Ground(calibration(DOWN, BELOW, **known))
    assert ground.camera is not None
    assert ground.camera.position_m[2] == pytest.approx(8, rel=1e-4)
    assert off(ground, DOWN, BELOW) < 1e-3


@pytest.mark.parametrize(
    "known",
    [{"camera_height_m": 6}, {"vertical_fov_degrees": FOV}, {"camera_height_m": 6, "vertical_fov_degrees": FOV}],
)
def test_what_is_given_of_a_camera_is_used_or_contradicted(known: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"No camera with the angle or height that was given.*point \d"):
        Ground(calibration(ASLANT, **{name: 1.6 * value for name, value in known.items()}))
    assert off(Ground(calibration(ASLANT, **known)), ASLANT, PLACES) < 1e-3


def test_a_point_that_was_marked_wrong_is_named() -> None:
    exact = calibration(ASLANT, np.concatenate([PLACES, [[2, 8], [-2, 13]]]))
    points = [*exact.points]
    points[4] = points[4].model_copy(update={"metres": (2.5, 10.0)})
    with pytest.raises(InputError, match=r"Point 5 of the calibration, at \(2.5, 10\) m, lies \d\.\d+ m"):
        Ground(exact.model_copy(update={"points": tuple(points)}))


def test_four_points_that_no_camera_sees_so_are_refused() -> None:
    wrong = PLACES[:4] * [1, 3]
    pixels = heads(ASLANT, PLACES[:4], 0)
    points = [{"pixel": p, "metres": m} for p, m in zip(pixels.tolist(), wrong.tolist(), strict=True)]
    with pytest.raises(
        InputError, match=r"No camera with .* sees the calibration's points so \(point \d is .* whole picture"
    ):
        Ground(CalibrationSettings.model_validate({"points": points, "size_wh": SIZE, "vertical_fov_degrees": 45}))


def test_mixed_heights_and_low_cameras_are_refused() -> None:
    exact = calibration(ASLANT)
    mixed = (exact.points[0].model_copy(update={"height_m": 1.6}), *exact.points[1:])
    with pytest.raises(InputError, match=r"at the heights 0 to 1\.6 m"):
        Ground(exact.model_copy(update={"points": mixed}))
    with pytest.raises(InputError, match=r"not above heads at 1\.6 m"):
        Ground(calibration(ASLANT, camera_height_m=1.5))
    low = Camera(height_m=1.3, pitch_deg=20, fov_deg=70, size_wh=SIZE)
    with pytest.raises(InputError, match=r"hangs at 1\.3 m, which is not above heads|could be put"):
        Ground(calibration(low, np.array([[-1.0, 2], [1, 2], [2, 6], [-2, 6]])))


def test_frames_of_another_size_are_scaled_and_of_another_shape_refused() -> None:
    ground = Ground(calibration(ASLANT))
    seen = heads(ASLANT, PLACES)
    np.testing.assert_allclose(ground.to_metres(seen / 2, (640, 360)), PLACES, atol=1e-4)
    np.testing.assert_allclose(ground.to_pixels(PLACES, (1920, 1080)), seen * 1.5, atol=1e-2)
    with pytest.raises(InputError, match=r"640×480 pixels, but .* 1280×720, of another shape"):
        ground.to_metres(seen, (640, 480))


def test_who_is_in_view_and_who_is_behind_the_camera() -> None:
    ground = Ground(calibration(ASLANT))
    assert ground.visible([[0, 10], [0, -10], [40, 10], [0, 2]]).tolist() == [True, False, False, False]
    assert np.isnan(ground.to_metres([[640, -200], [640, -260]], SIZE)).all()
    assert ground.depths([[0, 10], [0, -10]]).tolist()[1] < 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.tuples(*[st.floats(-1e4, 1e4)] * 2), st.tuples(*[st.floats(-1e6, 1e6)] * 2)),
        min_size=4,
        max_size=7,
    ),
    st.sampled_from([{}, {"camera_height_m": 3.0}, {"vertical_fov_degrees": 40.0}, {"most_residual_m": 1e9}]),
)
def test_points_from_anywhere_are_a_ground_or_refused_in_a_sentence(points: list[Any], more: dict[str, float]) -> None:
    marked = [{"pixel": pixel, "metres": metres} for pixel, metres in points]
    made = CalibrationSettings.model_validate({"points": marked, "size_wh": SIZE, **more})
    try:
        ground = Ground(made)
    except InputError:
        return
    for height_m in (0.0, 1.6):
        places = ground.to_metres([[640, 360], [0, 0], [1280, 720]], SIZE, height_m=height_m)
        assert places.shape == (3, 2)
        assert ground.to_pixels(np.nan_to_num(places), SIZE, height_m=height_m).shape == (3, 2)
