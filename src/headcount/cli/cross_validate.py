"""`headcount cross-validate`: train a recipe on every fold of its data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ThreadsOption, output_option


def cross_validate(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings to change, as in optimiser.lr=1e-3.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=PATH",
            show_default=False,
            help="Where the data set lies, as in ucf-cc-50=/data/UCF_CC_50; else as the recipe says.",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", min=1, help="Train for so many steps each: a quick look.", show_default=False),
    ] = None,
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
    import warnings

    from headcount.cli.console import error_console, output_console, printable
    from headcount.cli.streams import results_are_filed
    from headcount.core.words import plural
    from headcount.train.recipe import read_recipe
    from headcount.train.studies.folds import SCALE, cross_validation, fold_table
    from headcount.train.studies.run import StudyOptions, run_study

    study = cross_validation(recipe, changes or [], data)
    folder = output if output is not None else Path("runs") / f"{read_recipe(recipe, changes or []).name}-folds"
    options = StudyOptions(output=folder, steps=steps, threads=threads, changes=tuple(changes or ()), resume=resume)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(lightning|torch)\b")
    results_are_filed()
    state, failed = run_study(study, SCALE, options, say=lambda text: error_console().print(printable(text)))
    out = output_console()
    out.print("\n".join(map(printable, fold_table(state, study))), soft_wrap=True)
    out.print(f"wrote {printable(str(folder))}", soft_wrap=True)
    if failed:
        error_console().print(f"Note: {plural(len(failed), 'fold')} failed: {', '.join(one.name for one in failed)}.")
        raise typer.Exit(1)
