"""Perceptual fingerprints: copies are found, other pictures are not, and the blocks change nothing."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headcount.core.random import generator
from headcount.data.audit import fingerprints
from headcount.data.audit.fingerprints import Fingerprint, _hamming, alike, fingerprint

Image = NDArray[np.uint8]


def painted(seed: int, size_wh: tuple[int, int] = (240, 180)) -> Image:
    """Smooth blobs of chance, as a photograph has them."""
    coarse = generator(seed, stream=77).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, size_wh, interpolation=cv2.INTER_CUBIC), np.uint8)


def prints(images: list[Image]) -> list[Fingerprint]:
    found = [fingerprint(image) for image in images]
    return [each for each in found if each is not None]


CHANGES: dict[str, Callable[[Image], Image]] = {
    "the same": np.copy,
    "saved anew": lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1),
    "halved": lambda image: np.ascontiguousarray(image[::2, ::2]),
    "brighter": lambda image: np.clip(image * 0.8 + 60, 0, 255).astype(np.uint8),
    "with a mark": lambda image: cv2.rectangle(image.copy(), (200, 174), (239, 179), (255, 255, 255), -1),
}


@pytest.mark.parametrize("images", [[], [painted(1)]])
def test_fewer_than_two_are_like_nothing(images: list[Image]) -> None:
    assert alike(prints(images)) == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found_among_others(change: str) -> None:
    images = [painted(seed) for seed in range(20)]
    found = alike(prints([*images, CHANGES[change](images[7])]))
    assert [(pair.first, pair.second) for pair in found] == [(7, 20)]
    assert found[0].correlation > 0.95


def test_another_shape_is_another_picture() -> None:
    image = painted(3)
    assert alike(prints([image, np.asarray(cv2.resize(image, (180, 240)), np.uint8)])) == []


@pytest.mark.parametrize("side", [1, 40])
def test_an_even_colour_is_like_nothing(side: int) -> None:
    assert fingerprint(np.full((side, side, 3), 128, np.uint8)) is None


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = prints([painted(seed % 5) for seed in range(23)])
    whole = alike(images)
    monkeypatch.setattr(fingerprints, "_BLOCK_ROWS", 4)
    key = lambda pair: (pair.first, pair.second)  # noqa: E731
    assert sorted(alike(images), key=key) == sorted(whole, key=key)
    assert len(whole) == sum((i - j) % 5 == 0 for i in range(23) for j in range(i))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_bits_are_counted_as_python_counts_them(one: int, other: int) -> None:
    found = _hamming(np.array([[one]], np.uint64), np.array([[other]], np.uint64))
    assert found.item() == (one ^ other).bit_count()
