"""Zero-inflated Poisson counts over blocks: whether anybody is in a block, and how many if so."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from headcount.core.errors import InputError
from headcount.losses.density import block_counts
from headcount.losses.shapes import same_shape

BlockPx = Literal[8, 16]


class Bins(NamedTuple):
    """Numbers of people in classes: the least of each, and the number that each stands for."""

    least: tuple[int, ...]
    centres: tuple[float, ...]


BINS: dict[BlockPx, Bins] = {
    8: Bins((0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 4, 5, 6.2)),
    16: Bins((*range(11), 11, 13, 15), (*range(11), 11.5, 13.5, 16.6)),
}
"""Of blocks of 8 and 16 px. What the last, open bin stands for is the mean of such blocks in the training images of
ShanghaiTech A."""


def expected_count(occupied: Tensor, bins: Tensor, centres: Tensor) -> Tensor:
    """π₁ · λ, people in each block: (b, 1, h, w).

    Args:
        occupied: (b, 1, h, w) logits of π₁, that a block is not empty by its nature; π₀ = 1 − π₁.
        bins: (b, k, h, w) logits of the bins; λ = Σ softmax(bins) · centre.
        centres: (k,) what the bins stand for.
    """
    rate = (bins.softmax(dim=1) * centres[:, None, None]).sum(dim=1, keepdim=True)
    return occupied.sigmoid() * rate


def zero_inflated_nll(occupied: Tensor, bins: Tensor, counts: Tensor, centres: Tensor) -> Tensor:
    """The negative log-likelihood of each block's count, without log y!, which no prediction changes: (b, 1, h, w).

    −log(π₀ + π₁e^−λ) of an empty block, −log π₁ − (y log λ − λ) of one that is not. Computed from logits throughout, so
    that no prediction is so wrong that it has no gradient.

    Raises:
        InputError: the shapes do not belong together.
    """
    _check(occupied, bins, counts, centres)
    chances = bins.log_softmax(dim=1)
    rate = (chances.exp() * centres[:, None, None]).sum(dim=1, keepdim=True)
    some = centres > 0
    log_rate = torch.logsumexp(chances[:, some] + centres[some].log()[:, None, None], dim=1, keepdim=True)
    not_empty = F.logsigmoid(occupied)
    empty = torch.logaddexp(F.logsigmoid(-occupied), not_empty - rate)
    return -torch.where(counts > 0, not_empty + counts * log_rate - rate, empty)


def zero_inflated_loss(
    occupied: Tensor,
    bins: Tensor,
    counts: Tensor,
    *,
    table: Bins,
    inside: Tensor | None = None,
) -> dict[str, Tensor]:
    """The likelihood of the counts of blocks, and with it the right bin, the right map and the right sum.

    "ZIP: Scalable Crowd Counting via Zero-Inflated Poisson Modeling" (Ma et al., 2025), with blocks and bins: the
    negative log-likelihood; the cross-entropy of the bin of blocks that are not empty; the absolute error of the
    density at scales 1, ½ and ¼, weighed as these; the absolute error of its sum. The first three are summed over an
    image's blocks, and all averaged over images, so that each is in people an image, or in nats of all its blocks.

    Args:
        occupied: (b, 1, h, w) logits, as ``expected_count`` takes them.
        bins: (b, k, h, w) logits.
        counts: (b, 1, h, w), the number of points in each block.
        table: the k bins.
        inside: (b, 1, h, w), how much of each block counts: 0 where it lies outside a region of interest.

    Returns:
        Scalars ``likelihood``, ``bins``, ``density`` and ``count``: their sum is the loss. Finite without points too.

    Raises:
        InputError: the shapes do not belong together.
    """
    occupied, bins = (one if one.dtype == torch.float64 else one.float() for one in (occupied, bins))
    counts = counts.to(occupied)
    with torch.autocast(occupied.device.type, enabled=False):
        centres = torch.tensor(table.centres, device=occupied.device, dtype=occupied.dtype)
        likelihood = zero_inflated_nll(occupied, bins, counts, centres)
        least = torch.tensor(table.least, device=occupied.device, dtype=occupied.dtype)
        label = torch.bucketize(counts[:, 0].contiguous(), least, right=True) - 1  # (b, h, w)
        wrong_bin = F.cross_entropy(bins, label, reduction="none")[:, None] * (counts > 0)
        density = expected_count(occupied, bins, centres)
        if inside is not None:
            same_shape("occupied", occupied, inside=inside)
            likelihood, wrong_bin, density = likelihood * inside, wrong_bin * inside, density * inside
        off = [
            (block_counts(density, side) - block_counts(counts, side)).abs().sum(dim=(1, 2, 3)).mean() / side
            for side in (1, 2, 4)
        ]
        return {
            "likelihood": likelihood.sum(dim=(1, 2, 3)).mean(),
            "bins": wrong_bin.sum(dim=(1, 2, 3)).mean(),
            "density": torch.stack(off).sum(),
            "count": (density - counts).sum(dim=(1, 2, 3)).abs().mean(),
        }


def start_bias(table: Bins) -> list[float]:
    """The bias from which the last layer starts: one block in eight holds anybody, and about one person then."""
    return [-math.log(7), *(-0.7 * centre for centre in table.centres)]


def _check(occupied: Tensor, bins: Tensor, counts: Tensor, centres: Tensor) -> None:
    if occupied.dim() != 4 or occupied.shape[1] != 1:
        raise InputError(f"occupied must be of the shape (b, 1, h, w), but its shape is {tuple(occupied.shape)}.")
    same_shape("occupied", occupied, counts=counts)
    expected = (len(occupied), len(centres), *occupied.shape[2:])
    if bins.shape != expected:
        raise InputError(f"bins must be of the shape {expected}, but its shape is {tuple(bins.shape)}.")
