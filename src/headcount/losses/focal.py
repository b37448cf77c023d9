"""The focal family on logits: Focal Loss, the heat map's of CenterNet, and Mask Focal Loss.

"Mask Focal Loss: a unifying framework for dense crowd counting with canonical object detection networks" (Zhong et
al.), Eq. 2 to 7. With p the target, p̂ = sigmoid(logits), Δp = |p − p̂| and N heads, every loss is −α/N · Σ over the
pixels of

    w_log · Δp^γ log(1 − Δp) − ε₁ · w_poly · Δp^(γ+1)

and the losses differ in what the target is and what weighs a pixel. Nothing is clamped: log(1 − Δp) comes from the
logits, so that a confident mistake keeps its gradient. All take tensors of any shape, are computed in float32 where the
logits are of half precision, and give a scalar. Gradients reach the logits alone, never a target. They look at shapes,
not at values: those of heat and mask are checked where targets are made (``headcount.targets.heatmap``).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from headcount.core.errors import InputError
from headcount.losses.shapes import same_shape
from headcount.losses.whole import of_batch

BetaOn = Literal["log", "poly", "both"]


def focal_loss(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float = 1.0,
    poly_eps: float = 0.0,
    num_objects: float | Tensor | None = None,
) -> Tensor:
    """Focal Loss, L_f (Eq. 2), and with ``poly_eps`` 1 its poly-1 form L_f^P1 (Eq. 5).

    −α/N · Σ of (1 − p̂)^γ log p̂ − ε₁ (1 − p̂)^(γ+1) where the target is 1, and of p̂^γ log(1 − p̂) − ε₁ p̂^(γ+1)
    elsewhere. "Focal Loss for Dense Object Detection" (Lin et al.), with one α for all pixels as the paper prints it:
    ``torchvision.ops.sigmoid_focal_loss`` weighs positives by α and the others by 1 − α.

    Args:
        logits: of any shape; p̂ is their sigmoid.
        target: of the same shape and any type: 1 is positive, all below is negative.
        gamma: γ, above 0: how little a pixel weighs that is nearly right.
        alpha: α, the weight of the whole.
        poly_eps: ε₁ of Eq. 4; 0 leaves the polynomial term out.
        num_objects: N, a number or a 0-d tensor; below 1 it counts as 1. None: how many targets are 1.

    Returns:
        A scalar, at least 0, float32 or float64.

    Raises:
        InputError: another shape of ``target``, or ``num_objects`` of more than one number.

    >>> logits, target = torch.tensor([0.0, 0.0, -80.0]), torch.tensor([1.0, 0.0, 1.0])
    >>> focal_loss(logits, target, num_objects=1).item()  # 2 · ¼ · log 2 + 80
    80.34657287597656
    """
    _check(logits, num_objects, target=target)
    logits = _computed(logits)
    target = target.to(logits.dtype)
    terms = _Terms.apply(logits, target, True, None, None, "both", gamma, poly_eps)
    return _total(terms, alpha, num_objects, target)


def heatmap_focal_loss(
    logits: Tensor,
    heat: Tensor,
    *,
    gamma: float = 2.0,
    beta: float = 4.0,
    alpha: float = 1.0,
    poly_eps: float = 0.0,
    num_objects: float | Tensor | None = None,
) -> Tensor:
    """The loss of CenterNet's heat map, L_h (Eq. 3), and with ``poly_eps`` 1 its poly-1 form L_h^P1 (Eq. 5).

    −α/N · Σ of (1 − p̂)^γ log p̂ − ε₁ (1 − p̂)^(γ+1) where the heat p is 1, and of
    (1 − p)^β [p̂^γ log(1 − p̂) − ε₁ p̂^(γ+1)] elsewhere. "Objects as Points" (Zhou et al.), with N heads.

    Args:
        logits: of any shape; p̂ is their sigmoid.
        heat: p, of the same shape, 0 to 1 (``headcount.targets.heatmap.check_heatmap``); exactly 1 at a head's middle.
        gamma: γ, above 0: how little a pixel weighs that is nearly right.
        beta: β, at least 0: how little a pixel weighs that is near a head's middle.
        alpha: α, the weight of the whole.
        poly_eps: ε₁ of Eq. 4; 0 leaves the polynomial term out.
        num_objects: N, a number or a 0-d tensor; below 1 it counts as 1. None: how many pixels have a heat of 1.

    Returns:
        A scalar, at least 0, float32 or float64.

    Raises:
        InputError: another shape of ``heat``, or ``num_objects`` of more than one number.

    >>> logits, heat = torch.zeros(3), torch.tensor([1.0, 0.5, 0.0])
    >>> round(heatmap_focal_loss(logits, heat).item(), 4)  # ¼ · log 2 · (1 + ½⁴ + 1)
    0.3574
    """
    _check(logits, num_objects, heat=heat)
    logits = _computed(logits)
    heat = heat.to(logits.dtype)
    weight = torch.where(heat == 1, 1.0, (1 - heat) ** beta)
    terms = _Terms.apply(logits, heat, True, weight, None, "both", gamma, poly_eps)
    return _total(terms, alpha, num_objects, heat)


def mask_focal_loss(
    logits: Tensor,
    heat: Tensor,
    mask: Tensor,
    *,
    gamma: float = 4.0,
    beta: float = 0.5,
    alpha: float = 1.0,
    poly_eps: float = 1.0,
    num_objects: float | Tensor | None = None,
    beta_on: BetaOn | None = None,
    neg_beta: float = 0.0,
) -> Tensor:
    """Mask Focal Loss: L_m^P1 (Eq. 7), and with ``poly_eps`` 0 L_m (Eq. 6).

    −α/N · Σ of Δp^γ log(1 − Δp) − ε₁ Δp^(γ+1) where the mask is 1, p^β before one term or both, and of
    (1 − p)^neg_beta [p̂^γ log(1 − p̂) − ε₁ p̂^(γ+1)] elsewhere. All of a head is positive, and is to reach the heat p of
    its pixel, not 1. As Δp keeps below 1 where the heat is neither 0 nor 1, so does the loss of such a pixel, and its
    gradient fades as p̂(1 − p̂) does; pixels of heat 1 and negatives keep theirs however wrong the prediction.

    With heat of 0 and 1 alone, the mask where it is 1, this is ``focal_loss`` exactly; with the mask where the heat is
    1, ``beta`` 0 and ``neg_beta`` β it is ``heatmap_focal_loss`` exactly.

    Args:
        logits: of any shape; p̂ is their sigmoid.
        heat: p, of the same shape, 0 to 1 (``headcount.targets.heatmap.check_heatmap``).
        mask: of the same shape, 1 (or True) where a head is, else 0.
        gamma: γ, above 0: how little a pixel weighs that is nearly right.
        beta: β, at least 0: how much less a positive pixel weighs than one of heat 1.
        alpha: α, the weight of the whole.
        poly_eps: ε₁ of Eq. 4; 0 leaves the polynomial term out.
        num_objects: N, a number or a 0-d tensor; below 1 it counts as 1. None: how many pixels have a heat of 1.
        beta_on: which term p^β weighs, ``"log"``, ``"poly"`` or ``"both"``. None: as printed, ``"poly"`` with a
            polynomial term (Eq. 7) and ``"log"`` without (Eq. 6).
        neg_beta: at least 0: how little a negative weighs that is near a head; 0 as printed.

    Returns:
        A scalar, at least 0, float32 or float64.

    Raises:
        InputError: another shape of ``heat`` or ``mask``, ``num_objects`` of more than one number, or another
            ``beta_on``.

    >>> logits, heat, mask = torch.zeros(3), torch.tensor([1.0, 0.25, 0.0]), torch.tensor([1.0, 1.0, 0.0])
    >>> round(mask_focal_loss(logits, heat, mask, num_objects=1).item(), 4)  # 2 (½⁴ log 2 + ½⁵) − ¼⁴ log ¾ + ½ · ¼⁵
    0.1508
    """
    if beta_on not in (None, "log", "poly", "both"):
        raise InputError(f'beta_on must be "log", "poly", "both" or None, but it is {beta_on!r}.')
    _check(logits, num_objects, heat=heat, mask=mask)
    logits = _computed(logits)
    heat = heat.to(logits.dtype)
    positive = mask > 0.5
    beta_on = beta_on or ("poly" if poly_eps else "log")
    negative = (1 - heat) ** neg_beta if neg_beta else 1.0
    weight = torch.where(positive, heat**beta, negative)
    other = torch.where(positive, 1.0, negative) if neg_beta and beta_on != "both" else None
    terms = _Terms.apply(logits, torch.where(positive, heat, 0.0), False, weight, other, beta_on, gamma, poly_eps)
    return _total(terms, alpha, num_objects, heat)


class _Parts(NamedTuple):
    """What value and gradient share. ``right`` and ``wrong`` are p̂ and 1 − p̂, as Δp falls or rises with them."""

    off: Tensor  # Δp
    rest: Tensor  # 1 − Δp
    surprise: Tensor  # −log(1 − Δp)
    right: Tensor
    wrong: Tensor
    sign: Tensor  # 1 where Δp rises with the logit, else −1
    settled: Tensor | None  # where the target is 0 or 1; None: everywhere


def _parts(logits: Tensor, target: Tensor, hard: bool) -> _Parts:
    """Of a target from 0 to 1, or a hard one (1 or below): the same to the last bit where the target is."""
    # Never 1 − p̂ or 1 − Δp by subtraction, which rounds a confident prediction away.
    tail = torch.exp(-logits.abs())
    large = 1 / (1 + tail)
    small = tail * large
    if hard:
        # Not a comparison: compiled, its bool would be kept for the backward pass, which doubles the time.
        sign = 1 - 2 * target.clamp(0, 1).floor()
        excess = sign * logits
        wrong, right = torch.where(excess > 0, large, small), torch.where(excess > 0, small, large)
        return _Parts(wrong, right, torch.log1p(tail) + excess.clamp(min=0), right, wrong, sign, None)
    one = target == 1
    yes, no = torch.where(logits > 0, large, small), torch.where(logits > 0, small, large)  # p̂, 1 − p̂
    settled, below = one | (target < torch.finfo(target.dtype).tiny), one | (yes < target)
    right, wrong = torch.where(below, yes, no), torch.where(below, no, yes)
    off = torch.where(settled, wrong, (target - yes).abs())
    rest = right + torch.where(below, 1 - target, target)
    # −log(1 − Δp) = log1p(Δp / (1 − Δp)), of a hard target log1p(exp(±logit)).
    excess = torch.where(one, -logits, logits).clamp(min=0)
    surprise = torch.log1p(torch.where(settled, tail, off / rest)) + torch.where(settled, excess, 0.0)
    return _Parts(off, rest, surprise, right, wrong, torch.where(below, -1.0, 1.0), settled)


class _Terms(torch.autograd.Function):
    """w_log Δp^γ · −log(1 − Δp) + ε₁ w_poly Δp^(γ+1) of each pixel.

    ``weight`` is of the terms named by ``on``, ``other`` of the one that is not named; None is 1 everywhere. The
    gradient is written out: left to autograd it would be 0 · ∞ at Δp = 0 for γ below 1, and where 1 − Δp underflows.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        logits: Tensor, target: Tensor, hard: bool, weight: Tensor | None, other: Tensor | None, on: BetaOn,
        gamma: float, poly_eps: float,
    ) -> Tensor:  # fmt: skip
        parts = _parts(logits, target, hard)
        power = parts.off**gamma
        terms = _weighed(power * parts.surprise, other if on == "poly" else weight)
        return terms + poly_eps * _weighed(power * parts.off, other if on == "log" else weight) if poly_eps else terms

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Tensor) -> None:
        logits, target, ctx.hard, weight, other, ctx.on, ctx.gamma, ctx.poly_eps = inputs  # type: ignore[attr-defined]
        ctx.save_for_backward(logits, target, weight, other)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, target, weight, other = ctx.saved_tensors
        parts = _parts(logits, target, ctx.hard)
        steep = torch.where(parts.off > 0, parts.surprise / parts.off, 1.0)  # −log(1 − Δp) / Δp, 1 at its limit
        share = 1.0 if parts.settled is None else torch.where(parts.settled, 1.0, parts.right / parts.rest)
        slope = _weighed(ctx.gamma * (steep * parts.right) + share, other if ctx.on == "poly" else weight)
        if ctx.poly_eps:
            poly = _weighed(parts.right, other if ctx.on == "log" else weight)
            slope = slope + (ctx.poly_eps * (ctx.gamma + 1)) * poly
        slope = parts.sign * parts.off**ctx.gamma * parts.wrong * slope
        return grad * slope, None, None, None, None, None, None, None


def _weighed(values: Tensor, weight: Tensor | None) -> Tensor:
    return values if weight is None else weight * values


def _total(terms: Tensor, alpha: float, num_objects: float | Tensor | None, target: Tensor) -> Tensor:
    if num_objects is None:
        number: float | Tensor = of_batch((target == 1).sum())
    else:
        number = num_objects.clamp(min=1) if isinstance(num_objects, Tensor) else max(1.0, num_objects)
    return alpha * terms.sum() / number


def _computed(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _check(logits: Tensor, num_objects: float | Tensor | None, **others: Tensor) -> None:
    same_shape("logits", logits, **others)
    if isinstance(num_objects, Tensor) and num_objects.dim() > 0:
        raise InputError(f"num_objects must be one number, but its shape is {tuple(num_objects.shape)}.")
