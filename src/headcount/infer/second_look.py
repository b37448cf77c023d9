"""A second look at a large photograph, shrunk: does it count otherwise?

A model knows heads of the sizes it was trained on; a photograph of many pixels may show far larger ones, of which it
sees several each.
"""

from __future__ import annotations

import cv2
import numpy as np

from headcount.core.prediction import Prediction
from headcount.core.region import masked

_FROM_PX, _SHRUNK_PX = 3072, 1280
_FACTOR = 1.3


def shrunk_wh(size_wh: tuple[int, int]) -> tuple[int, int] | None:
    """The (width, height) at which a large photograph is looked at again; None where it is not large, or is narrow.

    >>> shrunk_wh((4000, 3000)), shrunk_wh((1920, 1080))
    ((1280, 960), None)
    """
    factor = _SHRUNK_PX / max(size_wh)
    width, height = round(size_wh[0] * factor), round(size_wh[1] * factor)
    if max(size_wh) <= _FROM_PX or min(width, height) < _SHRUNK_PX // 4:
        return None
    return width, height


def differing(first: Prediction, shrunk: Prediction, name: str) -> tuple[str, ...]:
    """What to say of an image that counts otherwise when it is shrunk."""
    if first.region is not None:
        mask = first.region.in_image(first.size_wh, name).view(np.uint8)
        shrunk = masked(shrunk, cv2.resize(mask, shrunk.size_wh, interpolation=cv2.INTER_NEAREST) > 0, name)
    low, high = sorted((first.count + 10, shrunk.count + 10))  # so that a handful more or less is no news
    if high <= _FACTOR * low:
        return ()
    width, height = shrunk_wh(first.size_wh) or shrunk.size_wh
    return (
        f"{first.count:,.0f} at full size, but {shrunk.count:,.0f} when shrunk to {width}×{height}: look at the "
        "picture; where heads are large in it, the shrunk count is the better one.",
    )
