"""What a calibration comes to: residuals, the grid of metres and people in it, also where it is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.video.calibrated import fit_of
from headcount.video.shapes import shapes_of
from headcount.video.site import CalibrationSettings, CameraSettings, GroundPoint, LineSettings, ZoneSettings

from .places import METRES, SIZE_WH, pixels_of


def calibration(metres: Any = METRES, *, number: int = 6, **more: Any) -> CalibrationSettings:
    points = tuple(
        GroundPoint(pixel=(float(x), float(y)), metres=(float(right), float(ahead)))
        for (x, y), (right, ahead) in zip(pixels_of(METRES)[:number], metres[:number], strict=True)
    )
    return CalibrationSettings(points=points, size_wh=SIZE_WH, **more)


def metres_of(pixels: Any) -> Any:
    fit = fit_of(calibration())
    assert fit.homography is not None
    return fit.homography.to_metres(pixels)


def test_an_exact_calibration_is_told_with_the_cameras_height() -> None:
    fit = fit_of(calibration())
    assert fit.text == "6 points, off by 0.00 m at most. The camera hangs 6.0 m high."
    assert not fit.is_exact
    assert np.allclose(fit.fitted_xy(SIZE_WH), pixels_of(METRES), atol=1e-6)
    assert np.allclose(fit.fitted_xy((480, 270)), pixels_of(METRES) / 2, atol=1e-6)


def test_the_grid_lies_on_whole_metres() -> None:
    lines = fit_of(calibration()).grid(SIZE_WH)
    assert len(lines) > 20
    for line in lines:
        ends = metres_of(line)
        moved = np.abs(ends[1] - ends[0])
        axis = int(np.argmin(moved))
        assert moved[axis] == pytest.approx(0, abs=1e-6)
        assert ends[0][axis] == pytest.approx(round(ends[0][axis]), abs=1e-6)
        assert moved[1 - axis] > 0.4
    half = fit_of(calibration()).grid((480, 270))
    assert np.allclose(np.concatenate(half), np.concatenate(lines) / 2, atol=1e-6)


def test_people_stand_on_the_points_and_are_as_high_as_heads() -> None:
    fit = fit_of(calibration(person_m=1.2))
    people = np.array(fit.people(SIZE_WH))
    feet = metres_of(people[:, 0])
    for place in METRES:
        assert np.abs(feet - place).sum(axis=1).min() < 1e-6 or np.hypot(*(np.mean(METRES, axis=0) - place)) < 1.5
    assert np.allclose(people[:, 1], pixels_of(feet, 1.2), atol=0.05)


def test_a_wrong_point_is_refused_and_its_residual_known() -> None:
    moved = [*METRES[:2], (METRES[2][0] + 3, METRES[2][1]), *METRES[3:]]
    fit = fit_of(calibration(moved))
    assert fit.ground is None
    assert "from where the other points put it" in fit.text
    assert fit.text.startswith("Without point 3 the others fit: ")
    assert fit.residuals_m.max() > 0.5
    assert len(fit.grid(SIZE_WH)) > 10  # what is wrong can be looked at
    assert fit.people(SIZE_WH) == []


def test_nobody_is_suspected_where_several_may_be_wrong_or_too_few_are_marked() -> None:
    two = [(x + (2 if at in (1, 4) else 0), y) for at, (x, y) in enumerate(METRES)]
    assert fit_of(calibration(two)).suspect is None
    moved = [*METRES[:2], (METRES[2][0] + 3, METRES[2][1]), *METRES[3:]]
    assert fit_of(calibration(moved, number=5)).suspect is None


def test_points_that_fit_no_plane_have_no_grid() -> None:
    fit = fit_of(calibration([(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]))
    assert fit.homography is None
    assert fit.problem
    assert fit.grid(SIZE_WH) == []
    assert len(fit.fitted_xy(SIZE_WH)) == 0


@settings(max_examples=40, deadline=None)
@given(scale=st.floats(0.05, 200), turn=st.floats(0, 6.3), away=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)))
def test_the_grid_never_has_too_many_lines(scale: float, turn: float, away: tuple[float, float]) -> None:
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    metres = (np.array(METRES) @ rotation.T) * scale + away
    lines = fit_of(calibration(metres, most_residual_m=1e5)).grid(SIZE_WH)
    assert len(lines) <= 2 * 64
    assert all(np.isfinite(line).all() for line in lines)


def test_shapes_tell_what_holds_and_what_does_not() -> None:
    metres = ZoneSettings(name="front", polygon=((-2, 6), (2, 6), (2, 9), (-2, 9)), unit="metres")
    drawn = ZoneSettings(name="drawn", polygon=tuple(map(tuple, pixels_of(metres.polygon).tolist())))
    sky = ZoneSettings(name="sky", polygon=((100, -3000), (200, -3000), (200, -2900)))
    line = LineSettings(name="gate", ends=((-2, 8), (2, 8)), unit="metres")
    camera = CameraSettings(
        name="a", source="a.mp4", calibration=calibration(), zones=(metres, drawn, sky), lines=(line,)
    )
    shapes = shapes_of(camera, SIZE_WH)
    front, same, above = shapes.zones
    assert (front.text, same.text) == ("12.0 m²", "12.0 m²")
    assert np.allclose(front.drawn_xy, same.drawn_xy, atol=1e-6)
    assert "horizon" in above.problem
    assert shapes.lines[0].text == "4.0 m long"
    gray = np.full((SIZE_WH[1], SIZE_WH[0], 3), 100, np.uint8)
    changed = (shapes.draw(gray) != gray).any(axis=2)
    x, y = pixels_of([(0, 7.5)])[0].astype(int)
    assert changed[y, x]  # the zone is tinted


def test_a_camera_without_points_counts_heads_in_its_zones() -> None:
    zone = ZoneSettings(name="mat", polygon=((100, 100), (300, 100), (300, 300)))
    shapes = shapes_of(CameraSettings(name="a", source="a.mp4", zones=(zone,)), SIZE_WH)
    assert shapes.fit is None
    assert shapes.zones[0].text.startswith("people are counted in it, but not per square metre")
