"""Pixels in: any photograph a camera or a scanner writes becomes 8-bit RGB, upright, or one clear error."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from headcount.core.errors import InputError
from headcount.core.files import file_size
from headcount.core.limits import DEFAULT_MAX_PIXELS

# Pillow warns of a broken EXIF block, which makes no picture unreadable. Said to the interpreter once, since a filter
# set and reset around each image would be the other threads' too.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

RgbImage = NDArray[np.uint8]
"""(h, w, 3) uint8, RGB, upright."""

IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
"""What Pillow may decode: photographs, none of its exotic or executable (EPS) formats. A phone's MPO opens as JPEG."""
IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pnm"}
)

_EXIF_ORIENTATION = 0x0112
_EXIF_FLIPS = {2: (1, 0), 3: (1, 1), 4: (0, 1), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
"""Orientation → whether the upright image's x and y run against the stored axes."""
_EXIF_MAX_BYTES = 1 << 20
_open_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file says of itself before anything is decoded.

    ``size_wh`` is the size of the upright image; ``orientation`` the EXIF value (1 where there is none).
    """

    size_wh: tuple[int, int]
    format: str
    mode: str
    orientation: int

    @property
    def pixels(self) -> int:
        return self.size_wh[0] * self.size_wh[1]


@dataclass(frozen=True, slots=True, eq=False)
class ReducedImage:
    """An image decoded at one ``reduction``-th of its size; whole where that is 1.

    What lies at (x, y) in ``pixels`` lies at origin_xy + reduction · (x, y) in the upright original. Sizes are rounded
    up, so that the far column or row reaches up to reduction − 1 px over the original's border; where EXIF turned it
    to the near side, ``origin_xy`` is below 0.
    """

    pixels: RgbImage
    reduction: int = 1
    origin_xy: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImage:
    """An image file that is held in memory, in the place of its path."""

    content: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"the image given, of {len(self.content):,} bytes"

    def open(self, mode: Literal["rb"] = "rb") -> BinaryIO:
        """What the file would be."""
        return io.BytesIO(self.content)


def is_image_name(path: Path) -> bool:
    """Whether the file's suffix is one of an image that can be read."""
    return path.suffix.lower() in IMAGE_SUFFIXES


@contextmanager
def _opened(path: Path | EncodedImage) -> Iterator[Image.Image]:
    if (file_size(path) if isinstance(path, Path) else len(path.content)) == 0:
        raise InputError(f'"{path}" is empty (0 bytes): copy it again from where it came.')
    try:
        # Pillow's own limit is a global below ours: lifted only while the header is read, since ours follows.
        with _open_lock:
            limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                image = Image.open(path if isinstance(path, Path) else path.open(), formats=IMAGE_FORMATS)
            finally:
                Image.MAX_IMAGE_PIXELS = limit
    except PermissionError as error:
        raise InputError(f'"{path}" may not be read: change its permissions.') from error
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(_why_unreadable(path)) from error
    with image:
        yield image


def _why_unreadable(path: Path | EncodedImage) -> str:
    """What to say of a file that Pillow does not open."""
    with path.open("rb") as file:
        head = file.read(12)
    if head.startswith(b"RIFF") and head.endswith(b"WEBP"):
        return f'"{path}" is a WebP image that is damaged or cut short: copy it again from where it came.'
    if head.startswith((b"II*\0", b"MM\0*")):
        return f'"{path}" is a TIFF image that is damaged, or of a kind that is not read: save it with 8 bits a colour.'
    return f'"{path}" is not an image that can be read (JPEG, PNG, WebP, BMP, TIFF, GIF or PPM was expected).'


def _header(image: Image.Image, path: Path | EncodedImage) -> ImageHeader:
    try:
        orientation = int(_exif(image, path).get(_EXIF_ORIENTATION, 1) or 1)
    except (OSError, ValueError, SyntaxError, TypeError, MemoryError):
        orientation = 1  # a broken EXIF block does not make a picture unreadable
    width, height = image.size
    size_wh = (height, width) if orientation in (5, 6, 7, 8) else (width, height)
    return ImageHeader(size_wh, image.format or "?", image.mode, orientation)


def _exif(image: Image.Image, path: Path | EncodedImage) -> Image.Exif:
    """An image's EXIF block without decoding: for a PNG that begins without one Pillow would read all pixels first."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys():
        block = _late_exif(path)
        if block:
            image.info["exif"] = b"Exif\0\0" + block
    return Image.Image.getexif(image)


def _late_exif(path: Path | EncodedImage) -> bytes:
    """The eXIf chunk of a PNG, which may stand behind its pixels."""
    with path.open("rb") as file:
        file.seek(8)  # the signature
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf":
                return file.read(min(length, _EXIF_MAX_BYTES))
            file.seek(length + 4, os.SEEK_CUR)  # and its checksum
    return b""


def read_header(path: str | Path) -> ImageHeader:
    """Size, format and orientation of an image file, without decoding its pixels.

    Raises:
        InputError: the file is missing, empty, or no image.
    """
    with _opened(Path(path)) as image:
        return _header(image, Path(path))


def read_image(path: str | Path | EncodedImage, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> RgbImage:
    """The pixels of an image file: (h, w, 3) uint8 RGB, EXIF orientation obeyed.

    Gray and CMYK become RGB, gray of more than 8 bits becomes 8 (from the fewest of 8, 10, 12, 14 or 16 bits that
    hold its brightest pixel), transparent parts are laid on white, and of an animation the first frame is read.

    Raises:
        InputError: the file is missing, empty, truncated, no image, or has more than ``max_pixels`` pixels
            (read from its header before anything is decoded).
    """
    return read_reduced(path, 1, max_pixels=max_pixels).pixels


def read_reduced(
    path: str | Path | EncodedImage, reduction: int, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> ReducedImage:
    """``read_image`` at half, a quarter or an eighth of the size (``reduction`` 2, 4 or 8), for less time and memory.

    Only JPEG can: its blocks of 8 × 8 are decoded straight to fewer pixels. Other formats, and a JPEG with a side
    shorter than ``reduction``, come at the next smaller reduction that they allow, mostly 1.

    Raises:
        InputError: as ``read_image`` does.
    """
    path = path if isinstance(path, EncodedImage) else Path(path)
    with _opened(path) as image:
        return _decoded(image, _header(image, path), str(path), reduction, max_pixels)


def pillow_pixels(image: Image.Image, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> RgbImage:
    """The pixels of an image that is open in Pillow, by the rules of ``read_image``; it stays as it is.

    Raises:
        InputError: its file is damaged, or it has more than ``max_pixels`` pixels.
    """
    name = str(getattr(image, "filename", "")) or "the PIL image"
    try:
        orientation = int(image.getexif().get(_EXIF_ORIENTATION, 1) or 1)
    except (OSError, ValueError, SyntaxError, TypeError, MemoryError):
        orientation = 1
    header = ImageHeader(image.size, image.format or "?", image.mode, orientation)
    return _decoded(image, header, name, 1, max_pixels).pixels


def _decoded(image: Image.Image, header: ImageHeader, name: str, reduction: int, max_pixels: int) -> ReducedImage:
    if header.pixels > max_pixels:
        width, height = header.size_wh
        raise InputError(
            f'"{name}" has {width}×{height} = {header.pixels:,} pixels, over the limit of {max_pixels:,}: shrink it.',
            remedy="max_pixels",
        )
    try:
        reduction, origin_xy = _reduce(image, header.orientation, reduction)
        upright = ImageOps.exif_transpose(image) if header.orientation != 1 else image
        pixels = np.asarray(_as_rgb(upright))
    # A damaged header can ask for any amount of memory, or for more pixels than it said at first.
    except (OSError, ValueError, SyntaxError, IndexError, MemoryError, Image.DecompressionBombError) as error:
        why = str(error) or type(error).__name__
        raise InputError(f'"{name}" is damaged or cut short ({why}): copy it again from where it came.') from error
    return ReducedImage(np.ascontiguousarray(pixels), reduction, origin_xy)


def _reduce(image: Image.Image, orientation: int, reduction: int) -> tuple[int, tuple[int, int]]:
    """Have a JPEG decoded smaller; the reduction it takes, and where its upright first pixel begins in the original."""
    width, height = image.size
    smaller = (max(1, width // reduction), max(1, height // reduction))
    drafted = image.draft(None, smaller) if reduction > 1 and image.format == "JPEG" else None
    if drafted is None:
        return 1, (0, 0)
    taken = round(width / drafted[1][2])
    over = (image.size[0] * taken - width, image.size[1] * taken - height)  # stored columns and rows past the border
    over_xy = over[::-1] if orientation >= 5 else over
    flips = _EXIF_FLIPS.get(orientation, (0, 0))
    return taken, (-over_xy[0] * flips[0], -over_xy[1] * flips[1])


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        image.load()
        return image
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    values = np.asarray(image)
    if image.mode == "F":
        # A float picture has no stated range: 0…1 where it fits, else 0…255, else 16-bit values.
        top = float(np.nanmax(values)) if values.size else 1.0
        scale = 255.0 if top <= 1.0 else (1.0 if top <= 255.0 else 1.0 / 257.0)
        scaled: NDArray[np.uint8] = np.clip(np.nan_to_num(values) * scale, 0, 255).astype(np.uint8)
        return scaled
    # Pillow reads some 16-bit files as 32-bit integers ("I"); their values still end at 65535. No file says how many
    # bits its camera used: 12 in 16 are common, and taken for 16 they are black and nobody is counted. A dark picture
    # of 16 true bits is brightened instead, which costs less.
    top = int(values.max(initial=0))
    bits = next((bits for bits in (8, 10, 12, 14) if top < 1 << bits), 16)
    upper: NDArray[np.uint8] = (np.clip(values, 0, 65535).astype(np.uint32) >> (bits - 8)).astype(np.uint8)
    return upper


Channels = Literal["rgb", "bgr"]
"""The order of an array's colours: OpenCV reads ``bgr``, everybody else ``rgb``."""


def as_rgb_array(pixels: NDArray[np.generic], *, channels: Channels = "rgb") -> RgbImage:
    """An array somebody already holds as (h, w, 3) uint8 RGB.

    Gray, (h, w) or (h, w, 1), is repeated; of (h, w, 4) the last is how opaque a pixel is, and the rest is laid on
    white. ``channels`` is the order of the colours.

    Raises:
        InputError: another shape or dtype, or no such order.
    """
    if channels not in ("rgb", "bgr"):
        raise InputError(f'The channels of an array are "rgb" or "bgr", but {channels!r} was given.')
    if not isinstance(pixels, np.ndarray):
        raise InputError(f"An image array was expected, but a {type(pixels).__name__} was given.")
    if pixels.dtype != np.uint8:
        raise InputError(f"An image array must be uint8 (0 to 255), but it is {pixels.dtype}: convert it first.")
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.shape[0] == 0 or pixels.shape[1] == 0:
        raise InputError(
            f"An image array must be (height, width, 3) RGB, (height, width, 4) RGBA or (height, width), but it is "
            f"{pixels.shape}."
        )
    if channels == "bgr" and pixels.shape[2] > 1:
        pixels = pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]
    if pixels.shape[2] == 4:
        return np.array(_as_rgb(Image.fromarray(np.ascontiguousarray(pixels, dtype=np.uint8))))
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)), dtype=np.uint8)


