"""Rendered crowds: three-dimensional people on a ground plane, every head's place, box and visible share known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import clip_boxes
from headcount.core.scene import Provenance, Scene
from headcount.synth.rendered.camera import Camera
from headcount.synth.rendered.crowd import Area
from headcount.synth.rendered.engine import engine
from headcount.synth.rendered.instances import Instances
from headcount.synth.rendered.lens import Lens, draw_lens, expose
from headcount.synth.rendered.light import (
    DAY_PARTS,
    WEATHERS,
    DayPart,
    Fullness,
    Light,
    Weather,
    indoor_light,
    outdoor_light,
    stage_light,
)
from headcount.synth.rendered.meshes import outline
from headcount.synth.rendered.people import (
    HAIRS,
    HATS,
    SIT,
    STAND,
    WALK,
    Looks,
    Stance,
    add_people,
    draw_looks,
    draw_stance,
    heads_of,
)
from headcount.synth.rendered.places import KINDS, PLACES, Place, draw_camera, furnish
from headcount.synth.rendered.walk import walk

Floats = NDArray[np.float64]

MIN_SIDE_PX = 64
MAX_SIDE_PX, MAX_PIXELS, MAX_PEOPLE = 8192, 2**25, 10_000
MIN_VISIBLE = 0.2
"""The least visible share of a head that is labelled."""

_SEEDS = 2**63
_SMALLEST_HEAD_PX = 4.0  # of an adult far away, about
_PURPOSES = ("choice", "camera", "light", "place", "looks", "stance", "lens", "walk")


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A rendered crowd.

    Attributes:
        scene: the picture, and the labelled heads' points and boxes (cut at the border), far to near.
        visible: (n,) the share of each labelled head's outline that is seen, from 0 to 1; what is beyond the border is
            not.
        ground_m: (n, 2) where each stands, in metres: x to the right of the camera's foot, y ahead of it. On stands and
            in stepped rooms that is the place below.
        person: (n,) each one's number in his scene; the same in all pictures of a sequence.
        hidden: how many more heads have their middle in the picture, of which less is seen than is asked for.
        cut: how many heads at the border are seen whose middle is outside; they are not labelled.
        camera: from where it is seen; ``camera.homography`` takes the ground's metres to pixels.
    """

    scene: Scene
    visible: Floats
    ground_m: Floats
    person: NDArray[np.intp]
    hidden: int
    cut: int
    camera: Camera

    def record(self) -> dict[str, Any]:
        """What is known beyond points and boxes, as plain data: the camera, and each labelled head's share seen."""
        camera = self.camera
        return {
            "camera": {
                "height_m": round(camera.height_m, 4), "pitch_deg": round(camera.pitch_deg, 4),
                "roll_deg": round(camera.roll_deg, 4), "fov_deg": round(camera.fov_deg, 4),
                "focal_px": round(camera.focal_px, 4), "ground_to_pixels": camera.homography.tolist(),
            },
            "visible": np.round(self.visible, 4).tolist(),
            "ground_m": np.round(self.ground_m, 4).tolist(),
            "person": self.person.tolist(),
            "hidden": self.hidden, "cut": self.cut,
        }  # fmt: skip


def render_scene(
    seed: int, *, size_wh: tuple[int, int] = (1920, 1080), count: int | None = None, place: Place | None = None,
    weather: Weather | None = None, day: DayPart | None = None, min_visible: float = MIN_VISIBLE,
) -> Rendered:  # fmt: skip
    """A rendered crowd; the same arguments give the same people at the same places.

    Pixels repeat to the byte on the same machine and driver; on another they may differ in the last bits. What is not
    given, the seed draws. ``count`` is the most people to place: a place may have room for fewer, and of those placed
    the ones whose heads are hidden, or outside the picture, are not labelled.

    Raises:
        InputError: a seed below 0 or of 2⁶³ and more, a side below 64 px or above 8,192, more than 2²⁵ pixels, a count
            below 0 or above 10,000, an unknown place, weather or day part, or one of these two for a place indoors,
            ``min_visible`` outside 0 to 1, or no OpenGL here.
        MissingExtraError: moderngl is not installed.
    """
    check(seed, size_wh=size_wh, count=count, place=place, weather=weather, day=day, min_visible=min_visible)
    stage = Stage.of(seed, size_wh=size_wh, count=count, place=place, weather=weather, day=day)
    return stage.shoot(stage.stance, min_visible=min_visible)


