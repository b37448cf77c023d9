"""The table of networks side by side: what stands where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image


@pytest.fixture
def study(benchmark_named: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_named("side_by_side")


def test_medians_of_the_passes_stand_in_their_columns(study: ModuleType, tmp_path: Path) -> None:
    usual, small, wide = (1024, 768), (512, 384), (1920, 1080)
    found = {
        ("a", "openvino", "f32", usual): [{"ms": 100.0, "mb": 5}, {"ms": 120.0, "mb": 7}],
        ("a", "openvino", "bf16", usual): [{"ms": 50.0, "mb": 5}],
        ("a", "openvino", "f32", small): [{"ms": 30.0, "mb": 2}],
        ("a", "openvino", "f32", wide): [{"ms": 300.0, "mb": 1200}],
    }
    text = study.table(found, {"a": (3.5, 11.23), "b": (1, 2)}, (small, usual, wide))
    header, row, other = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:] if "---" not in line
    )
    cells = dict(zip(header, row, strict=True))
    assert cells == {
        "network": "a", "parameters": "3.50 M", "MACs": "11.2 G", "openvino int8": "—", "openvino bf16": "50",
        "openvino f32": "110", "onnxruntime f32": "—", "torch f32": "—", "images/s": "20.0",
        "512×384": "30", "1024×768": "110",
        "1920×1080": "300", "memory": "1,200 MB",
    }  # fmt: skip
    assert other[3:] == ["—"] * 10
    study.plot(found, (small, usual, wide), tmp_path / "speed.png")
    with Image.open(tmp_path / "speed.png") as picture:
        assert picture.size[0] > 500


def test_what_one_process_measures(study: ModuleType, tiny_model: str) -> None:
    seen = study.measure(tiny_model, "onnxruntime", "f32", (96, 64), 2)
    assert seen["ms"] > 0
    assert seen["mb"] >= 0
