"""The study of the Mask Focal Loss names recipes that are there, and the paper's figures of each."""

from __future__ import annotations

import pytest

from headcount.train.recipe import published_rows, read_recipe, shipped_recipes
from headcount.train.studies.mfl import MFL
from headcount.train.studies.study import Arm, runs_of
from headcount.train.studies.table import STUDIES

pytestmark = pytest.mark.slow
_SETS = ("scut-head-a", "scut-head-b", "crohd", "gta-head")


def test_it_is_a_row_of_the_table() -> None:
    assert STUDIES.load("mfl") is MFL


@pytest.mark.parametrize("arm", MFL.scale("small").arms, ids=lambda arm: arm.recipe)
def test_a_small_arm_stands_beside_its_row_of_table_vi(arm: Arm) -> None:
    recipe = read_recipe(arm.recipe)
    assert recipe.model["loss"] == arm.variant
    rows = [row for paper in arm.papers for row in published_rows(paper)]
    assert [row.data for row in rows] == list(recipe.data.sources)
    title = f"Table VI, {arm.group}{'*' * (arm.variant == 'mask_focal')}"
    assert {row.row for row in rows} == {title}


@pytest.mark.parametrize("arm", MFL.scale("paper").arms, ids=lambda arm: arm.recipe)
def test_a_paper_arm_holds_its_row_itself(arm: Arm) -> None:
    recipe = read_recipe(arm.recipe)
    assert recipe.model.get("loss", "mask_focal" if arm.variant == "mask_focal" else "its own") == arm.variant
    assert any(arm.group in row.row for row in recipe.published)


def test_every_recipe_is_in_it_but_those_of_the_ablation() -> None:
    named = {arm.recipe for scale in MFL.scales.values() for arm in scale.arms}
    of_density = {f"{network}-{data}" for network in ("csrnet", "cannet") for data in _SETS}
    of_heads = {name for name in shipped_recipes() if name.startswith("mfl-") and "ablation" not in name}
    assert named == of_heads | of_density


def test_centernet_has_three_seeds_and_each_pair_is_trained_before_the_next() -> None:
    names = [run.name for run in runs_of(MFL.scale("small").arms)]
    assert len(names) == 14
    assert names[:3] == [
        "mfl-small-centernet-focal-seed1", "mfl-small-centernet-seed1", "mfl-small-fcos-focal-seed1",
    ]  # fmt: skip
    assert names[-2:] == ["mfl-small-centernet-focal-seed3", "mfl-small-centernet-seed3"]
