"""Independent Instance Maps (Gao et al., "Learning Independent Instance Maps for Crowd Localization").

A confidence predictor, and a threshold encoder that learns where to cut its map: each connected component above the
threshold is one head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from headcount.core.card import DecoderSpec, TileSpec
from headcount.core.scene import Scene
from headcount.models.instance.iim.output import InstanceOutput, InstanceSettings, groups_with_threshold
from headcount.models.instance.predictor import PredictorMethod, PredictorSettings
from headcount.models.method import TargetBatch, Targets


class IimSettings(PredictorSettings, InstanceSettings):
    """Options of IIM; the defaults are the paper's VGG-16 with pixel-level binarization."""

    tile_overlap: Literal["average", "crop"] = "average"
    """``crop`` gives a tiled image the maps of the whole one; the authors average."""


class Iim(PredictorMethod):
    """(b, 3, h, w) → ``confidence`` (b, 1, h/s, w/s) in 0…1 and ``threshold`` (b, 1, h/8, w/8) in 0.2…0.7."""

    settings_type = IimSettings

    def __init__(self, settings: IimSettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.output = InstanceOutput(settings, settings.map_stride)
        self.threshold_encoder = self.output.threshold_encoder(self.channels)
        self.outputs = self.output.outputs
        self.decoder = DecoderSpec(name="instances", settings=settings.decoder.model_dump())
        if settings.tile_overlap == "average":
            self.tile = TileSpec(size=1024, halo=64, overlap="average", exact=False)

    def _predict(self, images: Tensor) -> dict[str, Tensor]:
        return self.output.maps(*self.feature_and_logits(images), self.threshold_encoder)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self._predict(images)
        return {spec.name: maps[spec.name] for spec in self.outputs}

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        return self.output.with_binary(self._predict(images))

    def targets(self, scene: Scene) -> Targets:
        return self.output.targets(scene)

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        return self.output.loss(maps, targets)

    def parameter_groups(self, lr: float, backbone_lr_factor: float) -> list[dict[str, Any]]:
        """The backbone, the rest of the predictor, and the threshold encoder at its own lower rate."""
        return groups_with_threshold(self, self.settings, lr, backbone_lr_factor)
