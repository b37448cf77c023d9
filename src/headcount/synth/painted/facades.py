"""What stands behind a crowd: houses with windows, trees, a hall's wall, a stage, the seats of a stand."""

from __future__ import annotations

import cv2
import numpy as np

from headcount.core.image import RgbImage
from headcount.synth.painted.brush import Colour, mix, pick, shade
from headcount.synth.painted.layout import Ground
from headcount.synth.painted.mood import Light, Mood

_WALLS: tuple[Colour, ...] = (
    (196, 180, 156), (172, 122, 98), (206, 198, 184), (150, 146, 142), (188, 160, 120), (132, 96, 82), (176, 186, 192),
    (214, 206, 170), (120, 124, 132),
)  # fmt: skip
_AWNINGS: tuple[Colour, ...] = ((150, 40, 44), (38, 84, 66), (44, 66, 110), (196, 150, 60), (90, 88, 90))
_GREENS: tuple[Colour, ...] = ((62, 88, 44), (78, 104, 52), (52, 74, 42), (96, 114, 60), (110, 104, 56))


def _block(sheet: RgbImage, x: float, y: float, wide: float, high: float, colour: Colour) -> None:
    cv2.rectangle(sheet, (round(x), round(y)), (round(x + wide) - 1, round(y + high) - 1), colour, -1)


def paint_facades(rng: np.random.Generator, sheet: RgbImage, base_y: int, light: Light, *, street: bool) -> None:
    """A row of houses on the base line; along a street they grow towards both sides of the picture."""
    height, width = sheet.shape[:2]
    gap = width * float(rng.uniform(0.35, 0.65))
    x = -width * 0.05
    while x < width:
        wide = width * float(rng.uniform(0.09, 0.24))
        rise = 0.45 + (0.75 * abs(x + wide / 2 - gap) / width if street else 0.25)
        high = base_y * min(rise * float(rng.uniform(0.75, 1.3)), 1.1)
        wall = shade(pick(_WALLS, float(rng.random())), float(rng.uniform(0.75, 1.05)))
        if light in ("dusk", "night"):
            wall = shade(mix(wall, (70, 66, 90), 0.35), 0.7)
        _paint_house(rng, sheet, (x, base_y - high, wide, high), wall, light)
        x += wide
    _block(sheet, 0, base_y - 0.006 * height, width, 0.012 * height, (96, 94, 92))


def _paint_house(
    rng: np.random.Generator, sheet: RgbImage, frame: tuple[float, float, float, float], wall: Colour, light: Light
) -> None:
    x, top, wide, high = frame
    _block(sheet, x, top, wide, high, wall)
    _block(sheet, x, top, wide, max(0.02 * high, 2), shade(wall, 0.7))
    _block(sheet, x, top, max(0.02 * wide, 1), high, shade(wall, 0.82))
    floor_high = sheet.shape[0] * float(rng.uniform(0.045, 0.075))
    column_wide = floor_high * float(rng.uniform(0.55, 1.0))
    glass = shade((74, 86, 100), float(rng.uniform(0.7, 1.3)))
    columns = max(int((wide - 0.3 * column_wide) / column_wide), 1)
    rows = int((high - 1.5 * floor_high) / floor_high)
    lit = rng.random((max(rows, 1), columns))
    pad = (wide - columns * column_wide) / 2
    for row in range(rows):
        y = top + 0.35 * floor_high + row * floor_high
        _block(sheet, x, y + 0.78 * floor_high, wide, max(0.05 * floor_high, 1), shade(wall, 0.88))
        for column in range(columns):
            left = x + pad + (column + 0.22) * column_wide
            pane = glass if lit[row, column] < 0.7 else shade(glass, 1.35)
            if light in ("dusk", "night") and lit[row, column] > 0.55:
                pane = (250, 206, 128)
            _block(sheet, left - 1, y - 1, 0.56 * column_wide + 2, 0.62 * floor_high + 2, shade(wall, 1.16))
            _block(sheet, left, y, 0.56 * column_wide, 0.62 * floor_high, pane)
            _block(sheet, left, y, 0.56 * column_wide, 0.16 * floor_high, shade(pane, 0.72))
    shop_y = top + high - 1.15 * floor_high
    pane = (236, 206, 150) if light in ("dusk", "night") else (66, 70, 74)
    _block(sheet, x + 0.05 * wide, shop_y, 0.9 * wide, 1.15 * floor_high, pane)
    post = shade(wall, 0.6)
    for column in range(1, 5):
        _block(sheet, x + (0.05 + 0.18 * column) * wide, shop_y, max(0.012 * wide, 1), 1.15 * floor_high, post)
    if rng.random() < 0.75:
        awning = pick(_AWNINGS, float(rng.random()))
        _block(sheet, x + 0.03 * wide, shop_y - 0.16 * floor_high, 0.94 * wide, 0.34 * floor_high, awning)


