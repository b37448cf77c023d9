"""Maps of scored boxes into heads: one decoder for the detectors that put boxes on the cells of several strides."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from headcount.core.errors import ModelError
from headcount.core.geometry import Boxes
from headcount.core.prediction import Prediction
from headcount.core.settings import Settings
from headcount.decode.boxes import boxes_prediction, nms
from headcount.decode.inputs import read_channels
from headcount.decode.strongest import MaxHeads, strongest

NAME = "dense_boxes"
_CANDIDATES = 10  # overlapping boxes that are looked at for each head that is allowed


class DenseBoxesDecoderSettings(Settings):
    """Which boxes are heads."""

    score_threshold: float = Field(default=0.3, gt=0, lt=1)
    """The least score of a head. Each loss has its own: it is chosen on validation counts."""
    nms_iou: float = Field(default=0.5, ge=0, le=1)
    """Two boxes with a larger intersection over union are one head: the one of the higher score."""
    max_heads: MaxHeads = 20_000
    """At most so many heads in a tile."""


def decode_dense_boxes(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: DenseBoxesDecoderSettings,
    size_wh: tuple[int, int],
) -> Prediction:
    """``scores_{stride}`` (A, h', w') in 0…1 and ``boxes_{stride}`` (4A, h', w') → a box on each head.

    Of each cell A boxes are told, four channels each: how far their left, upper, right and lower sides lie from the
    cell's middle, in pixels. Those of at least ``score_threshold`` go through non-maximum suppression, all strides
    together; the strongest are kept, and clipped to the image. They are told from the highest score to the lowest.

    Raises:
        ModelError: a map is missing, smaller than the image, or not finite.
    """
    levels = [name.removeprefix("scores_") for name in maps if name.startswith("scores_")]
    if not levels:
        made = ", ".join(maps) or "none"
        raise ModelError(f'The {NAME} decoder needs maps "scores_…" and "boxes_…", but the model makes {made}.')
    found = [_candidates(maps, level, strides, settings.score_threshold, size_wh) for level in levels]
    boxes = np.concatenate([boxes for boxes, _ in found])
    scores = np.concatenate([scores for _, scores in found])
    looked_at, crowded = strongest(scores, _CANDIDATES * settings.max_heads, size_wh)
    boxes, scores = boxes[looked_at], scores[looked_at]
    heads = nms(boxes, scores, settings.nms_iou)
    kept, warnings = strongest(scores[heads], settings.max_heads, size_wh)
    if crowded and not warnings:
        warnings = (
            f"More boxes reach the score of a head than the {len(looked_at):,} that are looked at in an image of this "
            "size: the strongest are; raise score_threshold in the model card's decoder.",
        )
    return boxes_prediction(boxes[heads[kept]], scores[heads[kept]], size_wh, warnings=warnings)


def _candidates(
    maps: Mapping[str, NDArray[np.float32]],
    level: str,
    strides: Mapping[str, int],
    threshold: float,
    size_wh: tuple[int, int],
) -> tuple[Boxes, NDArray[np.float64]]:
    """The boxes (n, 4) of one stride that reach the threshold, and their scores (n,)."""
    name, sides_name = f"scores_{level}", f"boxes_{level}"
    own = {key: maps[key] for key in (name, sides_name) if key in maps}
    anchors = len(maps[name])
    scores = read_channels(own, name, strides, size_wh, NAME, channels=anchors)
    away = read_channels(own, sides_name, strides, size_wh, NAME, channels=4 * anchors)
    anchor, row, column = np.nonzero(scores >= np.float32(threshold))
    middle = (np.stack([column, row], axis=1) + 0.5) * strides[name]  # (n, 2)
    left, top, right, bottom = away[4 * anchor + np.arange(4)[:, None], row, column].astype(np.float64)
    boxes = np.stack([-left, -top, right, bottom], axis=1) + np.tile(middle, 2)
    return boxes, scores[anchor, row, column].astype(np.float64)
