"""Errors scene by scene: each scene weighs the same."""

from __future__ import annotations

import json

import numpy as np
import pytest

from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.scenes import Scenes, ScenesResult
from headcount.evaluate.metrics.table import EvaluationSettings, NotMeasured, open_metrics
from headcount.evaluate.published import reached
from headcount.evaluate.run import evaluate_scenes

TEST = EvaluationSettings(data="worldexpo10", split="test")


def measured(errors: dict[str, list[float]], settings: EvaluationSettings = TEST) -> ScenesResult:
    metric = Scenes(settings)
    for scene, off in errors.items():
        for error in off:
            seen = Scene(np.zeros((8, 8, 3), np.uint8), np.ones((10, 2)), attributes={"scene": scene} if scene else {})
            metric.add(seen, Prediction(10 + error, (8, 8)), 0.0)
    found = metric.result()
    assert isinstance(found, ScenesResult)
    return found


def test_the_mean_is_over_scenes_in_the_order_of_the_papers() -> None:
    found = measured({"500717": [9], "104207": [1, -1, 1, -1], "200608": [2], "200702": [3, -3], "202201": [0]})
    assert [scene.label for scene in found.scenes] == [
        "S1 104207", "S2 200608", "S3 200702", "S4 202201", "S5 500717"
    ]  # fmt: skip
    assert [scene.mae for scene in found.scenes] == [1, 2, 3, 0, 9]
    assert (found.mae, found.rmse, found.missing) == (3.0, 3.0, ())
    assert [figure.value for figure in found.figures()] == [3.0]
    assert reached({"scenes": found})["MAE"] == 3.0
    assert all(len(line) <= 80 for line in found.lines())
    assert len(found.lines()) == 7
    assert json.loads(json.dumps(found.to_dict()))["scenes"][4]["mae"] == 9


def test_scenes_that_lack_and_images_of_none_are_told() -> None:
    found = measured({"104207": [1], "": [5]})
    assert found.missing == ("200608", "200702", "202201", "500717")
    assert "no images of 200608" in found.protocol
    assert found.lines()[-1] == "  1 image of no scene left out"


def test_of_many_scenes_two_are_printed() -> None:
    found = measured({f"{number:06d}": [number] for number in range(50)}, EvaluationSettings(data="worldexpo10"))
    assert found.mae == pytest.approx(24.5)
    assert len(found.lines()) == 5
    assert len(found.to_dict()["scenes"]) == 50


def test_only_sets_that_are_reported_so_are_measured_unasked() -> None:
    assert "scenes" in open_metrics(TEST)
    assert "scenes" not in open_metrics(EvaluationSettings(data="shanghaitech-a"))
    assert isinstance(open_metrics(EvaluationSettings(data="x"), ["scenes"])["scenes"].result(), NotMeasured)


class _Everywhere:
    """Finds a head at each pixel of a row, whatever is there."""

    def count(self, source: Scene, /) -> Prediction:
        width, height = source.size_wh
        return Prediction(width, (width, height), [[x + 0.5, 4.5] for x in range(width)], "heads")  # type: ignore[arg-type]


def test_only_what_lies_in_the_region_of_a_scene_counts() -> None:
    scenes = []
    for camera, inside in (("104207", 4), ("200608", 8), ("200608", 8)):
        region = np.zeros((8, 16), np.bool_)
        region[:, :inside] = True
        heads = [[1.5, 1.5], [15.5, 1.5]]
        scenes.append(
            Scene(np.zeros((8, 16, 3), np.uint8), heads, region=region, attributes={"scene": camera})  # type: ignore[arg-type]
        )
    found = evaluate_scenes(_Everywhere(), scenes, TEST).results["scenes"]
    assert isinstance(found, ScenesResult)
    assert [(scene.mae, scene.images) for scene in found.scenes] == [(3, 1), (7, 2)]
    assert found.mae == 5
