"""From a frame to its Measurement: people in view, in each zone, over each line, and where that leads."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from headcount.core.errors import InputError
from headcount.core.geometry import Points
from headcount.core.homography import Floats
from headcount.core.image import RgbImage
from headcount.core.limits import DEFAULT_LEVEL
from headcount.core.prediction import Prediction
from headcount.infer.counter import Counter
from headcount.video.ground import Ground
from headcount.video.measurement import Amount, LineMeasure, Measurement, ZoneMeasure
from headcount.video.measures.amounts import (
    Lately,
    alike,
    crossed,
    few,
    not_told,
    people_of,
    withheld_line,
    withheld_zone,
)
from headcount.video.measures.crossings import Crossings, Passed
from headcount.video.measures.density import Cells, fullest_square, voronoi_cells, voronoi_density
from headcount.video.measures.heads import Heads, heads_of, places_of_density
from headcount.video.measures.trend import Trend
from headcount.video.site import CameraSettings
from headcount.video.zones import Line, Zone, line_in, zone_in

_LOST = 0.1
_FEW_LOST = 3
_UNCALIBRATED = "The camera is not calibrated: mark four points of the ground."


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A frame that was measured.

    Attributes:
        measurement: what is told of it.
        prediction: what the model saw in the whole frame, with the place of each head, whatever is withheld above.
        zones, lines: where they lie in the frame, for drawing; in the order of the measurement's.
    """

    measurement: Measurement
    prediction: Prediction
    zones: tuple[Zone, ...]
    lines: tuple[Line, ...]


