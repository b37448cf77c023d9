"""Cross-shaped labels: smooth, keep local maxima, cut at a threshold, as RAZ_Loc does."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from headcount.core.geometry import clip_to_centres
from headcount.core.prediction import Prediction
from headcount.core.settings import Settings
from headcount.decode.inputs import read_map
from headcount.decode.maxima import local_maxima


class RazLocDecoderSettings(Settings):
    """What a card may say to this decoder."""

    threshold: float = Field(default=0.5, gt=0, lt=1)
    """A head's 3×3 average, at least: that of a perfect cross is 5/9 at its centre and 4/9 beside it."""


def decode_raz_loc(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: RazLocDecoderSettings,
    size_wh: tuple[int, int],
) -> Prediction:
    """One head for each 3×3 maximum of the 3×3 average of the map ``cross`` that reaches the threshold.

    ``maps["cross"]`` is (1, h', w') in 0…1, the chance that a cell is of a cross. The average repeats the outermost
    cells, without which no head on the border would reach the threshold. Equal neighbouring maxima are one head, at
    their middle: perfect crosses in a row are told apart from four cells on. Points are (x, y) in image pixels and
    inside the image, row by row; scores are the averages; the count is the number of points.

    Raises:
        ModelError: there is no such map, it holds NaN or infinity, or is smaller than the image.

    >>> cross = np.zeros((1, 5, 6), dtype=np.float32)
    >>> cross[0, 2, 1:4] = cross[0, 1:4, 2] = 1
    >>> found = decode_raz_loc({"cross": cross}, {"cross": 2}, RazLocDecoderSettings(), (12, 10))
    >>> found.count, found.points_xy.tolist(), found.scores.round(3).tolist()
    (1.0, [[5.0, 5.0]], [0.556])
    """
    cross = read_map(maps, "cross", strides, size_wh, "raz_loc")
    stride = strides["cross"]
    smooth = cv2.blur(np.ascontiguousarray(cross), (3, 3), borderType=cv2.BORDER_REPLICATE).astype(np.float32)
    places, cells = local_maxima(smooth, smooth >= settings.threshold)
    # The last cells may reach beyond the image.
    points = clip_to_centres((places + 0.5) * stride, size_wh)
    return Prediction(
        count=float(len(points)),
        size_wh=size_wh,
        points_xy=points,
        points_kind="heads",
        scores=smooth[cells[:, 1], cells[:, 0]].astype(np.float64),
    )
