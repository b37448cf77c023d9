"""What a video file says of itself, without decoding: its kind by its first bytes, and of MP4 its length and codec."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

Kind = Literal[
    "MP4", "Matroska", "AVI", "FLV", "ASF", "MPEG-PS", "MPEG-TS", "Ogg", "MXF", "IVF", "YUV4MPEG", "NUT", "RealMedia",
    "playlist", "",
]  # fmt: skip

_HEAD_BYTES = 1200
_BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (b"\x1a\x45\xdf\xa3", "Matroska"), (b"FLV\x01", "FLV"), (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ASF"),
    (b"\x00\x00\x01\xba", "MPEG-PS"), (b"\x00\x00\x01\xb3", "MPEG-PS"), (b"OggS", "Ogg"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "MXF"), (b"DKIF", "IVF"), (b"YUV4MPEG2", "YUV4MPEG"),
    (b"nut/multimedia container", "NUT"), (b".RMF", "RealMedia"),
    (b"#EXTM3U", "playlist"), (b"ffconcat", "playlist"),
)  # fmt: skip
_STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"jxl ", b"crx ", b"jp2 ")
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"pnot")
_BOXES_MAX = 20_000
_TAG_BYTES = 1 << 18
_DURATION_TAG = re.compile(rb"DURATION\x44\x87[\x40-\xff][\x00-\xff]?(\d\d):(\d\d):(\d\d\.\d{1,9})")
_CODECS = {
    "av01": "AV1", "vvc1": "H.266", "vvi1": "H.266", "hvc1": "H.265", "hev1": "H.265", "hevc": "H.265", "avc1": "H.264",
    "h264": "H.264", "vp90": "VP9", "vp09": "VP9", "vp80": "VP8", "mp4v": "MPEG-4", "evc1": "EVC", "lvc1": "LCEVC",
}  # fmt: skip
SELDOM_DECODED = frozenset({"AV1", "H.266", "EVC", "LCEVC"})
"""Codecs for which many builds of OpenCV have no decoder."""


def kind_of_video(path: Path) -> Kind:
    """The container, by content; empty where the file is none that is known, or cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return ""
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    if (head[4:8] == b"ftyp" and head[8:12] not in _STILL_BRANDS) or head[4:8] in _QUICKTIME_BOXES:
        return "MP4"
    # Packets of 188 bytes that begin with 0x47; in M2TS each has 4 bytes before it, elsewhere 16 behind.
    for start, length in ((0, 188), (4, 192), (0, 204)):
        marks = head[start::length]
        if len(marks) > 4 and set(marks) == {0x47}:
            return "MPEG-TS"
    return ""


def codec_name(four_letters: str) -> str:
    """A codec as people call it; the four letters where nobody does.

    >>> codec_name("AV01"), codec_name("abcd"), codec_name("")
    ('AV1', 'abcd', '')
    """
    letters = "".join(letter for letter in four_letters if letter.isprintable()).strip()
    return _CODECS.get(letters.lower(), letters)


@dataclass(slots=True)
class Mp4Facts:
    """What an MP4 or QuickTime file says of its first video track.

    Attributes:
        seconds: how long it is shown, by its edit list where it has one; 0 where it does not say.
        codec: its four letters, or empty where it has no video.
        has_index: whether there is the part that says what is where.
    """

    seconds: float = 0.0
    codec: str = ""
    has_index: bool = False


def mp4_facts(path: Path) -> Mp4Facts:
    """Read them; what is damaged is left out, and nothing is raised."""
    facts = Mp4Facts()
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            for kind, start, stop in _boxes(file, 0, size):
                facts.has_index |= kind == b"moov"
                if kind == b"moov" and not facts.codec:
                    _read_moov(file, start, stop, facts)
    except (OSError, struct.error, ValueError):
        pass
    return facts


def matroska_ends_s(path: Path) -> list[float]:
    """Where the tracks of a Matroska or WebM file end, in seconds, as far as their tags say."""
    try:
        with path.open("rb") as file:
            ends = file.read(_TAG_BYTES)
            file.seek(max(len(ends), file.seek(0, 2) - _TAG_BYTES))
            ends += file.read(_TAG_BYTES)
    except OSError:
        return []
    return [3600 * int(h) + 60 * int(m) + float(s) for h, m, s in _DURATION_TAG.findall(ends)]


def _read_moov(file: BinaryIO, start: int, stop: int, facts: Mp4Facts) -> None:
    per_second = 0
    for kind, inner, end in _boxes(file, start, stop):
        if kind == b"mvhd":
            content = _content(file, inner, end, 24)
            (per_second,) = struct.unpack_from(">I", content, 20 if content[0] == 1 else 12)
        elif kind == b"trak" and not facts.codec:
            ticks, codec = _read_track(file, inner, end)
            if codec:
                facts.codec = codec
                facts.seconds = ticks / per_second if per_second else 0.0


def _read_track(file: BinaryIO, start: int, stop: int) -> tuple[int, str]:
    """The length of a track in the movie's ticks, and its codec; empty where it is no video."""
    ticks, codec, is_video = 0, "", False
    within = [(start, stop)]
    while within:
        for kind, inner, end in _boxes(file, *within.pop()):
            if kind in (b"mdia", b"minf", b"stbl"):
                within.append((inner, end))
            elif kind == b"tkhd":
                content = _content(file, inner, end, 36)
                long = content[0] == 1
                (ticks,) = struct.unpack_from(">Q" if long else ">I", content, 28 if long else 20)
                ticks = 0 if ticks in (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF) else ticks
            elif kind == b"hdlr":
                is_video |= _content(file, inner, end, 12)[8:12] == b"vide"
            elif kind == b"stsd":
                codec = _content(file, inner, end, 16)[12:16].decode("latin-1")
    return ticks, codec if is_video else ""


def _content(file: BinaryIO, start: int, stop: int, length: int) -> bytes:
    file.seek(start)
    return file.read(min(length, stop - start))


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its content begins, where it ends) of the boxes between two places."""
    for _ in range(_BOXES_MAX):
        if start + 8 > stop:
            return
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
            header = 16
        end = stop if length == 0 else start + length
        if (length and length < header) or end > stop:
            return
        yield kind, start + header, end
        start = end
