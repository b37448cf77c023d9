"""`headcount evaluate`: what is printed, what is written, what is refused before the long run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from headcount.cli.evaluate import evaluate
from headcount.core.errors import InputError, ModelError
from headcount.core.locks import held
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.data.formats.table import FORMATS
from headcount.data.sets.convert import convert_scenes
from headcount.infer.counter import load as load_model

pytestmark = pytest.mark.slow


class TwoMore:
    """A model that counts two too many everywhere."""

    runtime = SimpleNamespace(name="fake", device="cpu", precision="f32")
    counted = 0

    def has_map(self, name: str) -> bool:
        return name == "density"

    def count(self, source: Scene) -> Prediction:
        TwoMore.counted += 1
        count = source.count + 2
        density = np.full((6, 8), count / 48, dtype=np.float32)
        return Prediction(count, source.size_wh, density=density, density_stride=8, model="two-more")


@pytest.fixture
def points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("headcount.infer.counter.load", lambda *_, **__: TwoMore())
    TwoMore.counted = 0
    rows = []
    for name, count in (("none", 0), ("few", 4), ("many", 400)):
        Image.new("RGB", (64, 48)).save(tmp_path / f"{name}.png")
        rows += [f"{name}.png,{index % 64},{index % 48}" for index in range(count)] or [f"{name}.png,,"]
    path = tmp_path / "hall.csv"
    path.write_text("image,x,y\n" + "\n".join(rows) + "\n")
    return path


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, ["some-model", *arguments])


def test_the_table(points: Path) -> None:
    result = run("--data", f"points={points}")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "two-more on points-hall, split all: 3 images, 404 heads"
    assert "protocol" in lines[2]
    text = " ".join(result.stdout.split())
    for words in (
        "MAE 2.00 95 % interval 2.0 to 2.0", "RMSE 2.00", "NAE 0.2525 1 image without heads left out", "bias +2.00",
        "MAE where nobody is 2.00", "GAME(1)", "1–10 1 4.0 2.00 2.00 +2.00", "301–700 1 400.0", "ms per image",
        "counted by fake on cpu in f32",
    ):  # fmt: skip
        assert words in text
    assert max(map(len, lines)) <= 80
    assert result.stderr == ""


def test_json_and_plots(points: Path, tmp_path: Path) -> None:
    output, plots = tmp_path / "report.json", tmp_path / "plots"
    arguments = ("--data", f"points={points}", "--levels", "3,300", "--output", str(output), "--plots", str(plots))
    assert run(*arguments).exit_code == 0
    report = json.loads(output.read_text())
    assert report["runtime"] == {"name": "fake", "device": "cpu", "precision": "f32"}
    (measured,) = report["reports"]
    counting = measured["metrics"]["counting"]
    assert (counting["mae"], measured["split"], counting["nae_left_out"]) == (2, "all", 1)
    assert measured["metrics"]["timing"]["time_ms_per_image"] >= 0
    assert [level["name"] for level in counting["levels"]] == ["0–3", "4–300", "> 300"]
    assert [row["name"] for row in measured["per_image"]] == ["none.png", "few.png", "many.png"]
    assert {path.name for path in plots.iterdir()} == {"scatter-points-hall-all.png", "worst-points-hall-all.png"}
    # Asked again, it is refused before anything is counted.
    counted = TwoMore.counted
    for refused in (arguments, arguments[:2] + arguments[-2:]):
        assert isinstance(run(*refused).exception, InputError)
    assert TwoMore.counted == counted
    assert run(*arguments, "--force").exit_code == 0


def test_several_data_sets(points: Path, tmp_path: Path) -> None:
    (tmp_path / "yard.csv").write_text("image,x,y\nfew.png,1,1\n")
    result = run("--data", f"points={points}", "--data", f"points={tmp_path / 'yard.csv'}")
    assert result.exit_code == 0
    assert "points-yard, split all: 1 image, 1 head\n" in result.stdout
    assert isinstance(run("--data", f"points={points}", "--data", f"points={points}").exception, InputError)


def test_a_split_of_ones_own_images(points: Path) -> None:
    result = run("--data", f"points={points}", "--split", "train")
    assert "points-hall, split train: 3 images" in result.stdout


def test_an_error_does_not_cost_the_reports_before_it(points: Path, tmp_path: Path) -> None:
    def fails(self: TwoMore, source: Scene) -> Prediction:
        if "yard" in str(source.image):
            raise InputError(f'"{source.image}" is damaged or cut short.')
        return Prediction(source.count, source.size_wh, model="two-more")

    Image.new("RGB", (64, 48)).save(tmp_path / "yard.png")
    (tmp_path / "yard.csv").write_text("image,x,y\nyard.png,1,1\n")
    output = tmp_path / "report.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TwoMore, "count", fails)
        result = run("--data", f"points={points}", "--data", f"points={tmp_path / 'yard.csv'}", "--output", str(output))
    assert isinstance(result.exception, InputError)
    assert "yard.png" in str(result.exception)
    assert [report["data"] for report in json.loads(output.read_text())["reports"]] == ["points-hall"]


def test_what_cannot_be_measured_is_named_and_the_rest_is(points: Path, tmp_path: Path) -> None:
    def fails(self: TwoMore, source: Scene) -> Prediction:
        if "few" in str(source.image):
            raise InputError(f'"{source.image}" is damaged or cut short.')
        return Prediction(source.count, source.size_wh, model="two-more")

    points.write_text(points.read_text() + "away.png,1,1\n")
    output = tmp_path / "report.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TwoMore, "count", fails)
        result = run("--data", f"points={points}", "--output", str(output))
    assert result.exit_code == 1
    assert result.stdout.startswith("two-more on points-hall, split all: 2 of 4 images, 400 heads\n")
    skipped = [line for line in result.stderr.splitlines() if line.startswith("Skipped: ")]
    assert ["away.png" in skipped[0], "few.png" in skipped[1], len(skipped)] == [True, True, 2]
    (report,) = json.loads(output.read_text())["reports"]
    assert [row["name"] for row in report["skipped"]] == ["away.png", "few.png"]


def test_ctrl_c_costs_nothing_that_was_measured(points: Path, tmp_path: Path) -> None:
    def stops(self: TwoMore, source: Scene) -> Prediction:
        if "many" in str(source.image):
            raise KeyboardInterrupt
        return Prediction(source.count, source.size_wh, model="two-more")

    output = tmp_path / "report.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TwoMore, "count", stops)
        result = run("--data", f"points={points}", "--output", str(output))
    assert result.exit_code == 130
    assert result.stdout.startswith("two-more on points-hall, split all: 2 of 3 images, 4 heads\n")
    assert json.loads(output.read_text())["reports"][0]["images_expected"] == 3


def test_a_report_that_another_run_writes_is_refused_before_the_run(points: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    with held(output):
        result = run("--data", f"points={points}", "--output", str(output))
    assert isinstance(result.exception, InputError)
    assert "written by another run" in str(result.exception)
    assert TwoMore.counted == 0


def test_what_the_annotations_lost_is_said(points: Path, tmp_path: Path) -> None:
    row = {"image_id": 1, "category_id": 1}
    boxes = [{**row, "bbox": [1, 1, 5, 5], "iscrowd": 1}, {**row, "bbox": [70, 1, 5, 5]}, {**row, "bbox": [9, 9, 5, 5]}]
    image = {"id": 1, "file_name": "few.png", "width": 64, "height": 48}
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"images": [image], "annotations": boxes, "categories": [{"id": 1, "name": "head"}]}))
    result = run("--data", f"coco={file}")
    assert (result.exit_code, result.stdout.splitlines()[0][-15:]) == (0, "1 image, 1 head")
    assert result.stderr.splitlines() == [
        "Note: coco-c: 1 object not to be counted (iscrowd 1), in 1 image",
        "Note: coco-c: 1 box of which nothing lies in the image; left out, in 1 image",
    ]


def test_the_model_is_looked_for_before_the_data(points: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headcount.infer.counter.load", load_model)
    result = run("--data", "points=no.csv")
    assert isinstance(result.exception, ModelError)


def test_a_real_network_from_file_to_report(points: Path, tiny_model: str, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(evaluate)
    output = tmp_path / "report.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headcount.infer.counter.load", load_model)
        result = CliRunner().invoke(app, [tiny_model, "--data", f"points={points}", "--output", str(output)])
    assert result.exit_code == 0, result.output
    (measured,) = json.loads(output.read_text())["reports"]
    counter = load_model(tiny_model)
    expected = [counter.count(points.with_name(f"{name}.png")).count for name in ("none", "few", "many")]
    assert [row["predicted"] for row in measured["per_image"]] == pytest.approx(expected, abs=1e-3)
    metrics = measured["metrics"]
    assert metrics["game"]["1"] >= metrics["counting"]["mae"] * (1 - 1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--data", "points={}", "--output", "no-such-folder/report.json"],
        ["--data", "points={}", "--output", "."],
        ["--data", "points={}", "--plots", "{}"],
        ["--data", "points=none.csv"],
        ["--data", "point={}"],
        ["--data", "points={}", "--split", "vall"],
        ["--data", "points={}", "--levels", "700,300"],
        ["--data", "points={}", "--levels", "a"],
    ],
)
def test_what_is_refused(points: Path, arguments: list[str]) -> None:
    result = run(*(argument.format(points) for argument in arguments))
    assert isinstance(result.exception, InputError)
    assert TwoMore.counted == 0


@pytest.mark.parametrize("splits", [[""] * 12, ["train", "train", "val"] * 4])
def test_the_same_images_have_the_same_figures_in_every_format(
    tmp_path: Path, tiny_model: str, splits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    draw = np.random.default_rng(4)
    (tmp_path / "images").mkdir()
    scenes = []
    for number in range(12):
        path = tmp_path / "images" / f"{number:02d}.png"
        Image.fromarray(draw.integers(0, 256, (96, 128, 3), dtype=np.uint8)).save(path)
        corner = np.floor(draw.random((number * 2, 2)) * (110, 80))
        scenes.append(Scene(path, corner + 4, np.concatenate([corner, corner + 8], axis=1), name=path.name))
    app = typer.Typer()
    app.command()(evaluate)
    printed: dict[str, list[str]] = {}
    for form in FORMATS.values():
        if not form.writer:
            continue
        path = tmp_path / form.name / f"twelve{form.file_suffixes[0] if form.file_suffixes else ''}"
        path.parent.mkdir()
        convert_scenes(scenes, form.name, path, splits=splits if form.holds.splits else ())
        result = CliRunner().invoke(app, [tiny_model, "--data", f"{form.name}={path}", "--localization"])
        assert result.exit_code == 0, (form.name, result.exception)
        first, *lines = result.stdout.splitlines()
        assert first == f"tiny on {form.name}-twelve, split all: 12 images, 132 heads"
        printed[form.name] = [line for line in lines if " ms per image" not in line]
    assert {"points", "coco", "voc", "yolo", "labelme", "cvat"} <= printed.keys()
    assert "MAE" in "".join(printed["points"])
    assert "8 px" in "".join(printed["points"])
    assert any("σ_s" in line for line in printed["coco"])
    for name, lines in printed.items():
        if name == "points":  # which alone have no sizes, and so none of the radii σ
            assert lines == [line for line in printed["coco"] if "σ" not in line]
        else:
            assert lines == printed["coco"], name
