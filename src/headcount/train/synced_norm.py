"""Batch norms that learn from all processes' rows of a batch: their mean and variance are those of the whole batch.

torch's own, SyncBatchNorm, computes on GPUs alone. This one stands in for ``torch.nn.functional.batch_norm``, which
every batch norm calls, whatever its class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Sum = Callable[[Tensor], Tensor]
"""Adds a tensor up over all processes."""


class SyncedNorms(TorchFunctionMode):
    """While it is entered, batch norms that learn their statistics share them; others are as they are.

    Every process must call the same batch norms in the same order, forwards and backwards.
    """

    def __init__(self, summed: Sum) -> None:
        super().__init__()
        self.summed = summed

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:  # fmt: skip
        if func is not F.batch_norm:
            return func(*args, **(kwargs or {}))
        return _norm(self.summed, *args, **(kwargs or {}))


def _norm(
    summed: Sum, features: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False, momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """``F.batch_norm``, by its arguments."""
    if not training:
        return F.batch_norm(features, running_mean, running_var, weight, bias, False, momentum, eps)
    with torch.autocast(features.device.type, enabled=False):
        normed, mean, variance, number = _Norm.apply(features, weight, bias, eps, summed)
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean), momentum)
            running_var.lerp_((variance * (number / (number - 1))).to(running_var), momentum)
    return normed  # type: ignore[no-any-return]


class _Norm(torch.autograd.Function):
    """(x − mean) / √(variance + ε) · weight + bias, of all processes' rows.

    Means and squares about them are added up in two turns: squares about 0 would lose what is small beside the mean.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, summed: Sum
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        values = features if features.dtype == torch.float64 else features.float()
        over = [axis for axis in range(values.dim()) if axis != 1]
        rows = values.new_tensor([values.numel() / values.shape[1]])
        sums = summed(torch.cat([values.sum(dim=over), rows]))
        number = sums[-1]
        if number < 2:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {features.shape}")
        mean = sums[:-1] / number
        about = values - _along(mean, values)
        variance = summed(about.square().sum(dim=over)) / number
        scale = (variance + eps).rsqrt()
        normed = about * _along(scale if weight is None else scale * weight.to(scale), values)
        if bias is not None:
            normed = normed + _along(bias.to(normed), values)
        ctx.save_for_backward(features, weight, mean, scale, number)
        ctx.summed, ctx.has_bias = summed, bias is not None
        ctx.mark_non_differentiable(mean, variance, number)
        return normed.to(features.dtype), mean, variance, number

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, mean, scale, number = ctx.saved_tensors  # type: ignore[attr-defined]
        kind = torch.float64 if features.dtype == torch.float64 else torch.float32
        gradient, values = gradients[0].to(kind), features.to(kind)
        over = [axis for axis in range(values.dim()) if axis != 1]
        normed = (values - _along(mean, values)) * _along(scale, values)
        own = torch.stack([gradient.sum(dim=over), (gradient * normed).sum(dim=over)])
        sums = ctx.summed(own.clone()) / number  # type: ignore[attr-defined]
        steep = scale if weight is None else scale * weight.to(scale)
        moved = gradient - _along(sums[0], values) - normed * _along(sums[1], values)
        by_input = (moved * _along(steep, values)).to(features.dtype)
        # Weight and bias are each process's own, as all gradients are.
        by_weight = None if weight is None else own[1].to(weight.dtype)
        has_bias: bool = ctx.has_bias  # type: ignore[attr-defined]
        by_bias = own[0].to(kind if weight is None else weight.dtype) if has_bias else None
        return by_input, by_weight, by_bias, None, None


def _along(channels: Tensor, like: Tensor) -> Tensor:
    """(c,) beside (b, c, …)."""
    return channels.view(1, -1, *[1] * (like.dim() - 2))
