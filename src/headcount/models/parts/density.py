"""What density networks share: how people become a target, what the last layer is read as, and the loss of it.

A network's settings extend ``DensitySettings``, whose keys are then its own, and it makes one ``DensityOutput`` of
them, which has no weights: the last 1×1 convolution stays the network's, of as many channels as the output says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from headcount.core.card import DecoderSpec, OutputSpec, Task
from headcount.core.errors import InputError
from headcount.core.geometry import in_mask
from headcount.core.region import area_share
from headcount.core.scene import Scene
from headcount.core.settings import Odd, Positive, Settings
from headcount.decode.density import DensityDecoderSettings
from headcount.losses.bayesian import bayesian_loss
from headcount.losses.density import Comparison, block_count_loss, density_mse
from headcount.losses.distribution import distribution_matching_loss
from headcount.losses.point_to_region import point_to_region_loss
from headcount.losses.shapes import same_shape
from headcount.losses.zero_inflated import BINS, Bins, BlockPx, expected_count, start_bias, zero_inflated_loss
from headcount.models.method import TargetBatch, Targets
from headcount.targets.counts import cell_counts
from headcount.targets.density import DensityMap, adaptive_sigma, density_map

DensityLoss = Literal["mse", "blocks", "bayesian", "dm_count", "zip", "p2r"]
P2R_STRIDE = 4
"""Of the logits of ``p2r``, in pixels."""
_START = math.log1p(math.exp(-3))
"""People in a cell where training starts: near the mean of a crowd, one in twenty cells; softplus(0) would be 0.69."""
_START_LOGIT = -4.0
"""Of a cell of ``p2r``: one in fifty would be a head."""


class DensitySettings(Settings):
    """The kernel that people are painted with, what the last layer learns, and by which loss."""

    density_sigma: Positive | Literal["adaptive"] = 4.0
    """Of a person's Gaussian in pixels; ``adaptive``: by the distance to the nearest others."""
    kernel_size: Odd | None = 15
    """Side of its square in pixels, where the sigma is not adaptive."""
    density_activation: Literal["relu", "softplus", "linear"] = "relu"
    """What makes the last layer's values people."""
    density_loss: DensityLoss = "mse"
    """``mse``: Eq. 2 of "Mask-aware networks…". ``blocks``: counts over blocks of several sizes. ``bayesian``: what
    each point is owed (Ma et al. 2019). ``dm_count``: the count and the transport of people (Wang et al. 2020).
    ``zip``: a zero-inflated Poisson over blocks (Ma et al. 2025). ``p2r``: point to region (Lin et al. 2025), which
    locates heads."""
    label_scale: Positive = 1.0
    """The last layer learns people times this, and its maps are divided by it: what comes out are always people."""

    blocks: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 2, 4, 8), min_length=1)
    """Sides of the blocks of ``blocks``, in cells."""
    comparison: Comparison = "poisson"
    """Of the counts of ``blocks``."""
    bayesian_sigma: Positive = 8.0
    """σ in pixels: how far a point's own cells are from it."""
    background_px: Positive | None = None
    """How far from the nearest point the background of ``bayesian`` begins; None: it has none."""
    transport_weight: float = Field(default=0.1, ge=0)
    """λ₁ of ``dm_count``."""
    variation_weight: float = Field(default=0.01, ge=0)
    """λ₂ of ``dm_count``."""
    entropy_px2: Positive = 10.0
    """Of the transport of ``dm_count``, in square pixels: the smaller, the sharper, and the slower."""
    sinkhorn_iterations: int = Field(default=100, ge=1)
    """Of ``dm_count``, at most."""
    block: BlockPx = 16
    """Side of the blocks of ``zip`` in pixels, which become the map's cells."""
    last_bin: Positive | None = None
    """People in a block of the open bin of ``zip``; None: as in the training images of ShanghaiTech A."""
    p2r_reach_px: Positive = 96.0
    """How far a cell of a head is from it at most."""
    p2r_distance_weight: float = Field(default=8.0, ge=0)
    """What the distance weighs against the logit when a point's cell is chosen."""
    p2r_positive_weight: Positive = 2.0
    """What a cell that is a head weighs, one that is none 1."""

    decoder: DensityDecoderSettings = DensityDecoderSettings()
    """Of all but ``p2r``, which has nothing to set."""

    @field_validator("label_scale")
    @classmethod
    def _of_a_density(cls, value: float, others: ValidationInfo) -> float:
        loss = others.data.get("density_loss")
        if loss in ("zip", "p2r") and value != 1:
            raise ValueError(f"1 was expected with density_loss: {loss}, which learns no scaled density")
        return value


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

    Raises:
        InputError: the loss needs other strides.
    """

    def __init__(self, settings: DensitySettings, stride: int) -> None:
        self.settings, self.stride = settings, stride
        self.channels = 1
        self.task: Task = "count"
        self.outputs: tuple[OutputSpec, ...] = (OutputSpec(name="density", stride=stride),)
        self.decoder = DecoderSpec(name="density", settings=settings.decoder.model_dump())
        if settings.density_loss == "zip":
            if settings.block % stride:
                raise InputError(f"block is {settings.block}, but this network's stride, {stride}, must divide it.")
            self.bins = _bins(settings)
            self.channels = 1 + len(self.bins.centres)
            self.outputs = (OutputSpec(name="density", stride=settings.block),)
        elif settings.density_loss == "p2r":
            if stride % P2R_STRIDE:
                raise InputError(f"density_loss: p2r needs strides of {P2R_STRIDE} and its multiples, not {stride}.")
            self.channels, self.task = (stride // P2R_STRIDE) ** 2, "locate"
            self.outputs = (OutputSpec(name="logits", stride=P2R_STRIDE),)
            self.decoder = DecoderSpec(name="point_to_region")

    def size_divisor(self, own: int) -> int:
        """What an image's sides must be multiples of, where the network itself asks for multiples of ``own``."""
        return math.lcm(own, *(output.stride for output in self.outputs))

    def start(self, last: nn.Conv2d, *, as_printed: bool = False) -> None:
        """Set the network's last convolution to where training starts, if the network's own start is of no use.

        ``as_printed``: it stays as it is where a ReLU follows.
        """
        settings, std = self.settings, 0.01
        if settings.density_loss == "zip":
            bias = start_bias(self.bins)
        elif settings.density_loss == "p2r":
            bias = [_START_LOGIT] * self.channels
        elif settings.density_activation == "softplus":
            bias = [math.log(math.expm1(_START * settings.label_scale))]
        elif settings.density_activation == "relu" and not as_printed:
            # Where a ReLU is 0 it has no gradient: one that is 0 in all cells, as it may be by chance, never learns.
            bias, std = [_START * settings.label_scale], 0.001
        else:
            return
        nn.init.normal_(last.weight, 0.0, std)
        assert last.bias is not None
        with torch.no_grad():
            last.bias.copy_(torch.tensor(bias))

    def maps(self, raw: Tensor) -> dict[str, Tensor]:
        """The last layer's values, (b, channels, h', w') → the maps of ``outputs``, and what else the loss reads.

        ``density`` is (b, 1, h, w), people a cell; ``logits`` (b, 1, h, w), above 0 where a head is.
        """
        settings = self.settings
        if settings.density_loss == "p2r":
            return {"logits": F.pixel_shuffle(raw, self.stride // P2R_STRIDE)}
        if settings.density_loss == "zip":
            if settings.block != self.stride:  # the last layer is linear: as good as pooling what it sees
                raw = F.avg_pool2d(raw, settings.block // self.stride)
            occupied, bins = raw[:, :1], raw[:, 1:]
            centres = torch.tensor(self.bins.centres, device=raw.device, dtype=raw.dtype)
            return {"density": expected_count(occupied, bins, centres), "occupied": occupied, "bins": bins}
        activation, scale = settings.density_activation, settings.label_scale
        density = raw if activation == "linear" else F.relu(raw) if activation == "relu" else F.softplus(raw)
        return {"density": density if scale == 1 else density / scale}

    def targets(self, scene: Scene, density: DensityMap | None = None) -> Targets:
        """What a scene teaches; ``density`` is its ``density_target`` at the stride, where that is made already.

        Maps: ``inside``, how much of each cell lies in the scene's region, and where the loss reads them ``density``,
        people a cell, or ``counts``, points a cell. Ragged: ``points``, (n, 2) in pixels.
        """
        loss, stride = self.settings.density_loss, self.outputs[0].stride
        maps, ragged = {"inside": region_share(scene, stride)[None]}, {}
        if loss in ("mse", "blocks"):
            made = density_target(scene, self.settings, stride) if density is None else density
            return Targets({**maps, "density": made[None]})
        points = scene.points_xy if scene.region is None else scene.points_xy[in_mask(scene.points_xy, scene.region)]
        if loss in ("zip", "dm_count"):
            maps["counts"] = cell_counts(points, scene.size_wh, stride)[None]
        else:
            ragged["points"] = points.astype(np.float32)
        return Targets(maps, ragged)

    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        """Scalars by name, whose sum is the loss. What lies outside the region teaches nothing.

        Raises:
            InputError: the maps and the targets are not of one stride.
        """
        settings, inside = self.settings, targets.maps.get("inside")
        if settings.density_loss == "p2r":
            found = point_to_region_loss(
                maps["logits"],
                targets.ragged["points"],
                stride=P2R_STRIDE,
                reach_px=settings.p2r_reach_px,
                distance_weight=settings.p2r_distance_weight,
                positive_weight=settings.p2r_positive_weight,
                inside=inside,
            )
            return {"heads": found}
        if settings.density_loss == "zip":
            return zero_inflated_loss(
                maps["occupied"], maps["bins"], targets.maps["counts"], table=self.bins, inside=inside
            )
        density = maps["density"].float()
        if inside is not None:
            same_shape("density", density, inside=inside)
            density = density * inside
        scale = settings.label_scale
        if settings.density_loss == "bayesian":
            owed = bayesian_loss(
                density,
                targets.ragged["points"],
                stride=self.stride,
                sigma=settings.bayesian_sigma,
                background_px=settings.background_px,
            )
            return {"points": scale * owed}
        if settings.density_loss == "dm_count":
            matched = distribution_matching_loss(
                density,
                targets.maps["counts"],
                stride=self.stride,
                transport_weight=settings.transport_weight,
                variation_weight=settings.variation_weight,
                entropy_px2=settings.entropy_px2,
                iterations=settings.sinkhorn_iterations,
            )
            return {name: scale * value for name, value in matched.items()}
        target = targets.maps["density"]
        if scale != 1:
            density, target = density * scale, target * scale
        if settings.density_loss == "mse":
            return {"density": density_mse(density, target)}
        return {"density": block_count_loss(density, target, blocks=settings.blocks, comparison=settings.comparison)}


def branch(*widths: int, channels: int = 1) -> nn.Sequential:
    """3×3 convolutions with ReLU through ``widths``, then a linear 1×1 to ``channels``."""
    layers: list[nn.Module] = []
    for inside, outside in pairwise(widths):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 1))


def _bins(settings: DensitySettings) -> Bins:
    """The bins of ``zip``, the last one standing for ``last_bin`` people."""
    known = BINS[settings.block]
    if settings.last_bin is None:
        return known
    if settings.last_bin < known.least[-1]:
        raise InputError(
            f"last_bin is {settings.last_bin:g}, but the open bin of blocks of {settings.block} px begins at "
            f"{known.least[-1]}: give that or more."
        )
    return Bins(known.least, (*known.centres[:-1], settings.last_bin))


def total_of(losses: Mapping[str, Tensor]) -> Tensor:
    """The sum of some losses."""
    return torch.stack(list(losses.values())).sum()


def region_share(scene: Scene, stride: int) -> NDArray[np.float32]:
    """How much of each cell's part of the image lies in the scene's region, (⌈h/s⌉, ⌈w/s⌉); all 1 without one."""
    width, height = scene.size_wh
    shape = -(-height // stride), -(-width // stride)
    if scene.region is None:
        return np.ones(shape, np.float32)
    return area_share(scene.region, stride, shape).astype(np.float32)
