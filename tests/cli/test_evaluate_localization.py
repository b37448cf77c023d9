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

pytestmark = pytest.mark.slow


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
        (["headcount-detect-s", "--ground-truth", "{t}"], "goes with a prediction file"),
        (["{p}", "--ground-truth", "none.txt"], "none.txt"),
        (["{t}", "--ground-truth", "{t}"], "line 1"),
        (["{p}", "--ground-truth", "{t}", "--data", "points=x.csv"], "leave them out"),
        (["{p}", "--ground-truth", "{t}", "--predictions", "new.txt"], "leave them out"),
        (["{p}", "--ground-truth", "{t}", "--plots", "new"], "--images DIR"),
        (["{p}", "--ground-truth", "{t}", "--images", "nowhere"], 'no folder "nowhere"'),
        (["some-model"], "--data"),
        (["some-model", "--data", "points=x.csv", "--images", "."], "--images goes with a prediction file"),
        (["some-model", "--data", "points=x.csv", "--predictions", "new.json"], "ends in .txt"),
        (["some-model", "--data", "points=x.csv", "--predictions", "{t}"], "exists already"),
        (["some-model", "--data", "points=x.csv", "--predictions", "a.txt", "--output", "a.txt"], "of its own"),
    ],
)
def test_what_is_refused(files: tuple[Path, Path], arguments: list[str], words: str) -> None:
    result = run(*(argument.format(p=files[0], t=files[1]) for argument in arguments))
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)


def test_pictures_of_a_prediction_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    folder, plots = tmp_path / "images", tmp_path / "plots"
    folder.mkdir()
    arguments = (files[0], "--ground-truth", files[1], "--images", folder)
    result = run(*arguments)
    assert isinstance(result.exception, InputError)
    assert "0007.jpg" in str(result.exception)
    Image.new("RGB", (120, 110)).save(folder / "0007.jpg")
    result = run(*arguments, "--plots", plots)
    assert result.exit_code == 0, result.exception
    assert "lacks 1 of 2 images (9)" in " ".join(result.stderr.split())
    assert "wrote 1 picture to" in result.stdout
    assert [path.name for path in plots.iterdir()] == ["heads-predictions-worst-01.png"]
    # The head at (10, 10) in the file, σ_l 6, is drawn about that pixel's centre: 1400 px wide, below 40 of caption.
    with Image.open(plots / "heads-predictions-worst-01.png") as image:
        picture = np.asarray(image)
    green = np.argwhere((picture[40:, :, 1] > 200) & (picture[40:, :, 0] < 90)) + 0.5
    x = (green[:, 1].min() + green[:, 1].max()) / 2 * 120 / 1400
    assert x == pytest.approx(10.5, abs=0.1)
    (tmp_path / "bad.txt").write_text("9 0\n7 1 120 5\n")
    for refused, words in (((*arguments, "--plots", plots), "exists already"), (("--plots", files[0]), "is a file")):
        failed = run(*(refused if len(refused) > 2 else (*arguments, *refused)))
        assert isinstance(failed.exception, InputError)
        assert words in str(failed.exception)
        assert failed.stdout == ""
    failed = run(tmp_path / "bad.txt", *arguments[1:])
    assert isinstance(failed.exception, InputError)
    assert "line 2: point 1, (120, 5), lies outside the image (120×110)" in str(failed.exception)


def model(kind: str) -> Callable[..., object]:
    class Finds:
        runtime = SimpleNamespace(name="fake", device="cpu", precision="f32")

        def has_map(self, name: str) -> bool:
            return False

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
    metrics = report["metrics"]
    assert metrics["counting"]["mae"] == 0
    assert ("radius" in str(metrics.get("localization"))) == located
    assert ("not_measured" in metrics.get("localization", {})) == (kind == "none")
    assert [figure["metric"] for figure in report["figures"] if figure["metric"].startswith("F1")] == (
        ["F1 at 4px", "F1 at 8px"] if kind == "heads" else []
    )
    names = {path.name for path in plots.iterdir()}
    assert ({"heads-points-p-all-worst-01.png", "threshold-points-p-all.png"} <= names) == located
    if located:
        assert [row["f1"] for row in metrics["localization"]["localization"]] == [1, 1]
        assert "counting" not in metrics["localization"]


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    for name in ("a_12.png", "b_3.png"):
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    path = tmp_path / "p.csv"
    path.write_text("image,x,y\na_12.png,10.5,10.5\na_12.png,63.5,20\nb_3.png,,\n")
    return path


