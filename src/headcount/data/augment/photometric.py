"""Augmentation of pixels alone: colour, blur, noise and JPEG, as cameras and web sites do them to photographs.

Annotations are untouched. What a library does well is its own (OpenCV); every draw is from a generator that the
caller keys.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from headcount.core.scene import Scene


def recolour(scene: Scene, generator: np.random.Generator, *, strength: float, gray: float) -> Scene:
    """Contrast, brightness, gamma and the balance of channels drawn within ``strength``; gray with chance ``gray``."""
    pixels = scene.pixels()
    contrast, gamma = np.exp(generator.uniform(-strength, strength, 2))
    brightness = generator.uniform(-strength, strength) * 0.5
    balance = np.exp(generator.uniform(-strength, strength, 3) * 0.3)
    level = np.arange(256) / 255.0
    curve = np.clip((level - 0.5) * contrast + 0.5 + brightness, 0, 1) ** gamma
    table = np.clip(curve[:, None] * balance * 255, 0, 255).round().astype(np.uint8)  # (256, channel)
    recoloured = cv2.LUT(pixels, np.ascontiguousarray(table[None]))
    if generator.random() < gray:
        recoloured = cv2.cvtColor(cv2.cvtColor(recoloured, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return replace(scene, image=recoloured.astype(np.uint8, copy=False))


def blur(scene: Scene, generator: np.random.Generator, *, sigma_px: tuple[float, float]) -> Scene:
    """Out of focus: a Gaussian whose standard deviation is drawn evenly between two bounds."""
    sigma = float(generator.uniform(*sigma_px))
    if sigma <= 0:
        return scene
    blurred = cv2.GaussianBlur(scene.pixels(), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return replace(scene, image=blurred.astype(np.uint8, copy=False))


def noise(scene: Scene, generator: np.random.Generator, *, std: tuple[float, float]) -> Scene:
    """A sensor's noise: a Gaussian on each value, its standard deviation drawn evenly between two bounds (of 0…255)."""
    pixels = scene.pixels()
    deviation = np.float32(generator.uniform(*std))
    noisy = pixels + deviation * generator.standard_normal(pixels.shape, np.float32)
    return replace(scene, image=np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def compress(scene: Scene, generator: np.random.Generator, *, quality: tuple[int, int]) -> Scene:
    """Saved as JPEG and read again, its quality drawn evenly between two bounds (of 1…100), both among those drawn."""
    drawn = int(generator.integers(quality[0], quality[1] + 1))
    written, data = cv2.imencode(
        ".jpg", cv2.cvtColor(scene.pixels(), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, drawn]
    )
    assert written, "8-bit RGB is always encoded"
    read = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert read is not None, "just written"
    return replace(scene, image=cv2.cvtColor(read, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))
