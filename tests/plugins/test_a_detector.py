"""A detector of another package, found by its entry points: trained, resumed, exported, counted with, written."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import headcount
from headcount.core.errors import InputError
from headcount.core.geometry import centres
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.writers import WRITERS
from headcount.data.formats.predictions import PredictionFile
from headcount.decode.table import DECODERS
from headcount.models.method import Method, TargetBatch
from headcount.models.table import METHODS, build_method, method_class
from headcount.synth import paint_scene
from headcount.train.batches import Batches
from headcount.train.checkpoint import Checkpoint
from headcount.train.export import export_checkpoint
from headcount.train.loop import train
from headcount.train.pools import Pool
from headcount.train.recipe import DataSettings, Recipe, load_recipe
from headcount.train.validation import validation_loss

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("threads_kept")]
ENTRY_POINTS = """
[headcount.methods]
toy = headcount_toy:METHOD
[headcount.decoders]
toy = headcount_toy:DECODER
[headcount.writers]
.widths = headcount_toy:WRITER
"""
TABLES = (METHODS, DECODERS, WRITERS)


@pytest.fixture(autouse=True)
def toy(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package as pip would have installed it; tables look for entry points anew, before and after."""
    site = tmp_path_factory.mktemp("site")
    info = site / "headcount_toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: headcount-toy\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "toy"))
    importlib.invalidate_caches()
    _forget()
    yield
    _forget()
    sys.modules.pop("headcount_toy", None)


def _forget() -> None:
    for table in TABLES:
        table.__dict__.pop("_others", None)
        table._loaded.clear()


def _recipe(folder: Path, **changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "name": "toy", "method": "toy", "model": {"width": 4}, "initialisation": "none",
        "data": {"painted_scenes": 4, "crop": 64, "min_visible": 0.5, "scale": [1.0, 2.0], "workers": 1},
        "optimiser": {"lr": 0.01, "warmup_steps": 1}, "batch": 4, "steps_per_epoch": 4, "epochs": 1, "ema": 0.9,
        "threads": 1, "device": "cpu", "log_steps": 1, "checkpoint_seconds": 0, "seed": 5, "output": str(folder),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.yaml").write_text(yaml.safe_dump({**values, **changes}), encoding="utf-8")
    return load_recipe(str(folder / "toy.yaml"))


def test_rows_of_another_package_stand_beside_ours() -> None:
    for table, name in zip(TABLES, ("toy", "toy", ".widths"), strict=True):
        assert list(table)[-1] == name
    assert METHODS.find("toy").title == "The toy detector"
    assert issubclass(method_class("toy"), Method)
    with pytest.raises(InputError, match=r'no method "toi".*"toy"'):
        method_class("toi")


def test_batches_keep_boxes_ragged_down_to_none() -> None:
    method = build_method("toy", {})
    blank = Scene(np.zeros((64, 64, 3), np.uint8), boxes_xyxy=np.zeros((0, 4)), name="blank")
    painted = paint_scene(1, size_wh=(128, 96), count=8)
    data = DataSettings(crop=64, workers=2)
    batches = Batches([Pool("a", [blank, painted], 1.0)], method, data, batch=4, steps_per_epoch=2, seed=1)
    images, targets = batches.at(0)
    assert tuple(targets.maps["heat"].shape) == (4, 1, 16, 16)
    lengths = [len(boxes) for boxes in targets.ragged["boxes"]]
    assert [tuple(boxes.shape) for boxes in targets.ragged["boxes"]] == [(length, 4) for length in lengths]
    assert 0 in lengths
    assert max(lengths) > 0
    losses = method.loss(method.training_forward(images, targets), targets)
    losses["total"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in method.parameters())


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_a_batch_without_any_box_is_learned_from(precision: str) -> None:
    method = build_method("toy", {})
    targets = TargetBatch.join([method.targets(Scene(np.zeros((64, 64, 3), np.uint8)))] * 2)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        maps = method.training_forward(torch.zeros(2, 3, 64, 64), targets)
    losses = method.loss(maps, targets)
    losses["total"].backward()
    assert losses["size"] == 0
    assert validation_loss(method, [Scene(np.zeros((64, 64, 3), np.uint8))], DataSettings(crop=64), batch=2, seed=1) > 0


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_a_run_that_is_cut_off_and_resumed_ends_bit_equal(
    tmp_path: Path, precision: str, trained_whole_and_cut: Callable[..., tuple[Checkpoint, Checkpoint]]
) -> None:
    recipes = (_recipe(tmp_path / name, precision=precision) for name in ("whole", "cut"))
    first, second = trained_whole_and_cut(*recipes, at=3)
    assert first.step == second.step == 4
    assert [key for key, value in first.tensors.items() if not torch.equal(value, second.tensors[key])] == []


def test_what_it_learned_is_exported_counted_with_drawn_and_written(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path / "run")
    train(recipe, say=lambda line: None)
    card = export_checkpoint(tmp_path / "run", tmp_path / "toy.onnx", decoder={"score_threshold": 1e-6})
    assert card.task == "detect"
    counter = headcount.load(tmp_path / "toy.onnx", precision="f32")
    scene = paint_scene(7, size_wh=(128, 96), count=6)
    found = counter.count(scene)
    assert found.count > 0
    assert found.boxes_xyxy is not None
    assert len(found.boxes_xyxy) == found.count
    assert np.array_equal(found.draw(scene.pixels()), found.draw(scene.pixels(), kind="boxes"))
    for name in ("a.json", "a.coco.json", "a.widths", "a.png"):
        found.save(tmp_path / name, image=scene.pixels())
    assert (tmp_path / "a.widths").read_text(encoding="utf-8").startswith("# widths\n")


def test_a_file_of_many_predictions_is_written_by_it(tmp_path: Path) -> None:
    boxes = np.array([[0.0, 0, 4, 8], [10, 0, 19, 8]])
    with PredictionFile(tmp_path / "out.widths") as file:
        for source in ("a.jpg", "b.jpg"):
            file.add(Prediction(2, (32, 24), centres(boxes), "heads", boxes_xyxy=boxes, source=source))
    assert (tmp_path / "out.widths").read_text(encoding="utf-8") == "# widths\na.jpg: 4 9\nb.jpg: 4 9\n"
    with pytest.raises(InputError, match=r'"out\.width".*"\.widths"'):
        PredictionFile(tmp_path / "out.width")
