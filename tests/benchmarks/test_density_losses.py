"""The benchmark of density losses: each takes a step."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import get_args

from headcount.models.parts.density import DensityLoss


def test_every_loss_is_measured(benchmark_named: Callable[[str], ModuleType]) -> None:
    study = benchmark_named("density_losses")
    assert list(study.LOSSES) == list(get_args(DensityLoss))
    for loss in study.LOSSES:
        study.step(loss, 5, side=64)()
