"""Attention over places and over channels: the SCAR module of the head-scale network.

Gao et al., "SCAR: Spatial-/Channel-wise Attention Regression Networks for Crowd Counting".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_START = 0.1
"""Of the factors before what attention adds. At the authors' 0 its layers would get no gradient from the first step."""


def _conv_bn_relu(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU())


class SpatialAttention(nn.Module):
    """x + λ · (values of all places, weighted by how alike they are to each): (b, c, h, w) → the same.

    Memory grows with (h · w)², 340 MB for 96×96 cells: methods that have it name a tile that bounds it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 8)
        self.query = nn.Sequential(nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner))
        # Scale and shift of the keys are the queries' and nothing's: the softmax is blind to a shift.
        self.key = nn.Sequential(nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner, affine=False))
        self.value = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.factor = nn.Parameter(torch.full((1,), _START))

    def forward(self, features: Tensor) -> Tensor:
        query, key, value = (part(features).flatten(2) for part in (self.query, self.key, self.value))  # (b, ·, h·w)
        likeness = F.softmax(query.transpose(1, 2) @ key, dim=-1)  # (b, h·w, h·w)
        added = (value @ likeness.transpose(1, 2)).reshape(features.shape)
        result: Tensor = features + self.factor * added
        return result


class ChannelAttention(nn.Module):
    """x + μ · (all channels, weighted by how unlike they are to each): (b, c, h, w) → the same.

    Likeness is the mean, not the sum, of products over places: an image's size does not sharpen it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((1,), _START))

    def forward(self, features: Tensor) -> Tensor:
        channels = features.flatten(2)  # (b, c, h·w)
        likeness = channels @ channels.transpose(1, 2) / channels.shape[-1]  # (b, c, c)
        weights = F.softmax(likeness.amax(dim=-1, keepdim=True) - likeness, dim=-1)
        return features + self.factor * (weights @ channels).reshape(features.shape)


class ScarHead(nn.Module):
    """Both kinds of attention side by side, each between two convolutions, then 1×1 to one linear channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 4)
        self.spatial = nn.Sequential(
            _conv_bn_relu(channels, inner), SpatialAttention(inner), _conv_bn_relu(inner, inner)
        )
        self.channel = nn.Sequential(_conv_bn_relu(channels, inner), ChannelAttention(), _conv_bn_relu(inner, inner))
        self.last = nn.Conv2d(2 * inner, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(b, channels, h, w) → (b, 1, h, w)."""
        both = torch.cat([self.spatial(features), self.channel(features)], dim=1)
        result: Tensor = self.last(both)
        return result
