"""YOLOv5: anchors at three scales, each cell saying of each anchor whether a head is there, and its box.

Written from the published description of YOLOv5 v6 (layers, box formulas, matching by the ratio of sides, soft
objectness) and from the papers it rests on; with one class, the head, there is no loss of classes. The Mask Focal Loss
takes the place of the objectness loss, where its target is a share: how well the box that is said fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import AfterValidator, Field, field_validator
from pydantic_core.core_schema import ValidationInfo
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import complete_box_iou_loss

from headcount.core.card import DecoderSpec, InputSpec, OutputSpec
from headcount.core.geometry import centres
from headcount.core.scene import Scene
from headcount.core.settings import Positive
from headcount.decode.dense_boxes import NAME, DenseBoxesDecoderSettings
from headcount.losses.whole import images_of_batch, of_batch
from headcount.models.detection.base import Detector, DetectorSettings, boxes_to_learn, doubling
from headcount.models.detection.label_loss import label_loss
from headcount.models.method import TargetBatch, Targets
from headcount.models.parts.backbones import TimmBackbone
from headcount.models.parts.base import Backbone
from headcount.models.parts.csp import CspDarknet, PathAggregation
from headcount.targets.mask import cells_inside

Size = Literal["n", "s", "m", "l", "x"]
_MULTIPLES: dict[str, tuple[float, float]] = {
    "n": (0.33, 0.25), "s": (0.33, 0.50), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)
}  # fmt: skip
"""Size → the multiples of depth and of width."""
_WIDTH = 256  # channels at stride 8, before the width multiple
_ANCHORS: dict[int, tuple[tuple[float, float], ...]] = {
    4: ((5, 6), (8, 15), (16, 11)),  # half of the next
    8: ((10, 13), (16, 30), (33, 23)),
    16: ((30, 61), (62, 45), (59, 119)),
    32: ((116, 90), (156, 198), (373, 326)),
}
_BALANCE = (4.0, 1.0, 0.4, 0.1)
_LEAST_PX = 0.01  # half a side of a box that is compared with a head: CIoU of one without sides is 0 / 0
_RARE = 0.01  # the share of cells that hold a head, to begin with
_OWN = "csp_darknet"

Anchor = tuple[Positive, Positive]


class Yolov5Settings(DetectorSettings):
    """Options of YOLOv5."""

    size: Size = "s"
    """How deep and how wide: n, s, m, l or x."""
    backbone: str = _OWN
    """``csp_darknet`` is YOLOv5's own; else the name of a timm network, on which the neck of this ``size`` is put."""
    width: int | None = Field(default=None, ge=8)
    """Channels at stride 8 (twice as many at stride 16); None: 256 times the size's multiple."""
    strides: Annotated[tuple[Literal[4, 8, 16, 32], ...], AfterValidator(doubling)] = Field(
        default=(8, 16, 32), min_length=1
    )
    """The scales, from fine to coarse, none left out between them; stride 4 is for small heads."""
    anchors: tuple[Annotated[tuple[Anchor, ...], Field(min_length=1)], ...] | None = None
    """(width, height) in pixels of each stride's anchors; None: the published ones, and half as large at stride 4."""
    balance: tuple[Positive, ...] | None = None
    """How much the objectness of each stride counts; None: 4, 1, 0.4 (and 0.1) from fine to coarse."""
    anchor_ratio: float = Field(default=4.0, gt=1)
    """A head is learned by the anchors whose width and height are within this factor of its own."""
    loss: Literal["focal", "mask_focal", "bce"] = "mask_focal"  # type: ignore[assignment]
    """Of objectness. ``focal``: cells that have a head against those that have none. ``mask_focal``: Mask Focal Loss on
    how well each box fits. ``bce``: cross entropy on the same, as YOLOv5 was published."""
    box_weight: float = Field(default=0.05, ge=0)
    objectness_weight: float = Field(default=1.0, ge=0)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[Positive, Positive, Positive] = (1.0, 1.0, 1.0)
    decoder: DenseBoxesDecoderSettings = DenseBoxesDecoderSettings()

    @field_validator("anchors", "balance")
    @classmethod
    def _of_each_stride(cls, values: tuple[Any, ...] | None, info: ValidationInfo) -> tuple[Any, ...] | None:
        strides = info.data.get("strides")
        if values is not None and strides is not None and len(values) != len(strides):
            raise ValueError(f"one for each of the {len(strides)} strides was expected")
        return values


class Matches(NamedTuple):
    """Cells that learn heads, one row each: (m,) integer but ``boxes``, (m, 4) xyxy in pixels."""

    image: Tensor
    anchor: Tensor
    row: Tensor
    column: Tensor
    boxes: Tensor


