"""The kinds of scene: place, light and the sort of crowd that gathers there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from headcount.synth.painted.brush import Colour
from headcount.synth.painted.wardrobe import Crowd

Place = Literal["street", "square", "park", "stands", "hall", "stage"]
Light = Literal["day", "overcast", "dusk", "indoor", "night"]

_CLUBS: tuple[tuple[Colour, Colour], ...] = (
    ((186, 34, 40), (238, 236, 230)),
    ((30, 70, 160), (236, 236, 238)),
    ((240, 196, 44), (34, 36, 42)),
    ((28, 120, 70), (238, 238, 232)),
    ((230, 120, 36), (30, 34, 60)),
)
_LIGHTS: dict[Place, tuple[Light, ...]] = {
    "street": ("day", "overcast", "dusk", "day"),
    "square": ("day", "overcast", "day", "dusk"),
    "park": ("day", "overcast", "overcast", "dusk"),
    "stands": ("day", "overcast", "night", "day"),
    "hall": ("indoor",),
    "stage": ("night", "dusk"),
}
_PLACES: tuple[Place, ...] = ("street", "street", "square", "square", "park", "stands", "stands", "hall", "stage")


@dataclass(frozen=True, slots=True)
class Mood:
    """What a scene's painters agree on.

    ``cast`` multiplies red, green and blue at the end; ``light_side`` -1 (from the left) to 1; ``contrast`` 0 (soft)
    to 1 (hard sun); ``haze`` is the share of ``haze_rgb`` that the farthest person takes.
    """

    place: Place
    light: Light
    crowd: Crowd
    cast: Colour
    light_side: float
    contrast: float
    haze: float
    haze_rgb: Colour
    noise: float
    quality: int


def draw_mood(rng: np.random.Generator) -> Mood:
    """A mood from a generator: the place first, then a light that goes with it."""
    place = _PLACES[rng.integers(len(_PLACES))]
    light = _LIGHTS[place][rng.integers(len(_LIGHTS[place]))]
    warm = rng.uniform(-0.04, 0.04)
    casts: dict[Light, tuple[float, float, float]] = {
        "day": (1.12, 1.09, 1.04),
        "overcast": (1.05, 1.07, 1.09),
        "dusk": (1.08, 0.93, 0.87),
        "indoor": (1.12, 1.04, 0.92),
        "night": (0.98, 0.93, 1.04),
    }
    hazes: dict[Light, Colour] = {
        "day": (196, 208, 222),
        "overcast": (190, 196, 202),
        "dusk": (196, 160, 140),
        "indoor": (120, 110, 98),
        "night": (62, 56, 84),
    }
    red, green, blue = casts[light]
    hard = {"day": rng.uniform(0.6, 1.0), "dusk": 0.8, "indoor": 0.35, "night": 0.6, "overcast": 0.2}[light]
    cold = light == "overcast" and rng.random() < 0.6
    front = {"stage": 0.12, "stands": 0.82}.get(place, rng.uniform(0.25, 0.75))
    crowd = Crowd(
        dark=0.75 if cold or place == "stage" else rng.uniform(0.25, 0.5),
        bright=rng.uniform(0.12, 0.38),
        club=rng.uniform(0.2, 0.6) if place == "stands" and rng.random() < 0.7 else 0.0,
        club_colours=_CLUBS[rng.integers(len(_CLUBS))],
        front=front,
        side=min(0.2, 1.0 - front),
        hats=0.35 if cold else rng.uniform(0.05, 0.25),
        raised={"stage": 0.12, "stands": 0.05}.get(place, 0.015),
        sleeves=0.95 if cold else rng.uniform(0.25, 0.8),
    )
    return Mood(
        place=place,
        light=light,
        crowd=crowd,
        cast=(red * (1 + warm), green, blue * (1 - warm)),
        light_side=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.0)),
        contrast=float(hard),
        haze=float(rng.uniform(0.05, 0.3)),
        haze_rgb=hazes[light],
        noise=float(rng.uniform(1.2, 3.5) * (1.5 if light in ("night", "indoor") else 1.0)),
        quality=int(rng.integers(72, 94)),
    )
