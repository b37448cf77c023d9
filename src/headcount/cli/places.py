"""The files that a command will write: refused before its work where they cannot be, and held while it works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headcount.infer import INT8, OPENVINO, WEIGHTS


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


def refuse_model_files(target: Path, *, overwrite: bool, forms: tuple[str, ...] = WEIGHTS) -> None:
    """Refuse a model to be written, with its card; see ``write_model``.

    Raises:
        InputError: its suffix is none of ``forms``, one of its files is there and ``overwrite`` is False, or beside it
            lies a file of another model, whose card would be lost.
    """
    from headcount.core.errors import InputError
    from headcount.core.files import refuse_suffix, refuse_taken
    from headcount.infer.models import model_files

    refuse_suffix(target, *forms)
    own = model_files(target)
    for path in own:
        refuse_taken(path, overwrite=overwrite, makes_folder=True)
    for suffix in (*WEIGHTS, INT8, OPENVINO):
        other = target.with_suffix(suffix)
        if other not in own and other.exists():
            raise InputError(
                f'Beside "{target}" lies "{other.name}", whose card would be lost: choose another name.',
                remedy="output",
            )
