"""`headcount cross-validate`: train a recipe on every fold of its data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ThreadsOption, data_option, output_option
from headcount.cli.studies import SeedsOption, StepsOption, run_and_tell


def cross_validate(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings to change, as in optimiser.lr=1e-3.")
    ] = None,
    data: Annotated[
        str | None, data_option("Where the data set lies, as in ucf-cc-50=/data/UCF_CC_50; else as the recipe says.")
    ] = None,
    seeds: SeedsOption = None,
    steps: StepsOption = None,
    output: Annotated[
        Path | None, output_option("Write to this folder. Default: runs/RECIPE-folds.", metavar="DIR")
    ] = None,
    threads: ThreadsOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with one that must be there already.")] = False,
) -> None:
    """Train a recipe on each fold of its data set, one after the other, and tell the mean of their errors.

    For sets without an official test, such as UCF_CC_50. Each fold is measured on its own test images, from which
    nothing was learned. One that was cut off goes on where it was when the same command is given again.

    Exit code: 0 all folds are done, 1 some failed, 2 nothing could be done.
    """
    from headcount.train.recipe import read_recipe
    from headcount.train.studies.folds import SCALE, cross_validation, fold_table
    from headcount.train.studies.run import StudyOptions

    study = cross_validation(recipe, changes or [], data)
    folder = output if output is not None else Path("runs") / f"{read_recipe(recipe, changes or []).name}-folds"
    options = StudyOptions(
        output=folder, seeds=seeds, steps=steps, threads=threads, changes=tuple(changes or ()), resume=resume
    )
    run_and_tell(study, SCALE, options, fold_table, called="fold")
