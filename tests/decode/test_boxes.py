"""Suppression equals another implementation's, whatever the boxes; what is left is a Prediction."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headcount.decode import boxes as module
from headcount.decode.boxes import boxes_prediction, nms

Array = NDArray[np.float64]


def _boxes(number: int, seed: int, room: float = 100.0) -> tuple[Array, Array]:
    """Boxes on a coarse grid, so that some touch, coincide or have no area, with scores of which some are equal."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, round(room), (number, 2)).astype(float)
    return np.concatenate([corner, corner + rng.integers(0, 12, (number, 2))], axis=1), rng.integers(0, 20, number) / 20


def _one_by_one(boxes: Array, scores: Array, iou: float) -> list[int]:
    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda row: -scores[row]):
        x1, y1, x2, y2 = boxes[row]
        for other in kept:
            u1, v1, u2, v2 = boxes[other]
            shared = max(0.0, min(x2, u2) - max(x1, u1)) * max(0.0, min(y2, v2) - max(y1, v1))
            union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - shared
            if union > 0 and shared / union > iou:
                break
        else:
            kept.append(row)
    return kept


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 60), st.sampled_from([0.0, 0.3, 0.5, 1 / 3, 0.99]), st.integers(0, 10**6))
def test_it_equals_looking_at_one_box_after_the_other(number: int, iou: float, seed: int) -> None:
    boxes, scores = _boxes(number, seed, room=40)
    assert nms(boxes, scores, iou).tolist() == _one_by_one(boxes, scores, iou)


@pytest.mark.parametrize("room", [30, 300, 3000])
@pytest.mark.parametrize("iou", [0.2, 0.5, 0.7])
def test_it_equals_torchvisions(room: int, iou: float) -> None:
    torch = pytest.importorskip("torch", reason="torchvision is in the train extra")
    from torchvision.ops import nms as theirs

    rng = np.random.default_rng(room)
    corner = rng.uniform(0, room, (1500, 2))
    boxes, scores = np.concatenate([corner, corner + rng.uniform(1, 30, (1500, 2))], axis=1), rng.permutation(1500) / 9
    expected = theirs(torch.from_numpy(boxes), torch.from_numpy(scores), iou).tolist()
    assert nms(boxes, scores, iou).tolist() == expected


@pytest.mark.parametrize("number", [0, 1, 300])
def test_how_many_are_compared_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    boxes, scores = _boxes(number, 3, room=60)
    at_once = nms(boxes, scores, 0.3)
    for most in (1, 7, 100, 1000):
        monkeypatch.setattr(module, "_PAIRS_MAX", most)
        assert nms(boxes, scores, 0.3).tolist() == at_once.tolist()


@pytest.mark.parametrize(("heads", "each"), [(250, 20), (5000, 1), (1, 5000)])
def test_thousands_of_boxes_take_a_fraction_of_a_second(heads: int, each: int) -> None:
    rng = np.random.default_rng(0)
    corner = np.repeat(rng.uniform(0, [1024, 768], (heads, 2)), each, axis=0) + rng.normal(0, 2, (5000, 2))
    boxes, scores = np.concatenate([corner, corner + 20], axis=1), rng.random(5000)
    nms(boxes, scores, 0.5)
    started = time.process_time()
    nms(boxes, scores, 0.5)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize(
    ("number", "heads", "seconds"),
    [(20_000, 20_000, 2), (20_000, 1000, 2), (20_000, 1, 2), pytest.param(200_000, 20_000, 30, marks=pytest.mark.slow)],
)
def test_boxes_of_large_crowds_take_seconds_and_little_memory(number: int, heads: int, seconds: float) -> None:
    rng = np.random.default_rng(0)
    middle = rng.uniform(0, 2048, (heads, 2))[rng.integers(0, heads, number)] + rng.normal(0, 2, (number, 2))
    boxes, scores = np.concatenate([middle - 10, middle + 10], axis=1), rng.random(number)
    started = time.process_time()
    nms(boxes, scores, 0.5)
    assert time.process_time() - started < seconds
    tracemalloc.start()
    nms(boxes[:10_000], scores[:10_000], 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


def test_boxes_are_cut_at_the_image_and_heads_have_area() -> None:
    found = boxes_prediction(np.array([[-4, -4, 4, 4], [50, 0, 60, 9], [10, 10, 10, 20.0]]), np.ones(3), (40, 30))
    assert found.count == 1
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.tolist() == [[0, 0, 4, 4]]
    assert (found.points_kind, found.boxes_kind) == ("heads", "heads")
    none = boxes_prediction(np.zeros((0, 4)), np.zeros(0), (40, 30))
    assert none.count == 0
    assert none.boxes_xyxy is not None
