"""The study of the mask-aware network names recipes that are there and differ in nothing but the variant."""

from __future__ import annotations

import pytest

from headcount.models.table import build_method
from headcount.train.recipe import load_recipe, read_recipe, shipped_recipes
from headcount.train.studies.man import MAN_ABLATION
from headcount.train.studies.study import runs_of
from headcount.train.studies.table import STUDIES

SMALL = MAN_ABLATION.scale("small")


def test_it_is_a_row_of_the_table() -> None:
    assert STUDIES.load("man-ablation") is MAN_ABLATION


def test_all_solutions_and_baselines_have_one_budget_and_two_seeds() -> None:
    arms = [arm for arm in SMALL.arms if not arm.is_extra]
    names = [f"baseline{n}" for n in (1, 2, 3)] + [f"solution{n}" for n in (1, 2, 3, 4, 5)]
    assert [arm.variant for arm in arms] == names
    assert len(runs_of(arms)) == 16
    recipes = [read_recipe(arm.recipe) for arm in arms]
    assert [recipe.model["variant"] for recipe in recipes] == names
    same = [recipe.model_dump(exclude={"name", "summary"}, mode="json") for recipe in recipes]
    for one in same:
        one["model"].pop("variant")
    assert all(one == same[0] for one in same)
    assert recipes[0].data.held_out is not None
    assert {arm.recipe for arm in arms} <= set(shipped_recipes())


@pytest.mark.slow
@pytest.mark.parametrize("best", SMALL.candidates, ids=lambda arm: arm.variant)
def test_each_loss_can_be_put_to_whatever_is_best(best) -> None:
    assert SMALL.then is not None
    for arm in SMALL.then.arms(best):
        recipe = load_recipe(arm.recipe, arm.changes)
        build_method(recipe.method, {**recipe.model, "width": 8, "backbone": "test_efficientnet"})
