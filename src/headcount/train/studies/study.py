"""What a study is: arms that are trained alike and compared, at one scale or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headcount.core.errors import InputError, nearest
from headcount.train.studies.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One recipe of a study, trained once with each seed.

    Attributes:
        recipe: the name of a shipped recipe, or a file.
        group: what is compared with each other, as it is shown (``CenterNet``).
        variant: what differs within the group (``focal``).
        seeds: how many seeds, from 1 up, unless the user says otherwise.
        papers: the recipes that hold the paper's figures of the same arm, one for each data set.
        changes: ``key=value`` over the recipe, of an arm that has none of its own.
        is_extra: whether it is run only where it is asked for by name.
    """

    recipe: str
    group: str
    variant: str
    seeds: int = 1
    papers: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    is_extra: bool = False

    @property
    def name(self) -> str:
        """The recipe without its folder and suffix, and what was changed of it."""
        stem = Path(self.recipe).name.removesuffix(".yaml")
        return f"{stem}-{_key(self.variant)}" if self.changes else stem

    @property
    def keys(self) -> tuple[str, str]:
        """The group and the variant as they are typed: ``faster-rcnn``, ``solution5``."""
        return _key(self.group), _key(self.variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """What a second stage changes of the best arm of the first.

    Attributes:
        changes: ``key=value`` over that arm's recipe; none: that arm itself, whose runs are not run again.
        needs: the variants of the first stage that it can be put to; all where empty.
    """

    changes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondStage:
    """Variations of the arm of the first stage that errs least on the images held out of its training.

    Attributes:
        group: what is compared, as it is typed: ``losses``.
        among: the variants of the first stage that may be varied.
        variations: by name.
        seeds: how many seeds, unless the user says otherwise.
    """

    group: str
    among: tuple[str, ...]
    variations: Mapping[str, Variation]
    seeds: int

    def arms(self, best: Arm) -> tuple[Arm, ...]:
        """The arms on one of the first stage, those alone that can be put to it."""
        return tuple(
            Arm(
                recipe=best.recipe, group=f"{self.group.capitalize()} on {best.variant}", variant=name,
                seeds=self.seeds, changes=one.changes,
            )
            for name, one in self.variations.items()
            if not one.needs or best.variant in one.needs
        )  # fmt: skip

    def chosen(self, only: Sequence[str]) -> tuple[str, ...]:
        """The variations named in ``only``, by themselves or by the group; all where it is empty."""
        wanted = {name.lower() for name in only}
        if not wanted or self.group in wanted:
            return tuple(self.variations)
        return tuple(name for name in self.variations if _key(name) in wanted)


def _key(name: str) -> str:
    return name.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The arms of a study at one budget.

    Attributes:
        arms: in the order in which they are run and shown.
        split: the list of images that is reported on; nothing is chosen by it.
        then: what follows where all of that is done.
    """

    arms: tuple[Arm, ...]
    split: Literal["val", "test"]
    then: SecondStage | None = None

    @property
    def candidates(self) -> tuple[Arm, ...]:
        """The arms that the second stage may vary; none where there is no such stage."""
        if self.then is None:
            return ()
        return tuple(arm for arm in self.arms if arm.variant in self.then.among and not arm.is_extra)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A comparison that a paper makes.

    Attributes:
        name: as it is typed.
        title: as it is shown.
        scales: by name.
        baseline: the variant that must at least halve the error of the constant count, or its group does not count.
        figures: what is measured and shown, by name; one like ``≤300`` or ``301–700`` is the MAE of the images with so
            many people.
        summary: what is said of all that is done, in lines below the table.
    """

    name: str
    title: str
    scales: Mapping[str, Scale]
    baseline: str
    figures: tuple[str, ...] = ("MAE", "RMSE", "F1", "AP")
    summary: Callable[[State], list[str]] = lambda state: []

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
    """The arms of the first stage whose group or variant is named in ``only``; where it is empty, all but the extra.

    Raises:
        InputError: there is no group and no variant of a name.
    """
    if not only:
        return tuple(arm for arm in scale.arms if not arm.is_extra)
    known = {key for arm in scale.arms for key in arm.keys}
    if scale.then is not None:
        known |= {scale.then.group, *map(_key, scale.then.variations)}
    wanted = {name.lower() for name in only}
    for name in only:
        if name.lower() not in known:
            raise InputError(f'This study has no "{name}".{nearest(name, known)}')
    named = [arm for arm in scale.arms if wanted & set(arm.keys)]
    # A group's name stands for what is run without being asked for; its extra arms have names of their own.
    return tuple(arm for arm in named if not arm.is_extra or arm.keys[1] in wanted)


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
