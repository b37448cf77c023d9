"""An image file as its decoder gets it: the pixels without the metadata, of which the orientation alone is read.

What cameras and editors add to a file (EXIF, XMP, ICC profiles, comments, thumbnails) may be damaged, of odd types or
huge while its pixels are sound, and decoders stumble over it. So they never see it.
"""

from __future__ import annotations

import io
import itertools
import re
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO

_METADATA_MAX_BYTES = 1 << 20
_ORIENTATION, _SUBFILE, _OLD_SUBFILE = 0x0112, 254, 255
_INTEGERS = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l"}
"""The types of TIFF's whole numbers that fit into an entry, as ``struct`` calls them."""
_TIFF_TAGS = frozenset(
    # sizes, bits, compression, colours, strips, samples, planes, fax options, predictor, palette, tiles, inks, extra
    # samples, sample format, JPEG tables (new and old), YCbCr, reference black and white, LERC
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339, 347}
    | {*range(512, 522), 529, 530, 531, 532, 50674}
)
"""What the pixels of a TIFF cannot be decoded without."""
_TIFF_PAGES_MAX = 100_000
_JPEG_SEGMENTS_MAX, _CHUNKS_MAX = 20_000, 1_000_000  # of sound files none comes near
_PPM_HEADER_MAX = 1 << 16
_JPEG_START_OF_SCAN = b"\xff\xda"
_HIDDEN_ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))(?:Exif|mime)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """Attributes:
    file: what the decoder gets.
    orientation: the EXIF value, 1 to 8; 1 where there is none that could be meant.
    scans_at: where a JPEG's scans begin, if there may be many; 0 elsewhere.
    """

    file: BinaryIO
    orientation: int = 1
    scans_at: int = 0


def stored_image(file: BinaryIO, kind: str) -> StoredImage:
    """A file of a kind of ``image_kinds``, less its metadata. ``file`` stays open and is read from as pixels are.

    Raises:
        ValueError: its metadata would take long to look through.
    """
    file.seek(0)
    reader = _READERS.get(kind)
    stored = StoredImage(file) if reader is None else reader(file)
    stored.file.seek(0)
    return stored


def exif_orientation(block: bytes) -> int:
    """The orientation that an EXIF block states: 1 to 8, and 1 for all that is none.

    >>> exif_orientation(b"Exif\\0\\0MM\\0*\\0\\0\\0\\x08\\0\\x01\\x01\\x12\\0\\3\\0\\0\\0\\1\\0\\6\\0\\0")
    6
    >>> exif_orientation(b"damaged")
    1
    """
    directory = _read_directory(io.BytesIO(block.removeprefix(b"Exif\0\0")))
    return 1 if directory is None else directory.orientation


def pages_of(file: BinaryIO, kind: str) -> int:
    """How many pictures a TIFF, GIF, PNG or WebP holds; previews and masks of one are none. Others: 1."""
    counter = {"TIFF": _tiff_pages, "GIF": _gif_frames, "PNG": _png_frames, "WebP": _webp_frames}.get(kind)
    return 1 if counter is None else max(1, counter(file))


def has_more_scans(stored: StoredImage, file: BinaryIO, most: int) -> bool:
    """Whether a JPEG has more than ``most`` scans, each of which goes over all of its pixels."""
    if not stored.scans_at:
        return False
    file.seek(stored.scans_at)
    number, last = 0, b""
    while number <= most and (block := file.read(1 << 20)):
        number += (last + block).count(_JPEG_START_OF_SCAN)
        last = block[-1:]  # a mark may lie across two blocks
    return number > most


class _Spliced(io.RawIOBase):
    """A file made of stretches of another one and of bytes of our own."""

    def __init__(self, file: BinaryIO, pieces: Sequence[range | bytes]) -> None:
        self._file = file
        self._pieces = [piece for piece in pieces if len(piece)]
        self._ends = list(accumulate(len(piece) for piece in self._pieces))
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1] if self._ends else 0}[whence]
        if base + offset < 0:
            raise ValueError("negative seek")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        number = bisect_right(self._ends, self._at)
        if number == len(self._pieces):
            return 0
        piece = self._pieces[number]
        start = self._at - (self._ends[number] - len(piece))
        wanted = min(len(buffer), len(piece) - start)
        if isinstance(piece, range):
            self._file.seek(piece.start + start)
            data = self._file.read(wanted)
        else:
            data = piece[start : start + wanted]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _spliced(file: BinaryIO, pieces: Sequence[range | bytes]) -> BinaryIO:
    return io.BufferedReader(_Spliced(file, pieces), 1 << 16)


def _length(file: BinaryIO) -> int:
    return file.seek(0, io.SEEK_END)


# JPEG