class Yolov5(Detector):
    """(b, 3, h, w) → for each stride s ``scores_s`` (b, A, …) in 0…1 and ``boxes_s`` (b, 4A, …), in pixels.

    A box is how far its left, top, right and bottom lie from the middle of its cell, anchor by anchor.
    """

    settings_type = Yolov5Settings

    def __init__(self, settings: Yolov5Settings) -> None:
        super().__init__()
        self.settings = settings
        depth, multiple = _MULTIPLES[settings.size]
        width = settings.width or round(_WIDTH * multiple)
        self.backbone = _backbone(settings, width=width, depth=depth)
        self.neck = PathAggregation(self.backbone.channels, settings.strides, width=width, depth=depth)
        self.anchors = settings.anchors or tuple(_ANCHORS[stride] for stride in settings.strides)
        self.balance = settings.balance or _BALANCE[: len(settings.strides)]
        self.heads = nn.ModuleList(
            [_head(inside, len(anchors)) for inside, anchors in zip(self.neck.channels, self.anchors, strict=True)]
        )
        self.input_spec = InputSpec(mean=settings.mean, std=settings.std, size_divisor=max(settings.strides))
        self.outputs = tuple(
            OutputSpec(name=f"{name}_{stride}", stride=stride, channels=values * len(anchors))
            for stride, anchors in zip(settings.strides, self.anchors, strict=True)
            for name, values in (("scores", 1), ("boxes", 4))
        )
        self.decoder = DecoderSpec(name=NAME, settings=settings.decoder.model_dump())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps: dict[str, Tensor] = {}
        raw = self._maps(images)
        for stride, anchors in zip(self.settings.strides, self.anchors, strict=True):
            maps[f"scores_{stride}"] = torch.sigmoid(raw[f"objectness_{stride}"])
            regressed = _by_anchor(raw[f"regression_{stride}"])
            sizes = torch.tensor(anchors, dtype=regressed.dtype, device=regressed.device).reshape(1, -1, 2, 1, 1)
            middle, half = _sides(regressed, sizes, stride)
            maps[f"boxes_{stride}"] = torch.cat([half - middle, half + middle], dim=2).flatten(1, 2)
        return maps

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        return self._maps(images)

    def _maps(self, images: Tensor) -> dict[str, Tensor]:
        """Of each stride the logits of objectness (b, A, h, w), and what boxes are made of (b, 4A, h, w)."""
        maps: dict[str, Tensor] = {}
        features = self.neck(self.backbone(images))
        for stride, feature, head, anchors in zip(
            self.settings.strides, features, self.heads, self.anchors, strict=True
        ):
            raw = head(feature)
            maps[f"objectness_{stride}"], maps[f"regression_{stride}"] = (
                raw[:, : len(anchors)], raw[:, len(anchors) :]
            )  # fmt: skip
        return maps

    def targets(self, scene: Scene) -> Targets:
        boxes = boxes_to_learn(scene)
        if scene.region is not None and len(boxes):
            width, height = scene.size_wh
            column, row = np.floor(centres(boxes)).astype(int).clip(0, [width - 1, height - 1]).T
            boxes = boxes[scene.region[row, column]]
        weights = {f"weight_{s}": cells_inside(scene.region, scene.size_wh, s)[None] for s in self.settings.strides}
        return Targets(weights, {"boxes": boxes.astype(np.float32)})

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        settings, images = self.settings, targets.ragged["boxes"]
        sizes = [(rows, columns) for rows, columns in (maps[f"objectness_{s}"].shape[2:] for s in settings.strides)]
        found = match(images, sizes, settings.strides, self.anchors, ratio=settings.anchor_ratio)
        box = objectness = torch.zeros((), device=images[0].device)
        for stride, anchors, balance, cells in zip(settings.strides, self.anchors, self.balance, found, strict=True):
            weight = targets.maps[f"weight_{stride}"] > 0
            inside = weight[cells.image, 0, cells.row, cells.column]
            cells = Matches(*(values[inside] for values in cells))
            logits = maps[f"objectness_{stride}"].float()
            regressed = _by_anchor(maps[f"regression_{stride}"].float())
            error = self._box_errors(regressed, cells, stride, anchors)
            box = box + (error.sum() if len(error) else regressed.sum() * 0) / of_batch(len(error))
            fit, mask = logits.new_zeros(logits.shape), logits.new_zeros(logits.shape)
            place = (cells.image * logits.shape[1] + cells.anchor) * logits.shape[2] + cells.row
            place = place * logits.shape[3] + cells.column
            # Of several heads in one cell the best fit is its target.
            fit.view(-1).scatter_reduce_(0, place, (1 - error.detach()).clamp(0, 1), "amax")
            mask.view(-1)[place] = 1
            everywhere = weight.expand_as(logits)
            objectness = objectness + balance * self._objectness(logits[everywhere], fit[everywhere], mask[everywhere])
        total = images_of_batch(len(images)) * (settings.box_weight * box + settings.objectness_weight * objectness)
        return {"total": total, "box": box, "objectness": objectness}

    def _box_errors(
        self, regressed: Tensor, cells: Matches, stride: int, anchors: Sequence[tuple[float, float]]
    ) -> Tensor:
        """(m,) 1 − CIoU of what each cell says and its head."""
        said = regressed[cells.image, cells.anchor, :, cells.row, cells.column]  # (m, 4)
        sizes = said.new_tensor(anchors)[cells.anchor]
        middle, half = _sides(said, sizes, stride)
        middle = middle + (torch.stack([cells.column, cells.row], 1) + 0.5) * stride
        half = torch.hypot(half, half.new_tensor(_LEAST_PX))
        error: Tensor = complete_box_iou_loss(torch.cat([middle - half, middle + half], 1), cells.boxes)
        return error

    def _objectness(self, logits: Tensor, fit: Tensor, mask: Tensor) -> Tensor:
        """The mean over anchors and cells."""
        number = of_batch(logits.numel())
        if self.settings.loss == "bce":
            return F.binary_cross_entropy_with_logits(logits, fit, reduction="sum") / number
        return label_loss(self.settings, logits, fit, mask, num_objects=1) / number


