"""`headcount calibrate`: a score threshold, or the weights of a fused model, chosen by counts on validation images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from headcount.cli.options import (
    DeviceOption,
    ForceOption,
    PrecisionOption,
    RuntimeOption,
    ThreadsOption,
    data_option,
    output_option,
)


def calibrate(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A shipped model's name, or an .onnx or .safetensors file.")
    ],
    data: Annotated[list[str], data_option("As in scut-head-a=/data/SCUT-HEAD; may be repeated.")],
    split: Annotated[
        str, typer.Option(metavar="NAME", help="train, val or trainval; of your own images all, too.")
    ] = "val",
    weigh: Annotated[
        Literal["sets", "images"],
        typer.Option(metavar="NAME", help="Of several sets, what weighs alike: sets or images."),
    ] = "sets",
    interval: Annotated[
        bool,
        typer.Option("--interval", help="Learn the range of the counts instead, and leave how it decodes as it is."),
    ] = False,
    output: Annotated[
        Path | None, output_option("Copy the model to this file and change the copy. Default: change its card.")
    ] = None,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    force: ForceOption = False,
) -> None:
    """Choose how a model decodes, or learn the range of its counts, on images with a known number.

    What is chosen is a detector's score threshold, by its counts, or the weights of a fused model's heads. A range is
    learned from the errors of any model, of 20 images at least, and comes last: whoever chooses anew learns anew.
    Either is written into the model's card. In --data, negatives=FOLDER are photographs of nobody.

    The images are counted once. The card of a shipped model is changed with --force alone; --output makes a copy.

    Exit code: 0 all images were counted, 1 some could not be, 2 nothing could be done.
    """
    from headcount.cli.console import output_console, printable, progress_bar
    from headcount.cli.left_out import show_skipped, show_told
    from headcount.cli.places import claim
    from headcount.cli.streams import results_are_filed
    from headcount.infer.calibrate import Calibration, choose, measure, read_choosing_sets, target_of
    from headcount.infer.counter import open_model
    from headcount.infer.fusion import FusionCalibration
    from headcount.infer.interval import IntervalCalibration, choose_interval, measure_evidence
    from headcount.infer.models import find_model

    found = find_model(model)
    target = target_of(found, output, overwrite=force, interval=interval)
    claim(ctx, target.card, overwrite=True)
    opened = open_model(found, device=device, runtime=runtime, precision=precision, threads=threads)
    reports, measured, watched = [], [], []
    for key, read in read_choosing_sets(data, split).items():
        show_told(read.told, key[0])
        with progress_bar(" ".join(key)) as show:
            if interval:
                watched.append(measure_evidence(found.card, opened, key, read, progress=show, keep_going=True))
                report = watched[-1].report
            else:
                measured.append(measure(found.card, opened, key, read, progress=show, keep_going=True))
                report = measured[-1].report
        show_skipped(report.skipped)
        if report.not_reached:
            raise KeyboardInterrupt
        reports.append(report)
    chosen: Calibration | FusionCalibration | IntervalCalibration
    if interval:
        chosen = choose_interval(found.card, opened, watched)
    else:
        chosen = choose(found.card, opened, measured, weigh=weigh)
    results_are_filed()
    target.write(chosen.card(found.card))
    out = output_console()
    out.print("\n".join(map(printable, chosen.lines())), soft_wrap=True)
    out.print(f"wrote {printable(str(target.card))}", soft_wrap=True)
    if found.card.interval is not None and not interval:
        out.print("its range was learned for how it decoded before: learn it anew with --interval", soft_wrap=True)
    if any(report.expected > len(report.images) for report in reports):
        raise typer.Exit(1)
