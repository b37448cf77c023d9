"""Density, instances and boxes by one network: heads of all three families on one backbone and one neck.

The mask-aware density (solution 5 of "Mask-aware networks…") at stride 8; independent instance maps with a learned
threshold (IIM) at stride 2; CenterNet's heat, size and offset with the Mask Focal Loss at stride 4. Each head learns
from what a scene says: a scene without a head's labels teaches it nothing. The decoder makes one count of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor, nn

from headcount.core.card import DecoderSpec, InputSpec, OutputSpec, ScaleSpec, Task
from headcount.core.scene import Scene
from headcount.core.settings import Positive, Settings
from headcount.decode.fused import FusionSettings
from headcount.models.detection.base import boxes_to_learn
from headcount.models.detection.peaks import PEAK_CHANNELS, PeakOutput, PeakSettings, peak_branch
from headcount.models.fused.density import DensityHeadSettings, MaskAwareDensity
from headcount.models.instance.iim.output import InstanceOutput, InstanceSettings, groups_with_threshold
from headcount.models.instance.predictor import MapStride, SmallHead, begin_empty
from headcount.models.method import Method, TargetBatch, Targets
from headcount.models.parts.backbones import TimmBackbone, initialise_he, load_backbone
from headcount.models.parts.necks import SmallPyramid

Head = Literal["density", "instances", "boxes"]
_STRIDES = (2, 4, 8, 16, 32)
_DENSITY_STRIDE = 8
_Value = TypeVar("_Value")


class InstanceHeadSettings(InstanceSettings):
    """What the instances learn, and the weight of their loss."""

    threshold_widths: tuple[int, ...] = (32, 32, 16)
    threshold_lr_factor: Positive = 0.1
    confidence_loss: Literal["mse", "bce"] = "bce"
    instances: Literal["boxes", "points", "either"] = "either"
    point_cap_px: int = Field(default=10, ge=0)
    separate_points: bool = True
    map_stride: MapStride = 2
    """Of the confidence: heads of a dense crowd are a few pixels apart."""
    width: int = Field(default=32, ge=4)
    """Channels of the head at stride 2."""
    weight: Positive = 1.0


class BoxHeadSettings(PeakSettings):
    """What the boxes learn, and the weight of their loss."""

    width: int = Field(default=64, ge=8)
    """Channels inside the branches."""
    least_heads: int = Field(default=16, ge=1)
    """As of CenterNet; more here, where batches hold scenes without boxes and pictures of nobody."""
    learn_pseudo: bool = True
    """Whether boxes that were estimated teach, too; else a scene that has such boxes teaches this head nothing."""
    weight: Positive = 0.2


class FusedSettings(Settings):
    """Options of the fused network."""

    heads: tuple[Head, ...] = Field(default=("density", "instances", "boxes"), min_length=1)
    """Which there are, to take one away and see what it was good for."""
    backbone: str = "efficientnet_lite0"
    """The name of a timm network with maps at strides 2 to 32."""
    frozen_stages: int = Field(default=0, ge=0)
    """How many of the backbone's first stages keep the weights of their initialisation."""
    fixed_statistics: bool = False
    """Whether the backbone's batch norms keep the mean and variance of their initialisation."""
    fixed_neck_statistics: bool = False
    """Whether those of the neck do, too: for an initialisation that brings a neck."""
    width: int = Field(default=64, ge=8)
    """Channels of the neck."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[Positive, Positive, Positive] = (0.5, 0.5, 0.5)
    density: DensityHeadSettings = DensityHeadSettings()
    instances: InstanceHeadSettings = InstanceHeadSettings()
    boxes: BoxHeadSettings = BoxHeadSettings()
    fusion: FusionSettings = FusionSettings()
    scaled: bool = True
    """Whether images are counted at the size that their heads need, by the boxes found in a first look; without boxes,
    at the size that they have."""

    @field_validator("heads")
    @classmethod
    def _each_once(cls, heads: tuple[Head, ...]) -> tuple[Head, ...]:
        if len(set(heads)) < len(heads):
            raise ValueError("each head once was expected")
        return heads


class Fused(Method):
    """(b, 3, h, w) → the maps of the heads there are.

    ``density`` and ``mask`` (b, 1, h/8, w/8); ``confidence`` (b, 1, h/2, w/2) and ``threshold`` (b, 1, h/8, w/8);
    ``heat`` (b, 1, h/4, w/4), ``size`` and ``offset`` (b, 2, h/4, w/4) in pixels.
    """

    settings_type = FusedSettings
    task: Task = "count"

    def __init__(self, settings: FusedSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = TimmBackbone(
            settings.backbone, strides=_STRIDES, frozen_stages=settings.frozen_stages,
            fixed_statistics=settings.fixed_statistics,
        )  # fmt: skip
        detail, *channels = self.backbone.channels
        # Without a head that needs more than stride 8 the neck ends there.
        self.finest = 0 if {"instances", "boxes"} & set(settings.heads) else 1
        self.neck = SmallPyramid(channels[self.finest :], settings.width)
        initialise_he(self.neck)
        outputs: tuple[OutputSpec, ...] = ()
        self.density: MaskAwareDensity | None = None
        self.instance_head: SmallHead | None = None
        if "density" in settings.heads:
            self.density = MaskAwareDensity(settings.density, settings.width, _DENSITY_STRIDE)
            outputs += self.density.outputs
        if "instances" in settings.heads:
            own = settings.instances
            self.instance_output = InstanceOutput(own, own.map_stride)
            self.instance_head = SmallHead(settings.width, detail, stride=own.map_stride, width=own.width)
            begin_empty(self.instance_head)
            self.threshold_encoder = self.instance_output.threshold_encoder(settings.width)
            outputs += self.instance_output.outputs
        if "boxes" in settings.heads:
            self.peak_output = PeakOutput(settings.boxes)
            # Called as CenterNet calls them: its weights may start them.
            for kind in PEAK_CHANNELS:
                self.add_module(kind, peak_branch(settings.width, settings.boxes.width, kind))
            outputs += self.peak_output.outputs
        self.outputs = outputs
        self.task = "detect" if "boxes" in settings.heads else "locate" if self.instance_head else "count"
        divisor = max(*_STRIDES, *(output.stride for output in outputs))
        self.input_spec = InputSpec(mean=settings.mean, std=settings.std, size_divisor=divisor)
        self.decoder = DecoderSpec(
            name="fused",
            settings={
                **settings.fusion.model_dump(),
                **{head: getattr(settings, head).decoder.model_dump() for head in settings.heads},
            },
        )

    @property
    def scale(self) -> ScaleSpec | None:
        return ScaleSpec() if self.settings.scaled and "boxes" in self.settings.heads else None

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.settings.fixed_neck_statistics:
            for part in self.neck.modules():
                if isinstance(part, nn.BatchNorm2d):
                    part.eval()
        return self

    def initialise_backbone(self, file: Path) -> None:
        load_backbone(self.backbone, file)

    def _maps(self, images: Tensor) -> dict[str, dict[str, Tensor]]:
        """By head, as its loss reads them."""
        detail, *features = self.backbone(images)
        levels = self.neck.levels(features[self.finest :])
        maps: dict[str, dict[str, Tensor]] = {}
        if self.density is not None:
            maps["density"] = self.density(levels[1 - self.finest])
        if self.instance_head is not None:
            logits = self.instance_head(levels[0], detail)
            maps["instances"] = self.instance_output.maps(levels[0], logits, self.threshold_encoder)
        if "boxes" in self.settings.heads:
            maps["boxes"] = {kind: self.get_submodule(kind)(levels[0]) for kind in PEAK_CHANNELS}
        return maps

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self._maps(images)
        if "boxes" in maps:
            maps["boxes"] = self.peak_output.maps(maps["boxes"])
        found = {name: values for of_head in maps.values() for name, values in of_head.items()}
        return {spec.name: found[spec.name] for spec in self.outputs}

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        maps = self._maps(images)
        if "instances" in maps:
            maps["instances"] = self.instance_output.with_binary(maps["instances"])
        return {f"{head}.{name}": values for head, of_head in maps.items() for name, values in of_head.items()}

    def targets(self, scene: Scene) -> Targets:
        taught: dict[str, Targets] = {}
        if self.density is not None:
            taught["density"] = self.density.targets(scene)
        if self.instance_head is not None:
            taught["instances"] = self.instance_output.targets(scene)
        if "boxes" in self.settings.heads:
            taught["boxes"] = self.peak_output.targets(scene, self._known_boxes(scene))
        return Targets(
            {f"{head}.{name}": values for head, one in taught.items() for name, values in one.maps.items()},
            {f"{head}.{name}": values for head, one in taught.items() for name, values in one.ragged.items()},
        )

    def _known_boxes(self, scene: Scene) -> NDArray[np.float64] | None:
        """The boxes that teach, none where nobody is; None where heads have none, or none that may teach."""
        estimated = "pseudo" in scene.box_provenance and not self.settings.boxes.learn_pseudo
        if scene.count and (scene.boxes_xyxy is None or estimated):
            return None
        return boxes_to_learn(scene)

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        settings = self.settings
        losses: dict[str, dict[str, Tensor]] = {}
        weights = {"density": 1.0, "instances": settings.instances.weight, "boxes": settings.boxes.weight}
        if self.density is not None:
            losses["density"] = self.density.loss(_of("density", maps), _taught("density", targets))
        if self.instance_head is not None:
            losses["instances"] = self.instance_output.loss(_of("instances", maps), _taught("instances", targets))
        if "boxes" in self.settings.heads:
            losses["boxes"] = self.peak_output.loss(_of("boxes", maps), _taught("boxes", targets))
        parts = [weights[head] * found.pop("total") for head, found in losses.items()]
        told = {f"{head}.{name}": value for head, found in losses.items() for name, value in found.items()}
        return {"total": sum(parts[1:], parts[0]), **told}

    def parameter_groups(self, lr: float, backbone_lr_factor: float) -> list[dict[str, Any]]:
        """The backbone, the threshold encoder of the instances, and the rest, each at its own rate."""
        return groups_with_threshold(self, self.settings.instances, lr, backbone_lr_factor)


def _of(head: str, values: Mapping[str, _Value]) -> dict[str, _Value]:
    """What belongs to a head, by its own name."""
    return {name.removeprefix(f"{head}."): one for name, one in values.items() if name.startswith(f"{head}.")}


def _taught(head: str, targets: TargetBatch) -> TargetBatch:
    return TargetBatch(_of(head, targets.maps), _of(head, targets.ragged))
