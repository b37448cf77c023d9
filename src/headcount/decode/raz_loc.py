"""Cross-shaped labels: smooth, keep local maxima, cut at a threshold, as RAZ_Loc does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import ModelError
from headcount.core.prediction import Prediction
from headcount.decode.inputs import read_map, read_settings
from headcount.decode.maxima import local_maxima


@dataclass(frozen=True, slots=True)
class RazLocSettings:
    """What a card may say to this decoder: a head's 3×3 average is at least ``threshold``.

    A perfect cross averages 5/9 at its centre and 4/9 beside it.
    """

    threshold: float = 0.5

    @classmethod
    def read(cls, settings: Mapping[str, float]) -> RazLocSettings:
        """Typed settings from a card's.

        Raises:
            ModelError: a key is unknown or a value out of range.
        """
        typed = read_settings(cls, settings, "raz_loc")
        if not 0 < typed.threshold < 1:
            raise ModelError(f"threshold must lie between 0 and 1, but it is {typed.threshold}.")
        return typed


def decode_raz_loc(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: Mapping[str, float],
    size_wh: tuple[int, int],
) -> Prediction:
    """One head for each 3×3 maximum of the 3×3 average of the map ``cross`` that reaches the threshold.

    ``maps["cross"]`` is (1, h', w') in 0…1, the chance that a cell is of a cross. The average repeats the outermost
    cells, without which no head on the border would reach the threshold. Equal neighbouring maxima are one head, at
    their middle: perfect crosses in a row are told apart from four cells on. Points are (x, y) in image pixels and
    inside the image, row by row; scores are the averages; the count is the number of points.

    Raises:
        ModelError: there is no such map, it holds NaN or infinity, is smaller than the image, or a setting is wrong.

    >>> cross = np.zeros((1, 5, 6), dtype=np.float32)
    >>> cross[0, 2, 1:4] = cross[0, 1:4, 2] = 1
    >>> found = decode_raz_loc({"cross": cross}, {"cross": 2}, {}, (12, 10))
    >>> found.count, found.points_xy.tolist(), found.scores.round(3).tolist()
    (1.0, [[5.0, 5.0]], [0.556])
    """
    chosen = RazLocSettings.read(settings)
    cross = read_map(maps, "cross", strides, size_wh, "raz_loc")
    stride = strides["cross"]
    smooth = cv2.blur(np.ascontiguousarray(cross), (3, 3), borderType=cv2.BORDER_REPLICATE).astype(np.float32)
    places, cells = local_maxima(smooth, smooth >= chosen.threshold)
    width, height = size_wh
    # The last cells may reach beyond the image.
    points = np.clip((places + 0.5) * stride, 0.5, np.array([width - 0.5, height - 0.5]))
    return Prediction(
        count=float(len(points)),
        size_wh=size_wh,
        points_xy=points,
        points_kind="heads",
        scores=smooth[cells[:, 1], cells[:, 0]].astype(np.float64),
    )
