"""The Bayesian loss: each point is owed one person, by the cells that are probably its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from headcount.core.errors import InputError
from headcount.losses.cells import middles, portions, squared_distances
from headcount.losses.shapes import points_of_each


def bayesian_loss(
    density: Tensor, points: Sequence[Tensor], *, stride: int, sigma: float = 8.0, background_px: float | None = None
) -> Tensor:
    """Σ over points of |1 − E[count]|, averaged over images.

    "Bayesian Loss for Crowd Count Estimation With Point Supervision" (Ma et al., ICCV 2019), Eq. 5 to 15. A cell at x
    belongs to point zₙ with the probability p(n | x) ∝ exp(−|x − zₙ|² / 2σ²), and E[cₙ] = Σ p(n | x) density(x). With
    ``background_px`` (d, the paper's Bayesian+) there is one more owner, the background, that is owed nobody: its
    likelihood is that of a point d away, on the line from the nearest point z through the cell:
    exp(−(d − |x − z|)² / 2σ²). An image without points is owed nobody at all.

    Where cells times points are more than a million, the posterior is computed a portion of the cells at a time, and
    anew in the backward pass, so that memory is bounded for any number of points.

    Args:
        density: (b, 1, h, w), people a cell, at least 0.
        points: of each image (n, 2), (x, y) in pixels of the image.
        stride: side of a cell in pixels.
        sigma: σ in pixels.
        background_px: d in pixels; None leaves the background out.

    Returns:
        A scalar, float32 or float64.

    Raises:
        InputError: another shape, or σ or d that is not positive.

    >>> density, points = torch.zeros(1, 1, 2, 2), [torch.tensor([[8.0, 8.0]])]
    >>> bayesian_loss(density, points, stride=8).item()
    1.0
    """
    points_of_each("density", density, points)
    if not sigma > 0:
        raise InputError(f"sigma must be positive, but it is {sigma}.")
    if background_px is not None and not background_px > 0:
        raise InputError(f"background_px must be positive, but it is {background_px}.")
    density = density if density.dtype == torch.float64 else density.float()
    cells = middles(density.shape[2], density.shape[3], stride, like=density)
    losses = []
    with torch.autocast(density.device.type, enabled=False):
        for people, of_image in zip(density.flatten(1), points, strict=True):
            if not len(of_image):
                losses.append(people.sum().abs())
                continue
            places = of_image.to(density)
            parts = list(portions(len(cells), len(places)))
            which = [(cells[rows], places, sigma, background_px) for rows in parts]
            if len(parts) == 1:
                owned = [people @ _posterior(*which[0])]
            else:
                owned = [_Expected.apply(people[rows], *one) for rows, one in zip(parts, which, strict=True)]
            counts = torch.stack(owned).sum(dim=0)
            owed = torch.ones_like(counts)
            owed[len(places) :] = 0  # the background
            losses.append((counts - owed).abs().sum())
    return torch.stack(losses).mean()


def _posterior(cells: Tensor, points: Tensor, sigma: float, background_px: float | None) -> Tensor:
    """(c, n) the probability that a cell is of each point, or (c, n + 1) with that of the background."""
    squared = squared_distances(cells, points)  # (c, n)
    if background_px is not None:
        nearest = squared.amin(dim=1, keepdim=True).sqrt_()
        squared = torch.cat([squared, (background_px - nearest).square_()], dim=1)
    return torch.softmax(squared.mul_(-0.5 / sigma**2), dim=1)


class _Expected(torch.autograd.Function):
    """People in cells times the posterior, which the backward pass computes again."""

    @staticmethod
    def forward(ctx: FunctionCtx, people: Tensor, *which: Any) -> Tensor:
        ctx.which = which  # type: ignore[attr-defined]
        return people @ _posterior(*which)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return _posterior(*ctx.which) @ gradients[0], *[None] * len(ctx.which)
