"""What the commands share that train one run after the other and tell a table: ``reproduce``, ``cross-validate``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from headcount.train.studies.run import StudyOptions
    from headcount.train.studies.state import State
    from headcount.train.studies.study import Study

SeedsOption = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        min=1,
        help="Train each with seeds 1 to NUMBER; else with 1, or as a study says.",
        show_default=False,
    ),
]
StepsOption = Annotated[
    int | None,
    typer.Option(metavar="NUMBER", min=1, help="Train for so many steps each: a quick look.", show_default=False),
]


def run_and_tell(
    study: Study,
    scale: str,
    options: StudyOptions,
    table: Callable[[State, Study], Sequence[str]],
    *,
    called: str = "run",
) -> None:
    """Run what is not done yet, print the table and where it all lies; ``called`` is what one training is called.

    Raises:
        typer.Exit: with 1, where some failed.
        HeadcountError: as ``run_study``.
    """
    import warnings

    from headcount.cli.console import error_console, output_console, printable
    from headcount.cli.streams import results_are_filed
    from headcount.core.words import plural
    from headcount.train.studies.run import run_study

    warnings.filterwarnings("ignore", category=UserWarning, module=r"(lightning|torch)\b")
    results_are_filed()
    state, failed = run_study(study, scale, options, say=lambda text: error_console().print(printable(text)))
    out = output_console()
    out.print("\n".join(map(printable, table(state, study))), soft_wrap=True)
    out.print(f"wrote {printable(str(options.output))}", soft_wrap=True)
    if failed:
        names = ", ".join(one.name for one in failed)
        error_console().print(f"Note: {plural(len(failed), called)} failed: {names}.")
        raise typer.Exit(1)