class FrameReader(Protocol):
    """Whoever decodes the frames of one video; how is not this room's to know."""

    def size_wh(self) -> tuple[int, int]:
        """(width, height) of the upright frames, from the video's header."""
        ...

    def read(self, number: int) -> RgbImage:
        """Frame ``number``, counted from 0: (h, w, 3) uint8 RGB, the same at every call."""
        ...


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One frame of a video, in the place of an image file: decoded anew at each call, by the reader it carries.

    ``number`` counts from 0. As text it is ``PATH#NUMBER``, which no other image has.
    """

    path: Path
    number: int
    reader: FrameReader = field(repr=False)

    def __str__(self) -> str:
        return f"{self.path}#{self.number}"

    @property
    def size_wh(self) -> tuple[int, int]:
        """(width, height) of the upright frame.

        Raises:
            InputError: the video is missing or cannot be read.
        """
        return self.reader.size_wh()

    def pixels(self, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> RgbImage:
        """(h, w, 3) uint8 RGB.

        Raises:
            InputError: the video is missing, damaged or ends before this frame, or its frames have more than
                ``max_pixels`` pixels.
        """
        width, height = self.size_wh
        if width * height > max_pixels:
            raise InputError(
                f'"{self.path}" has frames of {width}×{height} = {width * height:,} pixels, over the limit of '
                f"{max_pixels:,}: shrink it.",
                remedy="max_pixels",
            )
        return self.reader.read(self.number)
