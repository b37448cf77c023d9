"""The loss of a head-scale network."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from headcount.losses.whole import of_batch

Deviation = Literal["mse", "l1"]


def log_area_loss(log_area: Tensor, target: Tensor, weight: Tensor, *, deviation: Deviation = "mse") -> Tensor:
    """The mean over heads of the squared (``mse``) or absolute (``l1``) error of the log area; 0 where there are none.

    All (b, 1, h, w), ``weight`` as ``targets.scale`` gives it: each head's cells weigh 1 together. Half of the ``l1``
    value is about the relative error of a head's side.
    """
    error = log_area - target
    each = error.square() if deviation == "mse" else error.abs()
    return (weight * each).sum() / of_batch(weight.sum())
