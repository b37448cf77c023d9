"""What a person wears and how he stands: one look from one row of uniform draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headcount.synth.painted.brush import Colour, mix, pick, shade

DRAWS_PER_LOOK = 40
"""How many uniform numbers ``draw_look`` reads."""

Facing = Literal["front", "back", "side"]
Hat = Literal["none", "cap", "beanie", "brim", "hood"]
Hair = Literal["short", "long", "bald", "bun"]
Top = Literal["plain", "jacket", "stripes", "shirt", "backpack"]

_SKINS: tuple[Colour, ...] = (
    (244, 208, 182), (232, 190, 160), (224, 172, 138), (205, 152, 115), (186, 130, 95), (150, 100, 70), (110, 72, 52),
    (78, 52, 40),
)  # fmt: skip
_HAIRS: tuple[Colour, ...] = (
    (28, 24, 24), (34, 28, 27), (50, 37, 30), (62, 44, 33), (80, 56, 38), (104, 74, 48), (142, 108, 70), (182, 148, 98),
    (96, 50, 34), (122, 120, 118), (176, 174, 170), (32, 28, 30), (40, 32, 28), (70, 50, 38), (56, 44, 38),
    (26, 24, 26),
)  # fmt: skip
_DARKS: tuple[Colour, ...] = (
    (30, 32, 38), (42, 46, 58), (34, 44, 70), (58, 52, 50), (70, 72, 76), (64, 40, 40), (48, 58, 48), (90, 82, 70),
)  # fmt: skip
_BRIGHTS: tuple[Colour, ...] = (
    (186, 40, 46), (44, 62, 118), (48, 88, 172), (124, 172, 214), (44, 98, 66), (112, 118, 66), (206, 160, 56),
    (214, 112, 50), (222, 148, 164), (118, 38, 50), (102, 70, 128), (46, 122, 128), (92, 128, 170), (168, 60, 92),
    (120, 150, 104), (232, 196, 110),
)  # fmt: skip
_PALES: tuple[Colour, ...] = (
    (236, 234, 228), (244, 244, 246), (214, 206, 188), (196, 184, 162), (168, 170, 174), (206, 212, 220),
    (140, 146, 154), (220, 200, 186), (188, 198, 190), (150, 132, 112),
)  # fmt: skip
_LEGS: tuple[Colour, ...] = (
    (48, 60, 88), (36, 42, 60), (30, 30, 34), (70, 84, 112), (110, 100, 84), (84, 80, 76), (140, 130, 112),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crowd:
    """What the people of one scene have in common.

    ``dark``, ``bright`` and ``club`` are shares of the clothes; ``club_colours`` are what a club's followers wear.
    """

    dark: float
    bright: float
    club: float
    club_colours: tuple[Colour, Colour]
    front: float
    side: float
    hats: float
    raised: float
    sleeves: float


@dataclass(frozen=True, slots=True)
class Look:
    """One person's appearance; lengths are in head heights, ``yaw`` -1 (left) to 1 (right)."""

    facing: Facing
    yaw: float
    skin: Colour
    hair: Colour
    hair_style: Hair
    hat: Hat
    hat_colour: Colour
    top: Top
    top_colour: Colour
    under_colour: Colour
    leg_colour: Colour
    long_sleeves: bool
    shoulder: float
    raised_left: float
    raised_right: float
    phone: bool
    beard: bool
    glasses: bool
    scarf: bool
    stride: float
    bag: bool


def _cloth(kind: float, draws: tuple[float, float, float], crowd: Crowd) -> Colour:
    hue, depth, value = draws
    if kind < crowd.club:
        return shade(crowd.club_colours[0 if hue < 0.75 else 1], 0.85 + 0.3 * value)
    kind = (kind - crowd.club) / max(1.0 - crowd.club, 1e-6)
    if kind < crowd.dark:
        return shade(pick(_DARKS, hue), 0.75 + 0.6 * value)
    palette = _BRIGHTS if kind < crowd.dark + crowd.bright else _PALES
    grey = 120.0 + 60.0 * value
    return mix(shade(pick(palette, hue), 0.82 + 0.3 * value), (grey, grey, grey), 0.22 * depth)


def draw_look(draws: NDArray[np.float64], crowd: Crowd) -> Look:
    """A look from ``DRAWS_PER_LOOK`` uniform numbers in [0, 1): the same numbers, the same look."""
    u = [float(value) for value in draws]
    facing: Facing = "front" if u[0] < crowd.front else ("side" if u[0] < crowd.front + crowd.side else "back")
    skin = shade(mix(pick(_SKINS, u[1]), pick(_SKINS, u[2]), 0.35), 0.94 + 0.12 * u[3])
    styles: tuple[Hair, ...] = ("short", "short", "short", "short", "long", "long", "long", "bun", "short", "bald")
    tops: tuple[Top, ...] = ("plain", "plain", "plain", "jacket", "jacket", "shirt", "stripes", "backpack")
    top = tops[int(u[12] * len(tops))]
    hats: tuple[Hat, ...] = ("cap", "cap", "beanie", "brim", "hood")
    hat: Hat = hats[int(u[8] * len(hats))] if u[7] < crowd.hats else "none"
    top_colour = _cloth(u[13], (u[14], u[15], u[16]), crowd)
    return Look(
        facing=facing,
        yaw=(1.0 if u[4] < 0.5 else -1.0) if facing == "side" else 1.6 * (u[4] - 0.5),
        skin=skin,
        hair=shade(pick(_HAIRS, u[5]), 0.9 + 0.25 * u[32]),
        hair_style=styles[int(u[6] * len(styles))],
        hat=hat,
        hat_colour=shade(top_colour, 0.8) if hat == "hood" else _cloth(u[9], (u[10], u[11], u[33]), crowd),
        top=top if not (top == "backpack" and facing == "front") else "jacket",
        top_colour=top_colour,
        under_colour=_cloth(u[17], (u[18], u[19], u[20]), crowd),
        leg_colour=shade(pick(_LEGS, u[21]), 0.8 + 0.4 * u[22]),
        long_sleeves=u[23] < crowd.sleeves,
        shoulder=0.80 + 0.26 * u[24],
        raised_left=0.5 + u[26] if u[25] < crowd.raised else 0.0,
        raised_right=0.5 + u[28] if u[27] < crowd.raised else 0.0,
        phone=u[29] < 0.4,
        beard=u[30] < 0.18,
        glasses=u[31] < 0.12,
        scarf=u[34] < 0.10 + 0.15 * crowd.club,
        stride=u[35],
        bag=u[36] < 0.16,
    )
