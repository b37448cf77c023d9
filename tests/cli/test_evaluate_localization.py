"""`headcount evaluate predictions.txt --ground-truth FILE`, and the localization part of a model's report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from headcount.cli.evaluate import evaluate
from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("COLUMNS", "80")
    truth, predictions = tmp_path / "val_gt_loc.txt", tmp_path / "predictions.txt"
    truth.write_text("7 2 10 10 3 6 1 100 100 3 6 4\n9 0\n")
    predictions.write_text("7 1 10 14\n9 1 5 5\n")
    return predictions, truth


def test_a_prediction_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    arguments = (files[0], "--ground-truth", files[1], "--output", output, "--matcher", "reference", "--localization")
    result = run(*arguments)
    assert result.exit_code == 0, result.exception
    text = " ".join(result.stdout.split())
    for words in (
        "2 images (1 without heads), 2 heads, 2 predictions", "protocol: maximum matching", "matcher reference",
        "σ_l 0.5000 0.5000 0.5000 1 1 1", "σ_s 0.0000 0.0000 0.0000 0 2 2", "1–100 px", "where nobody is", "MAE 1.000",
    ):  # fmt: skip
        assert words in text
    assert max(map(len, result.stdout.splitlines()[:-1])) <= 80
    report = json.loads(output.read_text())
    assert [row["radius"] for row in report["localization"]] == ["sigma_l", "sigma_s", "4px", "8px"]
    assert report["localization"][0]["recall_by_level"][1]["recall"] == 1
    assert (report["matcher"], report["per_image"][0]["sigma_l"]) == ("reference", [1, 0, 1])
    assert report["protocol"]
    assert isinstance(run(*arguments).exception, InputError)
    assert run(*arguments, "--force").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{p}"], "--ground-truth"),
        (["{p}", "--ground-truth", "none.txt"], "none.txt"),
        (["{t}", "--ground-truth", "{t}"], "line 1"),
        (["{p}", "--ground-truth", "{t}", "--data", "points=x.csv"], "leave them out"),
        (["some-model"], "--data"),
    ],
)
def test_what_is_refused(files: tuple[Path, Path], arguments: list[str], words: str) -> None:
    result = run(*(argument.format(p=files[0], t=files[1]) for argument in arguments))
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)


def model(kind: str) -> Callable[..., object]:
    class Finds:
        runtime = SimpleNamespace(name="fake", device="cpu", precision="f32")

        def count(self, source: Scene) -> Prediction:
            points = np.zeros((0, 2)) if kind == "none" else source.points_xy + 1.0
            scores = np.linspace(0.2, 0.9, len(points))
            return Prediction(source.count, source.size_wh, points, kind, scores, model="finds")  # type: ignore[arg-type]

    return lambda *_, **__: Finds()


@pytest.mark.parametrize(
    ("kind", "options", "located"),
    [
        ("heads", [], True),
        ("peaks", [], False),
        ("peaks", ["--localization"], True),
        ("none", ["--localization"], False),
    ],
)
def test_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, options: list[str], located: bool) -> None:
    monkeypatch.setattr("headcount.infer.counter.load", model(kind))
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    (tmp_path / "p.csv").write_text("image,x,y\na.png,10,10\na.png,40,20\n")
    output, plots = tmp_path / "report.json", tmp_path / "plots"
    data = f"points={tmp_path / 'p.csv'}"
    result = run("finds", "--data", data, "--output", output, "--plots", plots, *options)
    assert result.exit_code == 0, result.exception
    assert ("localization: 1 image" in result.stdout) == located
    assert ("peaks of a density map, not heads" in result.stdout) == (located and kind == "peaks")
    (report,) = json.loads(output.read_text())["reports"]
    assert report["mae"] == 0
    assert ("located" in report) == located
    names = {path.name for path in plots.iterdir()}
    assert ({"heads-points-p-all-worst-01.png", "threshold-points-p-all.png"} <= names) == located
    if located:
        assert [row["f1"] for row in report["located"]["localization"]] == [1, 1]
