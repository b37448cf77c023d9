"""Backbones as papers of crowd counting draw them: the light one of "Mask-aware networks…", CSRNet's VGG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from headcount.models.parts.base import Backbone
from headcount.models.parts.published import whole_network


def _conv(inside: int, outside: int, kernel: int | tuple[int, int] = 3) -> nn.Sequential:
    padding = kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(nn.Conv2d(inside, outside, kernel, padding=padding), nn.ReLU(inplace=True))


class MultiScaleUnit(nn.Module):
    """Four parallel paths of 64 channels, concatenated: (b, c, h, w) → (b, 256, h, w). Fig. 2b of the paper."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            [
                _conv(channels, 64, 1),
                nn.Sequential(_conv(channels, 64, 1), _conv(64, 64, 3)),
                nn.Sequential(_conv(channels, 64, 1), _conv(64, 64, (1, 7)), _conv(64, 64, (7, 1))),
                nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), _conv(channels, 64, 1)),
            ]
        )

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([path(features) for path in self.paths], dim=1)


class LightBackbone(Backbone):
    """The light backbone of "Mask-aware networks…" (III-C, Fig. 2a): stride 4, 256 channels."""

    def __init__(self, *, in_channels: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _conv(in_channels, 64), _conv(64, 64), nn.MaxPool2d(2),
            _conv(64, 128), _conv(128, 128), nn.MaxPool2d(2),
            _conv(128, 128), MultiScaleUnit(128), MultiScaleUnit(256),
        )  # fmt: skip
        self.channels, self.strides = [256], [4]

    def forward(self, images: Tensor) -> list[Tensor]:
        """(b, c, h, w) → [(b, 256, h/4, w/4)]."""
        return [self.layers(images)]


VGG = "vgg16"
"""The network of timm that ``VggBackbone`` is the beginning of."""


class VggBackbone(Backbone):
    """The first ten convolutions of VGG-16, as CSRNet's front end: stride 8, 512 channels.

    ``width`` are the channels of its first convolutions, which the others follow; 64 is VGG-16's own.
    """

    def __init__(self, *, in_channels: int = 3, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for factor in (1, 1, 0, 2, 2, 0, 4, 4, 4, 0, 8, 8, 8):
            layers.append(_conv(channels, factor * width) if factor else nn.MaxPool2d(2))
            channels = factor * width or channels
        self.layers = nn.Sequential(*layers)
        self.channels, self.strides = [8 * width], [8]

    def forward(self, images: Tensor) -> list[Tensor]:
        """(b, c, h, w) → [(b, 512, h/8, w/8)]."""
        return [self.layers(images)]

    def published_names(self) -> tuple[Mapping[str, str], set[str]]:
        whole = whole_network(VGG).state_dict()
        features = [key for key in whole if key.startswith("features.")]  # convolutions alone, in order
        return dict(zip(self.state_dict(), features, strict=False)), set(whole)


def dilated_back_end(inside: int, widths: Sequence[int], *, batch_norm: bool = False) -> nn.Sequential:
    """CSRNet's back end: 3×3 convolutions of dilation 2 with ReLU, of ``widths`` channels; h and w stay."""
    layers: list[nn.Module] = []
    for width in widths:
        layers.append(nn.Conv2d(inside, width, 3, padding=2, dilation=2))
        layers += [nn.BatchNorm2d(width)] if batch_norm else []
        layers.append(nn.ReLU(inplace=True))
        inside = width
    return nn.Sequential(*layers)
