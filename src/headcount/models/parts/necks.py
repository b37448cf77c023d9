"""Necks: the maps of several strides into one."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class TopDownNeck(nn.Module):
    """A feature pyramid's top-down path to its finest level, with batch normalisation.

    Each level passes a 1×1 convolution, takes the coarser one up-sampled by nearest neighbour, and a 3×3
    convolution mixes them. With a single level it is the 1×1 adapter alone.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList([nn.Conv2d(inside, width, 1) for inside in channels])
        mixing = len(channels) if len(channels) > 1 else 0
        self.mixes = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
                )
                for _ in range(mixing)
            ]
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Maps from fine to coarse → (b, width, h, w) of the finest."""
        return self.levels(features)[0]

    def levels(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The same with what it passes on the way: (b, width, h, w) of each map, from fine to coarse."""
        if not len(self.mixes):
            return [F.relu(self.laterals[0](features[0]))]
        levels: list[Tensor] = []
        for level in reversed(range(len(features))):
            lateral = self.laterals[level](features[level])
            if levels:
                # A fixed factor of 2 exports as a constant; size_divisor makes it exact.
                lateral = lateral + F.interpolate(levels[-1], scale_factor=2.0, mode="nearest")
            levels.append(self.mixes[level](lateral))
        return levels[::-1]


class SmallPyramid(nn.Module):
    """A narrow top-down path: strides 4 to 32 into one feature of ``width`` channels at stride 4."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.neck = TopDownNeck(channels, width)
        self.channels = width

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        feature: Tensor = self.neck(features)
        return feature

    def levels(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The same at each stride, from fine to coarse."""
        return self.neck.levels(features)
