"""MCNN (Zhang et al., "Single-Image Crowd Counting via Multi-Column Convolutional Neural Network", CVPR 2016): three
columns of large, middle and small kernels, for heads of three sizes, brought together by a 1×1 convolution.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from headcount.core.card import InputSpec
from headcount.core.errors import InputError
from headcount.core.settings import Positive
from headcount.models.density.base import DensityNetwork, DensityNetworkSettings
from headcount.models.parts.base import Backbone

_COLUMNS = (
    ((9, 16), (7, 32), (7, 16), (7, 8)),
    ((7, 20), (5, 40), (5, 20), (5, 10)),
    ((5, 24), (3, 48), (3, 24), (3, 12)),
)
"""Of each column: the kernel's side and the channels of its four convolutions."""


class McnnSettings(DensityNetworkSettings):
    """Options of MCNN; the defaults are the paper's network, on gray images."""

    in_channels: Literal[1, 3] = 1
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[Positive, ...] = (0.5, 0.5, 0.5)
    read_as_authors: bool = False
    """Gray as OpenCV reads it and sides cut to multiples of the size divisor, as the authors' code does, so that their
    weights count to the digit as they did there. It takes one channel."""

    def input_spec(self, size_divisor: int) -> InputSpec:
        spec = super().input_spec(size_divisor)
        if not self.read_as_authors:
            return spec
        if self.in_channels != 1:
            raise InputError("read_as_authors is for gray images: set in_channels to 1.")
        return spec.model_copy(update={"opencv_gray": True, "cut": True})


class Columns(Backbone):
    """Three columns, concatenated: (b, c, h, w) → [(b, 30, h/4, w/4)]."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.columns = nn.ModuleList([_column(in_channels, layers) for layers in _COLUMNS])
        self.channels, self.strides = [sum(layers[-1][1] for layers in _COLUMNS)], [4]

    def forward(self, images: Tensor) -> list[Tensor]:
        return [torch.cat([column(images) for column in self.columns], dim=1)]


class Mcnn(DensityNetwork):
    """(b, c, h, w) → ``density`` (b, 1, h/4, w/4)."""

    settings_type = McnnSettings

    def __init__(self, settings: McnnSettings) -> None:
        super().__init__()
        self.backbone = Columns(settings.in_channels)
        self._finish(settings, self.backbone.channels[0])

    def features(self, images: Tensor) -> Tensor:
        found: Tensor = self.backbone(images)[0]
        return found


def _column(inside: int, convolutions: tuple[tuple[int, int], ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number, (kernel, outside) in enumerate(convolutions):
        layers += [nn.Conv2d(inside, outside, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
        layers += [nn.MaxPool2d(2)] if number < 2 else []
        inside = outside
    return nn.Sequential(*layers)
