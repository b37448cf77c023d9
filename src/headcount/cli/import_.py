"""`headcount import`: weights of other projects become safetensors or a model that counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from headcount.cli.options import ForceOption, output_option
from headcount.cli.places import claim, refuse_model_files
from headcount.cli.verbs import Verb, verb_group
from headcount.core.table import Table


def _verb(name: str, function: str, sentence: str) -> Verb:
    target = f"headcount.cli.import_:{function}"
    return Verb(name=name, target=target, title="headcount import", package="torch", extra="train", help=sentence)


_SENTENCES = {
    "iim": "Import a checkpoint of the IIM authors as a model.",
    "csrnet": "Import a checkpoint of the CSRNet authors' code as a model.",
    "cannet": "Import a checkpoint of the CANNet authors' code as a model.",
    "mcnn": "Import a checkpoint of the public MCNN code as a model.",
}
"""Of the methods that have a rule in their table: what importing one says of itself."""

IMPORT_VERBS = Table(
    "commands.import",
    "command",
    [
        _verb("backbone", "import_backbone", "Import a backbone's weights for training."),
        *(_verb(name, f"import_{name}", sentence) for name, sentence in _SENTENCES.items()),
    ],
    Verb,
)

app = verb_group(IMPORT_VERBS, "Import weights of other projects as safetensors or ONNX.")


def import_backbone(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The backbone, by its timm name.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The weights as they are published: .pth, .h5 or .safetensors.")
    ],
    output: Annotated[Path | None, output_option("Write to this file. Default: NAME.safetensors.")] = None,
    force: ForceOption = False,
) -> None:
    """Import a backbone's weights for training.

    Any network that timm takes features from will do, such as hrnet_w48, vgg16_bn or resnet50: its state dict by timm,
    or as torchvision or its authors publish it where timm reads that.
    """
    from headcount.cli.streams import results_are_filed
    from headcount.core.errors import InputError
    from headcount.core.files import is_file

    target = output if output is not None else Path(f"{name}.safetensors")
    claim(ctx, target, ".safetensors", overwrite=force)
    if is_file(target) and is_file(file) and target.samefile(file):
        raise InputError(f'"{target}" is the file to be imported: choose another name.', remedy="output")

    from headcount.models.parts.foreign import import_backbone as run

    left_out = run(name, file, target)
    if left_out:
        from headcount.core.words import plural
        from headcount.models.weights import some_of

        number = plural(len(left_out), "tensor")
        typer.echo(f"Note: {number} that {name} does not have: left out ({some_of(left_out)}).", err=True)
    results_are_filed()
    typer.echo(f"Imported to {target}.")


def _importer(method: str, sentence: str, *, usual: str = "") -> Callable[..., None]:
    """The command that imports checkpoints of a method; ``usual`` is what most of them were trained on."""

    def run(
        file: Annotated[
            Path, typer.Argument(metavar="FILE", help="The weights as they are published: .pth, .h5 or .safetensors.")
        ],
        output: Annotated[
            Path | None,
            output_option(
                "Write to this .onnx (and a .safetensors beside it), or to this .safetensors alone. "
                "Default: the name of FILE with .onnx."
            ),
        ] = None,
        data: Annotated[
            str, typer.Option(metavar="NAME", help="Name the data set it was trained on, which the file does not tell.")
        ] = usual,
        force: ForceOption = False,
    ) -> None:
        from headcount.cli.streams import results_are_filed

        target = output if output is not None else Path(f"{file.stem}.onnx")
        refuse_model_files(target, overwrite=force)

        from headcount.train.importing import import_weights

        import_weights(method, file, target, data=data)
        results_are_filed()
        typer.echo(f"Imported to {target}.")

    run.__doc__ = sentence
    return run


import_iim = _importer("iim", _SENTENCES["iim"], usual="nwpu-crowd")
import_csrnet = _importer("csrnet", _SENTENCES["csrnet"])
import_cannet = _importer("cannet", _SENTENCES["cannet"])
import_mcnn = _importer("mcnn", _SENTENCES["mcnn"])
