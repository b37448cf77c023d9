"""`headcount models`, `export` and `import`: what there is, and what becomes of checkpoints and foreign weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headcount.infer import DEFAULT_MODEL

if TYPE_CHECKING:
    from headcount.infer.models import ModelFiles

import_app = typer.Typer(help="Turn foreign weights into safetensors.", no_args_is_help=True)


def models() -> None:
    """List the shipped models: size, results, data and its terms."""
    from headcount.cli.console import output_console
    from headcount.infer.models import find_model, shipped_models

    console = output_console()
    names = shipped_models()
    if not names:
        console.print("No model is shipped with this copy: name an .onnx file with --model.")
        return
    for name in sorted(names, key=lambda name: name != DEFAULT_MODEL):
        found = find_model(name)
        console.print(f"{name} (the default)" if name == DEFAULT_MODEL else name, style="bold")
        for label, text in _facts(found):
            console.print(f"  {label:<9} {_hanging(text, console.width - 12)}")


def _facts(found: ModelFiles) -> list[tuple[str, str]]:
    card = found.card
    files = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in found.weights.values())
    facts = [("", card.summary)] if card.summary else []
    facts.append(("size", f"{card.parameters / 1e6:.2f} M parameters; {files}"))
    facts.append(("method", card.method))
    results: dict[str, list[str]] = {}
    for result in card.results:
        of = f"{result.data} {result.split}, {result.images} images"
        results.setdefault(of, []).append(f"{result.metric} {result.value:.4g}")
    facts += [("result", f"{of}: {', '.join(figures)}") for of, figures in results.items()]
    facts += [("data", f"{data.name} {data.split}, {data.images} images: {data.terms}") for data in card.data]
    facts += [("terms", card.terms)] if card.terms else []
    facts += [("start", card.initialisation)] if card.initialisation else []
    return facts + [("note", note) for note in card.notes]


def _hanging(text: str, width: int) -> str:
    import textwrap

    return ("\n" + " " * 12).join(textwrap.wrap(text, max(20, width))) or "–"


def export(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run, or of one checkpoint.", show_default=False)
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default: the run's name with .onnx.", show_default=False)
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="JSON of headcount evaluate, for the card; may be repeated."),
    ] = None,
    decoder: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=NUMBER", help="A decoder's setting, calibrated on validation images; repeatable."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Make of a checkpoint what counting reads: ONNX, safetensors (fp16) and the card of both."""
    from headcount.cli.extras import require_train

    require_train("headcount export")
    from headcount.core.errors import InputError
    from headcount.core.files import is_folder

    target = output if output is not None else Path(f"{checkpoint.resolve().name}.onnx")
    if not is_folder(checkpoint):
        raise InputError(f'There is no folder "{checkpoint}": name a run that headcount train made.')
    _check_target(target, ".onnx", force)
    for suffix in (".safetensors", ".json"):
        _check_target(target.with_suffix(suffix), suffix, force)

    from headcount.train.export import export_checkpoint

    export_checkpoint(checkpoint, target, reports=report or (), decoder=_numbers(decoder or []))
    typer.echo(f"Exported {target}, with .safetensors and .json beside it.")


def _numbers(settings: list[str]) -> dict[str, float]:
    from headcount.core.errors import InputError

    try:
        return {key: float(value) for key, value in (setting.split("=", 1) for setting in settings)}
    except ValueError as error:
        raise InputError(f"--decoder takes KEY=NUMBER, as in split=1, got {', '.join(settings)}.") from error


@import_app.command("backbone")
def import_backbone(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The backbone, by its timm name.", show_default=False)],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Weights as they are published.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default: NAME.safetensors.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Turn a public package's backbone weights into safetensors for training."""
    from headcount.cli.extras import require_train

    require_train("headcount import")
    from headcount.core.files import is_file

    target = output if output is not None else Path(f"{name}.safetensors")
    _check_target(target, ".safetensors", force)
    if is_file(target) and is_file(file) and target.samefile(file):
        from headcount.core.errors import InputError

        raise InputError(f'"{target}" is the file to be imported: choose another --output.')

    from headcount.train.importing import import_backbone as run

    run(name, file, target)
    typer.echo(f"imported to {target}")


@import_app.command("iim")
def import_iim(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The authors' .pth.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An .onnx, with .safetensors beside it, or .safetensors alone. Default: the file's name with .onnx.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str, typer.Option(metavar="NAME", help="The data set it was trained on, which it does not say itself.")
    ] = "nwpu-crowd",
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Turn a checkpoint of the IIM authors into a model that counts and locates."""
    from headcount.cli.extras import require_train

    require_train("headcount import")
    from headcount.core.errors import InputError

    target = output if output is not None else Path(f"{file.stem}.onnx")
    suffix = ".safetensors" if target.suffix.lower() == ".safetensors" else ".onnx"
    graph = target.with_suffix(".onnx")
    for written in dict.fromkeys((suffix, ".safetensors", ".json")):
        _check_target(target if written == suffix else target.with_suffix(written), written, force)
    if suffix == ".safetensors" and graph.exists():
        raise InputError(f'Beside "{target}" lies "{graph.name}", of another model: choose another --output.')

    from headcount.train.importing import import_iim as run

    run(file, target, data=data)
    typer.echo(f"imported to {target}")


def _check_target(target: Path, suffix: str, force: bool) -> None:
    from headcount.core.errors import InputError
    from headcount.core.files import writing

    if target.suffix.lower() != suffix:
        raise InputError(f'The output must be a {suffix} file, but it is "{target.name}".')
    with writing(target):
        if target.exists() and not force:
            raise InputError(f'"{target}" exists already: choose another --output, or overwrite it with --force.')
