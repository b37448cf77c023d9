"""Augmentation: functions from a Scene to a Scene, every draw from a generator that the caller keys."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from headcount.core.image import RgbImage
from headcount.core.scene import Scene


def random_crop(
    scene: Scene,
    generator: np.random.Generator,
    *,
    size: int,
    scale: tuple[float, float] = (1.0, 1.0),
    fill: int = 128,
) -> Scene:
    """A square crop of ``size`` pixels, the image first scaled by a factor drawn log-uniformly from ``scale``.

    Cut and scaled in one step, so that only the crop's own pixels are touched. Where the scaled image is smaller
    than the crop, the rest is ``fill``. Points and boxes whose centre lies outside are dropped, boxes clipped.
    """
    pixels = scene.pixels()
    height, width = pixels.shape[:2]
    factor = float(np.exp(generator.uniform(np.log(scale[0]), np.log(scale[1]))))
    # The cut is a whole number of source pixels; the exact factor follows from it.
    wide, high = min(width, max(1, round(size / factor))), min(height, max(1, round(size / factor)))
    left, top = int(generator.integers(0, width - wide + 1)), int(generator.integers(0, height - high + 1))
    out_w, out_h = min(size, max(1, round(wide * factor))), min(size, max(1, round(high * factor)))
    cut = pixels[top : top + high, left : left + wide]
    interpolation = cv2.INTER_AREA if out_w < wide else cv2.INTER_LINEAR
    resized = cv2.resize(cut, (out_w, out_h), interpolation=interpolation) if (out_w, out_h) != (wide, high) else cut
    canvas = np.full((size, size, 3), fill, np.uint8)
    canvas[:out_h, :out_w] = resized
    return _moved(scene, canvas, (left, top, wide, high), (out_w, out_h))


def _moved(
    scene: Scene,
    image: RgbImage,
    cut_xywh: tuple[int, int, int, int],
    size_wh: tuple[int, int],
) -> Scene:
    """The scene's annotations as the window ``cut_xywh`` becomes ``size_wh``; those outside are dropped."""
    offset, cut, limit = np.asarray(cut_xywh[:2]), np.asarray(cut_xywh[2:]), np.asarray(size_wh)
    # Multiplied first: (x · limit) / cut is exactly limit at the cut's far border, x · (limit / cut) may exceed it.
    points = (scene.points_xy - offset) * limit / cut
    # Half-open, so that a point on the line between two crops belongs to one; but the image's own far border
    # is nobody else's, and readers clamp heads onto it.
    whole = np.asarray(scene.size_wh)
    at_far_border = (scene.points_xy >= whole) & (points <= limit)
    points = points[(((points >= 0) & (points < limit)) | at_far_border).all(axis=1)]
    boxes, provenance = scene.boxes_xyxy, scene.box_provenance
    if boxes is not None:
        shifted = (boxes.reshape(-1, 2, 2) - offset) * limit / cut  # (n, corner, xy)
        centres = shifted.mean(axis=1)
        keep = ((centres >= 0) & (centres < limit)).all(axis=1)
        boxes = np.clip(shifted[keep], 0, limit).reshape(-1, 4)
        if provenance:
            provenance = tuple(p for p, kept in zip(provenance, keep, strict=True) if kept)
    region = None
    if scene.region is not None:
        left, top, wide, high = cut_xywh
        part = scene.region[top : top + high, left : left + wide].astype(np.uint8)
        region = np.zeros(image.shape[:2], np.bool_)
        region[: size_wh[1], : size_wh[0]] = cv2.resize(part, size_wh, interpolation=cv2.INTER_NEAREST) > 0
    return replace(scene, image=image, points_xy=points, boxes_xyxy=boxes, box_provenance=provenance, region=region)


def mirror(scene: Scene) -> Scene:
    """The scene seen in a mirror: x → width − x."""
    pixels = np.ascontiguousarray(scene.pixels()[:, ::-1])
    width = pixels.shape[1]
    points = scene.points_xy.copy()
    points[:, 0] = width - points[:, 0]
    boxes = scene.boxes_xyxy
    if boxes is not None:
        boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    region = None if scene.region is None else np.ascontiguousarray(scene.region[:, ::-1])
    return replace(scene, image=pixels, points_xy=points, boxes_xyxy=boxes, region=region)


def recolour(scene: Scene, generator: np.random.Generator, *, strength: float, gray: float) -> Scene:
    """Contrast, brightness, gamma and the balance of channels drawn within ``strength``; gray with chance ``gray``.

    Annotations are untouched.
    """
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
