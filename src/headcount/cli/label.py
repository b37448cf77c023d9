"""`headcount label`: boxes for heads that so far are points."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headcount.cli.choices import Device, Precision

if TYPE_CHECKING:
    from headcount.core.scene import Scene
    from headcount.label.interpolate import Interpolated
    from headcount.label.sizes import SizeEstimator

app = typer.Typer(help="Label heads: boxes from points.", no_args_is_help=True)

_EXAMPLES = 3


class Method(StrEnum):
    """How sizes follow from the presets."""

    nearest = "nearest"
    y_axis = "y-axis"
    linear = "linear"


class Share(StrEnum):
    """Which images a preset serves."""

    image = "image"
    folder = "folder"
    all = "all"


@app.callback()
def _root() -> None:
    """Label heads: boxes from points."""  # a callback keeps the one command's name


@app.command()
def interpolate(
    points: Annotated[Path, typer.Argument(metavar="POINTS", help="Heads: CSV (image,x,y) or JSON.")],
    presets: Annotated[Path, typer.Argument(metavar="PRESETS", help="A few boxes: CSV (image,x1,y1,x2,y2) or JSON.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Boxes for all heads: .csv or .json.")],
    method: Annotated[
        Method,
        typer.Option(
            help="nearest presets in the plane; nearest along y; a robust line of size over y (best on one floor)."
        ),
    ] = Method.nearest,
    k: Annotated[int, typer.Option("--k", metavar="K", min=1, help="How many nearest presets count.")] = 2,
    share: Annotated[
        Share,
        typer.Option(help="Presets serve their own image, their folder's (one camera), or all of their image's size."),
    ] = Share.image,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT.")] = False,
) -> None:
    """Give every head a box, its size taken from a few boxes you drew in the scene.

    A preset's own head keeps the box you drew (annotated); the others get one
    centred on their point, clipped to the image (interpolated). Images with heads
    that no preset serves are left out of OUT and named; fewer presets than K
    serve as they are. Draw them from far to near. OUT can be read as points too.

    Exit code: 0 all heads have boxes, 1 images were left out, 2 nothing was done.
    """
    from headcount.cli.console import output_console, plural, printable
    from headcount.cli.files import refuse_report
    from headcount.core.errors import InputError, nearest
    from headcount.data.formats.head_list import SUFFIXES, read_boxes, read_points, write_boxes
    from headcount.label.interpolate import interpolate_scenes

    if out.suffix.lower() not in SUFFIXES:  # said before the images are opened
        raise InputError(f'OUT must be a .csv or .json file, got "{out}".{nearest(out.suffix, SUFFIXES)}')
    for path, what in ((points, "POINTS"), (presets, "PRESETS")):
        if out.resolve() == path.resolve():
            raise InputError(f'OUT is {what} itself ("{out}"): give it another name.')
    refuse_report(out, force=force)
    heads, drawn = read_points(points), read_boxes(presets)
    result = interpolate_scenes(heads, drawn, method=method.value, k=k, share=share.value)
    write_boxes(result.scenes, out, overwrite=force)
    _notes(result, points, k=2 if method is Method.linear else k, share=share.value)
    by_hand = sum(scene.box_provenance.count("annotated") for scene in result.scenes)
    boxes = sum(scene.count for scene in result.scenes)
    output_console().print(
        f"wrote {printable(str(out))}: {plural(boxes, 'head')} on {plural(len(result.scenes), 'image')}, "
        f"{by_hand:,} as drawn, {boxes - by_hand:,} interpolated",
        soft_wrap=True,
    )
    if result.left_out:
        raise typer.Exit(1)


@app.command()
def pseudo(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A head-scale model's .onnx or .safetensors file.")],
    points: Annotated[
        str, typer.Argument(metavar="POINTS", help="Heads: CSV (image,x,y) or JSON, or a data set's NAME=PATH.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Boxes for all heads: .csv or .json.")],
    split: Annotated[
        str, typer.Option(metavar="NAME", help="train, val, trainval or test; trainval is all of your own images.")
    ] = "trainval",
    device: Annotated[Device, typer.Option(help="Where to compute; cuda needs the train extra.")] = Device.auto,
    runtime: Annotated[str, typer.Option(metavar="NAME", help="auto, openvino, onnxruntime or torch.")] = "auto",
    precision: Annotated[Precision, typer.Option(help="auto is the quickest one here.")] = Precision.auto,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT.")] = False,
) -> None:
    """Give every head a box as large as a head-scale network estimates it to be.

    Squares centred on their points, from 2 px to the image's shorter side,
    clipped to the image (pseudo). Images that have boxes already are refused.
    headcount train head-scale-s makes such a network.
    """
    import numpy as np

    from headcount.cli.console import output_console, plural, printable
    from headcount.cli.files import refuse_report
    from headcount.core.errors import InputError, nearest
    from headcount.core.geometry import sides
    from headcount.data.formats.head_list import SUFFIXES, write_boxes
    from headcount.data.sets.registry import parse_spec, read_dataset
    from headcount.label.sizes import load_sizes

    if out.suffix.lower() not in SUFFIXES:  # said before anything is opened
        raise InputError(f'OUT must be a .csv or .json file, got "{out}".{nearest(out.suffix, SUFFIXES)}')
    spec = points if "=" in points and not Path(points).is_file() else f"points={points}"
    if out.resolve() == parse_spec(spec)[1].resolve():
        raise InputError(f'OUT is POINTS itself ("{out}"): give it another name.')
    refuse_report(out, force=force)
    estimator = load_sizes(model, device=device.value, runtime=runtime, precision=precision.value)
    scenes = _boxed(estimator, read_dataset(spec, split))
    write_boxes(scenes, out, overwrite=force)
    boxes = np.concatenate([np.zeros((0, 4)), *(scene.boxes_xyxy for scene in scenes if scene.boxes_xyxy is not None)])
    side = sides(boxes).max(axis=1)
    spread = f", sides {side.min():.0f} to {side.max():.0f} px, half of them below {np.median(side):.0f}"
    output_console().print(
        f"wrote {printable(str(out))}: {plural(len(boxes), 'head')} on {plural(len(scenes), 'image')}"
        f"{spread if len(side) else ''}",
        soft_wrap=True,
    )


def _boxed(estimator: SizeEstimator, scenes: list[Scene]) -> list[Scene]:
    """The scenes with their estimated boxes; the progress is shown."""
    import sys

    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from headcount.cli.console import error_console

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=error_console(), transient=True, disable=not sys.stderr.isatty()) as bar:
        return [estimator.box(scene) for scene in bar.track(scenes, description="Measuring heads")]


def _notes(result: Interpolated, points: Path, *, k: int, share: str) -> None:
    """What was not as asked for, on standard error."""
    from headcount.cli.console import error_console, plural, printable

    notes = error_console()

    def some(names: list[str]) -> str:
        more = ", …" if len(names) > _EXAMPLES else ""
        return f"{plural(len(names), 'image')} ({printable(', '.join(names[:_EXAMPLES]))}{more})"

    if result.left_out:
        advice = "draw one there" if share == "all" else "draw one there, or pass --share"
        notes.print(f"left out, no preset serves them: {some(result.left_out)}; {advice}")
    if result.few:
        notes.print(f"fewer than {k} presets, all of them used: {some(result.few)}")
    if result.strangers:
        verb = "not written" if share != "image" else "not used"
        notes.print(f'presets on images that "{points}" does not name, {verb}: {some(result.strangers)}')
    if result.headless:
        notes.print(f"{plural(result.headless, 'preset')} with no point inside: used for sizes, not written")
    if result.not_drawn:
        notes.print(f"{plural(result.not_drawn, 'preset')} not drawn by a person (interpolated, pseudo): not used")
