"""Fixed splits: the test split chooses nothing, so validation is the set's own or comes out of training.

A `SplitRule` is what a data set's line in the registry names. Images of one group (a scene, a video) stay together.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import numpy as np

from headcount.core.errors import InputError
from headcount.core.random import generator
from headcount.data.formats.raw import RawScene

Split = Literal["train", "val", "test", "trainval", "all"]
SPLITS: tuple[Split, ...] = ("train", "val", "test", "trainval", "all")
_ENOUGH_IMAGES = 10  # fewer of one's own are all for training
_ENOUGH_GROUPS = 5


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How the scenes of a set become ``train``, ``val``, ``trainval`` (both) and ``test``; ``all`` is every one.

    Attributes:
        says: the rule in words.
        parts: maps (all scenes, a split) to the scenes of that split, in order; it is never asked for ``all``.
    """

    says: str
    parts: Callable[[Sequence[RawScene], Split], list[RawScene]]

    def apply(self, scenes: Sequence[RawScene], split: Split) -> list[RawScene]:
        """The scenes of a split, in order.

        Raises:
            InputError: the set publishes no labels of this split, or images of a fixed list are missing.
        """
        return list(scenes) if split == "all" else self.parts(scenes, split)


def official() -> SplitRule:
    """The set's own train, val and test."""
    return SplitRule("train, val and test as published", _official)


def _official(scenes: Sequence[RawScene], split: Split) -> list[RawScene]:
    wanted = ("train", "val") if split == "trainval" else (split,)
    return [scene for scene in scenes if scene.split in wanted]


def without_test(judge: str) -> SplitRule:
    """The set's own train and val. Its test has no published labels: whoever asks for it is told of ``judge``."""

    def parts(scenes: Sequence[RawScene], split: Split) -> list[RawScene]:
        if split == "test":
            raise InputError(
                f'The labels of the test images are not published: use "val", or ask {judge}.', remedy="split"
            )
        return _official(scenes, split)

    return SplitRule("train and val as published; the labels of test are not", parts)


def shipped(file_name: str) -> SplitRule:
    """Validation is a list of ours (``data/sets/lists/*.json``) out of the official training part.

    The list holds the scenes' names without their ``train/``.
    """

    def parts(scenes: Sequence[RawScene], split: Split) -> list[RawScene]:
        if split == "test":
            return _official(scenes, split)
        training = {scene.name.removeprefix("train/"): scene for scene in _official(scenes, "train")}
        return [training[name] for name in select(list(training), shipped_validation(file_name), split)]

    return SplitRule("test as published; validation is a fixed list of ours out of training", parts)


def by_group(fraction: float = 0.2, *, test: str = "as published") -> SplitRule:
    """Validation is whole groups out of the official training part, chosen by the hash of their names.

    ``test`` says which of several published tests it is, for people.
    """

    return _out_of_training(
        f"test {test}; validation is {fraction:.0%} of training's scenes, whole, by a hash",
        lambda training: _hashed(training, fraction),
    )


def last_block(fraction: float = 0.2) -> SplitRule:
    """Validation is the end of the official training part: for one video, whose neighbouring frames are alike."""
    return _out_of_training(
        f"test as published; validation is the last {fraction:.0%} of training's frames",
        lambda training: set(range(len(training) - round(fraction * len(training)), len(training))),
    )


def _out_of_training(says: str, choose: Callable[[Sequence[RawScene]], set[int]]) -> SplitRule:
    """``choose`` maps the scenes of the official training part to the indices of those for validation."""

    def parts(scenes: Sequence[RawScene], split: Split) -> list[RawScene]:
        if split == "test":
            return _official(scenes, split)
        training = _official(scenes, "train")
        return _part(training, choose(training), split)

    return SplitRule(says, parts)


