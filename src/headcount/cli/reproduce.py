"""`headcount reproduce`: run a paper's comparison and tell it as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ThreadsOption, data_option, output_option
from headcount.cli.studies import SeedsOption, StepsOption, run_and_tell
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
        data_option(
            "Where a data set lies, as in scut-head-a=/data/SCUT-HEAD; may be repeated. Else as the recipes say."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Run these alone, as in centernet; may be repeated.", show_default=False),
    ] = None,
    seeds: SeedsOption = None,
    steps: StepsOption = None,
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
    from headcount.core.errors import InputError
    from headcount.data.sets.registry import parse_spec
    from headcount.train.studies.report import table
    from headcount.train.studies.run import StudyOptions

    found = STUDIES.load(study)
    if split not in (None, "val", "test"):
        raise InputError(f'--split is val or test here, got "{split}".')
    sources = {name: str(path) for name, path in map(parse_spec, data or [])}
    folder = output if output is not None else Path("runs") / f"{study}-{scale}"
    options = StudyOptions(
        output=folder, sources=sources, only=tuple(only or ()), seeds=seeds, steps=steps, images=images, split=split,
        initialisation=initialisation, threads=threads, changes=tuple(changes or ()), resume=resume,
    )  # fmt: skip
    run_and_tell(found, scale, options, table)
