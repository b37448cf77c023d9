"""Pictures of results in a folder, under names that never meet."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headcount.core.errors import InputError
from headcount.core.files import discard, partial_beside, replacing, writing
from headcount.core.image import RgbImage

if TYPE_CHECKING:
    from headcount.data.media.sources import SourceFile

_ENDING = "-counted.png"
_STEM_BYTES_MAX = 255 - len(_ENDING) - 24  # file systems take names of 255 bytes; 24 are for numbers and seconds


class OverlayFolder:
    """Where overlays go: ``NAME-counted.png``, with a number where two sources share a name.

    Names are planned before anything is counted, in the order of the sources; a video's frames are told apart by
    their second. A file that exists is overwritten only if asked for, and a source never. Nothing is written before
    ``make``.

    Raises:
        InputError: on creation, the folder is a file, or a picture exists already.
    """

    def __init__(self, folder: Path, files: Sequence[SourceFile], *, overwrite: bool) -> None:
        self.folder, self._overwrite = folder, overwrite
        self._taken: set[str] = set()
        sources = {file.path.resolve() for file in files}
        with writing(folder):
            if folder.exists() and not folder.is_dir():
                raise InputError(f'"{folder}" is a file, but the pictures need a folder: name one.')
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
            if planned is not None:
                self._refuse_taken(planned)

    def make(self) -> None:
        """Make the folder, and see that a picture can be written to it, before anything is counted.

        Raises:
            InputError: it cannot.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            trial, _ = partial_beside(self.folder / f"trial{_ENDING}")
            trial.touch()
            discard(trial)

    def write(self, picture: RgbImage, file: SourceFile, name: str) -> Path:
        """Write the picture of one item; for a video's frame ``name`` ends in ``@`` and its second.

        Raises:
            InputError: it cannot be written, or exists already.
        """
        stem = self._stems[file.path]
        if file.kind == "video":
            stem = self._reserve(f"{stem}@{name.rpartition('@')[2]}")
        path = self.folder / f"{stem}{_ENDING}"
        self._refuse_taken(path)  # another run may have written it meanwhile
        save_png(picture, path)
        return path

    def _refuse_taken(self, picture: Path) -> None:
        if picture.exists() and not self._overwrite:
            raise InputError(f'"{picture}" exists already: choose another folder.', remedy="overwrite")

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
