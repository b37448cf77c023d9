"""`headcount label import`: labels of a data set into a folder's database, to go on with on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ForceOption, SpecArgument


def import_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to label; the images lie in it.")],
    source: SpecArgument,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="Take only this split: train, val, trainval, test or all.")
    ] = "all",
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Take the images of inner folders, too.")
    ] = False,
    database: Annotated[
        Path | None, typer.Option("--database", metavar="FILE", show_default=False, help="Where the labels are kept.")
    ] = None,
    force: ForceOption = False,
) -> None:
    """Read labels of any data set or format, to go on with them on the page.

    Its images must lie in FOLDER. Those that have labels already are left as they are; --force replaces theirs (every
    stroke is kept all the same). The page must be closed meanwhile.

    Exit code: 0 all images got their labels, 1 some did not, 2 nothing could be done.
    """
    from headcount.cli.console import error_console, output_console, printable, progress_bar
    from headcount.cli.left_out import show_skipped
    from headcount.cli.streams import results_are_filed
    from headcount.core.words import plural
    from headcount.label.page.exchange import import_labels

    with progress_bar("Reading") as show:
        result = import_labels(
            folder, source, split=split, recursive=recursive, database=database, overwrite=force, progress=show
        )
    results_are_filed()
    show_skipped(result.skipped)
    for names, why in ((result.kept, "with labels already, kept as they are"), (result.strangers, "not in the folder")):
        if names:
            some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            error_console().print(printable(f"{plural(len(names), 'image')} {why}: {some}"))
    output_console().print(f"read {plural(result.heads, 'head')} on {plural(result.images, 'image')}", soft_wrap=True)
    if result.skipped or result.kept or result.strangers:
        raise typer.Exit(1)
