"""`headcount tune`: a model adapted to one's own camera with a few labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ForceOption, ThreadsOption, data_option, output_option
from headcount.cli.places import refuse_model_files


def tune(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A shipped model's name, or a model file with its .safetensors.")
    ],
    data: Annotated[
        list[str] | None, data_option("Images with a known number, as in points=points.csv; may be repeated.")
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="The same: a folder of labelled images, whose format is found out."),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="all of your own images; of a published set train, val or trainval.")
    ] = "all",
    output: Annotated[
        Path | None, output_option("Write to this .onnx, or .safetensors alone. Default: MODEL-tuned.onnx.")
    ] = None,
    threads: ThreadsOption = None,
    seed: Annotated[int, typer.Option(metavar="NUMBER", min=0, help="Of the crops and their order.")] = 1,
    force: ForceOption = False,
) -> None:
    """Adapt a model to your own camera with a few labelled images: ten are enough to begin with.

    Each half of the images is counted by a model that learned from the other half. Where that counts them no better,
    nothing is written; else the model learns from all of them, for as long as was best.

    Exit code: 0 a better model was written, 1 tuning does not help, 2 nothing could be done.
    """
    from headcount.cli.console import error_console, output_console, printable
    from headcount.cli.streams import results_are_filed
    from headcount.core.errors import InputError
    from headcount.data.sets.registry import spec_of

    specs = [*(data or ()), *(spec_of(folder) for folder in images or ())]
    if not specs:
        raise InputError("Tuning needs images with a known number: name them with --data NAME=PATH or --images FOLDER.")
    target = output if output is not None else Path(f"{Path(model).stem}-tuned.onnx")
    refuse_model_files(target, overwrite=force)

    from headcount.train.tune import tune as tune_model

    def say(text: str) -> None:
        error_console().print(f"{printable(text[0].upper() + text[1:])} …", soft_wrap=True)

    found = tune_model(model, specs, target, split=split, threads=threads, seed=seed, say=say)
    results_are_filed()
    out = output_console()
    out.print("\n".join(map(printable, found.lines())), soft_wrap=True)
    if found.output is None:
        raise typer.Exit(1)
    out.print(
        f"wrote {printable(str(found.output))}; learn its range with headcount calibrate --interval", soft_wrap=True
    )
