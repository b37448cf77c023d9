"""Zones and lines: where heads in them are seen, what is out of view, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.video.cameras import ASLANT, BELOW, DOWN, SIZE, calibration, heads

from headcount.core.errors import InputError
from headcount.video.ground import Ground
from headcount.video.site import LineSettings, ZoneSettings
from headcount.video.zones import Line, Zone, line_in, zone_in

GROUND = Ground(calibration())
SQUARE = [[-3, 7], [3, 7], [3, 13], [-3, 13]]


def zone(polygon: Any, ground: Ground | None = GROUND, size_wh: tuple[int, int] = SIZE, **more: Any) -> Zone:
    return zone_in(ZoneSettings(name="gate", polygon=polygon, **more), ground, size_wh, SIZE)


def line(ends: Any, ground: Ground | None = GROUND, size_wh: tuple[int, int] = SIZE, **more: Any) -> Line:
    return line_in(LineSettings(name="door", ends=ends, **more), ground, size_wh, SIZE)


def test_a_zone_in_metres_holds_the_heads_of_who_stands_in_it() -> None:
    found = zone(SQUARE, unit="metres")
    assert found.area_m2 == pytest.approx(36)
    assert found.seen == pytest.approx(1)
    assert found.warnings == ()
    np.testing.assert_allclose(sorted(found.heads_xy[0].tolist()), sorted(heads(ASLANT, SQUARE).tolist()), atol=0.05)
    random = np.random.default_rng(0)
    places = random.uniform([-8, 6], [8, 18], (500, 2))
    inside = (np.abs(places[:, 0]) < 3) & (np.abs(places[:, 1] - 10) < 3)
    seen = shapely.contains_xy(shapely.Polygon(found.heads_xy[0]), *heads(ASLANT, places).T)
    np.testing.assert_array_equal(seen, inside)


def test_a_zone_drawn_on_the_ground_is_moved_up_to_the_heads() -> None:
    drawn = heads(ASLANT, SQUARE, 0)
    for how in ({}, {"drawn": "ground"}):
        found = zone(drawn, **how)
        assert found.area_m2 == pytest.approx(36, rel=1e-4)
        np.testing.assert_allclose(
            shapely.Polygon(found.heads_xy[0]).symmetric_difference(shapely.Polygon(heads(ASLANT, SQUARE))).area,
            0,
            atol=5,
        )
        assert found.heads_xy[0][:, 1].max() < drawn[:, 1].max() - 50


def test_a_zone_drawn_around_heads_lies_where_they_stand() -> None:
    found = zone(heads(ASLANT, SQUARE), drawn="heads")
    assert found.area_m2 == pytest.approx(36, rel=1e-4)
    assert found.whole_m.symmetric_difference(shapely.Polygon(SQUARE)).area < 0.01


def test_without_a_calibration_a_zone_is_around_heads_and_has_no_area() -> None:
    found = zone([[10, 10], [200, 10], [200, 90]], None)
    assert (found.area_m2, found.whole_m, found.seen) == (None, None, 1)
    smaller = zone([[10, 10], [200, 10], [200, 90]], None, (640, 360))
    np.testing.assert_allclose(shapely.Polygon(smaller.heads_xy[0]).area, shapely.Polygon(found.heads_xy[0]).area / 4)


def test_what_lies_out_of_the_picture_or_behind_the_camera_is_cut_and_told() -> None:
    found = zone([[-2, -30], [2, -30], [2, 10], [-2, 10]], unit="metres")
    assert found.whole_m.area == pytest.approx(160)
    corners = GROUND.to_pixels(shapely.get_coordinates(found.seen_m), SIZE)
    assert corners.min() > -1e-6
    assert corners[:, 1].max() == pytest.approx(720)
    # The picture's lower edge is where heads are at y = (6 − 1.6) / tan(25° + half the angle of view).
    near = 4.4 / np.tan(np.radians(25) + np.arctan(360 / ASLANT.focal_px))
    assert found.area_m2 == pytest.approx(4 * (10 - near), rel=1e-3)
    assert found.seen == pytest.approx(found.area_m2 / 160)
    assert found.warnings == ('The zone "gate" is seen in part, 15 % of it: its numbers are of that part.',)


def test_a_zone_that_the_picture_cuts_in_two_is_counted_in_both() -> None:
    found = zone([[100, -300], [400, 300], [700, -300], [700, 400], [100, 400]], None)
    assert len(found.heads_xy) == 1
    found = zone([[100, 200], [400, -300], [700, 200], [400, -100]], None)
    assert len(found.heads_xy) == 2
    assert found.region.in_image(SIZE).any()


def test_a_camera_that_looks_straight_down_has_zones() -> None:
    found = zone(
        [[-2, -1], [2, -1], [2, 1], [-2, 1]], Ground(calibration(DOWN, BELOW, camera_height_m=8)), unit="metres"
    )
    assert found.area_m2 == pytest.approx(8, rel=1e-4)
    assert found.seen == pytest.approx(1)


@pytest.mark.parametrize(
    ("polygon", "how", "words"),
    [
        ([[0, 0], [9, 9], [9, 0], [0, 9]], {}, r'zone "gate" crosses or touches itself at \(4\.5, 4\.5\)'),
        ([[0, 0], [50, 50], [90, 90]], {}, "has no area"),
        ([[5, 5], [5, 5], [5, 5]], {}, "has no area"),
        ([[0, 0], [float("nan"), 9], [9, 0]], {}, "no finite number"),
        ([[2000, 100], [2100, 100], [2100, 200]], {"drawn": "heads"}, r"lies outside the picture of 1280×720"),
        (
            [[100, 100], [103, 100], [103, 103]],
            {"drawn": "heads"},
            r"pixels large where heads are seen: draw it larger",
        ),
        ([[-900, 500], [-800, 500], [-800, 600]], {}, "lies outside the picture"),
        ([[100, -300], [600, 300], [100, 300]], {}, r"the corner \(100, -300\), which lies at the horizon or above"),
        ([[-2, -9], [2, -9], [2, -30]], {"unit": "metres"}, "lies outside the picture"),
        ([[-2, 900], [2000, 9000], [-2000, 9000]], {"unit": "metres"}, "keep it away from the horizon"),
        ([[0, 9], [0.01, 9], [0, 9.01]], {"unit": "metres"}, "no area on the ground"),
    ],
)
def test_a_zone_that_is_none_is_told_in_one_sentence(polygon: Any, how: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        zone_in(
            ZoneSettings.model_construct(name="gate", polygon=polygon, **{"unit": "pixels", "drawn": None, **how}),
            GROUND,
            SIZE,
            SIZE,
        )


def test_what_is_on_the_ground_needs_a_calibration() -> None:
    with pytest.raises(InputError, match="in metres, which needs a calibration"):
        zone(SQUARE, None, unit="metres")
    with pytest.raises(InputError, match="drawn on the ground, which needs a calibration"):
        line([[0, 0], [90, 90]], None, drawn="ground")


def test_a_line_keeps_its_direction_and_what_is_to_its_right() -> None:
    found = line([[2, 9], [-2, 11]], unit="metres")
    np.testing.assert_allclose(found.ends_m, [[2, 9], [-2, 11]], atol=1e-4)
    assert found.length_m == pytest.approx(np.hypot(4, 2), rel=1e-4)
    assert found.right == -1
    np.testing.assert_allclose(found.heads_xy, heads(ASLANT, [[2, 9], [-2, 11]]), atol=0.05)
    flipped = line([[2, -9], [-2, -11]], Ground(calibration(flip=True)), unit="metres")
    assert flipped.right == 1
    np.testing.assert_allclose(flipped.heads_xy, found.heads_xy, atol=0.05)
    drawn = line(heads(ASLANT, [[2, 9], [-2, 11]], 0))
    np.testing.assert_allclose(drawn.ends_m, found.ends_m, atol=1e-3)


def test_a_line_is_cut_to_what_is_seen() -> None:
    found = line([[0, 10], [0, -10]], unit="metres")
    assert found.length_m == pytest.approx(
        10 - 4.4 / np.tan(np.radians(25) + np.arctan(360 / ASLANT.focal_px)), rel=1e-3
    )
    assert found.warnings
    assert found.ends_m is not None
    assert found.ends_m[0].tolist() == pytest.approx([0, 10], abs=1e-3)
    assert line([[-100, 50], [100, 50]], None).heads_xy.tolist() == [[0, 50], [100, 50]]
    with pytest.raises(InputError, match="outside the picture"):
        line([[0, -10], [0, -20]], unit="metres")
    with pytest.raises(InputError, match="different places"):
        line([[5, 5], [5, 5]], None)
    with pytest.raises(InputError, match=r"1\.0 cm long"):
        line([[0, 10], [0.01, 10]], unit="metres")
    with pytest.raises(InputError, match="the end"):
        line([[5, -300], [5, 400]])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-60, 60), st.floats(-60, 60)), min_size=3, max_size=7), st.booleans(),
    st.sampled_from(["metres", "pixels"]), st.sampled_from([None, "heads", "ground"]),
)  # fmt: skip
def test_a_polygon_from_anywhere_is_a_zone_or_refused_in_a_sentence(
    polygon: list[tuple[float, float]], calibrated: bool, unit: Any, drawn: Any
) -> None:
    if unit == "pixels":
        polygon = [(640 + 15 * x, 360 + 15 * y) for x, y in polygon]
    for made in (lambda: zone(polygon, GROUND if calibrated else None, unit=unit, drawn=drawn),
                 lambda: line(polygon[:2], GROUND if calibrated else None, unit=unit, drawn=drawn)):  # fmt: skip
        try:
            found = made()
        except InputError:
            continue
        corners = np.concatenate([found.heads_xy]) if isinstance(found, Line) else np.concatenate(found.heads_xy)
        assert (corners > -1e-6).all()
        assert (corners < np.array(SIZE) + 1e-6).all()
        if isinstance(found, Zone):
            assert found.region.in_image(SIZE).any()
            assert 0 < found.seen <= 1
            if found.area_m2 is not None:
                assert 0 < found.area_m2 <= found.whole_m.area * (1 + 1e-6)
