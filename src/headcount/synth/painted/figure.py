"""The shapes of a figure, in head heights from the head's centre, y down."""

from __future__ import annotations

import math

from headcount.synth.painted.brush import Colour, Pen, mix, shade
from headcount.synth.painted.wardrobe import Look

HEAD_HALF_WIDTH = 0.39
HEAD_HALF_HEIGHT = 0.5
"""The head's outline, hair and ears included, is the ellipse of these half axes about the point."""

_CAP = [
    (-HEAD_HALF_WIDTH * math.cos(step * math.pi / 12), 0.04 - (HEAD_HALF_HEIGHT + 0.04) * math.sin(step * math.pi / 12))
    for step in range(13)
]
"""The crown's outline from temple to temple, left to right."""

_FINE_PX = 9.0  # below this head height, what is smaller than a pixel is left out
_DARK: Colour = (24, 22, 24)


def body_width(look: Look) -> float:
    """Half the shoulders' width as seen, in head heights."""
    return look.shoulder * (0.72 if look.facing == "side" else 1.0)


def raised_arm(side: float, raised: float, wide: float) -> tuple[tuple[float, float], ...]:
    """Shoulder, elbow and hand of a raised arm on the picture's left (-1) or right (1) side."""
    hand = (side * (wide + 0.18 - 0.2 * raised), -0.25 - 0.75 * raised)
    return (side * 0.84 * wide, 0.98), (side * (wide + 0.22), 0.45), hand


def paint_body(pen: Pen, look: Look, length: float, light_side: float, head_px: float) -> None:
    """Everything below the head (and raised arms), far parts first."""
    narrow = 0.72 if look.facing == "side" else 1.0
    wide = body_width(look)
    fine = head_px >= _FINE_PX
    if length > 3.2:
        _paint_legs(pen, look, length, narrow)
    hip = min(3.15, length)
    torso = [(0.18, 0.45), (0.42, 0.64), (0.80 * wide, 0.76), (0.97 * wide, 0.98), (1.0 * wide, 1.4),
             (0.80 * wide, 2.2), (0.74 * wide, hip)]  # fmt: skip
    pen.poly(torso + [(-x, y) for x, y in reversed(torso)], look.top_colour)
    if fine:
        _paint_top(pen, look, wide, hip)
    for side, raised in ((-1.0, look.raised_left), (1.0, look.raised_right)):
        _paint_arm(pen, look, side, raised, wide, hip)
    if look.top == "backpack" and look.facing == "back":
        pack = shade(look.under_colour, 0.8)
        pen.poly([(-0.5, 0.95), (0.5, 0.95), (0.6, 1.3), (0.6, 2.4), (-0.6, 2.4), (-0.6, 1.3)], pack)
        if fine:
            pen.poly([(-0.4, 1.6), (0.4, 1.6), (0.4, 2.2), (-0.4, 2.2)], shade(pack, 0.75))
    elif length < 2.6:  # seated: the thighs come forward below the torso
        pen.oval(-0.36, hip, 0.42, 0.26, shade(look.leg_colour, 0.9))
        pen.oval(0.36, hip, 0.42, 0.26, look.leg_colour)
    for side in (-1.0, 1.0) if fine else ():
        lit = 1.0 + 0.16 * max(side * light_side, 0.0) + 0.06
        pen.line([(side * 0.4, 0.72), (side * 0.84 * wide, 0.88)], 0.16, shade(look.top_colour, lit))
    # The head's own shadow on neck and shoulders.
    pen.oval(0.05, 0.66, 0.36, 0.13, shade(look.top_colour, 0.55))
    if look.hair_style == "long" and look.hat != "hood":
        _paint_long_hair(pen, look)
    neck = shade(look.skin, 0.7) if look.hat != "hood" else shade(look.hat_colour, 0.7)
    if look.facing != "back" or look.hair_style != "long":
        pen.poly([(-0.18, 0.2), (0.18, 0.2), (0.21, 0.6), (0.0, 0.7), (-0.21, 0.6)], neck)
    if look.scarf:
        pen.oval(0.0, 0.6, 0.36, 0.15, look.under_colour)


