"""Learning rates and optimisers by the step alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from headcount.train.recipe import OptimiserSettings, Recipe
from headcount.train.schedule import build_optimiser, lr_factor, optimiser_name, set_lr


def _recipe(**optimiser: Any) -> Recipe:
    return Recipe(name="x", epochs=4, steps_per_epoch=10, optimiser=OptimiserSettings(**optimiser))


def test_without_warm_up_the_first_rate_is_whole() -> None:
    for schedule in ("cosine", "steps", "polynomial", "exponential", "constant"):
        assert lr_factor(0, _recipe(schedule=schedule, warmup_steps=0)) == 1.0


def test_warm_up_rises_in_a_line() -> None:
    recipe = _recipe(schedule="constant", warmup_steps=5)
    assert [lr_factor(step, recipe) for step in range(7)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1])


def test_a_longer_cosine_is_followed_until_the_run_ends() -> None:
    longer = _recipe(schedule="cosine", warmup_steps=8, cosine_epochs=10)
    whole = longer.model_copy(update={"epochs": 10})
    assert [lr_factor(step, longer) for step in range(longer.total_steps)] == [
        lr_factor(step, whole) for step in range(longer.total_steps)
    ]
    assert lr_factor(longer.total_steps - 1, longer) > 0.1


def test_cosine_falls_from_one_to_nearly_nothing() -> None:
    recipe = _recipe(schedule="cosine", warmup_steps=8)
    factors = [lr_factor(step, recipe) for step in range(8, 40)]
    assert factors[0] == 1.0
    assert factors == sorted(factors, reverse=True)
    assert factors[16] == pytest.approx(0.5)
    assert factors[-1] == pytest.approx(0.5 * (1 + math.cos(math.pi * 31 / 32)))
    assert lr_factor(40, recipe) == pytest.approx(0)
    assert lr_factor(99, recipe) == pytest.approx(0)


def test_a_warm_up_longer_than_the_run_divides_by_nothing() -> None:
    recipe = _recipe(schedule="cosine", warmup_steps=100)
    assert lr_factor(39, recipe) == pytest.approx(0.4)
    assert 0 <= lr_factor(100, recipe) <= 1


def test_steps_fall_by_epochs() -> None:
    recipe = _recipe(schedule="steps", warmup_steps=0, step_epochs=2, step_factor=0.1)
    assert [lr_factor(step, recipe) for step in (0, 19, 20, 39, 40)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_the_authors_schedule_of_iim_falls_to_zero_with_every_step() -> None:
    recipe = _recipe(schedule="polynomial", warmup_steps=0)
    assert [lr_factor(step, recipe) for step in (0, 1, 20, 39)] == pytest.approx(
        [1, (39 / 40) ** 0.9, 0.5**0.9, (1 / 40) ** 0.9]
    )
    assert lr_factor(40, recipe) == lr_factor(99, recipe) == 0
    assert lr_factor(20, _recipe(schedule="polynomial", warmup_steps=0, polynomial_power=2)) == 0.25


def test_after_a_warm_up_a_polynomial_begins_whole() -> None:
    recipe = _recipe(schedule="polynomial", warmup_steps=8)
    assert lr_factor(7, recipe) == lr_factor(8, recipe) == 1
    assert lr_factor(39, _recipe(schedule="polynomial", warmup_steps=100)) == pytest.approx(0.4)


def test_the_papers_schedule_of_iim_falls_by_the_epoch() -> None:
    recipe = _recipe(schedule="exponential", warmup_steps=0)
    assert [lr_factor(step, recipe) for step in (0, 9, 10, 39)] == pytest.approx([1, 1, 0.99, 0.99**3])


@pytest.mark.parametrize(
    ("after", "names"), [(None, ["adam"] * 3), (0, ["sgd"] * 3), (2, ["adam", "adam", "sgd"]), (9, ["adam"] * 3)]
)
def test_the_optimiser_changes_after_its_epoch(after: int | None, names: list[str]) -> None:
    recipe = _recipe(name="adam", then_sgd_after_epoch=after)
    assert [optimiser_name(step, recipe) for step in (0, 19, 20)] == names


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_every_group_keeps_its_own_rate(name: str, kind: type) -> None:
    settings = OptimiserSettings(weight_decay=0.25, momentum=0.5)
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": lr} for lr in (0.4, 0.1)]
    optimiser = build_optimiser(name, groups, settings)
    assert type(optimiser) is kind
    set_lr(optimiser, 0.5)
    set_lr(optimiser, 0.25)
    assert [group["lr"] for group in optimiser.param_groups] == [0.1, 0.025]
    assert all(group["weight_decay"] == 0.25 for group in optimiser.param_groups)
    if name == "sgd":
        assert all(group["momentum"] == 0.5 for group in optimiser.param_groups)
