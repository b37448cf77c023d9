"""Confidence predictors of IIM: an image in, a feature at stride 4 and the logits of a confidence map out.

Fig. 3 of "Learning Independent Instance Maps…" and Table 1: VGG-16 with a feature pyramid, HRNet-W48; and a small one
on any timm backbone. Methods that learn another map with the same network (Table 5) share them through
``PredictorMethod``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from headcount.core.card import InputSpec, Task
from headcount.core.errors import InputError
from headcount.core.settings import Positive, Settings
from headcount.models.method import Method
from headcount.models.normalise import IMAGENET_MEAN, IMAGENET_STD
from headcount.models.parts.backbones import TimmBackbone, load_backbone
from headcount.models.parts.necks import SmallPyramid

MapStride = Literal[1, 2, 4]


def _conv_bn_relu(inside: int, outside: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


class ConcatenatedPyramid(nn.Module):
    """A feature pyramid whose levels are all brought to the finest and concatenated: (b, 3 · width, h/4, w/4).

    Lateral 1×1 and output 3×3 convolutions with batch normalisation and ReLU; enlarging takes the nearest neighbour,
    on the way down and where the levels are brought together.
    """

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.laterals = nn.ModuleList([_conv_bn_relu(inside, width, 1) for inside in channels])
        self.outputs = nn.ModuleList([_conv_bn_relu(width, width, 3) for _ in channels])
        self.channels = width * len(channels)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Maps from fine to coarse, strides doubling → (b, channels, h, w) of the finest."""
        levels = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        for level in reversed(range(len(levels) - 1)):
            levels[level] = levels[level] + F.interpolate(levels[level + 1], scale_factor=2.0, mode="nearest")
        mixed = [output(level) for output, level in zip(self.outputs, levels, strict=True)]
        return torch.cat([mixed[0], *(_enlarged(m, 2**i, "nearest") for i, m in enumerate(mixed[1:], 1))], dim=1)


class ConcatenatedBranches(nn.Module):
    """HRNet's four resolutions, brought bilinearly to the finest and concatenated: (b, 720, h/4, w/4)."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.channels = sum(channels)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Maps from fine to coarse, strides doubling → (b, channels, h, w) of the finest."""
        return torch.cat([features[0], *(_enlarged(f, 2**i, "bilinear") for i, f in enumerate(features[1:], 1))], dim=1)


def fuse_bilinearly(hrnet: nn.Module) -> None:
    """Make timm's HRNet, the one for classification, the one for segmentation: its branches meet bilinearly."""
    for part in hrnet.modules():
        if isinstance(part, nn.Upsample):
            part.mode, part.align_corners = "bilinear", False


def _enlarged(feature: Tensor, factor: int, mode: str) -> Tensor:
    return F.interpolate(feature, scale_factor=float(factor), mode=mode)


