"""The files that a command will write: refused before its work where they cannot be, and held while it works."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def claim(ctx: Any, path: Path | None, *suffixes: str, overwrite: bool) -> None:
    """Refuse a file that could not be written, and hold it until the command ends; None is no file.

    ``suffixes``: those that it may have, any where none is given.

    Raises:
        InputError: it has another suffix, is there and ``overwrite`` is False, is a folder, or its folder is not there;
            or another run writes it.
    """
    from headcount.core.files import refuse_suffix, refuse_taken
    from headcount.core.locks import held

    if path is None:
        return
    if suffixes:
        refuse_suffix(path, *suffixes)
    refuse_taken(path, overwrite=True)  # a file in a folder that is there
    ctx.with_resource(held(path))
    refuse_taken(path, overwrite=overwrite)


def refuse_model_files(target: Path, *, overwrite: bool) -> None:
    """Refuse a model to be written, with its card: an ``.onnx`` with a ``.safetensors`` beside it, or that alone.

    Raises:
        InputError: it is of another suffix, one of its files is there and ``overwrite`` is False, or beside a
            ``.safetensors`` lies the ``.onnx`` of another model.
    """
    from headcount.core.errors import InputError
    from headcount.core.files import refuse_suffix, refuse_taken

    refuse_suffix(target, ".onnx", ".safetensors")
    for path in dict.fromkeys((target, target.with_suffix(".safetensors"), target.with_suffix(".json"))):
        refuse_taken(path, overwrite=overwrite, makes_folder=True)
    graph = target.with_suffix(".onnx")
    if target.suffix.lower() != ".onnx" and graph.exists():
        raise InputError(
            f'Beside "{target}" lies "{graph.name}", of another model: choose another name.', remedy="output"
        )
