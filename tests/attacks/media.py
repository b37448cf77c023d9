"""Malformed image and video files, made from a photograph and a film of it by a seed: the same bytes each time.

Forty: cut short, turned bits, lies in headers, mixed up kinds, and what is odd and sound.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

_PHOTOGRAPH = Path(__file__).parents[2] / "docs/plaza.jpg"
_SIDE_PX = 160


def malformed(seed: int = 1) -> dict[str, bytes]:
    """The files by their names. Without PyAV there are no films among them but the motion JPEG that OpenCV writes."""
    draw = np.random.default_rng(seed)
    picture = Image.open(_PHOTOGRAPH).convert("RGB").resize((_SIDE_PX, _SIDE_PX * 3 // 4))
    return dict([*_images(picture, draw), *_films(picture, draw)])


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def _turned(data: bytes, draw: np.random.Generator, start: int, stop: int, times: int = 8) -> bytes:
    """Bits turned over between two places."""
    found = bytearray(data)
    for at in draw.integers(start, min(stop, len(data)), times):
        found[at] ^= 1 << int(draw.integers(8))
    return bytes(found)


def _images(picture: Image.Image, draw: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    jpeg, png = _saved(picture, "JPEG", quality=80), _saved(picture, "PNG")
    webp, tiff, gif = _saved(picture, "WEBP"), _saved(picture, "TIFF"), _saved(picture.quantize(16), "GIF")
    yield "cut-at-header.jpg", jpeg[:20]
    yield "cut-in-pixels.jpg", jpeg[: len(jpeg) // 2]
    yield "cut-at-end.jpg", jpeg[:-3]
    yield "cut.png", png[: len(png) // 3]
    yield "cut.webp", webp[: len(webp) * 2 // 3]
    yield "cut.gif", gif[: len(gif) // 2]
    yield "turned-header.jpg", _turned(jpeg, draw, 2, 400)
    yield "turned-header.png", _turned(png, draw, 8, 33)
    yield "turned-header.tif", _turned(tiff, draw, len(tiff) - 200, len(tiff), 30)
    yield "turned-pixels.webp", _turned(webp, draw, 30, len(webp), 60)
    yield "wrong-size.png", _chunked(png, b"IHDR", lambda data: struct.pack(">II", 4000, 30) + data[8:])
    yield "wrong-size.bmp", _at(_saved(picture, "BMP"), 18, struct.pack("<ii", _SIDE_PX, -70_000))
    yield "strips-beyond.tif", tiff[: len(tiff) // 2] + tiff[-400:]
    yield "odd-order.png", _reordered(png)
    yield "without-end.png", png[:-12]
    yield "empty.jpg", b""
    yield "png-inside.jpg", png
    yield "page.png", b"<!doctype html><html><body>Not found</body></html>"
    yield "animated.gif", _saved(picture, "GIF", save_all=True, append_images=[picture.rotate(9)] * 3)
    yield "inks.jpg", _saved(picture.convert("CMYK"), "JPEG")
    yield "sixteen-bits.png", _saved(Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257), "PNG")
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + b"\xff" * 200
    yield "broken-exif.jpg", jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = _at(profile, 24, bytes(12))  # the time it was made
    yield "broken-profile.png", _saved(picture, "PNG", icc_profile=_turned(profile, draw, 0, len(profile), 200))
    yield "two-in-one.jpg", jpeg + png + jpeg


def _at(data: bytes, place: int, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += length + 12


def _joined(chunks: list[tuple[bytes, bytes]]) -> bytes:
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _chunked(png: bytes, kind: bytes, change: object) -> bytes:
    return _joined([(each, change(data) if each == kind else data) for each, data in _chunks(png)])  # type: ignore[operator]


def _reordered(png: bytes) -> bytes:
    """The palette behind the pixels, the pixels in pieces with a text between them."""
    found: list[tuple[bytes, bytes]] = []
    for kind, data in _chunks(png):
        if kind == b"IDAT":
            half = len(data) // 2
            found += [(kind, data[:half]), (b"tEXt", b"a\0b"), (kind, data[half:]), (b"PLTE", bytes(6))]
        else:
            found.append((kind, data))
    return _joined(found)


def _films(picture: Image.Image, draw: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    avi = _film(picture, "avi", "mjpeg")
    yield "cut.avi", avi[: len(avi) // 2]
    yield "turned-index.avi", _turned(avi, draw, len(avi) - 200, len(avi), 40)
    mp4, mkv, webm = (_film(picture, *each) for each in (("mp4", "mpeg4"), ("matroska", "mjpeg"), ("webm", "libvpx")))
    moov = mp4.rindex(b"moov") - 4
    yield "without-index.mp4", mp4[:moov]
    yield "index-alone.mp4", mp4[: mp4.index(b"mdat") - 4] + mp4[moov:]
    yield "cut-in-index.mp4", mp4[: moov + (len(mp4) - moov) // 2]
    yield "turned-index.mp4", _turned(mp4, draw, moov + 8, len(mp4), 40)
    yield "absurd-rate.mp4", _rescaled(mp4, 2**31 - 1)
    yield "no-rate.mp4", _rescaled(mp4, 0)
    yield "no-pictures.mp4", _film(picture, "mp4", "mpeg4", frames=0)
    yield "one-picture.mp4", _film(picture, "mp4", "mpeg4", frames=1)
    yield "before-its-start.mkv", _film(picture, "matroska", "mjpeg", start=-50)
    yield "cut.mkv", mkv[: len(mkv) // 3]
    yield "turned.webm", _turned(webm, draw, 4, 600, 40)
    turned = picture.rotate(90, expand=True).resize((96, 200))
    yield "changes-size.ts", _film(picture, "mpegts", "mpeg2video") + _film(turned, "mpegts", "mpeg2video")
    yield "sound-alone.mp4", _sound()
    yield "empty.mkv", b""


def _film(picture: Image.Image, container: str, codec: str, *, frames: int = 12, start: int = 0) -> bytes:
    """So many frames at 10 a second."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container, options={"avoid_negative_ts": "disabled", "fflags": "bitexact"}) as out:
        stream = out.add_stream(codec, rate=25 if codec == "mpeg2video" else 10)
        stream.width, stream.height = picture.size  # type: ignore[attr-defined]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"  # type: ignore[attr-defined]
        stream.codec_context.thread_count = 1
        for number in range(frames):
            frame = av.VideoFrame.from_image(picture.rotate(number))
            frame.pts = number + start
            out.mux(stream.encode(frame))  # type: ignore[attr-defined]
        out.mux(stream.encode())  # type: ignore[attr-defined]
    return file.getvalue()


def _sound() -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=16_000)
        samples = np.zeros((1, 1024), np.float32)
        for number in range(8):
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, number * 1024
            out.mux(stream.encode(frame))  # type: ignore[attr-defined]
        out.mux(stream.encode())  # type: ignore[attr-defined]
    return file.getvalue()


def _rescaled(mp4: bytes, scale: int) -> bytes:
    """With another number of ticks a second in the header of its pictures."""
    at = mp4.rindex(b"mdhd") + 4
    return _at(mp4, at + 12, struct.pack(">I", scale))
