"""CenterNet's maps into head boxes: the peaks of a heat map, and of each its offset and size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from headcount.core.prediction import Prediction
from headcount.core.settings import Settings
from headcount.decode.boxes import boxes_prediction, nms
from headcount.decode.inputs import read_channels, read_map
from headcount.decode.maxima import local_maxima
from headcount.decode.strongest import MaxHeads, strongest

_NAME = "peaks"
_SMALLEST_PX = 1.0  # a hot cell is a head, however small its size is said to be


class PeaksDecoderSettings(Settings):
    """Which peaks are heads."""

    score_threshold: float = Field(default=0.3, gt=0, lt=1)
    """The least heat of a head. Each loss has its own: it is chosen on validation counts."""
    nms_iou: float | None = Field(default=None, ge=0, le=1)
    """Two boxes with a larger intersection over union are one head: the one of the higher heat. None: each peak is a
    head, as CenterNet's authors have it; the heat of heads of many cells is broad, and may have several peaks."""
    max_heads: MaxHeads = 20_000
    """At most so many heads in a tile."""


def decode_peaks(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: PeaksDecoderSettings,
    size_wh: tuple[int, int],
) -> Prediction:
    """``heat`` (1, h', w'), ``size`` (2, h', w') and ``offset`` (2, h', w') → a box on each head.

    A head is a cell hotter than ``score_threshold`` that none of its eight neighbours exceeds; touching cells of equal
    heat are one. ``size`` is its width and height in pixels, ``offset`` how far its middle lies from the cell's, in
    pixels (x, y). Where ``nms_iou`` is set, the hottest of boxes that overlap by more is kept; boxes are told in the
    order of their cells, and clipped to the image. Source: "Objects as Points" (Zhou et al.), section 4.

    Raises:
        ModelError: a map is missing, smaller than the image, or not finite.
    """
    heat = read_map(maps, "heat", strides, size_wh, _NAME)
    size = read_channels(maps, "size", strides, size_wh, _NAME, channels=2)
    offset = read_channels(maps, "offset", strides, size_wh, _NAME, channels=2)
    cell = local_maxima(heat, heat >= np.float32(settings.score_threshold))[1]
    scores = heat[cell[:, 1], cell[:, 0]].astype(np.float64)
    column, row = cell.T
    middle = (cell + 0.5) * strides["heat"] + offset[:, row, column].T
    half = np.maximum(size[:, row, column].T.astype(np.float64), _SMALLEST_PX) / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    if settings.nms_iou is not None:
        heads = np.sort(nms(boxes, scores, settings.nms_iou))
        boxes, scores = boxes[heads], scores[heads]
    kept, warnings = strongest(scores, settings.max_heads, size_wh)
    return boxes_prediction(boxes[kept], scores[kept], size_wh, warnings=warnings)
