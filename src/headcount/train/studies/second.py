"""The second stage of a study: which arm of the first it varies, and what that makes of the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import mean

from headcount.train.studies.state import Done, State
from headcount.train.studies.study import Arm, Run, Scale, runs_of


def runs_of_arm(arm: Arm, runs: Sequence[Done]) -> list[Done]:
    """The runs of an arm that are done, by their seed."""
    return sorted((one for one in runs if one.arm == arm.name), key=lambda one: one.seed)


def held_out_error(arm: Arm, state: State, runs: Sequence[Done]) -> float | None:
    """The error of an arm on the images held out of its training: its MAE as a share of that of one count for all.

    The mean over data sets and seeds; None where no run of it is done, or nothing was held out.
    """
    errors = [
        mae / state.constants[data].mae for one in runs_of_arm(arm, runs) for data, mae in one.held_out.items()
    ]  # fmt: skip
    return mean(errors) if errors else None


def best_arm(scale: Scale, state: State, runs: Sequence[Done]) -> Arm | None:
    """The candidate for the second stage that errs least on the held-out images; None where none was run."""
    errors = {arm: held_out_error(arm, state, runs) for arm in scale.candidates}
    known = {arm: error for arm, error in errors.items() if error is not None}
    return min(known, key=lambda arm: known[arm]) if known else None


def missing_runs(scale: Scale, seeds: int | None, runs: Sequence[Done]) -> list[Run]:
    """The runs of the candidates that are still to be done before the best of them is known."""
    done = {one.name for one in runs}
    return [run for run in runs_of(scale.candidates, seeds) if run.name not in done]


def arms_shown(scale: Scale, runs: Sequence[Done]) -> Iterator[Arm]:
    """The arms that have runs: of the first stage, then of the second, by the arm that they vary."""
    yield from (arm for arm in scale.arms if runs_of_arm(arm, runs))
    if scale.then is None:
        return
    for best in scale.candidates:
        arms = [arm for arm in scale.then.arms(best) if runs_of_arm(arm, runs)]
        if any(arm.changes for arm in arms):
            yield from arms
