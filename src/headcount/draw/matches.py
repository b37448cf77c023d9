"""Pictures of matched heads: what was found, missed and made up.

Colours as in the field: true positives green, misses red, false positives magenta; the circles are the matching radii,
and a line joins a found head's middle to its prediction.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import Points
from headcount.core.image import RgbImage

FOUND, MISSED, MADE_UP = (40, 225, 90), (255, 40, 40), (255, 60, 255)
_RIM = (20, 20, 20)
_SHIFT = 4  # OpenCV draws at 1/16 of a pixel


def draw_matches(
    image: RgbImage,
    predicted_xy: Points,
    true_xy: Points,
    radius_px: NDArray[np.float64],
    pairs: NDArray[np.intp],
    *,
    scale: float = 1.0,
) -> RgbImage:
    """The image, ``scale`` times as large, with what was matched drawn on it.

    Each head has a circle of its radius, each prediction a dot, and each missed head a red one.

    Points (m, 2) and (n, 2) have the first pixel's centre at (0.5, 0.5); ``pairs`` are (k, 2) of (prediction, head).
    """
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    shrinks = scale < 1
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    # Photographs are darkened a little, so that the colours carry.
    picture: RgbImage = (resized * np.float32(0.72)).astype(np.uint8)
    thick = 2 if max(size) >= 1000 else 1
    dot = 3.0 if max(size) >= 1000 else 2.0
    found = np.zeros(len(true_xy), dtype=np.bool_)
    found[pairs[:, 1]] = True
    made_up = np.ones(len(predicted_xy), dtype=np.bool_)
    made_up[pairs[:, 0]] = False
    for head, radius, is_found in zip(true_xy * scale, radius_px * scale, found, strict=True):
        # A radius of 0 still shows where the head is.
        _circle(picture, head, max(radius, 1.0), FOUND if is_found else MISSED, thick)
    for prediction, head in pairs:
        start, end = _fixed(predicted_xy[prediction] * scale), _fixed(true_xy[head] * scale)
        cv2.line(picture, start, end, FOUND, 1, cv2.LINE_AA, _SHIFT)
    for head in true_xy[~found] * scale:
        _dot(picture, head, dot, MISSED)
    for point, wrong in zip(predicted_xy * scale, made_up, strict=True):
        _dot(picture, point, dot + wrong, MADE_UP if wrong else FOUND)
    return picture


def caption_bar(words: Sequence[tuple[str, tuple[int, ...]]], width: int) -> RgbImage:
    """(40, width, 3): words in their colours, side by side, made smaller where they would not fit."""
    height, scale, gap = 40, 0.8, 24
    sizes = [cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)[0][0] for text, _ in words]
    scale *= min(1.0, (width - 10) / (sum(sizes) + gap * len(words)))
    bar = np.full((height, width, 3), 20, dtype=np.uint8)
    left = 10
    for text, colour in words:
        cv2.putText(bar, text, (left, 28), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 2, cv2.LINE_AA)
        left += int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)[0][0] + gap * scale / 0.8)
    return bar


def _circle(
    picture: RgbImage, centre_xy: NDArray[np.float64], radius: float, colour: tuple[int, ...], thick: int
) -> None:
    whole = round(radius * (1 << _SHIFT))
    cv2.circle(picture, _fixed(centre_xy), whole, _RIM, thick + 2, cv2.LINE_AA, _SHIFT)
    cv2.circle(picture, _fixed(centre_xy), whole, colour, thick, cv2.LINE_AA, _SHIFT)


def _dot(picture: RgbImage, centre_xy: NDArray[np.float64], radius: float, colour: tuple[int, ...]) -> None:
    for size, paint in ((radius + 1, _RIM), (radius, colour)):
        cv2.circle(picture, _fixed(centre_xy), round(size * (1 << _SHIFT)), paint, -1, cv2.LINE_AA, _SHIFT)


def _fixed(xy: NDArray[np.float64]) -> tuple[int, int]:
    # OpenCV puts a pixel's centre at integers, headcount at halves.
    x, y = np.round((xy - 0.5) * (1 << _SHIFT)).astype(int)
    return int(x), int(y)
