"""Running a model over scenes: what is counted, what is kept, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from headcount.core.errors import InputError, ModelError
from headcount.core.notes import Skipped
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.data.sets.registry import Reading
from headcount.evaluate.metrics.table import EvaluationSettings
from headcount.evaluate.run import evaluate_scenes


def scenes(counts: list[int]) -> list[Scene]:
    draw = np.random.Generator(np.random.Philox(3))
    return [
        Scene(np.zeros((24, 32, 3), np.uint8), draw.random((count, 2)) * (32, 24), name=f"set/IMG_{number}")
        for number, count in enumerate(counts)
    ]


class Off:
    """Counts each scene wrong by a given number."""

    def __init__(self, errors: list[float], *, density: bool = True) -> None:
        self.errors = iter(errors)
        self.density = density

    def count(self, source: Scene) -> Prediction:
        count = source.count + next(self.errors)
        density = np.full((3, 4), count / 12, dtype=np.float32) if self.density else None
        return Prediction(count, source.size_wh, density=density, density_stride=8, model="off")


class Fails(Off):
    """Fails on the second scene."""

    def __init__(self) -> None:
        super().__init__([0])

    def count(self, source: Scene) -> Prediction:
        if source.name == "set/IMG_1":
            raise ModelError("The image is too large.")
        return super().count(source)


def test_a_report_in_order_with_the_worst_first() -> None:
    told: list[tuple[int, int]] = []
    report = evaluate_scenes(
        Off([1, -5, 5, 0]), scenes([10, 20, 0, 400]), EvaluationSettings(data="shanghaitech-a", split="val"),
        keep_worst=3, progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert [image.name for image in report.images] == [f"set/IMG_{number}" for number in range(4)]
    assert [image.predicted for image in report.images] == [11, 15, 5, 400]
    found = report.counting
    assert (found.mae, found.bias, found.nae_left_out) == (2.75, 0.25, 1)
    assert list(report.results) == ["counting", "game", "timing"]
    assert [level.name for level in found.levels] == ["0–300", "301–700"]
    # Ties fall to the earlier image.
    assert [worst.image.short_name for worst in report.worst] == ["IMG_1", "IMG_2", "IMG_0"]
    assert (report.model, report.split, told[-1]) == ("off", "val", (4, 4))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["per_image"][1] == {**report.images[1].to_dict(), "predicted": 15, "error": -5}
    assert data["split"] == "val"
    assert data["metrics"]["counting"]["protocol"]
    game = data["metrics"]["game"]
    assert found.mae < game["1"] <= game["2"] <= game["3"]


def test_only_the_worst_predictions_are_kept() -> None:
    report = evaluate_scenes(Off([float(n) for n in range(50)]), scenes([3] * 50), keep_worst=2)
    assert [worst.image.error for worst in report.worst] == [49, 48]
    assert evaluate_scenes(Off([1]), scenes([3]), keep_worst=0).worst == ()


def test_game_is_left_out_where_one_image_has_no_places() -> None:
    assert "game" not in evaluate_scenes(Off([1], density=False), scenes([3])).results


def test_what_cannot_be_evaluated() -> None:
    with pytest.raises(InputError, match='no image to evaluate in "x", split "val"'):
        evaluate_scenes(Off([]), [], EvaluationSettings(data="x", split="val"))
    with pytest.raises(ModelError, match=r"IMG_1.*too large"):
        evaluate_scenes(Fails(), scenes([1, 2]))
    with pytest.raises(InputError, match=r"no\.jpg"):
        evaluate_scenes(Off([0]), Reading((), (Skipped("no", InputError("no.jpg is damaged.")),)), keep_going=True)
    with pytest.raises(InputError, match=r'no metric "countin"\. Did you mean "counting"'):
        evaluate_scenes(Off([]), scenes([1]), metrics=["countin"])


def test_an_image_that_cannot_be_counted_is_named_and_the_rest_measured() -> None:
    class Surprises(Fails):
        """Fails in its own way on the third scene, too."""

        def count(self, source: Scene) -> Prediction:
            if source.name == "set/IMG_2":
                raise ZeroDivisionError("by nought")
            return super().count(source)

    given = Reading(tuple(scenes([4, 2, 2])), (Skipped("cut", InputError("cut.jpg is damaged.")),), 1)
    settings = EvaluationSettings(data="d", split="all")
    report = evaluate_scenes(Surprises(), given, settings, keep_going=True)
    assert [image.name for image in report.images] == ["set/IMG_0"]
    assert [scene.name for scene in report.scenes] == ["set/IMG_0"]
    assert report.lines()[0] == "off on d, split all: 1 of 5 images, 4 heads"
    data = json.loads(json.dumps(report.to_dict()))
    assert (data["images"], data["images_expected"]) == (1, 5)
    assert [one["name"] for one in data["skipped"]] == ["cut", "set/IMG_1", "set/IMG_2"]
    assert data["skipped"][2]["why"] == '"set/IMG_2" (ZeroDivisionError: by nought)'
    with pytest.raises(InputError, match="damaged"):
        evaluate_scenes(Surprises(), given, settings)


def test_what_was_measured_until_it_is_interrupted_is_kept() -> None:
    class Stopped(Off):
        """Is told to stop while it counts the third scene."""

        def count(self, source: Scene) -> Prediction:
            if source.name == "set/IMG_2":
                raise KeyboardInterrupt
            return super().count(source)

    report = evaluate_scenes(Stopped([0, 0]), scenes([3, 4, 5, 6]), keep_going=True)
    assert (len(report.images), report.not_reached, report.expected) == (2, 2, 4)
    for given, keep_going in ((scenes([3, 4, 5]), False), (scenes([3, 4, 5])[2:], True)):
        with pytest.raises(KeyboardInterrupt):
            evaluate_scenes(Stopped([0, 0]), given, keep_going=keep_going)


def test_the_clock_runs_while_counting_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        """Takes a second to count, a metric half a minute to take it in, a region a minute to apply."""

        now = 0.0

        def count(self, source: Scene) -> Prediction:
            Slow.now += 1
            return Prediction(source.count, source.size_wh)

        def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
            Slow.now += 30

    def judged(scene: Scene, prediction: Prediction) -> tuple[Scene, Prediction]:
        Slow.now += 60
        return scene, prediction

    monkeypatch.setattr("headcount.evaluate.run.time", SimpleNamespace(perf_counter=lambda: Slow.now))
    monkeypatch.setattr("headcount.evaluate.run.inside_region", judged)
    report = evaluate_scenes(Slow(), scenes([3, 4, 5]), also=[Slow()])
    assert [image.time_ms for image in report.images] == [1000, 1000, 1000]
    assert report.results["timing"].to_dict() == {"time_ms_per_image": 1000}


def test_the_region_is_judged_once_and_seen_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []

    def once(scene: Scene, prediction: Prediction) -> tuple[Scene, Prediction]:
        judged.append(scene.name)
        return replace(scene, points_xy=scene.points_xy[:1]), replace(prediction, count=1.0)

    monkeypatch.setattr("headcount.evaluate.run.inside_region", once)
    report = evaluate_scenes(Off([0, 0]), scenes([3, 4]))
    assert judged == ["set/IMG_0", "set/IMG_1"]
    assert [(image.true, image.predicted) for image in report.images] == [(1, 1), (1, 1)]
    assert report.counting.mae == 0
