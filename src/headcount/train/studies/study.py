"""What a study is: arms that are trained alike and compared, at one scale or several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headcount.core.errors import InputError, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One recipe of a study, trained once with each seed.

    Attributes:
        recipe: the name of a shipped recipe, or a file.
        group: what is compared with each other, as it is shown (``CenterNet``).
        variant: what differs within the group (``focal``).
        seeds: how many seeds, from 1 up, unless the user says otherwise.
        papers: the recipes that hold the paper's figures of the same arm, one for each data set.
    """

    recipe: str
    group: str
    variant: str
    seeds: int = 1
    papers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The recipe without its folder and suffix."""
        return Path(self.recipe).name.removesuffix(".yaml")

    @property
    def key(self) -> str:
        """The group as it is typed: ``faster-rcnn``."""
        return self.group.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The arms of a study at one budget.

    Attributes:
        arms: in the order in which they are run and shown.
        split: the list of images that is reported on; nothing is chosen by it.
    """

    arms: tuple[Arm, ...]
    split: Literal["val", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A comparison that a paper makes.

    Attributes:
        name: as it is typed.
        title: as it is shown.
        scales: by name.
        baseline: the variant that must at least halve the error of the constant count, or its group does not count.
    """

    name: str
    title: str
    scales: Mapping[str, Scale]
    baseline: str

    def scale(self, name: str) -> Scale:
        """One scale.

        Raises:
            InputError: there is none of that name.
        """
        if name not in self.scales:
            raise InputError(f'The study "{self.name}" has no scale "{name}".{nearest(name, self.scales)}')
        return self.scales[name]


@dataclass(frozen=True, slots=True)
class Run:
    """An arm with one seed."""

    arm: Arm
    seed: int

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"{self.arm.name}-seed{self.seed}"


def chosen_arms(scale: Scale, only: Sequence[str]) -> tuple[Arm, ...]:
    """The arms of the groups named in ``only``, all where it is empty.

    Raises:
        InputError: there is no group of a name.
    """
    groups = {arm.key: arm.group for arm in scale.arms}
    for name in only:
        if name.lower() not in groups:
            raise InputError(f'This study has no "{name}".{nearest(name, groups)}')
    wanted = {name.lower() for name in only}
    return tuple(arm for arm in scale.arms if not wanted or arm.key in wanted)


def runs_of(arms: Sequence[Arm], seeds: int | None = None) -> list[Run]:
    """Every arm with its seeds: all arms with the first seed, then with the second, and so on.

    >>> arms = [Arm(recipe="a", group="A", variant="x", seeds=2), Arm(recipe="b", group="B", variant="x")]
    >>> [run.name for run in runs_of(arms)]
    ['a-seed1', 'b-seed1', 'a-seed2']
    """
    return list(_runs_of(arms, seeds))


def _runs_of(arms: Sequence[Arm], seeds: int | None) -> Iterator[Run]:
    for seed in range(1, 1 + max((seeds or arm.seeds for arm in arms), default=0)):
        for arm in arms:
            if seed <= (seeds or arm.seeds):
                yield Run(arm, seed)
