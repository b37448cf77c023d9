"""An image as Python code has it in hand: by its path, as the bytes of a file, open, in Pillow, or as pixels."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.image import Channels, EncodedImage, RgbImage, as_rgb_array, pillow_pixels, read_image
from headcount.core.limits import DEFAULT_MAX_PIXELS

GivenImage = str | os.PathLike[str] | bytes | EncodedImage | BinaryIO | Image.Image | NDArray[np.uint8]
"""An image file by its path, by its bytes or open for reading them; a PIL image; pixels, uint8, of (h, w, 3) RGB,
(h, w, 4) RGBA or (h, w) gray."""


def given_pixels(
    given: object, *, channels: Channels = "rgb", max_pixels: int = DEFAULT_MAX_PIXELS, stored_gray: bool = False
) -> tuple[RgbImage, str]:
    """A ``GivenImage`` as (h, w, 3) uint8 RGB, and its path where it has one; ``channels`` are those of arrays.

    ``stored_gray`` is as ``read_image`` has it.

    Raises:
        InputError: it is none, cannot be read, or has more than ``max_pixels`` pixels.
    """
    if isinstance(given, (str, os.PathLike)):
        return read_image(Path(given), max_pixels=max_pixels, stored_gray=stored_gray), str(given)
    if isinstance(given, EncodedImage):
        return read_image(given, max_pixels=max_pixels, stored_gray=stored_gray), given.name
    if isinstance(given, Image.Image):
        return pillow_pixels(given, max_pixels=max_pixels), str(getattr(given, "filename", ""))
    if isinstance(given, np.ndarray):
        return as_rgb_array(given, channels=channels), ""
    if hasattr(given, "read"):
        name = getattr(given, "name", "")
        name = name if isinstance(name, str) else ""
        given = given.read()
        if not isinstance(given, (bytes, bytearray, memoryview)):
            if isinstance(given, Coroutine):
                given.close()  # nobody waits for it
                raise InputError("An open file must be read without await: of a web server's upload pass its .file.")
            raise InputError(
                f'An image file must be open for bytes, but this one gives {type(given).__name__}: open it with "rb".'
            )
        if not given:
            raise InputError("The open file has nothing more to read: go back to its beginning with seek(0).")
        return read_image(EncodedImage(bytes(given)), max_pixels=max_pixels, stored_gray=stored_gray), name
    if isinstance(given, (bytes, bytearray, memoryview)):
        return read_image(EncodedImage(bytes(given)), max_pixels=max_pixels, stored_gray=stored_gray), ""
    kind = f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
    raise InputError(
        f"An image is a path, the bytes of a file, a PIL image or a uint8 array, but a {kind} was given: "
        "pass the path of its file, or its upright RGB pixels as an array."
    )


def is_one_image(given: object) -> bool:
    """Whether it can only be one image, where several are expected; it need not be one that can be read."""
    if isinstance(given, np.ndarray):
        return given.ndim < 4
    return isinstance(given, (str, os.PathLike, bytes, bytearray, memoryview, Image.Image)) or hasattr(given, "read")
