"""`headcount datasets convert`: a data set in another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headcount.cli.options import ForceOption, SpecArgument, SplitOption, choice
from headcount.data.formats.table import FORMATS

if TYPE_CHECKING:
    from headcount.data.sets.convert import ConversionReport


def convert(
    source: SpecArgument,
    target: Annotated[Path, typer.Argument(metavar="DST", help="The file or folder to write.")],
    to: Annotated[str, choice("The format to write", (row.name for row in FORMATS.rows() if row.writes))],
    split: SplitOption = None,
    copy_images: Annotated[
        bool, typer.Option("--copy-images", help="Copy the images too: into DST, or to images beside a file.")
    ] = False,
    force: ForceOption = False,
) -> None:
    """Convert a data set to another format, and say what that format cannot hold.

    DST is a .csv or .json file for points and boxes, a .json file or a folder (with a file for each split) for coco, an
    .xml file for cvat, a folder for other formats. Images stay where they are: files name them by relative paths,
    folders of YOLO and VOC have links to them. Other files in DST stay.

    Exit code: 0 all images are written, 1 some were left out, 2 nothing could be done.
    """
    from headcount.cli.console import progress_bar
    from headcount.cli.streams import results_are_filed
    from headcount.data.sets.convert import convert_dataset

    with progress_bar("Reading") as show:
        report = convert_dataset(
            source, to, target, split=split, copy_images=copy_images, overwrite=force, progress=show
        )
    results_are_filed()
    show_conversion(report)
    if report.left_out:
        raise typer.Exit(1)


def show_conversion(report: ConversionReport) -> None:
    """Tell what was written, and what of the source was not."""
    import textwrap

    from headcount.cli.console import output_console, printable
    from headcount.cli.left_out import show_skipped, show_told
    from headcount.core.words import plural
    from headcount.data.formats.truth import in_brackets
    from headcount.data.sets.convert import LOSSES

    show_skipped(report.skipped)
    show_told(report.doubts)
    out = output_console()
    splits = ", ".join(f"{split} {images:,}" for split, images in report.splits.items())
    text = f"wrote {printable(str(report.path))}: {plural(report.images, 'image')}, {plural(report.heads, 'head')}"
    out.print(text + (f" ({splits})" if splits else ""), soft_wrap=True)
    if report.left_out:
        out.print(f"left out: {plural(report.left_out, 'image')}")
    if report.precision_px:
        out.print(f"coordinates come back to within {report.precision_px:g} px")
    if report.losses:
        out.print("not kept:")
    for loss in report.losses:
        what = LOSSES[loss.code] + in_brackets(loss.kinds)
        place = f"  {loss.occurrences:>9,} in {plural(loss.images, 'image'):<14}  "
        out.print(
            textwrap.fill(printable(what), out.width, initial_indent=place, subsequent_indent=" " * len(place)),
            soft_wrap=True,
        )
