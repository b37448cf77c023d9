"""Binarization with a learned threshold (III-B of "Learning Independent Instance Maps…", Eq. 2 to 5)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

GRAD_TO_CONFIDENCE = 0.2
"""What the authors let through to the confidence; 0 gives the rows "PBM" and "IBM" without gradient."""


class _Binarize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, confidence: Tensor, threshold: Tensor, grad_to_confidence: float) -> Tensor:
        ctx.threshold_shape, ctx.factor = threshold.shape, grad_to_confidence
        return (confidence >= threshold).to(confidence.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = gradients
        # A false positive has a positive gradient: descending it raises the threshold, which removes it.
        return ctx.factor * gradient, (-gradient).sum_to_size(ctx.threshold_shape), None


def binarize(confidence: Tensor, threshold: Tensor, grad_to_confidence: float = GRAD_TO_CONFIDENCE) -> Tensor:
    """1 where ``confidence`` ≥ ``threshold``, else 0, of the confidence's shape (b, 1, h, w).

    ``threshold`` is of the same shape or broadcasts to it. A gradient g reaches the threshold as −g, summed where it
    was broadcast (Eq. 4, 5), and the confidence as ``grad_to_confidence`` · g.
    """
    result: Tensor = _Binarize.apply(confidence, threshold, grad_to_confidence)
    return result


def compressed_sigmoid(logit: Tensor) -> Tensor:
    """1 / (2 + e^(−10 x)) + 0.2: thresholds between 0.2 and 0.7, 0.533 at 0 (Eq. 6; the factor 10 is not in it)."""
    # As a sigmoid, which does not overflow: 1 / (2 + e^-z) = sigmoid(z + ln 2) / 2.
    return torch.sigmoid(10 * logit + 0.6931471805599453) / 2 + 0.2


def instance_loss(
    confidence_logits: Tensor, binary: Tensor | None, mask: Tensor, *, confidence: str = "mse"
) -> dict[str, Tensor]:
    """``confidence``: MSE of the sigmoid against the mask (or ``bce``); ``binary``: L1 of the binary map (Eq. 7).

    All (b, 1, h, w). Without a learned threshold there is no ``binary`` term. ``total`` is their sum, 1:1.
    """
    if confidence == "mse":
        losses = {"confidence": F.mse_loss(torch.sigmoid(confidence_logits), mask)}
    else:
        losses = {"confidence": F.binary_cross_entropy_with_logits(confidence_logits, mask)}
    if binary is not None:
        losses["binary"] = F.l1_loss(binary, mask)
    return {"total": torch.stack(list(losses.values())).sum(), **losses}
