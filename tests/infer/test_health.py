"""Whether counting works here, told of the shipped models."""

from __future__ import annotations

import inspect
import json
import shutil
from pathlib import Path

import pytest

from headcount.core.errors import ModelError
from headcount.infer import health, models
from headcount.infer.health import Counted, choose, models_found, runtimes_found
from headcount.infer.models import find_model


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped models with the default alone."""
    found = find_model("headcount-n")
    card = json.loads(found.card.to_json())
    for path in found.weights.values():
        shutil.copy(path, tmp_path / path.name.replace("headcount-n", "headcount-s"))
    card["sha256"] = {name.replace("headcount-n", "headcount-s"): value for name, value in card["sha256"].items()}
    (tmp_path / "headcount-s.json").write_text(json.dumps({**card, "name": "headcount-s"}), encoding="utf-8")
    monkeypatch.setattr(models, "_shipped_folder", lambda: tmp_path)
    return tmp_path


def test_good_models_have_no_faults(shelf: Path) -> None:
    folder, (found,) = models_found()
    assert folder == shelf
    assert found.is_default
    assert not found.faults
    assert [one.name for one in found.files] == ["headcount-s.onnx", "headcount-s.safetensors"]
    assert all(one.size == (shelf / one.name).stat().st_size for one in found.files)


def test_a_changed_file_and_a_missing_one_are_told(shelf: Path) -> None:
    with (shelf / "headcount-s.onnx").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"\0\1\2\3")
    (shelf / "headcount-s.safetensors").unlink()
    _, (found,) = models_found()
    assert "SHA-256 differs" in found.files[0].fault
    assert "is missing" in found.files[1].fault
    with pytest.raises(ModelError, match="SHA-256 differs"):
        choose()


def test_a_damaged_card_is_told(shelf: Path) -> None:
    (shelf / "headcount-s.json").write_text("{", encoding="utf-8")
    _, (found,) = models_found()
    assert "is no JSON" in found.fault


def test_an_empty_folder_lacks_the_default(shelf: Path) -> None:
    for path in shelf.iterdir():
        path.unlink()
    _, (found,) = models_found()
    assert found.is_default
    assert "There is no model card" in found.fault


def test_what_is_chosen_is_what_counts(shelf: Path) -> None:
    from headcount.infer.counter import load

    chosen, runtime = choose(), load().runtime
    assert (chosen.model, chosen.runtime, chosen.precision) == ("headcount-s", runtime.name, runtime.precision)
    assert ".onnx" in chosen.runtime_why
    assert ("does not compute in bf16" in chosen.precision_why) == (chosen.precision == "f32")


def test_a_card_s_own_precision_is_the_reason(shelf: Path) -> None:
    card = json.loads((shelf / "headcount-s.json").read_text(encoding="utf-8"))
    (shelf / "headcount-s.json").write_text(json.dumps({**card, "precision": "f32"}), encoding="utf-8")
    chosen = choose()
    assert chosen.precision == "f32"
    assert chosen.precision_why == "the model's card asks for f32"


def test_runtimes_are_told_without_being_imported() -> None:
    found = {one.name: one for one in runtimes_found()}
    assert list(found)[:3] == ["openvino", "onnxruntime", "torch"]
    assert found["openvino"].is_installed
    assert found["openvino"].version
    assert found["torch"].extra == "train"


@pytest.mark.parametrize(("count", "good"), [(100.0, True), (103.0, True), (103.1, False), (0.0, False)])
def test_a_count_near_the_known_number_is_good(count: float, good: bool) -> None:
    assert Counted(90, count, 100.0, 0.03, 1.0).is_good is good


def test_the_scene_is_the_demo_s() -> None:
    from headcount.cli.demo import demo

    assert inspect.signature(demo).parameters["seed"].default == health.SCENE_SEED


@pytest.mark.slow
def test_the_known_crowd_has_its_number() -> None:
    counted = health.count_known_crowd()
    assert counted.is_good
    assert counted.people == 832
