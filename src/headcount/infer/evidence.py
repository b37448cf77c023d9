"""What can be seen of a count without knowing the truth: how crowded, how large the heads are, how far the parts of the
model agree, and what kind of picture it is. By it a count's range is told; see ``headcount.core.interval``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.card import ModelCard
from headcount.core.geometry import block_sums, sides
from headcount.core.image import RgbImage
from headcount.core.interval import HANDFUL
from headcount.core.prediction import Prediction

_BLOCK_PX = 64
_USUAL_HEAD_PX = 16.0
_LOOKED_AT_PX = 1024
"""Of a larger image its middle is looked at, at full size: grain is lost where it is shrunk."""
_STRANGE = 2.0
"""Spreads beyond what was seen before a warning says so."""


class _Words(NamedTuple):
    """What a picture shows where its evidence lies beneath, and beyond, all that was seen; empty: nothing to say."""

    beneath: str
    beyond: str


EVIDENCE: Mapping[str, _Words] = {
    "people": _Words("", "more people"),
    "crowding": _Words("", "a denser crowd"),
    "head_size": _Words("smaller heads", "larger heads"),
    "unplaced": _Words("", "fewer heads that can be told apart"),
    "disagreement": _Words("", "parts of the model that agree less"),
    "contrast": _Words("less contrast", "more contrast"),
    "grain": _Words("", "more noise or finer texture"),
}
"""The kinds of evidence, and how a warning words them."""


def evidence_of(
    found: Prediction,
    pixels: RgbImage,
    counts: Mapping[str, float],
    *,
    seen_at: float = 1.0,
    shown: tuple[float, float] | None = None,
) -> dict[str, float]:
    """The evidence of a count, by name.

    Args:
        found: what was found, in the region of interest if there is one.
        pixels: (h, w, 3) the image as the network saw it.
        counts: what each part of the model counts in the whole image; empty of a model of one part.
        seen_at: the factor by which ``pixels`` are shrunk, where ``found`` is in pixels of the image as it was.
        shown: what ``shown_by`` says of ``pixels``, where that is at hand.

    Returns:
        ``people``, log2 of the count and a handful; ``crowding``, log2 of 1 + the people in a block of 64 pixels, as a
        person sees it: the mean over people, not blocks; ``head_size``, log2 of the middle side of the boxes over 16
        pixels, 0 where there are none; ``unplaced``, log2 of how many times as many people were counted as heads were
        located; ``disagreement``, log2 of the largest count of a part over the smallest; ``contrast``, log2 of 1 + the
        standard deviation of brightness; ``grain``, log2 of how much stronger the finest detail is than the next finer.
    """
    count = max(found.count, 0.0)
    boxes = found.boxes_xyxy
    parts = [max(value, 0.0) + HANDFUL for value in counts.values()]
    located = len(found.points_xy) if found.points_kind != "none" else count
    contrast, grain = shown_by(pixels) if shown is None else shown
    return {
        "people": float(np.log2(count + HANDFUL)),
        "crowding": float(np.log2(1 + _people_around(found, seen_at))),
        "head_size": 0.0
        if boxes is None or not len(boxes) or found.boxes_kind != "heads"
        else float(np.log2(max(seen_at * float(np.median(np.sqrt(sides(boxes).prod(axis=1)))), 1.0) / _USUAL_HEAD_PX)),
        "unplaced": float(np.log2((count + HANDFUL) / (located + HANDFUL))),
        "disagreement": float(np.log2(max(parts) / min(parts))) if parts else 0.0,
        "contrast": contrast,
        "grain": grain,
    }


def range_of(
    card: ModelCard,
    found: Prediction,
    pixels: RgbImage,
    counts: Mapping[str, float],
    level: float,
    *,
    seen_at: float = 1.0,
    shown: tuple[float, float] | None = None,
) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """The range of a count where the card knows how far such counts are off, and what a reader should know of it.

    Args as of ``evidence_of``; ``level``: the chance with which the true number lies in the range.
    """
    if card.interval is None:
        return None, ()
    evidence = evidence_of(found, pixels, counts, seen_at=seen_at, shown=shown)
    strange = []
    for name, excess in card.interval.excesses(evidence).items():
        words = EVIDENCE.get(name)
        said = "" if words is None else words.beyond if excess > 0 else words.beneath
        if said and abs(excess) > _STRANGE:
            strange.append(said)
    warnings = (
        (f"This picture shows {' and '.join(strange)} than any the model was tested on: the count may be far off.",)
        if strange
        else ()
    )
    return card.interval.around(found.count, evidence, level), warnings


def _people_around(found: Prediction, seen_at: float) -> float:
    """How many people share a block of 64 seen pixels with a person, by the mean; 0 where nobody is."""
    block = _BLOCK_PX / seen_at
    if found.density is not None:
        side = max(1, round(block / found.density_stride))
        blocks = block_sums(np.maximum(found.density, 0), side).ravel()
    else:
        column, row = (found.points_xy / block).astype(np.intp).T
        blocks = np.bincount(row * (1 + int(found.size_wh[0] / block)) + column).astype(np.float64)
    total = float(blocks.sum())
    return float((blocks**2).sum()) / total if total > 1e-6 else 0.0


def shown_by(pixels: RgbImage) -> tuple[float, float]:
    """The evidence that the pixels (h, w, 3) alone hold, ``contrast`` and ``grain``; both 0 of a very small image."""
    height, width = pixels.shape[:2]
    top, left = max(0, (height - _LOOKED_AT_PX) // 2), max(0, (width - _LOOKED_AT_PX) // 2)
    part = pixels[top : top + _LOOKED_AT_PX, left : left + _LOOKED_AT_PX]
    if min(part.shape[:2]) < 8:
        return 0.0, 0.0
    gray = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
    half = cv2.pyrDown(gray)
    quarter = cv2.pyrDown(half)
    finest, next_finer = _detail(gray, half), _detail(half, quarter)
    return float(np.log2(1 + gray.std())), float(np.log2((1 + finest) / (1 + next_finer)))


def _detail(level: NDArray[Any], coarser: NDArray[Any]) -> float:
    """The standard deviation of what a level of a pyramid has and the coarser one has not."""
    height, width = level.shape
    return float((level - cv2.pyrUp(coarser, dstsize=(width, height))).std())