def test_predictions_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbered: Path) -> None:
    monkeypatch.setattr("headcount.infer.counter.load", model("heads"))
    out = tmp_path / "found.txt"
    arguments = ("finds", "--data", f"points={numbered}", "--predictions", out)
    result = run(*arguments)
    assert result.exit_code == 0, result.exception
    # One pixel right and down of the heads; the last pixel where that is outside.
    assert out.read_text() == "12 2 11 11 63 21\n3 0\n"
    out.write_text("mine")
    assert "exists already" in str(run(*arguments).exception)
    assert out.read_text() == "mine"
    assert run(*arguments, "--force").exit_code == 0
    assert out.read_text() == "12 2 11 11 63 21\n3 0\n"


def test_predictions_of_the_images_that_could_be_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbered: Path
) -> None:
    monkeypatch.setattr("headcount.infer.counter.load", model("heads"))
    out = tmp_path / "found.txt"
    numbered.write_text(numbered.read_text() + "away_1.png,,\n")
    monkeypatch.chdir(tmp_path)
    result = run("finds", "--data", f"points={numbered}", "--predictions", "found.txt")
    assert result.exit_code == 1
    assert out.read_text() == "12 2 11 11 63 21\n3 0\n"
    (tmp_path / "b_3.png").write_bytes(b"no image")
    result = run("finds", "--data", f"points={numbered}", "--predictions", "found.txt", "--force")
    assert "1 of 3 images" in result.stdout.splitlines()[0]
    assert out.read_text() == "12 2 11 11 63 21\n"


def test_what_stands_in_the_way_is_said_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbered: Path
) -> None:
    class Never:
        runtime = None

        def has_map(self, name: str) -> bool:
            return False

        def count(self, source: Scene) -> Prediction:
            raise AssertionError("counted")

    monkeypatch.setattr("headcount.infer.counter.load", lambda *_, **__: Never())
    plots, data = tmp_path / "plots", f"points={numbered}"
    plots.mkdir()
    (plots / "heads-points-p-all-random-02.png").touch()
    assert "random-02.png" in str(run("finds", "--data", data, "--plots", plots).exception)
    numbered.write_text("image,x,y\na_12.png,1,1\nhall.png,2,2\n")
    Image.new("RGB", (64, 48)).save(tmp_path / "hall.png")
    out = tmp_path / "found.txt"
    assert "ends in no number" in str(run("finds", "--data", data, "--predictions", out).exception)
    assert not out.exists()


def test_a_model_that_only_counts_gives_no_prediction_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbered: Path
) -> None:
    monkeypatch.setattr("headcount.infer.counter.load", model("none"))
    result = run("finds", "--data", f"points={numbered}", "--predictions", tmp_path / "found.txt")
    assert isinstance(result.exception, InputError)
    assert "without saying where" in str(result.exception)
    assert not (tmp_path / "found.txt").exists()


def test_published_figures_stand_beside_what_is_reached(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "report.json"
    result = run(files[0], "--ground-truth", files[1], "--recipe", "iim-nwpu-hrnet-box", "--output", output)
    assert result.exit_code == 0, result.exception
    text = " ".join(result.stdout.split())
    assert "reached here 50.0 50.0 50.0 1.0 1.0 0.500 Table 3, row 6 80.2 84.1 76.6 55.6 330.9 0.197" in text
    report = json.loads(output.read_text())
    assert report["recipe"]["reached"]["F1"] == 50
    monkeypatch.setattr("headcount.infer.counter.load", model("heads"))
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    (tmp_path / "p.csv").write_text("image,x,y\na.png,10,10\n")
    data = ("--data", f"points={tmp_path / 'p.csv'}")
    assert "only of nwpu-crowd val" in run("finds", *data, "--recipe", "iim-nwpu-hrnet-box").stdout
    for name, words in (("headcount-s", "holds no published figures"), ("iim-nwpu", "no recipe")):
        refused = run("finds", *data, "--recipe", name)
        assert isinstance(refused.exception, InputError)
        assert words in str(refused.exception)
