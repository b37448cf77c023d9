"""The study of the fused network trains each choice of its heads alike."""

from __future__ import annotations

from headcount.train.recipe import load_recipe
from headcount.train.studies.fused import FUSED
from headcount.train.studies.study import chosen_arms, runs_of
from headcount.train.studies.table import STUDIES

SMALL = FUSED.scale("small")


def test_it_is_a_row_of_the_table() -> None:
    assert STUDIES.load("fused") is FUSED


def test_each_head_stands_alone_in_pairs_and_with_all() -> None:
    assert [arm.variant for arm in SMALL.arms] == [
        "density", "instances", "boxes", "density+instances", "density+boxes", "instances+boxes", "all",
    ]  # fmt: skip
    recipes = [load_recipe(arm.recipe, arm.changes) for arm in SMALL.arms]
    assert [len(recipe.model["heads"]) for recipe in recipes] == [1, 1, 1, 2, 2, 2, 3]
    same = [recipe.model_dump(exclude={"summary"}, mode="json") for recipe in recipes]
    for one in same:
        one["model"].pop("heads")
    assert all(one == same[0] for one in same)
    assert recipes[0].data.held_out is not None
    assert len({run.name for run in runs_of(SMALL.arms)}) == 7


def test_one_choice_of_heads_can_be_run_alone() -> None:
    assert [arm.variant for arm in chosen_arms(SMALL, ["density+boxes"])] == ["density+boxes"]
