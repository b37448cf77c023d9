"""RAZ_Loc's targets on IIM's network: cross-shaped labels (Table 5 of "Learning Independent Instance Maps…").

The labels, the weighted cross-entropy and the decoding of the localization branch of Liu et al., "Recurrent Attentive
Zooming for Joint Crowd Counting and Precise Localization"; neither its network nor its zooming.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from headcount.core.card import DecoderSpec, OutputSpec
from headcount.core.scene import Scene
from headcount.core.settings import Positive
from headcount.decode.raz_loc import RazLocDecoderSettings
from headcount.models.instance.predictor import PredictorMethod, PredictorSettings
from headcount.models.method import TargetBatch, Targets
from headcount.targets.cross import cross_map


class RazLocSettings(PredictorSettings):
    """Options of the cross labels; the defaults are the paper's VGG-16."""

    positive_weight: Positive = 100.0
    """Weight of a cross's cells in the cross-entropy: they are one in hundreds, and no two people click the same
    pixel, so unweighted no cell reaches the threshold."""
    decoder: RazLocDecoderSettings = RazLocDecoderSettings()


class RazLoc(PredictorMethod):
    """(b, 3, h, w) → ``cross`` (b, 1, h/s, w/s) in 0…1, the chance that a cell belongs to a head's cross."""

    settings_type = RazLocSettings

    def __init__(self, settings: RazLocSettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.outputs = (OutputSpec(name="cross", stride=settings.map_stride),)
        self.decoder = DecoderSpec(name="raz_loc", settings=settings.decoder.model_dump())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"cross": torch.sigmoid(self.feature_and_logits(images)[1])}

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        return {"cross_logits": self.feature_and_logits(images)[1]}

    def targets(self, scene: Scene) -> Targets:
        stride = self.settings.map_stride
        return Targets({"cross": cross_map(scene.points_xy, scene.size_wh, stride=stride, region=scene.region)[None]})

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        logits = maps["cross_logits"].float()
        weight = logits.new_tensor(self.settings.positive_weight)
        loss = F.binary_cross_entropy_with_logits(logits, targets.maps["cross"], pos_weight=weight)
        return {"total": loss, "cross": loss}
