"""CSRNet (Li et al., CVPR 2018), the yardstick for speed: weights are random, only its time is measured here."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from headcount.models.normalise import normalise
from headcount.models.table import build_method


class CsrNetOnPixels(nn.Module):
    """(b, h, w, 3) uint8 → (b, 1, h/8, w/8)."""

    def __init__(self) -> None:
        super().__init__()
        self.method = build_method("csrnet", {})

    def forward(self, pixels: Tensor) -> Tensor:
        return self.method(normalise(pixels.permute(0, 3, 1, 2), self.method.input_spec))["density"]


def export_csrnet(path: Path, size_wh: tuple[int, int]) -> nn.Module:
    """Write the network as ONNX for images of one size, and return it."""
    network = CsrNetOnPixels().eval()
    pixels = torch.zeros(1, size_wh[1], size_wh[0], 3, dtype=torch.uint8)
    program = torch.onnx.export(network, (pixels,), None, input_names=["pixels"], output_names=["density"], dynamo=True)
    assert program is not None
    program.save(str(path))
    return network
