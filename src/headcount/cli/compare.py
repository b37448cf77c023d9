"""`headcount compare`: reports of several models side by side, by density level."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ForceOption, LevelsOption, bounds_of, output_option


def compare(
    ctx: typer.Context,
    reports: Annotated[
        list[Path], typer.Argument(metavar="REPORT", help="JSON files that headcount evaluate --output wrote.")
    ],
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the errors by density level.", show_default=False)
    ] = None,
    levels: LevelsOption = None,
    output: Annotated[Path | None, output_option("Write the table as JSON.")] = None,
    force: ForceOption = False,
) -> None:
    """Compare models on the same images by density level.

    Told are the MAE and the error as a share of the count. Images that one of the models did not count are left out for
    all.
    """
    from headcount import __version__
    from headcount.cli.console import output_console, printable
    from headcount.cli.places import claim
    from headcount.cli.streams import results_are_filed
    from headcount.core.files import write_json
    from headcount.draw.figure import write_picture
    from headcount.evaluate.compare import compare_reports
    from headcount.evaluate.plots.levels import draw_levels

    claim(ctx, plot, ".png", overwrite=force)
    claim(ctx, output, ".json", overwrite=force)
    compared = compare_reports(reports, bounds=bounds_of(levels))
    figure = None if plot is None else draw_levels(compared)
    out = output_console()
    for number, one in enumerate(compared):
        out.print("\n".join(map(printable, ([""] if number else []) + one.lines())), soft_wrap=True)
    if plot is not None and figure is not None:
        results_are_filed()
        write_picture(figure, plot)
        out.print(f"wrote {printable(str(plot))}", soft_wrap=True)
    if output is not None:
        results_are_filed()
        write_json(output, {"headcount": __version__, "comparisons": [one.to_dict() for one in compared]})
        out.print(f"wrote {printable(str(output))}", soft_wrap=True)
