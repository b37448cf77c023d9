"""A prediction on the screen: in a notebook, or in the system's viewer of pictures."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from headcount.core.image import RgbImage

_LONG_SIDE_PX = 1600  # a photograph of 40 megapixels would make a notebook of as many bytes


def show_picture(picture: RgbImage) -> None:
    """Show (h, w, 3) uint8 RGB, made smaller where its longer side is over 1,600 px."""
    small = _small(picture)
    display = _display()
    if display is None:
        small.show()
    else:
        display(small)


def png_of(picture: RgbImage) -> bytes:
    """A PNG of what ``show_picture`` shows."""
    content = io.BytesIO()
    _small(picture).save(content, "PNG")
    return content.getvalue()


def _small(picture: RgbImage) -> Image.Image:
    image = Image.fromarray(picture)
    image.thumbnail((_LONG_SIDE_PX, _LONG_SIDE_PX))  # keeps its shape and never enlarges
    return image


def _display() -> Any:
    """IPython's ``display`` where a notebook runs this; a notebook has imported it."""
    module = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    # A shell in a terminal shows no pictures.
    return None if shell is None or not hasattr(shell, "kernel") else sys.modules["IPython.display"].display
