"""One line an image: its file, then x and y of each head, all separated by tabs."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from headcount.core.errors import InputError
from headcount.core.files import refuse_taken
from headcount.core.scene import Scene
from headcount.data.formats.places import copied, place_names
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene


def list_dots(path: Path) -> Listing:
    scenes = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        name, *cells = line.split("\t")
        read = partial(_read, path, number, cells)
        scenes.append(RawScene(name, "", path.parent / name, path, read, origin=f"line {number}"))
    return Listing(tuple(scenes))


def _read(path: Path, number: int, cells: list[str]) -> RawAnnotation:
    try:
        return RawAnnotation(points_xy=np.array(cells, np.float64).reshape(-1, 2))
    except ValueError as error:
        raise InputError(f'"{path}", line {number}: x and y of each head were expected.') from error


def write_dots(
    scenes: Sequence[Scene], path: Path, *, splits: Sequence[str] = (), copy_images: bool = False,
    overwrite: bool = False,
) -> Path:  # fmt: skip
    images = copied(scenes, path.parent / "images", place_names(scenes), overwrite=overwrite) if copy_images else scenes
    lines = []
    for scene in images:
        assert isinstance(scene.image, Path)
        name = Path(os.path.relpath(scene.image, path.parent)).as_posix()
        lines.append("\t".join([name, *map(repr, scene.points_xy.ravel().tolist())]))
    refuse_taken(path, overwrite=overwrite)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