def _jpeg(file: BinaryIO) -> StoredImage:
    """Without APP segments and comments, but for those that say what the colours are (JFIF, Adobe)."""
    pieces: list[range | bytes] = [range(0, 2)]
    orientation, components, is_progressive = None, 0, False
    at = 2
    for number in itertools.count():
        if number == _JPEG_SEGMENTS_MAX:
            raise ValueError(f"it has over {number:,} segments")
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            break
        marker, length = head[1], int.from_bytes(head[2:], "big")
        if marker == 0xFF:  # a byte to fill
            at += 1
            continue
        if marker == 0xDA or marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD9 or length < 2:
            break
        stop = at + 2 + length
        if 0xE0 <= marker <= 0xEF or marker == 0xFE:
            data = file.read(min(length - 2, 16))
            if marker == 0xE1 and orientation is None and data.startswith(b"Exif\0\0"):
                orientation = exif_orientation(data + file.read(max(0, length - 2 - len(data))))
            says_colours = (marker == 0xE0 and data.startswith(b"JFIF\0") and length >= 16) or (
                marker == 0xEE and data.startswith(b"Adobe") and length >= 14
            )
        else:
            says_colours = True
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                components = (file.read(6) + bytes(6))[5]
                is_progressive = marker in (0xC2, 0xC6, 0xCA, 0xCE)
        if says_colours:
            pieces.append(range(at, stop))
        at = stop
    file.seek(at + 4)
    in_scan = file.read(1)
    many = is_progressive or (len(in_scan) == 1 and in_scan[0] < components)
    pieces.append(range(at, max(at, _length(file))))
    return StoredImage(_spliced(file, pieces), orientation or 1, at if many else 0)


# PNG


def _png(file: BinaryIO) -> StoredImage:
    """With the chunks that the pixels need alone: critical ones, and transparency."""
    pieces: list[range | bytes] = [range(0, 8)]
    orientation, colours = None, -1
    for kind, at, length in _png_chunks(file):
        stop = at + length + 4
        if kind == b"IHDR":
            colours = (file.read(min(length, 10)) + bytes(10))[9]
        if kind == b"tRNS":
            data = file.read(min(length, 256))
            if length in {0: (2,), 2: (6,), 3: range(257)}.get(colours, ()) and len(data) == length:
                pieces.append(struct.pack(">I", length) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
        elif kind[:1].isupper():
            _extend(pieces, at - 8, stop)
        elif orientation is None and kind in (b"eXIf", b"zTXt", b"tEXt") and length <= _METADATA_MAX_BYTES:
            block = file.read(length)
            block = block if kind == b"eXIf" else _raw_profile(block, packed=kind == b"zTXt")
            orientation = exif_orientation(block) if block else None
    return StoredImage(_spliced(file, pieces), orientation or 1)


def _extend(pieces: list[range | bytes], start: int, stop: int) -> None:
    last = pieces[-1]
    if isinstance(last, range) and last.stop == start:
        pieces[-1] = range(last.start, stop)
    else:
        pieces.append(range(start, stop))


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where the data begin, length) of each chunk; the file stands at the data."""
    at, end = 8, _length(file)
    for number in itertools.count():
        if number == _CHUNKS_MAX:
            raise ValueError(f"it has over {number:,} chunks")
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        length = min(length, max(0, end - at - 8))
        yield kind, at + 8, length
        at += length + 12


def _raw_profile(data: bytes, *, packed: bool) -> bytes:
    """The EXIF block that ImageMagick writes as hexadecimal text; empty where there is none."""
    keyword, _, text = data.partition(b"\0")
    if keyword != b"Raw profile type exif":
        return b""
    try:
        plain = zlib.decompressobj().decompress(text[1:], _METADATA_MAX_BYTES) if packed else text
        return bytes.fromhex("".join(plain.decode("ascii").split("\n")[3:]))
    except (zlib.error, ValueError):
        return b""


def _png_frames(file: BinaryIO) -> int:
    for kind, _, length in _png_chunks(file):
        if kind == b"acTL" and length >= 4:
            return int.from_bytes(file.read(4), "big")
        if kind == b"IDAT":
            break
    return 1


# TIFF, and EXIF, which is one


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory of a TIFF: its ``entries`` as they are stored, and where the ``next`` one is (0: none)."""

    at: int
    is_big: bool
    order: str
    entries: tuple[bytes, ...]
    next: int

    def number(self, tag: int, default: int) -> int:
        """The value of the first entry of a tag that is a single whole number."""
        for entry in self.entries:
            found, kind = struct.unpack_from(self.order + "HH", entry)
            if found == tag and kind in _INTEGERS:
                value: int = struct.unpack_from(self.order + _INTEGERS[kind], entry, 12 if self.is_big else 8)[0]
                return value
        return default

    @property
    def orientation(self) -> int:
        value = self.number(_ORIENTATION, 1)
        return value if 1 <= value <= 8 else 1

    @property
    def is_page(self) -> bool:
        """Whether it is a picture of its own, no preview and no mask of another."""
        return not self.number(_SUBFILE, 0) & 0b101 and self.number(_OLD_SUBFILE, 0) != 2


