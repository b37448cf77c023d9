"""Fixed train/validation splits: the test split chooses nothing, so validation comes out of training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import Literal

import numpy as np

from headcount.core.errors import InputError
from headcount.core.random import generator

Split = Literal["train", "val", "test", "trainval"]
SPLITS: tuple[Split, ...] = ("train", "val", "test", "trainval")


def shipped_validation(file_name: str) -> frozenset[str]:
    """The names of the validation images of a shipped list (``data/splits/*.json``)."""
    text = resources.files("headcount.data").joinpath("splits", file_name).read_text(encoding="utf-8")
    return frozenset(json.loads(text)["val"])


def select(names: Sequence[str], validation: frozenset[str], split: Split) -> list[str]:
    """The names of a training folder that belong to ``train``, ``val`` or ``trainval``, in order.

    Raises:
        InputError: the folder lacks images of the shipped list, so the split would be another than stated.
    """
    if split == "trainval":
        return list(names)
    missing = validation - set(names)
    if missing and split == "val":
        raise InputError(
            f"{len(missing)} of the {len(validation)} images of the validation split are missing "
            f'("{min(missing)}" for one): complete the copy of the data set.'
        )
    return [name for name in names if (name in validation) == (split == "val")]


def stratified(counts: Sequence[int], *, validation: int, seed: int) -> list[int]:
    """Indices of ``validation`` images, one drawn from each of as many equal strata of the sorted counts.

    Images are sorted by count (ties by index), cut into ``validation`` runs of nearly equal length, and one is
    drawn from each, so that the validation split spans the counts as the whole does.

    >>> stratified([5, 1, 9, 7], validation=2, seed=1) in ([0, 2], [0, 3], [1, 2], [1, 3])
    True
    """
    if not 0 < validation <= len(counts):
        raise InputError(f"A validation split of {validation} images cannot be drawn from {len(counts)}.")
    draws = generator(seed, stream=0)
    order = np.lexsort((np.arange(len(counts)), np.asarray(counts)))
    return sorted(int(draws.choice(stratum)) for stratum in np.array_split(order, validation))
