"""The wall: counting never imports what only the training install has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

HIDDEN = (
    "torch", "torchvision", "timm", "lightning", "onnx", "onnxruntime", "matplotlib", "tensorboard", "pillow_heif",
    "faster_coco_eval", "fastapi", "starlette", "uvicorn",
)  # fmt: skip

# Runs the command line in an interpreter in which the packages above cannot be imported; they are left out of what
# the interpreter finds, as on a machine that never had them.
LIGHT = f"""
import importlib.abc, sys

class Wall(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HIDDEN!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Wall())
from headcount.cli.main import main
try:
    main()
finally:
    seen = sorted(set(sys.modules) & set({HIDDEN!r}))
    assert not seen, seen
"""


def light(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LIGHT, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.jpg")
    return tmp_path / "photo.jpg"


def test_counting_needs_none_of_it(photo: Path, tiny_model: str, tmp_path: Path) -> None:
    done = light(
        "count", "photo.jpg", "--model", tiny_model, "--output", "out.json", "--save-dir", "overlays", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("photo.jpg: ")
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))[0]["size_wh"] == [128, 96]
    assert (tmp_path / "overlays" / "photo-counted.png").is_file()


@pytest.mark.parametrize(
    "command",
    [
        "",
        "count",
        "demo",
        "models",
        "doctor",
        "evaluate",
        "datasets",
        "train",
        "export",
        "import",
        "serve",
        "watch",
        "watch init",
    ],
)
def test_help_needs_none_of_it(command: str, tmp_path: Path) -> None:
    done = light(*command.split(), "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("count", "photo.jpg", "--model", "{tiny}", "--device", "cuda"),
        ("count", "photo.jpg", "--model", "{tiny}", "--runtime", "torch"),
        ("count", "photo.jpg", "--model", "{tiny}", "--runtime", "onnxruntime"),
        ("train", "recipe.yaml"),
        ("export", "checkpoint.safetensors"),
        ("import", "backbone", "resnet50", "weights.pth"),
    ],
)
def test_what_needs_more_names_the_extra(
    photo: Path, tiny_model: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = light(*(tiny_model if argument == "{tiny}" else argument for argument in arguments), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert 'pip install ".[train]"' in done.stderr


def test_setting_a_camera_up_names_its_extra(tmp_path: Path) -> None:
    done = light("watch", "init", "film.mp4", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert 'pip install ".[serve]"' in done.stderr


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, headcount.cli.main; "
        "print(sorted({'numpy', 'scipy', 'cv2', 'PIL', 'openvino', 'pydantic', 'yaml', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "[]"