class ConfidenceHead(nn.Module):
    """(b, channels, h/4, w/4) → (b, 1, h, w) logits: 1×1 with batch normalisation, then two transposed convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(channels, 64, 4, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1),
        )

    def forward(self, feature: Tensor) -> Tensor:
        logits: Tensor = self.layers(feature)
        return logits


class SmallHead(nn.Module):
    """The feature at stride 4 to logits at ``stride`` 4, 2 or 1, with the detail of the backbone's stride-2 map.

    In ShanghaiTech A a third of the heads lie within 8 px of another: two cells at stride 4.
    """

    def __init__(self, channels: int, detail_channels: int, *, stride: MapStride, width: int = 32) -> None:
        super().__init__()
        self.stride = stride
        if stride == 4:
            self.last: nn.Module = nn.Sequential(_conv_bn_relu(channels, channels, 3), nn.Conv2d(channels, 1, 1))
        else:
            self.up = nn.ConvTranspose2d(channels, width, 4, stride=2, padding=1, bias=False)
            self.detail = nn.Conv2d(detail_channels, width, 1, bias=False)
            self.norm = nn.BatchNorm2d(width)
            mix = _conv_bn_relu(width, width, 3)
            out = nn.Conv2d(width, 1, 1) if stride == 2 else nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1)
            self.last = nn.Sequential(mix, out)

    def forward(self, feature: Tensor, detail: Tensor) -> Tensor:
        """(b, channels, h/4, w/4), (b, detail, h/2, w/2) → (b, 1, h/stride, w/stride) logits."""
        if self.stride != 4:
            feature = F.relu(self.norm(self.up(feature) + self.detail(detail)))
        logits: Tensor = self.last(feature)
        return logits


def begin_empty(head: nn.Module) -> None:
    """Let a head that ends in logits begin with few pixels that are heads."""
    last = [part for part in head.modules() if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d))][-1]
    assert last.bias is not None
    nn.init.constant_(last.bias, -2.0)


class PredictorSettings(Settings):
    """Options of a method's predictor; the defaults are the paper's VGG-16 with a feature pyramid."""

    predictor: str = "vgg16_bn_fpn"
    """``vgg16_bn_fpn``, ``hrnet_w48``, or any timm network with maps at strides 2 to 32 for the small predictor."""
    width: int = Field(default=64, ge=8)
    """Channels of the small predictor's feature."""
    map_stride: MapStride = 1
    """Stride of the predicted map; 2 and 4 only for the small predictor."""
    frozen_stages: int = Field(default=0, ge=0)
    """How many first stages of the small predictor's network keep the weights of their initialisation."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[Positive, Positive, Positive] = IMAGENET_STD
    enlarge: float = Field(default=1.0, ge=1, le=8)
    """Factor by which images are enlarged for counting; in training it is part of ``data.scale``."""


class PredictorMethod(Method):
    """A method whose network is a predictor: ``backbone``, ``neck`` and ``head``, from images to logits.

    What the logits mean (targets, loss, decoder) is the method's own.

    Raises:
        InputError: an option that the named predictor does not have.
    """

    task: Task = "locate"

    def __init__(self, settings: PredictorSettings) -> None:
        super().__init__()
        self.small = settings.predictor not in ("vgg16_bn_fpn", "hrnet_w48")
        if settings.map_stride != 1 and not self.small:
            raise InputError(f'"{settings.predictor}" predicts at full resolution: leave map_stride at 1.')
        if settings.frozen_stages and not self.small:
            raise InputError(f'"{settings.predictor}" is trained whole: leave frozen_stages at 0.')
        self.backbone: TimmBackbone
        self.neck: nn.Module
        self.head: nn.Module
        if settings.predictor == "vgg16_bn_fpn":
            # The classifier's hundred million weights are drawn before they are dropped: draw few.
            self.backbone = TimmBackbone("vgg16_bn", strides=(4, 8, 16), options={"mlp_ratio": 1 / 4096})
            neck: Any = ConcatenatedPyramid(self.backbone.channels)
        elif settings.predictor == "hrnet_w48":
            self.backbone = TimmBackbone("hrnet_w48", strides=(4, 8, 16, 32), options={"feature_location": ""})
            fuse_bilinearly(self.backbone)
            neck = ConcatenatedBranches(self.backbone.channels)
        else:
            self.backbone = TimmBackbone(
                settings.predictor, strides=(2, 4, 8, 16, 32), frozen_stages=settings.frozen_stages
            )
            neck = SmallPyramid(self.backbone.channels[1:], settings.width)
        self.neck = neck
        self.channels: int = neck.channels
        if self.small:
            self.head = SmallHead(neck.channels, self.backbone.channels[0], stride=settings.map_stride)
        else:
            self.head = ConfidenceHead(neck.channels)
        begin_empty(self.head)
        divisor = max(self.backbone.strides)
        self.input_spec = InputSpec(
            mean=settings.mean, std=settings.std, size_divisor=divisor, enlarge=settings.enlarge
        )

    def initialise_backbone(self, file: Path) -> None:
        load_backbone(self.backbone, file)

    def feature_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(b, 3, h, w) → the neck's feature (b, ``channels``, h/4, w/4) and (b, 1, h/s, w/s) logits."""
        features = self.backbone(images)
        if self.small:
            feature = self.neck(features[1:])
            return feature, self.head(feature, features[0])
        feature = self.neck(features)
        return feature, self.head(feature)
