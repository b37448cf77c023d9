"""CSRNet's architecture (Li et al., CVPR 2018), the yardstick for speed: VGG-16 front end, dilated back end, stride 8.

Weights are random: only its time is measured here.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from headcount.models.parts.classic import VggBackbone


class CsrNet(nn.Module):
    """(b, h, w, 3) uint8 → (b, 1, h/8, w/8)."""

    def __init__(self) -> None:
        super().__init__()
        self.front = VggBackbone()
        layers: list[nn.Module] = []
        channels = 512
        for width in (512, 512, 512, 256, 128, 64):
            layers += [nn.Conv2d(channels, width, 3, padding=2, dilation=2), nn.ReLU(inplace=True)]
            channels = width
        self.back = nn.Sequential(*layers, nn.Conv2d(64, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        images = pixels.permute(0, 3, 1, 2).float() / 255
        return self.back(self.front(images)[0])


def export_csrnet(path: Path, size_wh: tuple[int, int]) -> nn.Module:
    """Write the network as ONNX for images of one size, and return it."""
    network = CsrNet().eval()
    pixels = torch.zeros(1, size_wh[1], size_wh[0], 3, dtype=torch.uint8)
    program = torch.onnx.export(network, (pixels,), None, input_names=["pixels"], output_names=["density"], dynamo=True)
    assert program is not None
    program.save(str(path))
    return network
