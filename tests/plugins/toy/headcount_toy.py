"""A package of somebody else's: a detector, its decoder and a file format, in one file, without a line in headcount.

``heat`` says where a head's middle is, ``size`` the logs of its width and height. The targets of a scene are a map and
its boxes, which are ragged: the loss assigns them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from headcount.core.card import DecoderSpec, InputSpec, OutputSpec, Task
from headcount.core.geometry import centres, sides
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.settings import Settings
from headcount.core.writers import TextWriter, WriterRow
from headcount.decode.boxes import boxes_prediction, nms
from headcount.decode.inputs import read_channels, read_map
from headcount.decode.maxima import local_maxima
from headcount.decode.table import DecoderRow
from headcount.models.method import Method, TargetBatch, Targets
from headcount.models.table import MethodRow

STRIDE = 4


class ToyDecoderSettings(Settings):
    score_threshold: float = Field(default=0.3, gt=0, lt=1)
    iou: float = Field(default=0.5, ge=0, le=1)


def decode_toy(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: ToyDecoderSettings,
    size_wh: tuple[int, int],
) -> Prediction:
    heat = read_map(maps, "heat", strides, size_wh, "toy")
    size = read_channels(maps, "size", strides, size_wh, "toy", channels=2)
    places, cells = local_maxima(heat, heat >= settings.score_threshold)
    middle, half = (places + 0.5) * STRIDE, np.exp(size[:, cells[:, 1], cells[:, 0]].T.astype(np.float64)) / 2
    boxes, scores = np.concatenate([middle - half, middle + half], axis=1), heat[cells[:, 1], cells[:, 0]]
    kept = nms(boxes, scores, settings.iou)
    return boxes_prediction(boxes[kept], scores[kept], size_wh)


class ToySettings(Settings):
    width: int = 8
    decoder: ToyDecoderSettings = ToyDecoderSettings()


class Toy(Method):
    settings_type = ToySettings
    task: Task = "detect"

    def __init__(self, settings: ToySettings) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, settings.width, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(settings.width, settings.width, 3, stride=2, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Conv2d(settings.width, 3, 1)
        self.input_spec = InputSpec(size_divisor=STRIDE)
        self.outputs = (OutputSpec(name="heat", stride=STRIDE), OutputSpec(name="size", stride=STRIDE, channels=2))
        self.decoder = DecoderSpec(name="toy", settings=settings.decoder.model_dump())

    def initialise_backbone(self, file: Path) -> None:
        raise NotImplementedError

    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        maps = self.head(self.backbone(images))
        return {"heat_logits": maps[:, :1], "size": maps[:, 1:]}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.head(self.backbone(images))
        return {"heat": torch.sigmoid(maps[:, :1]), "size": maps[:, 1:]}

    def targets(self, scene: Scene) -> Targets:
        boxes = np.zeros((0, 4)) if scene.boxes_xyxy is None else scene.boxes_xyxy
        columns, rows = (-(-side // STRIDE) for side in scene.size_wh)
        heat = np.zeros((1, rows, columns), np.float32)
        column, row = (centres(boxes) // STRIDE).astype(int).clip(0, [columns - 1, rows - 1]).T
        heat[0, row, column] = 1
        return Targets({"heat": heat}, {"boxes": boxes.astype(np.float32)})

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        heat = F.binary_cross_entropy_with_logits(maps["heat_logits"].float(), targets.maps["heat"])
        size = maps["size"].float()
        errors = [size.new_zeros(0)]
        for image, boxes in zip(size, targets.ragged["boxes"], strict=True):
            column, row = (((boxes[:, :2] + boxes[:, 2:]) / 2) // STRIDE).long().clamp(min=0).T
            found = image[:, row.clamp(max=image.shape[1] - 1), column.clamp(max=image.shape[2] - 1)].T  # (n, 2)
            errors.append((found - (boxes[:, 2:] - boxes[:, :2]).clamp(min=1).log()).abs().flatten())
        every = torch.cat(errors)
        sizes = every.mean() if len(every) else size.sum() * 0
        return {"total": heat + 0.1 * sizes, "heat": heat, "size": sizes}


def _widths(prediction: Prediction) -> str:
    boxes = np.zeros((0, 4)) if prediction.boxes_xyxy is None else prediction.boxes_xyxy
    return f"{prediction.source}: {' '.join(f'{width:.0f}' for width in sides(boxes)[:, 0])}\n"


METHOD = MethodRow(name="toy", target="headcount_toy:Toy", title="The toy detector", package="torch", extra="train")
DECODER = DecoderRow(name="toy", target="headcount_toy:decode_toy", settings="headcount_toy:ToyDecoderSettings")
WIDTHS = TextWriter(row=_widths, head="# widths\n")
WRITER = WriterRow(name=".widths", target="headcount_toy:WIDTHS", many=True, boxes=True)
