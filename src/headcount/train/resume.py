"""Going on with a run: what must be as it was, what may differ, and the record of what was changed on purpose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headcount.core.errors import InputError
from headcount.core.files import write_json
from headcount.infer.runtimes.table import one_word
from headcount.train.recipe import DataSettings, OptimiserSettings, Recipe
from headcount.train.schedule import lr_factor

_MAY_DIFFER = frozenset(
    {
        "output", "checkpoint_seconds", "log_steps", "threads", "device", "devices", "nodes", "strategy", "summary",
        "published",
    }
)  # fmt: skip
"""Settings that a resumed run may change: they do not change its result, or only as another machine would."""
_DATA_MAY_DIFFER = frozenset({"cache_mb", "workers"})
CHANGES = "changes.json"


def check_same_recipe(recipe: Recipe, saved: dict[str, Any], folder: Path, *, step: int = 0) -> str:
    """Stop where a recipe is not that of the run; but it may have more epochs, of which the words are returned.

    ``saved`` is the recipe of the run's checkpoint, at ``step``.

    Raises:
        InputError: names the first setting that differs.
    """
    saved = _as_of_now(saved, recipe)
    epochs, cosine_epochs = saved["epochs"], saved["optimiser"]["cosine_epochs"]
    if recipe.epochs < epochs:
        raise InputError(f'The run in "{folder}" is one of {epochs} epochs: resume it with epochs={epochs} or more.')
    if differs := different_setting(recipe, saved):
        raise InputError(
            f'The run in "{folder}" was started with another "{differs}": '
            "resume it unchanged, or start a new one with another output=FOLDER."
        )
    longer = recipe.epochs > epochs
    return _lengthened(recipe, epochs, cosine_epochs or epochs, step) if longer else ""


def different_setting(recipe: Recipe, saved: dict[str, Any]) -> str:
    """The first setting by which a recipe would end otherwise than a run with the ``saved`` one; empty if none.

    More or fewer epochs are no difference.
    """
    now, saved = json.loads(recipe.model_dump_json()), _as_of_now(saved, recipe)
    for either in (now, saved):
        either["data"] = {key: value for key, value in either["data"].items() if key not in _DATA_MAY_DIFFER}
        either["data"]["sources"] = list(either["data"]["sources"])  # where they lie may differ: images are compared
        if recipe.epochs > saved["epochs"]:
            either["optimiser"] = {key: value for key, value in either["optimiser"].items() if key != "cosine_epochs"}
    different = (key for key in now if key not in _MAY_DIFFER and key != "epochs" and now[key] != saved.get(key))
    return next((_first_difference(key, now[key], saved.get(key)) for key in different), "")


def different_key(one: dict[str, Any], other: dict[str, Any]) -> str:
    """The first key by which two tables of settings differ, inside their tables too; empty if none.

    >>> different_key({"batch": 4, "data": {"crop": 64}}, {"batch": 4, "data": {"crop": 96}})
    'data.crop'
    """
    key = next((key for key in {**one, **other} if one.get(key) != other.get(key)), "")
    now, then = one.get(key), other.get(key)
    return f"{key}.{different_key(now, then)}" if isinstance(now, dict) and isinstance(then, dict) else key


def _as_of_now(saved: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """A run's recipe with what is now the default of settings that it is older than."""
    kinds = {"data": DataSettings, "optimiser": OptimiserSettings}
    older = {key: kind().model_dump(mode="json") | saved.get(key, {}) for key, kind in kinds.items()}
    saved = Recipe(name=recipe.name).model_dump(mode="json") | saved | older
    return {**saved, "precision": one_word(saved["precision"])}  # a run may be older than its one word


def _first_difference(key: str, now: Any, then: Any) -> str:
    """The key of what differs, inside a table too."""
    if isinstance(now, dict) and isinstance(then, dict):
        return next((f"{key}.{inner}" for inner in {**now, **then} if now.get(inner) != then.get(inner)), key)
    return key


def _lengthened(recipe: Recipe, epochs: int, cosine_epochs: int, step: int) -> str:
    """What is said of a run that had ``epochs`` and gets more, and of its learning rate.

    Raises:
        InputError: the rate has fallen to 0 for good.
    """
    optimiser = recipe.optimiser.model_copy(update={"cosine_epochs": cosine_epochs})
    shorter = {"epochs": epochs, "optimiser": optimiser}
    before, after = lr_factor(step, recipe.model_copy(update=shorter)), lr_factor(step, recipe)
    if after == 0:
        raise InputError(
            f"The learning rate has come to 0 at step {step:,}, where the cosine of "
            f"{recipe.optimiser.cosine_epochs} epochs ends: set optimiser.cosine_epochs={recipe.epochs} too."
        )
    words = f"lengthened from {epochs:,} to {recipe.epochs:,} epochs; "
    schedule = recipe.optimiser.schedule
    is_spread = schedule == "polynomial" or (
        schedule == "cosine" and (recipe.optimiser.cosine_epochs or recipe.epochs) != cosine_epochs
    )
    if not is_spread:
        return words + f"the schedule of the learning rate ({schedule}) is as it was"
    if before == after:  # at its start all lengths are the same
        return words + f"the learning rate ({schedule}) is spread over the new length, but no other yet"
    return words + (
        f"the learning rate ({recipe.optimiser.schedule}) is spread over the new length: "
        f"{after:.1%} of its full value from here, where it was {before:.1%}"
    )


def add_changes(folder: Path, step: int, words: Sequence[str]) -> list[dict[str, Any]]:
    """Put what was changed at a step on a run's record, ``changes.json``, and return the whole of it.

    Raises:
        InputError: the record is damaged, or cannot be written.
    """
    changes = read_changes(folder)
    # Twice the same is of a run that was resumed, cut off before its next checkpoint, and resumed again.
    new = [one for one in ({"step": step, "what": what} for what in words) if one not in changes]
    if new:
        write_json(folder / CHANGES, changes + new)
    return changes + new


def read_changes(folder: Path) -> list[dict[str, Any]]:
    """What was changed in a run so far: ``step`` and ``what`` of each.

    Raises:
        InputError: the record is damaged.
    """
    file = folder / CHANGES
    if not file.is_file():
        return []
    try:
        return [{"step": int(one["step"]), "what": str(one["what"])} for one in json.loads(file.read_text("utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f'"{file}" is damaged ({type(error).__name__}): move it away to go on without it.') from error
