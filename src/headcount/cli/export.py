"""`headcount export`: a checkpoint becomes a model that counts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ForceOption, output_option
from headcount.cli.places import refuse_model_files


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or of one checkpoint.")],
    output: Annotated[
        Path | None, output_option("Write to this .onnx, or .safetensors alone. Default: the run's name.")
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Add the results of this JSON of headcount evaluate to the card; repeatable."
        ),
    ] = None,
    decoder: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=NUMBER", help="Set what the decoder was calibrated to; repeatable."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Export a checkpoint to ONNX and safetensors, with a model card.

    Weights are stored as 16-bit numbers. The card has the name of the model, with .json. A model that runs on torch
    alone (Faster R-CNN, deformable convolutions) has no ONNX file: write it to a .safetensors.
    """
    from headcount.cli.streams import results_are_filed
    from headcount.core.errors import InputError
    from headcount.core.files import is_folder

    target = output if output is not None else Path(f"{checkpoint.resolve().name}.onnx")
    if not is_folder(checkpoint):
        raise InputError(f'There is no folder "{checkpoint}": name a run that headcount train made.')
    refuse_model_files(target, overwrite=force)

    from headcount.train.export import export_checkpoint

    export_checkpoint(checkpoint, target, reports=report or (), decoder=_numbers(decoder or []))
    results_are_filed()
    beside = ".json" if target.suffix.lower() == ".safetensors" else ".safetensors and .json"
    typer.echo(f"Exported {target}, with {beside} beside it.")


def _numbers(settings: list[str]) -> dict[str, float]:
    from headcount.core.errors import InputError

    try:
        return {key: float(value) for key, value in (setting.split("=", 1) for setting in settings)}
    except ValueError as error:
        raise InputError(f"--decoder takes KEY=NUMBER, as in split=1, got {', '.join(settings)}.") from error
