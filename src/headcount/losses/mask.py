"""Losses of a foreground mask, on logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from headcount.core.errors import InputError
from headcount.losses.shapes import same_shape
from headcount.losses.whole import of_batch


def mask_focal_bce(logits: Tensor, mask: Tensor, *, gamma: float = 0.0, weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy weighted by (1 − p_t)^γ, averaged over cells; γ = 0 is plain cross-entropy.

    "Mask-aware networks…", III-D, after Lin et al., "Focal loss…". ``logits`` and ``mask`` (0 or 1) have one shape.
    ``weight``, of that shape, says what a cell counts in the mean: 0 where it lies outside a region of interest.
    From logits throughout, so that it stays finite, with a useful gradient, however wrong the prediction.

    Raises:
        InputError: the shapes differ, or γ is negative.
    """
    same_shape("logits", logits, mask=mask)
    if not gamma >= 0:
        raise InputError(f"gamma must be at least 0, but it is {gamma}.")
    if gamma == 0 and weight is None:
        return F.binary_cross_entropy_with_logits(logits, mask)
    loss = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    if gamma != 0:
        # 1 − p_t = exp(−BCE of the other label)
        other = F.binary_cross_entropy_with_logits(logits, 1 - mask, reduction="none")
        loss = loss * (-gamma * other).exp()
    if weight is None:
        return loss.mean()
    same_shape("logits", logits, weight=weight)
    return (loss * weight).sum() / of_batch(weight.sum())
