"""The one list of experiments, in the order in which they run: a line is ``module:OBJECT``, loaded when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from tests.trust.experiment import Experiment

ROWS: tuple[str, ...] = (
    # What is written stays: kills, full disks, damage.
    "tests.trust.training_killed:EXPERIMENT",
    "tests.trust.batches_killed:EXPERIMENT",
    "tests.trust.full_disks:EXPERIMENT",
    "tests.trust.damage:EXPERIMENT",
    "tests.trust.absurd_models:EXPERIMENT",
    # What is counted stays the same: memory, threads, order.
    "tests.trust.memory:EXPERIMENT",
    "tests.trust.equal_counts:EXPERIMENT",
    # What strangers send is kept out: attacks, malformed media, fuzzing.
    "tests.attacks.experiment:ATTACKED",
    "tests.attacks.experiment:REQUESTED",
    "tests.attacks.malformed:EXPERIMENT",
    "tests.fuzz.experiment:EXPERIMENT",
)


def experiments(names: Sequence[str] = ()) -> list[Experiment]:
    """Those of the names, or all, in the order of the table.

    Raises:
        KeyError: there is none of a name.
    """
    every = [load(row) for row in ROWS]
    known = {each.name for each in every}
    if unknown := [name for name in names if name not in known]:
        raise KeyError(f"There is no experiment {', '.join(unknown)}: there are {', '.join(sorted(known))}.")
    return [each for each in every if not names or each.name in names]


def load(row: str) -> Experiment:
    """The experiment of a row."""
    module, _, name = row.partition(":")
    found = getattr(import_module(module), name)
    assert isinstance(found, Experiment), row
    return found
