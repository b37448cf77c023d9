"""The study of the mask-aware network names recipes that are there and differ in nothing but the variant."""

from __future__ import annotations

import pytest

from headcount.models.table import build_method
from headcount.train.recipe import load_recipe, published_rows, read_recipe, shipped_recipes
from headcount.train.studies.man import MAN_ABLATION
from headcount.train.studies.study import Arm, runs_of
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


def test_each_arm_stands_beside_the_papers_figures_on_the_same_data() -> None:
    for arm in SMALL.arms:
        assert set(arm.papers) <= set(shipped_recipes())
        (paper,) = (published_rows(name) for name in arm.papers)
        assert {row.data for row in paper} >= read_recipe(arm.recipe).data.sources.keys()
    variants = {arm.variant: published_rows(arm.papers[0])[0].figures["MAE"] for arm in SMALL.arms}
    assert (variants["baseline1"], variants["solution5"], variants["CSRNet"]) == (77.25, 65.74, 68.2)


@pytest.mark.parametrize("arm", MAN_ABLATION.scale("paper").arms, ids=lambda arm: arm.recipe)
def test_a_paper_arm_holds_its_row_itself(arm: Arm) -> None:
    recipe = read_recipe(arm.recipe)
    assert {row.data for row in recipe.published} >= recipe.data.sources.keys()
    assert recipe.model.get("variant", recipe.method) in (arm.variant.lower(), "solution5")


@pytest.mark.slow
@pytest.mark.parametrize("best", SMALL.candidates, ids=lambda arm: arm.variant)
def test_each_loss_can_be_put_to_whatever_is_best(best: Arm) -> None:
    assert SMALL.then is not None
    for arm in SMALL.then.arms(best):
        recipe = load_recipe(arm.recipe, arm.changes)
        build_method(recipe.method, {**recipe.model, "width": 8, "backbone": "test_efficientnet"})
