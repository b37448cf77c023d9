"""From a frame to its Measurement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from tests.video.cameras import ASLANT, SIZE, calibration, heads
from tests.video.counters import AT, Seen

import headcount
from headcount.core.errors import InputError
from headcount.synth import paint_scene
from headcount.video.measure import Measured, Measurer
from headcount.video.measurement import Amount, LineMeasure, Measurement, ZoneMeasure
from headcount.video.site import CameraSettings

SQUARE = ((-3.0, 7.0), (3.0, 7.0), (3.0, 13.0), (-3.0, 13.0))
BLACK = np.zeros((720, 1280, 3), np.uint8)
LATTICE = np.stack(np.meshgrid(np.arange(-2.5, 3), np.arange(7.5, 13)), axis=-1).reshape(-1, 2)
"""36 people, one in the middle of each square metre."""
WIDER = np.stack(np.meshgrid(np.arange(-4.5, 5), np.arange(5.5, 15)), axis=-1).reshape(-1, 2)
"""The same, and others around them."""


def camera(*, calibrated: bool = True, **more: Any) -> CameraSettings:
    made: dict[str, Any] = {
        "name": "north",
        "source": "film.mp4",
        "calibration": calibration().model_dump() if calibrated else None,
        "zones": [{"name": "gate", "polygon": SQUARE, "unit": "metres"}] if calibrated else [],
        **more,
    }
    return CameraSettings.model_validate(made)


def measured(measurer: Measurer, counter: Any, at_s: float = 0.0, pixels: Any = BLACK, **more: Any) -> Measured:
    return measurer.measure(counter, pixels, datetime.fromtimestamp(AT + at_s, UTC), **more)


def zone_of(places: Any, measurer: Measurer | None = None, **more: Any) -> ZoneMeasure:
    measurer = measurer or Measurer(camera())
    return measured(measurer, Seen(heads(ASLANT, places), **more)).measurement.zones[0]


def test_a_square_of_six_by_six_metres_with_a_person_in_each_square_metre() -> None:
    found = zone_of(WIDER)
    assert found.people == Amount(value=36, low=28.8, high=75, level=0.9)
    assert found.area_m2 == pytest.approx(36, rel=1e-4)
    assert found.density is not None
    assert found.density.value == pytest.approx(1, rel=1e-4)
    assert found.density.low == pytest.approx(0.8, rel=1e-4)
    assert found.density.high == pytest.approx(75 / 36, rel=1e-4)
    assert found.voronoi is not None
    assert found.voronoi.value == pytest.approx(1, rel=0.01)
    assert found.voronoi.high == pytest.approx(found.voronoi.value * 75 / 36)
    assert found.fullest is not None
    assert found.fullest.value in (1, 2, 3, 4)  # people stand a metre apart, but for a thousandth
    assert found.refused == {}


def test_a_zone_that_empties_goes_to_nobody() -> None:
    measurer = Measurer(camera())
    assert zone_of(LATTICE, measurer).people.value == 36
    found = zone_of(np.zeros((0, 2)), measurer)
    assert found.people == Amount(value=0, low=0, high=3, level=0.9)
    assert found.density is not None
    assert (found.density.value, found.density.low) == (0, 0)
    assert found.density.high == pytest.approx(3 / 36, rel=1e-4)
    assert found.voronoi == found.density
    assert found.fullest == Amount(value=0, low=0, high=3, level=0.9)
    assert found.fullest_xy_m is None


def test_of_a_trace_of_somebody_the_ranges_do_not_grow_endless() -> None:
    """A density is never quite 0: of a thousandth of a person, with three more at most, no proportion tells a thing."""
    around = WIDER[(np.abs(WIDER[:, 0]) > 3) | (np.abs(WIDER[:, 1] - 10) > 3)]  # nobody in the zone, many beside it
    found = measured(Measurer(camera()), Trace(heads(ASLANT, around))).measurement
    zone = found.zones[0]
    assert zone.people.value == 0.001
    assert zone.voronoi is not None
    assert 0 < zone.voronoi.value < 0.2
    assert zone.voronoi.high == pytest.approx(zone.voronoi.value + 3.002 / 36, rel=1e-3)
    assert zone.fullest == Amount(value=0, low=0, high=3.002, level=0.9)
    measurer = Measurer(camera(lines=[{"name": "door", "ends": [(-3, 10), (3, 10)], "unit": "metres"}]))
    for at in range(61):
        found = measured(measurer, Seen(count=0.001, points_kind="heads"), at).measurement
    line = found.lines[0]
    assert (line.forward_per_min, line.forward_range_per_min) == (0, (0, pytest.approx(3.002)))


class Trace(Seen):
    """Sees a thousandth of a person in each zone, though no head there."""

    def count_regions(self, source: object, regions: Sequence[Any]) -> Any:
        whole, parts = super().count_regions(source, regions)
        return whole, [replace(part, count=0.001, interval=(0.0, 3.002)) for part in parts]


def test_the_fullest_square_metre_is_where_people_stand_close() -> None:
    close = np.array([1.0, 9.0]) + np.array([[0, 0], [0.4, 0.1], [0.2, 0.5], [0.6, 0.7], [0.1, 0.8]])
    found = zone_of(np.concatenate([close, [[-2, 12], [5, 9]]]))
    assert found.fullest is not None
    assert found.fullest.value == 5
    assert (found.fullest.low, found.fullest.high) == (pytest.approx(4), pytest.approx(12.5))
    assert found.fullest_xy_m is not None
    assert np.abs(np.array(found.fullest_xy_m) - [1.3, 9.4]).max() < 0.25


def test_heads_that_stand_for_more_people_weigh_more() -> None:
    """A model whose density counts five people for four heads."""
    density = np.zeros((90, 160), np.float32)
    pixels = heads(ASLANT, WIDER)
    np.add.at(density, tuple((pixels // 8).astype(int).T[::-1]), 1.25)
    found = zone_of(WIDER, count=125.0, density=density, density_stride=8)
    assert found.people.value == pytest.approx(45, abs=2)  # cells lie across the border
    assert found.density is not None
    assert found.voronoi is not None
    assert found.voronoi.value == pytest.approx(found.density.value, rel=0.02)


def test_a_density_without_heads_has_a_fullest_square_metre_and_no_voronoi_cells() -> None:
    density = np.zeros((90, 160), np.float32)
    row, column = (heads(ASLANT, [[0, 10]])[0] // 8).astype(int)[::-1]
    density[row, column] = 4
    found = zone_of([], count=4.0, density=density, density_stride=8, points_kind="none")
    assert found.people.value == 4
    assert found.voronoi is None
    assert "without locating each head" in found.refused["voronoi"]
    assert found.fullest is not None
    assert found.fullest.value == pytest.approx(4)
    assert found.fullest_xy_m == pytest.approx((0, 10), abs=0.6)


LINE = {"name": "door", "ends": ((0.0, 7.0), (0.0, 13.0)), "unit": "metres"}


def walk(measurer: Measurer, frames: int, *, size: float = 1.0, seen: Any = None, **more: Any) -> Sequence[LineMeasure]:
    """Two walkers to the right and one to the left, each at 1 m/s, five frames a second."""
    counter, found = Seen(), None
    for at in np.arange(frames) / 5:
        places = np.array([[at - 3, 8], [at - 3.5, 12], [3 - at, 10]])
        pixels = heads(ASLANT, places) * size
        counter.see(pixels, tuple((size * np.array(SIZE)).astype(int)), **(more | (seen(pixels) if seen else {})))
        shape = (int(720 * size), int(1280 * size), 3)
        found = measured(measurer, counter, float(at), np.zeros(shape, np.uint8)).measurement.lines
    assert found is not None
    return found


def test_who_crosses_a_line_is_counted_by_direction() -> None:
    (found,) = walk(Measurer(camera(lines=[LINE])), 61)
    # The line leads away from the viewer: its right is where x grows.
    assert (found.forward, found.backward, found.refused) == (2, 1, "")
    assert found.forward_per_min == pytest.approx(2 * 60 / 12)
    assert found.backward_per_min == pytest.approx(1 * 60 / 12)
    assert found.flow_per_m_min == pytest.approx(15 / 6, rel=1e-3)
    # Of v people in view on average the range is 0.8 v to 2 v + 3: as wide in proportion, and one more at its end.
    assert found.forward_range_per_min is not None
    assert found.flow_range_per_m_min is not None
    assert found.forward_range_per_min[0] == pytest.approx(0.8 * 10)
    factor = (found.forward_range_per_min[1] / 5 + 1) / 3
    assert 2 + 3 / 3 <= factor <= 2 + 3 / 2
    assert found.flow_range_per_m_min == (pytest.approx(0.8 * 15 / 6), pytest.approx(5 * (4 * factor - 1) / 6))
    assert found.level == 0.9
    (turned,) = walk(Measurer(camera(lines=[{**LINE, "ends": LINE["ends"][::-1]}])), 61)
    assert (turned.forward, turned.backward) == (1, 2)


def test_without_a_calibration_lines_need_sizes_of_heads() -> None:
    settings = camera(calibrated=False, lines=[{"name": "door", "ends": heads(ASLANT, [[0, 7], [0, 13]]).tolist()}])
    (found,) = walk(Measurer(settings), 61)
    assert "tells no sizes of heads" in found.refused
    boxed = lambda pixels: {"boxes_xyxy": np.hstack([pixels - 8, pixels + 8])}  # noqa: E731
    (found,) = walk(Measurer(settings), 61, seen=boxed)
    assert (found.forward, found.backward, found.refused) == (2, 1, "")
    assert found.forward_per_min is not None
    assert found.flow_per_m_min is None


def test_lines_are_refused_where_heads_cannot_be_told_apart() -> None:
    (found,) = walk(Measurer(camera(lines=[LINE])), 61, count=9.0)
    assert "only 3 are heads with a place" in found.refused
    assert (found.forward, found.forward_per_min, found.flow_per_m_min) == (0, None, None)


def test_frames_of_another_size_are_measured_anew() -> None:
    measurer = Measurer(camera(lines=[LINE]))
    first = walk(measurer, 31)
    assert (first[0].forward, first[0].backward) == (2, 1)
    assert measurer.shapes(SIZE)[0][0].size_wh == SIZE
    later = walk(measurer, 61, size=0.5)  # the clock goes back, too
    assert (later[0].forward, later[0].backward) == (4, 2)
    with pytest.raises(InputError, match=r'Camera "north": The frame has 640×480 .* of another shape'):
        measured(measurer, Seen(), pixels=np.zeros((480, 640, 3), np.uint8))
    plain = Measurer(
        camera(calibrated=False, zones=[{"name": "left", "polygon": [[0, 0], [640, 0], [640, 720], [0, 720]]}])
    )
    whole = measured(plain, Seen([[100, 100], [900, 100]])).measurement
    assert whole.zones[0].people.value == 1
    assert "not calibrated" in whole.zones[0].refused["density"]
    half = Seen().see([[300, 50], [340, 50]], (640, 360))
    assert measured(plain, half, pixels=np.zeros((360, 640, 3), np.uint8)).measurement.zones[0].people.value == 1
    with pytest.raises(InputError, match="of another shape"):
        plain.shapes((640, 480))


def test_trends_of_the_view_and_of_zones() -> None:
    measurer, found = Measurer(camera()), None
    for at in range(91):
        places = np.concatenate([LATTICE[: at // 5], [[6, 15]]])
        found = measured(measurer, Seen(heads(ASLANT, places)), float(at)).measurement
        if at < 60:
            assert found.trend_per_min is None
    assert found is not None
    assert found.trend_per_min is not None
    assert found.zones[0].trend_per_min is not None
    assert found.trend_per_min.value == pytest.approx(12, rel=0.05)
    assert found.zones[0].trend_per_min.value == pytest.approx(12, rel=0.05)


def test_numbers_below_the_least_cannot_be_told_from_nobody() -> None:
    told = []
    for number in (0, 4, 9):
        measurer = Measurer(camera(lines=[LINE]), least_people=10)
        walk(measurer, 61)
        for at in range(61, 71):
            found = measured(measurer, Seen(heads(ASLANT, LATTICE[:number])), at / 5).measurement
        told.append(found.model_copy(update={"latency_ms": 0.0}))
    assert told[0] == told[1] == told[2]
    assert told[0].people == Amount(value=0, low=0, high=9)
    zone, line = told[0].zones[0], told[0].lines[0]
    assert zone.people == Amount(value=0, low=0, high=9)
    assert (zone.density, zone.voronoi, zone.fullest, zone.fullest_xy_m, zone.trend_per_min) == (None,) * 5
    assert set(zone.refused) == {"density", "voronoi", "fullest", "trend_per_min"}
    assert (line.forward, line.backward, line.forward_per_min, line.flow_per_m_min) == (0, 0, None, None)
    assert (line.forward_range_per_min, line.flow_range_per_m_min, line.level) == (None, None, None)
    assert line.refused == "Fewer than 10 people crossed the line one way in the last minute: how many is not told."


def test_numbers_from_the_least_on_are_told_but_not_of_smaller_places() -> None:
    found = zone_of(LATTICE[:10], Measurer(camera(), least_people=10))
    assert found.people.value == 10
    assert found.density is not None
    assert found.fullest is None
    assert "in the fullest square metre" in found.refused["fullest"]


def test_what_the_reader_should_know_is_told_once() -> None:
    zones = [{"name": "gate", "polygon": [(-2, -30), (2, -30), (2, 10), (-2, 10)], "unit": "metres"}]
    above = [[x, 5.0] for x in range(100, 500, 100)]
    low = camera(zones=zones)
    counter = Seen(np.concatenate([heads(ASLANT, [[0, 9]]), above]), warnings=("Dark.",), count=5.0)
    found = measured(Measurer(low), counter).measurement
    assert found.warnings[0] == "Dark."
    assert 'The zone "gate" is seen in part, 15 % of it' in found.warnings[1]
    assert len(found.warnings) == 2


def test_heads_above_the_horizon_are_told_of() -> None:
    from tests.video.cameras import PLACES

    from headcount.synth.rendered.camera import Camera

    level = Camera(height_m=3, pitch_deg=8, fov_deg=70, size_wh=SIZE)
    settings = camera(calibration=calibration(level, PLACES).model_dump(), zones=[])
    counter = Seen([[x, 20.0] for x in range(100, 500, 100)])
    (said,) = measured(Measurer(settings), counter).measurement.warnings
    assert said.startswith("4 of 4 heads lie above the horizon")


def test_a_record_is_whole_and_comes_back_from_json() -> None:
    measurer = Measurer(camera(lines=[LINE]))
    found = measured(measurer, Seen(heads(ASLANT, LATTICE)), frame=7, skipped=3)
    record = found.measurement
    assert (record.camera, record.frame, record.skipped, record.size_wh, record.model) == ("north", 7, 3, SIZE, "exact")
    assert 0 < record.latency_ms < 60_000
    assert Measurement.model_validate(json.loads(record.model_dump_json())) == record
    assert [zone.name for zone in found.zones] == ["gate"]
    assert [line.name for line in found.lines] == ["door"]


def test_a_calibration_that_does_not_fit_names_the_camera() -> None:
    points = calibration().model_dump()["points"]
    points[4]["metres"] = (3.0, 10.0)
    with pytest.raises(InputError, match=r'Camera "north": Point \d of the calibration'):
        Measurer(camera(calibration={"points": points, "size_wh": SIZE}))
    with pytest.raises(InputError, match=r'Camera "north": The zone "gate" is 0\.0 pixels large'):
        Measurer(camera(zones=[{"name": "gate", "polygon": SQUARE, "drawn": "heads"}])).shapes((32, 18))


def test_a_real_model_is_measured_as_it_counts() -> None:
    counter = headcount.load("headcount-n", threads=1)
    pixels = paint_scene(3, size_wh=(640, 384), count=60).pixels()
    polygon = [[0, 0], [320, 0], [320, 384], [0, 384]]
    measurer = Measurer(camera(calibrated=False, zones=[{"name": "left", "polygon": polygon}]))
    found = measured(measurer, counter, pixels=pixels)
    whole, part = counter.count(pixels), counter.count(pixels, region=polygon)
    assert whole.interval is not None
    assert part.interval is not None
    assert found.measurement.people.value == round(whole.count, 3)
    assert found.measurement.people.high == whole.interval[1]
    assert found.measurement.zones[0].people.value == round(part.count, 3)
    assert found.measurement.zones[0].people.low == part.interval[0]
    assert found.prediction.count == whole.count