class Measurer:
    """Measures a camera's frames one after the other; for one thread.

    The range of a density is that of the people over the area. Of the Voronoi density and of the fullest square metre
    the range is taken to be as wide in proportion as that of the people in the zone, as nothing else is known of them;
    and each head stands for as many people as were counted in the zone for one that was located there. So is that of
    crossings, in proportion to that of the people in view in that minute, and one more at the upper end.

    Args:
        camera: its settings.
        least_people: numbers of people below it are told as 0 to one less, be there none or some, and nothing is told
            that they could be worked out from: no densities, trends and flows. What two zones or two frames differ by
            is not hidden, nor is anything in a picture.

    Raises:
        InputError: the calibration does not fit; see ``Ground``.
    """

    def __init__(self, camera: CameraSettings, *, least_people: int = 1) -> None:
        self._camera, self._least = camera, least_people
        self.ground: Ground | None = None
        if camera.calibration is not None:
            with self._named():
                self.ground = Ground(camera.calibration)
        self._marked_wh = None if camera.calibration is None else camera.calibration.size_wh
        self._shapes: tuple[tuple[int, int], tuple[Zone, ...], tuple[Line, ...]] | None = None
        self._crossings: Crossings | None = None
        self._lately = Lately()
        self._trend, self._trends = Trend(), [Trend() for _ in camera.zones]

    def shapes(self, size_wh: tuple[int, int]) -> tuple[tuple[Zone, ...], tuple[Line, ...]]:
        """The zones and lines in frames of ``size_wh``; in pixels without a calibration, they are of the first frame's.

        Raises:
            InputError: one of them does not fit such frames; see ``zone_in`` and ``line_in``.
        """
        if self._shapes is None or self._shapes[0] != size_wh:
            marked_wh = self._marked_wh or size_wh
            with self._named():
                if self.ground is None:
                    _refuse_shape(size_wh, marked_wh)
                zones = tuple(zone_in(zone, self.ground, size_wh, marked_wh) for zone in self._camera.zones)
                lines = tuple(line_in(line, self.ground, size_wh, marked_wh) for line in self._camera.lines)
            self._marked_wh, self._shapes = marked_wh, (size_wh, zones, lines)
            ends = [(line.heads_xy if line.ends_m is None else line.ends_m, line.right) for line in lines]
            if self._crossings is None:
                self._crossings = Crossings(ends)
            elif self.ground is None:
                self._crossings.move(ends)
        return self._shapes[1:]

    def measure(
        self,
        counter: Counter,
        pixels: RgbImage,
        at: datetime,
        *,
        frame: int = 0,
        skipped: int = 0,
        came: float | None = None,
    ) -> Measured:
        """Count a frame (h, w, 3) once and measure everything of it.

        Args:
            counter: what counts.
            pixels: the frame, RGB.
            at: when it was taken; trends and tracks begin anew where this goes back, or far ahead.
            frame: its number.
            skipped: frames passed over so far.
            came: when it came, by ``time.monotonic``; None: now.

        Raises:
            InputError: zones or lines do not fit a frame of this size.
            ModelError: as ``Counter.count``.
        """
        came = time.monotonic() if came is None else came
        zones, _ = self.shapes((pixels.shape[1], pixels.shape[0]))
        whole, parts = counter.count_regions(pixels, [zone.region for zone in zones])
        return self.measure_counted(whole, parts, at, frame=frame, skipped=skipped, came=came)

    def measure_counted(
        self, whole: Prediction, parts: Sequence[Prediction], at: datetime, *, frame: int, skipped: int, came: float
    ) -> Measured:
        """As ``measure``, of a frame that was counted, as a whole and in the region of each zone.

        Raises:
            InputError: as ``measure``.
        """
        zones, lines = self.shapes(whole.size_wh)
        at_s, people = at.timestamp(), people_of(whole)
        self._trend.take(at_s, people.value)
        heads = heads_of(whole, self.ground)
        may_tell = self._tells(whole)
        measurement = Measurement(
            camera=self._camera.name,
            at=at,
            frame=frame,
            size_wh=whole.size_wh,
            people=people if may_tell else few(self._least),
            trend_per_min=self._trend.per_minute(_level(people)) if may_tell else None,
            zones=tuple(self._zones(zones, parts, heads, at_s)),
            lines=tuple(self._lines(lines, people, heads, at_s)),
            model=whole.model,
            skipped=skipped,
            warnings=self._warnings(whole, parts, zones, lines, heads),
            latency_ms=max(0.0, 1e3 * (time.monotonic() - came)),
        )
        return Measured(measurement, whole, zones, lines)

    def _zones(
        self, zones: Sequence[Zone], parts: Sequence[Prediction], heads: Heads, at_s: float
    ) -> Iterator[ZoneMeasure]:
        cells = None
        if zones and heads.places_m is not None and not heads.refused:
            cells = voronoi_cells(heads.places_m)
        for zone, found, trend in zip(zones, parts, self._trends, strict=True):
            people = people_of(found)
            trend.take(at_s, people.value)
            measure = self._zone(zone, found, people, heads, cells, trend.per_minute(_level(people)))
            yield withheld_zone(measure, self._least)

    def _zone(
        self, zone: Zone, found: Prediction, people: Amount, heads: Heads, cells: Cells | None, trend: Amount | None
    ) -> ZoneMeasure:
        area = zone.area_m2
        if area is None or self.ground is None:
            refused = dict.fromkeys(("density", "voronoi", "fullest"), _UNCALIBRATED)
            return ZoneMeasure(name=zone.name, people=people, trend_per_min=trend, refused=refused)
        places, weights, each = self._people_in(found, heads)
        refused, voronoi, most, middle = {}, None, None, None
        if cells is None:
            refused["voronoi"] = heads.refused
        else:
            near = np.full(len(cells), each)
            voronoi = alike(voronoi_density(cells, zone.seen_m, weights=near), people, each=1 / area)
        if found.density is None and heads.refused:
            refused["fullest"] = heads.refused
        else:
            number, middle = fullest_square(places, weights)
            most = alike(number, people, each=1)
        return ZoneMeasure(
            name=zone.name,
            people=people,
            area_m2=area,
            density=people.times(1 / area),
            voronoi=voronoi,
            fullest=most,
            fullest_xy_m=middle,
            trend_per_min=trend,
            refused=refused,
        )

    def _people_in(self, found: Prediction, heads: Heads) -> tuple[Points, Floats, float]:
        """Where the people of a zone stand, how many at each place, and for how many a head stands."""
        assert self.ground is not None
        if heads.refused:
            return *places_of_density(found, self.ground), 1.0
        places = self.ground.to_metres(found.points_xy, found.size_wh)
        places = places[np.isfinite(places).all(axis=1)]
        each = max(found.count, 0.0) / len(found.points_xy) if len(found.points_xy) else 1.0
        return places, np.full(len(places), each), each

    def _lines(self, lines: Sequence[Line], people: Amount, heads: Heads, at_s: float) -> Iterator[LineMeasure]:
        if not lines or self._crossings is None:
            return
        refused, lately = heads.refused, self._lately.take(at_s, people)
        if not refused and heads.places_m is None and heads.per_m is None:
            refused = (
                "The camera is not calibrated and the model tells no sizes of heads, so that nobody knows how far "
                "people walk between frames: mark four points of the ground."
            )
        if refused:
            self._crossings.refuse(at_s)
        elif heads.places_m is not None:
            refused = self._crossings.take(heads.places_m, at_s)
        else:
            refused = self._crossings.take(heads.points_xy, at_s, heads.per_m)
        if refused and people.value < self._least:
            refused = not_told(self._least, "are in view")
        for line, passed in zip(lines, self._crossings.passed(), strict=True):
            yield withheld_line(_line_measure(line, passed, lately, refused), passed.lately, self._least)

    def _warnings(
        self,
        whole: Prediction,
        parts: Sequence[Prediction],
        zones: Sequence[Zone],
        lines: Sequence[Line],
        heads: Heads,
    ) -> tuple[str, ...]:
        """All that the reader should know, each once; where numbers are withheld, nothing of what was counted."""
        told: list[str] = []
        if self._tells(whole):
            told += whole.warnings
            if heads.lost >= _FEW_LOST and heads.lost > _LOST * len(whole.points_xy):
                told.append(
                    f"{heads.lost:,} of {len(whole.points_xy):,} heads lie above the horizon of the calibration, and "
                    "have no place on the ground: mark its points again if the camera was moved."
                )
        for zone in zones:
            told += zone.warnings
        for line in lines:
            told += line.warnings
        for zone, part in zip(zones, parts, strict=True):
            if self._tells(part):
                told += [f'Zone "{zone.name}": {said}' for said in part.warnings if said not in whole.warnings]
        return tuple(dict.fromkeys(told))

    def _tells(self, found: Prediction) -> bool:
        return self._least <= 1 or found.count >= self._least

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the camera in what is refused."""
        try:
            yield
        except InputError as error:
            raise InputError(f'Camera "{self._camera.name}": {error.message}', remedy=error.remedy) from error


def _line_measure(line: Line, passed: Passed, people: Amount, refused: str) -> LineMeasure:
    if refused or passed.per_min is None:
        return LineMeasure(name=line.name, forward=passed.forward, backward=passed.backward, refused=refused)
    each = passed.per_min
    numbers = (*passed.lately, sum(passed.lately))
    ranges = [None if (ends := crossed(one, people)) is None else (each * ends[0], each * ends[1]) for one in numbers]
    length, both = line.length_m, ranges[2]
    return LineMeasure(
        name=line.name,
        forward=passed.forward,
        backward=passed.backward,
        forward_per_min=each * numbers[0],
        backward_per_min=each * numbers[1],
        flow_per_m_min=None if length is None else each * numbers[2] / length,
        forward_range_per_min=ranges[0],
        backward_range_per_min=ranges[1],
        flow_range_per_m_min=None if both is None or length is None else (both[0] / length, both[1] / length),
        level=people.level,
    )


def _level(people: Amount) -> float:
    return DEFAULT_LEVEL if people.level is None else people.level


def _refuse_shape(size_wh: tuple[int, int], marked_wh: tuple[int, int]) -> None:
    if abs(size_wh[0] * marked_wh[1] / (size_wh[1] * marked_wh[0]) - 1) > 0.01:
        raise InputError(
            f"The frame has {size_wh[0]}×{size_wh[1]} pixels, but the first one had {marked_wh[0]}×{marked_wh[1]}, of "
            "another shape: draw the zones and lines in a frame of the camera as it is now."
        )
