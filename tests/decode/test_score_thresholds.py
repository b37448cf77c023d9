"""Every decoder with a score threshold finds, at one, what it finds at a lower one, without the scores below."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from headcount.decode.table import DECODERS, open_decoder, settings_of

Maps = dict[str, NDArray[np.float32]]
WIDE, HIGH, STRIDE = 160, 96, 4
ROWS, COLUMNS = HIGH // STRIDE, WIDE // STRIDE


def _peaks(draw: np.random.Generator) -> Maps:
    heat = draw.choice(np.float32([0.06, 0.1, 0.3, 0.5, 0.7, 0.9]), (1, ROWS, COLUMNS))  # plateaus, too
    sides = draw.uniform(-2, 20, (2, ROWS, COLUMNS)).astype(np.float32)
    return {"heat": heat, "size": sides, "offset": draw.normal(0, 3, (2, ROWS, COLUMNS)).astype(np.float32)}


def _dense_boxes(draw: np.random.Generator) -> Maps:
    scores = draw.random((2, ROWS, COLUMNS)).astype(np.float32)
    return {"scores_4": scores, "boxes_4": draw.uniform(-1, 12, (8, ROWS, COLUMNS)).astype(np.float32)}


def _given_boxes(draw: np.random.Generator) -> Maps:
    corner = draw.uniform(-9, (WIDE, HIGH), (300, 2))
    boxes = np.concatenate([corner, corner + draw.uniform(-1, 20, (300, 2)), draw.random((300, 1))], axis=1)
    return {"boxes": boxes.T.astype(np.float32)}


CASES: dict[str, Callable[[np.random.Generator], Maps]] = {
    "peaks": _peaks, "dense_boxes": _dense_boxes, "given_boxes": _given_boxes,
}  # fmt: skip


def test_every_such_decoder_is_here() -> None:
    own = [row.name for row in DECODERS.rows() if row.target.startswith("headcount.")]
    assert {name for name in own if hasattr(settings_of(name, {}), "score_threshold")} == CASES.keys()


@pytest.mark.parametrize("max_heads", [20_000, 40])
@pytest.mark.parametrize(("name", "more"), [*((name, {}) for name in CASES), ("peaks", {"nms_iou": 0.3})])
def test_a_threshold_finds_what_a_lower_one_finds_of_that_score(
    name: str, more: dict[str, float], max_heads: int
) -> None:
    draw = np.random.Generator(np.random.Philox(7))
    for maps in (CASES[name](draw) for _ in range(3)):
        strides = dict.fromkeys(maps, STRIDE)

        def found(threshold: float, maps: Maps = maps, strides: dict[str, int] = strides) -> NDArray[np.float64]:
            decode = open_decoder(name, {"score_threshold": threshold, "max_heads": max_heads, **more})
            seen = decode(maps, strides, (WIDE - 3, HIGH - 2))
            assert seen.boxes_xyxy is not None
            assert seen.scores is not None
            rows = np.concatenate([seen.boxes_xyxy, seen.scores[:, None]], axis=1)
            assert seen.count == len(rows)
            return rows[np.lexsort(rows.T)]

        every = found(0.01)
        assert len(every) > 30
        for threshold in (0.05, 0.2, 0.45, 0.6, 0.85):
            np.testing.assert_array_equal(found(threshold), every[every[:, 4] >= threshold])
