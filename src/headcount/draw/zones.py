"""Pictures of a watched place: zones coloured by their level, lines to cross, marked points and a grid of the ground.

Coordinates are (x, y) pixels of the picture, the centre of its first pixel at (0.5, 0.5); what lies outside is cut off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import Points
from headcount.core.image import RgbImage
from headcount.draw.text import Colour, line_of, width_of, write

CALM: Colour = (120, 190, 255)
LEVELS: tuple[Colour, ...] = ((255, 255, 120), (230, 130, 20), (200, 20, 90))
"""Of the ladder's first, second and third level; higher ones look like the third. They darken from one to the next, so
that who sees no red or no green, or a grey print, tells them apart, and each level is written too."""
_LINE: Colour = (255, 255, 255)
_POINT: Colour = (0, 230, 160)
_RIM: Colour = (15, 15, 15)
_PAPER: Colour = (15, 15, 15)
_GRID: Colour = (255, 255, 255)
_TINT, _GRID_SHARE = 0.16, 0.28
_SHIFT = 4  # OpenCV draws at 1/16 of a pixel
_FAR = 1e6  # farther out than any picture reaches; OpenCV's integers go not much beyond
_LEAST_PX, _MOST_PX = 11, 44
_ARM = 0.6  # of the words' size: of a marked point's cross
_HEAD_PX = 14  # around a head's point, for a picture 1,000 pixels wide: what a label should leave free


@dataclass(frozen=True, slots=True)
class DrawnZone:
    """A zone as it is drawn.

    Attributes:
        name: its name.
        polygon_xy: (k, 2) corners in order.
        text: its numbers, as in ``12 people, 2.1 per m²``; empty for none.
        level: the highest level of its ladder that is reached, from 1; 0 for none.
    """

    name: str
    polygon_xy: Points
    text: str = ""
    level: int = 0


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line as it is drawn: an arrow shows which way is forward, from its left to its right as seen along it.

    Attributes:
        name: its name.
        ends_xy: (2, 2) its first and its second end.
        text: its numbers; empty for none.
    """

    name: str
    ends_xy: Points
    text: str = ""


@dataclass(frozen=True, slots=True)
class DrawnPoint:
    """A point of the ground that was marked: a cross where, a ring where the fit puts it, and how far that is."""

    name: str
    marked_xy: tuple[float, float]
    fitted_xy: tuple[float, float] | None = None
    text: str = ""


@dataclass(slots=True)
class _Sheet:
    """A picture that is drawn into, with what its labels should leave free."""

    picture: RgbImage
    heads_xy: Points
    size_px: int
    line_px: int
    taken: list[tuple[int, int, int, int]] = field(default_factory=list)


def draw_zones(
    picture: RgbImage,
    zones: Sequence[DrawnZone] = (),
    *,
    lines: Sequence[DrawnLine] = (),
    points: Sequence[DrawnPoint] = (),
    grid: Sequence[Points] = (),
    heads_xy: Points | None = None,
) -> RgbImage:
    """A copy of a picture (h, w, 3) with what is watched in it.

    ``grid``: the ground's lines, (k, 2) each. ``heads_xy``: (n, 2) heads that labels leave free where there is room.
    """
    drawn = picture.copy()
    width = picture.shape[1]
    heads = np.zeros((0, 2)) if heads_xy is None else heads_xy
    size = int(np.clip(round(width / 62), _LEAST_PX, _MOST_PX))
    sheet = _Sheet(drawn, heads, size, max(1, round(width / 900)))
    _draw_grid(sheet, grid)
    for zone in zones:
        _tint(drawn, zone.polygon_xy, colour_of(zone.level))
    for zone in zones:
        _polyline(sheet, zone.polygon_xy, colour_of(zone.level), weight=1 + min(zone.level, 2), closed=True)
    for line in lines:
        _draw_line(sheet, line)
    for point in points:
        _draw_point(sheet, point)
    # The most urgent has the first choice of a place.
    for zone in sorted(zones, key=lambda one: -one.level):
        numbers = ", ".join(part for part in (zone.text, f"level {zone.level}" if zone.level else "") if part)
        # A part of a zone that has no name and no numbers is labelled by another part.
        if (zone.name or zone.text) and _is_in(drawn, zone.polygon_xy):
            _label(sheet, zone.name, numbers, colour_of(zone.level), _beside_polygon(zone.polygon_xy))
    for line in lines:
        if _is_in(drawn, line.ends_xy):
            _label(sheet, line.name, line.text, _LINE, _beside(line.ends_xy))
    for point in points:
        marked = np.array([point.marked_xy])
        if _is_in(drawn, marked):
            _label(sheet, point.name, point.text, _POINT, _beside(marked, away=_ARM * size))
    return drawn


