"""Words in pictures, in the font that Pillow brings along; it has no signs beyond Latin ones."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from headcount.core.image import RgbImage

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=16)
def font_of(size_px: int) -> Font:
    """The font at a size: the height of its lines, about."""
    return ImageFont.load_default(size_px)


def width_of(text: str, size_px: int) -> int:
    """How many pixels wide a text is."""
    return round(font_of(size_px).getlength(text) + 0.5)


def line_of(size_px: int) -> int:
    """How many pixels a line takes, from the top of its highest letter to the bottom of its lowest."""
    _, top, _, bottom = font_of(size_px).getbbox("Ag")
    return round(bottom - top) + 1


def write(
    picture: RgbImage, at_xy: tuple[int, int], text: str, size_px: int, colour: Colour, *, rim: Colour | None = None
) -> None:
    """Write a line into a picture, its top left corner at ``at_xy``; what lies outside is cut off.

    ``rim`` is the colour of an outline, by which it is read on any ground.
    """
    font = font_of(size_px)
    edge = 0 if rim is None else max(1, round(size_px / 9))
    _, top, _, _ = font.getbbox("Ag")
    width, height = width_of(text, size_px) + 2 * edge, line_of(size_px) + 2 * edge
    left, upper = at_xy
    part = picture[max(0, upper) : upper + height, max(0, left) : left + width]
    if not part.size:
        return
    page = Image.fromarray(np.ascontiguousarray(part))
    place = (min(0, left) + edge, min(0, upper) + edge - top)
    ImageDraw.Draw(page).text(place, text, fill=colour, font=font, stroke_width=edge, stroke_fill=rim)
    part[:] = np.asarray(page)
