"""Pictures of results in a folder, under names that never meet."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headcount.core.errors import InputError
from headcount.core.files import replacing, writing
from headcount.core.image import RgbImage

if TYPE_CHECKING:
    from headcount.data.media.sources import SourceFile

_ENDING = "-counted.png"
_STEM_BYTES_MAX = 255 - len(_ENDING) - 24  # file systems take names of 255 bytes; 24 are for numbers and seconds


class OverlayFolder:
    """Where overlays go: ``NAME-counted.png``, with a number where two sources share a name.

    Names are planned before anything is counted, in the order of the sources; a video's frames are told apart by
    their second. A file that exists is overwritten only if asked for, and a source never.

    Raises:
        InputError: on creation, the folder is a file or cannot be made, or a picture exists already.
    """

    def __init__(self, folder: Path, files: Sequence[SourceFile], *, overwrite: bool) -> None:
        self.folder = folder
        self._taken: set[str] = set()
        sources = {file.path.resolve() for file in files}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f'The folder "{folder}" cannot be made ({error.strerror or error}).') from error
        self._stems: dict[Path, str] = {}
        for file in files:
            name = file.path.name if file.kind == "video" else file.path.stem
            stem = self._stems[file.path] = self._reserve(_shortened(name))
            if file.kind == "video":
                frames = sorted(folder.glob(f"{glob.escape(stem)}@*{_ENDING}"))
                planned = frames[0] if frames else None
            else:
                planned = folder / f"{stem}{_ENDING}"
                if planned.resolve() in sources:
                    raise InputError(f'"{planned}" is a source itself: choose another folder for the overlays.')
            if planned is not None and planned.exists() and not overwrite:
                raise InputError(f'"{planned}" exists already: choose another folder.', remedy="overwrite")

    def write(self, picture: RgbImage, file: SourceFile, name: str) -> Path:
        """Write the picture of one item; for a video's frame ``name`` ends in ``@`` and its second."""
        stem = self._stems[file.path]
        if file.kind == "video":
            stem = self._reserve(f"{stem}@{name.rpartition('@')[2]}")
        path = self.folder / f"{stem}{_ENDING}"
        save_png(picture, path)
        return path

    def _reserve(self, stem: str) -> str:
        chosen, number = stem, 1
        while chosen.casefold() in self._taken:  # some file systems do not tell A from a
            number += 1
            chosen = f"{stem}-{number}"
        self._taken.add(chosen.casefold())
        return chosen


def _shortened(stem: str) -> str:
    while len(os.fsencode(stem)) > _STEM_BYTES_MAX:
        stem = stem[:-1]
    return stem


def save_png(picture: RgbImage, path: Path) -> None:
    """Write a PNG that appears under its name only when it is whole.

    Raises:
        InputError: it cannot be written.
    """
    from PIL import Image

    with writing(path), replacing(path) as partial:
        Image.fromarray(picture).save(partial, compress_level=3)