def _backbone(settings: Yolov5Settings, *, width: int, depth: float) -> Backbone:
    frozen, fixed = settings.frozen_stages, settings.fixed_statistics
    if settings.backbone == _OWN:
        return CspDarknet(
            width=width, depth=depth, strides=settings.strides, frozen_stages=frozen, fixed_statistics=fixed
        )
    return TimmBackbone(
        settings.backbone, strides=settings.strides, frozen_stages=frozen, fixed_statistics=fixed
    )  # fmt: skip


def _head(inside: int, anchors: int) -> nn.Conv2d:
    """One 1×1 convolution: the objectness of each anchor, then four numbers of each."""
    head = nn.Conv2d(inside, 5 * anchors, 1)
    assert head.bias is not None
    nn.init.constant_(head.bias[:anchors], float(np.log(_RARE / (1 - _RARE))))
    return head


def _by_anchor(values: Tensor) -> Tensor:
    """(b, 4A, h, w) → (b, A, 4, h, w)."""
    images, channels, rows, columns = values.shape
    return values.reshape(images, channels // 4, 4, rows, columns)


def _sides(regressed: Tensor, anchors: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """How far a box's middle lies from that of its cell (x, y), and half its width and height, in pixels.

    ``regressed`` (…, 4, …) and ``anchors`` (…, 2, …) have their values along the axis before the cells', or the last.
    """
    axis = 2 if regressed.dim() == 5 else 1
    x_y, w_h = regressed.sigmoid().chunk(2, dim=axis)
    return (2 * x_y - 1) * stride, (2 * w_h) ** 2 * anchors / 2


def match(
    boxes: Sequence[Tensor],
    sizes_hw: Sequence[tuple[int, int]],
    strides: Sequence[int],
    anchors: Sequence[Sequence[tuple[float, float]]],
    *,
    ratio: float,
) -> list[Matches]:
    """Which cells of which anchors learn which heads, one ``Matches`` a stride.

    ``boxes`` are (n, 4) xyxy in pixels of each image. A head is learned by every anchor whose width and height are
    within ``ratio`` of its own: in the cell of its middle, in the nearer one of the cells left and right of that, and
    in the nearer one above and below. One that no anchor fits goes to the anchor that comes nearest.
    """
    every = torch.cat(list(boxes))  # (n, 4)
    image = torch.cat([torch.full((len(one),), index, device=every.device) for index, one in enumerate(boxes)])
    sides, middle = every[:, 2:] - every[:, :2], (every[:, 2:] + every[:, :2]) / 2
    counts = [len(some) for some in anchors]
    known = torch.cat([every.new_tensor(some) for some in anchors])  # (all anchors, 2)
    factor = sides[:, None] / known
    worst = torch.maximum(factor, 1 / factor).amax(2)  # (n, all anchors)
    fits = worst < ratio
    fits |= ~fits.any(1, keepdim=True) & F.one_hot(worst.argmin(1), len(known)).bool()
    found = []
    for (rows, columns), stride, fit in zip(sizes_hw, strides, torch.split(fits, counts, 1), strict=True):
        head, anchor = fit.nonzero(as_tuple=True)
        place = middle[head] / stride  # (m, 2): x, y in cells
        last = torch.tensor([columns - 1, rows - 1], device=every.device)
        own = place.floor().long().clamp(min=torch.zeros_like(last), max=last)
        nearer = torch.sign(place - own - 0.5).long()  # 0 right in the middle: no neighbour is nearer
        step = torch.stack(
            [torch.zeros_like(nearer), nearer * nearer.new_tensor([1, 0]), nearer * nearer.new_tensor([0, 1])]
        )
        cell = own + step  # (3, m, 2)
        kept = ((cell >= 0) & (cell <= last)).all(2)
        kept[1:] &= step[1:].any(2)
        which = kept.nonzero()[:, 1]
        column, row = cell[kept].T
        found.append(Matches(image[head[which]], anchor[which], row, column, every[head[which]]))
    return found
