"""Any photograph becomes upright 8-bit RGB, or one clear error."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import headcount
from headcount.core.errors import InputError
from headcount.core.image import as_rgb_array, read_header, read_image, read_reduced

NAMES = (
    "rgb.png", "gray.png", "gray16.png", "gray16.tif", "rgb16.png", "bilevel.png", "gray-clear.png", "rgba.png",
    "palette.png", "palette-clear.png", "animated.gif", "cmyk.jpg", "gray.jpg", "turned.jpg", "one.png", "long.png",
    "tall.png",
)  # fmt: skip
BAD = ("missing.jpg", "zero.jpg", "text.jpg", "cut.jpg", "cut.png", "huge.png", "page.png")


@pytest.mark.parametrize("name", NAMES)
def test_odd_images_are_read_rightly(odd_images: dict, name: str) -> None:
    path, size_wh, colour = odd_images[name]
    pixels = read_image(path)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (size_wh[1], size_wh[0], 3)
    assert pixels.flags.c_contiguous
    assert np.abs(pixels[0, 0].astype(int) - colour).max() <= 6
    assert read_header(path).size_wh == size_wh


@pytest.mark.parametrize("orientation", [1, 6])
def test_stored_gray_is_what_opencv_reads_as_gray(tmp_path: Path, orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=60, exif=exif)
    gray = cv2.imread(str(tmp_path / "a.jpg"), cv2.IMREAD_GRAYSCALE)
    found = read_image(tmp_path / "a.jpg", stored_gray=True)
    assert all(np.array_equal(found[..., channel], gray) for channel in range(3))
    made = cv2.cvtColor(read_image(tmp_path / "a.jpg"), cv2.COLOR_RGB2GRAY)
    assert np.abs(made.astype(int) - gray).max() > 3  # colours that a JPEG has cut off at 0 and 255 tell another one


def test_stored_gray_of_what_is_no_jpeg_is_its_colours(odd_images: dict) -> None:
    path = odd_images["rgb.png"][0]
    assert np.array_equal(read_image(path, stored_gray=True), read_image(path))


@pytest.mark.parametrize("name", BAD)
def test_bad_files_get_one_sentence(bad_images: dict, name: str) -> None:
    path, words = bad_images[name]
    with pytest.raises(InputError, match=words) as caught:
        read_image(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_limit_is_the_callers(odd_images: dict) -> None:
    path = odd_images["rgb.png"][0]
    assert read_image(path, max_pixels=64 * 48).shape == (48, 64, 3)
    with pytest.raises(InputError, match="over the limit of 3,071"):
        read_image(path, max_pixels=64 * 48 - 1)


def test_pillows_own_limit_comes_back(odd_images: dict) -> None:
    before = Image.MAX_IMAGE_PIXELS
    read_image(odd_images["rgb.png"][0])
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("brightest", "gray"), [(255, 255), (1023, 255), (4095, 255), (16383, 255), (65535, 255), (200, 200), (2048, 128)]
)
@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_the_bits_in_use_are_seen(tmp_path: Path, dtype: type, brightest: int, gray: int) -> None:
    values = np.array([[0, brightest]], dtype)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == [0, gray]


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", Path("/dev/null")):
        with pytest.raises(InputError, match="no regular file"):
            read_image(path)


@pytest.mark.parametrize(("target", "words"), [("gone.jpg", "leads nowhere"), ("link.jpg", "leads nowhere")])
def test_links_that_lead_nowhere(tmp_path: Path, target: str, words: str) -> None:
    (tmp_path / "link.jpg").symlink_to(tmp_path / target)
    with pytest.raises(InputError, match=words):
        read_image(tmp_path / "link.jpg")


def test_a_name_too_long(tmp_path: Path) -> None:
    for path in ("x" * 5000, tmp_path / f"{'x' * 300}.jpg", "a\0b"):
        with pytest.raises(InputError) as caught:
            read_image(path)
        assert len(str(caught.value)) < 200


def test_kinds_that_are_not_opened_are_named(tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 90).save(tmp_path / "a.webp")
    (tmp_path / "a.webp").write_bytes((tmp_path / "a.webp").read_bytes()[:200])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_image(tmp_path / "a.webp")
    cv2.imwrite(str(tmp_path / "float.tiff"), np.ones((8, 8, 3), np.float32))
    with pytest.raises(InputError, match="TIFF image that is damaged, or of a kind that is not read"):
        read_image(tmp_path / "float.tiff")


def test_broken_exif_is_no_warning(tmp_path: Path) -> None:
    # In a process of its own, since pytest has its own filters.
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\0" + bytes(8)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    code = f"from headcount.core.image import read_image; print(read_image({str(tmp_path / 'a.jpg')!r}).shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("(8, 8, 3)\n", "")


def test_pillow_does_not_speak_between_our_lines(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    entry = content.index(struct.pack("<HHL", 277, 3, 1))  # samples a pixel
    (tmp_path / "a.tif").write_bytes(content[:entry] + struct.pack("<HHLL", 277, 3, 1, 3000) + content[entry + 12 :])
    code = f"""
