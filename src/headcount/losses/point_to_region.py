"""Point to region: of the cells around a point, the best one learns to be its head, and all others not to be one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from headcount.core.errors import InputError
from headcount.losses.cells import middles, portions, squared_distances
from headcount.losses.shapes import points_of_each, same_shape
from headcount.losses.whole import of_batch


def point_to_region_loss(
    logits: Tensor,
    points: Sequence[Tensor],
    *,
    stride: int = 4,
    reach_px: float = 96.0,
    distance_weight: float = 8.0,
    positive_weight: float = 2.0,
    inside: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy, the mean over cells, of one positive cell a point.

    "Point-to-Region Loss for Semi-Supervised Point-Based Crowd Counting" (Lin et al., CVPR 2025), on labelled images.
    Each cell goes to its nearest point, if that is within ``reach_px``. Of the cells of a point the one with the least
    ``distance_weight`` · d/d_max − logit is positive, d being how far the cell's middle lies from the point and d_max
    the largest d of a cell of the image that went to a point. All other cells are negative. No matching, no threshold:
    cells above 0 are heads. Of points in the same cell that are no cell's nearest, none is learned.

    Args:
        logits: (b, 1, h, w).
        points: of each image (n, 2), (x, y) in pixels of the image.
        stride: side of a cell in pixels.
        reach_px: how far a point's cells lie from it at most.
        distance_weight: what d/d_max weighs beside a logit.
        positive_weight: what a positive cell weighs, a negative one 1.
        inside: (b, 1, h, w), how much of each cell counts: where it is 0, no cell goes to a point or teaches anything.

    Returns:
        A scalar, float32 or float64.

    Raises:
        InputError: another shape, or a reach that is not positive.

    >>> point_to_region_loss(torch.zeros(1, 1, 2, 2), [torch.tensor([[2.0, 2.0]])]).item()  # 5/4 · log 2
    0.8664339780807495
    """
    points_of_each("logits", logits, points)
    if not reach_px > 0:
        raise InputError(f"reach_px must be positive, but it is {reach_px}.")
    logits = logits if logits.dtype == torch.float64 else logits.float()
    with torch.autocast(logits.device.type, enabled=False), torch.no_grad():
        cells = middles(logits.shape[2], logits.shape[3], stride, like=logits)
        counted = torch.ones_like(logits) if inside is None else inside.to(logits)
        same_shape("logits", logits, inside=counted)
        target = torch.stack(
            [
                _heads(own, cells, places.to(logits), use > 0, stride, reach_px, distance_weight)
                for own, places, use in zip(logits.flatten(1), points, counted.flatten(1), strict=True)
            ]
        ).view_as(logits)
        weight = counted * (1 + (positive_weight - 1) * target)
    return F.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum") / of_batch(counted.sum())


def _heads(
    logits: Tensor, cells: Tensor, points: Tensor, usable: Tensor, stride: int, reach_px: float, distance_weight: float
) -> Tensor:
    """(c,) 1 in the cell that is each point's head, 0 elsewhere."""
    target = torch.zeros_like(logits)
    if not len(points):
        return target
    distance, point = torch.empty_like(logits), torch.empty(len(logits), dtype=torch.int64, device=logits.device)
    for rows in portions(len(cells), len(points)):
        distance[rows], point[rows] = squared_distances(cells[rows], points).min(dim=1)
    distance.sqrt_()
    near = (usable & (distance <= reach_px)).nonzero().flatten()
    if not len(near):
        return target
    distance, point = distance[near], point[near]
    cost = distance_weight * distance / distance.max().clamp(min=stride) - logits[near]
    least = cost.new_full((len(points),), torch.inf).scatter_reduce(0, point, cost, "amin")
    best = near[cost == least[point]]
    # Of cells that are equally good, the first one.
    owners = point[cost == least[point]]
    first = best.new_full((len(points),), len(cells)).scatter_reduce(0, owners, best, "amin")
    target[first[first < len(cells)]] = 1
    return target