def fold(number: int, *, size: int, fraction: float = 0.2) -> SplitRule:
    """Test is the images numbered from (number − 1) · size + 1 to number · size, the rest train and validation.

    For sets without an official test. An image's number stands at the end of its name.
    """
    first, last = (number - 1) * size + 1, number * size

    def parts(scenes: Sequence[RawScene], split: Split) -> list[RawScene]:
        numbers = [_number(scene) for scene in scenes]
        if split == "test":
            return [scene for scene, n in zip(scenes, numbers, strict=True) if first <= n <= last]
        rest = [scene for scene, n in zip(scenes, numbers, strict=True) if not first <= n <= last]
        return _part(rest, _hashed(rest, fraction), split)

    return SplitRule(f"test is images {first} to {last}; validation is {fraction:.0%} of the rest, by a hash", parts)


def own() -> SplitRule:
    """One's own images: their own splits where they have them, else one in five is for validation (none of fewer
    than ten), ``trainval`` and ``test`` are all. Where there are five folders or more, whole folders are taken.
    """

    def parts(scenes: Sequence[RawScene], split: Split) -> list[RawScene]:
        if any(scene.split in ("val", "test") for scene in scenes):
            return _official(scenes, split)
        if split in ("test", "trainval"):
            return list(scenes)
        if len(scenes) < _ENOUGH_IMAGES:
            return list(scenes) if split == "train" else []
        groups = {_group(scene) for scene in scenes}
        if _ENOUGH_GROUPS <= len(groups) < len(scenes):
            return _part(scenes, _hashed(scenes, 0.2), split)
        counts = [_heads(scene) for scene in scenes]
        return _part(scenes, set(stratified(counts, validation=len(scenes) // 5, seed=1)), split)

    return SplitRule("as the files say; else one image in five is for validation, and test is all of them", parts)


def own_videos(fraction: float = 0.2) -> SplitRule:
    """One's own videos: validation is the last of each one's annotated frames, ``trainval`` and ``test`` are all.

    Neighbouring frames are alike, so that frames drawn here and there would be known from training. There is no
    validation of fewer than ten frames.
    """

    def parts(scenes: Sequence[RawScene], split: Split) -> list[RawScene]:
        if split in ("test", "trainval"):
            return list(scenes)
        videos: dict[str, list[int]] = {}
        for index, scene in enumerate(scenes):
            videos.setdefault(_group(scene), []).append(index)
        ends = (frames[len(frames) - round(fraction * len(frames)) :] for frames in videos.values())
        return _part(scenes, set().union(*ends) if len(scenes) >= _ENOUGH_IMAGES else set(), split)

    return SplitRule(f"validation is the last {fraction:.0%} of each video's frames, and test is all of them", parts)


def _part(scenes: Sequence[RawScene], validation: set[int], split: Split) -> list[RawScene]:
    if split == "trainval":
        return list(scenes)
    return [scene for index, scene in enumerate(scenes) if (index in validation) == (split == "val")]


def _hashed(scenes: Sequence[RawScene], fraction: float) -> set[int]:
    """Indices of the scenes of ``fraction`` of the groups, at least one of two; the same on every machine."""
    groups = sorted({_group(scene) for scene in scenes}, key=lambda g: hashlib.sha256(g.encode()).hexdigest())
    chosen = set(groups[: max(1, round(fraction * len(groups)))]) if len(groups) > 1 else set()
    return {index for index, scene in enumerate(scenes) if _group(scene) in chosen}


def _heads(scene: RawScene) -> int:
    """How many heads are annotated; 0 where that cannot be read, which reading the scene itself then says."""
    try:
        return len(scene.read().heads_xy)
    except Exception:
        return 0


def _group(scene: RawScene) -> str:
    return scene.group or scene.name


def _number(scene: RawScene) -> int:
    digits = re.search(r"(\d+)\D*$", scene.name)
    return int(digits.group(1)) if digits else -1


def shipped_validation(file_name: str) -> frozenset[str]:
    """The names of the validation images of a shipped list (``data/sets/lists/*.json``)."""
    text = resources.files("headcount.data.sets").joinpath("lists", file_name).read_text(encoding="utf-8")
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
            f'("{min(missing)}" for one): complete the copy of the data set, or take all of it, the split "trainval".',
            remedy="split",
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
