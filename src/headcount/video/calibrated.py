"""What a calibration comes to, also where it is refused: how far off each point is, and the metres in the picture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import Points
from headcount.core.homography import Homography
from headcount.core.words import plural
from headcount.video.ground import Ground
from headcount.video.site import CalibrationSettings

_EXACT = 4
"""So many points are always fitted exactly, wherever they were marked."""
_MOST_LINES = 60
_STEPS_M = (1, 2, 5, 10, 20, 50, 100)
_MOST_PEOPLE = 12


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A calibration that was tried.

    Attributes:
        settings: the calibration.
        homography: of the points; None where they fit no plane at all.
        ground: what measures stand on; None where the calibration is refused.
        problem: why it is refused, in a sentence; empty where it is not.
        residuals_m: (n,) how far from its given place each point's pixel is put; empty where there is no homography.
        suspect: the one point without which all others fit, by its index; None where there is none, or several.
    """

    settings: CalibrationSettings
    homography: Homography | None
    ground: Ground | None
    problem: str = ""
    residuals_m: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    suspect: int | None = None

    @property
    def is_exact(self) -> bool:
        """Whether nothing checks the points: four always fit."""
        return len(self.settings.points) == _EXACT

    @property
    def text(self) -> str:
        """What it comes to, in a sentence or two."""
        if self.problem and self.suspect is not None:
            # The point that is off most need not be the wrong one, which pulls the others along.
            return (
                f"Without point {self.suspect + 1} the others fit: mark it again, or measure it again. {self.problem}"
            )
        if self.problem:
            return self.problem
        number = plural(len(self.settings.points), "point")
        hangs = ""
        if self.ground is not None and self.ground.camera is not None:
            height = float(self.ground.camera.position_m[2]) + self.settings.points[0].height_m
            hangs = f" The camera hangs {height:.1f} m high."
        if self.is_exact:
            return f"{number}, which always fit exactly: a fifth would check them.{hangs}"
        return f"{number}, off by {self.residuals_m.max():.2f} m at most.{hangs}"

    def fitted_xy(self, size_wh: tuple[int, int]) -> Points:
        """(n, 2) where the fit puts the points in a picture of ``size_wh``; (0, 2) where there is none."""
        if self.homography is None:
            return np.zeros((0, 2))
        metres = np.array([point.metres for point in self.settings.points])
        return self.homography.to_pixels(metres) * self._scale(size_wh)

    def grid(self, size_wh: tuple[int, int]) -> list[Points]:
        """The lines of a grid of metres around the points, each as its two ends in a picture of ``size_wh``."""
        if self.homography is None:
            return []
        low, high = self._extent()
        step = _step(float((high - low).max()))
        first, last = np.floor(low / step).astype(int), np.ceil(high / step).astype(int)
        along = [np.arange(2 * first[axis], 2 * last[axis] + 1) * step / 2 for axis in (0, 1)]
        lines = []
        for axis in (0, 1):
            for at in range(first[axis], last[axis] + 1):
                places = np.empty((len(along[1 - axis]), 2))
                places[:, axis], places[:, 1 - axis] = at * step, along[1 - axis]
                lines += _seen(self.homography.to_pixels(places) * self._scale(size_wh), size_wh)
        return lines

    def people(self, size_wh: tuple[int, int]) -> list[Points]:
        """Some people who stand where the points are and amid them: (2, 2) foot and head in the picture each."""
        if self.ground is None:
            return []
        metres = np.array([point.metres for point in self.settings.points])
        middle = metres.mean(axis=0)
        apart = 0.1 * float(np.ptp(metres, axis=0).max())
        places = np.array([middle, *(one for one in metres if np.hypot(*(one - middle)) > apart)][:_MOST_PEOPLE])
        try:
            feet = self.ground.to_pixels(places, size_wh, height_m=0.0)
            heads = self.ground.to_pixels(places, size_wh)
        except InputError:  # no pose, which points at the height of heads do not need; or a frame of another shape
            return []
        return [pair for pair in np.stack([feet, heads], axis=1) if np.isfinite(pair).all()]

    def _scale(self, size_wh: tuple[int, int]) -> NDArray[np.float64]:
        scale: NDArray[np.float64] = np.array(size_wh, np.float64) / self.settings.size_wh
        return scale

    def _extent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        metres = np.array([point.metres for point in self.settings.points])
        low, high = metres.min(axis=0), metres.max(axis=0)
        more = np.maximum(high - low, 2.0) / 2
        return low - more, high + more


def fit_of(settings: CalibrationSettings) -> Fit:
    """Try a calibration; nothing is raised."""
    pixels = np.array([point.pixel for point in settings.points], np.float64)
    metres = np.array([point.metres for point in settings.points], np.float64)
    try:
        homography = Homography.fit(pixels, metres)
    except InputError as error:
        return Fit(settings, None, None, error.message)
    try:
        return Fit(settings, homography, Ground(settings), "", homography.residuals_m)
    except InputError as error:
        suspect = _suspect(pixels, metres, settings.most_residual_m)
        return Fit(settings, homography, None, error.message, homography.residuals_m, suspect)


def _suspect(pixels: Points, metres: Points, most_m: float) -> int | None:
    """The one point without which the others are off by no more than ``most_m``; see ``Fit``."""
    if len(pixels) - 1 <= _EXACT:  # four always fit, so that each point would be one
        return None
    found = []
    for at in range(len(pixels)):
        others = np.arange(len(pixels)) != at
        try:
            if Homography.fit(pixels[others], metres[others]).residuals_m.max() <= most_m:
                found.append(at)
        except InputError:
            continue
    return found[0] if len(found) == 1 else None


def _step(reach_m: float) -> int:
    """Metres between the lines of a grid over so many metres."""
    return next((step for step in _STEPS_M if reach_m / step <= _MOST_LINES), _STEPS_M[-1])


def _seen(pixels: Points, size_wh: tuple[int, int]) -> list[Points]:
    """The ends of the parts of a straight row of places that are in the picture; of each a little more."""
    with np.errstate(invalid="ignore"):
        is_in = np.asarray(((pixels >= 0) & (pixels <= np.array(size_wh))).all(axis=1))
    is_there = np.asarray(np.isfinite(pixels).all(axis=1))
    parts, at = [], np.flatnonzero(is_in)
    if len(at):
        start, stop = int(at[0]), int(at[-1])
        start -= bool(start and is_there[start - 1])
        stop += bool(stop + 1 < len(pixels) and is_there[stop + 1])
        if stop > start:
            parts.append(pixels[[start, stop]])
    return parts
