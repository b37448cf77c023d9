"""Weather and day part, and the light that falls on a scene because of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rgb = tuple[float, float, float]

Weather = Literal["sunny", "extra-sunny", "clouds", "overcast", "rain", "fog", "thunder"]
DayPart = Literal["morning", "noon", "afternoon", "dusk", "night"]
WEATHERS: tuple[Weather, ...] = get_args(Weather)
"""The seven kinds of GTA_Head (Section IV-A of "Mask Focal Loss…")."""
DAY_PARTS: tuple[DayPart, ...] = get_args(DayPart)


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """What the renderer needs to know of the light; colours are linear, 1 is a white sheet in full sun.

    ``sun`` points to where it comes from; ``shadowed`` is how dark its shadows are, from 0 to 1; ``fog_per_m`` what a
    metre of air takes; ``lamps_at`` and ``lamps_light`` (n, 3) are lamps' places in metres and their light.
    """

    sun: Floats
    sun_light: Rgb
    sky_light: Rgb
    ground_light: Rgb
    zenith: Rgb
    horizon: Rgb
    clouds: float
    fog: Rgb
    fog_per_m: float
    shadowed: float
    exposure: float
    seed: float
    wet: float = 0.0
    snow: float = 0.0
    rain: float = 0.0
    bolt: float = 0.0
    noise: float = 2.0
    sun_seen: bool = True
    indoors: bool = False
    lamps_at: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    lamps_light: Floats = field(default_factory=lambda: np.zeros((0, 3)))

    @property
    def is_dark(self) -> bool:
        """Whether lamps and windows are lit."""
        return float(np.mean(self.sky_light)) < 0.2

    def metered(self, key: float) -> Light:
        """The same light with the exposure that shows a gray ground as bright as ``key`` says (1: well)."""
        level = (
            float(np.mean(self.sun_light)) * max(float(self.sun[2]), 0.25) * 0.8 + float(np.mean(self.sky_light)) * 0.9
        )
        return replace(self, exposure=self.exposure * key * 0.72 / max(level, 1e-3))

    def with_lamps(self, at: Floats, light: Floats) -> Light:
        """The same light and these lamps."""
        return replace(self, lamps_at=at, lamps_light=light)

    def shadow_clip(self, left: float, near: float, width: float, depth: float) -> Floats:
        """(4, 4): how the sun sees ``width`` × ``depth`` metres of ground from ``left`` and ``near``, up to 4 m."""
        away = -np.asarray(self.sun)
        side = np.cross(away, (0.0, 1.0, 0.0))
        side /= np.linalg.norm(side)
        frame = np.stack([side, np.cross(side, away), away])
        corners = np.array(
            [(left + i * width, near + j * depth, k * 4.0) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
        )
        seen = corners @ frame.T
        low, high = seen.min(axis=0), seen.max(axis=0)
        low[2] -= 60.0  # what stands between the sun and the crowd
        scale = 2.0 / (high - low)
        matrix = np.eye(4)
        matrix[:3, :3] = frame * scale[:, None]
        matrix[:3, 3] = -1.0 - low * scale
        return matrix


@dataclass(frozen=True, slots=True, eq=False)
class Fullness:
    """How full of people the ground is: ``share`` (h, w) from 0 to 1 over a rectangle in metres."""

    share: NDArray[np.float32]
    left: float
    near: float
    width: float
    depth: float


# The sun's height in degrees, its light, the sky's, zenith and horizon, by day part under a clear sky.
_DAY: dict[str, tuple[tuple[float, float], Rgb, Rgb, Rgb, Rgb]] = {
    "morning": ((14, 32), (2.0, 1.7, 1.3), (0.60, 0.68, 0.84), (0.20, 0.36, 0.70), (0.85, 0.80, 0.74)),
    "noon": ((48, 72), (2.2, 2.05, 1.85), (0.70, 0.80, 0.94), (0.14, 0.32, 0.72), (0.66, 0.76, 0.88)),
    "afternoon": ((28, 48), (2.1, 1.85, 1.5), (0.66, 0.74, 0.88), (0.17, 0.34, 0.70), (0.74, 0.78, 0.82)),
    "dusk": ((3, 9), (1.5, 0.85, 0.45), (0.30, 0.32, 0.46), (0.14, 0.16, 0.36), (0.95, 0.55, 0.32)),
    "night": ((30, 60), (0.05, 0.06, 0.09), (0.05, 0.06, 0.10), (0.008, 0.012, 0.03), (0.05, 0.05, 0.08)),
}


def outdoor_light(rng: np.random.Generator, weather: Weather, day: DayPart, *, snowy: bool = False) -> Light:
    """The light of a weather at a part of the day; ``snowy``: snow lies, and what falls is snow."""
    key = {"dusk": 0.75, "night": 0.16}.get(day, 1.0) * (0.7 if weather == "thunder" else 0.8 if snowy else 1.0)
    return _outdoor_light(rng, weather, day, snowy).metered(key)


def _outdoor_light(rng: np.random.Generator, weather: Weather, day: DayPart, snowy: bool) -> Light:
    (low, high), sun_light, sky_light, zenith, horizon = _DAY[day]
    height = math.radians(rng.uniform(low, high))
    turn = rng.uniform(0, 2 * math.pi)
    sun = np.array([math.cos(height) * math.sin(turn), math.cos(height) * math.cos(turn), math.sin(height)])
    gray = float(np.mean(horizon))
    base = Light(
        sun=sun, sun_light=sun_light, sky_light=sky_light, ground_light=_scaled(sky_light, 0.45), zenith=zenith,
        horizon=horizon, clouds=float(rng.uniform(0.0, 0.35)), fog=horizon, fog_per_m=float(rng.uniform(0.0004, 0.002)),
        shadowed=0.9 if day != "night" else 0.4, exposure=float(rng.uniform(0.8, 1.25)),
        seed=float(rng.random()), sun_seen=day != "night",
        noise=float(rng.uniform(1.0, 3.0)) * (3.0 if day == "night" else 1.0),
        snow=1.0 if snowy else 0.0,
    )  # fmt: skip
    if weather == "sunny":
        return base
    if weather == "extra-sunny":
        return replace(
            base, sun_light=_scaled(sun_light, 1.35), sky_light=_scaled(sky_light, 0.85), clouds=0.0, shadowed=1.0,
        )  # fmt: skip
    if weather == "clouds":
        return replace(
            base, sun_light=_scaled(sun_light, 0.55), sky_light=_scaled(sky_light, 1.25), clouds=0.62, shadowed=0.7,
        )  # fmt: skip
    dull = (gray * 0.92, gray * 0.96, gray)
    sky = (0.9 * np.array(sky_light) + 0.10 * np.array(sun_light)).mean() * np.array([0.97, 1.0, 1.04])
    covered = replace(
        base, sun_light=_scaled(sun_light, 0.12), sky_light=_as_rgb(sky * 1.9), ground_light=_as_rgb(sky * 0.75),
        zenith=_scaled(dull, 0.75), horizon=dull, fog=dull, clouds=0.9, shadowed=0.25, sun_seen=False,
    )  # fmt: skip
    if weather == "overcast":
        return covered
    if weather == "fog":
        return replace(covered, fog_per_m=float(rng.uniform(0.008, 0.03)), clouds=1.0, fog=_scaled(dull, 1.05))
    drops = float(rng.uniform(0.3, 1.0))
    wet = 0.0 if snowy else 1.0
    rain = replace(
        covered, sky_light=_as_rgb(sky * 1.5), zenith=_scaled(dull, 0.5), horizon=_scaled(dull, 0.75),
        fog=_scaled(dull, 0.8),
        fog_per_m=float(rng.uniform(0.004, 0.012)), wet=wet, rain=drops, shadowed=0.15,
    )  # fmt: skip
    if weather == "rain":
        return rain
    flash = rng.random() < 0.4
    return replace(
        rain, rain=max(drops, 0.7), zenith=_scaled(dull, 0.22), horizon=_scaled(dull, 0.45), fog=_scaled(dull, 0.42),
        sky_light=_as_rgb(sky * (0.75 if not flash else 0.9)), sun_light=(1.3, 1.35, 1.6) if flash else rain.sun_light,
        shadowed=0.8 if flash else 0.15, bolt=float(rng.uniform(0.1, 0.9)) if flash else 0.0,
        noise=base.noise * 1.5,
    )  # fmt: skip


def indoor_light(rng: np.random.Generator, *, windows: float = 0.5) -> Light:
    """The light of a room under lamps; ``windows`` is how much daylight comes in from one side."""
    warm = float(rng.uniform(-0.08, 0.16))
    tint = np.array([1.0 + warm, 1.0, 1.0 - warm])
    side = float(rng.choice([-1.0, 1.0]))
    sun = np.array([side * 0.8, rng.uniform(-0.3, 0.3), rng.uniform(0.35, 0.8)])
    day = windows * rng.uniform(0.3, 1.0)
    level = float(rng.uniform(0.55, 0.95))
    return Light(
        sun=sun / np.linalg.norm(sun), sun_light=_as_rgb(np.array([0.9, 0.95, 1.05]) * day),
        sky_light=_as_rgb(tint * level), ground_light=_as_rgb(tint * level * 0.5), zenith=(0.2, 0.2, 0.2),
        horizon=(0.4, 0.4, 0.4), clouds=0.0, fog=_as_rgb(tint * 0.5), fog_per_m=0.0006, shadowed=0.35,
        exposure=float(rng.uniform(0.85, 1.3)), seed=float(rng.random()), indoors=True, sun_seen=False,
        noise=float(rng.uniform(1.5, 4.5)),
    ).metered(0.95)  # fmt: skip


def stage_light(rng: np.random.Generator, depth: float, weather: Weather = "sunny", *, snowy: bool = False) -> Light:
    """A concert at night: darkness in any weather, and coloured lamps from the stage at ``depth`` metres."""
    dark = outdoor_light(rng, weather, "night", snowy=snowy)
    hues = np.array([(1.0, 0.35, 0.25), (0.3, 0.45, 1.0), (0.8, 0.3, 1.0), (1.0, 0.8, 0.5), (0.3, 1.0, 0.7)])
    n = int(rng.integers(3, 7))
    at = np.stack([rng.uniform(-12, 12, n), np.full(n, depth - 1.0), rng.uniform(4.0, 7.0, n)], 1)
    light = hues[rng.integers(0, len(hues), n)] * rng.uniform(2.0, 5.0, (n, 1))
    # What the audience's own side gets: a spot over the camera, or the picture would be black heads alone.
    at = np.concatenate([at, [[rng.uniform(-5, 5), 2.0, 9.0]]])
    light = np.concatenate([light, [np.array([1.0, 0.9, 0.8]) * rng.uniform(0.8, 2.0)]])
    return replace(
        dark, sky_light=(0.10, 0.10, 0.14), noise=float(rng.uniform(4, 9)), exposure=dark.exposure * 1.1
    ).with_lamps(at, light)


def _scaled(colour: Rgb, by: float) -> Rgb:
    return (colour[0] * by, colour[1] * by, colour[2] * by)


def _as_rgb(colour: Floats) -> Rgb:
    return (float(colour[0]), float(colour[1]), float(colour[2]))
