"""What density methods share: how people become a density to learn, and how one is compared with another.

A method's settings begin with ``DensityTargetSettings``, whose keys are then its own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from headcount.core.scene import Scene
from headcount.core.settings import Odd, Positive, Settings
from headcount.losses.density import Comparison, block_count_loss, density_mse
from headcount.targets.density import DensityMap, adaptive_sigma, density_map


class DensityTargetSettings(Settings):
    """The kernel that people are painted with, and the loss of a density."""

    density_sigma: Positive | Literal["adaptive"] = 4.0
    """Of a person's Gaussian in pixels; ``adaptive``: by the distance to the nearest others."""
    kernel_size: Odd | None = 15
    """Side of its square in pixels, where the sigma is not adaptive."""
    density_loss: Literal["mse", "blocks"] = "mse"
    """``mse`` is Eq. 2 of "Mask-aware networks…"; ``blocks`` compares counts over blocks of several sizes."""
    blocks: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 2, 4, 8), min_length=1)
    """Sides of the blocks, in cells."""
    comparison: Comparison = "poisson"
    """Of the counts of blocks."""


def density_target(scene: Scene, settings: DensityTargetSettings) -> DensityMap:
    """The density of a scene's people in its region: (h, w) float32, one value a pixel."""
    sigma = settings.density_sigma
    return density_map(
        scene.points_xy,
        scene.size_wh,
        density_sigma=adaptive_sigma(scene.points_xy) if sigma == "adaptive" else sigma,
        kernel_size=None if sigma == "adaptive" else settings.kernel_size,
        region=scene.region,
    )


def density_loss(density: Tensor, target: Tensor, settings: DensityTargetSettings) -> Tensor:
    """The loss of a density, both (b, 1, h, w) in people per cell: a scalar."""
    if settings.density_loss == "mse":
        return density_mse(density, target)
    return block_count_loss(density, target, blocks=settings.blocks, comparison=settings.comparison)
