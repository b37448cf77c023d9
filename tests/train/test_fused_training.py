"""Training a fused network chooses how far its heads are believed, and its model keeps it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import headcount
from headcount.core.scene import Scene
from headcount.data.sets.registry import Reading
from headcount.synth import paint_scene
from headcount.train.checkpoint import find_checkpoint, read_checkpoint
from headcount.train.export import export_checkpoint
from headcount.train.loop import train
from headcount.train.recipe import Recipe, load_recipe

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("threads_kept")]
MODEL = {
    "backbone": "test_efficientnet", "width": 16, "density": {"width": 16}, "boxes": {"width": 16},
    "instances": {"width": 8, "threshold_widths": [8, 8]},
}  # fmt: skip


def _scenes() -> list[Scene]:
    return [paint_scene(seed, size_wh=(128, 96), count=2 + 3 * seed) for seed in range(4)]


def _recipe(folder: Path, **model: object) -> Recipe:
    values = {
        "name": "tiny", "method": "fused", "model": {**MODEL, **model}, "initialisation": "none",
        "data": {"sources": {"boxes": "unread"}, "painted_scenes": 0, "crop": 64},
        "optimiser": {"lr": 0.003, "warmup_steps": 1}, "batch": 2, "steps_per_epoch": 2, "epochs": 2, "ema": 0.5,
        "threads": 1, "device": "cpu", "log_steps": 1, "checkpoint_seconds": 0, "seed": 5,
        "output": str(folder / "run"),
    }  # fmt: skip
    (folder / "tiny.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_recipe(str(folder / "tiny.yaml"))


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headcount.train.pools.read_set", lambda spec, split: Reading(tuple(_scenes())))


def test_what_the_last_validation_chose_is_in_the_model(tmp_path: Path) -> None:
    said: list[str] = []
    train(_recipe(tmp_path), say=said.append)
    best = find_checkpoint(tmp_path / "run", "best")
    assert best is not None
    kept = read_checkpoint(best).state["history"][-1]
    assert kept["decoder"].keys() == {"boxes", "instances_weight", "boxes_weight"}
    card = export_checkpoint(tmp_path / "run", tmp_path / "tiny.safetensors")
    assert card.decoder is not None
    assert card.decoder.settings["boxes"]["score_threshold"] == kept["decoder"]["boxes"]["score_threshold"]
    assert list(card.decoder.settings["boxes_weight"]) == list(kept["decoder"]["boxes_weight"])
    assert sum(line.startswith("validation boxes: MAE") for line in said) == 2
    counter = headcount.load(tmp_path / "tiny.safetensors", runtime="torch", precision="f32")
    found = counter.count(_scenes()[2])
    assert found.counts.keys() == {"density", "instances", "boxes"}
    assert found.density is not None
    assert float(np.sum(found.density, dtype=np.float64)) == pytest.approx(found.count, abs=1e-3)


def test_of_one_head_there_is_nothing_to_choose(tmp_path: Path) -> None:
    train(_recipe(tmp_path, heads=["density"]), say=str)
    best = find_checkpoint(tmp_path / "run", "best")
    assert best is not None
    assert "decoder" not in read_checkpoint(best).state["history"][-1]
