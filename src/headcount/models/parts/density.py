"""What density networks share: how people become a target, what the last layer is read as, and the loss of it.

A network's settings extend ``DensitySettings``, whose keys are then its own, and it makes one ``DensityOutput`` of
them, which has no weights: the last 1×1 convolution stays the network's, of as many channels as the output says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from headcount.core.card import DecoderSpec, OutputSpec, Task
from headcount.core.scene import Scene
from headcount.core.settings import Odd, Positive, Settings
from headcount.decode.density import DensityDecoderSettings
from headcount.losses.density import Comparison, block_count_loss, density_mse
from headcount.models.method import TargetBatch, Targets
from headcount.targets.density import DensityMap, adaptive_sigma, density_map, sum_pool

_START = math.log1p(math.exp(-3))
"""People in a cell where training starts: near the mean of a crowd, one in twenty cells; softplus(0) would be 0.69."""


class DensitySettings(Settings):
    """The kernel that people are painted with, and the loss of a density."""

    density_sigma: Positive | Literal["adaptive"] = 4.0
    """Of a person's Gaussian in pixels; ``adaptive``: by the distance to the nearest others."""
    kernel_size: Odd | None = 15
    """Side of its square in pixels, where the sigma is not adaptive."""
    density_activation: Literal["relu", "softplus", "linear"] = "relu"
    """What makes the last layer's values people."""
    density_loss: Literal["mse", "blocks"] = "mse"
    """``mse`` is Eq. 2 of "Mask-aware networks…"; ``blocks`` compares counts over blocks of several sizes."""
    label_scale: Positive = 1.0
    """The last layer learns people times this, and its maps are divided by it: what comes out are always people."""
    blocks: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 2, 4, 8), min_length=1)
    """Sides of the blocks, in cells."""
    comparison: Comparison = "poisson"
    """Of the counts of blocks."""
    decoder: DensityDecoderSettings = DensityDecoderSettings()


def density_target(scene: Scene, settings: DensitySettings, stride: int = 1) -> DensityMap:
    """The density of a scene's people in its region: (⌈h/s⌉, ⌈w/s⌉) float32, people per cell of ``stride`` pixels."""
    sigma = settings.density_sigma
    return density_map(
        scene.points_xy,
        scene.size_wh,
        density_sigma=adaptive_sigma(scene.points_xy) if sigma == "adaptive" else sigma,
        kernel_size=None if sigma == "adaptive" else settings.kernel_size,
        region=scene.region,
        stride=stride,
    )


class DensityOutput:
    """What the last layer of a density network is: made of its settings and the stride of its features in pixels.

    Attributes:
        channels: of the network's last convolution.
        outputs: the maps that ``maps`` makes for counting.
        decoder: what reads them.
        task: what a model of it does.
    """

    def __init__(self, settings: DensitySettings, stride: int) -> None:
        self.settings, self.stride = settings, stride
        self.channels = 1
        self.outputs: tuple[OutputSpec, ...] = (OutputSpec(name="density", stride=stride),)
        self.decoder = DecoderSpec(name="density", settings=settings.decoder.model_dump())
        self.task: Task = "count"

    def size_divisor(self, own: int) -> int:
        """What an image's sides must be multiples of, where the network itself asks for multiples of ``own``."""
        return own

    def start(self, last: nn.Conv2d) -> None:
        """Set the network's last convolution to where training starts, if the network's own start is of no use."""
        if self.settings.density_activation == "softplus":
            nn.init.normal_(last.weight, 0.0, 0.01)
            assert last.bias is not None
            nn.init.constant_(last.bias, math.log(math.expm1(_START * self.settings.label_scale)))

    def maps(self, raw: Tensor) -> dict[str, Tensor]:
        """The last layer's values, (b, channels, h', w') → the maps of ``outputs``, and what else the loss reads.

        ``density`` is (b, 1, h', w'), people a cell.
        """
        activation, scale = self.settings.density_activation, self.settings.label_scale
        density = raw if activation == "linear" else F.relu(raw) if activation == "relu" else F.softplus(raw)
        return {"density": density if scale == 1 else density / scale}

    def targets(self, scene: Scene, density: DensityMap | None = None) -> Targets:
        """What a scene teaches; ``density`` is its ``density_target`` at the stride, where that is made already.

        Maps: ``density``, people a cell, and ``inside``, how much of each cell lies in the scene's region.
        """
        made = density_target(scene, self.settings, self.stride) if density is None else density
        return Targets({"density": made[None], "inside": _inside(scene, self.stride)[None]})

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        """Scalars by name, whose sum is the loss. What lies outside the region teaches nothing."""
        settings = self.settings
        density, target = maps["density"].float(), targets.maps["density"]
        with torch.autocast(density.device.type, enabled=False):
            if "inside" in targets.maps:
                density = density * targets.maps["inside"]
            if settings.label_scale != 1:
                density, target = density * settings.label_scale, target * settings.label_scale
            if settings.density_loss == "mse":
                return {"density": density_mse(density, target)}
            loss = block_count_loss(density, target, blocks=settings.blocks, comparison=settings.comparison)
            return {"density": loss}


def total_of(losses: Mapping[str, Tensor]) -> Tensor:
    """The sum of some losses."""
    return torch.stack(list(losses.values())).sum()


def _inside(scene: Scene, stride: int) -> NDArray[np.float32]:
    """How much of each cell's part of the image lies in the scene's region, (⌈h/s⌉, ⌈w/s⌉); all 1 without one."""
    width, height = scene.size_wh
    if scene.region is None:
        return np.ones((-(-height // stride), -(-width // stride)), np.float32)
    image = np.ones((height, width), np.float32)
    share: NDArray[np.float32] = sum_pool(scene.region.astype(np.float32), stride) / sum_pool(image, stride)
    return share