def render_sequence(
    seed: int, frames: int, *, per_second: float = 25.0, size_wh: tuple[int, int] = (1920, 1080),
    count: int | None = None, place: Place | None = None, weather: Weather | None = None, day: DayPart | None = None,
    min_visible: float = 0.0,
) -> Iterator[Rendered]:  # fmt: skip
    """A crowd that walks, picture by picture, from a camera that stands still; otherwise as ``render_scene``.

    A head is labelled in each picture where any of it is seen (``min_visible`` 0), as tracks need.
    """
    check(seed, size_wh=size_wh, count=count, place=place, weather=weather, day=day, min_visible=min_visible)
    if frames < 1 or not 0 < per_second <= 240:
        raise InputError(
            f"A sequence needs 1 picture or more at up to 240 a second, but {frames} at {per_second:g} were asked for: "
            "give other numbers."
        )
    stage = Stage.of(seed, size_wh=size_wh, count=count, place=place, weather=weather, day=day)
    stances = walk(
        stream(seed, "walk"), stage.stance, stage.area, stage.obstacles, frames=frames, per_second=per_second
    )
    for frame, stance in enumerate(stances):
        yield stage.shoot(stance, frame=frame, name=f"{frame + 1:06d}", min_visible=min_visible)


def drawn_empty(seed: int, share: float) -> bool:
    """Whether the scene of a seed is one of the ``share`` of all that have nobody in them."""
    return bool(stream(seed, "choice", 1).random() < share)


