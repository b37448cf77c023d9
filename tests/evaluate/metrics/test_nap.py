"""nAP against its definition written out, prediction by prediction, and against a case done by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.nap import DELTAS, Nap, NapResult, neighbour_distance
from headcount.evaluate.metrics.table import EvaluationSettings, NotMeasured

Image = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Points, scores, heads."""


def measured(images: list[Image], *, kind: str = "heads", settings: EvaluationSettings | None = None) -> object:
    metric = Nap(settings or EvaluationSettings())
    for points, scores, heads in images:
        scene = Scene(np.zeros((8, 8, 3), np.uint8), heads)
        metric.add(scene, Prediction(len(points), (8, 8), points, kind, scores=scores), 0.0)  # type: ignore[arg-type]
    return metric.result()


def slow(images: list[Image], delta: float) -> float:
    """By the definition: no tree, no shared work."""
    judged: list[tuple[float, bool]] = []
    total = 0
    for points, scores, heads in images:
        if len(heads) == 1:
            continue
        total += len(heads)
        reach = []
        for at, head in enumerate(heads):
            others = sorted(np.hypot(*(other - head)) for to, other in enumerate(heads) if to != at)[:3]
            reach.append(sum(others) / len(others))
        free = set(range(len(heads)))
        for at in sorted(range(len(points)), key=lambda at: (-scores[at], points[at][0], points[at][1])):
            shares = [(np.hypot(*(points[at] - heads[to])) / reach[to], to) for to in free if reach[to] > 0]
            near = [one for one in shares if one[0] < delta]
            if near:
                free.remove(min(near)[1])
            judged.append((scores[at], bool(near)))
    levels = sorted({score for score, _ in judged}, reverse=True)
    curve = []
    for level in levels:
        kept = [true for score, true in judged if score >= level]
        curve.append((sum(kept) / total, sum(kept) / len(kept)))
    area = before = 0.0
    for at, (recall, _) in enumerate(curve):
        area += (recall - before) * max(precision for _, precision in curve[at:])
        before = recall
    return area


def test_a_case_by_hand() -> None:
    # Four heads on a line, 10 px apart: d_kNN is 20, 40/3, 40/3 and 20 px.
    heads = np.array([[0.0, 0], [10, 0], [20, 0], [30, 0]])
    np.testing.assert_allclose(neighbour_distance(heads), [20, 40 / 3, 40 / 3, 20])
    # True at δ 0.05 (0.9 px of 20), nearest head taken already, true from δ 0.25 on (3 of 40/3), false at any.
    points = np.array([[0.9, 0], [0.5, 0], [10, 3], [15, 40]])
    found = measured([(points, np.array([0.9, 0.8, 0.7, 0.6]), heads)])
    assert isinstance(found, NapResult)
    assert found.by_delta[0.05] == pytest.approx(1 / 4)
    assert found.by_delta[0.25] == pytest.approx(1 / 4 + 1 / 4 * 2 / 3)
    assert found.by_delta[0.5] == pytest.approx(1 / 4 + 1 / 4 * 2 / 3)
    assert found.mean == pytest.approx(sum(found.by_delta.values()) / 10)
    told = replace(found, lone=1_234).lines()
    assert told == [*found.lines(), "  1,234 images of one head left out"]
    assert all(len(line) <= 80 for line in told)
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert [figure.metric for figure in found.figures()] == ["nAP 0.05–0.50"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_it_is_what_a_slow_second_writing_finds(seed: int) -> None:
    draw = np.random.Generator(np.random.Philox(seed))
    images = []
    for _ in range(draw.integers(1, 4)):
        heads = draw.integers(0, 12, (draw.integers(0, 9), 2)).astype(float)
        points = np.concatenate([heads + draw.normal(0, 1, heads.shape), draw.random((draw.integers(0, 6), 2)) * 12])
        images.append((points, draw.integers(1, 6, len(points)) / 5, heads))
    found = measured(images)
    if not any(len(heads) > 1 for _, _, heads in images):
        assert isinstance(found, NotMeasured)
        return
    assert isinstance(found, NapResult)
    for delta in DELTAS:
        assert found.by_delta[delta] == pytest.approx(slow(images, delta), abs=1e-12)


def test_a_perfect_model_reaches_1_and_one_that_finds_nothing_0() -> None:
    heads = np.random.default_rng(0).random((50, 2)) * 900
    for points, expected in ((heads, 1.0), (np.zeros((0, 2)), 0.0)):
        found = measured([(points, np.linspace(0.5, 1, len(points)), heads)])
        assert isinstance(found, NapResult)
        assert set(found.by_delta.values()) == {expected}


def test_found_where_nobody_is_costs_precision_and_lone_heads_are_left_out() -> None:
    heads, nobody = np.array([[0.0, 0], [10, 0]]), np.zeros((0, 2))
    false = (np.array([[5.0, 5]]), np.array([0.99]), nobody)
    true = (heads, np.array([0.9, 0.9]), heads)
    lone = (np.array([[50.0, 50]]), np.array([0.999]), np.array([[1.0, 1]]))
    found = measured([false, true, lone])
    assert isinstance(found, NapResult)
    assert found.mean == pytest.approx(2 / 3)
    assert (found.images, found.lone) == (2, 1)
    assert found.lines()[-1] == "  1 image of one head left out"


def test_what_is_not_located_or_has_no_scores_is_not_measured() -> None:
    heads = np.array([[0.0, 0], [10, 0]])
    assert measured([(heads, np.ones(2), heads)], kind="peaks") is None
    peaks = measured([(heads, np.ones(2), heads)], kind="peaks", settings=EvaluationSettings(peaks_are_heads=True))
    assert isinstance(peaks, NapResult)
    assert peaks.figures() == []
    metric = Nap(EvaluationSettings())
    metric.add(Scene(np.zeros((8, 8, 3), np.uint8), heads), Prediction(2.0, (8, 8), heads, "heads"), 0.0)
    assert isinstance(metric.result(), NotMeasured)


def test_heads_below_the_threshold_are_part_of_the_curve() -> None:
    heads = np.array([[0.0, 0], [10, 0]])
    scene, metric = Scene(np.zeros((8, 8, 3), np.uint8), heads), Nap(EvaluationSettings())
    strong = Prediction(1.0, (8, 8), heads[:1], "heads", scores=np.array([0.9]))
    metric.add_with_weaker(scene, strong, Prediction(2.0, (8, 8), heads, "heads", scores=np.array([0.9, 0.1])), 0.0)
    found = metric.result()
    assert isinstance(found, NapResult)
    assert found.mean == 1
    assert "scores from 0.01 up" in found.protocol
