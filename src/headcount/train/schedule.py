"""Learning rates and optimisers, as functions of the step alone."""

from __future__ import annotations

import math
from typing import Any

import torch

from headcount.train.recipe import OptimiserSettings, Recipe


def lr_factor(step: int, recipe: Recipe) -> float:
    """What the learning rate is multiplied by at a step.

    A linear warm-up, then ``cosine`` to zero over the run, ``steps`` down every so many epochs, ``polynomial`` to zero
    over the run, ``exponential`` by the epoch, or ``constant``.
    """
    settings = recipe.optimiser
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    if settings.schedule == "cosine":
        length = (settings.cosine_epochs or recipe.epochs) * recipe.steps_per_epoch
        done = (step - settings.warmup_steps) / max(1, length - settings.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    if settings.schedule == "steps":
        epoch = step // recipe.steps_per_epoch
        return float(settings.step_factor ** (epoch // settings.step_epochs))
    if settings.schedule == "polynomial":
        done = (step - settings.warmup_steps) / max(1, recipe.total_steps - settings.warmup_steps)
        return float((1 - min(1.0, done)) ** settings.polynomial_power)
    if settings.schedule == "exponential":
        return float(settings.epoch_factor ** (step // recipe.steps_per_epoch))
    return 1.0


def optimiser_name(step: int, recipe: Recipe) -> str:
    """Which optimiser a step belongs to: the recipe may change to SGD after an epoch."""
    after = recipe.optimiser.then_sgd_after_epoch
    if after is not None and step >= after * recipe.steps_per_epoch:
        return "sgd"
    return recipe.optimiser.name


def build_optimiser(name: str, groups: list[dict[str, Any]], settings: OptimiserSettings) -> torch.optim.Optimizer:
    """An optimiser over ``groups``; each group's own rate is kept as ``initial_lr``."""
    groups = [{**group, "initial_lr": group["lr"]} for group in groups]
    if name == "adamw":
        return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    if name == "adam":
        return torch.optim.Adam(groups, weight_decay=settings.weight_decay)
    return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay)


def set_lr(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Every group's rate to its initial one times ``factor``."""
    for group in optimiser.param_groups:
        group["lr"] = group["initial_lr"] * factor
