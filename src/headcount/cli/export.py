"""`headcount export`: a checkpoint becomes a model that counts, a model one of another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ForceOption, output_option
from headcount.cli.places import refuse_model_files
from headcount.infer import OPENVINO

_FORMATS = {"onnx": ".onnx", "safetensors": ".safetensors", "openvino": OPENVINO}


def export(
    source: Annotated[
        str, typer.Argument(metavar="RUN|MODEL", help="The folder of a run or a checkpoint; or a model's name or file.")
    ],
    output: Annotated[
        Path | None,
        output_option("Write to this .onnx, .safetensors alone, or .xml. Default: the run's or model's name."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="NAME", help="onnx, safetensors or openvino; else what --output says, else onnx."
        ),
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
    """Export a checkpoint or a model to ONNX and safetensors, or to OpenVINO's own files.

    Weights are stored as 16-bit numbers. The graph takes pixels of any size, and is written only where it computes what
    the network does, on a whole image and in tiles, to a thousandth. The card has the name of the model, with .json. A
    model that runs on torch alone (Faster R-CNN, deformable convolutions) has no graph: write it to a .safetensors.
    OpenVINO's files (.xml, .bin) are for its own tools; headcount counts with the others.
    """
    from headcount.cli.streams import results_are_filed
    from headcount.core.errors import InputError, nearest
    from headcount.core.files import is_file, is_folder
    from headcount.infer.models import model_files, shipped_models

    run = Path(source)
    is_run = is_folder(run)
    if not is_run and not is_file(run) and source not in shipped_models():
        raise InputError(
            f'There is no folder and no model "{source}": name a run that headcount train made, a model\'s file, or a '
            f"shipped model.{nearest(source, shipped_models())}"
        )
    target = _target(run.resolve().name if is_run else run.stem, output, form)
    refuse_model_files(target, overwrite=force, forms=tuple(_FORMATS.values()))

    from headcount.train.export import export_checkpoint, export_model

    if is_run:
        export_checkpoint(run, target, reports=report or (), decoder=_numbers(decoder or []))
    else:
        export_model(source, target, reports=report or (), decoder=_numbers(decoder or []))
    results_are_filed()
    beside = " and ".join(path.suffix for path in model_files(target)[1:])
    typer.echo(f"Exported {target}, with {beside} beside it.")


def _target(name: str, output: Path | None, form: str | None) -> Path:
    from headcount.core.errors import InputError, nearest

    if form is not None and form not in _FORMATS:
        raise InputError(f'There is no format "{form}".{nearest(form, _FORMATS)}')
    suffix = _FORMATS[form or "onnx"]
    if output is None:
        return Path(f"{name}{suffix}")
    if form is not None and output.suffix.lower() != suffix:
        raise InputError(f'--format {form} makes a {suffix} file, but --output is "{output.name}": leave one out.')
    return output


def _numbers(settings: list[str]) -> dict[str, float]:
    from headcount.core.errors import InputError

    try:
        return {key: float(value) for key, value in (setting.split("=", 1) for setting in settings)}
    except ValueError as error:
        raise InputError(f"--decoder takes KEY=NUMBER, as in split=1, got {', '.join(settings)}.") from error
