"""`headcount quantize`: a model's graph in whole numbers of 8 bits, for speed."""

from __future__ import annotations

from typing import Annotated

import typer

from headcount.cli.options import ForceOption, ThreadsOption, data_option


def quantize(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="An .onnx file with its card beside it, or a shipped model's name.")
    ],
    data: Annotated[list[str], data_option("As in shanghaitech-a=/data/ShanghaiTech; may be repeated.")],
    split: Annotated[str, typer.Option(metavar="NAME", help="Count these images: val, or trainval.")] = "val",
    images: Annotated[
        int, typer.Option(metavar="NUMBER", min=1, help="Training images that ranges are found on.")
    ] = 160,
    at_most: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="By how much of its value the error may grow.")
    ] = 0.01,
    threads: ThreadsOption = None,
    force: ForceOption = False,
) -> None:
    """Write a model in int8 beside it, about twice as fast, where it still counts as well.

    The ranges of its values are found on training images. The images of the split are counted before and after; the
    error is the mean over the sets of MAE ÷ mean count. Where it grows by more than --at-most, the last layers stay in
    float; where that does not help, nothing is written. MODEL.int8.onnx is what counting takes from then on, unless
    told otherwise by --precision. In --data, negatives=FOLDER are photographs of nobody.

    Exit code: 0 it was written, 2 nothing could be done.
    """
    from headcount.cli.console import error_console, output_console, printable
    from headcount.cli.streams import results_are_filed
    from headcount.train.int8 import quantize as write_int8

    def say(text: str) -> None:
        error_console().print(printable(text), soft_wrap=True)

    made = write_int8(
        model, data, split=split, images=images, at_most=at_most, threads=threads, overwrite=force, say=say
    )  # fmt: skip
    results_are_filed()
    output_console().print(f"wrote {printable(str(made.path))}", soft_wrap=True)
