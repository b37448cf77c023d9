"""From light to file: rain before the lens, blur, the sensor's noise and the JPEG encoder."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.image import RgbImage
from headcount.synth.rendered.light import Light


@dataclass(frozen=True, slots=True)
class Lens:
    """What a camera does to what it sees.

    ``blur_px`` is the sharpness's Gaussian, ``shake_px`` and ``shake_turn`` (radians) a movement while it was open,
    ``noise`` the sensor's, in levels of 255; ``warmth``, ``colour`` and ``contrast`` how it was developed; ``rain``
    and ``snow`` from 0 to 1.
    """

    blur_px: float
    shake_px: float
    shake_turn: float
    noise: float
    quality: int
    warmth: float
    colour: float
    contrast: float
    rain: float
    snow: float
    slant: float

    def shaken_anew(self, rng: np.random.Generator) -> Lens:
        """The same camera a moment later: where it shakes, it shakes another way."""
        return replace(
            self, shake_px=self.shake_px * float(rng.uniform(0.2, 1.3)), shake_turn=float(rng.uniform(0, math.pi))
        )


def draw_lens(rng: np.random.Generator, light: Light, size_wh: tuple[int, int]) -> Lens:
    """A camera's doings; a poor one is as likely as a good one."""
    scale = max(size_wh) / 1920
    shaken = rng.random() < 0.15
    snowing = light.snow * light.rain
    return Lens(
        blur_px=float(rng.uniform(0.25, 1.1)) * max(scale, 0.5),
        shake_px=float(rng.uniform(2, 9)) * scale if shaken else 0.0,
        shake_turn=float(rng.uniform(0, math.pi)),
        noise=light.noise * float(rng.uniform(0.6, 1.8)),
        quality=int(rng.integers(62, 97)),
        warmth=float(rng.normal(0, 0.045)),
        colour=float(rng.uniform(0.45, 1.0)),
        contrast=float(rng.uniform(0.85, 1.2)),
        rain=light.rain * (1.0 - light.snow),
        snow=snowing,
        slant=float(rng.uniform(-0.35, 0.35)),
    )


def expose(rng: np.random.Generator, pixels: RgbImage, lens: Lens) -> RgbImage:
    """(h, w, 3) uint8: the photograph of a rendered picture."""
    canvas = pixels.astype(np.float32)
    if lens.rain or lens.snow:
        _fall(rng, canvas, lens)
    if lens.shake_px >= 1.0:
        canvas = cv2.filter2D(canvas, -1, _streak(lens.shake_px, lens.shake_turn)).astype(np.float32)
    canvas = cv2.GaussianBlur(canvas, (0, 0), lens.blur_px).astype(np.float32)
    gray = canvas.mean(axis=2, keepdims=True)
    canvas = gray + np.float32(lens.colour) * (canvas - gray)
    canvas *= np.array([1 + lens.warmth, 1, 1 - lens.warmth], np.float32)
    canvas = 128 + np.float32(lens.contrast) * (canvas - 128)
    height, width = canvas.shape[:2]
    canvas += np.float32(lens.noise) * rng.standard_normal((height, width, 1), dtype=np.float32)
    # A sensor's colours are guessed from its neighbours: their noise is coarser.
    tint = rng.standard_normal((height // 2 + 1, width // 2 + 1, 3), dtype=np.float32)
    canvas += np.float32(0.5 * lens.noise) * cv2.resize(tint, (width, height), interpolation=cv2.INTER_LINEAR)
    levels = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    encoded = cv2.imencode(".jpg", levels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, lens.quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded one line above
    return np.ascontiguousarray(decoded[:, :, ::-1]).astype(np.uint8, copy=False)


def _streak(length_px: float, turn: float) -> NDArray[np.float32]:
    side = 2 * math.ceil(length_px / 2) + 1
    kernel = np.zeros((side, side), np.float32)
    middle = side // 2
    reach = np.array([math.cos(turn), math.sin(turn)]) * length_px / 2
    start = (round((middle - reach[0]) * 16), round((middle - reach[1]) * 16))
    end = (round((middle + reach[0]) * 16), round((middle + reach[1]) * 16))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA, 4)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _fall(rng: np.random.Generator, canvas: NDArray[np.float32], lens: Lens) -> None:
    """Streaks of rain or flakes of snow before everything, in place."""
    height, width = canvas.shape[:2]
    sheet = np.zeros((height, width), np.uint8)
    scale = max(height, width) / 1920
    much = max(lens.rain, lens.snow)
    for _ in range(int(900 * much)):
        x, y = rng.uniform(-50, width + 50), rng.uniform(-50, height)
        near = float(rng.random()) ** 3
        strength = int(30 + 90 * near)
        if lens.snow:
            cv2.circle(sheet, (int(x), int(y)), max(1, round((1 + 4 * near) * scale)), strength + 60, -1, cv2.LINE_AA)
        else:
            long = (14 + 50 * near) * scale
            end = (int(x + lens.slant * long), int(y + long))
            cv2.line(sheet, (int(x), int(y)), end, strength, max(1, round(1.6 * near * scale)), cv2.LINE_AA)
    soft = cv2.GaussianBlur(sheet, (0, 0), 0.8 * max(scale, 0.5))[:, :, None].astype(np.float32) / 255
    canvas *= 1 - 0.6 * soft
    canvas += 0.6 * soft * np.float32(225)