def colour_of(level: int) -> Colour:
    """The colour of a ladder's level, from 1; 0 is below the first."""
    return CALM if level < 1 else LEVELS[min(level, len(LEVELS)) - 1]


def _is_in(picture: RgbImage, points_xy: Points) -> bool:
    """Whether a part of what these points span may be seen."""
    height, width = picture.shape[:2]
    low, high = points_xy.min(axis=0), points_xy.max(axis=0)
    return bool((high >= 0).all() and low[0] <= width and low[1] <= height)


def _fixed(points_xy: NDArray[np.float64]) -> NDArray[np.int32]:
    # OpenCV puts a pixel's centre at integers, headcount at halves.
    near = np.clip(np.asarray(points_xy, np.float64), -_FAR, _FAR)
    return np.round((near - 0.5) * (1 << _SHIFT)).astype(np.int32)


def _tint(picture: RgbImage, polygon_xy: Points, colour: Colour) -> None:
    height, width = picture.shape[:2]
    low = np.clip(np.floor(polygon_xy.min(axis=0)).astype(int), 0, (width, height))
    high = np.clip(np.ceil(polygon_xy.max(axis=0)).astype(int) + 1, 0, (width, height))
    if (low >= high).any():
        return
    part = picture[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [_fixed(polygon_xy - low)], 255, cv2.LINE_8, _SHIFT)
    tinted = cv2.addWeighted(part, 1 - _TINT, np.full_like(part, colour), _TINT, 0)
    np.copyto(part, np.asarray(tinted, np.uint8), where=mask[:, :, None] > 0)


def _polyline(sheet: _Sheet, points_xy: Points, colour: Colour, *, weight: int = 1, closed: bool = False) -> None:
    """A rimmed line, which is seen on any ground."""
    line = weight * sheet.line_px
    for thickness, shade in ((line + 2 * sheet.line_px, _RIM), (line, colour)):
        cv2.polylines(sheet.picture, [_fixed(points_xy)], closed, shade, thickness, cv2.LINE_AA, _SHIFT)


def _draw_grid(sheet: _Sheet, grid: Sequence[Points]) -> None:
    if not grid:
        return
    mask = np.zeros(sheet.picture.shape[:2], np.uint8)
    cv2.polylines(mask, [_fixed(line) for line in grid], False, 255, sheet.line_px, cv2.LINE_AA, _SHIFT)
    rows, columns = np.nonzero(mask)
    share = _GRID_SHARE * mask[rows, columns, None].astype(np.float32) / 255
    under = sheet.picture[rows, columns].astype(np.float32)
    sheet.picture[rows, columns] = np.round(under * (1 - share) + np.array(_GRID, np.float32) * share).astype(np.uint8)


def _draw_line(sheet: _Sheet, line: DrawnLine) -> None:
    one, other = line.ends_xy
    _polyline(sheet, line.ends_xy, _LINE, weight=2)
    along = other - one
    length = float(np.hypot(*along))
    if length < 1:
        return
    # The picture's y goes down: to the right of who looks along (x, y) is (-y, x).
    ahead = np.array([-along[1], along[0]]) / length
    reach = float(np.clip(0.3 * length, 2 * sheet.size_px, 5 * sheet.size_px))
    foot = (one + other) / 2
    tip, barb = foot + reach * ahead, 0.3 * reach
    side = along / length
    head = np.stack([tip - barb * ahead + 0.7 * barb * side, tip, tip - barb * ahead - 0.7 * barb * side])
    _polyline(sheet, np.stack([foot, tip]), _LINE, weight=2)
    _polyline(sheet, head, _LINE, weight=2)
    low, high = head.min(axis=0), head.max(axis=0)
    sheet.taken.append((round(low[0]), round(low[1]), round(high[0]), round(high[1])))


