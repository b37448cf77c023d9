"""Cross-validation: one recipe on each fold of a data set that has no official test, and the mean of their errors.

A study whose arms are the folds: it is run, goes on where it was cut off, and is kept as any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from statistics import mean, stdev

from headcount.core.errors import InputError, nearest
from headcount.core.words import plural
from headcount.data.sets.registry import DATA_SETS
from headcount.train.recipe import Recipe, load_recipe
from headcount.train.studies.state import Done, State
from headcount.train.studies.study import Arm, Scale, Study

SCALE = "folds"
_FOLD = re.compile(r"(.+)-fold(\d+)")
_FIGURES = ("MAE", "RMSE")


def cross_validation(recipe_name: str, changes: Sequence[str] = (), data: str | None = None) -> Study:
    """The study that trains a recipe on each fold of its data set, and measures it on that fold's test images.

    From these nothing was learned, and by them nothing was chosen. ``data`` is ``NAME=PATH``, the data set
    (``ucf-cc-50``) or one of its folds and where it lies; else as the recipe, with ``changes``, says.

    Raises:
        InputError: as ``load_recipe``; the recipe learns from another number of data sets than one, or from one that is
            not read by folds; ``data`` is another one.
    """
    recipe = load_recipe(recipe_name, changes)
    name, folds = _folds_of(recipe)
    path = next(iter(recipe.data.sources.values()))
    if data is not None:
        given, _, path = data.partition("=")
        if given not in (name, *folds) or not path:
            raise InputError(
                f'"{data}" is not the data that "{recipe.name}" learns from: write {name}=PATH.'
                f"{nearest(given, [name]) if path else ''}"
            )
    arms = tuple(
        Arm(
            recipe=recipe_name, group=recipe.name, variant=f"fold {number}",
            changes=(f"data.sources={json.dumps({fold: path}, ensure_ascii=False)}",),
        )
        for number, fold in enumerate(folds, 1)
    )  # fmt: skip
    return Study(
        name=f"folds-of-{recipe.name}",
        title=f"{recipe.name}, {plural(len(folds), 'fold')} of {name}",
        scales={SCALE: Scale(arms=arms, split="test")},
        baseline="",
        figures=("MAE", "RMSE"),
        summary=lambda state: mean_lines(state, recipe, len(folds)),
    )


def _folds_of(recipe: Recipe) -> tuple[str, list[str]]:
    """The data set that a recipe learns from, and its folds."""
    sources = list(recipe.data.sources)
    match = _FOLD.fullmatch(sources[0]) if len(sources) == 1 else None
    if match is None:
        known = sorted({found.group(1) for name in DATA_SETS if (found := _FOLD.fullmatch(name))})
        learned = ", ".join(sources) or "no data set"
        raise InputError(
            f'"{recipe.name}" learns from {learned}, but cross-validation takes one data set that is read by folds: '
            f"{', '.join(f'{name}-fold1' for name in known)}."
        )
    name = match.group(1)
    return name, sorted(known for known in DATA_SETS if (found := _FOLD.fullmatch(known)) and found.group(1) == name)


def mean_lines(state: State, recipe: Recipe, folds: int) -> list[str]:
    """The mean over the folds that are done, each counting alike, and the figures that papers report of it.

    Of several seeds it is the mean of theirs, with the standard deviation over the seeds that are done with all folds.
    """
    by_fold = _by_fold(state)
    if not by_fold:
        return []
    seeds = sorted({one.seed for runs in by_fold.values() for one in runs})
    means = {
        figure: mean(mean(_figure(one, figure) for one in runs) for runs in by_fold.values()) for figure in _FIGURES
    }
    part = "" if len(by_fold) == folds else f"{len(by_fold)} of "
    told = _told(means)
    whole = [seed for seed in seeds if all(any(one.seed == seed for one in runs) for runs in by_fold.values())]
    if len(whole) > 1:
        spread = {
            figure: stdev(mean(_figure(one, figure) for one in state.comparable if one.seed == seed) for seed in whole)
            for figure in _FIGURES
        }
        told += f" (± {_told(spread)} over {len(whole)} seeds)"
    lines = [f"mean of {part}{plural(folds, 'fold')}: {told}"]
    name = _folds_of(recipe)[0]
    return lines + [f"{row.row}: {_told(row.figures)}" for row in recipe.published if row.data == name]


def _by_fold(state: State) -> dict[str, list[Done]]:
    """The runs that are done, by their fold."""
    found: dict[str, list[Done]] = {}
    for one in sorted(state.comparable, key=lambda done: (done.variant, done.seed)):
        found.setdefault(one.variant, []).append(one)
    return found


def _figure(done: Done, figure: str) -> float:
    (result,) = done.results.values()
    return result.figures[figure]


def _told(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {figures[name]:.1f}" for name in _FIGURES if name in figures)


def fold_table(state: State, study: Study) -> list[str]:
    """A line a fold, and the mean: at most 80 columns."""
    lines = [study.title]
    if state.comparable:
        lines.append(f"  {'':<8}{'images':>8}{'MAE':>11}{'RMSE':>11}{'one count for all':>20}")
    for fold, runs in _by_fold(state).items():
        ((data, result),) = runs[0].results.items()
        cells = "".join(f"{mean(_figure(one, name) for one in runs):>11.1f}" for name in _FIGURES)
        lines.append(f"  {fold:<8}{result.images:>8}{cells}{state.constants[data].mae:>20.1f}")
    return [*lines, *(f"  {line}" for line in study.summary(state))]
