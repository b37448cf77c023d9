"""Losses that compare a predicted density with the true one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from headcount.losses.shapes import same_shape

Comparison = Literal["mse", "l1", "smooth_l1", "poisson"]


def density_mse(density: Tensor, target: Tensor) -> Tensor:
    """Eq. 2 of "Mask-aware networks…": squared error summed over an image's cells, averaged over the batch.

    Both (b, 1, h, w), people per cell. Returns a scalar.

    Raises:
        InputError: the shapes differ.
    """
    same_shape("density", density, target=target)
    return (density - target).square().sum(dim=(1, 2, 3)).mean()


def block_counts(density: Tensor, block: int) -> Tensor:
    """People in each ``block``×``block`` cells: (b, 1, h, w) → (b, 1, ⌈h/block⌉, ⌈w/block⌉); no mass is lost."""
    height, width = density.shape[-2:]
    padded = F.pad(density, (0, -width % block, 0, -height % block))
    return F.avg_pool2d(padded, block) * (block * block)


def block_count_loss(
    density: Tensor, target: Tensor, *, blocks: Sequence[int] = (1, 2, 4, 8), comparison: Comparison = "poisson"
) -> Tensor:
    """Counts compared over blocks of several sizes, averaged over blocks, then over sizes.

    Small blocks say where people are, large ones hold the count itself to account. ``poisson`` is the deviance
    t·log(t/p) − t + p: zero at p = t, unbiased, an error weighed by the count it is made at. ``smooth_l1`` and ``l1``
    seek the median, so on sparse blocks they count low.

    ``density`` must be non-negative. Both (b, 1, h, w). Returns a scalar.

    Raises:
        InputError: the shapes differ.
    """
    same_shape("density", density, target=target)
    losses = []
    for block in blocks:
        predicted, true = block_counts(density, block), block_counts(target, block)
        if comparison == "poisson":
            losses.append(poisson_deviance(predicted, true).mean())
        elif comparison == "mse":
            losses.append(F.mse_loss(predicted, true))
        elif comparison == "l1":
            losses.append(F.l1_loss(predicted, true))
        else:
            losses.append(F.smooth_l1_loss(predicted, true))
    return torch.stack(losses).mean()


def poisson_deviance(predicted: Tensor, true: Tensor, *, floor: float = 1e-3) -> Tensor:
    """Half the Poisson deviance, t·log(t/p) − t + p, element by element.

    ``floor`` is added to both, so that an empty prediction has a finite loss and gradient.
    """
    p, t = predicted + floor, true + floor
    return t * (t / p).log() - t + p
