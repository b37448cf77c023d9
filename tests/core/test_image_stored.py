"""Decoders get the pixels alone: whatever stands in the metadata, the image is read, turned as its orientation says."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, features

from headcount.core.errors import InputError
from headcount.core.image import EncodedImage, count_pictures, read_header, read_image, read_reduced
from headcount.core.image_stored import exif_orientation
from headcount.core.scene import Scene

UPRIGHT = np.full((40, 64, 3), 90, np.uint8)
UPRIGHT[:12, 40:] = (255, 0, 0)
STORED = {
    1: UPRIGHT, 2: UPRIGHT[:, ::-1], 3: UPRIGHT[::-1, ::-1], 4: UPRIGHT[::-1], 5: UPRIGHT.transpose(1, 0, 2),
    6: np.rot90(UPRIGHT, 1), 7: np.rot90(UPRIGHT, 2).transpose(1, 0, 2), 8: np.rot90(UPRIGHT, -1),
}  # fmt: skip


def encoded(kind: str, stored: np.ndarray = UPRIGHT, **options: object) -> bytes:
    out = io.BytesIO()
    if kind == "JPEG":
        options = {"quality": 98, "subsampling": 0, **options}
    if kind == "WEBP":
        options = {"lossless": True, **options}
    Image.fromarray(np.ascontiguousarray(stored)).save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def entry(order: str, tag: int, kind: int, number: int, value: bytes) -> bytes:
    return struct.pack(order + "HHL", tag, kind, number) + value.ljust(4, b"\0")


def exif_of(*entries: bytes, order: str = "<") -> bytes:
    magic = b"II*\0" if order == "<" else b"MM\0*"
    table = struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
    return b"Exif\0\0" + magic + struct.pack(order + "L", 8) + table


def with_exif(content: bytes, block: bytes) -> bytes:
    """A JPEG, PNG or WebP with an EXIF block of any content."""
    if content.startswith(b"\xff\xd8"):
        return content[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + content[2:]
    if content.startswith(b"\x89PNG"):
        return content[:33] + chunk(b"eXIf", block.removeprefix(b"Exif\0\0")) + content[33:]
    body = content[12:] + b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
    width, height = Image.open(io.BytesIO(content)).size
    size = struct.pack("<HBHB", width - 1, 0, height - 1, 0)
    body = b"VP8X" + struct.pack("<I", 10) + b"\x08\0\0\0" + size + body
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def chunk(kind: bytes, data: bytes, *, checksum: int | None = None) -> bytes:
    right = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", right if checksum is None else checksum)


def close(pixels: np.ndarray, upright: np.ndarray = UPRIGHT) -> None:
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).max() <= 6


ODD_BLOCKS = {
    "empty": b"Exif\0\0",
    "no TIFF": b"Exif\0\0" + b"hello" * 9,
    "cut": exif_of(entry("<", 0x0112, 3, 1, b"\6\0"))[:20],
    "far away": b"Exif\0\0II*\0" + b"\xff\xff\xff\x7f",
    "resolution of text": exif_of(entry("<", 0x011A, 2, 4, b"abc\0"), entry("<", 0x0128, 3, 1, b"\2\0")),
    "resolution is no number": exif_of(entry("<", 0x011A, 11, 1, struct.pack("<f", np.nan))),
    "make is a rational": exif_of(entry("<", 0x010F, 5, 1, b"\x08\0\0\0")),
    "width below 0": exif_of(entry("<", 0x0100, 9, 1, struct.pack("<l", -5))),
    "two billion values": exif_of(entry("<", 0x0131, 4, 2**31, b"\x08\0\0\0")),
    "an unknown type": exif_of(entry("<", 0x0110, 999, 1, b"\1\0\0\0")),
    "orientation is infinite": exif_of(entry("<", 0x0112, 11, 1, struct.pack("<f", np.inf))),
    "orientation of text": exif_of(entry("<", 0x0112, 2, 2, b"6\0")),
    "orientation 0": exif_of(entry("<", 0x0112, 3, 1, b"\0\0")),
    "orientation 9": exif_of(entry("<", 0x0112, 3, 1, b"\x09\0")),
    "a directory in itself": exif_of(entry("<", 0x8769, 4, 1, b"\x08\0\0\0")),
    "65,535 entries": b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("case", ODD_BLOCKS)
def test_no_exif_block_makes_an_image_unreadable(tmp_path: Path, kind: str, case: str) -> None:
    path = tmp_path / "a.img"
    path.write_bytes(with_exif(encoded(kind), ODD_BLOCKS[case]))
    assert read_header(path).orientation == 1
    close(read_image(path))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("type_and_value", [(3, "H"), (4, "L"), (1, "B"), (8, "h")])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_is_read_beside_nonsense(
    tmp_path: Path, kind: str, type_and_value: tuple[int, str], order: str
) -> None:
    number, code = type_and_value
    block = exif_of(
        entry(order, 0x010F, 5, 9, b"\xff\xff\xff\x7f"),
        entry(order, 0x0112, number, 1, struct.pack(order + code, 6)),
        entry(order, 0x011A, 2, 2**31, b"abc\0"),
        order=order,
    )
    path = tmp_path / "a.img"
    path.write_bytes(with_exif(encoded(kind, STORED[6]), block))
    assert (read_header(path).orientation, read_header(path).size_wh) == (6, (64, 40))
    close(read_image(path))


def test_any_bytes_are_an_exif_block() -> None:
    draw = np.random.default_rng(0)
    whole = exif_of(entry("<", 0x0112, 3, 1, b"\6\0"), entry("<", 0x011A, 5, 1, b"\x08\0\0\0"))
    for _ in range(2000):
        block = bytearray(whole)
        for place in draw.integers(0, len(block), 3):
            block[place] = draw.integers(256)
        assert 1 <= exif_orientation(bytes(block)) <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_a_turned_tiff_has_one_size_everywhere(tmp_path: Path, compression: str, orientation: int) -> None:
    path = tmp_path / "a.tif"
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 98} if compression == "jpeg" else {}
    path.write_bytes(encoded("TIFF", STORED[orientation], exif=exif, compression=compression, **options))
    header = read_header(path)
    assert (header.size_wh, header.orientation) == ((64, 40), orientation)
    pixels = read_image(path)
    assert pixels.shape == (40, 64, 3)
    assert pixels[6, 52, 0] > 240
    assert Scene(image=path).size_wh == (64, 40)
    assert read_reduced(path, 4).pixels.shape == (40, 64, 3)


def tiff(*pages: dict[int, tuple[int, list[int]]], big: bool = False) -> bytes:
    """A TIFF of gray 8 × 4 pages, as bright as 10, 20, …, with more tags."""
    out = bytearray(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) if big else struct.pack("<2sHL", b"II", 42, 8))
    for number, more in enumerate(pages):
        size, width, link = (20, "Q", "Q") if big else (12, "H", "L")
        tags = {
            256: (3, [8]), 257: (3, [4]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]), 273: (4, [0]), 277: (3, [1]),
            278: (3, [4]), 279: (4, [32]), **more,
        }  # fmt: skip
        start = len(out)
        end = start + struct.calcsize("<" + width) + size * len(tags) + struct.calcsize("<" + link)
        tags[273] = (4, [end])
        out += struct.pack("<" + width, len(tags))
        for tag in sorted(tags):
            kind, values = tags[tag]
            value = b"".join(struct.pack("<" + {1: "B", 2: "B", 3: "H", 4: "L"}[kind], each) for each in values)
            out += struct.pack("<HH" + link, tag, kind, len(values)) + value.ljust(8 if big else 4, b"\0")
        out += struct.pack("<" + link, end + 32 if number + 1 < len(pages) else 0) + bytes([10 * (number + 1)]) * 32
    return bytes(out)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("pages", "number"),
    [([{}], 1), ([{}, {}, {}], 3), ([{}, {254: (4, [1])}, {254: (4, [4])}], 1), ([{}, {254: (4, [2])}], 2)],
)
def test_the_pages_of_a_tiff_are_counted_without_previews(
    pages: list[dict[int, tuple[int, list[int]]]], number: int, big: bool
) -> None:
    file = EncodedImage(tiff(*pages, big=big))
    assert count_pictures(file) == number
    assert read_image(file)[0, 0].tolist() == [10, 10, 10]


def test_pages_that_lead_in_a_circle_end() -> None:
    content = bytearray(tiff({}, {}))
    content[-32 - 4 : -32] = struct.pack("<L", 8)
    assert count_pictures(EncodedImage(bytes(content))) == 2


def test_odd_tags_of_a_tiff_are_not_looked_at() -> None:
    odd = {282: (2, [65, 66, 67, 0]), 296: (2, [66, 0]), 306: (4, [9]), 700: (4, [2**31]), 34665: (4, [8])}
    assert read_image(EncodedImage(tiff(odd)))[0, 0].tolist() == [10, 10, 10]


def test_a_sound_tiff_over_pillows_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for compression in ("raw", "tiff_adobe_deflate"):
        (tmp_path / "a.tif").write_bytes(encoded("TIFF", compression=compression))
        assert read_image(tmp_path / "a.tif").shape == (40, 64, 3)
        with pytest.raises(InputError, match="over the limit of 2,559") as caught:
            read_image(tmp_path / "a.tif", max_pixels=2559)
        assert caught.value.remedy == "max_pixels"
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_pillows_limit_comes_back_after_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    paths = [tmp_path / f"{number}.tif" for number in range(24)]
    for number, path in enumerate(paths):
        path.write_bytes(encoded("TIFF", compression=("raw", "tiff_lzw")[number % 2]))
    with ThreadPoolExecutor(8) as pool:
        assert {pixels.shape for pixels in pool.map(read_image, paths * 4)} == {(40, 64, 3)}
    assert Image.MAX_IMAGE_PIXELS == 1000


MANY_BYTES = zlib.compress(bytes(8 << 20))
PNG_CHUNKS = {
    "long text": chunk(b"zTXt", b"Comment\0\0" + MANY_BYTES),
    "long XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + MANY_BYTES),
    "long profile": chunk(b"iCCP", b"icc\0\0" + MANY_BYTES),
    "wrong checksum": chunk(b"tEXt", b"Comment\0hello", checksum=1),
    "damaged profile": chunk(b"iCCP", b"icc\0\0" + b"no zlib"),
    "short resolution": chunk(b"pHYs", b"\0"),
    "short gamma": chunk(b"gAMA", b""),
    "short transparency": chunk(b"tRNS", b"\0"),
    "wrong animation": chunk(b"acTL", b"\0"),
    "frames out of step": chunk(b"fcTL", struct.pack(">I", 9) + bytes(22)),
    "a chunk of one's own": chunk(b"abCd", bytes(99), checksum=5),
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("case", PNG_CHUNKS)
def test_no_further_chunk_makes_a_png_unreadable(case: str, late: bool) -> None:
    content = encoded("PNG")
    at = len(content) - 12 if late else 33
    file = EncodedImage(content[:at] + PNG_CHUNKS[case] + content[at:])
    np.testing.assert_array_equal(read_image(file), UPRIGHT)


def test_a_wrong_checksum_of_what_is_needed_is_damage() -> None:
    content = bytearray(encoded("PNG"))
    content[29] ^= 1
    with pytest.raises(InputError, match=r"damaged or cut short \(.*checksum"):
        read_image(EncodedImage(bytes(content)))


@pytest.mark.parametrize("checksum", [None, 7])
def test_transparency_is_laid_on_white(checksum: int | None) -> None:
    content = encoded("PNG")
    clear = chunk(b"tRNS", struct.pack(">HHH", 255, 0, 0), checksum=checksum)
    pixels = read_image(EncodedImage(content[:33] + clear + content[33:]))
    assert pixels[0, 63].tolist() == [255, 255, 255]
    assert pixels[39, 0].tolist() == [90, 90, 90]


def test_exif_as_text_of_a_png_is_obeyed() -> None:
    block = exif_of(entry("<", 0x0112, 3, 1, b"\6\0"))
    text = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode()
    raw = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))
    content = encoded("PNG", STORED[6])
    np.testing.assert_array_equal(read_image(EncodedImage(content[:33] + raw + content[33:])), UPRIGHT)


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe0\x00\x07JFIF\0", b"\xff\xe1\x00\x02", b"\xff\xe2\x00\x10MPF\0damaged\0\0\0", b"\xff\xed\x00\x04\0\0",
        b"\xff\xee\x00\x07Adobe", b"\xff\xfe\x00\x05abc", b"\xff\xff\xff\xfe\x00\x05abc",
        b"\xff\xe2\x00\x10ICC_PROFILE\0\0\0",
    ],
)  # fmt: skip
def test_no_further_segment_makes_a_jpeg_unreadable(segment: bytes) -> None:
    content = encoded("JPEG")
    close(read_image(EncodedImage(content[:2] + segment + content[2:])))


def test_colours_of_a_jpeg_stay_what_its_markers_say() -> None:
    cmyk = Image.fromarray(UPRIGHT).convert("CMYK")
    out = io.BytesIO()
    cmyk.save(out, "JPEG", quality=98)
    close(read_image(EncodedImage(out.getvalue())), np.asarray(cmyk.convert("RGB")))
    close(read_image(EncodedImage(encoded("JPEG", keep_rgb=True))))


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once() -> None:
    content = encoded("JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    many = content[:-2] + content[last:-2] * 3000 + b"\xff\xd9"
    with pytest.raises(InputError, match="more than 100 scans"):
        read_image(EncodedImage(many))
    assert read_header(EncodedImage(many)).size_wh == (64, 40)
    close(read_image(EncodedImage(content)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xd8" + b"\xff\xe1\x00\x02" * 30_000, "over 20,000 segments"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"abCd", b"") * 1_000_001, "over 1,000,000 chunks"),
        (b"P6\n#" + b"a" * 9_000_000 + b"\n8 8\n255\n" + bytes(192), "header is longer than 65,536 bytes"),
    ],
    ids=["JPEG", "PNG", "PPM"],
)
def test_endless_metadata_are_refused(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_image(EncodedImage(content))


def test_a_comment_in_a_ppm_is_read_over() -> None:
    pixels = read_image(EncodedImage(b"P6\n#" + b"a" * 900 + b"\n8 8\n255\n" + bytes(192)))
    assert pixels.shape == (8, 8, 3)


def test_what_lies_behind_a_jpeg_of_one_scan_does_not_matter() -> None:
    close(read_image(EncodedImage(encoded("JPEG") + b"\xff\xda" * 3000)))


@pytest.mark.parametrize(("kind", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_the_frames_of_an_animation_are_counted(kind: str, options: dict[str, object]) -> None:
    frames = [Image.new("RGB", (16, 12), (20 * k, 0, 0)) for k in range(1, 6)]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], **options)  # type: ignore[arg-type]
    assert count_pictures(EncodedImage(out.getvalue())) == 5
    assert abs(int(read_image(EncodedImage(out.getvalue()))[0, 0, 0]) - 20) < 3


def test_one_picture_is_one(odd_images: dict) -> None:
    for name, (path, _, _) in odd_images.items():
        assert count_pictures(path) == (1 if name != "animated.gif" else count_pictures(path))
    assert count_pictures(EncodedImage(b"no image at all")) == 1


needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow does not read AVIF")


@needs_avif
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "make"
    path = tmp_path / "a.avif"
    path.write_bytes(encoded("AVIF", STORED[orientation], exif=exif, quality=98, subsampling="4:4:4"))
    assert read_header(path).size_wh == (64, 40)
    close(read_image(path))
    damaged = path.read_bytes().replace(b"II*\0\x08\0\0\0", b"II*\0\x08\0\0\0"[:4] + b"\xff\xff\xff\xff")
    close(read_image(EncodedImage(damaged.replace(b"make", b"\xff\xff\xff\xff"))))


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic(tmp_path: Path, orientation: int) -> None:
    heif = pytest.importorskip("pillow_heif", reason="HEIC is read with the heif extra")
    path = tmp_path / "a.HEIC"
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "maker"
    file = heif.from_pillow(image)
    file.info["exif"] = exif.tobytes()  # written as the file's own property, which is what is obeyed
    file.save(path, quality=-1, chroma=444)
    assert (read_header(path).size_wh, read_header(path).format) == ((64, 40), "HEIC")
    close(read_image(path))
    close(read_image(EncodedImage(path.read_bytes().replace(b"maker", b"\xff" * 5).replace(b"II*\0", b"II*\xff"))))


def test_what_a_decoder_raises_is_one_sentence_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object, **__: object) -> None:
        raise OverflowError("cannot\nconvert")

    makers: list[Callable[[], bytes]] = [lambda: encoded("PNG"), lambda: encoded("JPEG")]
    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "_setup", decode)
    with pytest.raises(InputError, match=r"TIFF image that is damaged.*\(cannot convert\)"):
        read_image(EncodedImage(encoded("TIFF")))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    for make in makers:
        with pytest.raises(InputError, match=r"damaged or cut short \(cannot convert\)"):
            read_image(EncodedImage(make()))
