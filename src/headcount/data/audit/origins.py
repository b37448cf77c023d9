"""Whether a whole set counts its pixels from another number than its reader takes: coordinates off by one.

A crowd does not care for left and right: over many images, coordinates come as near to the left border as to the
right. Up and down differ by nature (below there is a crowd, above the sky), so they tell nothing. Only coordinates on
a grid of whole or half pixels are judged: these are pixel numbers, while others may be cut off anywhere
(ShanghaiTech's release without outside points keeps 0 ≤ x ≤ width of the 1-based numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_BAND_PX = 2.5
_ENOUGH = 10
"""Coordinates nearer to one border than any to the other; by chance 1 in 2¹⁰ sets has so many."""
_ON_GRID = 0.9
_LEVELS_PX = (-1.25, -0.75, -0.25, 0.25, 0.75)


@dataclass(frozen=True, slots=True, eq=False)
class Borders:
    """Distances of one image's heads to the borders, in pixels, those within 2.5 px only; negative outside."""

    left_px: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    right_px: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


def borders(coordinates: NDArray[np.float64], width: int) -> Borders:
    """Of (n, 2) points xy, or (n, 4) boxes xyxy by their outer edges; those not finite are left out.

    >>> near = borders(np.array([[0.0, 5.0], [7.0, 5.0], [4.0, 1.0]]), 8)
    >>> near.left_px.tolist(), near.right_px.tolist()
    ([0.0], [1.0])
    """
    kept = coordinates[np.isfinite(coordinates).all(axis=1)]
    left, right = kept[:, 0], width - kept[:, -2]
    return Borders(left[np.abs(left) <= _BAND_PX], right[np.abs(right) <= _BAND_PX])


def judge_origin(seen: Sequence[Borders]) -> str | None:
    """What the coordinates of all images together say of their origin, with the evidence; None if nothing.

    >>> images = [borders(np.array([[0.0, 5.0], [7.0, 5.0]]), 8)] * 12
    >>> print(judge_origin(images).replace(": ", ":\\n"))
    x comes to 0 px from the left border (12 times) and 1 px from the right (12 times):
    as if all lay 0.5 px too far left
    """
    left = np.sort(np.concatenate([np.zeros(0), *(each.left_px for each in seen)]))
    right = np.sort(np.concatenate([np.zeros(0), *(each.right_px for each in seen)]))
    together = np.concatenate([left, right])
    if not len(together) or np.isclose(together * 2, np.round(together * 2), atol=1e-3).mean() < _ON_GRID:
        return None
    for level in _LEVELS_PX:
        beyond = int((left < level).sum()), int((right < level).sum())
        few, many = min(beyond), max(beyond)
        if many >= _ENOUGH and few <= many / 20:
            break
    else:
        return None
    # The few (mistakes of single boxes) are no border of the set.
    enough = max(3, many // 20)
    if min(len(left), len(right)) < enough:
        return None
    ends = float(left[enough - 1]), float(right[enough - 1])
    shift = (ends[1] - ends[0]) / 2
    if not 0.4 <= abs(shift) <= 1.1:
        return None
    times = [int(np.isclose(side, end).sum()) for side, end in zip((left, right), ends, strict=True)]
    return (
        f"x comes to {ends[0]:g} px from the left border ({times[0]:,} times) and {ends[1]:g} px from the right "
        f"({times[1]:,} times): as if all lay {abs(shift):g} px too far {'left' if shift > 0 else 'right'}"
    )
