"""CenterNet's three maps: what they learn from head boxes, their loss, and how they are read; it has no weights.

"Objects as Points" (Zhou et al.), with one class, the head. The Mask Focal Loss takes the place of its heat map's loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from headcount.core.card import OutputSpec
from headcount.core.geometry import centres, sides
from headcount.core.scene import Scene
from headcount.core.settings import Positive
from headcount.decode.peaks import PeaksDecoderSettings
from headcount.losses.focal import heatmap_focal_loss, mask_focal_loss
from headcount.losses.whole import of_batch
from headcount.models.detection.base import LossSettings
from headcount.models.method import TargetBatch, Targets
from headcount.targets.heatmap import heatmap_target

STRIDE = 4
PEAK_CHANNELS = {"heat": 1, "size": 2, "offset": 2}
"""The maps, and how many values a cell of each holds."""
_HEAT_BIAS = -2.19  # a heat of 0.1 everywhere to begin with


class PeakSettings(LossSettings):
    """How heads become heat, and the weights of the three losses."""

    mask: Literal["box", "ellipse", "keypoint"] = "box"
    """Where the Mask Focal Loss takes a head to be, and cuts off its heat; the focal loss takes all of the Gaussian."""
    combine: Literal["max", "sum"] = "max"
    """How the heat of heads that are close adds up; ``sum`` is cut off at 1."""
    eta: float = Field(default=0.0, ge=0)
    """η of Eq. 10: how much wider the heat of small heads is."""
    heat_eps: Positive = 6.0
    """ε of Eq. 10: the heat's σ is a head's diameter over it."""
    least_heads: int = Field(default=1, ge=1)
    """The losses are divided by the heads of a batch, or by this where they are fewer. With 1, as published, a batch in
    which hardly anybody is weighs as much as a crowd's thousands of cells."""
    size_weight: float = Field(default=0.1, ge=0)
    offset_weight: float = Field(default=1.0, ge=0)
    decoder: PeaksDecoderSettings = PeaksDecoderSettings()


class PeakOutput:
    """What a network's heat, size and offset are, (b, 1 or 2, h/4, w/4) each."""

    outputs = tuple(OutputSpec(name=name, stride=STRIDE, channels=n) for name, n in PEAK_CHANNELS.items())

    def __init__(self, settings: PeakSettings) -> None:
        self.settings = settings

    def maps(self, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The heat's logits, size and offset in cells → ``heat`` in 0…1, ``size`` and ``offset`` in pixels."""
        # Regressed in cells, where all layers begin at the same scale.
        return {"heat": torch.sigmoid(raw["heat"]), "size": STRIDE * raw["size"], "offset": STRIDE * raw["offset"]}

    def targets(self, scene: Scene, boxes_xyxy: NDArray[np.float64] | None) -> Targets:
        """What the boxes of a scene's heads teach; None: they are not known, and the scene teaches nothing.

        Maps: ``heat``, ``mask`` and ``weight``, how much of each cell lies in the scene's region. Ragged: ``heads``,
        (n, 6), of each the column and row of its cell, and its width, height and offset (x, y) in cells.
        """
        settings = self.settings
        boxes = np.zeros((0, 4)) if boxes_xyxy is None else boxes_xyxy
        target = heatmap_target(
            boxes, scene.size_wh, stride=STRIDE, mask=settings.mask if settings.loss == "mask_focal" else "keypoint",
            combine=settings.combine, eta=settings.eta, eps=settings.heat_eps, region=scene.region,
        )  # fmt: skip
        middle = centres(boxes) / STRIDE - (target.cells + 0.5)  # from the middle of its cell, in cells
        found = np.concatenate([target.cells, sides(boxes) / STRIDE, middle], axis=1).astype(np.float32)
        weight = target.inside if boxes_xyxy is not None else np.zeros_like(target.inside)
        return Targets(
            {"heat": target.heat[None], "mask": target.mask[None], "weight": weight[None]},
            {"heads": found[target.drawn]},
        )

    def loss(self, raw: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        """``heat``, ``size`` and ``offset``, and their weighted sum, ``total``; of the maps as the network gives them.

        Where no cell has a weight all are 0.
        """
        settings, heads = self.settings, targets.ragged["heads"]
        inside = targets.maps["weight"] > 0
        number = of_batch(sum(len(one) for one in heads), least=settings.least_heads)
        logits, heat = raw["heat"].float()[inside], targets.maps["heat"][inside]
        if settings.loss == "focal":
            hot = heatmap_focal_loss(
                logits, heat, gamma=settings.gamma or 2.0, beta=4.0 if settings.beta is None else settings.beta,
                alpha=settings.alpha or 1.0, poly_eps=settings.poly_eps or 0.0, num_objects=1,
            )  # fmt: skip
        else:
            hot = mask_focal_loss(
                logits, heat, targets.maps["mask"][inside], gamma=settings.gamma or 4.0,
                beta=0.5 if settings.beta is None else settings.beta, alpha=settings.alpha or 1.0,
                poly_eps=1.0 if settings.poly_eps is None else settings.poly_eps, num_objects=1,
            )  # fmt: skip
        hot = hot / number
        which = torch.cat([torch.full((len(one),), index, device=hot.device) for index, one in enumerate(heads)])
        every = torch.cat(list(heads))  # (n, 6): column, row, width, height, x, y in cells
        column, row = every[:, :2].long().T
        size = raw["size"].float()[which, :, row, column]  # (n, 2)
        offset = raw["offset"].float()[which, :, row, column]
        size_error = (size - every[:, 2:4]).abs().sum() / number
        offset_error = (offset - every[:, 4:]).abs().sum() / number
        total = hot + settings.size_weight * size_error + settings.offset_weight * offset_error
        return {"total": total, "heat": hot, "size": size_error, "offset": offset_error}


def peak_branch(inside: int, width: int, kind: str) -> nn.Sequential:
    """(b, inside, h, w) → one of ``PEAK_CHANNELS``: a 3×3 convolution to ``width`` with ReLU, and a linear 1×1."""
    last = nn.Conv2d(width, PEAK_CHANNELS[kind], 1)
    nn.init.normal_(last.weight, 0.0, 0.001)
    assert last.bias is not None
    nn.init.constant_(last.bias, _HEAT_BIAS if kind == "heat" else 0.0)
    return nn.Sequential(nn.Conv2d(inside, width, 3, padding=1), nn.ReLU(inplace=True), last)