def _read_directory(file: BinaryIO, at: int | None = None) -> _Directory | None:
    """The directory at a place, or the first one; None where there is none that can be read."""
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    if not order or len(head) < 8:
        return None
    is_big = struct.unpack_from(order + "H", head, 2)[0] == 43
    if at is None:
        if is_big and len(head) < 16:
            return None
        at = struct.unpack_from(order + ("Q" if is_big else "L"), head, 8 if is_big else 4)[0]
    word, size = ("Q", 20) if is_big else ("H", 12)
    width, link = struct.calcsize(order + word), "Q" if is_big else "L"
    if at > 1 << 62:
        return None
    file.seek(at)
    stated = file.read(width)
    if len(stated) < width:
        return None
    number = struct.unpack(order + word, stated)[0]
    if number > 0xFFFF:
        return None
    table = file.read(number * size)
    entries = tuple(table[start : start + size] for start in range(0, len(table) - size + 1, size))
    end = file.read(struct.calcsize(order + link))
    following = struct.unpack(order + link, end)[0] if len(end) == struct.calcsize(order + link) else 0
    return _Directory(at, is_big, order, entries, following)


def _tiff(file: BinaryIO) -> StoredImage:
    """The first page alone, its directory cut down to what the pixels need."""
    directory = _read_directory(file)
    if directory is None or directory.at < 8:
        return StoredImage(file)
    order, is_big = directory.order, directory.is_big
    kept = [each for each in directory.entries if struct.unpack_from(order + "H", each)[0] in _TIFF_TAGS]
    number, link = ("Q", "Q") if is_big else ("H", "L")
    table = struct.pack(order + number, len(kept)) + b"".join(kept) + struct.pack(order + link, 0)
    end = _length(file)
    pieces: list[range | bytes] = [range(0, min(end, directory.at)), table]
    pieces.append(range(min(end, directory.at + len(table)), end))
    return StoredImage(_spliced(file, pieces), directory.orientation)


def _tiff_pages(file: BinaryIO) -> int:
    pages, at, seen = 0, None, set[int]()
    while len(seen) < _TIFF_PAGES_MAX and (directory := _read_directory(file, at)) is not None:
        pages += directory.is_page
        seen.add(directory.at)
        at = directory.next
        if at == 0 or at in seen:
            break
    return pages


# WebP


def _webp(file: BinaryIO) -> StoredImage:
    """As it is: its decoder hands metadata out without looking at them."""
    for kind, length in _webp_chunks(file):
        if kind == b"EXIF":
            return StoredImage(file, exif_orientation(file.read(min(length, _METADATA_MAX_BYTES))))
    return StoredImage(file)


def _webp_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    at = 12
    for _ in range(_CHUNKS_MAX):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        kind, length = struct.unpack("<4sI", head)
        yield kind, length
        at += 8 + length + length % 2


def _webp_frames(file: BinaryIO) -> int:
    return sum(kind == b"ANMF" for kind, _ in _webp_chunks(file))


# GIF


def _gif_frames(file: BinaryIO) -> int:
    file.seek(10)
    at, frames, blocks = 13 + _gif_palette(file.read(1)), 0, 0
    while blocks < _CHUNKS_MAX:
        file.seek(at)
        head = file.read(10)
        if head[:1] == b"," and len(head) == 10:
            frames += 1
            at += 11 + _gif_palette(head[9:])
        elif head[:1] == b"!":
            at += 2
        else:
            break
        length = 1
        while length and blocks < _CHUNKS_MAX:  # each block stands behind its length, and an empty one ends them
            file.seek(at)
            length = sum(file.read(1))
            at += 1 + length
            blocks += 1
    return frames


def _gif_palette(flags: bytes) -> int:
    """The bytes of the palette that such flags announce."""
    return 3 << (flags[0] % 8 + 1) if flags and flags[0] & 0x80 else 0


# PPM


def _ppm(file: BinaryIO) -> StoredImage:
    """As it is, if its header ends: comments are part of it, and are read letter by letter."""
    head = file.read(_PPM_HEADER_MAX)
    if len(head) == _PPM_HEADER_MAX and len(re.sub(rb"#[^\r\n]*", b"", head).split(None, 3)) < 4:
        raise ValueError(f"its header is longer than {len(head):,} bytes")
    return StoredImage(file)


# HEIC and AVIF


def _boxes(file: BinaryIO) -> StoredImage:
    """With the items of EXIF and XMP under another name; how to turn the image is a property of its own there."""
    at, end = 0, _length(file)
    for _ in range(_CHUNKS_MAX):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        length, kind = struct.unpack_from(">I4s", head)
        length = int.from_bytes(head[8:16], "big") if length == 1 else length or end - at
        if length < 8:
            break
        if kind == b"meta" and length <= 16 * _METADATA_MAX_BYTES:
            stop = min(end, at + length)
            file.seek(at)
            hidden = _HIDDEN_ITEM.sub(rb"\1skip", file.read(stop - at))
            return StoredImage(_spliced(file, [range(0, at), hidden, range(stop, end)]))
        at += length
    return StoredImage(file)


_READERS: Mapping[str, Callable[[BinaryIO], StoredImage]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "WebP": _webp,
    "PPM": _ppm,
    "AVIF": _boxes,
    "HEIC": _boxes,
}
