"""`headcount label interpolate`: boxes from points and a few boxes that were drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from headcount.cli.options import ForceOption, choice
from headcount.label.interpolate import INTERPOLATIONS, SHARES, Interpolation, Share


def interpolate(
    ctx: typer.Context,
    points: Annotated[Path, typer.Argument(metavar="POINTS", help="Heads: CSV (image,x,y) or JSON.")],
    presets: Annotated[Path, typer.Argument(metavar="PRESETS", help="A few boxes: CSV (image,x1,y1,x2,y2) or JSON.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Boxes for all heads: .csv or .json.")],
    method: Annotated[
        str,
        choice("Where sizes come from", INTERPOLATIONS, more="linear, a line of size over y, is the best on one floor"),
    ] = "nearest",
    k: Annotated[int, typer.Option("--k", metavar="K", min=1, help="How many of the nearest presets count.")] = 2,
    share: Annotated[
        str,
        choice("Which images a preset serves", SHARES, more="a folder is one camera's, all are those of its size"),
    ] = "image",
    force: ForceOption = False,
) -> None:
    """Give every head a box, its size taken from a few boxes you drew in the scene.

    The head of a box you drew (annotated) keeps it; the others get one centred on their point, clipped to the image
    (interpolated). Images with heads that no preset serves are left out of OUT and named; fewer presets than K serve as
    they are. Draw them from far to near. OUT can be read as points too.

    Exit code: 0 all heads have boxes, 1 images were left out, 2 nothing was done.
    """
    from headcount.cli.console import error_console, output_console, printable
    from headcount.cli.remedies import in_flags
    from headcount.cli.streams import results_are_filed
    from headcount.core.words import plural
    from headcount.label.files import interpolate_file

    result, notes = interpolate_file(
        points, presets, out, method=cast(Interpolation, method), k=k, share=cast(Share, share), overwrite=force
    )
    for note in notes:
        error_console().print(printable(in_flags(note.text, note.remedy, ctx.command)))
    by_hand = sum(scene.box_provenance.count("annotated") for scene in result.scenes)
    boxes = sum(scene.count for scene in result.scenes)
    results_are_filed()
    output_console().print(
        f"wrote {printable(str(out))}: {plural(boxes, 'head')} on {plural(len(result.scenes), 'image')}, "
        f"{by_hand:,} as drawn, {boxes - by_hand:,} interpolated",
        soft_wrap=True,
    )
    if result.left_out:
        raise typer.Exit(1)
