"""Boxes that a network found itself into heads: the exception, for networks with a post-processing of their own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from headcount.core.errors import ModelError
from headcount.core.prediction import Prediction
from headcount.core.settings import Settings
from headcount.decode.boxes import boxes_prediction
from headcount.decode.inputs import refuse_not_finite
from headcount.decode.strongest import MaxHeads, strongest

NAME = "given_boxes"


class GivenBoxesDecoderSettings(Settings):
    """Which of the network's boxes are heads."""

    score_threshold: float = Field(default=0.5, gt=0, lt=1)
    """The least score of a head; it is chosen on validation counts."""
    max_heads: MaxHeads = 20_000
    """At most so many heads in a tile."""


def decode_given_boxes(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: GivenBoxesDecoderSettings,
    size_wh: tuple[int, int],
) -> Prediction:
    """``boxes`` (5, n), of each its left, top, right and bottom in pixels and its score → a box on each head.

    Raises:
        ModelError: there are none, they are of another shape, or not finite.
    """
    if "boxes" not in maps:
        raise ModelError(f'The {NAME} decoder needs "boxes", but the model makes {", ".join(maps) or "none"}.')
    boxes = maps["boxes"]
    if boxes.ndim != 2 or len(boxes) != 5:
        raise ModelError(f'"boxes" must be (5, n), but it is {boxes.shape}.')
    refuse_not_finite("boxes", boxes)
    found = boxes[:, boxes[4] >= np.float32(settings.score_threshold)].astype(np.float64)
    kept, warnings = strongest(found[4], settings.max_heads, size_wh)
    return boxes_prediction(found[:4, kept].T, found[4, kept], size_wh, warnings=warnings)
