"""Reports side by side: the images they share, level by level."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.compare import LevelComparison, compare_reports
from headcount.evaluate.metrics.table import EvaluationSettings
from headcount.evaluate.plots.levels import draw_levels
from headcount.evaluate.run import evaluate_scenes

COUNTS = (0, 5, 9, 40, 45, 400, 900)


class Model:
    """Counts everything too high by a share, and by a number."""

    def __init__(self, name: str, share: float, more: float) -> None:
        self.name, self.share, self.more = name, share, more

    def count(self, source: Scene) -> Prediction:
        return Prediction(source.count * (1 + self.share) + self.more, source.size_wh, model=self.name)


def _report(model: Model, *, leave: int = 0, data: str = "d", counts: tuple[int, ...] = COUNTS) -> dict[str, Any]:
    pixels = np.zeros((8, 8, 3), np.uint8)
    scenes = [Scene(pixels, np.ones((count, 2)), name=f"{i}.png") for i, count in enumerate(counts)]
    settings = EvaluationSettings(data=data, split="val")
    report = evaluate_scenes(model, scenes[leave:], settings, metrics=["counting"])
    return report.to_dict()


def _write(path: Path, *reports: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"headcount": "0", "runtime": {}, "reports": reports}), encoding="utf-8")
    return path


DENSITY, DETECTOR = Model("density", 0.0, 6.0), Model("detector", 0.1, 0.0)


@pytest.fixture
def both(tmp_path: Path) -> list[Path]:
    return [_write(tmp_path / f"{model.name}.json", _report(model)) for model in (DENSITY, DETECTOR)]


def test_where_detection_stops_paying(both: list[Path]) -> None:
    (found,) = compare_reports(both)
    assert isinstance(found, LevelComparison)
    assert found.level_names == ("0", "1–10", "11–50", "301–700", "> 700", "all")
    density, detector = found.models
    assert [level.mae for level in density.levels] == pytest.approx([6] * 5)
    assert [level.mae for level in detector.levels] == pytest.approx([0, 0.7, 4.25, 40, 90])
    (report,) = json.loads(both[1].read_text())["reports"]
    counting = report["metrics"]["counting"]
    assert detector.overall.mae == pytest.approx(counting["mae"], abs=0.001)
    assert [level.mae for level in detector.levels] == pytest.approx(
        [one["mae"] for one in counting["levels"]], abs=0.001
    )
    rows = {line.split()[0]: line.split()[1:] for line in found.lines()[:8] if line.strip()}
    assert rows["images"] == ["1", "2", "2", "1", "1", "7"]
    assert rows["density"] == ["6.00", "6.00", "6.00", "6.00*", "6.00*", "6.00*"]
    assert rows["detector"] == ["0.00*", "0.70*", "4.25*", "40.00", "90.00", "19.99"]
    shares = found.lines()[-2:]
    assert shares[1].split() == ["detector", "–", "10.0%", "10.0%", "10.0%", "10.0%", "10.0%"]
    assert all(len(line) <= 80 for line in found.lines())
    plain = found.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["models"][1]["levels"][0]["share"] is None


def test_levels_may_be_given(both: list[Path]) -> None:
    (found,) = compare_reports(both, bounds=(100,))
    assert found.level_names == ("0–100", "> 100", "all")


def test_only_images_that_all_counted_are_compared(tmp_path: Path) -> None:
    files = [_write(tmp_path / "a.json", _report(DENSITY, leave=2)), _write(tmp_path / "b.json", _report(DETECTOR))]
    (found,) = compare_reports(files)
    assert (found.models[0].overall.images, found.left_out) == (5, 2)
    assert "2 images left out" in found.lines()[1]


def test_several_data_sets_and_models_of_one_name(tmp_path: Path) -> None:
    one = _write(tmp_path / "one.json", _report(DENSITY), _report(DENSITY, data="e"))
    two = _write(tmp_path / "two.json", _report(DENSITY), _report(DETECTOR, data="e"), _report(DENSITY, data="f"))
    first, second = compare_reports([one, two])
    assert (first.data, second.data) == ("d", "e")
    assert [model.model for model in first.models] == ["one: density", "two: density"]
    assert [model.model for model in second.models] == ["density", "detector"]
    assert [model.model for model in compare_reports([one, one])[0].models] == ["one: density 1", "one: density 2"]


def test_long_names_and_many_levels_fit_a_terminal(tmp_path: Path) -> None:
    counts = (0, 5, 20, 70, 200, 500, 12_000)
    models = [Model("a-name-that-goes-on-and-on-" * 3, 0.5, 0), Model("b", 0, 1)]
    files = [_write(tmp_path / f"{n}.json", _report(model, counts=counts)) for n, model in enumerate(models)]
    (found,) = compare_reports(files)
    assert len(found.level_names) == 8
    assert max(map(len, found.lines())) <= 80


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "report of an evaluation"),
        ('{"localization": []}', "reports"),
        ('{"reports": [{"model": "a", "data": "d", "split": "val", "per_image": '
         '[{"name": "a", "true": 1}]}]}', "predicted"),
        ('{"reports": [{"model": "a", "data": "d", "split": "val", "per_image": '
         '[{"name": "a", "true": -1, "predicted": 1}]}]}', "true"),
        ('{"reports": []}', "only of nothing"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=words):
        compare_reports([tmp_path / "a.json"])


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    d, e = _write(tmp_path / "a.json", _report(DENSITY)), _write(tmp_path / "b.json", _report(DETECTOR, data="e"))
    with pytest.raises(InputError, match="only of d val, e val"):
        compare_reports([d, e])
    other = _write(tmp_path / "c.json", _report(DETECTOR, counts=(0, 6, 9)))
    with pytest.raises(InputError, match=r'"1\.png" of d, split val, has 5 heads in one report and 6 in another'):
        compare_reports([d, other])
    none = _report(DETECTOR)
    none["per_image"] = [{**image, "name": f"x{image['name']}"} for image in none["per_image"]]
    with pytest.raises(InputError, match="no image in common"):
        compare_reports([d, _write(tmp_path / "d.json", none)])


def test_the_figure(both: list[Path]) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is in the plots extra")
    found = compare_reports(both)
    figure = draw_levels(found)
    people, share = figure.axes
    assert [text.get_text() for text in people.get_xticklabels()] == [
        "0\n1",
        "1–10\n2",
        "11–50\n2",
        "301–700\n1",
        "> 700\n1",
    ]
    assert [text.get_text() for text in people.get_legend().get_texts()] == ["density: MAE 6.00", "detector: MAE 19.99"]
    assert share.lines[1].get_ydata()[1:] == pytest.approx([0.1] * 4)
    assert len(draw_levels(found * 2).axes) == 4
    with pytest.raises(InputError, match="no comparison"):
        draw_levels([])
