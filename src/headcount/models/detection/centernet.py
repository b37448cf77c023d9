"""CenterNet: a head is a peak of a heat map, with a size and an offset beside it.

"Objects as Points" (Zhou et al.), with one class, the head: three small branches on one feature at stride 4. The Mask
Focal Loss takes the place of its heat map's loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from headcount.core.card import DecoderSpec, InputSpec, OutputSpec, TileSpec
from headcount.core.geometry import centres, sides
from headcount.core.scene import Scene
from headcount.core.settings import Positive
from headcount.decode.peaks import PeaksDecoderSettings
from headcount.losses.focal import heatmap_focal_loss, mask_focal_loss
from headcount.models.detection.base import Detector, DetectorSettings, boxes_to_learn
from headcount.models.method import TargetBatch, Targets
from headcount.models.parts.backbones import TimmBackbone, initialise_he
from headcount.models.parts.dla_up import DlaUp
from headcount.models.parts.necks import SmallPyramid
from headcount.targets.heatmap import heatmap_target

STRIDE = 4
_HEAT_BIAS = -2.19  # a heat of 0.1 everywhere to begin with
_DEFORMABLE_TILE = TileSpec(size=2560, halo=512, exact=False)  # offsets have no bound
_DEFORMABLE_ALONE = (
    "Deformable convolutions (model.neck is dla_up) run on torch alone and have no ONNX file, which a network trained "
    "with model.neck=dla_up_plain has"
)


class CenterNetSettings(DetectorSettings):
    """Options of CenterNet."""

    neck: Literal["pyramid", "dla_up", "dla_up_plain"] = "pyramid"
    """What brings the backbone's maps at strides 4 to 32 together: a narrow pyramid; the up-sampling path of DLA with
    deformable convolutions, as its authors have it behind ``dla34``; or the same with plain ones, which exports."""
    width: int = Field(default=64, ge=8)
    """Channels of the pyramid's feature; that of the other necks has as many as the backbone's map at stride 4."""
    head_width: int = Field(default=256, ge=8)
    """Channels inside the three branches."""
    mask: Literal["box", "ellipse", "keypoint"] = "box"
    """Where the Mask Focal Loss takes a head to be, and cuts off its heat; the focal loss takes all of the Gaussian."""
    combine: Literal["max", "sum"] = "max"
    """How the heat of heads that are close adds up; ``sum`` is cut off at 1."""
    eta: float = Field(default=0.0, ge=0)
    """η of Eq. 10: how much wider the heat of small heads is."""
    heat_eps: Positive = 6.0
    """ε of Eq. 10: the heat's σ is a head's diameter over it."""
    size_weight: float = Field(default=0.1, ge=0)
    offset_weight: float = Field(default=1.0, ge=0)
    decoder: PeaksDecoderSettings = PeaksDecoderSettings()


class CenterNet(Detector):
    """(b, 3, h, w) → at stride 4: ``heat`` (b, 1, …) in 0…1, ``size`` and ``offset`` (b, 2, …) in pixels.

    ``offset`` is how far a head's middle lies from the middle of its cell. Sizes and offsets are learned at the cell of
    each head's middle alone.
    """

    settings_type = CenterNetSettings

    def __init__(self, settings: CenterNetSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = TimmBackbone(
            settings.backbone, strides=(STRIDE, 8, 16, 32), frozen_stages=settings.frozen_stages,
            fixed_statistics=settings.fixed_statistics,
        )  # fmt: skip
        self.neck: SmallPyramid | DlaUp
        if settings.neck == "pyramid":
            self.neck = SmallPyramid(self.backbone.channels, settings.width)
            initialise_he(self.neck)
        else:
            self.neck = DlaUp(self.backbone.channels, deformable=settings.neck == "dla_up")
        if settings.neck == "dla_up":
            self.tile, self.torch_only = _DEFORMABLE_TILE, _DEFORMABLE_ALONE
        self.heat = _branch(self.neck.channels, settings.head_width, 1, bias=_HEAT_BIAS)
        self.size = _branch(self.neck.channels, settings.head_width, 2)
        self.offset = _branch(self.neck.channels, settings.head_width, 2)
        self.input_spec = InputSpec(mean=settings.mean, std=settings.std, size_divisor=max(self.backbone.strides))
        self.outputs = (
            OutputSpec(name="heat", stride=STRIDE),
            OutputSpec(name="size", stride=STRIDE, channels=2),
            OutputSpec(name="offset", stride=STRIDE, channels=2),
        )
        self.decoder = DecoderSpec(name="peaks", settings=settings.decoder.model_dump())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self._maps(images)
        # Regressed in cells, where all layers begin at the same scale.
        return {
            "heat": torch.sigmoid(maps["heat"]), "size": STRIDE * maps["size"], "offset": STRIDE * maps["offset"]
        }  # fmt: skip

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        return self._maps(images)

    def _maps(self, images: Tensor) -> dict[str, Tensor]:
        """The heat's logits, size and offset in cells."""
        feature = self.neck(self.backbone(images))
        return {"heat": self.heat(feature), "size": self.size(feature), "offset": self.offset(feature)}

    def targets(self, scene: Scene) -> Targets:
        boxes, settings = boxes_to_learn(scene), self.settings
        target = heatmap_target(
            boxes, scene.size_wh, stride=STRIDE, mask=settings.mask if settings.loss == "mask_focal" else "keypoint",
            combine=settings.combine, eta=settings.eta, eps=settings.heat_eps, region=scene.region,
        )  # fmt: skip
        middle = centres(boxes) / STRIDE - (target.cells + 0.5)  # from the middle of its cell, in cells
        found = np.concatenate([target.cells, sides(boxes) / STRIDE, middle], axis=1).astype(np.float32)
        return Targets(
            {"heat": target.heat[None], "mask": target.mask[None], "weight": target.inside[None]},
            {"heads": found[target.drawn]},
        )

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        settings, heads = self.settings, targets.ragged["heads"]
        inside = targets.maps["weight"] > 0
        number = max(1, sum(len(one) for one in heads))
        logits, heat = maps["heat"].float()[inside], targets.maps["heat"][inside]
        if settings.loss == "focal":
            hot = heatmap_focal_loss(
                logits, heat, gamma=settings.gamma or 2.0, beta=4.0 if settings.beta is None else settings.beta,
                alpha=settings.alpha or 1.0, poly_eps=settings.poly_eps or 0.0, num_objects=number,
            )  # fmt: skip
        else:
            hot = mask_focal_loss(
                logits, heat, targets.maps["mask"][inside], gamma=settings.gamma or 4.0,
                beta=0.5 if settings.beta is None else settings.beta, alpha=settings.alpha or 1.0,
                poly_eps=1.0 if settings.poly_eps is None else settings.poly_eps, num_objects=number,
            )  # fmt: skip
        which = torch.cat([torch.full((len(one),), index, device=hot.device) for index, one in enumerate(heads)])
        every = torch.cat(list(heads))  # (n, 6): column, row, width, height, x, y in cells
        column, row = every[:, :2].long().T
        size = maps["size"].float()[which, :, row, column]  # (n, 2)
        offset = maps["offset"].float()[which, :, row, column]
        size_error = (size - every[:, 2:4]).abs().sum() / number
        offset_error = (offset - every[:, 4:]).abs().sum() / number
        total = hot + settings.size_weight * size_error + settings.offset_weight * offset_error
        return {"total": total, "heat": hot, "size": size_error, "offset": offset_error}


def _branch(inside: int, width: int, outside: int, *, bias: float = 0.0) -> nn.Sequential:
    last = nn.Conv2d(width, outside, 1)
    nn.init.normal_(last.weight, 0.0, 0.001)
    assert last.bias is not None
    nn.init.constant_(last.bias, bias)
    return nn.Sequential(nn.Conv2d(inside, width, 3, padding=1), nn.ReLU(inplace=True), last)
