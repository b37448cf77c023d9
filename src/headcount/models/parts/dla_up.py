"""The up-sampling path of DLA: maps at strides 4 to 32 into one at stride 4, by iterative deep aggregation.

"Deep Layer Aggregation" (Yu et al.), section 4, with the deformable convolutions that "Objects as Points" (Zhou et al.)
put before every up-sampling and behind every sum; those are of "Deformable ConvNets v2" (Zhu et al.).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

Node = Callable[[int, int], nn.Module]


class DlaUp(nn.Module):
    """Maps at strides 4, 8, 16 and 32, of any ``channels`` → one at stride 4, of as many channels as the first.

    The coarsest maps are aggregated first: at stride 16, then at 8, then at 4, each time with the finer maps as they
    then are. What came out at strides 4, 8 and 16 is aggregated once more. With ``deformable`` each 3×3 convolution is
    a modulated deformable one, which sees as far as its offsets go.
    """

    def __init__(self, channels: Sequence[int], *, deformable: bool) -> None:
        super().__init__()
        node: Node = _deformable_node if deformable else _plain_node
        coarser = len(channels) - 1
        self.stages = nn.ModuleList()
        for first in reversed(range(coarser)):
            # All but the first of these have come to one stride and width in the stage before.
            widths = [channels[first], *[channels[first + 1]] * (coarser - first)]
            self.stages.append(_Aggregation(widths, [2] * (coarser - first), node))
        self.last = _Aggregation(channels[:coarser], [2**level for level in range(1, coarser)], node)
        self.channels = channels[0]

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Maps from fine to coarse → (b, channels, h, w) of the finest."""
        maps, coarsest_first = list(features), []
        for stage, first in zip(self.stages, reversed(range(len(features) - 1)), strict=True):
            maps[first:] = stage(maps[first:])
            coarsest_first.append(maps[-1])
        whole: Tensor = self.last(coarsest_first[::-1])[-1]
        return whole


class _Aggregation(nn.Module):
    """Maps from fine to coarse → as many at the finest's stride: each coarser one is added to the one before it.

    ``factors`` are how much coarser than the first each of the others is; ``channels[0]`` is what all end with.
    """

    def __init__(self, channels: Sequence[int], factors: Sequence[int], node: Node) -> None:
        super().__init__()
        width = channels[0]
        self.projections = nn.ModuleList([node(inside, width) for inside in channels[1:]])
        self.enlargements = nn.ModuleList([_bilinear(width, factor) for factor in factors])
        self.nodes = nn.ModuleList([node(width, width) for _ in factors])

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        done = [maps[0]]
        for coarse, project, enlarge, node in zip(
            maps[1:], self.projections, self.enlargements, self.nodes, strict=True
        ):
            done.append(node(enlarge(project(coarse)) + done[-1]))
        return done


class DeformableConv2d(nn.Module):
    """A modulated deformable 3×3 convolution: where it looks, and how much, a convolution beside it says at each cell.

    To begin with it looks where a plain one does, with half the weight. It computes in float32, also under autocast.
    """

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.Conv2d(inside, outside, 3).weight.detach())
        self.where = nn.Conv2d(inside, 3 * 9, 3, padding=1)  # y and x of nine places, then how much of each
        nn.init.zeros_(self.where.weight)
        assert self.where.bias is not None
        nn.init.zeros_(self.where.bias)

    def forward(self, feature: Tensor) -> Tensor:
        with torch.autocast(feature.device.type, enabled=False):
            feature = feature.float()
            offset, much = self.where(feature).split((2 * 9, 9), dim=1)
            # torchvision reads outside its memory where an offset is NaN; ``much`` then carries it on.
            offset = torch.nan_to_num(offset, nan=0.0)
            bent: Tensor = deform_conv2d(feature, offset, self.weight, padding=1, mask=torch.sigmoid(much))
            return bent


def _deformable_node(inside: int, outside: int) -> nn.Module:
    return nn.Sequential(DeformableConv2d(inside, outside), nn.BatchNorm2d(outside), nn.ReLU(inplace=True))


def _plain_node(inside: int, outside: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
    )


def _bilinear(width: int, factor: int) -> nn.ConvTranspose2d:
    """A transposed convolution of each channel, which begins as bilinear up-sampling."""
    enlarge = nn.ConvTranspose2d(width, width, 2 * factor, stride=factor, padding=factor // 2, groups=width, bias=False)
    slope = 1 - ((torch.arange(2 * factor) + 0.5) / factor - 1).abs()
    with torch.no_grad():
        enlarge.weight.copy_(slope[:, None] * slope)
    return enlarge
