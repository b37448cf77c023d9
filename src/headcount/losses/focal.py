"""The focal family on logits: Focal Loss, the heat map's of CenterNet, and Mask Focal Loss.

"Mask Focal Loss: a unifying framework for dense crowd counting with canonical object detection networks": Eq. 2 to 7.
Every loss is −α/N · Σ over the pixels of a tensor of any shape. Nothing is clamped: log p̂ and log(1 − p̂) come from the
logits, so that a confident mistake keeps its gradient. Half-precision logits are computed in float32.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

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
    """L_f (Eq. 2), and with ``poly_eps`` 1 L_f^P1 (Eq. 5): positive where ``target`` is 1, negative elsewhere."""
    _check_shapes(logits, target=target)
    positive = target == 1
    log, poly = _binary_terms(_computed(logits), positive, gamma)
    return _total(log - poly_eps * poly, alpha, num_objects, positive)


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
    """L_h (Eq. 3), and with ``poly_eps`` 1 L_h^P1 (Eq. 5): positive where ``heat`` is 1, else weighed (1 − p)^β."""
    _check_shapes(logits, heat=heat)
    logits, positive = _computed(logits), heat == 1
    weight = torch.where(positive, 1.0, (1 - heat.to(logits.dtype)) ** beta)
    log, poly = _binary_terms(logits, positive, gamma)
    return _total(weight * (log - poly_eps * poly), alpha, num_objects, positive)


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
    """L_m (Eq. 6, ``poly_eps`` 0) and L_m^P1 (Eq. 7, ``poly_eps`` 1): positive where ``mask`` is 1.

    A positive's target is its heat p, so that with Δp = |p − p̂| it weighs Δp^γ log(1 − Δp); ``beta_on`` says which
    term p^β weighs (None: as printed, ``"log"`` without the polynomial term, else ``"poly"``). ``neg_beta`` weighs a
    negative by (1 − p)^neg_beta with the heat that the target holds there.
    """
    _check_shapes(logits, heat=heat, mask=mask)
    logits = _computed(logits)
    heat, positive = heat.to(logits.dtype), mask > 0.5
    beta_on = beta_on or ("poly" if poly_eps else "log")
    log, poly = _binary_terms(logits, positive & (heat == 1), gamma)
    soft = positive & (heat > 0) & (heat < 1)
    near, far = _soft_terms(logits, torch.where(soft, heat, 0.5), gamma)  # 0.5: where nothing is taken from it
    log, poly = torch.where(soft, near, log), torch.where(soft, far, poly)
    weight = torch.where(positive, heat**beta, (1 - heat) ** neg_beta)
    on_log = weight if beta_on != "poly" else torch.where(positive, 1.0, weight)
    on_poly = weight if beta_on != "log" else torch.where(positive, 1.0, weight)
    return _total(on_log * log - poly_eps * (on_poly * poly), alpha, num_objects, heat == 1)


def _binary_terms(logits: Tensor, positive: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """q^γ log(1 − q) and q^(γ+1), q the probability of the wrong answer."""
    right = torch.where(positive, logits, -logits)
    wrong = torch.sigmoid(-right)
    return wrong**gamma * F.logsigmoid(right), wrong ** (gamma + 1)


def _soft_terms(logits: Tensor, heat: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Δp^γ log(1 − Δp) and Δp^(γ+1) for a heat between 0 and 1."""
    yes, no = torch.sigmoid(logits), torch.sigmoid(-logits)
    below = yes < heat
    off = torch.where(below, heat - yes, yes - heat)
    return off**gamma * torch.log(torch.where(below, (1 - heat) + yes, no + heat)), off ** (gamma + 1)


def _total(terms: Tensor, alpha: float, num_objects: float | Tensor | None, positive: Tensor) -> Tensor:
    number = positive.sum() if num_objects is None else num_objects
    number = number.clamp(min=1) if isinstance(number, Tensor) else max(1.0, number)
    return -alpha * terms.sum() / number


def _computed(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _check_shapes(logits: Tensor, **others: Tensor) -> None:
    for name, other in others.items():
        if other.shape != logits.shape:
            raise ValueError(
                f"{name} must be of the logits' shape {tuple(logits.shape)}, but it is {tuple(other.shape)}."
            )
