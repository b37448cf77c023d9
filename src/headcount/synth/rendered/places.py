"""The places that crowds are rendered in: what stands there, where people are, and from where it is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from headcount.synth.rendered.camera import Camera
from headcount.synth.rendered.crowd import Area, Spots, groups_facing, nobody, queue, rows_of_seats, scatter, standing
from headcount.synth.rendered.instances import GLOW, GROUND, HARD, LEAF, SHEET, WALL, Instances, bones, placed
from headcount.synth.rendered.light import Light
from headcount.synth.rendered.people import Taste

Floats = NDArray[np.float64]

Place = Literal["square", "street", "park", "station", "stands", "concert", "hall", "classroom"]
PLACES: tuple[Place, ...] = get_args(Place)

_HEAD_M = 0.236
_CLOSEST_M = 0.36  # from one person to the next, in a crush
_PLAIN, _SLABS, _GRASS, _BOARDS, _TILES, _ROAD = range(6)  # patterns of the ground


@dataclass(frozen=True, slots=True)
class Kind:
    """What is drawn for a place.

    ``height_m``, ``pitch_deg`` and ``fov_deg`` are the camera's ranges; ``deep_m`` how far the crowd reaches at most;
    ``tight`` the range of people per square metre; ``cheering`` the share with raised arms at its most.
    """

    height_m: tuple[float, float]
    pitch_deg: tuple[float, float]
    fov_deg: tuple[float, float]
    deep_m: float
    tight: tuple[float, float]
    walking: float
    cheering: float
    indoors: bool = False


KINDS: dict[Place, Kind] = {
    "square": Kind((2.0, 28.0), (4, 60), (38, 78), 90.0, (0.04, 3.5), 0.45, 0.1),
    "street": Kind((1.9, 10.0), (3, 35), (35, 75), 80.0, (0.06, 2.5), 0.8, 0.05),
    "park": Kind((1.8, 40.0), (3, 85), (40, 78), 80.0, (0.04, 2.0), 0.3, 0.15),
    "station": Kind((2.4, 9.0), (12, 40), (45, 85), 45.0, (0.05, 2.5), 0.5, 0.0),
    "stands": Kind((2.0, 9.0), (-12, 8), (18, 60), 45.0, (0.5, 2.2), 0.0, 0.4),
    "concert": Kind((2.2, 9.0), (4, 25), (40, 75), 50.0, (0.8, 5.0), 0.0, 0.7),
    "hall": Kind((2.3, 6.0), (8, 35), (50, 90), 35.0, (0.03, 2.5), 0.3, 0.05, indoors=True),
    "classroom": Kind((1.7, 3.3), (6, 24), (48, 82), 16.0, (0.3, 1.4), 0.0, 0.04, indoors=True),
}


def draw_camera(rng: np.random.Generator, place: Place, size_wh: tuple[int, int]) -> Camera:
    """A camera as it hangs in a place: from a raised phone to a drone."""
    kind = KINDS[place]
    height = _log_uniform(rng, *kind.height_m)
    low, high = kind.pitch_deg
    if low >= 0:
        # The higher it hangs, the steeper it looks; a raised phone looks nearly level.
        steep = min(1.0, math.log(height / kind.height_m[0]) / max(math.log(kind.height_m[1] / kind.height_m[0]), 1e-6))
        high = min(high, 14 + (high - 14) * (0.35 + 0.65 * steep))
        low = min(low + 0.55 * steep * (high - low), high)
    # The angle is that of the picture's longer side, as of a phone held either way.
    half = math.tan(math.radians(float(rng.uniform(*kind.fov_deg))) / 2) * size_wh[0] / max(size_wh)
    return Camera(
        height_m=height,
        pitch_deg=float(rng.uniform(low, high)),
        fov_deg=2 * math.degrees(math.atan(half)),
        size_wh=size_wh,
        roll_deg=float(np.clip(rng.normal(0, 1.6), -5, 5)),
    )


def seen_area(camera: Camera, deep_m: float, smallest_head_px: float) -> Area:
    """(left, near, right, far) of the ground whose people's heads are in the picture and not too small, in metres."""
    width, height = camera.size_wh
    # Heads at 1.6 m: the ground seen by a camera so much lower.
    over = Camera(camera.height_m - 1.6, camera.pitch_deg, camera.fov_deg, camera.size_wh, camera.roll_deg)
    edge = np.array([(x, y) for y in np.linspace(0, height, 25) for x in (0.0, width / 2, width)])
    ground = over.to_ground(edge) if over.height_m > 0.05 else np.zeros((0, 2))
    ground = ground[np.isfinite(ground).all(axis=1)]
    reach = _HEAD_M * camera.focal_px / smallest_head_px
    far = min(deep_m, math.sqrt(max(reach**2 - (camera.height_m - 1.6) ** 2, 0.0)))
    near = max(1.6, float(ground[:, 1].min()) if len(ground) else 1.6)
    if len(ground) == len(edge):  # no horizon: the picture's upper edge is where the crowd ends
        far = min(far, float(ground[:, 1].max()))
    far = max(far, near + 3.0)
    reach = math.hypot(far, camera.height_m) * width / 2 / camera.focal_px
    return (-reach, near, reach, far)


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """A place with people's spots in ``area``.

    ``walking`` and ``cheering`` are the shares of them that do; ``obstacles`` (k, 3) are x, y and radius in metres.
    """

    spots: Spots
    area: Area
    taste: Taste
    walking: float
    cheering: float
    obstacles: Floats


