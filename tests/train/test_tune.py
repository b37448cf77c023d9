"""A few labelled images make a model better, or leave it as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import headcount
from headcount.core.card import ModelCard
from headcount.core.errors import InputError, ModelError
from headcount.core.interval import IntervalSpec
from headcount.data.sets.registry import spec_of
from headcount.models.table import build_method
from headcount.synth import paint_scene
from headcount.train.card import method_card
from headcount.train.export import write_model
from headcount.train.tune import tune

RunCli = Callable[..., tuple[int, str, str]]
OPTIONS: dict[str, Any] = {
    "variant": "solution5", "backbone": "test_efficientnet", "backbone_options": {"strides": [8, 16, 32]}, "width": 8,
    "density_activation": "softplus",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A counter that has learned nothing yet, and its card, which knows its errors."""
    torch.manual_seed(2)
    method = build_method("mask_aware", OPTIONS)
    path = tmp_path_factory.mktemp("model") / "raw.safetensors"
    interval = IntervalSpec(below=0, above=0, quantiles=(-1, 0, 1), images=99)
    write_model(method.eval(), method_card("mask_aware", OPTIONS, method, name="raw", interval=interval), path)
    return path


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of a few hundred weights, which has learned nothing yet, takes larger steps than a real one."""
    monkeypatch.setattr("headcount.train.tune._LR", 1e-2)


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """A folder of eight painted pictures of one size, and their points."""
    folder = tmp_path / "camera"
    folder.mkdir()
    rows = ["image,x,y"]
    for number in range(8):
        scene = paint_scene(number, size_wh=(160, 128), count=60 + number)
        Image.fromarray(scene.pixels()).save(folder / f"{number}.png")
        rows += [f"{number}.png,{x:.1f},{y:.1f}" for x, y in scene.points_xy]
    (folder / "points.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def test_a_model_that_counts_wrong_is_tuned(model: Path, camera: Path, tmp_path: Path) -> None:
    before = model.read_bytes()
    tuned = tune(model, [spec_of(camera)], tmp_path / "mine.onnx", steps=(10, 30))
    assert tuned.output == tmp_path / "mine.onnx"
    assert tuned.steps in tuned.after
    assert tuned.after[tuned.steps].mae < 0.95 * tuned.before.mae
    assert tuned.before.images == 8
    lines = tuned.lines()
    assert lines[0].startswith("raw tuned on 8 images with ")
    assert sum(line.endswith("taken") for line in lines) == 1
    assert all(len(line) <= 80 for line in lines)
    card = ModelCard.read(tmp_path / "mine.json")
    assert (card.name, card.interval) == ("mine", None)
    assert [one.name for one in card.data] == ["points-points"]
    assert "Tuned from raw on 8 images of points-points" in card.notes[-1]
    (result,) = card.results
    assert result.value == pytest.approx(tuned.after[tuned.steps].mae, abs=1e-3)
    assert headcount.load(tmp_path / "mine.onnx").count(camera / "0.png").count > 0
    # What few images would spoil is as it was.
    old, new = load_file(model), load_file(tmp_path / "mine.safetensors")
    for key, value in old.items():
        same = torch.equal(value, new[key])
        assert same or not (key.startswith("backbone.") or "running" in key), key
    assert any(not torch.equal(value, new[key]) for key, value in old.items())
    assert model.read_bytes() == before


def test_it_is_the_same_each_time(model: Path, camera: Path, tmp_path: Path) -> None:
    one, two = (tune(model, [spec_of(camera)], tmp_path / f"{name}.safetensors", steps=(4,)) for name in "ab")
    assert one.after[4] == two.after[4]


def test_where_it_does_not_help_nothing_is_written(model: Path, camera: Path, tmp_path: Path, run_cli: RunCli) -> None:
    # The labels are what the model counts already.
    rows = ["image,x,y"]
    counter = headcount.load(model)
    for number in range(8):
        people = round(counter.count(camera / f"{number}.png").count)
        rows += [f"{number}.png,{x},{y}" for x, y in np.random.default_rng(number).uniform(2, 120, (people, 2))]
    (camera / "points.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    tuned = tune(model, [spec_of(camera)], tmp_path / "mine.onnx", steps=(2,))
    assert (tuned.steps, tuned.output) == (0, None)
    assert "nothing is written" in tuned.lines()[-1]
    assert not (tmp_path / "mine.onnx").exists()


def test_the_command(model: Path, camera: Path, tmp_path: Path, run_cli: RunCli, monkeypatch: Any) -> None:
    monkeypatch.setattr(tune, "__kwdefaults__", {**(tune.__kwdefaults__ or {}), "steps": (20,)})
    output = tmp_path / "mine.safetensors"
    code, out, err = run_cli("tune", str(model), "--images", str(camera), "-o", str(output))
    assert code == 0, err
    assert "Learning from 4 images, counting the other 4" in err
    assert f"wrote {output}" in out
    code, _, err = run_cli("tune", str(model), "--images", str(camera), "-o", str(output))
    assert code == 2
    assert "--force" in err
    code, _, err = run_cli("tune", str(model))
    assert code == 2
    assert "--images FOLDER" in err


def test_what_cannot_be_tuned_is_said(model: Path, spots_model: Path, camera: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.onnx"
    points = camera / "points.csv"
    points.write_text("\n".join(points.read_text().splitlines()[:5]) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"Tuning takes 6 images with a known number, .* but there is 1"):
        tune(model, [f"points={points}"], output)
    with pytest.raises(InputError, match="holds test images, and nothing learns from those"):
        tune(model, [f"shanghaitech-a={tmp_path}"], output)
    with pytest.raises(ModelError, match=r"has no \.safetensors"):
        tune(spots_model, [f"points={points}"], output)


def test_the_labels_of_a_folder_are_found(camera: Path, tmp_path: Path) -> None:
    assert spec_of(camera) == f"points={camera / 'points.csv'}"
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no labels that headcount reads: name them with NAME=PATH"):
        spec_of(empty)
    with pytest.raises(InputError, match="There is no folder"):
        spec_of(tmp_path / "none")
    shutil.copy(camera / "points.csv", camera / "more.csv")
    with pytest.raises(InputError, match="several kinds of labels"):
        spec_of(camera)
