"""A camera's calibration, zones and lines, tried on a frame of a size: what holds, and what does not and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headcount.core.errors import InputError
from headcount.core.geometry import Points
from headcount.core.image import RgbImage
from headcount.draw.zones import DrawnLine, DrawnPoint, DrawnZone, draw_zones
from headcount.video.calibrated import Fit, fit_of
from headcount.video.site import CameraSettings, LineSettings, ZoneSettings
from headcount.video.zones import Line, Zone, line_in, zone_in


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A zone or line that was tried: what it is where it holds, else why it does not.

    Attributes:
        settings: as it was written.
        drawn_xy: (k, 2) its corners as they lie in the picture, on the ground or around heads as they were drawn; empty
            where that cannot be said.
        found: the zone or line; None where it is refused.
        problem: why, in a sentence.
    """

    settings: ZoneSettings | LineSettings
    drawn_xy: Points
    found: Zone | Line | None = None
    problem: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of its numbers should know."""
        return () if self.found is None else self.found.warnings

    @property
    def text(self) -> str:
        """What it comes to, in a few words."""
        if isinstance(self.found, Zone):
            area = self.found.area_m2
            if area is None:
                return "people are counted in it, but not per square metre: no points of the ground are marked"
            return f"{area:,.1f} m²" if area < 100 else f"{area:,.0f} m²"
        if isinstance(self.found, Line):
            length = self.found.length_m
            return "drawn in the picture" if length is None else f"{length:,.1f} m long"
        return self.problem


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """A camera's settings on a frame.

    Attributes:
        size_wh: (width, height) of the frame.
        fit: of its calibration; None where it has none.
        problem: why the calibration cannot be used on such a frame; empty where it can, or there is none.
        zones, lines: in the order of the settings.
    """

    size_wh: tuple[int, int]
    fit: Fit | None
    problem: str
    zones: tuple[Tried, ...]
    lines: tuple[Tried, ...]

    def draw(self, picture: RgbImage, heads_xy: Points | None = None) -> RgbImage:
        """A copy of a frame (h, w, 3) with all of it: zones, lines, the marked points and the grid of metres."""
        zones = [
            DrawnZone(one.settings.name, one.drawn_xy, "wrong" if one.problem else one.text if _has_area(one) else "")
            for one in self.zones
            if len(one.drawn_xy)
        ]
        lines = [
            DrawnLine(one.settings.name, one.drawn_xy, "wrong" if one.problem else "")
            for one in self.lines
            if len(one.drawn_xy)
        ]
        grid = [] if self.fit is None else self.fit.grid(self.size_wh)
        return draw_zones(picture, zones, lines=lines, points=self._points(), grid=grid, heads_xy=heads_xy)

    def _points(self) -> list[DrawnPoint]:
        if self.fit is None:
            return []
        settings = self.fit.settings
        scale = np.array(self.size_wh) / settings.size_wh
        fitted = self.fit.fitted_xy(self.size_wh)
        points = []
        for at, point in enumerate(settings.points):
            marked = np.array(point.pixel) * scale
            if not len(fitted) or not np.isfinite(fitted[at]).all():
                points.append(DrawnPoint(str(at + 1), _pair(marked)))
                continue
            off = f"{self.fit.residuals_m[at]:.2f} m off" if not self.fit.is_exact else ""
            points.append(DrawnPoint(str(at + 1), _pair(marked), _pair(fitted[at]), off))
        return points


def shapes_of(camera: CameraSettings, size_wh: tuple[int, int]) -> Shapes:
    """Try all that a camera's settings say of its picture on frames of ``size_wh``; nothing is raised."""
    fit = None if camera.calibration is None else fit_of(camera.calibration)
    problem = "" if fit is None else fit.text if fit.problem else _other_shape(fit, size_wh)
    usable = None if problem else fit
    marked_wh = size_wh if camera.calibration is None else camera.calibration.size_wh
    zones = tuple(_tried(zone, fit, usable, size_wh, marked_wh) for zone in camera.zones)
    lines = tuple(_tried(line, fit, usable, size_wh, marked_wh) for line in camera.lines)
    return Shapes(size_wh, fit, problem, zones, lines)


def _other_shape(fit: Fit, size_wh: tuple[int, int]) -> str:
    assert fit.ground is not None
    try:
        fit.ground.to_metres(np.zeros((1, 2)), size_wh)
    except InputError as error:
        return error.message
    return ""


def _tried(
    settings: ZoneSettings | LineSettings,
    fit: Fit | None,
    usable: Fit | None,
    size_wh: tuple[int, int],
    marked_wh: tuple[int, int],
) -> Tried:
    drawn = _drawn(settings, fit, size_wh, marked_wh)
    ground = None if usable is None else usable.ground
    needs = settings.unit == "metres" or settings.drawn != "heads"
    if fit is not None and ground is None and needs:
        what = "zone" if isinstance(settings, ZoneSettings) else "line"
        return Tried(settings, drawn, None, f'The {what} "{settings.name}" waits for a calibration that holds.')
    try:
        if isinstance(settings, ZoneSettings):
            return Tried(settings, drawn, zone_in(settings, ground, size_wh, marked_wh))
        return Tried(settings, drawn, line_in(settings, ground, size_wh, marked_wh))
    except InputError as error:
        return Tried(settings, drawn, None, error.message)


def _drawn(
    settings: ZoneSettings | LineSettings, fit: Fit | None, size_wh: tuple[int, int], marked_wh: tuple[int, int]
) -> Points:
    """Where the corners are in the picture."""
    corners = np.array(settings.polygon if isinstance(settings, ZoneSettings) else settings.ends, np.float64)
    if settings.unit == "pixels":
        return corners * (np.array(size_wh) / marked_wh)
    if fit is None or fit.homography is None:
        return np.zeros((0, 2))
    pixels = fit.homography.to_pixels(corners) * (np.array(size_wh) / fit.settings.size_wh)
    return pixels if np.isfinite(pixels).all() else np.zeros((0, 2))


def _has_area(one: Tried) -> bool:
    return isinstance(one.found, Zone) and one.found.area_m2 is not None


def _pair(xy: Points) -> tuple[float, float]:
    return float(xy[0]), float(xy[1])
