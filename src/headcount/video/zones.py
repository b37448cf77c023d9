"""Zones and lines of a camera: where they lie on the ground, and where in the picture the heads over them are seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from headcount.core.errors import InputError
from headcount.core.geometry import Points
from headcount.core.region import Region
from headcount.video.ground import Ground
from headcount.video.site import LineSettings, ZoneSettings

_NEAREST_DEPTH = 1e-3
"""Of the distance to the marked points: what lies nearer to the camera's plane is cut, before pixels grow endless."""
_MOST_M2 = 1e6
_WHOLE = 0.995
"""The share of a zone that must be seen for nothing to be said."""
_LEAST_M = 0.05
_LEAST_PX2 = 16.0


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """A zone, as a picture of ``size_wh`` shows it.

    Attributes:
        name: its name.
        size_wh: (width, height) of the pictures it is for.
        region: where the heads of people who stand in it are seen, a mask: what is counted.
        heads_xy: (k, 2) corners each, in pixels: the polygons that ``region`` was drawn from, mostly one.
        whole_m: the zone on the ground in metres as it was drawn, a shapely geometry; None without a calibration.
        seen_m: the part of it in which people's heads are within the picture. Densities are people in view over its
            area: nobody sees who is beyond it.
        seen: its share of the whole's area, from 0 to 1; of one drawn around heads, in pixels.
        warnings: what the reader of its numbers should know.
    """

    name: str
    size_wh: tuple[int, int]
    region: Region
    heads_xy: tuple[Points, ...]
    whole_m: Any = None
    seen_m: Any = None
    seen: float = 1.0
    warnings: tuple[str, ...] = ()

    @property
    def area_m2(self) -> float | None:
        """The area that is seen, in square metres; None without a calibration."""
        return None if self.seen_m is None else float(self.seen_m.area)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line to cross, as a picture of ``size_wh`` shows it.

    Attributes:
        name: its name.
        size_wh: (width, height) of the pictures it is for.
        heads_xy: (2, 2) where heads are seen that are over the ends of the part in view, in pixels.
        ends_m: (2, 2) its ends on the ground in metres, of the part in view; None without a calibration.
        length_m: the length of that part.
        right: 1 or −1: the sign of (end 2 − end 1) × (place − end 1) on its right side, as the picture shows it; −1
            in metres whose y grows away from the viewer.
        warnings: what the reader of its numbers should know.
    """

    name: str
    size_wh: tuple[int, int]
    heads_xy: Points
    ends_m: Points | None = None
    length_m: float | None = None
    right: int = 1
    warnings: tuple[str, ...] = ()


def zone_in(
    settings: ZoneSettings, ground: Ground | None, size_wh: tuple[int, int], marked_wh: tuple[int, int]
) -> Zone:
    """A zone in a picture of ``size_wh``.

    Args:
        settings: the zone.
        ground: the camera's; None without a calibration.
        size_wh: (width, height) of the picture.
        marked_wh: that of the picture whose pixels the zone was drawn in; the calibration's, where there is one.

    Raises:
        InputError: the zone crosses itself, has no area, lies outside the picture or beyond the horizon as a whole, a
            corner that was drawn on the ground lies at the horizon or above it, or it is on the ground without a
            calibration.
    """
    what = f'The zone "{settings.name}"'
    corners = np.array(settings.polygon, dtype=np.float64)
    _refuse_shape(what, corners)
    if ground is None:
        _refuse_ground(what, settings)
        heads = shapely.Polygon(corners * (np.array(size_wh) / marked_wh))
        cut = shapely.intersection(heads, shapely.box(0, 0, *size_wh))
        return _zone(settings.name, size_wh, cut, seen=min(1.0, float(cut.area / heads.area)))
    if settings.unit == "pixels":
        if settings.drawn == "heads":
            corners, missing = _cut_to(corners, marked_wh)
            height = None
        else:
            missing, height = 0.0, 0.0
        corners = _on_ground(what, corners, ground, marked_wh, height, closed=True)
    else:
        missing = 0.0
    whole = shapely.Polygon(corners)
    if not whole.area > _LEAST_M**2 or not shapely.is_valid(whole):
        raise InputError(f"{what} has no area on the ground: draw it with corners farther apart, in order around it.")
    if whole.area > _MOST_M2:
        raise InputError(f"{what} reaches {whole.area:,.0f} m²: keep it away from the horizon.")
    cut = _heads_of(whole, ground, size_wh)
    if cut.is_empty:
        return _zone(settings.name, size_wh, cut, seen=0.0)
    seen = shapely.intersection(_ground_below(cut, ground, size_wh), whole)
    share = min(1.0, float(seen.area / whole.area)) * (1 - missing)
    return _zone(settings.name, size_wh, cut, seen=share, whole_m=whole, seen_m=seen)


def line_in(
    settings: LineSettings, ground: Ground | None, size_wh: tuple[int, int], marked_wh: tuple[int, int]
) -> Line:
    """A line in a picture of ``size_wh``; arguments as of ``zone_in``.

    Raises:
        InputError: its ends are one place, it lies outside the picture as a whole, an end that was drawn on the ground
            lies at the horizon or above it, or it is on the ground without a calibration.
    """
    what = f'The line "{settings.name}"'
    ends = np.array(settings.ends, dtype=np.float64)
    if not np.isfinite(ends).all() or (ends[0] == ends[1]).all():
        raise InputError(f"{what} needs two ends at different places: give both as [x, y].")
    frame = shapely.box(0, 0, *size_wh)
    if ground is None:
        _refuse_ground(what, settings)
        drawn = shapely.LineString(ends * (np.array(size_wh) / marked_wh))
        cut = shapely.intersection(drawn, frame)
        if not cut.length > 0:
            raise InputError(_outside(what, size_wh))
        return Line(
            settings.name, size_wh, shapely.get_coordinates(cut), warnings=_partly(what, cut.length / drawn.length)
        )
    if settings.unit == "pixels":
        height = None if settings.drawn == "heads" else 0.0
        ends = _on_ground(what, ends, ground, marked_wh, height, closed=False)
    whole = shapely.LineString(ends)
    if whole.length < _LEAST_M:
        raise InputError(f"{what} is {100 * whole.length:.1f} cm long on the ground: draw its ends farther apart.")
    before = _before(whole, ground)
    heads = shapely.LineString(ground.to_pixels(shapely.get_coordinates(before), size_wh)) if before.length else before
    cut = shapely.intersection(heads, frame)
    if not cut.length > 0:
        raise InputError(_outside(what, size_wh))
    pixels = shapely.get_coordinates(cut)[[0, -1]]
    ends_m = ground.to_metres(pixels, size_wh)
    if (ends_m[1] - ends_m[0]) @ (ends[1] - ends[0]) < 0:  # an intersection may turn it round
        pixels, ends_m = pixels[::-1], ends_m[::-1]
    length = float(np.linalg.norm(ends_m[1] - ends_m[0]))
    return Line(
        settings.name, size_wh, pixels, ends_m, length, -1 if ground.is_mirrored else 1,
        warnings=_partly(what, length / whole.length),
    )  # fmt: skip


def _refuse_shape(what: str, corners: Points) -> None:
    if not np.isfinite(corners).all():
        raise InputError(f"{what} has a corner that is no finite number: give each as [x, y].")
    if len(corners) < 3 or not shapely.MultiPoint(corners).convex_hull.area > 0:
        raise InputError(f"{what} has no area: give three corners or more that are not on a line.")
    polygon = shapely.Polygon(corners)
    if not shapely.is_valid(polygon):
        why = shapely.is_valid_reason(polygon)
        at = why.partition("[")[2].rstrip("]").split()  # as in "Self-intersection[4.5 4.5]"
        where = f" at ({', '.join(f'{float(one):g}' for one in at)})" if at else ""
        raise InputError(f"{what} crosses or touches itself{where}: give the corners in order around it.")


def _refuse_ground(what: str, settings: ZoneSettings | LineSettings) -> None:
    if settings.unit == "metres" or settings.drawn == "ground":
        how = "in metres" if settings.unit == "metres" else "drawn on the ground"
        raise InputError(f"{what} is {how}, which needs a calibration: mark four points of the ground.")


def _outside(what: str, size_wh: tuple[int, int]) -> str:
    return (
        f"{what} lies outside the picture of {size_wh[0]}×{size_wh[1]} pixels, or the heads of people there do: move "
        "it into the picture, or turn the camera."
    )


def _partly(what: str, share: float) -> tuple[str, ...]:
    if share >= _WHOLE:
        return ()
    return (f"{what} is seen in part, {100 * share:.0f} % of it: its numbers are of that part.",)


def _cut_to(corners: Points, size_wh: tuple[int, int]) -> tuple[Points, float]:
    """A polygon's part within a picture, where that is one polygon, and the share of it that was cut away."""
    drawn = shapely.Polygon(corners)
    cut = shapely.intersection(drawn, shapely.box(0, 0, *size_wh))
    if cut.geom_type != "Polygon" or cut.is_empty or not cut.area > 0:
        return corners, 0.0
    return shapely.get_coordinates(cut.exterior)[:-1], 1 - float(cut.area / drawn.area)


