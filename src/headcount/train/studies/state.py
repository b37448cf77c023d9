"""What of a study is done: one JSON file, written whole after each run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from headcount.core.errors import InputError
from headcount.core.files import write_json
from headcount.core.settings import Settings, checked

STATE = "study.json"


class Constant(Settings):
    """How one number for all images does on a data set: the least that a model must beat."""

    count: float
    """The mean count of the images that are learned from."""
    mae: float
    images: int


class Measured(Settings):
    """What a run reached on a data set."""

    images: int
    figures: dict[str, float]
    """By name: MAE and RMSE; F1 at σ_l, AP and AP50 in percent; MAE by the number of people, as in ``301–700``."""


class Done(Settings):
    """A run that was trained and measured."""

    arm: str
    group: str
    variant: str
    seed: int
    steps: int
    recipe: dict[str, Any]
    """All of its settings."""
    split: str
    at_most: int | None
    """The limit of images of each list that it was measured under."""
    threshold: float | None
    """The least score of a head, chosen on images that were neither learned from nor reported on."""
    held_out: dict[str, float] = Field(default_factory=dict)
    """By data set, the MAE of the run's last validation on the images held out of its training."""
    results: dict[str, Measured]

    @property
    def name(self) -> str:
        """As its folder is called."""
        return f"{self.arm}-seed{self.seed}"


class State(Settings):
    """A study so far."""

    format: Literal[1] = 1
    study: str
    scale: str
    constants: dict[str, Constant] = Field(default_factory=dict)
    runs: tuple[Done, ...] = ()

    def with_run(self, done: Done, constants: dict[str, Constant]) -> State:
        """The same study with a run more; it takes the place of one with the same arm and seed."""
        others = tuple(one for one in self.runs if one.name != done.name)
        return self.model_copy(update={"runs": (*others, done), "constants": {**self.constants, **constants}})

    @property
    def comparable(self) -> tuple[Done, ...]:
        """The runs that were measured on the same images as the last one: after a quick look, others may lie there."""
        if not self.runs:
            return ()
        last = self.runs[-1]
        return tuple(one for one in self.runs if (one.split, one.at_most) == (last.split, last.at_most))

    def find(self, name: str) -> Done | None:
        """The run of a name, if it is done."""
        return next((one for one in self.runs if one.name == name), None)

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            InputError: it cannot be written.
        """
        write_json(folder / STATE, json.loads(self.model_dump_json()))


def read_state(folder: Path, study: str, scale: str) -> State:
    """What lies in a folder, or a study of which nothing is done.

    Raises:
        InputError: the file is damaged, or of another study or scale.
    """
    file = folder / STATE
    if not file.is_file():
        return State(study=study, scale=scale)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise TypeError("a table was expected")
    except (OSError, ValueError, RecursionError, TypeError) as error:
        raise InputError(
            f'"{file}" is damaged ({type(error).__name__}): move it away to measure all runs anew.'
        ) from error
    state = checked(State, values, str(file))
    if (state.study, state.scale) != (study, scale):
        raise InputError(
            f'"{folder}" holds the study "{state.study}" at scale "{state.scale}": choose another folder for this one.',
            remedy="output",
        )
    return state
