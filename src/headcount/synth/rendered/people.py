"""People: what each looks like, how each holds himself, and the shapes that makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.synth.rendered.instances import (
    CLOTH,
    FACE,
    HAIR,
    HARD,
    SKIN,
    Instances,
    bones,
    framed,
    rolled,
    tilted,
    turned,
)
from headcount.synth.rendered.meshes import BRIMS

Floats = NDArray[np.float64]

STAND, WALK, SIT, CHEER, PHONE, CLAP, FOLD, HANG = range(8)
"""What people do: the last five are ways to hold one's arms, for those who stand or sit."""

HATS = ("", "cap", "beanie", "brim", "helmet", "hood", "headscarf")
HAIRS = ("hair-short", "hair-crop", "hair-long", "hair-bob", "hair-afro", "hair-bun", "")

_SKINS = np.array([
    (0.91, 0.72, 0.60), (0.86, 0.66, 0.53), (0.80, 0.60, 0.46), (0.72, 0.52, 0.38), (0.62, 0.43, 0.30),
    (0.50, 0.33, 0.22), (0.36, 0.23, 0.15), (0.25, 0.16, 0.11),
])  # fmt: skip
_HAIR_COLOURS = np.array([
    (0.07, 0.06, 0.06), (0.09, 0.07, 0.06), (0.14, 0.10, 0.08), (0.22, 0.15, 0.10), (0.32, 0.22, 0.13),
    (0.52, 0.40, 0.24), (0.70, 0.58, 0.38), (0.38, 0.19, 0.11), (0.46, 0.45, 0.44), (0.74, 0.73, 0.71),
])  # fmt: skip
_DARK = np.array([
    (0.09, 0.09, 0.11), (0.14, 0.15, 0.20), (0.11, 0.15, 0.26), (0.22, 0.20, 0.19), (0.27, 0.28, 0.30),
    (0.24, 0.14, 0.14), (0.17, 0.21, 0.17), (0.34, 0.31, 0.27),
])  # fmt: skip
_BRIGHT = np.array([
    (0.74, 0.14, 0.16), (0.15, 0.22, 0.48), (0.18, 0.36, 0.70), (0.48, 0.68, 0.86), (0.16, 0.40, 0.26),
    (0.46, 0.48, 0.24), (0.84, 0.64, 0.20), (0.86, 0.44, 0.18), (0.88, 0.58, 0.66), (0.46, 0.14, 0.20),
    (0.42, 0.28, 0.52), (0.16, 0.48, 0.50), (0.92, 0.80, 0.34), (0.62, 0.24, 0.36),
])  # fmt: skip
_PALE = np.array([
    (0.93, 0.92, 0.90), (0.96, 0.96, 0.97), (0.84, 0.80, 0.73), (0.76, 0.70, 0.62), (0.65, 0.66, 0.68),
    (0.80, 0.83, 0.87), (0.55, 0.58, 0.60),
])  # fmt: skip
_TROUSERS = np.array([
    (0.17, 0.22, 0.34), (0.12, 0.14, 0.20), (0.10, 0.10, 0.12), (0.27, 0.33, 0.44), (0.44, 0.40, 0.33),
    (0.33, 0.31, 0.29), (0.60, 0.56, 0.48),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Taste:
    """What the people of one scene have in common; shares from 0 to 1.

    ``coats``, ``hats``, ``hoods`` and ``umbrellas`` follow the weather, ``bright`` and ``dark`` the occasion;
    ``uniform`` is the share that wears ``uniform_colour``; ``children`` the share of children.
    """

    dark: float = 0.45
    bright: float = 0.3
    coats: float = 0.25
    long_sleeves: float = 0.6
    skirts: float = 0.12
    hats: float = 0.12
    hoods: float = 0.0
    helmets: float = 0.0
    umbrellas: float = 0.0
    masks: float = 0.04
    children: float = 0.06
    uniform: float = 0.0
    uniform_colour: tuple[float, float, float] = (0.8, 0.8, 0.82)
    skins: tuple[float, float] = (0.0, 1.0)
    fair_hair: float = 0.35


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """n people's appearance: lengths in metres, colours in (n, 3) linear light from 0 to 1."""

    height: Floats
    girth: Floats
    head: Floats  # half height of the skull
    skin: Floats
    hair_colour: Floats
    hair: NDArray[np.intp]
    hat: NDArray[np.intp]
    hat_colour: Floats
    top: Floats
    top_other: Floats
    pattern: NDArray[np.intp]
    legs: Floats
    shoes: Floats
    coat: NDArray[np.bool_]
    skirt: NDArray[np.bool_]
    sleeves: NDArray[np.bool_]
    backpack: NDArray[np.bool_]
    bag: NDArray[np.bool_]
    umbrella: NDArray[np.bool_]
    face: NDArray[np.intp]  # bits: 1 beard, 2 glasses, 4 mask
    seed: Floats

    def __len__(self) -> int:
        return len(self.height)


@dataclass(frozen=True, slots=True, eq=False)
class Stance:
    """Where n people are and what they do.

    ``at`` (n, 3): the ground under each, or the seat's front edge on the floor, in metres; ``facing`` (n,): the angle
    to the left of straight ahead (+y); ``doing`` (n,) STAND, WALK or SIT; ``arms`` (n,) STAND for hanging, or CHEER,
    PHONE, CLAP, FOLD, HANG; ``stride`` (n,): the phase of a walk; ``look`` (n, 2): how the head is turned and tilted.
    """

    at: Floats
    facing: Floats
    doing: NDArray[np.intp]
    arms: NDArray[np.intp]
    stride: Floats
    look: Floats

    def __len__(self) -> int:
        return len(self.at)


def draw_looks(rng: np.random.Generator, n: int, taste: Taste) -> Looks:
    """Looks of ``n`` people."""
    child = rng.random(n) < taste.children
    height = np.where(child, rng.uniform(1.0, 1.5, n), np.clip(rng.normal(1.70, 0.09, n), 1.48, 1.98))
    girth = np.clip(rng.normal(1.0, 0.11, n), 0.82, 1.4) * np.where(child, 0.8, 1.0)
    low, high = taste.skins
    shade = (low + (high - low) * rng.beta(1.1, 1.6, n)) * (len(_SKINS) - 1)
    first = np.minimum(shade.astype(int), len(_SKINS) - 2)
    skin = _SKINS[first] + (shade - first)[:, None] * (_SKINS[first + 1] - _SKINS[first])
    skin = skin * rng.uniform(0.92, 1.06, (n, 1))
    fair = (rng.random(n) < taste.fair_hair) & (shade < 4)
    hair_colour = _HAIR_COLOURS[np.where(fair, rng.integers(3, len(_HAIR_COLOURS), n), rng.integers(0, 4, n))]
    woman = rng.random(n) < 0.5
    hair = np.where(
        woman, rng.choice(7, n, p=[0.1, 0.02, 0.42, 0.22, 0.06, 0.18, 0.0]),
        rng.choice(7, n, p=[0.52, 0.24, 0.03, 0.04, 0.05, 0.02, 0.10]),
    )  # fmt: skip
    hat = np.where(rng.random(n) < taste.hats, rng.choice([1, 1, 1, 2, 2, 3, 6], n), 0)
    hat = np.where(rng.random(n) < taste.hoods, 5, hat)
    hat = np.where(rng.random(n) < taste.helmets, 4, hat)
    top = _cloth(rng, n, taste)
    pattern = rng.choice(7, n, p=[0.56, 0.08, 0.06, 0.06, 0.08, 0.10, 0.06])
    uniform = rng.random(n) < taste.uniform
    top[uniform] = np.array(taste.uniform_colour) * rng.uniform(0.9, 1.08, (int(uniform.sum()), 1))
    pattern[uniform] = 0
    coat = (rng.random(n) < taste.coats) & ~uniform
    hat_colour = np.where(hat[:, None] == 5, top * 0.9, _cloth(rng, n, taste))
    return Looks(
        height=height,
        girth=girth,
        head=0.118 * (height / 1.7) ** 0.35 * rng.uniform(0.94, 1.06, n),
        skin=_linear(skin),
        hair_colour=_linear(hair_colour * rng.uniform(0.85, 1.15, (n, 1))),
        hair=hair,
        hat=hat,
        hat_colour=_linear(hat_colour),
        top=_linear(top),
        top_other=_linear(_cloth(rng, n, taste)),
        pattern=pattern,
        legs=_linear(_TROUSERS[rng.integers(0, len(_TROUSERS), n)] * rng.uniform(0.8, 1.2, (n, 1))),
        shoes=_linear(np.where(rng.random((n, 1)) < 0.3, 0.85, 0.12) * rng.uniform(0.7, 1.1, (n, 1)) * np.ones(3)),
        coat=coat,
        skirt=woman & (rng.random(n) < 2 * taste.skirts) & ~coat,
        sleeves=(rng.random(n) < taste.long_sleeves) | coat,
        backpack=rng.random(n) < 0.14,
        bag=rng.random(n) < 0.14,
        umbrella=rng.random(n) < taste.umbrellas,
        face=(rng.random(n) < 0.22) * ~woman * 1 + (rng.random(n) < 0.16) * 2 + (rng.random(n) < taste.masks) * 4,
        seed=rng.random(n),
    )


def draw_stance(
    rng: np.random.Generator, at: Floats, facing: Floats, doing: ArrayLike, *, cheering: float = 0.0,
    phones: float = 0.08,
) -> Stance:  # fmt: skip
    """What people at known places do with their arms, legs and heads; ``cheering`` and ``phones`` are shares."""
    n = len(at)
    doing = np.broadcast_to(np.asarray(doing, np.intp), (n,)).copy()
    arms = rng.choice([STAND, STAND, STAND, FOLD, HANG], n)
    arms[rng.random(n) < phones] = PHONE
    arms[rng.random(n) < cheering] = CHEER
    arms[(rng.random(n) < 0.3 * cheering)] = CLAP
    arms[doing == WALK] = np.where(rng.random(int((doing == WALK).sum())) < 0.7, STAND, HANG)
    look = np.stack([rng.normal(0, 0.32, n), rng.normal(-0.08, 0.14, n)], 1)
    look[arms == PHONE, 1] -= 0.35
    return Stance(at, facing, doing, arms, rng.uniform(0, 2 * np.pi, n), look)


def heads_of(looks: Looks, stance: Stance) -> tuple[Floats, Floats, Floats]:
    """The skulls' middles (n, 3) in metres, their half sizes (n, 3) and their frames (n, 3, 3)."""
    body = _Body(looks, stance)
    return body.head, body.head_size, body.head_frame


def add_people(into: Instances, looks: Looks, stance: Stance, detail: NDArray[np.str_], first: int = 0) -> None:
    """Add all shapes of n people; ``detail`` (n,) of each, and ``first`` is the number of the first of them."""
    body = _Body(looks, stance)
    number = first + np.arange(len(looks))
    for level in ("near", "middle", "far"):
        chosen = np.flatnonzero(detail == level)
        if len(chosen):
            _Dress(into, looks, body, number, chosen, level).all()


class _Body:
    """The joints of n people, (n, 3) each, and the frames of trunk and head."""

    def __init__(self, looks: Looks, stance: Stance) -> None:
        n, s = len(looks), looks.height / 1.72
        sit, walk = stance.doing == SIT, stance.doing == WALK
        self.doing, self.arms, self.scale = stance.doing, stance.arms, s
        frame = turned(stance.facing)
        self.frame = frame
        lean = np.where(sit, -0.10, np.where(walk, -0.07, 0.0)) + 0.05 * np.sin(37.0 * looks.seed)
        sway = 0.03 * np.sin(91.0 * looks.seed)
        self.trunk = frame @ rolled(sway) @ tilted(lean)
        swing = np.where(walk, 0.5 * np.sin(stance.stride), 0.05 * np.sin(17.0 * looks.seed))
        rise = np.where(sit, 0.46, 0.93 - np.where(walk, 0.02 * np.abs(np.sin(stance.stride)), 0.0))
        self.hip = stance.at + np.stack([np.zeros(n), np.zeros(n), rise * s], 1)
        across, ahead, up = frame[:, :, 0], frame[:, :, 1], np.tile([0.0, 0, 1], (n, 1))
        self.ahead = ahead
        self.chest = self.hip + self.trunk[:, :, 2] * (0.53 * s)[:, None]
        self.shoulder_half = 0.205 * s * np.sqrt(looks.girth)
        neck_top = self.chest + self.trunk[:, :, 2] * (0.08 * s)[:, None]
        self.neck = (self.chest - self.trunk[:, :, 2] * (0.02 * s)[:, None], neck_top)
        self.head_frame = frame @ turned(stance.look[:, 0]) @ tilted(stance.look[:, 1])
        tall = looks.head
        self.head_size = np.stack([0.70 * tall, 0.86 * tall, tall], 1)
        self.head = neck_top + up * (0.80 * tall)[:, None] + self.head_frame[:, :, 1] * (0.10 * tall)[:, None]
        self.legs, self.arms_at = [], []
        for side in (-1.0, 1.0):
            top = self.hip + across * (side * 0.09 * s * looks.girth)[:, None] + up * (-0.02 * s)[:, None]
            bend = side * swing
            thigh = np.where(
                sit[:, None], ahead * 0.98 - up * 0.12, -up * np.cos(bend)[:, None] + ahead * np.sin(bend)[:, None]
            )
            knee = top + thigh * (0.44 * s)[:, None]
            back = np.where(walk, np.clip(-bend, 0, 1) * 1.1, 0.0)
            shin = np.where(
                sit[:, None], -up + ahead * (0.15 * np.sin(53.0 * looks.seed))[:, None],
                -up * np.cos(bend - back)[:, None] + ahead * np.sin(bend - back)[:, None],
            )  # fmt: skip
            ankle = knee + shin * (0.42 * s)[:, None]
            self.legs.append((top, knee, ankle))
            self.arms_at.append(self._arm(side, -bend, looks, across, ahead, up))

    def _arm(
        self, side: float, swing: Floats, looks: Looks, across: Floats, ahead: Floats, up: Floats
    ) -> tuple[Floats, Floats, Floats]:
        s = self.scale
        shoulder = (
            self.chest
            + across * (side * 0.94 * self.shoulder_half)[:, None]
            - self.trunk[:, :, 2] * (0.06 * s)[:, None]
        )
        # The directions of upper arm and forearm as shares of (outwards, ahead, up), by what the arms do.
        upper = np.tile([0.16, 0.05, -1.0], (len(s), 1))
        lower = np.tile([0.02, 0.28, -1.0], (len(s), 1))
        one = np.sin(71.0 * looks.seed) * side > -0.3  # of some gestures one arm is enough
        for arms, above, below, both in (
            (CHEER, (0.45, 0.35, 0.85), (0.05, 0.15, 1.0), False),
            (PHONE, (0.12, 0.55, -0.7), (-0.30, 0.75, 0.55), False),
            (CLAP, (0.20, 0.45, -0.75), (-0.55, 0.8, 0.35), True),
            (FOLD, (0.18, 0.22, -0.9), (-0.95, 0.5, 0.05), True),
            (HANG, (0.22, -0.12, -0.95), (-0.12, 0.5, -0.85), True),
        ):
            these = (self.arms == arms) & (one | both)
            upper[these], lower[these] = above, below
        resting = (self.doing == SIT) & ~np.isin(self.arms, (CHEER, PHONE, CLAP))
        upper[resting], lower[resting] = (0.14, 0.42, -0.9), (-0.18, 0.95, -0.12)
        walking = (self.doing == WALK) & (self.arms == STAND)
        upper[walking] = np.stack([np.full(len(s), 0.14), np.sin(swing), -np.cos(swing)], 1)[walking]
        lower[walking] = np.stack([np.full(len(s), 0.0), np.sin(swing + 0.35), -np.cos(swing + 0.35)], 1)[walking]
        upper += 0.1 * np.sin(np.outer(looks.seed, [211.0, 137.0, 89.0]) + side)

        def direction(share: Floats) -> Floats:
            found = across * (side * share[:, :1]) + ahead * share[:, 1:2] + up * share[:, 2:]
            found /= np.linalg.norm(found, axis=1, keepdims=True)
            return found

        elbow = shoulder + direction(upper) * (0.29 * s)[:, None]
        wrist = elbow + direction(lower) * (0.25 * s)[:, None]
        return shoulder, elbow, wrist


class _Dress:
    """The shapes of some of the people, at one level of detail."""

    def __init__(
        self, into: Instances, looks: Looks, body: _Body, number: NDArray[np.intp], chosen: NDArray[np.intp], level: str
    ) -> None:
        self.into, self.looks, self.body, self.number, self.chosen, self.level = (
            into,
            looks,
            body,
            number,
            chosen,
            level,
        )

    def put(
        self, part: str, matrices: Floats, colour: Floats, which: NDArray[np.bool_] | None = None, **kind: object
    ) -> None:
        rows = self.chosen if which is None else self.chosen[which[self.chosen]]
        chosen = {key: (value[rows] if isinstance(value, np.ndarray) else value) for key, value in kind.items()}
        self.into.add(
            part, matrices[rows], colour[rows], seed=self.looks.seed[rows], person=self.number[rows], detail=self.level,
            **chosen,  # type: ignore[arg-type]
        )  # fmt: skip

    def all(self) -> None:
        self.trunk()
        self.limbs()
        self.head()
        if self.level != "far":
            self.things()
        self.umbrellas()

    def trunk(self) -> None:
        looks, body = self.looks, self.body
        wide = body.shoulder_half
        length = 0.53 * body.scale
        girth = np.stack([wide * np.sqrt(looks.girth), wide * looks.girth * 1.02, length], 1)
        matrices = framed(body.trunk, body.hip, girth)
        cloth = {"material": CLOTH, "pattern": looks.pattern, "other": looks.top_other}
        sitting = body.doing == SIT
        self.put("torso", matrices, looks.top, ~(looks.coat & ~sitting), **cloth)
        self.put("coat", matrices, looks.top, looks.coat & ~sitting, **cloth)
        self.put("hips", matrices, looks.legs, ~looks.skirt, material=CLOTH)
        self.put("skirt", matrices, looks.legs, looks.skirt & ~sitting, material=CLOTH, pattern=looks.pattern)
        start, end = body.neck
        self.put("neck", bones(start, end, 0.058 * body.scale, body.ahead), looks.skin, material=SKIN)

    def limbs(self) -> None:
        looks, body, s = self.looks, self.body, self.body.scale
        thick = np.sqrt(looks.girth) * s
        sleeve = looks.top
        forearm = np.where(looks.sleeves[:, None], looks.top, looks.skin)
        bare = looks.skirt & (looks.seed < 0.7)
        shin = np.where(bare[:, None], looks.skin, looks.legs)
        for shoulder, elbow, wrist in body.arms_at:
            self.put(
                "arm",
                bones(shoulder, elbow, 0.056 * thick, body.ahead),
                sleeve,
                material=CLOTH,
                pattern=looks.pattern,
                other=looks.top_other,
            )
            self.put(
                "forearm",
                bones(elbow, wrist, 0.048 * thick, body.ahead),
                forearm,
                material=np.where(looks.sleeves, CLOTH, SKIN),
            )
            end = wrist + (wrist - elbow) * 0.62
            self.put("hand", bones(wrist, end, 0.042 * s, body.ahead), looks.skin, material=SKIN)
        for top, knee, ankle in body.legs:
            self.put("thigh", bones(top, knee, 0.083 * thick, body.ahead), looks.legs, material=CLOTH)
            self.put("shin", bones(knee, ankle, 0.074 * thick, body.ahead), shin, material=np.where(bare, SKIN, CLOTH))
            foot = ankle.copy()
            foot[:, 2] -= 0.075 * s
            size = np.stack([0.095 * s, 0.11 * s, 0.09 * s], 1)
            self.put("shoe", framed(body.frame, foot, size), looks.shoes)

    def head(self) -> None:
        looks, body = self.looks, self.body
        matrices = framed(body.head_frame, body.head, body.head_size)
        self.put("head", matrices, looks.skin, material=FACE, pattern=looks.face, other=looks.hair_colour, head=True)
        covered = np.isin(looks.hat, [HATS.index(name) for name in ("hood", "headscarf")])
        for index, name in enumerate(HAIRS):
            if name:
                self.put(name, matrices, looks.hair_colour, (looks.hair == index) & ~covered, material=HAIR, head=True)
        for index, name in enumerate(HATS):
            if name:
                self.put(
                    name, matrices, looks.hat_colour, looks.hat == index,
                    material=HARD if name == "helmet" else CLOTH, head=True, narrow=name in BRIMS,
                )  # fmt: skip

    def things(self) -> None:
        looks, body, s = self.looks, self.body, self.body.scale
        behind = body.trunk[:, :, 2] * (0.08 * s)[:, None] - body.trunk[:, :, 1] * (0.19 * s)[:, None]
        back = framed(body.trunk, body.hip + behind, np.stack([0.15 * s, 0.11 * s, 0.42 * s], 1))
        self.put("backpack", back, looks.top_other, looks.backpack & (body.doing != SIT), material=CLOTH)
        hip = body.hip + body.frame[:, :, 0] * (0.24 * s)[:, None] - body.trunk[:, :, 2] * (0.14 * s)[:, None]
        size = np.stack([0.05 * s, 0.14 * s, 0.24 * s], 1)
        self.put("bag", framed(body.frame, hip, size), looks.top_other * 0.6, looks.bag & (body.doing != SIT))
        for (_, elbow, wrist), one in zip(
            body.arms_at, (np.sin(-71.0 * looks.seed), np.sin(71.0 * looks.seed)), strict=True
        ):
            hand = wrist + (wrist - elbow) * 0.5
            held = (body.arms == PHONE) & (one > -0.3) & (looks.seed < 0.8)
            size = np.stack([0.036 * s, 0.006 * s, 0.14 * s], 1)
            self.put("phone", framed(body.head_frame, hand, size), np.full((len(s), 3), 0.03), held)

    def umbrellas(self) -> None:
        looks, body, s = self.looks, self.body, self.body.scale
        hand = body.arms_at[1][0] + body.ahead * (0.22 * s)[:, None] - (0, 0, 0.05)
        size = np.stack([0.52 * np.ones_like(s), 0.52 * np.ones_like(s), 0.78 * s], 1)
        lean = body.frame @ tilted(0.12 * np.sin(23.0 * looks.seed)) @ rolled(0.16 * np.sin(41.0 * looks.seed))
        self.put(
            "umbrella", framed(lean, hand, size), looks.top_other, looks.umbrella & (body.doing != SIT), material=CLOTH,
            pattern=np.where(looks.seed < 0.2, 4, 0), other=looks.top,
        )  # fmt: skip


def _cloth(rng: np.random.Generator, n: int, taste: Taste) -> Floats:
    kind = rng.random(n)
    dark, bright = _DARK[rng.integers(0, len(_DARK), n)], _BRIGHT[rng.integers(0, len(_BRIGHT), n)]
    pale = _PALE[rng.integers(0, len(_PALE), n)]
    colour = np.where(
        (kind < taste.dark)[:, None], dark, np.where((kind < taste.dark + taste.bright)[:, None], bright, pale)
    )
    gray = colour.mean(axis=1, keepdims=True)
    dulled = (colour + rng.uniform(0, 0.35, (n, 1)) * (gray - colour)) * rng.uniform(0.75, 1.15, (n, 1))
    return np.asarray(np.clip(dulled, 0, 1))


def _linear(colour: Floats) -> Floats:
    """From what is seen on a screen to light."""
    return np.asarray(np.clip(colour, 0, 1) ** 2.2)