def paint_trees(rng: np.random.Generator, sheet: RgbImage, base_y: int, *, rows: int, lush: float) -> None:
    """Trees along the base line, each a trunk under many leaf dabs lit from above."""
    height, width = sheet.shape[:2]
    for row in range(rows):
        for _ in range(round(lush * 9)):
            x = float(rng.uniform(-0.02, 1.02)) * width
            high = base_y * float(rng.uniform(0.45, 0.95)) * (1.0 - 0.18 * (rows - 1 - row))
            foot = base_y + 0.004 * height * row
            green = shade(pick(_GREENS, float(rng.random())), 0.75 + 0.12 * row)
            trunk = max(round(0.035 * high), 1)
            fork = (round(x), round(foot - 0.5 * high))
            cv2.line(sheet, (round(x), round(foot)), fork, (74, 60, 48), trunk, cv2.LINE_AA)
            _paint_leaves(rng, sheet, x, foot, high, green)


def _paint_leaves(rng: np.random.Generator, sheet: RgbImage, x: float, foot: float, high: float, green: Colour) -> None:
    # A crown is a few boughs; each bough's dabs go from dark below to light above.
    boughs = rng.random((9, 3)).tolist()
    for across, up, size in sorted(boughs, key=lambda bough: bough[1]):
        bough_x = x + (2 * across - 1) * 0.26 * high
        bough_y = foot - high * (0.42 + 0.42 * up * (1.0 - abs(2 * across - 1) * 0.5))
        radius = (0.10 + 0.08 * size) * high
        cv2.circle(sheet, (round(bough_x), round(bough_y)), round(0.95 * radius), shade(green, 0.62), -1, cv2.LINE_AA)
        dabs = np.clip(rng.normal(0.0, 0.6, (60, 2)), -0.92, 0.92)
        dabs = dabs[np.argsort(-dabs[:, 1])]
        tones = rng.random((60, 2)).tolist()
        for (dx, dy), (tone, grain) in zip(dabs.tolist(), tones, strict=True):
            centre = (round((bough_x + radius * dx) * 8), round((bough_y + radius * dy) * 8))
            colour = shade(green, 0.95 - 0.3 * dy + 0.3 * (tone - 0.5))
            cv2.circle(sheet, centre, max(round(radius * (0.07 + 0.12 * grain) * 8), 6), colour, -1, cv2.LINE_AA, 3)


def paint_hall(rng: np.random.Generator, sheet: RgbImage, base_y: int) -> None:
    """The far wall of a hall: panels and posters under a ceiling with rows of lamps."""
    height, width = sheet.shape[:2]
    ceiling = round(base_y * float(rng.uniform(0.35, 0.55)))
    wall = shade(pick(_WALLS, float(rng.random())), 0.62)
    _block(sheet, 0, 0, width, ceiling, (64, 62, 62))
    _block(sheet, 0, ceiling, width, base_y - ceiling, wall)
    panel = width * float(rng.uniform(0.06, 0.12))
    for index in range(int(width / panel) + 1):
        _block(sheet, index * panel, ceiling, max(0.03 * panel, 1), base_y - ceiling, shade(wall, 0.78))
    for _ in range(6):
        x, wide = float(rng.random()) * width, width * float(rng.uniform(0.05, 0.14))
        poster = shade(pick(_AWNINGS, float(rng.random())), float(rng.uniform(0.9, 1.7)))
        high = base_y - ceiling
        top = ceiling + 0.15 * high
        _block(sheet, x, top, wide, 0.45 * high, poster)
        _block(sheet, x + 0.1 * wide, top + 0.08 * high, 0.8 * wide, 0.05 * high, (230, 226, 216))
    middle = width / 2
    for row in range(5):
        y = ceiling * (0.92 - 0.9 * (row / 4) ** 1.3)
        scale = 0.25 + 0.75 * row / 4
        beam_y = round(y + 0.04 * ceiling)
        cv2.line(sheet, (0, beam_y), (width, beam_y), (44, 43, 44), 2, cv2.LINE_AA)
        for column in range(-4, 5):
            x = middle + column * scale * width * 0.2
            lamp = (round(x), round(y))
            axes = (round(0.03 * width * scale), max(round(0.006 * height * scale), 1))
            cv2.ellipse(sheet, lamp, axes, 0.0, 0.0, 360.0, (255, 246, 222), -1, cv2.LINE_AA)


