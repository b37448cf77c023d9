"""Photographs in which nobody is: a folder of images without annotations, which teach a model to count nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

from headcount.core.scene import Scene
from headcount.data.formats.folders import need_folder
from headcount.data.formats.pairs import images_by_name
from headcount.data.sets.splits import Split

NEGATIVES = "negatives"
"""What they are called among the sources of a recipe and in reports."""
_FOR_VALIDATION = 5  # one in so many


def read_negatives(folder: Path, split: Split) -> list[Scene]:
    """The photographs of a folder: of ``val`` one in five, by the hash of its name, of ``train`` the others, else all.

    The same name falls into the same split in any folder.

    Raises:
        InputError: there is no such folder.
    """
    need_folder(folder, "photographs without people")
    return [
        Scene(path, source=NEGATIVES, name=f"{NEGATIVES}/{name}")
        for name, path in images_by_name(folder).items()
        if split not in ("train", "val") or is_chosen(name, _FOR_VALIDATION) == (split == "val")
    ]


def is_chosen(name: str, one_in: int) -> bool:
    """Whether a name is among one in so many, by its hash."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % one_in == 0
