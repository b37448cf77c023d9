"""Running a model over scenes: what is counted, what is kept, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from headcount.core.errors import InputError, ModelError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.run import evaluate_counting


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
    report = evaluate_counting(
        Off([1, -5, 5, 0]), scenes([10, 20, 0, 400]), lambda done, total: told.append((done, total)),
        data="shanghaitech-a", split="val", game_levels=(0, 1), keep_worst=3,
    )  # fmt: skip
    assert [image.name for image in report.images] == [f"set/IMG_{number}" for number in range(4)]
    assert [image.predicted for image in report.images] == [11, 15, 5, 400]
    assert (report.result.mae, report.result.bias, report.result.nae_left_out) == (2.75, 0.25, 1)
    assert report.result.game[0] == pytest.approx(report.result.mae, abs=1e-4)
    assert report.result.game[1] > report.result.game[0]
    assert [level.name for level in report.result.levels] == ["0–300", "301–700"]
    # Ties fall to the earlier image.
    assert [worst.image.short_name for worst in report.worst] == ["IMG_1", "IMG_2", "IMG_0"]
    assert (report.model, report.split, told[-1]) == ("off", "val", (4, 4))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["per_image"][1] == {**report.images[1].to_dict(), "predicted": 15, "error": -5}
    assert data["split"] == "val"
    assert data["protocol"]


def test_only_the_worst_predictions_are_kept() -> None:
    report = evaluate_counting(Off([float(n) for n in range(50)]), scenes([3] * 50), keep_worst=2)
    assert [worst.image.error for worst in report.worst] == [49, 48]
    assert evaluate_counting(Off([1]), scenes([3]), keep_worst=0).worst == ()


def test_game_is_left_out_where_one_image_has_no_places() -> None:
    assert evaluate_counting(Off([1], density=False), scenes([3]), game_levels=(1,)).result.game == {}


def test_what_cannot_be_evaluated() -> None:
    with pytest.raises(InputError, match='no image to evaluate in "x", split "val"'):
        evaluate_counting(Off([]), [], data="x", split="val")
    with pytest.raises(ModelError, match=r"IMG_1.*too large"):
        evaluate_counting(Fails(), scenes([1, 2]))
