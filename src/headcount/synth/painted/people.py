"""One person, painted: torso, arms, neck and a head whose centre lies exactly where it was asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.synth.painted.brush import Pen
from headcount.synth.painted.figure import (
    HEAD_HALF_HEIGHT,
    HEAD_HALF_WIDTH,
    body_width,
    paint_body,
    paint_head,
    raised_arm,
)
from headcount.synth.painted.wardrobe import Look

__all__ = ["HEAD_HALF_HEIGHT", "HEAD_HALF_WIDTH", "Person", "lower_arms", "paint_person"]

_REACH_UP = 1.75  # a raised hand, in head heights above the head's centre
_REACH_SIDE = 1.6
_ARM_CLEARANCE = 0.3  # from an arm's axis to another head's centre, in head heights: half the arm and some air


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a place: the head's centre and height in pixels, and how he looks.

    ``body_length`` is what is seen of him below the head's centre, in head heights (6.6: down to the shoes);
    ``light_side`` is where the light falls from, -1 (left) to 1; ``haze`` what the air takes of his colours.
    """

    x: float
    y: float
    head_px: float
    look: Look
    body_length: float = 6.6
    lean_rad: float = 0.0
    light_side: float = -0.6
    contrast: float = 1.0
    haze: float = 0.0
    with_head: bool = True


def lower_arms(look: Look, heads_behind: NDArray[np.float64]) -> Look:
    """The look with no raised arm before another's face.

    ``heads_behind`` (n, 2) are the centres of farther heads, seen from this head's centre in this head's heights.
    """
    if not (look.raised_left or look.raised_right) or len(heads_behind) == 0:
        return look
    kept = []
    for side, raised in ((-1.0, look.raised_left), (1.0, look.raised_right)):
        joints = np.array(raised_arm(side, raised, body_width(look)))
        phone = joints[2] - (0.0, 0.3)
        share = np.linspace(0.0, 1.0, 8)[:, None]
        path = np.concatenate([a + share * (b - a) for a, b in ((joints[0], joints[1]), (joints[1], joints[2]))])
        path = np.concatenate([path, [phone]])
        gaps = np.hypot(*(heads_behind[:, None, :] - path[None, :, :]).transpose(2, 0, 1))
        kept.append(raised if float(gaps.min()) > _ARM_CLEARANCE else 0.0)
    return replace(look, raised_left=kept[0], raised_right=kept[1])


def paint_person(canvas: NDArray[np.float32], person: Person, haze_rgb: NDArray[np.float32]) -> None:
    """Paints a person over an (h, w, 3) float32 canvas of 0 to 255, in place; what falls outside is cut off."""
    height, width = canvas.shape[:2]
    unit = person.head_px
    left = max(math.floor(person.x - _REACH_SIDE * unit) - 1, 0)
    top = max(math.floor(person.y - _REACH_UP * unit) - 1, 0)
    if not (person.look.raised_left or person.look.raised_right):
        top = max(math.floor(person.y - 0.9 * unit) - 1, 0)
    right = min(math.ceil(person.x + _REACH_SIDE * unit) + 1, width)
    bottom = min(math.ceil(person.y + (person.body_length + 0.4) * unit) + 1, height)
    if left >= right or top >= bottom:
        return
    fine = 4 if unit < 12 else (3 if unit < 26 else 2)
    sheet = np.zeros(((bottom - top) * fine, (right - left) * fine, 4), np.uint8)
    pen = Pen(sheet, ((person.x - left) * fine, (person.y - top) * fine), unit * fine, person.lean_rad)
    paint_body(pen, person.look, person.body_length, person.light_side, unit)
    if person.with_head:
        paint_head(pen, person.look, person.light_side, unit)
    small = cv2.resize(sheet, (right - left, bottom - top), interpolation=cv2.INTER_AREA).astype(np.float32)
    alpha = small[:, :, 3:] / np.float32(255.0)
    # A lit and a dark side, and less light the deeper into the crowd; the head keeps its own modelling.
    across = (np.arange(left, right, dtype=np.float32) + 0.5 - person.x) / np.float32(unit)
    down = (np.arange(top, bottom, dtype=np.float32) + 0.5 - person.y) / np.float32(unit)
    side = 1.0 + 0.26 * person.contrast * person.light_side * np.clip(across, -1.1, 1.1)
    side -= 0.10 * np.clip(np.abs(across) - 0.45, 0.0, 0.6)
    depth = 1.03 - 0.42 * np.clip((down - 0.55) / 3.2, 0.0, 1.0) ** 0.8
    tone = (depth[:, None] * side[None, :]).astype(np.float32)[:, :, None] * np.float32(1.0 - person.haze)
    place = canvas[top:bottom, left:right]
    # Soft occlusion: a person darkens what is just behind him, which is what parts heads from the bodies behind.
    reach = max(3, int(0.4 * unit) | 1)
    halo = cv2.blur(alpha[:, :, 0], (reach, reach))[:, :, None]
    place *= 1.0 - np.float32(0.30 + 0.12 * person.contrast) * halo * (1.0 - alpha)
    place *= 1.0 - alpha
    place += small[:, :, :3] * tone + alpha * (haze_rgb * np.float32(person.haze))