def _paint_legs(pen: Pen, look: Look, length: float, narrow: float) -> None:
    apart = (0.16 + 0.22 * look.stride) * narrow
    for side, tone in ((-1.0, 0.86), (1.0, 1.0)):
        foot = side * apart
        hip = side * 0.36 * narrow
        colour = shade(look.leg_colour, tone)
        ankle = length - 0.1
        pen.poly([(hip - 0.36, 3.0), (hip + 0.36, 3.0), (foot + 0.22, ankle), (foot - 0.22, ankle)], colour)
        pen.oval(foot, length - 0.02, 0.27, 0.14, _DARK)


def _paint_top(pen: Pen, look: Look, wide: float, hip: float) -> None:
    dark = shade(look.top_colour, 0.72)
    if look.top == "stripes":
        for step in range(6):
            y = 1.0 + 0.36 * step
            if y < hip:
                pen.line([(-0.86 * wide, y), (0.0, y + 0.05), (0.86 * wide, y)], 0.13, look.under_colour)
    elif look.facing == "front" and look.top in ("jacket", "shirt"):
        shift = 0.12 * look.yaw
        open_width = 0.2 if look.top == "jacket" else 0.06
        pen.poly(
            [(-0.22 + shift, 0.58), (0.22 + shift, 0.58), (open_width + shift, 1.3), (open_width + shift, hip),
             (-open_width + shift, hip), (-open_width + shift, 1.3)],
            look.under_colour,
        )  # fmt: skip
        pen.line([(open_width + shift, 1.3), (open_width + shift, hip)], 0.05, dark)
    else:
        pen.line([(-0.3, 1.5), (-0.1, 2.1), (-0.22, 0.9 * hip)], 0.06, shade(look.top_colour, 0.86))
        pen.line([(0.35, 1.2), (0.2, 1.9), (0.3, 0.86 * hip)], 0.07, shade(look.top_colour, 1.12))
    if look.bag:
        pen.line([(0.42 * wide, 0.68), (-0.7 * wide, 0.73 * hip)], 0.09, _DARK)
    pen.line([(-0.66 * wide, 1.25), (-0.62 * wide, 0.73 * hip)], 0.07, dark)
    pen.line([(0.66 * wide, 1.25), (0.62 * wide, 0.73 * hip)], 0.07, dark)


def _paint_arm(pen: Pen, look: Look, side: float, raised: float, wide: float, hip: float) -> None:
    sleeve = shade(look.top_colour, 0.92 if side < 0 else 1.05)
    forearm = sleeve if look.long_sleeves else shade(look.skin, 0.92)
    shoulder = (side * 0.84 * wide, 0.98)
    if raised:
        _, elbow, hand = raised_arm(side, raised, wide)
        pen.line([shoulder, elbow], 0.34, sleeve)
        pen.line([elbow, hand], 0.24, forearm)
        pen.oval(hand[0], hand[1], 0.16, 0.18, look.skin)
        if look.phone and side > 0:
            x, y = hand[0], hand[1] - 0.15
            pen.poly([(x - 0.15, y - 0.28), (x + 0.15, y - 0.28), (x + 0.15, y + 0.16), (x - 0.15, y + 0.16)], _DARK)
        return
    elbow = (side * (0.98 * wide), min(1.95, hip))
    pen.line([shoulder, elbow], 0.32, sleeve)
    if hip > 2.4:
        hand = (side * (0.9 * wide - 0.25 * look.stride), 2.75)
        pen.line([elbow, hand], 0.26, forearm)
        pen.oval(hand[0], hand[1] + 0.1, 0.15, 0.17, shade(look.skin, 0.9))


