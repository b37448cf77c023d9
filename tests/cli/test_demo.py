"""`headcount demo`, `models`, `export` and `import` as far as they need no training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.infer import models
from headcount.infer.runtimes import table as runtimes

RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, where the tiny model is shipped as headcount-s."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    shutil.copy(tiny_model_dir / "tiny.onnx", shelf / "headcount-s.onnx")
    shutil.copy(tiny_model_dir / "tiny.json", shelf / "headcount-s.json")
    monkeypatch.setattr(models, "_shipped_folder", lambda: shelf)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_a_painted_scene(place: Path, run_cli: RunCli) -> None:
    code, out, err = run_cli("demo")
    assert (code, err) == (0, "")
    assert out.startswith("scene.png: ")
    truth = int(out.split("the truth is ")[1].split()[0].replace(",", ""))
    folder = place / "demo-output"
    names = {"scene.png", "truth.csv", "overlay.png", "density.png", "prediction.json"}
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == names
    assert len((folder / "truth.csv").read_text(encoding="utf-8").splitlines()) == truth + 1
    assert json.loads((folder / "prediction.json").read_text(encoding="utf-8"))["size_wh"] == [1024, 768]
    assert max(map(len, out.splitlines())) <= 80


def test_it_can_be_run_again_and_on_ones_own_photo(place: Path, run_cli: RunCli) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save("mine.png")
    assert run_cli("demo")[0] == 0
    code, out, _ = run_cli("demo", "mine.png")
    assert code == 0
    assert out.startswith("mine.png: ")
    assert "truth" not in out
    assert not (place / "demo-output" / "scene.png").exists()
    assert (place / "mine.png").exists()


def test_a_file_of_the_demo_is_no_photo(place: Path, run_cli: RunCli) -> None:
    run_cli("demo")
    before = {path.name: path.stat().st_mtime_ns for path in (place / "demo-output").iterdir()}
    for name in ("scene.png", "overlay.png"):
        code, out, err = run_cli("demo", f"demo-output/{name}")
        assert (code, out) == (2, "")
        assert "copy it elsewhere" in err
    assert before == {path.name: path.stat().st_mtime_ns for path in (place / "demo-output").iterdir()}


def test_other_folders_are_left_alone(place: Path, run_cli: RunCli) -> None:
    (place / "mine").mkdir()
    (place / "mine" / "scene.png").write_text("precious", encoding="utf-8")
    code, _, err = run_cli("demo", "--output-dir", "mine")
    assert code == 2
    assert "no demo wrote" in err
    assert (place / "mine" / "scene.png").read_text(encoding="utf-8") == "precious"


def test_a_bad_photo_changes_nothing(place: Path, run_cli: RunCli, bad_images: dict) -> None:
    for path, _ in bad_images.values():
        code, out, err = run_cli("demo", path)
        assert (code, out) == (2, "")
        assert path.name in err
    assert not (place / "demo-output").exists()


def test_models_lists_what_is_shipped(place: Path, run_cli: RunCli) -> None:
    code, out, _ = run_cli("models")
    assert code == 0
    assert out.startswith("headcount-s (the default)\n")
    assert max(map(len, out.splitlines())) <= 80


def test_the_shipped_model_is_the_default(place: Path, run_cli: RunCli, odd_images: dict) -> None:
    assert run_cli("count", odd_images["rgb.png"][0])[0] == 0
    code, _, err = run_cli("count", odd_images["rgb.png"][0], "--model", "headcont-s")
    assert code == 2
    assert 'Did you mean "headcount-s"' in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "run"),
        ("import", "backbone", "resnet50", "a.pth"),
        ("count", "{image}", "--device", "cuda"),
        ("count", "{image}", "--runtime", "torch"),
    ],
)
def test_a_light_install_names_the_extra(
    place: Path, run_cli: RunCli, odd_images: dict, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(runtimes, "is_installed", lambda package: False)
    image = odd_images["rgb.png"][0]
    code, out, err = run_cli(*(str(image) if argument == "{image}" else argument for argument in arguments))
    assert (code, out) == (2, "")
    assert 'needs the "train" extra: install it with pip install "headcount[train]".' in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "no"), "no folder"),
        (("export", "run", "--output", "a.txt"), ".onnx file"),
        (("export", "run"), "exists already"),
        (("export", "run", "--output", "RUN.ONNX"), 'RUN.safetensors" exists'),
        (("import", "backbone", "run", "no.pth"), "exists already"),
        (("import", "backbone", "x", "run.safetensors", "--output", "a.txt"), ".safetensors file"),
        (("import", "backbone", "x", "run.safetensors", "--output", "run.safetensors", "--force"), "to be imported"),
    ],
)
def test_paths_are_checked_first(
    place: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.setattr(runtimes, "is_installed", lambda package: True)
    (place / "run").mkdir()
    for name in ("run.safetensors", "run.onnx", "RUN.safetensors"):
        (place / name).touch()
    code, _, err = run_cli(*arguments)
    assert code == 2
    assert words in err
