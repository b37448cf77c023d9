"""Boxes that a network found itself: the threshold, the cap, the image's border, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.core.errors import ModelError
from headcount.decode.table import open_decoder

BOXES = np.array(
    [[-4, 10, 30, 90, 70], [0, 10, 30, 10, 50], [8, 20, 50, 99, 80], [6, 20, 40, 20, 60], [0.9, 0.7, 0.5, 0.3, 0.8]],
    np.float32,
)


def _decoded(boxes: np.ndarray, **settings: float) -> tuple[list[list[float]], list[float], tuple[str, ...]]:
    found = open_decoder("given_boxes", settings)({"boxes": boxes}, {"boxes": 1}, (72, 64))
    assert found.boxes_xyxy is not None
    assert found.scores is not None
    return found.boxes_xyxy.tolist(), found.scores.round(3).tolist(), found.warnings


def test_none_are_nobody() -> None:
    assert _decoded(np.zeros((5, 0), np.float32)) == ([], [], ())


def test_boxes_of_the_threshold_or_more_are_heads_where_the_image_is() -> None:
    boxes, scores, warnings = _decoded(BOXES, score_threshold=0.5)
    assert boxes == [[0, 0, 8, 6], [10, 10, 20, 20], [30, 30, 50, 40], [70, 50, 72, 60]]
    assert scores == [0.9, 0.7, 0.5, 0.8]
    assert warnings == ()


def test_the_strongest_are_kept_and_it_is_said() -> None:
    _, scores, warnings = _decoded(BOXES, score_threshold=0.4, max_heads=2)
    assert scores == [0.9, 0.8]
    assert "max_heads" in warnings[0]


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ({"heat": np.zeros((1, 8, 8), np.float32)}, 'needs "boxes", but the model makes heat'),
        ({"boxes": np.zeros((4, 8), np.float32)}, r"must be \(5, n\), but it is \(4, 8\)"),
        ({"boxes": np.full((5, 8), np.inf, np.float32)}, "not finite"),
    ],
)
def test_other_maps_are_refused(maps: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        open_decoder("given_boxes", {})(maps, dict.fromkeys(maps, 1), (64, 64))
