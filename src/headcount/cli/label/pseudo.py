"""`headcount label pseudo`: boxes from points and a model that tells how large heads are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import DeviceOption, ForceOption, PrecisionOption, RuntimeOption, ThreadsOption


def pseudo(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A shipped model with boxes (headcount-s), or a model's file.")
    ],
    points: Annotated[
        str, typer.Argument(metavar="POINTS", help="Heads: CSV (image,x,y) or JSON, or a data set's NAME=PATH.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Boxes for all heads: .csv or .json.")],
    split: Annotated[
        str, typer.Option(metavar="NAME", help="Take this split: train, val, trainval, test or all.")
    ] = "trainval",
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    force: ForceOption = False,
) -> None:
    """Give every head a box as large as a model estimates it to be.

    Boxes are squares centred on their points, from 2 px to the image's shorter side, clipped to the image (pseudo).
    Images that have boxes already are left out. headcount-s does it, as does any model that finds boxes by their
    centres, and any head-scale network ("headcount train head-scale-s" makes one).
    """
    import numpy as np

    from headcount.cli.console import output_console, printable, progress_bar
    from headcount.cli.left_out import show_skipped, show_told
    from headcount.cli.streams import results_are_filed
    from headcount.core.geometry import as_boxes, sides
    from headcount.core.words import plural
    from headcount.label.files import estimate_file

    with progress_bar("Measuring heads") as show:
        read = estimate_file(
            model, points, out,
            split=split, device=device, runtime=runtime, precision=precision, threads=threads, overwrite=force,
            progress=show,
        )  # fmt: skip
    show_told(read.told)
    show_skipped(read.skipped)
    scenes = read.scenes
    boxes = [as_boxes([]), *(scene.boxes_xyxy for scene in scenes if scene.boxes_xyxy is not None)]
    side = sides(np.concatenate(boxes)).max(axis=1)
    spread = f", sides {side.min():.0f} to {side.max():.0f} px, half of them below {np.median(side):.0f}"
    results_are_filed()
    output_console().print(
        f"wrote {printable(str(out))}: {plural(len(side), 'head')} on {plural(len(scenes), 'image')}"
        f"{spread if len(side) else ''}",
        soft_wrap=True,
    )
    if read.skipped or read.missing:
        raise typer.Exit(1)
