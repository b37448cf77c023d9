"""Plots: both files appear, at a size to read, whatever the counts; pyplot's state stays as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError, MissingExtraError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.table import EvaluationSettings
from headcount.evaluate.plots.counting import draw_scatter, draw_worst, save_plots
from headcount.evaluate.run import EvaluationReport, evaluate_scenes

pytestmark = pytest.mark.slow


class TenPercentMore:
    def __init__(self, *, density: bool) -> None:
        self.density = density

    def count(self, source: Scene) -> Prediction:
        width, height = source.size_wh
        density = np.ones((-(-height // 8), -(-width // 8)), np.float32) if self.density else None
        return Prediction(1.1 * source.count + 0.2, source.size_wh, density=density, density_stride=8, model="m")


def report_of(counts: list[int], *, density: bool = True, size_wh: tuple[int, int] = (64, 48)) -> EvaluationReport:
    draw = np.random.Generator(np.random.Philox(5))
    pixels = draw.integers(0, 255, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    scenes = [Scene(pixels, draw.random((n, 2)) * size_wh, name=f"d/IMG_{i}") for i, n in enumerate(counts)]
    settings = EvaluationSettings(data="d", split="val")
    return evaluate_scenes(TenPercentMore(density=density), scenes, settings, keep_worst=4)


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(report_of([20, 25, 30]), id="narrow"),
        pytest.param(report_of([0, 0, 3, 90, 900]), id="wide with zeros"),
        pytest.param(report_of([5, 90, 1900], density=False), id="wide, no density"),
        pytest.param(report_of([0]), id="one empty image"),
        pytest.param(report_of([7, 9], size_wh=(3, 400)), id="thin"),
    ],
)
def test_both_pictures_are_written(tmp_path: Path, report: EvaluationReport) -> None:
    before = sys.modules.get("matplotlib.pyplot")
    paths = save_plots(report, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["scatter-d-val.png", "worst-d-val.png"]
    for path in paths:
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert 600 <= image.width <= 2000
            assert np.asarray(image.convert("L")).std() > 5
    assert sys.modules.get("matplotlib.pyplot") is before
    assert not list((tmp_path / "new" / "folder").glob(".*"))


def test_the_scatter_plot_names_the_worst_and_is_logarithmic_where_counts_are_wide() -> None:
    (axes,) = draw_scatter(report_of([5, 10, 20, 40, 80, 160, 999])).axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert {text.get_text() for text in axes.texts} == {f"IMG_{number}" for number in range(2, 7)}
    assert draw_scatter(report_of([20, 30])).axes[0].get_xscale() == "linear"
    assert draw_scatter(report_of([0, 300])).axes[0].get_xscale() == "symlog"


def test_plots_are_not_overwritten(tmp_path: Path) -> None:
    report = report_of([3])
    save_plots(report, tmp_path)
    with pytest.raises(InputError, match="exists already"):
        save_plots(report, tmp_path)
    save_plots(report, tmp_path, overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        save_plots(report, tmp_path / "file")
    with pytest.raises(InputError, match="closed to writing"):
        save_plots(report, tmp_path / "file" / "below")


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"\.\[plots\]"):
        save_plots(report_of([3]), tmp_path)


def test_the_sheet_shows_the_boxes_of_a_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[np.ndarray] = []
    monkeypatch.setattr(
        "headcount.evaluate.plots.counting.draw_boxes", lambda photo, boxes: drawn.append(boxes) or photo
    )
    boxes = np.array([[2.0, 2, 10, 12]])

    class Detector:
        def count(self, source: Scene) -> Prediction:
            return Prediction(1, source.size_wh, [[6, 7]], "heads", [0.5], boxes, model="d")

    report = evaluate_scenes(Detector(), [Scene(np.zeros((48, 64, 3), np.uint8), name="a")], metrics=["counting"])
    draw_worst(report)
    np.testing.assert_array_equal(drawn, [boxes])


def test_the_sheet_dims_what_lies_outside_a_region() -> None:
    region = np.zeros((300, 400), np.bool_)
    region[:, :200] = True
    scene = Scene(np.full((300, 400, 3), 200, np.uint8), [[9, 9]], name="a", region=region)  # type: ignore[arg-type]

    class Locator:
        def count(self, source: Scene) -> Prediction:
            return Prediction(1, source.size_wh, [[300, 9]], "heads", [0.5], model="l")  # type: ignore[arg-type]

    sheet = draw_worst(evaluate_scenes(Locator(), [scene], metrics=["counting"]))
    shown = np.asarray(sheet.axes[0].images[0].get_array())
    middle = shown[shown.shape[0] // 2]
    photo, drawn = middle[: len(middle) // 2], middle[len(middle) // 2 :]
    for half in (photo, drawn):
        assert {120, 200} <= set(half[:, 0].tolist())
    assert (drawn[:, 2] == 255).any(), "the region has no outline"
