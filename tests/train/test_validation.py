"""Validation by the method's loss, for methods that count nobody; one such run from training to boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from headcount.core.card import ModelCard
from headcount.core.scene import Scene
from headcount.data.sets.registry import Reading
from headcount.infer.sizes import load_sizes
from headcount.models.runtime import TorchRuntime
from headcount.models.table import build_method
from headcount.synth import paint_scene
from headcount.train.card import card_of
from headcount.train.checkpoint import find_checkpoint, read_checkpoint
from headcount.train.export import export_checkpoint
from headcount.train.loop import train
from headcount.train.recipe import DataSettings, Recipe, load_recipe
from headcount.train.validation import validate_counts, validation_loss

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("threads_kept")]

SMALL = {"backbone": "test_efficientnet", "front": "pyramid", "width": 8, "back_end": [16], "deviation": "l1"}
DATA = DataSettings(crop=64)


def _scenes() -> list[Scene]:
    return [paint_scene(seed, size_wh=(128, 96), count=8) for seed in range(5)]


def test_it_is_the_same_every_time_and_depends_on_weights_and_seed() -> None:
    torch.manual_seed(0)
    method = build_method("head_scale", SMALL)
    losses = [validation_loss(method.train(), _scenes(), DATA, batch=2, seed=seed) for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]
    assert not method.training
    with torch.no_grad():
        next(p for name, p in method.named_parameters() if name == "head.last.bias").add_(1)
    assert validation_loss(method, _scenes(), DATA, batch=2, seed=1) != losses[0]


def test_whole_images_are_validated_one_by_one() -> None:
    torch.manual_seed(0)
    method = build_method("head_scale", SMALL)
    scenes = [paint_scene(seed, size_wh=(128 - 16 * seed, 96), count=8) for seed in range(3)]
    whole = DataSettings(crop="whole", scale=(1, 1))
    losses = [validation_loss(method, scenes, whole, batch=batch, seed=1) for batch in (1, 2)]
    assert losses[0] == losses[1] > 0


def test_scenes_without_heads_cost_nothing() -> None:
    method = build_method("head_scale", SMALL)
    blank = Scene(np.zeros((64, 64, 3), np.uint8), boxes_xyxy=np.zeros((0, 4)))
    assert validation_loss(method, [blank], DATA, batch=4, seed=1) == 0


@pytest.mark.parametrize("blank", [False, True])
def test_a_model_is_validated_on_images_as_it_learns_them(
    blank: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Black outside the region of interest, or not; and its card says so."""
    rng, region = np.random.default_rng(0), np.zeros((64, 64), np.bool_)
    region[:, :32] = True
    scene = Scene(rng.integers(9, 256, (64, 64, 3), dtype=np.uint8), rng.uniform(0, 64, (9, 2)), region=region)
    recipe = Recipe(
        name="tiny", model={"backbone": "test_efficientnet", "width": 8}, data=DataSettings(blank_outside=blank)
    )
    method = build_method(recipe.method, recipe.model).eval()
    card, seen = card_of(recipe, method), []
    assert ModelCard.model_validate_json(card.to_json()).blank_outside == blank

    class Watched(TorchRuntime):
        def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
            seen.append(pixels[0])
            return super().run(pixels)

    counted = validate_counts(card, Watched(method, method.input_spec, device="cpu"), {"expo": [scene]})
    assert counted.results["expo"].heads == (scene.points_xy[:, 0] < 32).sum()
    assert (not seen[0][:, 32:].any()) == blank
    np.testing.assert_array_equal(seen[0][:, :32], scene.pixels()[:, :32])


@pytest.mark.slow
def test_a_run_from_training_to_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tmp_path / "sizes.yaml"
    recipe.write_text(
        yaml.safe_dump(
            {
                "name": "sizes", "method": "head_scale", "model": SMALL, "initialisation": "none",
                "data": {"sources": {"points": "unread"}, "painted_scenes": 4, "shares": {"points": 0}, "crop": 96},
                "optimiser": {"lr": 0.01, "warmup_steps": 2}, "batch": 4, "steps_per_epoch": 6, "epochs": 2,
                "ema": 0.5, "threads": 1, "device": "cpu", "log_steps": 1, "seed": 3, "output": str(tmp_path / "run"),
            }
        ),
        encoding="utf-8",
    )  # fmt: skip

    monkeypatch.setattr("headcount.train.pools.read_set", lambda spec, split: Reading(tuple(_scenes())))
    said: list[str] = []
    train(load_recipe(str(recipe)), say=said.append)
    assert sum(line.startswith("validation points: loss ") for line in said) == 2
    best = find_checkpoint(tmp_path / "run", "best")
    assert best is not None
    state = read_checkpoint(best).state
    assert state["best"] == min(entry["score"] for entry in state["history"])
    assert set(state["history"][0]) == {"step", "score", "loss"}

    export_checkpoint(tmp_path / "run", tmp_path / "sizes.onnx")
    picture = paint_scene(9, size_wh=(160, 96), count=6)
    Image.fromarray(picture.pixels()).save(tmp_path / "a.png")
    scene = Scene(tmp_path / "a.png", picture.points_xy)
    by_runtime = [
        load_sizes(tmp_path / "sizes.onnx", runtime=name, precision="f32").sides(scene)
        for name in ("openvino", "onnxruntime")
    ]
    by_runtime.append(load_sizes(tmp_path / "sizes.safetensors", runtime="torch", precision="f32").sides(scene))
    for sides in by_runtime:
        np.testing.assert_allclose(sides, by_runtime[0], rtol=1e-2)