def drawn_for_validation(seed: int, share: float) -> bool:
    """Whether the scene of a seed is one of the ``share`` of all for validation, however many are rendered."""
    return bool(stream(seed, "choice", 2).random() < share)


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Everything of a scene but the moment: the place, its light, its people and who of them walks."""

    name: str
    camera: Camera
    light: Light
    lens: Lens
    things: Instances
    looks: Looks
    stance: Stance
    attributes: dict[str, str]
    area: Area
    obstacles: Floats
    seed: int

    @classmethod
    def of(
        cls, seed: int, *, size_wh: tuple[int, int], count: int | None = None, place: Place | None = None,
        weather: Weather | None = None, day: DayPart | None = None,
    ) -> Stage:  # fmt: skip
        """As ``render_scene``, of what ``check`` lets through."""
        choice = stream(seed, "choice")
        drawn_place, drawn_weather, drawn_day = (
            choice.choice(PLACES), choice.choice(WEATHERS), choice.choice(DAY_PARTS, p=[0.2, 0.25, 0.25, 0.12, 0.18])
        )  # fmt: skip
        snowy = bool(choice.random() < 0.07)
        if place is None and (weather or day):  # which only matter outdoors
            drawn_place = choice.choice([name for name in PLACES if not KINDS[name].indoors])
        place = place or drawn_place
        weather, day = weather or drawn_weather, day or drawn_day
        camera = draw_camera(stream(seed, "camera"), place, size_wh)
        lit = stream(seed, "light")
        attributes = {"place": str(place)}
        if KINDS[place].indoors:
            light = indoor_light(lit)
        else:
            if place == "concert" and day == "night":
                light = stage_light(lit, 40.0, weather, snowy=snowy)
            else:
                light = outdoor_light(lit, weather, day, snowy=snowy)
            attributes |= {"weather": str(weather), "day": str(day)}
            if snowy:
                attributes["snow"] = "yes"
        things = Instances()
        setting = furnish(stream(seed, "place"), place, camera, light, things, count, _SMALLEST_HEAD_PX)
        if "day" in attributes and day == "night" and place != "concert":
            light = _street_lamps(lit, light, setting.area)
        rng = stream(seed, "stance")
        spots = setting.spots
        doing = np.where(
            spots.sitting, SIT, np.where(~spots.waits & (rng.random(len(spots)) < setting.walking), WALK, STAND)
        )
        looks = draw_looks(stream(seed, "looks"), len(spots), setting.taste)
        stance = draw_stance(
            rng, spots.at, spots.facing, doing, cheering=setting.cheering, phones=float(rng.uniform(0, 0.25))
        )
        lens = draw_lens(stream(seed, "lens"), light, size_wh)
        return cls(
            f"rendered-{seed}",
            camera,
            light,
            lens,
            things,
            looks,
            stance,
            attributes,
            setting.area,
            setting.obstacles,
            seed,
        )

    def shoot(self, stance: Stance, *, frame: int = 0, name: str = "", min_visible: float = MIN_VISIBLE) -> Rendered:
        """The picture of a moment."""
        heads = Heads(self.camera, self.looks, stance)
        into = Instances({key: list(rows) for key, rows in self.things.rows.items()})
        add_people(into, self.looks, stance, heads.detail)
        pixels, whose = engine().draw(into, self.camera, self.light, _fullness(stance, self.area))
        seen = np.bincount(whose[whose >= 0], minlength=len(self.looks)) * (
            pixels.shape[0] * pixels.shape[1] / whose.size
        )
        visible = np.minimum(seen / np.maximum(heads.outline_px, 1.0), 1.0)
        width, height = self.camera.size_wh
        inside = (
            heads.ahead & (heads.points[:, 0] >= 0) & (heads.points[:, 0] < width)
            & (heads.points[:, 1] >= 0) & (heads.points[:, 1] < height)
        )  # fmt: skip
        chosen = np.flatnonzero(inside & (visible >= min_visible) & (seen > 0))
        chosen = chosen[np.argsort(-heads.away[chosen], kind="stable")]
        annotated: Provenance = "annotated"
        rng = stream(self.seed, "lens", 1 + frame)
        scene = Scene(
            expose(rng, pixels, self.lens if frame == 0 else self.lens.shaken_anew(rng)),
            heads.points[chosen],
            clip_boxes(heads.boxes[chosen], self.camera.size_wh),
            (annotated,) * len(chosen),
            source=f"rendered by headcount from seed {self.seed}",
            name=name or self.name,
            attributes=self.attributes,
        )
        hidden, cut = int(inside.sum()) - len(chosen), int(((seen > 0) & ~inside).sum())
        return Rendered(scene, visible[chosen], stance.at[chosen, :2], chosen, hidden, cut, self.camera)


def stream(seed: int, purpose: str, part: int = 0) -> np.random.Generator:
    """One counter-based stream for each purpose: drawing more of one thing changes nothing of another."""
    key = np.array([seed, _PURPOSES.index(purpose) + len(_PURPOSES) * part], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


class Heads:
    """Heads as the camera would see them if nothing stood before them.

    ``points`` (n, 2) are the skulls' middles and ``boxes`` (n, 4) the outlines' extents, in pixels, uncut;
    ``outline_px`` (n,) the outlines' areas; ``away`` (n,) the distances in metres, ``ahead`` which are before the
    camera; ``detail`` how finely each person is drawn.
    """

    def __init__(self, camera: Camera, looks: Looks, stance: Stance) -> None:
        n = len(looks)
        middle, size, frame = heads_of(looks, stance)
        self.points, self.away = camera.project(middle)
        self.ahead = self.away > 0.3
        self.boxes = np.zeros((n, 4))
        self.outline_px = np.zeros(n)
        tall = 2 * size[:, 2] * camera.focal_px / np.maximum(self.away, 0.3)
        self.detail = np.where(tall >= 34, "near", np.where(tall >= 11, "middle", "far"))
        covered = np.isin(looks.hat, [HATS.index(one) for one in ("hood", "headscarf")])
        hair = np.where(covered, len(HAIRS) - 1, looks.hair)
        for level, one_hair, one_hat in sorted(
            set(zip(self.detail.tolist(), hair.tolist(), looks.hat.tolist(), strict=True))
        ):
            alike = (self.detail == level) & (hair == one_hair) & (looks.hat == one_hat)
            these = np.flatnonzero(alike & self.ahead)
            names = ["head", *(name for name in (HAIRS[one_hair], HATS[one_hat]) if name)]
            places = np.concatenate([outline(name, level) for name in names])
            world = middle[these, None, :] + np.einsum("nij,kj->nki", frame[these] * size[these][:, None, :], places)
            pixels = camera.project(world.reshape(-1, 3))[0].reshape(len(these), -1, 2)
            self.boxes[these] = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
            for row, outlined in zip(these, pixels.astype(np.float32), strict=True):
                self.outline_px[row] = cv2.contourArea(cv2.convexHull(outlined))


def _fullness(stance: Stance, area: Area) -> Fullness:
    left, near, right, far = area[0] - 2, area[1] - 2, area[2] + 2, area[3] + 2
    cell = max((right - left) / 512, (far - near) / 512, 0.12)
    width, depth = max(int((right - left) / cell), 1), max(int((far - near) / cell), 1)
    held = np.zeros((depth, width), np.float32)
    x = ((stance.at[:, 0] - left) / cell).astype(int)
    y = ((stance.at[:, 1] - near) / cell).astype(int)
    kept = (x >= 0) & (x < width) & (y >= 0) & (y < depth)
    np.add.at(held, (y[kept], x[kept]), 1.0)
    # A person darkens the ground for a good half metre around him.
    soft = cv2.GaussianBlur(held, (0, 0), 0.30 / cell) * (0.30 / cell) ** 2 * 2 * math.pi
    return Fullness(1.0 - np.exp(-0.9 * soft), left, near, right - left, far - near)


def _street_lamps(rng: np.random.Generator, light: Light, area: Area) -> Light:
    n = int(rng.integers(3, 7))
    at = np.stack(
        [rng.uniform(area[0] * 0.5, area[2] * 0.5, n), np.linspace(area[1] + 1, area[3], n), rng.uniform(4, 7, n)], 1
    )
    colour = np.array([(1.0, 0.72, 0.42), (0.9, 0.95, 1.0)])[rng.integers(0, 2)]
    return light.with_lamps(at, np.tile(colour * rng.uniform(1.0, 2.6), (n, 1)))


def check(
    seed: int, *, size_wh: tuple[int, int] = (1920, 1080), count: int | None = None, place: str | None = None,
    weather: str | None = None, day: str | None = None, min_visible: float = MIN_VISIBLE,
) -> None:  # fmt: skip
    """Stop where ``render_scene`` would refuse what is asked for; nothing is rendered.

    Raises:
        InputError: as ``render_scene``, but for OpenGL.
    """
    if not 0 <= seed < _SEEDS:
        raise InputError(f"A seed must be from 0 to 2⁶³ - 1, but it is {seed}: choose another.")
    if min(size_wh) < MIN_SIDE_PX:
        raise InputError(
            f"A rendered scene must be at least {MIN_SIDE_PX} px wide and high, but {size_wh[0]}×{size_wh[1]} was "
            "asked for: render it larger and cut it."
        )
    if count is not None and count < 0:
        raise InputError(f"The number of people must be 0 or more, but it is {count}: give the most to place.")
    if max(size_wh) > MAX_SIDE_PX or size_wh[0] * size_wh[1] > MAX_PIXELS:
        raise InputError(
            f"A rendered scene has at most {MAX_SIDE_PX:,} px a side and {MAX_PIXELS:,} in all, but "
            f"{size_wh[0]}×{size_wh[1]} was asked for: render it smaller."
        )
    if count is not None and count > MAX_PEOPLE:
        raise InputError(
            f"A rendered scene holds at most {MAX_PEOPLE:,} people, but {count:,} were asked for: give fewer."
        )
    if place in KINDS and KINDS[place].indoors and (weather is not None or day is not None):
        raise InputError(
            f'There is no weather or day part in the place "{place}": leave them out, or choose another place.'
        )
    if not 0 <= min_visible <= 1:
        raise InputError(f"The least visible share must be from 0 to 1, but it is {min_visible:g}: choose another.")
    for given, known, what in ((place, PLACES, "place"), (weather, WEATHERS, "weather"), (day, DAY_PARTS, "day part")):
        if given is not None and given not in known:
            raise InputError(f'There is no {what} "{given}": choose one of {", ".join(known)}.')


__all__ = ["MIN_SIDE_PX", "MIN_VISIBLE", "Rendered", "render_scene", "render_sequence"]
