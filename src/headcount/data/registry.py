"""Data sets by name: `NAME=PATH` on the command line and in recipes becomes a list of Scenes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from headcount.core.errors import InputError, nearest
from headcount.core.scene import Scene
from headcount.data.shanghaitech import read_shanghaitech
from headcount.data.splits import SPLITS, Split, stratified

_ENOUGH_TO_SPLIT = 10


def _read_points(path: Path, split: Split) -> list[Scene]:
    """One's own images: one in five is for validation (none of fewer than ten), ``trainval`` and ``test`` are all."""
    from headcount.data.points import read_points

    scenes = read_points(path)
    if split in ("test", "trainval"):
        return scenes
    if len(scenes) < _ENOUGH_TO_SPLIT:
        return scenes if split == "train" else []
    chosen = stratified([scene.count for scene in scenes], validation=len(scenes) // 5, seed=1)
    return [scene for index, scene in enumerate(scenes) if (index in chosen) == (split == "val")]


READERS: dict[str, Callable[[Path, Split], list[Scene]]] = {
    "shanghaitech-a": lambda path, split: read_shanghaitech(path, "A", split),
    "shanghaitech-b": lambda path, split: read_shanghaitech(path, "B", split),
    "points": _read_points,
}


def parse_spec(spec: str) -> tuple[str, Path]:
    """`NAME=PATH` in two.

    Raises:
        InputError: no ``=``, or a name that no reader has.
    """
    name, separator, path = spec.partition("=")
    if not separator or not path:
        raise InputError(
            f'"{spec}" does not say where the data is: write NAME=PATH, as in shanghaitech-b=/data/ShanghaiTech.'
        )
    if name not in READERS:
        raise InputError(f'"{name}" is no data set that headcount reads.{nearest(name, READERS)}')
    return name, Path(path).expanduser()


def read_dataset(spec: str, split: str) -> list[Scene]:
    """The scenes of a split of `NAME=PATH`.

    Raises:
        InputError: an unknown name or split, or what the reader finds wrong.
    """
    name, path = parse_spec(spec)
    for known in SPLITS:
        if known == split:
            return READERS[name](path, known)
    raise InputError(f'"{split}" is no split.{nearest(split, SPLITS)}')
