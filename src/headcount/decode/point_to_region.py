"""Logits of heads: each cell above 0 is one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from headcount.core.geometry import clip_to_centres
from headcount.core.prediction import Prediction
from headcount.core.settings import Settings
from headcount.decode.inputs import read_map


class PointToRegionDecoderSettings(Settings):
    """There is nothing to choose."""


def decode_point_to_region(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: PointToRegionDecoderSettings,
    size_wh: tuple[int, int],
) -> Prediction:
    """A head in the middle of each cell of ``logits`` (1, h', w') that is above 0.

    No threshold and no search for maxima: the loss teaches one cell a head. Points are (x, y) in image pixels and
    inside the image, row by row; scores are the logits' sigmoids, above ½; the count is the number of points. Source:
    "Point-to-Region Loss…" (Lin et al., CVPR 2025).

    Raises:
        ModelError: there is no such map, it holds NaN or infinity, or is smaller than the image.

    >>> logits = np.full((1, 2, 3), -4, dtype=np.float32)
    >>> logits[0, 1, 2] = 4
    >>> found = decode_point_to_region({"logits": logits}, {"logits": 4}, PointToRegionDecoderSettings(), (12, 8))
    >>> found.count, found.points_xy.tolist(), found.scores.round(3).tolist()
    (1.0, [[10.0, 6.0]], [0.982])
    """
    logits = read_map(maps, "logits", strides, size_wh, "point_to_region")
    row, column = np.nonzero(logits > 0)
    points = (np.stack([column, row], axis=1).astype(np.float64) + 0.5) * strides["logits"]
    return Prediction(
        count=float(len(points)),
        size_wh=size_wh,
        points_xy=clip_to_centres(points, size_wh),  # the last cells may reach beyond the image
        points_kind="heads",
        scores=expit(logits[row, column].astype(np.float64)),
    )
