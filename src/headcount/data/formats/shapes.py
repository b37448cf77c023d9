"""The box around a drawn shape, whichever format drew it; pixels, x to the right and y down."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2."""


def box_around(points: Iterable[Sequence[float]]) -> Box:
    """The box around (x, y) points, at least one.

    >>> box_around([(3, 1), (1, 5), (2, 2)])
    (1, 1, 3, 5)
    """
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def turned(corners: Iterable[Sequence[float]], about: tuple[float, float], degrees: float) -> list[tuple[float, float]]:
    """Points turned about one, clockwise as seen in the image.

    >>> turned([(2, 0)], (0, 0), 90)
    [(0.0, 2.0)]
    """
    angle = math.radians(degrees % 360)
    cos, sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
    x0, y0 = about
    moved = [(x - x0, y - y0) for x, y in corners]
    return [(x0 + x * cos - y * sin, y0 + x * sin + y * cos) for x, y in moved]


def corners_of(box: Box) -> list[tuple[float, float]]:
    """The four corners of a box."""
    x1, y1, x2, y2 = box
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]


def box_around_turned(box: Box, degrees: float) -> Box:
    """The box around one that is turned about its middle; itself where it is not turned."""
    if not degrees % 360:
        return box
    x1, y1, x2, y2 = box
    return box_around(turned(corners_of(box), ((x1 + x2) / 2, (y1 + y2) / 2), degrees))


def box_around_ellipse(centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0) -> Box:
    """The box around an ellipse that is turned about its centre.

    >>> box_around_ellipse((5, 5), (2, 1)), box_around_ellipse((5, 5), (2, 1), 90)
    ((3.0, 4.0, 7.0, 6.0), (4.0, 3.0, 6.0, 7.0))
    """
    angle = math.radians(degrees % 360)
    cos, sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
    half_x = math.hypot(radii[0] * cos, radii[1] * sin)
    half_y = math.hypot(radii[0] * sin, radii[1] * cos)
    x, y = centre
    return x - half_x, y - half_y, x + half_x, y + half_y