def _on_ground(
    what: str, corners: Points, ground: Ground, size_wh: tuple[int, int], height_m: float | None, *, closed: bool
) -> Points:
    """Corners in pixels, in metres on the ground."""
    placed = ground.to_metres(corners, size_wh, height_m=height_m)
    # Between two corners below the horizon everything is below it.
    lost = np.flatnonzero(~np.isfinite(placed).all(axis=1))
    if len(lost):
        x, y = corners[lost[0]]
        kind = "corner" if closed else "end"
        raise InputError(f"{what} has the {kind} ({x:g}, {y:g}), which lies at the horizon or above it: draw it lower.")
    return placed


def _before(shape: Any, ground: Ground) -> Any:
    """A shape's part before the camera, as heads over it are seen."""
    a, b, c = ground.depth_slope()
    slope = float(np.hypot(a, b))
    reach = 10 * (1.0 + float(np.abs(np.array(shape.bounds)).max()) + (abs(c) / slope if slope > 0 else 0.0))
    if slope * reach < 1e-9:  # it looks straight down: all is as far away
        return shape
    away = np.array([a, b]) / slope
    beside = np.array([-away[1], away[0]])
    foot = away * (_NEAREST_DEPTH - c) / slope
    corners = [foot - reach * beside, foot + reach * beside]
    corners += [corners[1] + reach * away, corners[0] + reach * away]
    return shapely.intersection(shape, shapely.Polygon(corners))


