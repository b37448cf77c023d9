"""int8: a graph beside the float one, written where it counts as well, and taken from then on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

import headcount
from headcount.core.card import ModelCard
from headcount.core.errors import InputError, ModelError
from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_points
from headcount.infer.models import find_model
from headcount.models.table import build_method
from headcount.synth import paint_scene
from headcount.train import int8
from headcount.train.card import card_of
from headcount.train.export import write_model
from headcount.train.recipe import Recipe

pytestmark = pytest.mark.slow
pytest.importorskip("nncf", reason="NNCF is in the int8 extra")

SMALL = {"backbone": "test_efficientnet", "heads": ["density", "boxes"], "width": 16}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a little model, ``small.onnx``, and six labelled pictures of 96×64."""
    folder = tmp_path_factory.mktemp("int8")
    scenes = []
    for seed in range(6):
        painted = paint_scene(seed, size_wh=(96, 64), count=3 + seed)
        Image.fromarray(painted.pixels()).save(folder / f"{seed}.png")
        scenes.append(Scene(folder / f"{seed}.png", painted.points_xy))
    write_points(scenes, folder / "points.csv")
    recipe = Recipe(name="small", summary="for tests", method="fused", model=SMALL, initialisation_note="none")
    torch.manual_seed(1)
    method = build_method(recipe.method, recipe.model).eval()
    card = card_of(recipe, method).model_copy(update={"name": "small"})
    write_model(method, card, folder / "small.onnx")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "place"))


def _quantize(place: Path, **settings: Any) -> int8.Quantized:
    return int8.quantize(place / "small.onnx", [f"points={place / 'points.csv'}"], split="all", **settings)


def test_what_is_written_is_what_counts_from_then_on(place: Path) -> None:
    before = headcount.load(place / "small.onnx", precision="f32").count(place / "3.png")
    said: list[str] = []
    found = _quantize(place, at_most=1.0, say=said.append)
    assert found.path == place / "small.int8.onnx"
    assert [form.kept for form in found.forms] == ["f32", "int8"]
    assert said[1:] == found.lines()
    card = ModelCard.read(place / "small.json")
    assert set(card.sha256) == {"small.onnx", "small.safetensors", "small.int8.onnx"}
    kinds = {tensor.data_type for tensor in onnx.load(str(found.path)).graph.initializer}
    assert onnx.TensorProto.INT8 in kinds
    counter = headcount.load(found.path)
    assert counter.runtime.precision == "int8"
    assert counter.count(place / "3.png").count == pytest.approx(before.count, rel=0.2, abs=0.5)
    # The float file that is named stays what it is.
    assert headcount.load(place / "small.onnx", precision="f32").count(place / "3.png").count == before.count
    assert headcount.load(place / "small.onnx").runtime.precision != "int8"
    assert headcount.load(place / "small.onnx", precision="int8").runtime.precision == "int8"
    assert find_model(found.path).card.name == "small"


def test_what_counts_worse_is_not_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much stays in float: the choices are tried in their order, and all are told."""
    kept: list[int] = []

    def wrong(model: onnx.ModelProto, examples: object, layers: list[str], divisor: int) -> onnx.ModelProto:
        kept.append(len(layers))
        broken = onnx.ModelProto()
        broken.CopyFrom(model)
        for tensor in broken.graph.initializer:
            if "regressor" in tensor.name and tensor.name.endswith("bias"):
                values = onnx.numpy_helper.to_array(tensor) + 40
                tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), tensor.name))
        return broken

    monkeypatch.setattr(int8, "in_8_bits", wrong)
    content = (place / "small.json").read_bytes()
    said: list[str] = []
    with pytest.raises(ModelError, match=r'"small" counts worse by .*% in int8, 1\.0% were allowed'):
        _quantize(place, say=said.append)
    assert kept == sorted(kept)
    assert kept[0] == 0
    assert len(said) == 2 + len(kept)
    assert (place / "small.json").read_bytes() == content
    assert not list(place.glob("*int8*"))


def test_what_is_there_is_not_overwritten(place: Path) -> None:
    (place / "small.int8.onnx").touch()
    with pytest.raises(InputError, match=r"small\.int8\.onnx\" exists already"):
        _quantize(place)
    with pytest.raises(InputError, match="would lie in the package"):
        int8.quantize("headcount-crowds-s", [f"points={place / 'points.csv'}"], split="all")


def test_the_last_layers_of_a_map_are_those_that_no_other_needs(made: Path) -> None:
    graph = int8.float_graph(made / "small.onnx")
    assert {tensor.data_type for tensor in graph.graph.initializer} <= {
        onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.INT32
    }  # fmt: skip
    weights = {node.name: node.input[1] for node in graph.graph.node if node.op_type == "Conv"}
    of_density = {weights[name] for name in int8.own_layers(graph, "density")}
    assert {name.split(".")[1] for name in of_density} == {"density"}
    assert len(of_density) == 6
    of_heat = {weights[name].split(".")[1] for name in int8.own_layers(graph, "heat")}
    assert of_heat == {"heat", "neck"}  # the neck at stride 4, which the density does without