def paint_stage(rng: np.random.Generator, sheet: RgbImage, base_y: int) -> None:
    """A stage with a bright screen, a truss of lamps and their beams."""
    height, width = sheet.shape[:2]
    left, right = 0.14 * width, 0.86 * width
    _block(sheet, left, 0.12 * base_y, right - left, 0.88 * base_y, (22, 20, 28))
    screen = shade(pick(((70, 110, 220), (210, 80, 160), (230, 140, 60), (80, 190, 190)), float(rng.random())), 0.9)
    _block(sheet, 0.34 * width, 0.28 * base_y, 0.32 * width, 0.42 * base_y, screen)
    _block(sheet, 0.36 * width, 0.32 * base_y, 0.28 * width, 0.12 * base_y, shade(screen, 1.4))
    _block(sheet, left, 0.12 * base_y, right - left, 0.05 * base_y, (58, 58, 64))
    _block(sheet, left, 0.84 * base_y, right - left, 0.16 * base_y, (40, 38, 46))
    beams = np.zeros_like(sheet)
    for lamp in range(9):
        x = left + (lamp + 0.5) * (right - left) / 9
        colour = mix(screen, (255, 240, 220), float(rng.random()))
        aim = x + float(rng.normal(0.0, 0.22)) * width
        spread = 0.05 * width
        corners = np.array([[x - 2, 0.16 * base_y], [x + 2, 0.16 * base_y], [aim + spread, 1.6 * base_y],
                            [aim - spread, 1.6 * base_y]])  # fmt: skip
        layer = np.zeros_like(sheet)
        cv2.fillConvexPoly(layer, np.rint(corners).astype(np.int32), shade(colour, 0.28), cv2.LINE_AA)
        beams = cv2.add(beams, layer).astype(np.uint8)
        bulb = max(round(0.008 * height), 1)
        cv2.circle(sheet, (round(x), round(0.16 * base_y)), bulb, (255, 250, 235), -1, cv2.LINE_AA)
    np.copyto(sheet, cv2.add(sheet, cv2.GaussianBlur(beams, (0, 0), max(0.008 * width, 0.5))))


def paint_seats(rng: np.random.Generator, sheet: RgbImage, ground: Ground, mood: Mood) -> None:
    """Rows of seats on concrete steps, with stairs between the blocks, under a dark roof."""
    height, width = sheet.shape[:2]
    seat = shade(mood.crowd.club_colours[0] if rng.random() < 0.6 else (70, 96, 140), float(rng.uniform(0.55, 0.85)))
    roof = ground.top_y - 1.2 * ground.far_px
    _block(sheet, 0, 0, width, roof, (56, 58, 64) if mood.light != "night" else (30, 32, 40))
    _block(sheet, 0, 0.80 * roof, width, 0.08 * roof, (150, 152, 156))
    for index in range(14):
        x = (index + 0.5) * width / 14
        eave = (round(width / 2 + (x - width / 2) * 0.9), round(0.8 * roof))
        cv2.line(sheet, (round(x), 0), eave, (84, 86, 92), 2, cv2.LINE_AA)
        lamp = (255, 250, 232) if mood.light == "night" or index % 3 == 0 else (110, 112, 116)
        _block(sheet, x - 0.012 * width, 0.62 * roof, 0.024 * width, 0.05 * roof, lamp)
    for line in ground.rows_y:
        unit = float(ground.head_px(np.array(line)))
        tone = 0.86 + 0.2 * (line / height)
        _block(sheet, 0, line + 1.5 * unit, width, 0.6 * unit, shade((136, 134, 132), tone))
        offset = float(rng.random()) * unit
        for x in np.arange(-offset, width, 1.3 * unit).tolist():
            _block(sheet, x + 0.1 * unit, line + 0.15 * unit, 1.08 * unit, 1.15 * unit, shade(seat, tone))
            _block(sheet, x + 0.1 * unit, line + 1.3 * unit, 1.08 * unit, 0.4 * unit, shade(seat, 0.62 * tone))
        for aisle in ground.aisles_x:
            _block(sheet, aisle - 1.2 * unit, line - 0.5 * unit, 2.4 * unit, 1.3 * unit, shade((172, 170, 166), tone))
            _block(sheet, aisle - 1.2 * unit, line + 0.8 * unit, 2.4 * unit, 0.7 * unit, shade((120, 118, 116), tone))
    foot = ground.rows_y[-1] if ground.rows_y else height
    unit = ground.near_px
    _block(sheet, 0, foot + 2.3 * unit, width, height, shade((120, 122, 126), 0.9))
