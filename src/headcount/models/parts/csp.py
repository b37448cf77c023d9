"""Cross-stage partial networks: YOLOv5's trunk, and its pyramid with a path up and a path down again.

After "CSPNet" (Wang et al.), "Path Aggregation Network" (Liu et al.), "Spatial Pyramid Pooling" (He et al.) and the
published description of YOLOv5 v6's layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headcount.core.errors import InputError
from headcount.models.parts.base import Backbone

_STAGE_BLOCKS = (3, 6, 9, 3)
"""Bottlenecks of the trunk's stages at strides 4, 8, 16 and 32, before the depth multiple."""
_NECK_BLOCKS = 3
_STRIDES = (4, 8, 16, 32)


def channels_at(stride: int, width: int) -> int:
    """Channels of a map whose like at stride 8 has ``width``: twice as many at twice the stride, in steps of 8.

    >>> [channels_at(stride, 128) for stride in (2, 4, 8, 16, 32)]
    [32, 64, 128, 256, 512]
    """
    return max(8, -(-(width * stride // 8) // 8) * 8)


def blocks_of(number: int, depth: float) -> int:
    """A number of bottlenecks times the depth multiple, at least one.

    >>> [blocks_of(9, depth) for depth in (0.33, 1.33)], blocks_of(1, 0.33)
    ([3, 12], 1)
    """
    return max(1, round(number * depth))


class ConvNormSilu(nn.Sequential):
    """A convolution that keeps the size (or halves it), batch normalisation, SiLU."""

    def __init__(self, inside: int, outside: int, kernel: int = 1, stride: int = 1, padding: int | None = None) -> None:
        padding = kernel // 2 if padding is None else padding
        super().__init__(
            nn.Conv2d(inside, outside, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(outside, eps=1e-3),
            nn.SiLU(inplace=True),
        )


class Bottleneck(nn.Module):
    """1×1, then 3×3, and the input added where ``shortcut``."""

    def __init__(self, channels: int, *, shortcut: bool) -> None:
        super().__init__()
        self.narrow = ConvNormSilu(channels, channels)
        self.wide = ConvNormSilu(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, feature: Tensor) -> Tensor:
        out: Tensor = self.wide(self.narrow(feature))
        return feature + out if self.shortcut else out


class CspBlock(nn.Module):
    """Half of the channels through ``blocks`` bottlenecks, half past them; a 1×1 convolution joins both ("C3")."""

    def __init__(self, inside: int, outside: int, blocks: int, *, shortcut: bool = True) -> None:
        super().__init__()
        half = outside // 2
        self.through, self.past = ConvNormSilu(inside, half), ConvNormSilu(inside, half)
        self.bottlenecks = nn.Sequential(*[Bottleneck(half, shortcut=shortcut) for _ in range(blocks)])
        self.join = ConvNormSilu(2 * half, outside)

    def forward(self, feature: Tensor) -> Tensor:
        out: Tensor = self.join(torch.cat([self.bottlenecks(self.through(feature)), self.past(feature)], dim=1))
        return out


class PyramidPooling(nn.Module):
    """Maxima over 5, 9 and 13 cells beside the feature itself ("SPPF": each from the one before)."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        half = inside // 2
        self.narrow = ConvNormSilu(inside, half)
        self.join = ConvNormSilu(4 * half, outside)

    def forward(self, feature: Tensor) -> Tensor:
        maxima = [self.narrow(feature)]
        for _ in range(3):
            maxima.append(F.max_pool2d(maxima[-1], 5, stride=1, padding=2))
        out: Tensor = self.join(torch.cat(maxima, dim=1))
        return out


class CspDarknet(Backbone):
    """YOLOv5's trunk: its maps at some of the strides 4, 8, 16 and 32.

    ``width`` is the number of channels at stride 8, ``depth`` multiplies the bottlenecks. The first ``frozen_stages``
    stages, and the stem, keep the weights and batch statistics of their initialisation; with ``fixed_statistics``
    every batch norm keeps its mean and variance.

    Raises:
        InputError: more frozen stages than there are.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: float,
        strides: Sequence[int],
        frozen_stages: int = 0,
        fixed_statistics: bool = False,
    ) -> None:
        super().__init__()
        if frozen_stages > len(_STRIDES):
            raise InputError(f"frozen_stages is {frozen_stages}, but this backbone has {len(_STRIDES)} stages.")
        self.strides = list(strides)
        self.channels = [channels_at(stride, width) for stride in strides]
        inside = channels_at(2, width)
        self.stem = ConvNormSilu(3, inside, 6, 2, 2)
        stages = []
        for stride, blocks in zip(_STRIDES, _STAGE_BLOCKS, strict=True):
            outside = channels_at(stride, width)
            down = ConvNormSilu(inside, outside, 3, 2)
            stages.append(nn.Sequential(down, CspBlock(outside, outside, blocks_of(blocks, depth))))
            inside = outside
        self.stages = nn.ModuleList(stages[: _STRIDES.index(max(strides)) + 1])
        frozen: list[nn.Module] = [self.stem, *self.stages][: frozen_stages + 1 if frozen_stages else 0]
        for part in frozen:
            part.requires_grad_(False)
        norms = [part for part in self.modules() if isinstance(part, nn.BatchNorm2d)] if fixed_statistics else []
        self._steady = [*frozen, *norms]

    def train(self, mode: bool = True) -> CspDarknet:
        super().train(mode)
        for part in self._steady:
            part.eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """(b, 3, h, w) → one (b, channels[i], h/strides[i], w/strides[i]) each."""
        feature, maps = self.stem(images), {}
        for stride, stage in zip(_STRIDES, self.stages, strict=False):
            feature = maps[stride] = stage(feature)
        return [maps[stride] for stride in self.strides]


class PathAggregation(nn.Module):
    """Maps of a backbone, fine to coarse, → as many that each know the coarser and the finer ones.

    First up from the coarsest (its context pooled), then down again; levels are joined side by side, not added. Level i
    has ``channels[i]`` out.
    """

    def __init__(self, inside: Sequence[int], strides: Sequence[int], *, width: int, depth: float) -> None:
        super().__init__()
        self.channels = [channels_at(stride, width) for stride in strides]
        blocks, coarsest = blocks_of(_NECK_BLOCKS, depth), len(strides) - 1
        self.pool = PyramidPooling(inside[-1], self.channels[-1])
        self.narrow = nn.ModuleList()
        self.up, self.down, self.out = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level in range(coarsest):  # between a level and the next coarser one
            finer = self.channels[level]
            self.narrow.append(ConvNormSilu(self.channels[level + 1], finer))
            self.up.append(CspBlock(finer + inside[level], finer, blocks, shortcut=False))
            self.down.append(ConvNormSilu(finer, finer, 3, 2))
            self.out.append(CspBlock(2 * finer, self.channels[level + 1], blocks, shortcut=False))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        feature = self.pool(features[-1])
        narrowed = []  # coarse to fine
        for level in reversed(range(len(self.narrow))):
            feature = self.narrow[level](feature)
            narrowed.append(feature)
            # A fixed factor of 2 exports as a constant.
            upper = F.interpolate(feature, scale_factor=2.0, mode="nearest")
            feature = self.up[level](torch.cat([upper, features[level]], dim=1))
        maps = [feature]
        for level, (down, out) in enumerate(zip(self.down, self.out, strict=True)):
            beside = narrowed[len(narrowed) - 1 - level]
            maps.append(out(torch.cat([down(maps[-1]), beside], dim=1)))
        return maps
