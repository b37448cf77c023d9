"""Which images are nearly the same picture: a perceptual hash finds candidates, small thumbnails decide.

The hash is the DCT hash that is common under the name pHash: the signs of an image's 64 lowest frequencies about their
median. It outlasts another size, JPEG quality, brightness and contrast; crops and mirror images it does not find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.image import RgbImage

SIDE = 32
MAX_BITS = 10
"""Hamming distance of 64 up to which two images are compared further. Of the 376,345 pairs of photographs in each of
ShanghaiTech A and B and SCUT-HEAD B at hand, unrelated ones are 32 ± 4 bits apart and never under 12; the seven pairs
that show one picture are 0 or 2 apart."""
MIN_CORRELATION = 0.93
"""Of two thumbnails, from which on two images are taken for one picture. Of those seven pairs, six have 0.995 or more
and one, cropped otherwise, 0.943; unrelated ones within the bits above there are none. Of a fixed camera (SCUT-HEAD A)
0.93 is the same room with a few other people in it, 0.98 and more the same people a few minutes later."""
MAX_COPY_ASPECT = 1.05
"""Ratio of two images' aspects up to which they are compared: a copy keeps its shape, to a few pixels."""
_MIN_CONTRAST = 2.0
_BLOCK_ROWS = 256

_ROWS, _COLUMNS = np.divmod(np.arange(SIDE * SIDE), SIDE)
_LOWEST = np.lexsort((_ROWS, _ROWS + _COLUMNS))[1:65]  # without the mean
_ONES = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """What is kept of an image's look.

    Attributes:
        bits: the hash.
        thumbnail: (1024,) float32 gray, mean 0 and length 1, so that a product is a correlation.
        aspect: width / height.
    """

    bits: np.uint64
    thumbnail: NDArray[np.float32]
    aspect: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two images that look the same: their indices, ``first`` < ``second``, and how alike they are (to 1)."""

    first: int
    second: int
    correlation: float


def fingerprint(image: RgbImage) -> Fingerprint | None:
    """The fingerprint of (h, w, 3) uint8 pixels, of any size; None of an even colour, which is like any other.

    >>> fingerprint(np.full((48, 64, 3), 200, np.uint8)) is None
    True
    """
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    if float(gray.std()) < _MIN_CONTRAST:
        return None
    lowest = cv2.dct(gray).ravel()[_LOWEST]
    bits = np.packbits(lowest > np.median(lowest)).view(np.uint64)[0]
    centred = (gray - gray.mean()).ravel()
    return Fingerprint(bits, centred / np.linalg.norm(centred), image.shape[1] / image.shape[0])


def alike(prints: Sequence[Fingerprint]) -> list[Likeness]:
    """All pairs of nearly the same picture, by their indices.

    All hashes are compared with all, in blocks of numpy: 20,000 images take some seconds and little memory.
    """
    if len(prints) < 2:
        return []
    bits = np.array([each.bits for each in prints], np.uint64)
    found = []
    for top in range(0, len(bits), _BLOCK_ROWS):
        rows = bits[top : top + _BLOCK_ROWS]
        apart = _hamming(rows[:, None], bits[None, top:])
        for row, column in np.argwhere(apart <= MAX_BITS):
            if column > row:
                pair = _compare(prints, top + int(row), top + int(column))
                found += [pair] if pair is not None else []
    return found


def _compare(prints: Sequence[Fingerprint], first: int, second: int) -> Likeness | None:
    one, other = prints[first], prints[second]
    if not 1 / MAX_COPY_ASPECT <= one.aspect / other.aspect <= MAX_COPY_ASPECT:
        return None
    correlation = float(one.thumbnail @ other.thumbnail)
    return Likeness(first, second, correlation) if correlation >= MIN_CORRELATION else None


def _hamming(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Bits that differ, broadcast: by a table of 16 bits, since numpy counts them itself only from version 2 on."""
    differing = np.bitwise_xor(one, other)
    words = np.ascontiguousarray(differing).view(np.uint16).reshape(*differing.shape, 4)
    counted: NDArray[np.uint8] = _ONES[words].sum(axis=-1, dtype=np.uint8)
    return counted
