"""From light to file: shadows on the ground, the lens, the sensor and the JPEG encoder."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.image import RgbImage
from headcount.synth.painted.brush import cloud
from headcount.synth.painted.layout import Ground, Placement
from headcount.synth.painted.mood import Mood

_FALL = 6.0  # from a head's centre to the feet, in head heights


def cast_shadows(canvas: NDArray[np.float32], placement: Placement, ground: Ground, mood: Mood) -> None:
    """Darkens the ground under and beside every pair of feet, in place; a half-size mask keeps it soft and cheap."""
    height, width = canvas.shape[:2]
    mask = np.zeros((max(height // 2, 1), max(width // 2, 1)), np.uint8)
    slant = -mood.light_side * 2.6 * mood.contrast
    for x, y, unit in zip(placement.x, placement.y, placement.head_px, strict=True):
        foot_y = y + _FALL * unit
        if foot_y - unit > height:
            continue
        reach = slant * unit
        centre = (round((x + 0.5 * reach) * 8), round(foot_y * 8))
        axes = (round((0.8 * unit + 0.5 * abs(reach)) * 8), round(0.38 * unit * 8))
        cv2.ellipse(mask, centre, axes, 0.0, 0.0, 360.0, 255, -1, cv2.LINE_8, 4)
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.07 * ground.near_px, 0.8))
    soft = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    canvas *= 1.0 - np.float32((0.30 + 0.34 * mood.contrast) / 255.0) * soft[:, :, None].astype(np.float32)


def expose(rng: np.random.Generator, canvas: NDArray[np.float32], mood: Mood) -> RgbImage:
    """The finished photograph of a painted canvas: light, vignette, blur, grain and compression."""
    height, width = canvas.shape[:2]
    patches = 1.0 + (0.05 + 0.08 * mood.contrast) * cloud(rng, (width, height), max(width, height) / 3, octaves=2)
    patches += 0.035 * cloud(rng, (width, height), 6.0, octaves=2)  # cloth, skin and stone are never one flat colour
    across = np.linspace(-1.0, 1.0, width, dtype=np.float32)
    down = np.linspace(-1.0, 1.0, height, dtype=np.float32)
    fall = float(rng.uniform(0.04, 0.13)) * (1.5 if mood.light in ("night", "indoor") else 1.0)
    patches *= 1.0 - fall * (across[None, :] ** 2 + down[:, None] ** 2)
    canvas *= patches[:, :, None]
    canvas *= np.array(mood.cast, np.float32)
    sigma = float(rng.uniform(0.35, 0.75))
    canvas = cv2.GaussianBlur(canvas, (5, 5), sigma).astype(np.float32, copy=False)
    grain = rng.standard_normal((height, width), dtype=np.float32)
    canvas += np.float32(mood.noise) * grain[:, :, None]
    tint = rng.standard_normal((height // 2 + 1, width // 2 + 1, 3), dtype=np.float32)
    canvas += np.float32(0.5 * mood.noise) * cv2.resize(tint, (width, height), interpolation=cv2.INTER_LINEAR)
    levels = np.arange(256, dtype=np.float32) / 255.0
    strength = 0.15 + 0.25 * mood.contrast
    curve = (1 - strength) * levels + strength * levels * levels * (3 - 2 * levels)
    table = np.rint(255.0 * (0.015 + 0.985 * curve)).astype(np.uint8)
    pixels = cv2.LUT(np.clip(np.rint(canvas), 0, 255).astype(np.uint8), table)
    encoded = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, mood.quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded one line above
    return np.ascontiguousarray(decoded[:, :, ::-1]).astype(np.uint8, copy=False)
