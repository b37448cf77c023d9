"""A study is run: one training after the other, each measured when it ends; what is done is not done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headcount.core.errors import HeadcountError, InputError, ModelError, nearest
from headcount.core.files import atomic_text, writing
from headcount.core.locks import held
from headcount.core.notes import Skipped, raise_first
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.train.checkpoint import find_checkpoint, read_checkpoint
from headcount.train.initialisation import initial_weights
from headcount.train.loop import RECIPE, train
from headcount.train.pools import evenly, read_pools, read_source
from headcount.train.recipe import Recipe, load_recipe
from headcount.train.resume import different_setting
from headcount.train.studies.measure import Trained, measure
from headcount.train.studies.pictures import draw_group
from headcount.train.studies.report import markdown
from headcount.train.studies.second import best_arm, missing_runs
from headcount.train.studies.state import STATE, Constant, Done, State, read_state
from headcount.train.studies.study import Run, Scale, Study, chosen_arms, runs_of

Say = Callable[[str], None]
TABLE, RUNS, PICTURES = "study.md", "runs", "pictures"
_PICTURES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOptions:
    """What the user of a study says.

    Attributes:
        output: the folder of the study.
        sources: where data sets lie, by name; arms that learn from others are left out. Empty: as the recipes say.
        only: the groups to run, all where empty.
        seeds: seeds of each arm, from 1 up; else as the study says.
        steps: the length of each training; else as the recipes say.
        images: at most so many images of each list are measured on.
        split: the list that is reported on; else as the study says.
        initialisation: the file that recipes start from which start from one.
        threads: threads that compute.
        changes: ``key=value`` for every recipe.
        resume: a study must be there already.
    """

    output: Path
    sources: Mapping[str, str] = field(default_factory=dict)
    only: Sequence[str] = ()
    seeds: int | None = None
    steps: int | None = None
    images: int | None = None
    split: str | None = None
    initialisation: str | None = None
    threads: int | None = None
    changes: Sequence[str] = ()
    resume: bool = False


def run_study(study: Study, scale_name: str, options: StudyOptions, *, say: Say) -> tuple[State, list[Skipped]]:
    """Run what of a study is not done yet, and return all that is, and the runs that failed.

    One that fails (its loss is no longer finite) keeps no other from being run.

    The folder holds ``study.json`` (what is done, and the figures), ``study.md`` (the table), ``runs/`` (the trainings)
    and ``pictures/``. A study that was cut off at any instant goes on where it was when it is run again.

    Raises:
        InputError: an option names what is not there, the folder holds another study or one of other settings, or
            another command writes to it.
        HeadcountError: every run failed; what the first one raised.
    """
    scale = study.scale(scale_name)
    folder = options.output
    state = read_state(folder, study.name, scale_name)
    if options.resume and not (folder / STATE).is_file() and not (folder / RUNS).is_dir():
        raise InputError(f'There is no study in "{folder}" to resume: start one.')
    _refuse_own_settings(options.changes)
    arms = chosen_arms(scale, options.only)
    split = options.split or scale.split
    varied = scale.then.chosen(options.only) if scale.then is not None else ()
    if not arms:
        _refuse_second_stage_alone(scale, options.seeds, _measured_alike(state, split, options.images))
    stage = _Stage(study, runs_of(arms, options.seeds), options, split, say)
    second = _second_stage(study, scale, varied, state, options, split, say)
    for one in (stage, second):
        if one is not None:
            one.check(state)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with held(folder):
        state = read_state(folder, study.name, scale_name)  # another command may have ended since
        state, failed = stage.run(state)
        asked = len(stage.recipes)
        second = _second_stage(study, scale, varied, state, options, split, say, tell=True)
        if second is not None:
            second.check(state)
            state, more = second.run(state)
            failed, asked = [*failed, *more], asked + len(second.recipes)
    if failed and len(failed) == asked:
        raise_first(failed)
    return state, failed


def _measured_alike(state: State, split: str, images: int | None) -> list[Done]:
    return [one for one in state.runs if (one.split, one.at_most) == (split, images)]


def _refuse_second_stage_alone(scale: Scale, seeds: int | None, done: Sequence[Done]) -> None:
    """Stop where the second stage alone is asked for, and it is not known yet what it starts from.

    Raises:
        InputError: names a run that is still to be run.
    """
    missing = missing_runs(scale, seeds, done)
    if missing:
        raise InputError(
            f'What was asked for starts from the best of the first stage, of which "{missing[0].name}" is not done: '
            "run the whole study."
        )


def _second_stage(
    study: Study, scale: Scale, varied: Sequence[str], state: State, options: StudyOptions, split: str, say: Say,
    *, tell: bool = False,
) -> _Stage | None:  # fmt: skip
    """The second stage, as soon as the first tells which arm it varies."""
    done = _measured_alike(state, split, options.images)
    best = best_arm(scale, state, done)
    if scale.then is None or best is None or not varied:
        return None
    missing = missing_runs(scale, options.seeds, done)
    if missing and tell and options.only:
        say(f"{scale.then.group.capitalize()}: not yet, {missing[0].name} is still to be run.")
    if missing and (options.only or not tell):
        return None
    arms = [arm for arm in scale.then.arms(best) if arm.variant in varied]
    if tell:
        say(f"{scale.then.group.capitalize()}: on {best.variant}, which errs least on the held-out images.")
        for name in varied:
            if name not in [arm.variant for arm in arms]:
                say(f"{name} is left out: {best.variant} cannot learn by it.")
    return _Stage(study, runs_of(arms, options.seeds), options, split, say)


class _Stage:
    """Runs that are known from the start, with their recipes and the images that they are measured on."""

    def __init__(self, study: Study, runs: Sequence[Run], options: StudyOptions, split: str, say: Say) -> None:
        self.study, self.options, self.split, self.say = study, options, split, say
        self.recipes = _recipes(runs, options) if runs else {}
        self.lists: dict[str, list[Scene]] = {}

    def check(self, state: State) -> None:
        """Stop before anything is done where something cannot be.

        Raises:
            InputError: a run was begun or done with other settings, or what it learns from or is measured on is not
                there.
        """
        for run, recipe in self.recipes.items():
            _refuse_other_settings(run, state.find(run.name), recipe, self.options.output)
        for start in dict.fromkeys(recipe.initialisation for recipe in self.recipes.values()):
            if start not in (None, "none"):
                initial_weights(str(start))
        if not self.lists:
            self.lists = _read_lists(self.recipes.values(), self.split, self.options.images, self.say)

    def run(self, state: State) -> tuple[State, list[Skipped]]:
        """Run what is not done yet; the state with it, and what failed."""
        options, split, say, folder = self.options, self.split, self.say, self.options.output
        failed: list[Skipped] = []
        for number, (run, recipe) in enumerate(self.recipes.items(), 1):
            lead = f"Run {number} of {len(self.recipes)}, {run.name}"
            done = state.find(run.name)
            if done is not None and (done.split, done.at_most) == (split, options.images):
                say(f"{lead}: done before.")
            else:
                say(f"{lead}: {plural(recipe.total_steps, 'step')}.")
                try:
                    train(recipe, resume=(recipe.folder / RECIPE).is_file(), say=say)
                    mine = {name: self.lists[name] for name in recipe.data.sources}
                    say(f"{run.name}: measured on {plural(sum(map(len, mine.values())), 'image')} …")
                    state = state.with_run(*self._measure(run, recipe, mine))
                except HeadcountError as error:
                    failed.append(Skipped(run.name, error))
                    say(f"{run.name} failed: {error.message}")
                    continue
                state.save(folder)
            with atomic_text(folder / TABLE) as file:
                file.write(markdown(state, self.study))
            self._draw(run, state, {one.name for one in failed})
        return state, failed

    def _measure(
        self, run: Run, recipe: Recipe, lists: Mapping[str, Sequence[Scene]]
    ) -> tuple[Done, dict[str, Constant]]:
        trained = Trained(recipe.folder)
        results = {
            name: measure(trained.counter, scenes, name, self.split, figures=self.study.figures)
            for name, scenes in lists.items()
        }
        for name, result in results.items():
            found = ", ".join(f"{figure} {value:.2f}" for figure, value in result.figures.items())
            self.say(f"{run.name} on {name}, {self.split}: {found}")
        done = Done(
            arm=run.arm.name, group=run.arm.group, variant=run.arm.variant, seed=run.seed, steps=recipe.total_steps,
            recipe=json.loads(recipe.model_dump_json()), split=self.split, at_most=self.options.images,
            threshold=trained.threshold, held_out=trained.held_out, results=results,
        )  # fmt: skip
        learned = {pool.name: np.array([scene.count for scene in pool.scenes]) for pool in read_pools(recipe.data)}
        constants = {}
        for name, scenes in lists.items():
            mean = float(learned[name].mean())
            error = float(np.abs(np.array([scene.count for scene in scenes]) - mean).mean())
            constants[name] = Constant(count=mean, mae=error, images=len(scenes))
        return done, constants

    def _draw(self, run: Run, state: State, failed: Collection[str]) -> None:
        """The pictures of a group, as soon as all its arms that did not fail are done with the first seed."""
        mine = state.find(run.name)
        assert mine is not None
        group = [one for one in self.recipes if one.arm.group == run.arm.group and one.seed == 1]
        found = {one: state.find(one.name) for one in group if one.name not in failed}
        same = [one for one, done in found.items() if done is not None and done.results.keys() == mine.results.keys()]
        if run.seed != 1 or len(same) < 2 or None in found.values():
            return
        folder = self.options.output
        for data in mine.results:
            scenes = evenly(self.lists[data], _PICTURES)
            runs = {one.arm.variant: folder / RUNS / one.name for one in same}
            for path in draw_group(run.arm.group, runs, scenes, folder / PICTURES):
                self.say(f"wrote {path}")


def _recipes(runs: Sequence[Run], options: StudyOptions) -> dict[Run, Recipe]:
    """The recipe of each run, in their order; of those that learn from what is there alone."""
    recipes = {run: _recipe(run, options) for run in runs}
    known = dict.fromkeys(name for recipe in recipes.values() for name in recipe.data.sources)
    for name in options.sources:
        if name not in known:
            raise InputError(
                f'The data "{name}" was given, from which nothing of this study learns.{nearest(name, known)}'
            )
    if options.sources:
        recipes = {run: one for run, one in recipes.items() if one.data.sources.keys() <= options.sources.keys()}
    if not recipes:
        raise InputError(f"The data given is not enough for any run: this study learns from {', '.join(known)}.")
    return recipes


def _refuse_own_settings(changes: Sequence[str]) -> None:
    """Stop where a change of all recipes names what the study sets for each: it would be lost.

    Raises:
        InputError: names it.
    """
    for key, remedy in (("seed", "seeds"), ("output", "output")):
        if any(change.partition("=")[0].strip() == key for change in changes):
            raise InputError(f'A study sets "{key}" of each run itself: leave it out of the settings.', remedy=remedy)


def _recipe(run: Run, options: StudyOptions) -> Recipe:
    plain = load_recipe(run.arm.recipe)
    overrides = [f"data.sources.{name}={path}" for name, path in options.sources.items() if name in plain.data.sources]
    if options.initialisation is not None and plain.initialisation not in (None, "none"):
        overrides.append(f"initialisation={options.initialisation}")
    if options.steps is not None:
        overrides += ["epochs=1", "validate_every=1", f"steps_per_epoch={options.steps}"]
    if options.images is not None:
        overrides.append(f"data.validation_images={options.images}")
    if options.threads is not None:
        overrides.append(f"threads={options.threads}")
    folder = options.output / RUNS / run.name
    own = [*run.arm.changes, f"seed={run.seed}", f"output={folder}"]
    return load_recipe(run.arm.recipe, [*overrides, *options.changes, *own])


def _refuse_other_settings(run: Run, done: Done | None, recipe: Recipe, folder: Path) -> None:
    """Stop where a run that is done or begun was trained otherwise than it would be now.

    Raises:
        InputError: names the first setting that differs.
    """
    saved = _begun(recipe.folder) if done is None else done.recipe
    if saved is None:
        return
    differs = different_setting(recipe, saved) or ("epochs" if saved["epochs"] != recipe.epochs else "")
    if differs:
        raise InputError(
            f'The run "{run.name}" in "{folder}" was {"begun" if done is None else "done"} with another "{differs}": '
            "give the same settings again, or choose another folder for the study.",
            remedy="output",
        )


def _begun(folder: Path) -> dict[str, Any] | None:
    """The settings of a run that is not done; None where it has no checkpoint, or one that training will refuse."""
    found = find_checkpoint(folder) or find_checkpoint(folder, "best")
    with suppress(ModelError):
        return None if found is None else dict(read_checkpoint(found).state["recipe"])
    return None


def _read_lists(recipes: Iterable[Recipe], split: str, images: int | None, say: Say) -> dict[str, list[Scene]]:
    """The images that are reported on, by data set."""
    lists: dict[str, list[Scene]] = {}
    for recipe in recipes:
        for name, path in recipe.data.sources.items():
            if name not in lists:
                lists[name] = evenly(read_source(name, path, split, say), images)
                if not lists[name]:
                    raise InputError(f'"{path}" has no images of the split "{split}" of {name}.', remedy="split")
    return lists
