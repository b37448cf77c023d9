"""Judging only what lies inside a region of interest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.region import inside_region
from headcount.evaluate.run import evaluate_scenes

REGION = np.zeros((8, 12), np.bool_)
REGION[2:, 4:] = True
POINTS = np.array([[4.0, 2.0], [3.9, 2.0], [11.9, 7.9], [12.0, 8.0], [0.0, 0.0]])


def _scene(**changes: object) -> Scene:
    boxes = np.concatenate([POINTS - 1, POINTS + 1], axis=1)
    given: dict[str, object] = {"box_provenance": ("annotated",) * 5, "region": REGION, "name": "a", **changes}
    return Scene(np.zeros((8, 12, 3), np.uint8), POINTS, boxes, **given)  # type: ignore[arg-type]


def _heads() -> Prediction:
    scores = np.arange(5) / 10
    return Prediction(5.0, (12, 8), POINTS, "heads", scores=scores, boxes_xyxy=np.tile([0, 0, 1, 1.0], (5, 1)))


def test_without_a_region_nothing_changes() -> None:
    scene, prediction = _scene(region=None), _heads()
    assert inside_region(scene, prediction) == (scene, prediction)


def test_heads_are_in_by_the_pixel_that_holds_them() -> None:
    scene, prediction = inside_region(_scene(), _heads())
    assert scene.points_xy.tolist() == prediction.points_xy.tolist() == [[4.0, 2.0], [11.9, 7.9], [12.0, 8.0]]
    assert prediction.count == 3
    assert prediction.scores is not None
    assert prediction.scores.tolist() == [0.0, 0.2, 0.3]
    assert scene.boxes_xyxy is not None
    assert len(scene.boxes_xyxy) == len(scene.box_provenance) == 3


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(0, 1000))
def test_density_inside_and_outside_add_up(stride: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    region = rng.random((8, 12)) < 0.5
    density = rng.random((-(-8 // stride), -(-12 // stride))).astype(np.float32)
    whole = Prediction(float(density.sum()), (12, 8), density=density, density_stride=stride)
    parts = [inside_region(_scene(region=part), whole)[1] for part in (region, ~region)]
    assert sum(part.count for part in parts) == pytest.approx(float(density.sum()), abs=1e-4)
    assert all(part.interval is None for part in parts)


def test_a_region_of_another_size_and_a_count_without_places_are_told() -> None:
    with pytest.raises(InputError, match="4×4, but its image is 12×8"):
        inside_region(_scene(region=np.ones((4, 4), np.bool_)), _heads())
    with pytest.raises(InputError, match="does not say where"):
        inside_region(_scene(), Prediction(5.0, (12, 8)))


class _Finds:
    def count(self, source: Scene, /) -> Prediction:
        return replace(_heads(), source=source.source)


def test_reports_judge_the_region_and_say_so() -> None:
    report = evaluate_scenes(_Finds(), [_scene(), _scene(region=None)])
    assert [(image.true, image.predicted) for image in report.images] == [(3, 3), (5, 5)]
    assert "1 of them inside their regions" in report.counting.protocol
    located = report.results["localization"].to_dict()
    assert [row["heads"] for row in located["per_image"]] == [3, 5]


def test_the_report_says_so_in_lines_that_fit_a_terminal() -> None:
    class Everywhere:
        def count(self, source: Scene) -> Prediction:
            return _heads()

    report = evaluate_scenes(Everywhere(), [_scene()] * 12, metrics=["counting"])
    said = " ".join(line.strip() for line in report.lines())
    assert "truth is the number of annotated heads; 12 of them inside their regions of interest" in said
    assert all(len(line) <= 80 for line in report.lines())
