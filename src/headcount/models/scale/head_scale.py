"""The head-scale network: how large a head is at each place, learned from boxes, for sets that have points only.

After the authors of "Learning Independent Instance Maps for Crowd Localization" (Gao et al.), IV-C: a ResNet-50 up to
its third layer without that layer's stride, dilated convolutions, attention over places and over channels. It regresses
the log of a head's area and counts nobody: `headcount label pseudo` reads it at points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from headcount.core.card import InputSpec, OutputSpec, Task, TileSpec
from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.core.settings import Positive, Settings
from headcount.losses.scale import Deviation, log_area_loss
from headcount.models.method import Method, TargetBatch, Targets
from headcount.models.normalise import IMAGENET_MEAN, IMAGENET_STD
from headcount.models.parts.attention import ScarHead
from headcount.models.parts.backbones import TimmBackbone, initialise_he, load_backbone
from headcount.models.parts.classic import dilated_back_end
from headcount.models.parts.necks import TopDownNeck
from headcount.targets.scale import scale_target

_STRIDE = 8


class HeadScaleSettings(Settings):
    """Options of the head-scale network; the defaults are the authors' network."""

    backbone: str = "resnet50"
    """A ResNet for ``front: layer3``; any timm network with maps at strides 8 to 32 for ``front: pyramid``."""
    front: Literal["layer3", "pyramid"] = "layer3"
    """``layer3``: the backbone's third layer, its stride taken out. ``pyramid``: its maps at strides 8, 16 and 32,
    brought together at the finest."""
    frozen_stages: int = Field(default=0, ge=0)
    """How many first stages of a pyramid's backbone keep the weights of their initialisation."""
    width: int = Field(default=96, ge=8)
    """Channels of the pyramid."""
    back_end: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(512, 512, 512, 256, 128, 64), min_length=1)
    """Channels of the 3×3 convolutions of dilation 2 that follow."""
    deviation: Deviation = "mse"
    """What the loss makes of an error of the log area."""
    typical_side_px: Positive = 24.0
    """Where the network starts from."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[Positive, Positive, Positive] = IMAGENET_STD


class HeadScale(Method):
    """(b, 3, h, w) → ``log_area`` (b, 1, h/8, w/8): the natural log of a head's area in square pixels."""

    settings_type = HeadScaleSettings
    task: Task = "size"
    tile = TileSpec(size=768, halo=96, overlap="average", exact=False)
    """Attention over places takes memory with the fourth power of a tile's side: 340 MB here."""

    def __init__(self, settings: HeadScaleSettings) -> None:
        super().__init__()
        self.settings = settings
        self.neck: TopDownNeck | None = None
        if settings.front == "layer3":
            if settings.frozen_stages:
                raise InputError("front: layer3 is trained whole: leave frozen_stages at 0.")
            self.backbone = _third_layer(settings.backbone)
            channels = self.backbone.channels[0]
        else:
            self.backbone = TimmBackbone(
                settings.backbone, strides=(_STRIDE, 16, 32), frozen_stages=settings.frozen_stages
            )
            self.neck = TopDownNeck(self.backbone.channels, settings.width)
            initialise_he(self.neck)
            channels = settings.width
        self.back_end = dilated_back_end(channels, settings.back_end)
        self.head = ScarHead(settings.back_end[-1])
        initialise_he(self.back_end)
        nn.init.normal_(self.head.last.weight, 0.0, 0.01)
        assert self.head.last.bias is not None
        nn.init.constant_(self.head.last.bias, 2 * math.log(settings.typical_side_px))
        self.input_spec = InputSpec(mean=settings.mean, std=settings.std, size_divisor=max(self.backbone.strides))
        self.outputs = (OutputSpec(name="log_area", stride=_STRIDE),)
        self.decoder = None

    def initialise_backbone(self, file: Path) -> None:
        load_backbone(self.backbone, file)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.backbone(images)
        feature = features[0] if self.neck is None else self.neck(features)
        return {"log_area": self.head(self.back_end(feature))}

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        return self.forward(images)

    def targets(self, scene: Scene) -> Targets:
        if scene.boxes_xyxy is None:
            raise InputError(
                f'A head-scale network learns from head boxes, which "{scene.name}" has not: train on a set with boxes.'
            )
        target = scale_target(scene.boxes_xyxy, scene.size_wh, stride=_STRIDE, region=scene.region)
        return Targets({"log_area": target.log_area[None], "weight": target.weight[None]})

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        deviation = self.settings.deviation
        total = log_area_loss(
            maps["log_area"].float(), targets.maps["log_area"], targets.maps["weight"], deviation=deviation
        )
        return {"total": total}


def _third_layer(name: str) -> TimmBackbone:
    """A ResNet whose third layer keeps the resolution of its second: stride 8 where it was 16, the weights the same."""
    if "resnet" not in name:
        raise InputError(f'front: layer3 takes a ResNet, but "{name}" is another network: choose front: pyramid.')
    # Random weights as torchvision has them: timm's, with blocks that start as nothing, would learn later.
    options = {"out_indices": (0, 1, 2, 3), "zero_init_last": False}
    backbone = TimmBackbone(name, strides=(16,), options=options)
    layer = getattr(backbone.network, "layer3", None)
    if not isinstance(layer, nn.Sequential):
        raise InputError(f'front: layer3 takes a ResNet, but "{name}" is built otherwise: choose front: pyramid.')
    for path, part in layer[0].named_modules():
        if isinstance(part, nn.Conv2d) and part.stride == (2, 2):
            part.stride = (1, 1)
        elif isinstance(part, nn.AvgPool2d):
            layer[0].set_submodule(path, nn.Identity())
    backbone.strides = [_STRIDE]
    return backbone
