"""The painter's tools: colours, soft noise, and a pen that draws sub-pixel shapes on a small sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
"""(r, g, b), each 0 to 255."""

_SHIFT = 4
_TURN = np.linspace(0.0, 2.0 * math.pi, 24, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


def shade(colour: Colour, factor: float) -> Colour:
    """A colour made darker (factor < 1) or lighter, cut at white.

    >>> shade((100.0, 200.0, 10.0), 1.5)
    (150.0, 255.0, 15.0)
    """
    r, g, b = colour
    return min(r * factor, 255.0), min(g * factor, 255.0), min(b * factor, 255.0)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``share`` of the second colour in the first.

    >>> mix((0.0, 0.0, 0.0), (100.0, 50.0, 0.0), 0.5)
    (50.0, 25.0, 0.0)
    """
    keep = 1.0 - share
    return (
        first[0] * keep + second[0] * share,
        first[1] * keep + second[1] * share,
        first[2] * keep + second[2] * share,
    )


def pick(colours: Sequence[Colour], draw: float) -> Colour:
    """The colour that a uniform draw in [0, 1) falls on."""
    return colours[int(draw * len(colours))]


def cloud(rng: np.random.Generator, size_wh: tuple[int, int], cell_px: float, octaves: int = 3) -> NDArray[np.float32]:
    """(h, w) float32 soft noise of about -1 to 1: random grids, each finer and fainter than the last."""
    width, height = size_wh
    total = np.zeros((height, width), np.float32)
    strength = 0.55
    for octave in range(octaves):
        cell = max(cell_px / 2**octave, 1.0)
        grid = (math.ceil(height / cell) + 1, math.ceil(width / cell) + 1)
        coarse = rng.random(grid, dtype=np.float32) * 2.0 - 1.0
        total += strength * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        strength *= 0.5
    return total


class Pen:
    """Draws on a supersampled, premultiplied RGBA sheet; coordinates are in head heights from the head's centre."""

    def __init__(self, sheet: NDArray[np.uint8], centre_xy: tuple[float, float], unit_px: float, lean_rad: float):
        # OpenCV counts from the first pixel's centre, we from its corner: half a pixel lies between them.
        self._sheet = sheet
        self._centre = np.array([centre_xy[0] - 0.5, centre_xy[1] - 0.5])
        self._turn = unit_px * np.array(
            [[math.cos(lean_rad), math.sin(lean_rad)], [-math.sin(lean_rad), math.cos(lean_rad)]]
        )
        self._unit = unit_px

    def _fixed(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        fixed: NDArray[np.int32] = np.rint((points @ self._turn + self._centre) * (1 << _SHIFT)).astype(np.int32)
        return fixed

    def poly(self, points: Sequence[tuple[float, float]] | NDArray[np.float64], colour: Colour) -> None:
        """A filled polygon."""
        fixed = self._fixed(np.asarray(points, dtype=np.float64))
        cv2.fillPoly(self._sheet, [fixed], (*colour, 255.0), cv2.LINE_AA, _SHIFT)

    def oval(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """A filled ellipse, upright with the person."""
        fixed = self._fixed(_CIRCLE * (rx, ry) + (x, y))
        cv2.fillConvexPoly(self._sheet, fixed, (*colour, 255.0), cv2.LINE_AA, _SHIFT)

    def line(self, points: Sequence[tuple[float, float]], width: float, colour: Colour) -> None:
        """A line through the points with round joints, ``width`` in head heights."""
        fixed = self._fixed(np.asarray(points, dtype=np.float64))
        thick = max(1, round(width * self._unit))
        cv2.polylines(self._sheet, [fixed], False, (*colour, 255.0), thick, cv2.LINE_AA, _SHIFT)
