"""Painted crowds: a scene drawn from a seed, in which every head's place is known exactly."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import boxes_around
from headcount.core.scene import Provenance, Scene
from headcount.synth.painted.backdrop import paint_backdrop
from headcount.synth.painted.camera import cast_shadows, expose
from headcount.synth.painted.layout import Ground, Placement, open_ground, place_people, stand_rows
from headcount.synth.painted.mood import Mood, draw_mood
from headcount.synth.painted.people import HEAD_HALF_HEIGHT, HEAD_HALF_WIDTH, Person, lower_arms, paint_person
from headcount.synth.painted.wardrobe import DRAWS_PER_LOOK, draw_look

MIN_SIDE_PX = 64
PIXELS_PER_PERSON = 120
"""A picture holds at most one person for each of so many pixels: 6,553 at 1024×768."""

_SEEDS = 2**64
_FEWEST, _MOST = 10, 1500  # of a drawn count, at 1024×768
_STREAM_MOOD, _STREAM_COUNT, _STREAM_GROUND, _STREAM_LOOKS, _STREAM_BACKDROP, _STREAM_CAMERA = range(6)


def paint_scene(seed: int, *, size_wh: tuple[int, int] = (1024, 768), count: int | None = None) -> Scene:
    """A painted crowd of exactly ``count`` people; the same seed, size and count give the same bytes.

    Points are head centres and boxes the heads' outlines (hair included, cut at the border), in pixels with the
    first pixel's centre at (0.5, 0.5), far to near. Without ``count`` the seed draws one, log-uniform from 10 to
    1,500 at 1024×768 and in proportion to the area elsewhere.

    Raises:
        InputError: a seed outside 0 to 2⁶⁴ - 1, a side below 64 px, a negative count, or more people than find room.

    >>> scene = paint_scene(7, size_wh=(160, 120), count=5)
    >>> scene.count, scene.size_wh, scene.name
    (5, (160, 120), 'painted-7')
    """
    _check(seed, size_wh, count)
    if count is None:
        count = _draw_count(_stream(seed, _STREAM_COUNT), size_wh)
    mood = draw_mood(_stream(seed, _STREAM_MOOD))
    rng = _stream(seed, _STREAM_GROUND)
    ground = stand_rows(rng, size_wh, count) if mood.place == "stands" else open_ground(rng, size_wh, count)
    placement = place_people(rng, ground, count)
    canvas = paint_backdrop(_stream(seed, _STREAM_BACKDROP), ground, mood)
    if mood.place != "stands":
        cast_shadows(canvas, placement, ground, mood)
    _paint_people(canvas, _stream(seed, _STREAM_LOOKS), placement, ground, mood)
    pixels = expose(_stream(seed, _STREAM_CAMERA), canvas, mood)
    points_xy = np.stack([placement.x, placement.y], axis=1)
    half_wh = np.stack([HEAD_HALF_WIDTH * placement.head_px, HEAD_HALF_HEIGHT * placement.head_px], axis=1)
    annotated: Provenance = "annotated"
    return Scene(
        pixels,
        points_xy,
        boxes_around(points_xy, 2 * half_wh, size_wh),
        (annotated,) * count,
        source=f"painted by headcount from seed {seed}",
        name=f"painted-{seed}",
        attributes={"place": mood.place, "light": mood.light},
    )


def _check(seed: int, size_wh: tuple[int, int], count: int | None) -> None:
    if not 0 <= seed < _SEEDS:
        raise InputError(f"A seed must be from 0 to 2⁶⁴ - 1, but it is {seed}: choose another.")
    width, height = size_wh
    if min(width, height) < MIN_SIDE_PX:
        raise InputError(
            f"A painted scene must be at least {MIN_SIDE_PX} px wide and high, but {width}×{height} was asked for: "
            "paint it larger and cut it."
        )
    if count is None:
        return
    if count < 0:
        raise InputError(f"The number of people must be 0 or more, but it is {count}: give the count to paint.")
    most = width * height // PIXELS_PER_PERSON
    if count > most:
        raise InputError(
            f"{width}×{height} pixels have room for at most {most:,} people, but {count:,} were asked for: "
            "paint fewer, or a larger picture."
        )


def _stream(seed: int, purpose: int) -> np.random.Generator:
    # One counter-based stream for each purpose: drawing more of one thing changes nothing of another.
    return np.random.Generator(np.random.Philox(key=np.array([seed, purpose], np.uint64)))


def _draw_count(rng: np.random.Generator, size_wh: tuple[int, int]) -> int:
    scale = size_wh[0] * size_wh[1] / (1024 * 768)
    fewest, most = max(_FEWEST * scale, 1.0), max(_MOST * scale, 2.0)
    return round(math.exp(rng.uniform(math.log(fewest), math.log(most))))


def _paint_people(
    canvas: NDArray[np.float32], rng: np.random.Generator, placement: Placement, ground: Ground, mood: Mood
) -> None:
    count = len(placement.x)
    draws = rng.random((count, DRAWS_PER_LOOK))
    haze_rgb = np.array(mood.haze_rgb, np.float32)
    nearness = np.clip((placement.head_px - ground.far_px) / max(ground.near_px - ground.far_px, 1e-6), 0.0, 1.0)
    heads = np.stack([placement.x, placement.y], axis=1)
    for index in range(count):
        behind = (heads[:index] - heads[index]) / placement.head_px[index]
        person = Person(
            x=float(placement.x[index]),
            y=float(placement.y[index]),
            head_px=float(placement.head_px[index]),
            look=lower_arms(draw_look(draws[index], mood.crowd), behind),
            body_length=2.3 if ground.rows_y else 6.2,
            lean_rad=math.atan(ground.roll) + 0.05 * float(draws[index, 37] - 0.5),
            light_side=mood.light_side,
            contrast=mood.contrast,
            haze=float(mood.haze * (1.0 - nearness[index])),
        )
        paint_person(canvas, person, haze_rgb)