def _paint_long_hair(pen: Pen, look: Look) -> None:
    if look.facing == "back":
        pen.poly([(-0.37, -0.05), (0.37, -0.05), (0.43, 0.5), (0.38, 0.9), (0.12, 1.06), (-0.12, 1.06), (-0.38, 0.9),
                  (-0.43, 0.5)], shade(look.hair, 0.84))  # fmt: skip
        pen.poly([(-0.2, 0.3), (0.1, 0.3), (0.06, 0.9), (-0.16, 0.92)], look.hair)
        return
    x = -0.1 * look.yaw
    pen.poly([(x - 0.36, -0.1), (x + 0.36, -0.1), (x + 0.45, 0.4), (x + 0.43, 0.72), (x + 0.26, 0.86), (x - 0.26, 0.86),
              (x - 0.43, 0.72), (x - 0.45, 0.4)], shade(look.hair, 0.72))  # fmt: skip


def paint_head(pen: Pen, look: Look, light_side: float, head_px: float) -> None:
    """The head: an ellipse about (0, 0), modelled from dark to light, with a face where one is seen."""
    lx = 0.10 * light_side
    if look.facing == "back" or look.hat == "hood":
        hooded = look.hat == "hood"
        bald = look.hair_style == "bald" and look.hat == "none"
        _paint_ball(pen, look.hat_colour if hooded else (look.skin if bald else look.hair), lx)
        if look.facing == "back":
            _paint_nape(pen, look, lx, head_px)
        else:
            _paint_face(pen, look, lx, head_px, 0.8)
    else:
        _paint_ball(pen, look.skin, lx)
        _paint_face(pen, look, lx, head_px, 1.0)
        if look.hair_style != "bald":
            _paint_hair(pen, look, lx)
    _paint_hat(pen, look, lx)


def _paint_ball(pen: Pen, colour: Colour, lx: float) -> None:
    pen.oval(0.0, 0.0, HEAD_HALF_WIDTH, HEAD_HALF_HEIGHT, shade(colour, 0.74))
    pen.oval(0.4 * lx, -0.02, 0.35, 0.455, shade(colour, 0.88))
    pen.oval(0.8 * lx, -0.06, 0.29, 0.38, shade(colour, 0.98))
    pen.oval(1.2 * lx, -0.13, 0.19, 0.25, shade(colour, 1.07))


def _paint_nape(pen: Pen, look: Look, lx: float, head_px: float) -> None:
    if look.hat == "hood" or look.hair_style == "long":
        return
    pen.poly([(-0.24, 0.34), (0.24, 0.34), (0.17, 0.45), (-0.17, 0.45)], shade(look.skin, 0.76))
    if look.hair_style == "short" and head_px >= _FINE_PX:
        pen.oval(-0.36, 0.08, 0.04, 0.1, shade(look.skin, 0.82))
        pen.oval(0.36, 0.08, 0.04, 0.1, shade(look.skin, 0.82))
    if look.hair_style == "bun" and look.hat == "none":
        pen.oval(0.0, -0.2, 0.18, 0.17, shade(look.hair, 0.7))
        pen.oval(lx, -0.23, 0.13, 0.12, shade(look.hair, 1.15))


def _paint_hair(pen: Pen, look: Look, lx: float) -> None:
    x = 0.08 * look.yaw
    hair = shade(look.hair, 0.88)
    part = 0.12 if look.bag else -0.12
    fringe = [(0.31 + x, -0.04), (0.27 + x, -0.2), (part + x, -0.28), (-0.27 + x, -0.2), (-0.31 + x, -0.04)]
    if look.facing == "side":  # the back of the head is hair, the face looks along yaw
        s = look.yaw
        fringe = [(0.30 * s, -0.12), (0.16 * s, -0.24), (0.02 * s, -0.12), (-0.02 * s, 0.16), (-0.1 * s, 0.4),
                  (-0.24 * s, 0.39), (-0.36 * s, 0.19)]  # fmt: skip
        fringe = fringe if s > 0 else fringe[::-1]
    pen.poly([*_CAP, *fringe], hair)
    if look.facing == "front" and look.hair_style == "long":
        for side in (-1.0, 1.0):
            pen.poly([(0.39 * side, -0.05), (0.28 * side + x, -0.2), (0.26 * side + x, 0.3), (0.30 * side, 0.62),
                      (0.42 * side, 0.6)], hair)  # fmt: skip
    pen.oval(lx, -0.36, 0.15, 0.07, shade(look.hair, 1.12))


