"""`headcount export` and `import` as far as they need no training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headcount.core import table

RunCli = Callable[..., tuple[int, str, str]]


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
    monkeypatch.setattr(table, "is_installed", lambda package: False)
    image = odd_images["rgb.png"][0]
    code, out, err = run_cli(*(str(image) if argument == "{image}" else argument for argument in arguments))
    assert (code, out) == (2, "")
    assert 'needs the "train" extra: install it from a checkout with pip install ".[train]".' in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "no"), "no folder and no model"),
        (("export", "headcount"), "Did you mean"),
        (("export", "run", "--format", "onx"), 'There is no format "onx"'),
        (("export", "run", "--format", "openvino", "--output", "a.onnx"), "makes a .xml file"),
        (("export", "run", "--format", "openvino"), 'Beside "run.xml" lies "run.onnx"'),
        (("export", "run", "--output", "a.txt"), ".onnx or .safetensors or .xml file"),
        (("export", "run"), "exists already"),
        (("export", "run", "--output", "RUN.ONNX"), 'RUN.safetensors" exists'),
        (("export", "run", "--output", "run.safetensors", "--force"), 'Beside "run.safetensors" lies "run.onnx"'),
        (("import", "backbone", "run", "no.pth"), "exists already"),
        (("import", "backbone", "x", "run.safetensors", "--output", "a.txt"), ".safetensors file"),
        (("import", "backbone", "x", "run.safetensors", "--output", "run.safetensors", "--force"), "to be imported"),
    ],
)
def test_paths_are_checked_first(
    place: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.setattr(table, "is_installed", lambda package: True)
    (place / "run").mkdir()
    for name in ("run.safetensors", "run.onnx", "RUN.safetensors"):
        (place / name).touch()
    code, _, err = run_cli(*arguments)
    assert code == 2
    assert words in err
