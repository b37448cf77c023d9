"""Plots without pyplot, and the files that pictures become."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headcount.core.errors import InputError, MissingExtraError
from headcount.core.files import replacing, writing
from headcount.core.image import RgbImage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 120


def new_figure(width_in: float, height_in: float, *, layout: Any = None) -> Figure:
    """An empty figure of 120 dots an inch.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("Evaluation plots", "plots") from error
    # No pyplot: its figures and backend are a global state of the user's process.
    figure = Figure(figsize=(width_in, height_in), dpi=_DPI, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def refuse_pictures(paths: Iterable[Path], folder: Path, *, overwrite: bool) -> None:
    """Stop where pictures could not be written; asked before a long run, so that it is not in vain.

    Raises:
        InputError: a file exists and ``overwrite`` is False, or the folder is a file, is closed to writing or cannot
            be made.
    """
    with writing(folder):
        if folder.exists() and not folder.is_dir():
            raise InputError(f'"{folder}" is a file: name a folder for the plots.')
        existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            raise InputError(f'"{existing}" is closed to writing, so no plots can be put there: choose another folder.')
        for path in paths:
            if path.exists() and not overwrite:
                raise InputError(f'"{path}" exists already: choose another folder.', remedy="overwrite")


def write_picture(picture: RgbImage | Figure, path: Path) -> None:
    """Write pixels or a figure as a PNG, whole or not at all; the folder is made if need be.

    Raises:
        InputError: it cannot be written.
    """
    from PIL import Image

    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            if hasattr(picture, "savefig"):
                picture.savefig(partial, dpi=_DPI)
            else:
                Image.fromarray(picture).save(partial)
