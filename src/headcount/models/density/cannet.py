"""CANNet (Liu, Salzmann, Fua, "Context-Aware Crowd Counting", CVPR 2019): CSRNet's ends, and between them at each place
the contexts of four sizes, weighed by how far they differ from what is there.

Symbols are those of its Section 3: f_v the VGG features, s_j the context of scale j, ω_j its weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from headcount.core.card import TileSpec
from headcount.models.density.base import DensityNetwork, DensityNetworkSettings
from headcount.models.parts.classic import VggBackbone, dilated_back_end

_SCALES = (1, 2, 3, 6)
_HALO_PX = 64
"""Less than CSRNet's ends see, 144: tiles are never quite the whole image here."""


class CanNetSettings(DensityNetworkSettings):
    """Options of CANNet; the defaults are the paper's network."""

    width: int = Field(default=64, ge=1)
    """Channels of the first convolutions, which all others follow; VGG-16's weights fit 64 alone."""
    batch_norm: bool = False
    """Behind each convolution of the back end, as in most checkpoints that the authors' code has trained."""
    tile_px: int = Field(default=1024, ge=256)
    """Side of the largest square that it looks at whole: set it by the crops that it is trained on. Its contexts are
    of the whole image, so that one in tiles counts otherwise."""


class CanNet(DensityNetwork):
    """(b, c, h, w) → ``density`` (b, 1, h/8, w/8)."""

    settings_type = CanNetSettings

    def __init__(self, settings: CanNetSettings) -> None:
        super().__init__()
        width = settings.width
        self.backbone = VggBackbone(in_channels=settings.in_channels, width=width)
        self.context = Context(8 * width)
        widths = [factor * width for factor in (8, 8, 8, 4, 2, 1)]
        self.back_end = dilated_back_end(8 * width, widths, batch_norm=settings.batch_norm)
        self._finish(settings, width)
        self.tile = TileSpec(size=settings.tile_px, halo=_HALO_PX, exact=False)

    def features(self, images: Tensor) -> Tensor:
        back: Tensor = self.back_end(self.context(self.backbone(images)[0]))
        return back


class Context(nn.Module):
    """(b, c, h, w) features → (b, c, h, w), with what surrounds each place at four scales in them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList([nn.Conv2d(channels, channels, 1, bias=False) for _ in _SCALES])
        self.weight = nn.Conv2d(channels, channels, 1)
        self.bottleneck = nn.Sequential(nn.Conv2d(2 * channels, channels, 1), nn.ReLU(inplace=True))

    def forward(self, features: Tensor) -> Tensor:
        size = features.shape[2:]
        contexts, scores = [], []
        for cells, scale in zip(_SCALES, self.scales, strict=True):
            pooled = scale(pool_to(features, cells))  # (b, c, cells, cells)
            context = F.interpolate(pooled, size=size, mode="bilinear", align_corners=False)  # s_j, Eq. 2
            contexts.append(context)
            # Eq. 3 has s_j − f_v. The authors' weights are of f_v − s_j: the kernel's sign is learned either way.
            scores.append(self.weight(features - context))
        weighted = weighted_mean(contexts, scores)
        mixed: Tensor = self.bottleneck(torch.cat([weighted, features], dim=1))
        return mixed


def weighted_mean(values: Sequence[Tensor], scores: Sequence[Tensor]) -> Tensor:
    """Σ ω_j · values_j / Σ ω_j with ω_j = sigmoid(scores_j), Eq. 4 and 5; finite where all ω_j are as good as 0."""
    logs = torch.stack([-F.softplus(-score) for score in scores])  # ln ω_j
    return (torch.softmax(logs, dim=0) * torch.stack(list(values))).sum(dim=0)


def pool_to(features: Tensor, cells: int) -> Tensor:
    """(b, c, h, w) → (b, c, cells, cells), as ``torch.nn.functional.adaptive_avg_pool2d``.

    Cell i is the mean of the rows from ⌊i·h/cells⌋ to ⌈(i + 1)·h/cells⌉. Written as two products of matrices: torch's
    own has no form in ONNX where h and w are open.
    """
    rows, columns = (_members(length, cells, features.device) for length in features.shape[2:])
    number = (rows.sum(dim=1)[:, None] * columns.sum(dim=1)).float()  # pixels in each cell
    total = torch.matmul(torch.matmul(rows.to(features.dtype), features), columns.T.to(features.dtype))
    return (total / number).to(features.dtype)


def _members(length: int, cells: int, device: torch.device) -> Tensor:
    """(cells, length): whether a pixel is one of a cell's."""
    pixel = torch.arange(length, device=device)
    cell = torch.arange(cells, device=device)[:, None]
    return ((pixel + 1) * cells > cell * length) & (pixel * cells < (cell + 1) * length)
