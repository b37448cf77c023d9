"""Pixels in: any photograph a camera or a scanner writes becomes 8-bit RGB, upright, or one clear error."""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from headcount.core.errors import InputError, MissingExtraError
from headcount.core.files import file_size
from headcount.core.image_kinds import HEAD_BYTES, kind_of, read_kinds, why_unread
from headcount.core.image_stored import StoredImage, exif_orientation, has_more_scans, pages_of, stored_image
from headcount.core.limits import DEFAULT_MAX_PIXELS

# What Pillow warns of, and logs, is said in our sentence where it matters. Said to the interpreter once, since a filter
# set and reset around each image would be the other threads' too.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())

RgbImage = NDArray[np.uint8]
"""(h, w, 3) uint8, RGB, upright."""

IMAGE_SUFFIXES = frozenset(suffix for suffixes in read_kinds().values() for suffix in suffixes)
"""The suffixes of all kinds of image files that this install reads."""

_EXIF_FLIPS = {2: (1, 0), 3: (1, 1), 4: (0, 1), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
"""Orientation → whether the upright image's x and y run against the stored axes."""
_SCANS_USUAL, _SCANS_MAX = 20, 100
_SCANNED_PIXELS_MAX = 2_000_000_000
_WHY_MAX = 200


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
    """An image file that is held in memory, in the place of its path; ``name`` is what messages call it."""

    content: bytes = field(repr=False)
    name: str = ""

    def __str__(self) -> str:
        return self.name or f"the image given, of {len(self.content):,} bytes"

    def open(self) -> BinaryIO:
        """What the file would be."""
        return io.BytesIO(self.content)


ImageSource = str | Path | EncodedImage
"""An image file: its path, or what it holds."""


def is_image_name(path: Path) -> bool:
    """Whether the file's suffix is one of an image that can be read."""
    return path.suffix.lower() in IMAGE_SUFFIXES


class _PillowsLimit:
    """Pillow's own limit of pixels, which is a global one below ours: lifted while any thread needs it lifted."""

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._limit: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                Image.MAX_IMAGE_PIXELS = self._limit


_without_pillows_limit = _PillowsLimit()


@dataclass(frozen=True, slots=True)
class _Opened:
    """An image file of which the header is read; ``file`` is the whole of it, ``image`` what Pillow sees."""

    name: str
    file: BinaryIO
    stored: StoredImage
    image: Image.Image
    header: ImageHeader


@contextmanager
def _opened(source: ImageSource) -> Iterator[_Opened]:
    with _file_of(source) as (file, name):
        try:
            head = file.read(HEAD_BYTES)
        except OSError as error:  # a disk that fails, or a file of the system that is no data
            raise _unreadable(name, "", error) from error
        if not head:
            raise InputError(f'"{name}" is empty (0 bytes): copy it again from where it came.')
        kind = kind_of(head)
        if kind not in read_kinds():
            raise InputError(why_unread(name, kind))
        try:
            stored = stored_image(file, kind)
            with _without_pillows_limit:
                image = _PLUGINS[kind](stored.file)
            header = _header(image, stored, kind)
        except Exception as error:  # decoders raise whatever a damaged file makes them meet
            raise _unreadable(name, kind, error) from error
        with image:
            yield _Opened(name, file, stored, image, header)


@contextmanager
def _file_of(source: ImageSource) -> Iterator[tuple[BinaryIO, str]]:
    """An image file that can be read from, and its name for messages."""
    if isinstance(source, EncodedImage):
        yield source.open(), str(source)
        return
    path = Path(source)
    file_size(path)  # says what is no regular file, which is not opened
    try:
        file = path.open("rb")
    except PermissionError as error:
        raise InputError(f'"{path}" may not be read: change its permissions.') from error
    except OSError as error:
        raise InputError(f'"{path}" cannot be read ({error.strerror or error}): check the disk.') from error
    with file:
        yield file, str(path)


def _heif(file: BinaryIO) -> Image.Image:
    from pillow_heif import HeifImageFile

    return cast(Image.Image, HeifImageFile(file))  # type: ignore[no-untyped-call]


def _avif(file: BinaryIO) -> Image.Image:
    from PIL.AvifImagePlugin import AvifImageFile

    return AvifImageFile(file)


_PLUGINS: Mapping[str, Callable[[BinaryIO], Image.Image]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "GIF": GifImageFile,
    "PPM": PpmImageFile,
    "AVIF": _avif,
    "HEIC": _heif,
}
"""What decodes each kind, asked by name: where Pillow tries one after the other, what is wrong is lost."""


def _unreadable(name: str, kind: str, error: Exception) -> InputError:
    """What to say of an image that cannot be decoded, with the decoder's reason."""
    if isinstance(error, InputError):
        return error
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return InputError(f'"{name}" cannot be read ({error.strerror}): check the disk.')
    if isinstance(error, MissingExtraError | ImportError):
        return InputError(f'"{name}" cannot be read ({error}): mend this install.')
    why = " ".join(str(error).split())[:_WHY_MAX].rstrip(".") or type(error).__name__
    if kind == "TIFF":
        return InputError(
            f'"{name}" is a TIFF image that is damaged, or of a kind that is not read ({why}): save it with 8 bits '
            "a colour, or copy it again from where it came."
        )
    return InputError(f'"{name}" is damaged or cut short ({why}): copy it again from where it came.')


def _header(image: Image.Image, stored: StoredImage, kind: str) -> ImageHeader:
    orientation = stored.orientation
    if kind == "AVIF":  # the file's own way to say it; Pillow says it in EXIF's
        orientation = exif_orientation(image.info.get("exif") or b"")
    width, height = image.size
    size_wh = (height, width) if orientation >= 5 else (width, height)
    return ImageHeader(size_wh, kind, image.mode, orientation)


def refuse_limit(max_pixels: object) -> None:
    """Stop where a limit of pixels is none.

    Raises:
        InputError: it is no whole number above 0.
    """
    if not isinstance(max_pixels, int) or isinstance(max_pixels, bool) or max_pixels < 1:
        raise InputError(
            f"The limit of pixels (max_pixels) is a whole number of at least 1 ({DEFAULT_MAX_PIXELS} by default), not "
            f"{max_pixels!r}."
        )


def read_header(source: ImageSource) -> ImageHeader:
    """Size, format and orientation of an image file, without decoding its pixels.

    Raises:
        InputError: the file is missing, empty, or no image.
    """
    with _opened(source) as opened:
        return opened.header


def count_pictures(source: ImageSource) -> int:
    """How many pictures a file holds: pages of a TIFF, frames of an animation. Of more than one the first is read.

    A TIFF's previews and masks, and what a phone puts behind a JPEG, are no pictures of their own. 1 where the file
    cannot be read (to its end), which is said when its pixels are.
    """
    try:
        with _file_of(source) as (file, _):
            kind = kind_of(file.read(HEAD_BYTES))
            if kind not in ("AVIF", "HEIC"):
                return pages_of(file, kind)
        with _opened(source) as opened:
            return int(getattr(opened.image, "n_frames", 1))
    except Exception:
        return 1


def read_image(
    source: ImageSource, *, max_pixels: int = DEFAULT_MAX_PIXELS, stored_gray: bool = False, behind: int = 255
) -> RgbImage:
    """The pixels of an image file: (h, w, 3) uint8 RGB, EXIF orientation obeyed.

    ``stored_gray``: of a JPEG the brightness that it stores, three times, instead of its colours.

    Gray and CMYK become RGB, gray of more than 8 bits becomes 8 (from the fewest of 8, 10, 12, 14 or 16 bits that
    hold its brightest pixel), transparent parts are laid on white (on the level of gray ``behind``), and of an
    animation the first frame is read. Of the metadata nothing but the orientation is looked at.

    Raises:
        InputError: the file is missing, empty, truncated, no image, or has more than ``max_pixels`` pixels
            (read from its header before anything is decoded).
    """
    return read_reduced(source, 1, max_pixels=max_pixels, stored_gray=stored_gray, behind=behind).pixels


def read_reduced(
    source: ImageSource,
    reduction: int,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    stored_gray: bool = False,
    behind: int = 255,
) -> ReducedImage:
    """``read_image`` at half, a quarter or an eighth of the size (``reduction`` 2, 4 or 8), for less time and memory.

    Only JPEG can: its blocks of 8 × 8 are decoded straight to fewer pixels. Other formats, and a JPEG with a side
    shorter than ``reduction``, come at the next smaller reduction that they allow, mostly 1.

    Raises:
        InputError: as ``read_image`` does.
    """
    with _opened(source) as opened:
        header, name = opened.header, opened.name
        _refuse_large(header.size_wh, name, max_pixels)
        most = min(_SCANS_MAX, max(_SCANS_USUAL, _SCANNED_PIXELS_MAX // header.pixels))
        if has_more_scans(opened.stored, opened.file, most):
            raise InputError(
                f'"{name}" is a JPEG of more than {most} scans, which take long to decode (10 are usual): save it anew.'
            )
        try:
            mode = "L" if stored_gray else None
            reduction, origin_xy = _reduce(opened.image, header.orientation, reduction, mode)
            # TIFF's plug-in asks for Pillow's limit once more.
            with _without_pillows_limit if header.format == "TIFF" else nullcontext():
                pixels = _rgb_pixels(opened.image, header.orientation, behind)
        except (
            Exception
        ) as error:  # a damaged header can ask for any amount of memory, or for other sizes than at first
            raise _unreadable(name, header.format, error) from error
    return ReducedImage(pixels, reduction, origin_xy)


def pillow_pixels(image: Image.Image, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> RgbImage:
    """The pixels of an image that is open in Pillow, by the rules of ``read_image``; it stays as it is.

    Raises:
        InputError: its file is damaged, or it has more than ``max_pixels`` pixels.
    """
    name = str(getattr(image, "filename", "")) or "the PIL image"
    _refuse_large(image.size, name, max_pixels)
    try:
        image.load()  # a TIFF is turned by it, and says so no more
        return _rgb_pixels(image, _stated_orientation(image))
    except Exception as error:
        raise _unreadable(name, image.format or "", error) from error


def _stated_orientation(image: Image.Image) -> int:
    try:
        value = int(image.getexif().get(0x0112, 1))
    except Exception:  # what else is in its EXIF block may be damaged
        return exif_orientation(image.info.get("exif") or b"")
    return value if 1 <= value <= 8 else 1


def _refuse_large(size_wh: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size_wh
    if width * height > max_pixels:
        raise InputError(
            f'"{name}" has {width}×{height} = {width * height:,} pixels, over the limit of {max_pixels:,}: shrink it.',
            remedy="max_pixels",
        )


def _rgb_pixels(image: Image.Image, orientation: int, behind: int = 255) -> RgbImage:
    return np.ascontiguousarray(_upright(np.asarray(_as_rgb(image, behind)), orientation))


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Stored pixels (h, w, 3) as they are meant to be seen."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    flip_x, flip_y = _EXIF_FLIPS.get(orientation, (0, 0))
    return pixels[:: -1 if flip_y else 1, :: -1 if flip_x else 1]


def _reduce(image: Image.Image, orientation: int, reduction: int, mode: str | None) -> tuple[int, tuple[int, int]]:
    """Have a JPEG decoded smaller, and in a mode; the reduction it takes, and where its upright first pixel begins in
    the original.
    """
    width, height = image.size
    smaller = (max(1, width // reduction), max(1, height // reduction))
    drafted = image.draft(mode, smaller) if (mode or reduction > 1) and image.format == "JPEG" else None
    if drafted is None:
        return 1, (0, 0)
    taken = round(width / drafted[1][2])
    over = (image.size[0] * taken - width, image.size[1] * taken - height)  # stored columns and rows past the border
    over_xy = over[::-1] if orientation >= 5 else over
    flips = _EXIF_FLIPS.get(orientation, (0, 0))
    return taken, (-over_xy[0] * flips[0], -over_xy[1] * flips[1])


def _as_rgb(image: Image.Image, behind: int = 255) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        image.load()
        return image
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (behind, behind, behind, 255))
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    values = np.asarray(image)
    if image.mode == "F":
        # A float picture has no stated range: 0…1 where it fits, else 0…255, else 16-bit values.
        top = float(values[np.isfinite(values)].max(initial=0.0))
        scale = 255.0 if top <= 1.0 else (1.0 if top <= 255.0 else 1.0 / 257.0)
        scaled: NDArray[np.uint8] = np.clip(
            np.nan_to_num(values, nan=0.0, posinf=top, neginf=0.0) * scale, 0, 255
        ).astype(np.uint8)
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
    given: object = pixels
    if not isinstance(given, np.ndarray):
        raise InputError(f"An array of pixels was expected, but a {type(given).__name__} was given.")
    if pixels.dtype != np.uint8:
        raise InputError(f"An image array must be uint8 (0 to 255), but it is {pixels.dtype}: convert it first.")
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.shape[0] == 0 or pixels.shape[1] == 0:
        several = ": give several images as a list of them" if pixels.ndim == 4 else ""
        raise InputError(
            f"An image array must be (height, width, 3) RGB, (height, width, 4) RGBA or (height, width), but it is "
            f"{pixels.shape}{several}."
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
