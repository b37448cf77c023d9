"""Losses of a foreground mask, on logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def mask_focal_bce(logits: Tensor, mask: Tensor, *, gamma: float = 0.0) -> Tensor:
    """Binary cross-entropy weighted by (1 − p_t)^γ, averaged over cells; γ = 0 is plain cross-entropy.

    "Mask-aware networks…", III-D, after Lin et al., "Focal loss…". ``logits`` and ``mask`` (0 or 1) have one shape.
    From logits throughout, so that it stays finite, with a useful gradient, however wrong the prediction.
    """
    if gamma == 0:
        return F.binary_cross_entropy_with_logits(logits, mask)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    # 1 − p_t = exp(−BCE of the other label)
    other = F.binary_cross_entropy_with_logits(logits, 1 - mask, reduction="none")
    return (cross_entropy * (-gamma * other).exp()).mean()
