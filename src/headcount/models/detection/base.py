"""What the detectors share: their options, and the boxes they learn from."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from headcount.core.card import ScaleSpec, Task
from headcount.core.errors import InputError
from headcount.core.geometry import checked_boxes
from headcount.core.scene import Scene
from headcount.core.settings import Positive, Settings
from headcount.models.method import Method
from headcount.models.normalise import IMAGENET_MEAN, IMAGENET_STD
from headcount.models.parts.backbones import load_backbone
from headcount.models.parts.base import Backbone

Loss = Literal["focal", "mask_focal"]


def doubling(strides: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a pyramid's levels, checked."""
    if any(coarse != 2 * fine for fine, coarse in pairwise(strides)):
        raise ValueError("strides from fine to coarse, each twice the one before, were expected")
    return strides


class NetworkSettings(Settings):
    """Options of what a detector stands on."""

    backbone: str = "resnet50"
    """The name of a timm network."""
    frozen_stages: int = Field(default=0, ge=0)
    """How many of the backbone's first stages keep the weights of their initialisation."""
    fixed_statistics: bool = False
    """Whether the backbone's batch norms keep the mean and variance of their initialisation."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[Positive, Positive, Positive] = IMAGENET_STD
    scaled: bool = False
    """Whether images are counted at the size that their heads need, by the boxes found in a first look. Protocols of
    papers want images as they are."""


class LossSettings(Settings):
    """Which loss tells heads from the rest, and its factors."""

    loss: Loss = "mask_focal"
    """``focal``: the loss that the detector's authors take. ``mask_focal``: the Mask Focal Loss in its place."""
    gamma: Positive | None = None
    """γ of the loss; None: as the paper sets it for this detector and loss, and so below."""
    alpha: Positive | None = None
    beta: float | None = Field(default=None, ge=0)
    poly_eps: float | None = Field(default=None, ge=0)
    """ε₁ of Eq. 4; 0 is the loss without its polynomial term."""


class DetectorSettings(NetworkSettings, LossSettings):
    """Options that every one-stage detector has."""


class Detector(Method):
    """A method that puts a box on each head; it learns from scenes that have boxes, or in which nobody is."""

    task: Task = "detect"
    backbone: Backbone

    @property
    def scale(self) -> ScaleSpec | None:
        settings = getattr(self, "settings", None)
        return ScaleSpec() if isinstance(settings, NetworkSettings) and settings.scaled else None

    def initialise_backbone(self, file: Path) -> None:
        load_backbone(self.backbone, file)


def boxes_to_learn(scene: Scene) -> NDArray[np.float64]:
    """(n, 4) the boxes of a scene's heads, in pixels.

    Raises:
        InputError: the scene has heads and no boxes, or a box without width or height.
    """
    if scene.boxes_xyxy is None:
        if scene.count == 0:
            return np.zeros((0, 4))
        raise InputError(
            f'A detector learns from head boxes, which "{scene.name}" has not: train on a set with boxes, or estimate '
            "them first."
        )
    return checked_boxes(scene.boxes_xyxy, "boxes_xyxy")