def _paint_face(pen: Pen, look: Look, lx: float, head_px: float, size: float) -> None:
    side = look.facing == "side"
    x = 0.16 * look.yaw if side else 0.08 * look.yaw
    skin = look.skin
    if size < 1.0:
        pen.oval(x, 0.08, 0.37 * size, 0.48 * size, shade(skin, 0.84))
        pen.oval(x + 0.5 * lx, 0.06, 0.31 * size, 0.42 * size, shade(skin, 0.97))
    if look.beard:
        pen.poly([(x - 0.29, 0.14), (x - 0.2, 0.22), (x + 0.2, 0.22), (x + 0.29, 0.14), (x + 0.2, 0.4), (x, 0.48),
                  (x - 0.2, 0.4)], mix(skin, look.hair, 0.65))  # fmt: skip
    if head_px < _FINE_PX:
        pen.poly([(x - 0.2, -0.02), (x + 0.2, -0.02), (x + 0.17, 0.09), (x - 0.17, 0.09)], shade(skin, 0.72))
        return
    for eye in (0.06 * look.yaw,) if side else (-0.13, 0.13):
        pen.oval(x + eye, 0.0, 0.085, 0.06, shade(skin, 0.76))
        pen.oval(x + eye, 0.01, 0.04, 0.025, mix(_DARK, skin, 0.2))
        pen.line([(x + eye - 0.06, -0.075), (x + eye + 0.06, -0.08)], 0.025, mix(skin, look.hair, 0.6))
    if look.glasses:
        for eye in (0.06 * look.yaw,) if side else (-0.12, 0.12):
            pen.oval(x + eye, 0.005, 0.105, 0.075, _DARK)
    else:
        pen.oval(x + (0.14 * look.yaw if side else 0.0) - 0.3 * lx, 0.13, 0.05, 0.07, shade(skin, 0.82))
    pen.line([(x - 0.07, 0.27), (x + 0.07, 0.27)], 0.035, mix(shade(skin, 0.72), (150, 60, 60), 0.3))
    pen.oval(x, 0.4, 0.16, 0.05, shade(skin if not look.beard else mix(skin, look.hair, 0.65), 0.86))


def _paint_hat(pen: Pen, look: Look, lx: float) -> None:
    colour = look.hat_colour
    if look.hat in ("none", "hood"):
        return
    crown = [(-0.385, -0.1), (-0.365, -0.22), (-0.3, -0.36), (-0.18, -0.46), (0.0, -0.51), (0.18, -0.46), (0.3, -0.36),
             (0.365, -0.22), (0.385, -0.1), (0.0, -0.14 if look.facing == "back" else -0.2)]  # fmt: skip
    pen.poly(crown, shade(colour, 0.82))
    pen.oval(1.2 * lx, -0.3, 0.22, 0.15, shade(colour, 1.08))
    if look.hat == "cap" and look.facing != "back":
        x = 0.3 * look.yaw if look.facing == "side" else 0.06 * look.yaw
        pen.poly([(x - 0.3, -0.19), (x + 0.3, -0.19), (x + 0.27, -0.08), (x, -0.05), (x - 0.27, -0.08)],
                 shade(colour, 0.6))  # fmt: skip
    elif look.hat == "beanie":
        pen.line([(-0.345, -0.13), (0.0, -0.17), (0.345, -0.13)], 0.1, shade(colour, 0.68))
    elif look.hat == "brim":
        pen.oval(0.0, -0.14, 0.62, 0.13, shade(colour, 0.8))
        pen.oval(0.0, -0.17, 0.58, 0.10, shade(colour, 1.0))
        pen.oval(lx, -0.3, 0.33, 0.2, shade(colour, 0.9))
