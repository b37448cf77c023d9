"""Distribution matching: the count, and how far people would have to be moved to stand where they do."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from headcount.core.errors import InputError
from headcount.losses.shapes import same_shape

_TINY = 1e-16
_CLOSE = 1e-3
"""Of all mass, what may be in the wrong place when the iterations stop early."""
_OVER = 1.5
_FAINT = 1e-280
_MOST = 2**21
"""Values of one intermediate result: 16 MB."""


def distribution_matching_loss(
    density: Tensor,
    counts: Tensor,
    *,
    stride: int,
    transport_weight: float = 0.1,
    variation_weight: float = 0.01,
    entropy_px2: float = 10.0,
    iterations: int = 100,
) -> dict[str, Tensor]:
    """|‖ẑ‖ − ‖z‖| + λ₁ · W(z/‖z‖, ẑ/‖ẑ‖) + λ₂ · ‖z‖ · ½‖z/‖z‖ − ẑ/‖ẑ‖‖₁, each averaged over images.

    "Distribution Matching for Crowd Counting" (Wang et al., NeurIPS 2020), Eq. 5 to 10: ẑ is the density, z the points
    in their cells, W the entropic cost of transport with squared distances in pixels, ‖·‖ the sum. An image without
    points has nothing to match but its count.

    The gradient of W is that of its potentials, as the paper has it. Where less than one person is predicted, shares
    are taken of one person, so that a density that has vanished has a bounded gradient.

    Args:
        density: ẑ (b, 1, h, w), people a cell, at least 0 (what is negative is only counted).
        counts: z, of the same shape, points in each cell.
        stride: side of a cell in pixels.
        transport_weight: λ₁.
        variation_weight: λ₂.
        entropy_px2: weight of the entropy in square pixels; see ``transport``.
        iterations: of Sinkhorn's algorithm, at most.

    Returns:
        Scalars ``count``, ``transport`` and ``variation``, weighed: their sum is the loss.

    Raises:
        InputError: the shapes differ; or as ``transport`` does.

    >>> counts = torch.zeros(1, 1, 2, 2)
    >>> counts[0, 0, 0, 0] = 3
    >>> losses = distribution_matching_loss(2 * counts, counts, stride=8)
    >>> {name: abs(round(value.item(), 3)) for name, value in losses.items()}
    {'count': 3.0, 'transport': 0.0, 'variation': 0.0}
    """
    same_shape("density", density, counts=counts)
    density = density if density.dtype == torch.float64 else density.float()
    counts = counts.to(density)
    with torch.autocast(density.device.type, enabled=False):
        predicted, true = density.sum(dim=(1, 2, 3)), counts.sum(dim=(1, 2, 3))  # (b,)
        peopled = true > 0
        target = counts[:, 0] / true.clamp(min=1)[:, None, None]  # (b, h, w), 0 in an image without points
        positive = F.relu(density[:, 0])
        share = positive / positive.sum(dim=(1, 2), keepdim=True).clamp(min=1)
        variation = 0.5 * true * (target - share).abs().sum(dim=(1, 2))
        cost = torch.zeros_like(true)
        if peopled.any():
            rows = peopled.nonzero().flatten()
            value, potential = transport(
                target[rows], positive[rows].detach(), stride=stride, entropy_px2=entropy_px2, iterations=iterations
            )
            # Nothing in value, the potential in gradient: it is 0 on average over the prediction.
            slope = (potential * share[rows]).sum(dim=(1, 2))
            cost = cost.index_add(0, rows, value + slope - slope.detach())
        return {
            "count": (predicted - true).abs().mean(),
            "transport": transport_weight * cost.mean(),
            "variation": variation_weight * (peopled * variation).mean(),
        }


@torch.no_grad()
def transport(
    source: Tensor, target: Tensor, *, stride: int, entropy_px2: float = 10.0, iterations: int = 100
) -> tuple[Tensor, Tensor]:
    """The entropic cost of moving one distribution onto another, and its gradient in the second.

    W = min over plans P of Σ P·c + ε · KL(P | source ⊗ target), c the squared distance of cells in pixels, by
    Sinkhorn's algorithm in the logarithm, where no weight is too small ("Sinkhorn Distances", Cuturi, NeurIPS 2013).
    Distances on a grid are sums along its axes, so that a step takes h·w·(h + w) terms, not (h·w)². ε falls from the
    largest cost to its value over the first half of the iterations, since from afar nothing is seen of masses that lie
    apart; after that, steps are half as long again as they would be ("A note on overrelaxation in the Sinkhorn
    algorithm", Lehmann et al., 2021). In float64 throughout.

    Args:
        source: (b, h, w), at least 0, with some mass in each image; divided by its sum.
        target: the same.
        stride: side of a cell in pixels.
        entropy_px2: ε in square pixels.
        iterations: at most; fewer where less than a thousandth of the mass is in the wrong place.

    Returns:
        (b,) W in square pixels, and (b, h, w) its gradient in the shares of ``target``, 0 on average over them; both of
        the type of ``source``.

    Raises:
        InputError: the shapes differ, or ε or ``iterations`` is not positive.
    """
    same_shape("source", source, target=target)
    if not entropy_px2 > 0 or iterations < 1:
        raise InputError(f"entropy_px2 and iterations must be positive, but they are {entropy_px2} and {iterations}.")
    kind = source.dtype
    source, target = _distribution(source.double()), _distribution(target.double())
    log_source, log_target = source.clamp(min=_TINY).log(), target.clamp(min=_TINY).log()
    rows, columns = (_axis_costs(length, stride, source) for length in source.shape[1:])
    epsilon = max(float(rows.max() + columns.max()), entropy_px2)
    factor = (entropy_px2 / epsilon) ** (1 / max(1, iterations // 2))
    from_source, from_target = torch.zeros_like(source), torch.zeros_like(target)
    for _ in range(iterations):
        settled = epsilon <= entropy_px2
        step = _OVER if settled else 1.0
        owed = -epsilon * _soften(log_target + from_target / epsilon, rows / epsilon, columns / epsilon)
        from_source = from_source + step * (owed - from_source)
        owed = -epsilon * _soften(log_source + from_source / epsilon, rows / epsilon, columns / epsilon)
        # What the plan puts into each cell of the target, against what belongs there.
        wrong = (target * (((from_target - owed) / epsilon).exp() - 1)).abs().sum(dim=(1, 2)).max()
        from_target = from_target + step * (owed - from_target)
        if settled and wrong < _CLOSE:
            break
        epsilon = max(epsilon * factor, entropy_px2)
    from_target = -epsilon * _soften(log_source + from_source / epsilon, rows / epsilon, columns / epsilon)
    from_source = -epsilon * _soften(log_target + from_target / epsilon, rows / epsilon, columns / epsilon)
    on_target = (from_target * target).sum(dim=(1, 2))
    cost = (from_source * source).sum(dim=(1, 2)) + on_target
    return cost.to(kind), (from_target - on_target[:, None, None]).to(kind)


def _distribution(mass: Tensor) -> Tensor:
    """(b, h, w) shares of the whole; an image without mass is spread evenly."""
    total = mass.sum(dim=(1, 2), keepdim=True)
    return torch.where(total > 0, mass / total.clamp(min=1e-30), 1 / mass[0].numel())


def _axis_costs(length: int, stride: int, like: Tensor) -> Tensor:
    """(length, length) squared distances of cells along an axis, in pixels."""
    place = torch.arange(length, device=like.device, dtype=like.dtype) * stride
    return (place[:, None] - place).square()


def _soften(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """log Σ exp(values(r', c') − rows(r, r') − columns(c, c')) over r' and c': (b, h, w), one axis after the other."""
    return _along(_along(values, columns).mT, rows).mT


def _along(values: Tensor, costs: Tensor) -> Tensor:
    """log Σ exp(values(…, j') − costs(j, j')) over j': (b, i, j)."""
    lines = values.reshape(-1, values.shape[-1])
    highest = lines.amax(dim=1, keepdim=True)
    sums = (lines - highest).exp() @ (-costs).exp()
    softened = sums.log() + highest
    far = (sums < _FAINT).any(dim=1).nonzero().flatten()  # too small for the product: one by one
    for some in torch.split(far, max(1, _MOST // costs.numel())):
        softened[some] = torch.logsumexp(lines[some][:, None, :] - costs, dim=2)
    return softened.reshape(values.shape)
