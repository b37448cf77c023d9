"""The place behind the crowd: sky, facades, trees, stands, halls and the ground under people's feet."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.image import RgbImage
from headcount.synth.painted.brush import Colour, cloud, mix, pick, shade
from headcount.synth.painted.facades import paint_facades, paint_hall, paint_seats, paint_stage, paint_trees
from headcount.synth.painted.layout import Ground
from headcount.synth.painted.mood import Light, Mood

_SKIES: dict[Light, tuple[Colour, Colour]] = {
    "day": ((104, 156, 214), (206, 222, 234)),
    "overcast": ((176, 182, 190), (214, 217, 220)),
    "dusk": ((86, 92, 142), (246, 182, 128)),
    "indoor": ((70, 66, 62), (96, 90, 84)),
    "night": ((18, 20, 40), (58, 52, 86)),
}
_PAVEMENTS: tuple[Colour, ...] = ((150, 146, 140), (128, 126, 124), (170, 160, 146), (108, 108, 112), (156, 140, 126))


def paint_backdrop(rng: np.random.Generator, ground: Ground, mood: Mood) -> NDArray[np.float32]:
    """(h, w, 3) float32 of 0 to 255: the empty place, tilted as the camera is."""
    width, height = ground.size_wh
    # The farthest people's feet stand just below the line where ground and background meet.
    base_y = round(min(ground.top_y + (2.0 if ground.rows_y else 4.4) * ground.far_px, 0.8 * height))
    if ground.rows_y:
        base_y = round(ground.top_y - 0.9 * ground.far_px)
    sheet = np.zeros((height, width, 3), np.uint8)
    _paint_sky(rng, sheet, base_y, mood)
    if mood.place == "stands":
        _paint_floor(rng, sheet, base_y, mood)
        paint_seats(rng, sheet, ground, mood)
    else:
        _paint_floor(rng, sheet, base_y, mood)
        if mood.place == "hall":
            paint_hall(rng, sheet, base_y)
        elif mood.place == "stage":
            paint_stage(rng, sheet, base_y)
        elif mood.place == "park":
            paint_trees(rng, sheet, base_y, rows=3, lush=1.0)
        else:
            paint_facades(rng, sheet, base_y, mood.light, street=mood.place == "street")
            paint_trees(rng, sheet, base_y, rows=1, lush=float(rng.uniform(0.2, 0.6)))
    if ground.roll:
        tilt = np.array([[1.0, 0.0, 0.0], [ground.roll, 1.0, -ground.roll * width / 2]])
        sheet = cv2.warpAffine(sheet, tilt, (width, height), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
    soft = cv2.GaussianBlur(sheet, (0, 0), 0.7)  # the background lies a little out of focus
    rough = 1.0 + 0.05 * cloud(rng, (width, height), 24.0, octaves=4)
    return soft.astype(np.float32) * rough[:, :, None]


def _paint_sky(rng: np.random.Generator, sheet: RgbImage, base_y: int, mood: Mood) -> None:
    width = sheet.shape[1]
    upper, lower = _SKIES[mood.light]
    rows = max(base_y, 1)
    share = np.linspace(0.0, 1.0, rows, dtype=np.float32)[:, None, None]
    sky = np.array(upper, np.float32) * (1 - share) + np.array(lower, np.float32) * share
    drift = cloud(rng, (width, rows), max(width / 4, 8.0), octaves=4)
    white = np.clip(drift * 1.6 + float(rng.uniform(-0.3, 0.2)), 0.0, 1.0)[:, :, None]
    puff = np.array(mix(lower, (250, 250, 250), 0.6 if mood.light == "day" else 0.15), np.float32)
    sheet[:rows] = np.clip(sky * (1 - 0.6 * white) + puff * 0.6 * white, 0, 255).astype(np.uint8)


def _paint_floor(rng: np.random.Generator, sheet: RgbImage, base_y: int, mood: Mood) -> None:
    height, width = sheet.shape[:2]
    rows = height - base_y
    colour = pick(_PAVEMENTS, float(rng.random()))
    if mood.place == "park":
        colour = mix((104, 132, 70), (150, 142, 96), float(rng.random()))
    elif mood.place == "hall":
        colour = mix((126, 104, 84), (134, 132, 130), float(rng.random()))
    elif mood.place == "stage":
        colour = (60, 58, 62)
    grain = cloud(rng, (width, rows), max(width / 10, 8.0), octaves=5)
    share = np.linspace(0.90, 1.06, rows, dtype=np.float32)[:, None]
    floor = np.array(colour, np.float32) * (share * (1.0 + 0.13 * grain))[:, :, None]
    sheet[base_y:] = np.clip(floor, 0, 255).astype(np.uint8)
    if mood.place in ("street", "square", "hall"):
        _paint_joints(rng, sheet, base_y, shade(colour, 0.84 if mood.place != "hall" else 0.9))


def _paint_joints(rng: np.random.Generator, sheet: RgbImage, base_y: int, colour: Colour) -> None:
    height, width = sheet.shape[:2]
    depth = height - base_y
    vanish = (width * float(rng.uniform(0.3, 0.7)), base_y - 0.35 * depth)
    step = float(rng.uniform(0.10, 0.2)) * width
    for index in range(-30, 31):
        foot = vanish[0] + index * step
        reach = 0.35 * depth / (1.35 * depth)
        start = (round(vanish[0] + (foot - vanish[0]) * reach), base_y)
        cv2.line(sheet, start, (round(foot), height), colour, 1, cv2.LINE_AA)
    distance = 1.0
    while distance < 4.0:  # equal slabs seen in perspective: their edges lie at 1 / distance
        y = vanish[1] + 1.35 * depth / distance
        if y >= base_y:
            cv2.line(sheet, (0, round(y)), (width, round(y)), colour, 1, cv2.LINE_AA)
        distance += 0.22 * math.sqrt(distance)
