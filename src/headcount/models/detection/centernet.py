"""CenterNet: a head is a peak of a heat map, with a size and an offset beside it.

"Objects as Points" (Zhou et al.), with one class, the head: three small branches on one feature at stride 4. The Mask
Focal Loss takes the place of its heat map's loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from torch import Tensor

from headcount.core.card import DecoderSpec, InputSpec, TileSpec
from headcount.core.scene import Scene
from headcount.models.detection.base import Detector, DetectorSettings, boxes_to_learn
from headcount.models.detection.peaks import STRIDE, PeakOutput, PeakSettings, peak_branch
from headcount.models.method import TargetBatch, Targets
from headcount.models.parts.backbones import TimmBackbone, initialise_he
from headcount.models.parts.dla_up import DlaUp
from headcount.models.parts.necks import SmallPyramid

_DEFORMABLE_TILE = TileSpec(size=2560, halo=512, exact=False)  # offsets have no bound
_DEFORMABLE_ALONE = (
    "Deformable convolutions (model.neck is dla_up) run on torch alone and have no ONNX file, which a network trained "
    "with model.neck=dla_up_plain has"
)


class CenterNetSettings(DetectorSettings, PeakSettings):
    """Options of CenterNet."""

    neck: Literal["pyramid", "dla_up", "dla_up_plain"] = "pyramid"
    """What brings the backbone's maps at strides 4 to 32 together: a narrow pyramid; the up-sampling path of DLA with
    deformable convolutions, as its authors have it behind ``dla34``; or the same with plain ones, which exports."""
    width: int = Field(default=64, ge=8)
    """Channels of the pyramid's feature; that of the other necks has as many as the backbone's map at stride 4."""
    head_width: int = Field(default=256, ge=8)
    """Channels inside the three branches."""


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
        self.output = PeakOutput(settings)
        self.heat, self.size, self.offset = (
            peak_branch(self.neck.channels, settings.head_width, kind) for kind in ("heat", "size", "offset")
        )
        self.input_spec = InputSpec(mean=settings.mean, std=settings.std, size_divisor=max(self.backbone.strides))
        self.outputs = self.output.outputs
        self.decoder = DecoderSpec(name="peaks", settings=settings.decoder.model_dump())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.output.maps(self._maps(images))

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        return self._maps(images)

    def _maps(self, images: Tensor) -> dict[str, Tensor]:
        """The heat's logits, size and offset in cells."""
        feature = self.neck(self.backbone(images))
        return {"heat": self.heat(feature), "size": self.size(feature), "offset": self.offset(feature)}

    def targets(self, scene: Scene) -> Targets:
        return self.output.targets(scene, boxes_to_learn(scene))

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        return self.output.loss(maps, targets)
