"""The measure of counts at other scales: what it compares, and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from headcount.core.image import RgbImage
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene


@pytest.fixture
def study(benchmark_named: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_named("scale")


class ByArea:
    """Counts one person for each hundred pixels, or, ``steady``, always ten."""

    def __init__(self, *, steady: bool = False) -> None:
        self.steady = steady

    def count(self, source: RgbImage, /) -> Prediction:
        height, width = source.shape[:2]
        return Prediction(count=10.0 if self.steady else height * width / 100, size_wh=(width, height))


def _scene(apart: float, heads: int = 8) -> Scene:
    return Scene(np.zeros((100, 100, 3), np.uint8), np.array([(apart * k, 50.0) for k in range(heads)]))


def test_a_change_is_relative_to_the_photograph_as_it_is(study: ModuleType) -> None:
    assert study.changes(ByArea(), [_scene(12)], (0.5, 2.0)) == {0.5: [-0.75], 2.0: [3.0]}
    assert study.changes(ByArea(steady=True), [_scene(12)], (0.5, 2.0)) == {0.5: [0.0], 2.0: [0.0]}


def test_heads_too_small_and_photographs_of_a_few_are_left_out(study: ModuleType) -> None:
    scenes = [_scene(6), _scene(12), _scene(12, heads=4), Scene(np.zeros((9, 9, 3), np.uint8))]
    assert {factor: len(found) for factor, found in study.changes(ByArea(), scenes, (0.5, 2.0)).items()} == {
        0.5: 1,
        2.0: 2,
    }


def test_it_prints_a_row_a_set_and_the_photograph(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from PIL import Image

    Image.new("RGB", (1600, 400)).save(tmp_path / "p.png")
    monkeypatch.setattr(study, "read_dataset", lambda spec, split: [_scene(12)])
    counter = ByArea(steady=True)
    counter.card = type("Card", (), {"name": "ten"})  # type: ignore[attr-defined]
    monkeypatch.setattr(study, "load", lambda model, precision: counter)
    study.main(["--data", "points=a.csv", "--photo", str(tmp_path / "p.png"), "--heads", "9"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["points", *["0%", "(+0%)", "1"] * 6]
    assert lines[-1] == "p.png, 9 heads: 10 at 1,000 px, 10 at 1,500 px"
