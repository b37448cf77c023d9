"""`headcount label export`: what is labelled in a folder, as a file or folder of any format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ForceOption, choice
from headcount.data.formats.table import FORMATS


def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder that was labelled.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to write.")],
    to: Annotated[str, choice("The format to write", (row.name for row in FORMATS.rows() if row.writes))],
    done: Annotated[bool, typer.Option("--done", help="Only images that are marked as done.")] = False,
    database: Annotated[
        Path | None, typer.Option("--database", metavar="FILE", show_default=False, help="Where the labels are kept.")
    ] = None,
    copy_images: Annotated[
        bool, typer.Option("--copy-images", help="Copy the images too: into OUT, or to images beside a file.")
    ] = False,
    force: ForceOption = False,
) -> None:
    """Write the labels of a folder in a format that training and other tools read.

    Images with heads, or marked as done, are written; a head has its box where one was drawn, accepted or follows from
    drawn ones, with how it came to be where the format keeps that. The page may stay open meanwhile.

    Exit code: 0 all labelled images are written, 1 some were left out, 2 nothing could be done.
    """
    from headcount.cli.console import progress_bar
    from headcount.cli.datasets.convert import show_conversion
    from headcount.cli.left_out import show_skipped
    from headcount.cli.streams import results_are_filed
    from headcount.label.page.exchange import export_labels

    with progress_bar("Reading") as show:
        exported = export_labels(
            folder, out, to, database=database, done_only=done, copy_images=copy_images, overwrite=force, progress=show
        )
    results_are_filed()
    show_skipped(exported.skipped)
    show_conversion(exported.report)
    if exported.skipped or exported.report.left_out:
        raise typer.Exit(1)
