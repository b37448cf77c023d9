"""Going on: what must be as it was, and more epochs on purpose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headcount.core.errors import InputError
from headcount.train.recipe import DataSettings, OptimiserSettings, Recipe
from headcount.train.resume import add_changes, check_same_recipe, read_changes


def _recipe(epochs: int = 4, **optimiser: Any) -> Recipe:
    settings = OptimiserSettings(**{"warmup_steps": 0, **optimiser})
    return Recipe(name="tiny", epochs=epochs, steps_per_epoch=10, optimiser=settings)


def _saved(recipe: Recipe) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(recipe.model_dump_json())
    return values


def test_the_same_recipe_goes_on_without_a_word(tmp_path: Path) -> None:
    assert check_same_recipe(_recipe(), _saved(_recipe()), tmp_path) == ""


@pytest.mark.parametrize("key", ["data.blur", "data.workers", "optimiser.momentum", "batch"])
def test_a_run_older_than_a_setting_had_its_default(tmp_path: Path, key: str) -> None:
    saved = _saved(_recipe())
    place, _, name = key.rpartition(".")
    del (saved[place] if place else saved)[name]
    assert check_same_recipe(_recipe(), saved, tmp_path) == ""


@pytest.mark.parametrize(
    ("optimiser", "step", "words"),
    [
        ({}, 40, "(cosine) is spread over the new length: 50.0% of its full value from here, where it was 0.0%"),
        ({}, 20, "85.4% of its full value from here, where it was 50.0%"),
        ({"schedule": "polynomial", "polynomial_power": 1}, 40, "(polynomial) is spread over the new length: 50.0%"),
        ({"schedule": "steps"}, 40, "the schedule of the learning rate (steps) is as it was"),
        ({"schedule": "constant"}, 40, "(constant) is as it was"),
        ({"schedule": "exponential"}, 40, "(exponential) is as it was"),
        ({"cosine_epochs": 16}, 40, "(cosine) is as it was"),
        ({"warmup_steps": 30}, 12, "(cosine) is spread over the new length, but no other yet"),
        ({"schedule": "polynomial"}, 0, "(polynomial) is spread over the new length, but no other yet"),
        ({"warmup_steps": 30, "schedule": "steps"}, 12, "(steps) is as it was"),
    ],
)
def test_more_epochs_are_told_with_what_becomes_of_the_rate(
    tmp_path: Path, optimiser: dict[str, Any], step: int, words: str
) -> None:
    told = check_same_recipe(_recipe(8, **optimiser), _saved(_recipe(4, **optimiser)), tmp_path, step=step)
    assert told.startswith("lengthened from 4 to 8 epochs; ")
    assert words in told


def test_a_cosine_that_has_ended_is_lengthened_too_or_nothing_is_learned(tmp_path: Path) -> None:
    saved = _saved(_recipe(4, cosine_epochs=4))
    with pytest.raises(InputError, match=r"come to 0 at step 40.*optimiser\.cosine_epochs=8"):
        check_same_recipe(_recipe(8, cosine_epochs=4), saved, tmp_path, step=40)
    assert "50.0%" in check_same_recipe(_recipe(8, cosine_epochs=8), saved, tmp_path, step=40)


def test_a_run_is_not_shortened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one of 8 epochs: resume it with epochs=8 or more"):
        check_same_recipe(_recipe(4), _saved(_recipe(8)), tmp_path)


def test_a_longer_run_differs_in_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'another "optimiser\.lr"'):
        check_same_recipe(_recipe(8, lr=1), _saved(_recipe(4)), tmp_path)
    with pytest.raises(InputError, match=r'another "optimiser\.cosine_epochs"'):  # the cosine alone is no longer run
        check_same_recipe(_recipe(4, cosine_epochs=9), _saved(_recipe(4)), tmp_path)


def test_data_may_lie_elsewhere_but_not_be_other_sets(tmp_path: Path) -> None:
    def at(**sources: str) -> Recipe:
        return _recipe().model_copy(update={"data": DataSettings(sources=sources)})

    assert check_same_recipe(at(points="/b", mall="c"), _saved(at(points="/a", mall="c")), tmp_path) == ""
    for other in (at(points="/a"), at(mall="c", points="/a")):  # the order of sets is that of the samples
        with pytest.raises(InputError, match=r'another "data\.sources"'):
            check_same_recipe(other, _saved(at(points="/a", mall="c")), tmp_path)


def test_changes_stay_on_the_record_and_are_not_doubled(tmp_path: Path) -> None:
    assert add_changes(tmp_path, 3, []) == read_changes(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    first = add_changes(tmp_path, 3, ["longer"])
    assert add_changes(tmp_path, 3, ["longer"]) == first == [{"step": 3, "what": "longer"}]
    assert add_changes(tmp_path, 5, ["longer", "images"]) == read_changes(tmp_path)
    assert [one["step"] for one in read_changes(tmp_path)] == [3, 5, 5]
    (tmp_path / "changes.json").write_text("[3]")
    with pytest.raises(InputError, match=r"changes\.json.*damaged"):
        read_changes(tmp_path)


@pytest.mark.parametrize("then", ["fp32", "f32", "float32"])
def test_a_run_of_before_numbers_had_one_word_goes_on(tmp_path: Path, then: str) -> None:
    recipe = Recipe(name="mine")
    assert recipe.precision == Recipe.model_validate({"name": "mine", "precision": then}).precision == "f32"
    assert check_same_recipe(recipe, {**recipe.model_dump(mode="json"), "precision": then}, tmp_path) == ""
