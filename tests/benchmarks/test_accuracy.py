"""The accuracy table: which images it takes, and what it prints of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_points


@pytest.fixture
def table(benchmark_named: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_named("accuracy")


class Half:
    """Counts half a person wherever it looks."""

    card = type("Card", (), {"name": "half"})
    runtime = type("Runtime", (), {"precision": "f32"})

    def count(self, source: Scene, /) -> Prediction:
        return Prediction(count=0.5, size_wh=source.size_wh, model="half")


def test_a_row_for_each_set_and_reports_for_the_card(
    table: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "nobody").mkdir()
    scenes = []
    for k in range(30):
        for folder in (tmp_path, tmp_path / "nobody"):
            Image.new("RGB", (20, 20)).save(folder / f"{k}.png")
        scenes.append(Scene(tmp_path / f"{k}.png", np.array([[5.0, 5.0], [9.0, 9.0]]), name=str(k)))
    points = f"points={write_points(scenes, tmp_path / 'p.csv')}"
    monkeypatch.setattr(table, "load", lambda model, precision: Half())
    output = tmp_path / "reports.json"
    table.main(
        ["half", "--data", points, "--negatives", str(tmp_path / "nobody"), "--unseen", points, "--output", str(output)]
    )
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [(row[0], row[1]) for row in rows] == [("points", "val"), ("negatives", "val"), ("points", "all")]
    assert rows[0][2:] == ["6", "1.50", "1.50", "0.750", "-1.50"]
    assert rows[1][3:] == ["0.50", "0.50", "—", "+0.50", "below", "1:", "100%,", "most", "0.5"]
    assert 0 < int(rows[1][2]) < 15  # those held out of training
    assert rows[2][2] == "30"
    reports = json.loads(output.read_text())["reports"]
    assert [(report["data"], report["split"]) for report in reports] == [(row[0], row[1]) for row in rows]
    from headcount.train.export import read_report

    assert {(result.data, result.metric) for result in read_report(output)} >= {("negatives", "MAE"), ("points", "NAE")}
