"""A detector's score threshold: chosen at each validation, kept by checkpoints, written into the card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import headcount
from headcount.core.card import ModelCard
from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.sets.registry import Reading
from headcount.decode.table import score_threshold_of
from headcount.evaluate.thresholds import ScoredHeads
from headcount.infer.counter import Counter
from headcount.models.runtime import TorchRuntime
from headcount.models.table import build_method
from headcount.synth import paint_scene
from headcount.train.card import method_card
from headcount.train.checkpoint import Checkpoint, find_checkpoint, read_checkpoint
from headcount.train.export import export_checkpoint
from headcount.train.loop import train
from headcount.train.recipe import Recipe, load_recipe
from headcount.train.validation import LOWEST_SCORE, validate_counts

pytestmark = pytest.mark.usefixtures("threads_kept")

SMALL = {"backbone": "test_efficientnet", "width": 16, "head_width": 16}


def _scenes() -> list[Scene]:
    return [paint_scene(seed, size_wh=(128, 96), count=2 + 3 * seed) for seed in range(3)]


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headcount.train.pools.read_set", lambda spec, split: Reading(tuple(_scenes())))


def _recipe(folder: Path, **changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "name": "tiny", "method": "centernet", "model": SMALL, "initialisation": "none",
        "data": {"sources": {"boxes": "unread"}, "painted_scenes": 0, "crop": 64},
        "optimiser": {"lr": 0.003, "warmup_steps": 1}, "batch": 2, "steps_per_epoch": 2, "epochs": 3, "ema": 0.5,
        "threads": 1, "device": "cpu", "log_steps": 1, "checkpoint_seconds": 0, "seed": 5, "output": str(folder),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.yaml").write_text(yaml.safe_dump({**values, **changes}), encoding="utf-8")
    return load_recipe(str(folder / "tiny.yaml"))


def _card_and_runtime(seed: int) -> tuple[ModelCard, TorchRuntime]:
    torch.manual_seed(seed)
    method = build_method("centernet", SMALL).eval()
    with torch.no_grad():  # peaks of many heights
        method.heat[-1].weight.mul_(300)  # type: ignore[index, operator]
    return method_card("centernet", SMALL, method, name="tiny"), TorchRuntime(method, method.input_spec)


def test_validation_counts_as_the_model_does_at_the_threshold_that_it_chooses() -> None:
    card, runtime = _card_and_runtime(2)
    sets = {"a": _scenes()[:2], "b": _scenes()[2:], "empty": []}
    counted = validate_counts(card, runtime, sets)
    assert counted.threshold is not None
    assert counted.results.keys() == {"a", "b"}
    counter = Counter(card.calibrated({"score_threshold": counted.threshold}), runtime)
    for name, result in counted.results.items():
        errors = [abs(counter.count(scene).count - scene.count) for scene in sets[name]]
        assert result.mae == pytest.approx(np.mean(errors))
    untouched = Counter(card, runtime)
    before = [np.mean([abs(untouched.count(s).count - s.count) for s in sets[name]]) for name in ("a", "b")]
    means = [np.mean([scene.count for scene in sets[name]]) for name in ("a", "b")]
    assert counted.error < np.mean(np.array(before) / means)


@pytest.mark.usefixtures("data")
def test_a_crop_that_leaves_a_batch_norm_one_value_is_told(tmp_path: Path) -> None:
    crop = {"sources": {"boxes": "unread"}, "painted_scenes": 0, "crop": 32}
    recipe = _recipe(tmp_path / "run", data=crop, batch=1)
    with pytest.raises(InputError, match=r"32×32 pixels of 1 image .* larger data\.crop"):
        train(recipe, say=str)


@pytest.mark.slow
@pytest.mark.usefixtures("data")
def test_thresholds_survive_being_cut_off_saved_and_exported(
    tmp_path: Path, trained_whole_and_cut: Callable[..., tuple[Checkpoint, Checkpoint]]
) -> None:
    said: list[str] = []
    recipes = (_recipe(tmp_path / name) for name in ("whole", "cut"))
    first, second = trained_whole_and_cut(*recipes, at=5, say=said.append)
    assert first.state["history"] == second.state["history"]
    assert [key for key, value in first.tensors.items() if not torch.equal(value, second.tensors[key])] == []

    thresholds = [entry["score_threshold"] for entry in first.state["history"]]
    assert len(thresholds) == 3
    assert all(LOWEST_SCORE < threshold < 1 for threshold in thresholds)
    assert sum(line.startswith("validation boxes: MAE") and " at score 0." in line for line in said) == 3

    best = find_checkpoint(tmp_path / "whole", "best")
    assert best is not None
    kept = read_checkpoint(best).state["history"][-1]
    assert kept["score"] == read_checkpoint(best).state["best"]
    card = export_checkpoint(tmp_path / "whole", tmp_path / "tiny.safetensors")
    assert score_threshold_of(card) == kept["score_threshold"]
    given = export_checkpoint(tmp_path / "whole", tmp_path / "given.safetensors", decoder={"score_threshold": 0.42})
    assert score_threshold_of(given) == 0.42

    counter = headcount.load(tmp_path / "tiny.safetensors", runtime="torch", precision="f32")
    assert score_threshold_of(counter.card) == kept["score_threshold"]
    seen = ScoredHeads()
    for scene in _scenes():
        seen.add(scene, counter.count(scene), 0.0)
    mae = float(np.mean([abs(len(scores) - true) for scores, true in zip(seen.scores, seen.true, strict=True)]))
    assert mae == pytest.approx(kept["mae"]["boxes"], abs=0.7)  # weights were rounded
