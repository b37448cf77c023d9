"""What the one-stage detectors on a feature pyramid share: FCOS, RetinaNet, FoveaBox.

Each cell of each level has one box or several (its anchors), with a label; the detectors differ in which of them learn
which head, and in how a box is told by numbers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from headcount.core.card import DecoderSpec, InputSpec, OutputSpec
from headcount.core.scene import Scene
from headcount.core.settings import Positive
from headcount.decode import dense_boxes
from headcount.losses.whole import of_batch
from headcount.models.detection.base import Detector, boxes_to_learn, doubling
from headcount.models.detection.label_loss import LabelSettings, label_loss
from headcount.models.method import TargetBatch, Targets
from headcount.models.parts.assignment import IGNORED, Grid
from headcount.models.parts.backbones import TimmBackbone
from headcount.models.parts.pyramid import COARSEST, DenseHead, FeaturePyramid, TowerNorm
from headcount.targets.mask import cells_inside

_BACKBONE_STRIDES = (4, 8, 16, COARSEST)


class DenseSettings(LabelSettings):
    """Options of a detector on a feature pyramid."""

    strides: Annotated[tuple[Literal[4, 8, 16, 32, 64, 128], ...], Field(min_length=1), AfterValidator(doubling)] = (
        8,
        16,
        32,
        64,
        128,
    )
    """The levels of the pyramid that find heads. Heads of a few pixels need a level of stride 4."""
    width: int = Field(default=256, ge=8)
    """Channels of the pyramid and of the towers."""
    tower_depth: int = Field(default=4, ge=1)
    """Convolutions before the last one."""
    tower_norm: TowerNorm = "none"
    """``batch``: of each level its own. ``group``: tiles of a large image then differ from the whole."""
    box_weight: Positive = 1.0
    decoder: dense_boxes.DenseBoxesDecoderSettings = dense_boxes.DenseBoxesDecoderSettings()


class Positives(NamedTuple):
    """What positive cells or anchors of one level learn, n of them.

    Attributes:
        level: its number, from the finest.
        stride: in pixels.
        anchor: (n,) which of a cell's anchors.
        place_px: (n, 2) the middle of the cell.
        raw: (n, 4) what the network says of the box.
        extra: (n, extra) what else it says.
        truth_xyxy: (n, 4) the box of the head, in pixels.
    """

    level: int
    stride: int
    anchor: Tensor
    place_px: Tensor
    raw: Tensor
    extra: Tensor
    truth_xyxy: Tensor


class DenseDetector(Detector):
    """(b, 3, h, w) → of each stride ``scores_{stride}`` (b, A, …) in 0…1, ``boxes_{stride}`` (b, 4A, …) in pixels.

    Boxes as the decoder ``dense_boxes`` reads them: left, top, right, bottom from the cell's middle.
    """

    settings: DenseSettings

    def __init__(self, settings: DenseSettings, *, anchors: int = 1, extra: int = 0) -> None:
        super().__init__()
        self.settings = settings
        self.strides: tuple[int, ...] = settings.strides
        self.backbone = TimmBackbone(
            settings.backbone, strides=[s for s in _BACKBONE_STRIDES if s >= min(*settings.strides, COARSEST)],
            frozen_stages=settings.frozen_stages, fixed_statistics=settings.fixed_statistics,
        )  # fmt: skip
        self.neck = FeaturePyramid(self.backbone.channels, self.backbone.strides, settings.strides, settings.width)
        self.head = DenseHead(
            settings.width, len(settings.strides), depth=settings.tower_depth, norm=settings.tower_norm,
            anchors=anchors, extra=extra,
        )  # fmt: skip
        divisor = max(*self.backbone.strides, *settings.strides)
        self.input_spec = InputSpec(mean=settings.mean, std=settings.std, size_divisor=divisor)
        self.outputs = tuple(
            OutputSpec(name=f"{name}_{stride}", stride=stride, channels=channels)
            for stride in settings.strides
            for name, channels in (("scores", anchors), ("boxes", 4 * anchors))
        )
        self.decoder = DecoderSpec(name=dense_boxes.NAME, settings=settings.decoder.model_dump())

    @abstractmethod
    def assign(self, boxes_xyxy: Tensor, grids: Sequence[Grid]) -> list[Tensor]:
        """Which head each cell or anchor learns, as ``parts.assignment`` tells it: (A, rows, columns) of each grid."""

    @abstractmethod
    def sides(self, level: int, raw: Tensor) -> Tensor:
        """(b, 4A, h, w) what the network says of boxes → left, top, right, bottom in pixels."""

    @abstractmethod
    def box_losses(self, positives: Positives) -> dict[str, Tensor]:
        """The losses of what positives tell of their boxes, (n,) each, by name; ``box_weight`` weighs ``box``."""

    def scores(self, logits: Tensor, extra: Tensor) -> Tensor:
        """(b, A, h, w) in 0…1."""
        return torch.sigmoid(logits)

    def number(self, positives: Tensor, images: int) -> Tensor:
        """N of the label's loss."""
        return positives

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.told(self._maps(images))

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        return self._maps(images)

    def _maps(self, images: Tensor) -> dict[str, Tensor]:
        """``labels_{stride}`` (b, A, h, w), logits, and ``raw_{stride}`` (b, 4A + extra, h, w)."""
        maps: dict[str, Tensor] = {}
        for stride, (labels, raw) in zip(self.strides, self.head(self.neck(self.backbone(images))), strict=True):
            maps[f"labels_{stride}"], maps[f"raw_{stride}"] = labels, raw
        return maps

    def told(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The maps that the loss reads → those that the decoder reads."""
        told: dict[str, Tensor] = {}
        for level, stride in enumerate(self.strides):
            logits = maps[f"labels_{stride}"].float()  # pixels take more digits than half precision has
            raw, extra = _parted(maps[f"raw_{stride}"].float(), logits.shape[1])
            told[f"scores_{stride}"], told[f"boxes_{stride}"] = self.scores(logits, extra), self.sides(level, raw)
        return told

    def targets(self, scene: Scene) -> Targets:
        boxes = boxes_to_learn(scene).astype(np.float32)
        weights = {f"weight_{s}": cells_inside(scene.region, scene.size_wh, s)[None] for s in self.strides}
        return Targets(weights, {"boxes": boxes})

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        logits = [maps[f"labels_{stride}"].float() for stride in self.strides]
        owners = self._owners([one.shape for one in logits], targets)
        every = torch.cat(list(targets.ragged["boxes"]))  # an owner is a row of these
        labels, found = [], list[Positives]()
        for level, (stride, owner) in enumerate(zip(self.strides, owners, strict=True)):
            image, anchor, row, column = (owner >= 0).nonzero().T
            raw, extra = _parted(maps[f"raw_{stride}"].float(), owner.shape[1])
            place = (torch.stack([column, row], dim=1) + 0.5) * stride
            channel = 4 * anchor[:, None] + torch.arange(4, device=anchor.device)
            told = Positives(
                level, stride, anchor, place, raw[image[:, None], channel, row[:, None], column[:, None]],
                extra[image, :, row, column], every[owner[image, anchor, row, column]],
            )  # fmt: skip
            label = (owner >= 0).float()
            if self.settings.soft_targets:
                label[image, anchor, row, column] = heat_of_cells(told.truth_xyxy, place, stride)
            labels.append(label)
            found.append(told)
        counted = torch.cat([(owner != IGNORED).flatten() for owner in owners])
        logit, label, owner = (_flat(tensors)[counted] for tensors in (logits, labels, owners))
        positives = (owner >= 0).sum()
        number = of_batch(self.number(positives, len(targets.ragged["boxes"])))
        parts = {"label": label_loss(self.settings, logit, label, owner >= 0, num_objects=1) / number}
        number = of_batch(positives)
        for name in (each := [self.box_losses(told) for told in found])[0]:
            parts[name] = torch.cat([one[name] for one in each]).sum() / number
        total = sum((self.settings.box_weight if name == "box" else 1.0) * part for name, part in parts.items())
        assert isinstance(total, Tensor)
        return {"total": total, **parts}

    def _owners(self, shapes: Sequence[torch.Size], targets: TargetBatch) -> list[Tensor]:
        """Of each level (b, A, h, w): the row among the heads of all images, ``NOBODY``, or ``IGNORED``."""
        grids = [Grid(stride, *shape[:1:-1]) for stride, shape in zip(self.strides, shapes, strict=True)]
        owners, before = list[list[Tensor]](), 0
        for boxes in targets.ragged["boxes"]:
            owners.append([torch.where(owner >= 0, owner + before, owner) for owner in self.assign(boxes, grids)])
            before += len(boxes)
        stacked = [torch.stack(of_level) for of_level in zip(*owners, strict=True)]
        # Outside the region of interest nothing is learned.
        return [
            torch.where(targets.maps[f"weight_{stride}"] > 0, owner, IGNORED)
            for stride, owner in zip(self.strides, stacked, strict=True)
        ]


def heat_of_cells(boxes_xyxy: Tensor, place_px: Tensor, stride: int) -> Tensor:
    """(n,) the heat of a head at the middle of a cell: 1 in the cell of its own middle, Eq. 10's Gaussian around it."""
    shorter = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).amin(dim=1) / stride
    sigma = (2 * shorter + 1) / 6
    middle = ((boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2 / stride).floor() + 0.5
    return torch.exp(-(place_px / stride - middle).square().sum(dim=1) / (2 * sigma.square()))


def _parted(boxes: Tensor, anchors: int) -> tuple[Tensor, Tensor]:
    """The channels of boxes, and what comes beside them."""
    return boxes[:, : 4 * anchors], boxes[:, 4 * anchors :]


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([one.flatten() for one in tensors])