def _heads_of(whole: Any, ground: Ground, size_wh: tuple[int, int]) -> Any:
    """Where in the picture the heads of people in an area of the ground are; empty where nowhere."""
    before = _before(whole, ground)
    if before.is_empty:
        return before
    # Straight lines stay straight in the picture, so that corners are enough.
    heads = shapely.transform(before, lambda places: ground.to_pixels(places, size_wh))
    return _areas(shapely.intersection(shapely.make_valid(heads), shapely.box(0, 0, *size_wh)))


def _ground_below(heads: Any, ground: Ground, size_wh: tuple[int, int]) -> Any:
    return shapely.make_valid(shapely.transform(heads, lambda pixels: ground.to_metres(pixels, size_wh)))


def _areas(shape: Any) -> Any:
    """The polygons of a shape: a cut may leave lines and points beside them."""
    parts: Sequence[Any] = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 0]
    return shapely.union_all(parts) if len(parts) != 1 else parts[0]


def _zone(
    name: str, size_wh: tuple[int, int], heads: Any, *, seen: float, whole_m: Any = None, seen_m: Any = None
) -> Zone:
    what = f'The zone "{name}"'
    heads = _areas(heads)
    if heads.is_empty:
        raise InputError(_outside(what, size_wh))
    polygons = tuple(shapely.get_coordinates(part.exterior)[:-1] for part in shapely.get_parts(heads))
    if heads.area < _LEAST_PX2:
        raise InputError(f"{what} is {heads.area:.1f} pixels large where heads are seen: draw it larger.")
    # Kept as a mask, which is then drawn once and not for each frame.
    region = Region(mask=Region(polygons, size_wh=size_wh).in_image(size_wh))
    return Zone(name, size_wh, region, polygons, whole_m, seen_m, seen, _partly(what, seen))