def _draw_point(sheet: _Sheet, point: DrawnPoint) -> None:
    marked, arm = np.array(point.marked_xy), _ARM * sheet.size_px
    low, high = np.round(marked - arm).astype(int).tolist(), np.round(marked + arm).astype(int).tolist()
    sheet.taken.append((low[0], low[1], high[0], high[1]))
    if point.fitted_xy is not None:
        fitted = np.array(point.fitted_xy)
        _polyline(sheet, np.stack([marked, fitted]), _POINT)
        middle = _fixed(fitted).tolist()
        for thickness, shade in ((3 * sheet.line_px, _RIM), (sheet.line_px, _POINT)):
            radius = round(0.8 * arm * (1 << _SHIFT))
            cv2.circle(sheet.picture, middle, radius, shade, thickness, cv2.LINE_AA, _SHIFT)
    for reach in ((arm, 0.0), (0.0, arm)):
        _polyline(sheet, np.stack([marked - reach, marked + reach]), _POINT)


def _beside_polygon(polygon_xy: Points) -> Iterator[tuple[float, float, float, float]]:
    """Where a zone's label may be, best first, as the part of a label (0…1, 0…1) that lies at a place (x, y)."""
    top = polygon_xy[:, 1].min()
    left, right = polygon_xy[:, 0].min(), polygon_xy[:, 0].max()
    upper = polygon_xy[polygon_xy[:, 1] <= top + 0.15 * (polygon_xy[:, 1].max() - top + 1)]
    for x in (float(upper[:, 0].mean()), float(upper[:, 0].min()), float(upper[:, 0].max())):
        yield 0.5, 1.0, x, top  # on the upper edge, outside
    for x in (float(upper[:, 0].mean()), float(upper[:, 0].min()), float(upper[:, 0].max())):
        yield 0.5, 0.0, x, top  # under it, inside
    middle = float(polygon_xy[:, 1].mean())
    yield 1.0, 0.5, left, middle
    yield 0.0, 0.5, right, middle
    yield 0.5, 0.0, (left + right) / 2, float(polygon_xy[:, 1].max())
    yield 0.5, 0.5, (left + right) / 2, middle


def _beside(points_xy: Points, *, away: float = 0.0) -> Iterator[tuple[float, float, float, float]]:
    for x, y in (points_xy.mean(axis=0), *points_xy):
        for share_x, share_y in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.0), (0.5, 1.0)):
            yield share_x, share_y, float(x), float(y) + away * (1 - 2 * share_y)


def _label(
    sheet: _Sheet, name: str, numbers: str, colour: Colour, places: Iterator[tuple[float, float, float, float]]
) -> None:
    """Write a label at the first of its places that hides nothing, or at the one that hides the least."""
    height, width = sheet.picture.shape[:2]
    text = f"{name}: {numbers}" if name and numbers else name or numbers
    # The pictures' font has Latin letters alone.
    text = text.replace("m²", "sq m").replace("–", " to ").encode("latin-1", "replace").decode("latin-1")
    if not text:
        return
    size = sheet.size_px
    while size > _LEAST_PX and width_of(text, size) + size > width:
        size -= 1
    pad, gap = max(2, size // 3), 2 * sheet.line_px + 1
    wide, high = width_of(text, size) + 3 * pad, line_of(size) + 2 * pad
    if high > height:
        return
    best: tuple[float, tuple[int, int, int, int]] | None = None
    for share_x, share_y, x, y in places:
        left = round(np.clip(x - share_x * wide + gap * np.sign(0.5 - share_x), 0, max(0, width - wide)))
        top = round(np.clip(y - share_y * high + gap * np.sign(0.5 - share_y), 0, height - high))
        box = (left, top, left + wide, top + high)
        hidden = _hidden(sheet, box)
        if best is None or hidden < best[0]:
            best = hidden, box
        if hidden == 0:
            break
    assert best is not None
    left, top, right, bottom = best[1]
    sheet.taken.append(best[1])
    sheet.picture[top:bottom, left:right] = _PAPER
    sheet.picture[top:bottom, left : left + pad] = colour  # the colour again: the text on it is always readable
    write(sheet.picture, (left + 2 * pad, top + pad - 1), text, size, (255, 255, 255), rim=_PAPER)


def _hidden(sheet: _Sheet, box: tuple[int, int, int, int]) -> float:
    """What a label would hide: a head counts 1, all of another label 100."""
    left, top, right, bottom = box
    around = _HEAD_PX * sheet.picture.shape[1] / 1000
    x, y = sheet.heads_xy.reshape(-1, 2).T
    heads = (x > left - around) & (x < right + around) & (y > top - around) & (y < bottom + around)
    share = 0.0
    for one in sheet.taken:
        wide = min(right, one[2]) - max(left, one[0])
        high = min(bottom, one[3]) - max(top, one[1])
        share += max(0, wide) * max(0, high) / ((right - left) * (bottom - top))
    return float(heads.sum()) + 100 * share
