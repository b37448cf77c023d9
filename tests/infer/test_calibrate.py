"""The score threshold that counts best is chosen in one pass, and the card is all that changes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import headcount
from headcount.core.card import ModelCard, Result
from headcount.core.errors import InputError, ModelError
from headcount.core.scene import Scene
from headcount.data.sets.registry import read_set
from headcount.decode.table import score_threshold_of
from headcount.infer import calibrate as module
from headcount.infer import models
from headcount.infer.calibrate import calibrate
from headcount.infer.counter import Counter

NEAR = pytest.approx(0.45, abs=0.002)


def _card(model: Path) -> ModelCard:
    return ModelCard.read(model.with_suffix(".json"))


def _mae(model: Path, spots: Path) -> float:
    counter = headcount.load(model)
    scenes = read_set(f"boxes={spots}", "all").scenes
    return float(np.mean([abs(counter.count(scene).count - scene.count) for scene in scenes]))


def test_the_threshold_that_counts_best_is_written_into_the_card(spots_model: Path, spots: Path) -> None:
    weights, before = spots_model.read_bytes(), _card(spots_model)
    assert _mae(spots_model, spots) == 7
    chosen = calibrate(spots_model, [f"boxes={spots}"], split="all", precision="f32")
    assert chosen.before == 0.3
    assert chosen.threshold.low == pytest.approx(0.4, abs=0.002)
    assert chosen.threshold.high == pytest.approx(0.5, abs=0.002)
    assert chosen.threshold.value == 0.451
    (found,) = chosen.sets
    assert (found.before.mae, found.after.mae) == (7, 0)
    card = _card(spots_model)
    assert score_threshold_of(card) == 0.451
    assert card.model_copy(update={"decoder": before.decoder, "results": (), "notes": ()}) == before
    (result,) = card.results
    assert (result.data, result.split, result.images, result.metric, result.value) == (
        "boxes-boxes",
        "all",
        3,
        "MAE",
        0,
    )
    assert result.protocol.endswith("at a score threshold of 0.451, chosen on these images")
    assert card.notes == (
        "Its score threshold of 0.451 was chosen on boxes-boxes all (3 images): least mean over the sets of MAE / mean "
        "count; before it was 0.3.",
    )
    assert spots_model.read_bytes() == weights
    assert _mae(spots_model, spots) == 0  # a threshold of its own survives being saved and loaded
    assert sorted(path.name for path in spots_model.parent.iterdir()) == ["spots.json", "spots.onnx"]


def test_each_image_is_counted_once(spots_model: Path, spots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[Scene] = []
    count = Counter.count

    def noting(self: Counter, source: Scene) -> object:
        counted.append(source)
        return count(self, source)

    monkeypatch.setattr(Counter, "count", noting)
    calibrate(spots_model, [f"boxes={spots}"], split="all")
    assert [scene.name for scene in counted] == ["0.png", "1.png", "2.png"]


def test_once_more_it_says_the_same_and_nothing_twice(spots_model: Path, spots: Path) -> None:
    path = spots_model.with_suffix(".json")
    other = Result(data="x", split="val", images=9, metric="MAE", value=4.0, protocol="whole images")
    path.write_text(_card(spots_model).model_copy(update={"results": (other,), "notes": ("Mine.",)}).to_json())
    for before in (0.3, NEAR):
        assert calibrate(spots_model, [f"boxes={spots}"], split="all").before == before
        card = _card(spots_model)
        assert score_threshold_of(card) == NEAR
        assert card.results[0].protocol == "whole images; at a score threshold of 0.3"
        assert len(card.results) == len(card.notes) == 2
        assert card.notes[0] == "Mine."


def test_a_copy_leaves_the_model_as_it_was(spots_model: Path, spots: Path, tmp_path: Path) -> None:
    before = spots_model.with_suffix(".json").read_bytes()
    output = tmp_path / "mine.onnx"
    calibrate(spots_model, [f"boxes={spots}"], split="all", output=output)
    assert spots_model.with_suffix(".json").read_bytes() == before
    assert output.read_bytes() == spots_model.read_bytes()
    assert _card(output).name == "mine"
    assert list(_card(output).sha256) == ["mine.onnx"]
    assert score_threshold_of(headcount.load(output).card) == NEAR
    with pytest.raises(InputError, match="exists already"):
        calibrate(spots_model, [f"boxes={spots}"], split="all", output=output)
    calibrate(spots_model, [f"boxes={spots}"], split="all", output=output, overwrite=True)
    with pytest.raises(InputError, match="the model itself"):
        calibrate(output, [f"boxes={spots}"], split="all", output=output, overwrite=True)
    with pytest.raises(InputError, match=r"must be a \.onnx file"):
        calibrate(spots_model, [f"boxes={spots}"], split="all", output=tmp_path / "a.safetensors")


def test_a_shipped_model_is_changed_by_force_alone(
    spots_model: Path, spots: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(models, "_shipped_folder", lambda: spots_model.parent)
    before = spots_model.with_suffix(".json").read_bytes()
    for name in ("spots", spots_model):
        with pytest.raises(InputError, match='"spots" is shipped'):
            calibrate(name, [f"boxes={spots}"], split="all")
    calibrate("spots", [f"boxes={spots}"], split="all", output=tmp_path / "a.onnx")
    assert spots_model.with_suffix(".json").read_bytes() == before
    calibrate("spots", [f"boxes={spots}"], split="all", overwrite=True)
    assert score_threshold_of(_card(spots_model)) == NEAR


def test_the_test_split_chooses_nothing(spots_model: Path, spots: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="The test split chooses nothing"):
        calibrate(spots_model, [f"boxes={spots}"], split="test")
    (tmp_path / "set" / "test_data" / "images").mkdir(parents=True)
    for data in ("shanghaitech-a", "scut-head-a"):
        with pytest.raises(InputError, match="holds test images"):
            calibrate(spots_model, [f"{data}={tmp_path / 'set'}"], split="all")
    labels = tmp_path / "coco"
    for part in ("val", "test"):
        (labels / part).mkdir(parents=True)
        picture = {"id": 1, "file_name": "a.png", "width": 96, "height": 64}
        content = {"images": [picture], "annotations": [], "categories": [{"id": 1, "name": "head"}]}
        (labels / part / "_annotations.coco.json").write_text(json.dumps(content))
        (labels / part / "a.png").write_bytes((spots.parent / "0.png").read_bytes())
    with pytest.raises(InputError, match="holds test images"):
        calibrate(spots_model, [f"coco={labels}"], split="all")
    assert calibrate(spots_model, [f"coco={labels}"]).sets[0].after.images == 1


def test_what_cannot_be_calibrated(
    spots_model: Path, spots: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match='"tiny" has no score threshold'):
        calibrate(tiny_model, [f"boxes={spots}"], split="all")
    with pytest.raises(InputError, match="no image to evaluate"):
        calibrate(spots_model, [f"boxes={spots}"])  # three of one's own are all for training
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    with pytest.raises(InputError, match="closed to writing"):
        calibrate(spots_model, [f"boxes={spots}"], split="all")


def test_an_image_that_cannot_be_read_changes_no_card(spots_model: Path, spots: Path) -> None:
    before = spots_model.with_suffix(".json").read_bytes()
    (spots.parent / "1.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"1\.png"):
        calibrate(spots_model, [f"boxes={spots}"], split="all")
    assert spots_model.with_suffix(".json").read_bytes() == before
