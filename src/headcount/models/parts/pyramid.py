"""The feature pyramid of one-stage detectors, and the convolutions that all its levels share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headcount.models.parts.backbones import initialise_he

TowerNorm = Literal["batch", "group", "none"]

COARSEST = 32
"""The coarsest stride of a backbone; from there on the pyramid goes by convolutions of its own."""


class FeaturePyramid(nn.Module):
    """A backbone's maps into one of ``width`` channels for each stride asked for.

    A 1×1 convolution a map, top-down by nearest neighbour, a 3×3 convolution for each level; beyond the backbone's
    coarsest a 3×3 convolution of stride 2 for each, a ReLU before all but the first. Nothing is normalised.
    "Feature Pyramid Networks for Object Detection" (Lin et al.), section 3; P6 and P7 as in FCOS, from P5.
    """

    def __init__(
        self, channels: Sequence[int], backbone_strides: Sequence[int], strides: Sequence[int], width: int
    ) -> None:
        super().__init__()
        self.backbone_strides, self.strides = list(backbone_strides), list(strides)
        self.laterals = nn.ModuleList([nn.Conv2d(inside, width, 1) for inside in channels])
        further = [COARSEST << index for index in range(1, 8) if COARSEST << index <= max(strides)]
        # The coarsest map of the backbone is a level where others come out of it.
        made = [stride for stride in backbone_strides if stride in strides or (further and stride == COARSEST)]
        self.outputs = nn.ModuleDict({str(stride): nn.Conv2d(width, width, 3, padding=1) for stride in made})
        self.further = nn.ModuleDict({str(n): nn.Conv2d(width, width, 3, stride=2, padding=1) for n in further})
        for part in self.modules():
            if isinstance(part, nn.Conv2d):  # as torchvision has it: no ReLU follows that would halve what comes out
                nn.init.kaiming_uniform_(part.weight, a=1)
                assert part.bias is not None
                nn.init.zeros_(part.bias)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The backbone's maps, the finest first → (b, width, h/s, w/s) of each stride asked for."""
        mixed: Tensor | None = None
        levels: dict[str, Tensor] = {}
        for index in reversed(range(len(features))):
            lateral = self.laterals[index](features[index])
            # A fixed factor of 2 exports as a constant; size_divisor makes it exact.
            mixed = lateral if mixed is None else lateral + F.interpolate(mixed, scale_factor=2.0, mode="nearest")
            name = str(self.backbone_strides[index])
            if name in self.outputs:
                levels[name] = self.outputs[name](mixed)
        last = levels.get(str(COARSEST))
        for index, (name, convolution) in enumerate(self.further.items()):
            assert last is not None
            last = convolution(F.relu(last) if index else last)
            levels[name] = last
        return [levels[str(stride)] for stride in self.strides]


class LevelNorm(nn.Module):
    """Batch normalisation with one scale and shift for all levels, and of each level its own mean and variance.

    One mean of all levels would fit none of them; a level that few heads belong to could not learn a scale.
    """

    def __init__(self, width: int, levels: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        for level in range(levels):
            self.register_buffer(f"mean_{level}", torch.zeros(width))
            self.register_buffer(f"variance_{level}", torch.ones(width))

    def forward(self, feature: Tensor, level: int) -> Tensor:
        """(b, width, h, w) → the same shape."""
        return F.batch_norm(
            feature, self.get_buffer(f"mean_{level}"), self.get_buffer(f"variance_{level}"), self.weight, self.bias,
            self.training, self.momentum, self.eps,
        )  # fmt: skip


class _GroupNorm(nn.GroupNorm):
    def forward(self, feature: Tensor, level: int = 0) -> Tensor:
        return super().forward(feature)


class Tower(nn.Module):
    """3×3 convolutions with ReLU whose weights all levels share.

    With ``norm: group`` a cell sees the whole map, so that tiles differ from a whole image.
    """

    def __init__(self, width: int, depth: int, levels: int, *, norm: TowerNorm) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            [nn.Conv2d(width, width, 3, padding=1, bias=norm == "none") for _ in range(depth)]
        )
        initialise_he(self)
        self.norms = nn.ModuleList()
        for _ in range(0 if norm == "none" else depth):
            self.norms.append(LevelNorm(width, levels) if norm == "batch" else _GroupNorm(_groups(width), width))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """(b, width, h, w) of each level → the same shapes."""
        return [self._level(level, feature) for level, feature in enumerate(features)]

    def _level(self, level: int, feature: Tensor) -> Tensor:
        for layer, convolution in enumerate(self.convolutions):
            feature = convolution(feature)
            if len(self.norms):
                feature = self.norms[layer](feature, level)
            feature = F.relu(feature)
        return feature


class DenseHead(nn.Module):
    """Two towers and what comes out of them: of each cell ``anchors`` logits of a head, ``anchors`` boxes.

    ``extra`` more channels come with the boxes (FCOS's centre-ness). ``prior`` is the probability of a head that the
    logits begin with.
    """

    def __init__(
        self, width: int, levels: int, *, depth: int, norm: TowerNorm, anchors: int = 1, extra: int = 0,
        prior: float = 0.01,
    ) -> None:  # fmt: skip
        super().__init__()
        self.anchors = anchors
        self.label_tower, self.box_tower = (Tower(width, depth, levels, norm=norm) for _ in range(2))
        self.label = nn.Conv2d(width, anchors, 3, padding=1)
        self.box = nn.Conv2d(width, 4 * anchors + extra, 3, padding=1)
        for last in (self.label, self.box):
            nn.init.normal_(last.weight, 0.0, 0.01)
            assert last.bias is not None
            nn.init.zeros_(last.bias)
        assert self.label.bias is not None
        nn.init.constant_(self.label.bias, math.log(prior / (1 - prior)))

    def forward(self, features: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """(b, width, h, w) of each level → of each (b, anchors, h, w) logits, (b, 4 · anchors + extra, h, w) boxes."""
        labels, boxes = self.label_tower(features), self.box_tower(features)
        return [(self.label(label), self.box(box)) for label, box in zip(labels, boxes, strict=True)]


def _groups(width: int) -> int:
    """32 as published, or fewer where there are few channels: two at least belong to each."""
    return next((groups for groups in (32, 16, 8, 4, 2) if width % groups == 0 and width >= 2 * groups), 1)
