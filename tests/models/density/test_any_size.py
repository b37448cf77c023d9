"""Density networks count images of any size, colour or gray, the same on every runtime; an empty one too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headcount.infer.counter import load
from headcount.models.table import build_method
from headcount.train.card import method_card
from headcount.train.export import write_model

pytestmark = pytest.mark.slow

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "csrnet gray": ("csrnet", {"width": 4, "in_channels": 1}),
    "cannet": ("cannet", {"width": 4, "tile_px": 512, "batch_norm": True}),
    "mcnn as its authors read": ("mcnn", {"read_as_authors": True}),
}


@pytest.mark.parametrize("case", list(CASES))
def test_any_size_is_counted_alike_on_all_runtimes(tmp_path: Path, case: str) -> None:
    name, options = CASES[case]
    options = {**options, "density_activation": "softplus"}
    torch.manual_seed(3)
    method = build_method(name, options).eval()
    write_model(method, method_card(name, options, method, name="tiny"), tmp_path / "tiny.onnx", halved=False)
    runtimes = [("openvino", "onnx"), ("onnxruntime", "onnx"), ("torch", "safetensors")]
    counters = [load(tmp_path / f"tiny.{s}", runtime=r, precision="f32", threads=1) for r, s in runtimes]
    stride = method.outputs[0].stride
    for height, width in ((17, 23), (23, 17), (40, 64), (131, 97), (3, 300)):
        noise = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
        for image in (noise, noise[..., 0], np.zeros_like(noise)):
            found = [counter.count(image) for counter in counters]
            for one in found:
                assert one.density is not None
                assert one.density.shape == (-(-height // stride), -(-width // stride))
                assert np.isfinite(one.count)
                assert one.count > 0
                np.testing.assert_allclose(one.density, found[-1].density, rtol=1e-3, atol=1e-6)
