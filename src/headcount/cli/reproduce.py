"""`headcount reproduce`: run a paper's comparison and tell it as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ThreadsOption, output_option
from headcount.train.studies.table import STUDIES


def reproduce(
    study: Annotated[str, typer.Argument(metavar="STUDY", help=f"Which comparison: {', '.join(STUDIES)}.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings of all recipes to change, as in batch=4.")
    ] = None,
    scale: Annotated[
        str, typer.Option(metavar="NAME", help="small, for a processor, or paper, the paper's own trainings.")
    ] = "small",
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PATH",
            show_default=False,
            help="Where a data set lies, as in scut-head-a=/data/SCUT-HEAD; may be repeated. Else as the recipes say.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Run these alone, as in centernet; may be repeated.", show_default=False),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=1,
            help="Train each with seeds 1 to NUMBER; else as the study says.",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", min=1, help="Train for so many steps each: a quick look.", show_default=False),
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=1,
            help="Measure on at most so many images of each list: a quick look.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Report on this list, val or test; else as the study says."),
    ] = None,
    initialisation: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The backbone's weights that recipes start from.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, output_option("Write to this folder. Default: runs/STUDY-SCALE.", metavar="DIR")
    ] = None,
    threads: ThreadsOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a study that must be there already.")] = False,
) -> None:
    """Run a paper's comparison: one training after the other, and a table of what they reach.

    A study that was cut off goes on where it was when the same command is given again; what is done is not done again.

    Exit code: 0 all runs are done, 1 some failed, 2 nothing could be done.
    """
    import warnings

    from headcount.cli.console import error_console, output_console, printable
    from headcount.cli.streams import results_are_filed
    from headcount.core.errors import InputError
    from headcount.core.words import plural
    from headcount.data.sets.registry import parse_spec
    from headcount.train.studies.report import table
    from headcount.train.studies.run import StudyOptions, run_study

    found = STUDIES.load(study)
    if split not in (None, "val", "test"):
        raise InputError(f'--split is val or test here, got "{split}".')
    sources = {name: str(path) for name, path in map(parse_spec, data or [])}
    folder = output if output is not None else Path("runs") / f"{study}-{scale}"
    options = StudyOptions(
        output=folder, sources=sources, only=tuple(only or ()), seeds=seeds, steps=steps, images=images, split=split,
        initialisation=initialisation, threads=threads, changes=tuple(changes or ()), resume=resume,
    )  # fmt: skip
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(lightning|torch)\b")
    results_are_filed()
    state, failed = run_study(found, scale, options, say=lambda text: error_console().print(printable(text)))
    out = output_console()
    out.print("\n".join(map(printable, table(state, found))), soft_wrap=True)
    out.print(f"wrote {printable(str(folder))}", soft_wrap=True)
    if failed:
        error_console().print(f"Note: {plural(len(failed), 'run')} failed: {', '.join(one.name for one in failed)}.")
        raise typer.Exit(1)