def furnish(
    rng: np.random.Generator,
    place: Place,
    camera: Camera,
    light: Light,
    into: Instances,
    count: int | None,
    smallest_head_px: float,
) -> Setting:
    """Build a place into ``into`` and choose at most ``count`` spots for people (None: as the place has it)."""
    kind = KINDS[place]
    area = seen_area(camera, kind.deep_m, smallest_head_px)
    return _Builder(rng, place, camera, light, into, count, area).build()


class _Builder:
    def __init__(
        self,
        rng: np.random.Generator,
        place: Place,
        camera: Camera,
        light: Light,
        into: Instances,
        count: int | None,
        area: Area,
    ) -> None:
        self.rng, self.place, self.camera, self.light, self.into, self.area = rng, place, camera, light, into, area
        self.kind = KINDS[place]
        self.count = count
        self.blocked: list[tuple[float, float, float]] = []  # x, y, radius
        self.strips: list[tuple[float, float, float]] = []  # an aisle: x at y = 0, its slope, half width

    def build(self) -> Setting:
        spots = getattr(self, f"_{self.place}")()
        spots = spots.some(self._in_picture(np.add(spots.at, (0, 0, 1.5))))
        if self.count is not None and len(spots) > self.count:
            spots = spots.some(np.sort(self.rng.permutation(len(spots))[: self.count]))
        calm = self.rng.random() < 0.6
        return Setting(
            spots,
            self.area,
            self._taste(),
            self.kind.walking * float(self.rng.uniform(0.3, 1.3)),
            self.kind.cheering * float(self.rng.uniform(0, 0.15 if calm else 1.0)),
            np.array(self.blocked, float).reshape(-1, 3),
        )

    def _taste(self) -> Taste:
        rng, light = self.rng, self.light
        cold = light.snow > 0 or rng.random() < 0.3
        festive = rng.random() < 0.4
        uniform = self.place in ("classroom", "stands") and rng.random() < 0.35
        low, high = sorted(rng.uniform(0, 1, 2))
        shade = tuple(rng.uniform(0.1, 0.9, 3).tolist())
        return Taste(
            dark=float(rng.uniform(0.25, 0.75)) if not festive else 0.2,
            bright=float(rng.uniform(0.15, 0.35)) + 0.3 * festive,
            coats=0.7 if cold and not light.indoors else float(rng.uniform(0.0, 0.3)),
            long_sleeves=0.95 if cold else float(rng.uniform(0.1, 0.7)),
            skirts=0.04 if cold else float(rng.uniform(0.02, 0.25)),
            hats=0.4 if cold else float(rng.uniform(0.02, 0.3)),
            hoods=0.35 * (light.rain > 0) + 0.05 * cold,
            umbrellas=float(rng.uniform(0.05, 0.5)) if light.rain > 0.25 and not light.snow else 0.0,
            masks=0.5 if rng.random() < 0.08 else 0.03,
            children=float(rng.uniform(0, 0.12)),
            uniform=float(rng.uniform(0.4, 1.0)) if uniform else 0.0,
            uniform_colour=(shade[0], shade[1], shade[2]),
            skins=(max(0.0, low - 0.1), min(1.0, high + 0.15)),
            fair_hair=float(rng.uniform(0.0, 0.6)),
            helmets=0.6 if self.place == "station" and rng.random() < 0.05 else 0.0,
        )

    # People

    def _in_picture(self, at: Floats) -> NDArray[np.bool_]:
        pixels, away = self.camera.project(at)
        width, height = self.camera.size_wh
        room = 0.04
        return np.asarray(
            (away > 1.2)
            & (pixels[:, 0] > -room * width)
            & (pixels[:, 0] < (1 + room) * width)
            & (pixels[:, 1] > -room * height)
            & (pixels[:, 1] < (1 + room) * height)
        )

    def _free(self, at: Floats) -> NDArray[np.bool_]:
        free = self._in_picture(np.column_stack([at, np.full(len(at), 1.5)]))
        for x, y, radius in self.blocked:
            free &= np.hypot(at[:, 0] - x, at[:, 1] - y) > radius + 0.3
        for x, slope, half in self.strips:
            free &= np.abs(at[:, 0] - x - slope * at[:, 1]) > half
        return free

    def _standing(self, *, main: float | None = None, spread: float = 0.8) -> Spots:
        rng, area = self.rng, self.area
        seen = self._seen_m2(area)
        tight = _log_uniform(rng, *self.kind.tight)
        n = self.count if self.count is not None else int(np.clip(tight * seen, 6, 3500))
        n = min(n, int(seen / (_CLOSEST_M**2 * 0.87)) + 1)  # there is no room for more
        # Where so many stand as close as that, they keep about this distance.
        apart = float(np.clip(0.62 / math.sqrt(max(n / max(seen, 1.0), 0.02)), _CLOSEST_M, 1.1))
        waves = rng.uniform(0.02, 0.15, 2)
        phase = rng.uniform(0, 6, 2)
        uneven = float(rng.uniform(0, 0.8))

        def weight(at: Floats) -> Floats:
            wave = np.sin(at[:, 0] * waves[0] + phase[0]) * np.sin(at[:, 1] * waves[1] + phase[1])
            return np.asarray(1.0 - uneven * (0.5 + 0.5 * wave))

        at = scatter(rng, n, area, self._free, apart_m=apart, clustered=float(rng.uniform(0.2, 0.8)), weight=weight)
        if main is None:
            main = float(rng.choice([0.0, math.pi, rng.uniform(0, 2 * math.pi)]))
        facing = groups_facing(rng, at, main, spread, 0.4 if spread > 0.6 else 0.1)
        return standing(at, facing)

    def _seen_m2(self, area: Area) -> float:
        tried = np.random.default_rng(0).uniform((area[0], area[1]), (area[2], area[3]), (2000, 2))
        return float(self._free(tried).mean()) * (area[2] - area[0]) * (area[3] - area[1])

    def _queues(self) -> Spots:
        rng = self.rng
        left, near, right, far = self.area
        x, y = rng.uniform(left * 0.5, right * 0.4), rng.uniform(near, near + 0.5 * (far - near))
        lanes, wide = int(rng.integers(1, 6)), float(rng.uniform(4, 12))
        lined = queue(rng, int(rng.integers(8, 90)), (x, y, x + wide, far), lanes)
        for lane in range(lanes + 1):
            at_y = y - 0.2 + lane * 1.1
            posts = np.arange(x, x + wide, 1.5)
            at = np.stack([posts, np.full(len(posts), at_y), np.zeros(len(posts))], 1)
            self.into.add("post", placed(at, (0.03, 0.03, 0.95)), (0.12, 0.12, 0.13))
            self._box((x + wide / 2, at_y, 0.86), (wide, 0.02, 0.06), (0.25, 0.03, 0.04), SHEET)
        for lane in range(lanes):
            for step in np.arange(x, x + wide, 1.0):
                self.blocked.append((step, y + 0.3 + lane * 1.1, 0.6))
        return lined

    # Things

    def _box(
        self,
        at: tuple[float, float, float],
        size: tuple[float, float, float],
        colour: tuple[float, ...] | Floats,
        material: int = HARD,
        *,
        pattern: int = 0,
        turn: float = 0.0,
        other: tuple[float, float, float] | None = None,
        seed: float = 0.0,
    ) -> None:
        self.into.add(
            "box", placed(at, size, turn), np.asarray(colour), other, material=material, pattern=pattern, seed=seed
        )

    def _ground(
        self, pattern: int, colour: tuple[float, float, float], other: tuple[float, float, float] = (0.2, 0.2, 0.2)
    ) -> None:
        shade = self.rng.uniform(0.7, 1.25) * np.array(colour)
        self.into.add("plane", placed((0, 0, 0), (3000.0, 3000.0, 1.0)), shade, other, material=GROUND, pattern=pattern)

    def _hue(self) -> Floats:
        """A colour of made things: seldom a strong one."""
        rng = self.rng
        strong = rng.uniform(0.03, 0.6, 3)
        return np.asarray(strong.mean() + rng.uniform(0.1, 0.8) * (strong - strong.mean()))

    def _walls_colour(self) -> Floats:
        rng = self.rng
        base = np.array(
            [
                (0.48, 0.36, 0.27),
                (0.55, 0.50, 0.42),
                (0.35, 0.14, 0.10),
                (0.30, 0.31, 0.33),
                (0.62, 0.60, 0.56),
                (0.40, 0.28, 0.18),
                (0.22, 0.25, 0.28),
            ]
        )
        return np.asarray(base[rng.integers(0, len(base))] * rng.uniform(0.6, 1.2))

    def _buildings(self, y: float, low: float, high: float) -> None:
        rng = self.rng
        reach = (y + 30) * self.camera.size_wh[0] / self.camera.focal_px
        x = -reach
        lit = 1.0 if self.light.is_dark else 0.12
        while x < reach:
            wide, tall, deep = rng.uniform(9, 26), rng.uniform(low, high), rng.uniform(10, 20)
            at = (x + wide / 2, y + deep / 2 + rng.uniform(0, 3), 0.0)
            self._box(
                at,
                (wide, deep, tall),
                self._walls_colour(),
                WALL,
                pattern=int(rng.integers(1, 3)),
                other=(lit, 0, 0),
                seed=float(rng.random()),
            )
            if rng.random() < 0.5:
                self._box((at[0], at[1], tall), (wide + 0.6, deep + 0.6, 0.5), (0.2, 0.19, 0.18))
            if rng.random() < 0.5:  # an awning or a sign over the shop
                hue = self._hue()
                self._box((at[0], at[1] - deep / 2 - 0.6, 2.7), (wide * rng.uniform(0.3, 0.9), 1.2, 0.25), hue, SHEET)
            x += wide + (rng.uniform(2, 9) if rng.random() < 0.2 else 0.0)

    def _tree(self, x: float, y: float, tall: float) -> None:
        rng = self.rng
        foot, top = np.array([[x, y, 0.0]]), np.array([[x, y, 0.45 * tall]])
        self.into.add("post", bones(foot, top, 0.035 * tall, np.array([[0, 1.0, 0]])), (0.10, 0.07, 0.05))
        n = 5
        at = np.array([x, y, 0.62 * tall]) + rng.normal(0, 0.16, (n, 3)) * tall * (1, 1, 0.8)
        green = (
            np.array([0.10, 0.22, 0.05]) * rng.uniform(0.6, 1.5) * (1 + rng.uniform(-0.2, 0.5) * np.array([1, 0, 0]))
        )
        size = rng.uniform(0.16, 0.30, (n, 1)) * tall * np.array([1, 1, 0.85])
        self.into.add("ball", placed(at, size), green, green * 1.8, material=LEAF, seed=rng.random(n), detail="near")
        self.blocked.append((x, y, 0.05 * tall + 0.2))

    def _trees(self, n: int, near: float, far: float) -> None:
        rng = self.rng
        for _ in range(n):
            y = rng.uniform(near, far)
            reach = y * self.camera.size_wh[0] / 2 / self.camera.focal_px + 6
            self._tree(rng.uniform(-reach, reach), y, rng.uniform(4, 12))

    def _lamps(self, n: int) -> Floats:
        rng = self.rng
        _left, near, _right, far = self.area
        y = np.linspace(near + 4, far + 6, n)
        x = (
            np.where(np.arange(n) % 2 == 0, -1, 1)
            * rng.uniform(0.25, 0.8)
            * (2 + y * self.camera.size_wh[0] / 2 / self.camera.focal_px)
        )
        at = np.stack([x, y, np.zeros(n)], 1)
        self.into.add("post", placed(at, (0.06, 0.06, 5.0)), (0.06, 0.06, 0.065))
        bright = 1.0 if self.light.is_dark else 0.0
        self.into.add(
            "ball",
            placed(np.add(at, (0, 0, 5.0)), (0.2, 0.2, 0.2)),
            (1.0, 0.85, 0.6),
            (bright, 0, 0),
            material=GLOW if bright else HARD,
        )
        self.blocked += [(float(a), float(b), 0.2) for a, b in zip(x, y, strict=True)]
        return np.add(at, (0, 0, 4.8))

    def _small_things(self, n: int) -> None:
        """Bins, boxes, bollards, signs, parked bicycles: what lies about and is no person."""
        rng = self.rng
        _left, near, _right, far = self.area
        for _ in range(n):
            y = rng.uniform(near + 2, far)
            x = rng.uniform(-1, 1) * y * self.camera.size_wh[0] / 2 / self.camera.focal_px
            kind, hue = rng.integers(0, 6), self._hue()
            turn = float(rng.uniform(0, 3))
            if kind == 0:
                self.into.add("post", placed((x, y, 0), (0.28, 0.28, 0.9)), hue * 0.5)
            elif kind == 1:
                self._box(
                    (x, y, 0), (rng.uniform(0.3, 1.6), rng.uniform(0.3, 0.9), rng.uniform(0.3, 1.3)), hue, turn=turn
                )
            elif kind == 2:
                self.into.add("post", placed((x, y, 0), (0.09, 0.09, 0.9)), (0.3, 0.3, 0.32))
                self.into.add("ball", placed((x, y, 0.95), (0.12, 0.12, 0.12)), (0.3, 0.3, 0.32))
            elif kind == 3:
                self.into.add("post", placed((x, y, 0), (0.035, 0.035, 2.3)), (0.3, 0.3, 0.3))
                self._box((x, y, 2.0), (0.7, 0.05, 0.7), hue, turn=turn)
            elif kind == 4 and y > 8:  # a market umbrella
                self.into.add("umbrella", placed((x, y, 0), (1.5, 1.5, 2.5)), hue, hue * 0.5, pattern=4)
            else:
                at = (x, y, rng.uniform(1.8, 4.0))
                self.into.add("ball", placed(at, (0.16, 0.16, 0.2)), rng.uniform(0.1, 0.9, 3), detail="near")
            self.blocked.append((x, y, 0.6))

    def _aisles(self, n: int) -> None:
        rng = self.rng
        left, _near, right, _far = self.area
        for _ in range(n):
            self.strips.append(
                (float(rng.uniform(left, right) * 0.6), float(rng.uniform(-0.3, 0.3)), float(rng.uniform(0.8, 2.2)))
            )

    # Places

    def _square(self) -> Spots:
        rng = self.rng
        self._ground(int(rng.choice([_SLABS, _PLAIN, _TILES])), (0.34, 0.32, 0.30), (0.25, 0.24, 0.23))
        self._buildings(self.area[3] + rng.uniform(4, 30), 8, 26)
        self._trees(int(rng.integers(0, 7)), self.area[1] + 4, self.area[3] + 8)
        self._lamps(int(rng.integers(2, 7)))
        self._small_things(int(rng.integers(2, 12)))
        self._aisles(int(rng.integers(0, 3)))
        lined = self._queues() if rng.random() < 0.25 else nobody()
        return lined + self._standing()

    def _street(self) -> Spots:
        rng = self.rng
        self._ground(int(rng.choice([_ROAD, _SLABS, _PLAIN])), (0.20, 0.20, 0.21))
        half, far = rng.uniform(5, 11), self.area[3] + 60
        lit = 1.0 if self.light.is_dark else 0.12
        for side in (-1, 1):
            y = -4.0
            while y < far:
                long, tall = rng.uniform(8, 20), rng.uniform(7, 22)
                self._box(
                    (side * (half + 6), y + long / 2, 0),
                    (12, long, tall),
                    self._walls_colour(),
                    WALL,
                    pattern=int(rng.integers(1, 3)),
                    other=(lit, 0, 0),
                    seed=float(rng.random()),
                )
                if rng.random() < 0.6 and y > 6:
                    self._box(
                        (side * (half - 0.7), y + long / 2, 2.6),
                        (1.4, long * 0.7, 0.2),
                        self._hue(),
                        SHEET,
                    )
                y += long
        self._buildings(far, 10, 30)
        self._small_things(int(rng.integers(3, 14)))
        self._lamps(int(rng.integers(2, 6)))
        self._between(half - 0.5)
        return self._standing(main=float(rng.choice([0.0, math.pi])), spread=0.7)

    def _park(self) -> Spots:
        rng = self.rng
        self._ground(_GRASS, (0.16, 0.24, 0.07), (0.30, 0.24, 0.13))
        self._trees(int(rng.integers(6, 26)), self.area[1] + 5, self.area[3] + 40)
        self._small_things(int(rng.integers(1, 8)))
        if rng.random() < 0.4:
            self._buildings(self.area[3] + 50, 6, 14)
        spots = self._standing()
        resting = rng.random(len(spots)) < rng.uniform(0, 0.4)
        return Spots(spots.at - np.outer(resting, (0, 0, 0.30)), spots.facing, resting, spots.waits)

    def _station(self) -> Spots:
        rng = self.rng
        self._ground(int(rng.choice([_TILES, _SLABS])), (0.40, 0.39, 0.37), (0.30, 0.30, 0.30))
        far = self.area[3] + 6
        self._box(
            (0, far + 1, 0),
            (160, 1, 9),
            (0.45, 0.46, 0.47),
            WALL,
            pattern=int(rng.choice([1, 3, 4])),
            other=(0.3, 0, 0),
        )
        for x in np.arange(-24, 25, 8.0):
            for y in np.arange(self.area[1] + 5, far, 9.0):
                self.into.add("post", placed((x + rng.uniform(-1, 1), y, 0), (0.35, 0.35, 7)), (0.5, 0.5, 0.48))
                self.blocked.append((x, y, 1.0))
        for _ in range(int(rng.integers(1, 4))):  # a train, ticket machines, boards
            x, y = rng.uniform(-10, 10), rng.uniform(self.area[1] + 6, far)
            self._box((x, y, 3.2), (rng.uniform(2, 6), 0.3, 1.0), (0.02, 0.03, 0.06))
            self._box((x, y - 0.16, 3.4), (1.6, 0.02, 0.5), (0.9, 0.7, 0.2), GLOW, other=(0.2, 0, 0))
        self._small_things(int(rng.integers(2, 8)))
        lined = self._queues() if rng.random() < 0.6 else nobody()
        return lined + self._standing()

    def _stands(self) -> Spots:
        rng = self.rng
        self._ground(_PLAIN, (0.25, 0.25, 0.26))
        near = rng.uniform(5, 16)
        reach = (near + 25) * self.camera.size_wh[0] / 2 / self.camera.focal_px + 4
        between, rise, apart = rng.uniform(0.75, 0.95), rng.uniform(0.32, 0.5), rng.uniform(0.48, 0.6)
        aisles = tuple(np.arange(-reach + rng.uniform(0, 8), reach, rng.uniform(7, 14)).tolist())
        area = (-reach, near, reach, near + between * int(rng.integers(12, 40)))
        self.area = area
        seats = rows_of_seats(rng, area, between_m=between, apart_m=apart, rise_m=rise, aisles=aisles, facing=math.pi)
        for row, y in enumerate(np.arange(area[1], area[3], between)):
            self._box((0, y + between / 2 - 0.15, row * rise - 1.0), (2 * reach, between, 1.0), (0.32, 0.32, 0.33))
        hue = self._hue()
        near_seats = seats.some(self._in_picture(np.add(seats.at, (0, 0, 0.8))))
        self.into.add("box", placed(np.add(near_seats.at, (0, 0.12, 0.38)), (0.44, 0.42, 0.07)), hue)
        self.into.add("box", placed(np.add(near_seats.at, (0, 0.36, 0.40)), (0.44, 0.06, 0.42)), hue)
        top = area[3]
        self._box(
            (0, top + 1, 0), (2 * reach, 1, (top - near) / between * rise + 7), self._walls_colour(), WALL, pattern=4
        )
        taken = rng.random(len(seats)) < rng.uniform(0.25, 1.0)
        people = seats.some(taken)
        up = rng.random(len(people)) < (rng.uniform(0, 0.25) if rng.random() < 0.7 else rng.uniform(0.7, 1.0))
        facing = people.facing + rng.normal(0, 0.22, len(people))
        at = people.at + np.column_stack([rng.normal(0, 0.04, (len(people), 2)), np.zeros(len(people))])
        return Spots(np.add(at, (0, 0.18, 0)), facing, ~up, up)

    def _concert(self) -> Spots:
        rng = self.rng
        self._ground(_PLAIN, (0.12, 0.12, 0.12))
        depth = self.area[3] + 3
        self._box((0, depth + 4, 0), (26, 8, 1.6), (0.05, 0.05, 0.06))
        self._box((0, depth + 8, 1.6), (26, 0.4, 9), (0.04, 0.04, 0.06))
        hue = rng.uniform(0.1, 1.0, 3)
        self._box(
            (rng.uniform(-3, 3), depth + 7.6, 3.2),
            (rng.uniform(6, 14), 0.2, 5),
            hue,
            GLOW,
            other=(float(rng.uniform(0, 0.5)), 0, 0),
        )
        for side in (-1, 1):
            self.into.add("post", placed((side * 12.5, depth, 0), (0.25, 0.25, 10)), (0.3, 0.3, 0.3))
            self._box((side * 10, depth + 1, 3), (1.2, 1, 3.5), (0.02, 0.02, 0.02))
        self._box((0, depth, 9.8), (25, 0.4, 0.5), (0.3, 0.3, 0.3))
        self._trees(5, depth + 15, depth + 40)
        self._aisles(int(rng.integers(0, 2)))
        main = 0.0 if rng.random() < 0.7 else math.pi  # from behind the crowd, or from the stage
        return self._standing(main=main, spread=0.3)

    def _between(self, half: float) -> None:
        """Walls on both sides: people are between them."""
        self.area = (max(self.area[0], -half), self.area[1], min(self.area[2], half), self.area[3])

    def _room(self, tall: float, floor: int) -> None:
        rng = self.rng
        floors = {_BOARDS: (0.36, 0.22, 0.12), _TILES: (0.55, 0.53, 0.50), _PLAIN: (0.30, 0.31, 0.33)}
        self._ground(floor, floors[floor], (0.45, 0.43, 0.40))
        half = self.area[2] * 0.75 + 2
        far = self.area[3] + rng.uniform(0.8, 4)
        self._between(half - 0.4)
        wall = np.array([(0.62, 0.60, 0.54), (0.70, 0.70, 0.68), (0.50, 0.55, 0.56), (0.60, 0.50, 0.38)])[
            rng.integers(0, 4)
        ]
        self._box((0, far + 0.5, 0), (2 * half, 1, tall), wall, WALL, pattern=int(rng.choice([0, 4, 3])))
        for side in (-1, 1):
            self._box(
                (side * (half + 0.5), far / 2, 0),
                (1, far + 8, tall),
                wall * 0.95,
                WALL,
                pattern=int(rng.choice([0, 4])),
            )
            for y in np.arange(2.0, far - 1, rng.uniform(2.5, 4)):
                if rng.random() < 0.6:  # windows
                    bright = float(rng.uniform(0.0, 0.25))
                    self._box(
                        (side * (half - 0.02), y, 1.1), (0.06, 1.6, 1.6), (0.75, 0.85, 1.0), GLOW, other=(bright, 0, 0)
                    )
        self._box((0, far / 2, tall), (2 * half, far + 10, 0.3), (0.72, 0.72, 0.70), HARD)
        for x in np.arange(-half + 1.5, half, 3.0):
            for y in np.arange(2.0, far, 3.0):
                self._box((x, y, tall - 0.06), (0.3, 1.3, 0.05), (1.0, 0.97, 0.9), GLOW, other=(0.4, 0, 0))
        for _ in range(int(rng.integers(1, 6))):  # boards, screens and pictures on the far wall
            x, wide = rng.uniform(-half, half) * 0.8, rng.uniform(0.5, 3.5)
            self._box((x, far - 0.03, rng.uniform(1.0, 1.6)), (wide, 0.06, rng.uniform(0.5, 1.4)), self._hue())

    def _hall(self) -> Spots:
        rng = self.rng
        self._room(
            float(rng.uniform(4.5, 9)) if self.camera.height_m > 3 else float(rng.uniform(3.6, 6)),
            int(rng.choice([_BOARDS, _TILES, _PLAIN])),
        )
        self._small_things(int(rng.integers(0, 8)))
        self._aisles(int(rng.integers(0, 3)))
        if rng.random() < 0.35:  # an audience on chairs
            return self._seated(between=float(rng.uniform(0.85, 1.1)), apart=float(rng.uniform(0.5, 0.65)), desks=False)
        lined = self._queues() if rng.random() < 0.3 else nobody()
        return lined + self._standing()

    def _classroom(self) -> Spots:
        self._room(
            max(float(self.rng.uniform(2.9, 3.8)), self.camera.height_m + 0.4),
            int(self.rng.choice([_BOARDS, _TILES, _PLAIN])),
        )
        rng = self.rng
        return self._seated(between=float(rng.uniform(0.9, 1.4)), apart=float(rng.uniform(0.58, 0.95)), desks=True)

    def _seated(self, *, between: float, apart: float, desks: bool) -> Spots:
        rng = self.rng
        _left, near, right, far = self.area
        near = max(near, 2.0)
        half = right - 0.4
        steps = float(rng.uniform(0.0, 0.22)) if rng.random() < 0.4 else 0.0
        aisles = tuple(np.arange(-half + rng.uniform(0, 4), half, rng.uniform(3, 7)).tolist())
        away = rng.random() < 0.15  # seen from behind
        area = (-half, near, half, far - 0.8)
        seats = rows_of_seats(
            rng, area, between_m=between, apart_m=apart, rise_m=steps, aisles=aisles, facing=0.0 if away else math.pi
        )
        ahead = 1.0 if away else -1.0
        wood = np.array([0.42, 0.28, 0.15]) * rng.uniform(0.4, 1.6) + rng.uniform(0, 0.2)
        chairs = self._hue()
        here = seats.some(self._in_picture(np.add(seats.at, (0, 0, 0.6))))
        if steps:
            for row, y in enumerate(np.arange(area[1], area[3], between)):
                self._box((0, y, row * steps - 0.6), (2 * half, between, 0.6), (0.3, 0.3, 0.3))
        if desks:
            at = np.add(here.at, (0, ahead * 0.52, 0.72))
            self.into.add("box", placed(at, (apart + 0.01, 0.42, 0.035)), wood)
            self.into.add("box", placed(at - (0, -ahead * 0.17, 0.42), (apart, 0.03, 0.42)), wood * 0.8)
            books = rng.random(len(here)) < 0.5
            shade = rng.uniform(0.1, 0.9, (int(books.sum()), 3))
            place = at[books] + np.column_stack(
                [rng.uniform(-0.15, 0.15, (len(shade), 2)) * (1, 0.5), np.full(len(shade), 0.035)]
            )
            self.into.add("box", placed(place, (0.21, 0.29, 0.02), rng.uniform(-0.5, 0.5, len(shade))), shade)
        self.into.add("box", placed(np.add(here.at, (0, -ahead * 0.05, 0.40)), (0.42, 0.42, 0.04)), chairs)
        self.into.add("box", placed(np.add(here.at, (0, -ahead * 0.25, 0.44)), (0.42, 0.04, 0.42)), chairs)
        taken = seats.some(rng.random(len(seats)) < rng.uniform(0.35, 1.15))
        at = taken.at + np.column_stack([rng.normal(0, 0.05, (len(taken), 2)), np.zeros(len(taken))])
        facing = taken.facing + rng.normal(0, 0.3, len(taken))
        self.area = area
        on_feet = rng.random(len(taken)) < 0.03
        return Spots(at, facing, ~on_feet, on_feet)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


__all__ = ["KINDS", "PLACES", "Kind", "Place", "Setting", "draw_camera", "furnish", "seen_area"]
