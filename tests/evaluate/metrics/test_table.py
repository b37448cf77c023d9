"""The table of metrics: one row and one file add a metric, in this package or in another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from headcount.cli.evaluate import evaluate
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.table import METRICS, EvaluationSettings, open_metrics

OUTSIDE = '''
from headcount.core.table import Row
from headcount.evaluate.metrics.table import Figure

class Most:
    """The largest crowd that was counted."""

    def __init__(self, settings):
        self.settings, self.most, self.seconds = settings, 0.0, 0.0

    def add(self, scene, prediction, seconds):
        self.most = max(self.most, prediction.count)
        self.seconds += seconds

    def result(self):
        assert self.seconds >= 0
        return self

    def to_dict(self):
        return {"most": self.most, "split": self.settings.split}

    def lines(self):
        return [f"  the largest crowd has {self.most:.0f} people"]

    def figures(self):
        return [Figure("largest", self.most, "of all images")]

ROW = Row(name="most", target="outside_metrics:Most", title="The largest crowd")
'''


@pytest.fixture
def _outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another package, installed."""
    site = tmp_path / "site"
    (site / "outside-1.0.dist-info").mkdir(parents=True)
    (site / "outside-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (site / "outside-1.0.dist-info" / "entry_points.txt").write_text(
        "[headcount.metrics]\nmost = outside_metrics:ROW\n"
    )
    (site / "outside_metrics.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(site)
    METRICS.__dict__.pop("_others", None)  # what is installed is looked up once a process
    yield
    METRICS.__dict__.pop("_others", None)


class Exact:
    runtime = SimpleNamespace(name="fake", device="cpu", precision="f32")

    def count(self, source: Scene) -> Prediction:
        return Prediction(source.count, source.size_wh, model="exact")


@pytest.mark.usefixtures("_outside")
def test_a_metric_of_another_package_is_printed_written_and_put_into_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headcount.train.export import read_report

    monkeypatch.setattr("headcount.infer.counter.load", lambda *_, **__: Exact())
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    (tmp_path / "p.csv").write_text("image,x,y\na.png,10,10\na.png,40,20\n")
    app = typer.Typer()
    app.command()(evaluate)
    output = tmp_path / "report.json"
    result = CliRunner().invoke(app, ["exact", "--data", f"points={tmp_path / 'p.csv'}", "--output", str(output)])
    assert result.exit_code == 0, result.exception
    assert "  the largest crowd has 2 people\n" in result.stdout
    (report,) = json.loads(output.read_text())["reports"]
    assert report["metrics"]["most"] == {"most": 2, "split": "all"}
    assert [(r.metric, r.value, r.protocol) for r in read_report(output)][-1] == ("largest", 2.0, "of all images")


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_keeps_the_contract(name: str) -> None:
    metric = open_metrics(EvaluationSettings(data="d", split="val"), [name])[name]
    for heads in (0, 3, 40):
        boxes = np.tile([16.0, 16, 24, 24], (heads, 1))
        scene = Scene(np.zeros((48, 64, 3), np.uint8), np.full((heads, 2), 20.0), boxes, name=f"{heads}.png")
        found = Prediction(
            heads, (64, 48), scene.points_xy + 1, "heads", np.full(heads, 0.5), boxes + 1, interval=(0, heads + 2.5),
            interval_level=0.9,
        )  # fmt: skip
        metric.add(scene, found, 0.01)
    result = metric.result()
    assert result is not None
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict()
    assert result.lines()
    assert all(len(line) <= 80 and line.isprintable() for line in result.lines())
    for figure in result.figures():
        assert figure.metric
        assert figure.protocol
        assert np.isfinite(figure.value)
