"""The strip above a picture: the number, and what the marks and colours below it mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from headcount.core.image import RgbImage
from headcount.draw.text import Colour, line_of, width_of, write

_PAPER: Colour = (20, 20, 20)
_INK: Colour = (255, 255, 255)
_LEAST_PX, _MOST_PX = 11, 120
_LEGEND = 0.62  # of the size of the number


class Key(NamedTuple):
    """A sign of the legend, (h, w, 3), and what it means."""

    sign: RgbImage
    means: str


def with_strip(picture: RgbImage, caption: str, legend: Sequence[Key] = ()) -> RgbImage:
    """The picture (h, w, 3) below a strip of its own width; as it is where no words would have room.

    ``legend``: signs as tall as a capital letter of ``legend_px``; as many as there is room for.
    """
    width = picture.shape[1]
    size = caption_px(width)
    while size > _LEAST_PX and width_of(caption, size) + size > width:
        size -= 1
    if width_of(caption, size) + size > width or picture.shape[0] < 4 * size:
        return picture
    pad = max(3, size // 3)
    strip = np.full((line_of(size) + 2 * pad, width, 3), _PAPER, np.uint8)
    write(strip, (pad, pad), caption, size, _INK)
    small = legend_px(width)
    rows = _rows(legend, small, first=width - width_of(caption, size) - 3 * pad, room=width - 2 * pad)
    strips = [strip]
    for number, row in enumerate(rows):
        if not row:
            continue
        if number:
            strips.append(np.full((line_of(small) + pad, width, 3), _PAPER, np.uint8))
        on = strips[-1]
        right = width - pad
        top = pad + (line_of(size) - line_of(small)) // 2 if number == 0 else 0
        for key in reversed(row):
            right -= _width(key, small)
            _put(on, (right, top), key, small)
    return np.concatenate([*strips, picture])


def caption_px(width: int) -> int:
    """The size of the number on a picture of a width."""
    return int(np.clip(round(width / 32), _LEAST_PX, _MOST_PX))


def legend_px(width: int) -> int:
    """The size of the legend's words."""
    return max(_LEAST_PX, round(_LEGEND * caption_px(width)))


def _rows(legend: Sequence[Key], size: int, *, first: int, room: int) -> tuple[list[Key], list[Key]]:
    """The keys beside the number, and those on a line of their own, where they do not fit there."""
    total = sum(_width(key, size) for key in legend)
    if total <= first:
        return list(legend), []
    below: list[Key] = []
    for key in legend:
        if sum(_width(one, size) for one in (*below, key)) <= room:
            below.append(key)
    return [], below


def _width(key: Key, size: int) -> int:
    return int(key.sign.shape[1]) + width_of(key.means, size) + round(1.3 * size)


def _put(strip: RgbImage, at_xy: tuple[int, int], key: Key, size: int) -> None:
    left, top = at_xy
    height, width = key.sign.shape[:2]
    space = round(0.35 * size)
    above = top + max(0, (line_of(size) - height) // 2)
    left += round(0.6 * size)
    strip[above : above + height, left : left + width] = key.sign[: len(strip) - above]
    write(strip, (left + width + space, top), key.means, size, _INK)


def dot_key(colour: Colour, rim: Colour, means: str, size: int) -> Key:
    """A dot as ``draw_points`` draws it."""
    sign = np.full((size, size, 3), _PAPER, np.uint8)
    middle = (size - 1) / 2
    for radius, shade in ((0.42 * size, rim), (0.3 * size, colour)):
        cv2.circle(sign, (round(16 * middle), round(16 * middle)), round(16 * radius), shade, -1, cv2.LINE_AA, 4)
    return Key(sign, means)


def box_key(colour: Colour, means: str, size: int) -> Key:
    """A box as ``draw_boxes`` draws it."""
    sign = np.full((size, size, 3), _PAPER, np.uint8)
    line = max(1, round(size / 9))
    cv2.rectangle(sign, (line, line), (size - 1 - line, size - 1 - line), colour, line, cv2.LINE_AA)
    return Key(sign, means)


def heat_key(colours: RgbImage, means: str, size: int) -> Key:
    """The colours of a heat map, (1, n, 3), from nobody to the densest place."""
    bar = cv2.resize(colours, (6 * size, max(4, round(0.7 * size))), interpolation=cv2.INTER_LINEAR)
    return Key(bar.astype(np.uint8, copy=False), means)