from headcount.core.image import read_image
from headcount.core.errors import InputError
try:
    read_image({str(tmp_path / "a.tif")!r})
except InputError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        read_image(tmp_path)


def _save_turned(upright: NDArray[np.uint8], orientation: int, path: Path, **options: object) -> None:
    """What a camera stores so that a viewer that obeys the tag sees `upright`."""
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_upright(tmp_path: Path, orientation: int) -> None:
    upright = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(4, 6, 3)
    _save_turned(upright, orientation, tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), upright)
    assert read_header(tmp_path / "a.png").size_wh == (6, 4)


def _blob(width: int, height: int, x: float, y: float, sigma: float) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0:height, 0:width]
    light = 200 * np.exp(-((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2) / (2 * sigma**2))
    return np.repeat(light.round().astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("size_wh", [(160, 128), (161, 131), (167, 135)])
def test_a_reduced_jpeg_shows_everything_in_its_place(
    tmp_path: Path, size_wh: tuple[int, int], reduction: int, orientation: int
) -> None:
    at = np.array([61.7, 47.2])
    _save_turned(_blob(*size_wh, *at, sigma=9.0), orientation, tmp_path / "a.jpg", quality=98, subsampling=0)
    seen = read_reduced(tmp_path / "a.jpg", reduction)
    assert seen.reduction == reduction
    assert seen.pixels.shape == (-(-size_wh[1] // reduction), -(-size_wh[0] // reduction), 3)
    for origin, length, side in zip(seen.origin_xy, seen.pixels.shape[1::-1], size_wh, strict=True):
        assert -reduction < origin <= 0
        assert side <= origin + reduction * length < side + reduction  # all of it, and no whole pixel more
    light = np.where(seen.pixels[:, :, 0] > 8, seen.pixels[:, :, 0], 0).astype(float)
    rows, columns = np.mgrid[0 : light.shape[0], 0 : light.shape[1]]
    centroid = np.array([(light * (columns + 0.5)).sum(), (light * (rows + 0.5)).sum()]) / light.sum()
    assert np.abs(seen.origin_xy + reduction * centroid - at).max() < 0.25


@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_reduced_jpeg_has_the_colours_of_its_pixels_mean(tmp_path: Path, reduction: int, subsampling: int) -> None:
    rng = np.random.default_rng(3)
    smooth = cv2.resize(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8), (192, 144), interpolation=cv2.INTER_CUBIC)
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95, subsampling=subsampling)
    whole = read_image(tmp_path / "a.jpg").astype(float)
    means = whole.reshape(144 // reduction, reduction, 192 // reduction, reduction, 3).mean(axis=(1, 3))
    difference = np.abs(read_reduced(tmp_path / "a.jpg", reduction).pixels - means)
    assert difference.mean() < 1.0
    assert difference.max() < 12  # where it is steepest: cosines are cut off, not averaged


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_jpeg_comes_whole(odd_images: dict, name: str) -> None:
    path, size_wh, _ = odd_images[name]
    seen = read_reduced(path, 2)
    if name.endswith(".jpg"):
        assert seen.reduction == 2
        assert seen.pixels.shape == (size_wh[1] // 2, size_wh[0] // 2, 3)
    else:
        assert (seen.reduction, seen.origin_xy) == (1, (0, 0))
        np.testing.assert_array_equal(seen.pixels, read_image(path))


@pytest.mark.parametrize("side", [1, 2, 3, 7, 8, 9])
@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
def test_a_tiny_jpeg_is_reduced_no_further_than_it_can_be(tmp_path: Path, side: int, reduction: int) -> None:
    Image.new("RGB", (side, 40), (9, 99, 199)).save(tmp_path / "a.jpg", quality=95)
    seen = read_reduced(tmp_path / "a.jpg", reduction)
    assert seen.reduction <= reduction
    assert seen.reduction == reduction or side < reduction
    assert seen.pixels.shape[:2] == (-(-40 // seen.reduction), -(-side // seen.reduction))
    assert np.abs(seen.pixels.astype(int) - (9, 99, 199)).max() <= 4


@pytest.mark.parametrize("name", BAD)
def test_bad_files_get_one_sentence_at_any_reduction(bad_images: dict, name: str) -> None:
    path, words = bad_images[name]
    with pytest.raises(InputError, match=words):
        read_reduced(path, 4)


@pytest.mark.parametrize(
    ("shape", "dtype", "good"),
    [
        ((0, 4, 3), np.uint8, False),
        ((4, 5), np.uint8, True),
        ((4, 5, 1), np.uint8, True),
        ((4, 5, 3), np.uint8, True),
        ((4, 5, 4), np.uint8, True),
        ((3, 4, 5), np.uint8, False),
        ((4, 5, 3), np.float32, False),
    ],
)
def test_arrays(shape: tuple[int, ...], dtype: type, good: bool) -> None:
    array = np.ones(shape, dtype)
    if good:
        assert as_rgb_array(array).shape == (4, 5, 3)
    else:
        with pytest.raises(InputError):
            as_rgb_array(array)


@pytest.mark.parametrize("limit", [0, -1, 2.5, "9", True, None])
def test_a_limit_of_pixels_is_a_whole_number(limit: object) -> None:
    with pytest.raises(InputError, match=r"\(max_pixels\) is a whole number of at least 1"):
        headcount.load(max_pixels=limit)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [MemoryError(), Image.DecompressionBombError("too many pixels")])
def test_a_header_that_asks_for_too_much_is_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")

    def ask(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image.Image, "load", ask)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", ask)
    with pytest.raises(InputError, match="damaged or cut short"):
        read_image(tmp_path / "a.png")


def test_a_png_s_header_is_read_without_its_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its EXIF block stands behind them: nothing may be decoded before its size is judged."""
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    whole = (tmp_path / "a.png").read_bytes()
    chunk = b"eXIf" + block
    late = struct.pack(">I", len(block)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "b.png").write_bytes(whole[:-12] + late + whole[-12:])
    assert read_image(tmp_path / "b.png").shape == (8, 6, 3)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)
    assert read_header(tmp_path / "a.png").size_wh == (8, 6)
    assert read_header(tmp_path / "b.png").size_wh == (6, 8)


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_pixels_that_are_no_numbers_make_the_others_no_darker(tmp_path: Path, top: float) -> None:
    values = np.full((4, 6), top, np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    Image.fromarray(values).save(tmp_path / "a.tif")
    seen = read_image(tmp_path / "a.tif")[:, :, 0]
    assert seen[0, :3].tolist() == [0, 255, 0]
    assert (seen[1:] == 255).all()
    Image.fromarray(np.full((4, 6), np.nan, np.float32)).save(tmp_path / "b.tif")
    assert not read_image(tmp_path / "b.tif").any()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that cannot be read is found in /proc")
def test_a_file_that_the_system_does_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("/proc/self/mem")
    with pytest.raises(InputError, match=r'a\.jpg" (cannot be read|is empty)'):
        read_image(tmp_path / "a.jpg")
