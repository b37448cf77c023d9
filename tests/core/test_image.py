"""Any photograph becomes upright 8-bit RGB, or one clear error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.image import as_rgb_array, read_header, read_image

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


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        read_image(tmp_path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_upright(tmp_path: Path, orientation: int) -> None:
    upright = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(4, 6, 3)
    # What a camera stores so that a viewer that obeys the tag sees `upright`.
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), upright)
    assert read_header(tmp_path / "a.png").size_wh == (6, 4)


@pytest.mark.parametrize(
    ("shape", "dtype", "good"),
    [
        ((0, 4, 3), np.uint8, False),
        ((4, 5), np.uint8, True),
        ((4, 5, 1), np.uint8, True),
        ((4, 5, 3), np.uint8, True),
        ((4, 5, 4), np.uint8, False),
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
