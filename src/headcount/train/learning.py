"""A step of training: a process's rows of a batch go through the network, and all processes move weights alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor

from headcount.core.errors import HeadcountError, InputError
from headcount.losses.whole import Numbers, Part, learning_from
from headcount.models.method import Method, TargetBatch
from headcount.train.group import Group
from headcount.train.recipe import Recipe
from headcount.train.schedule import build_optimiser, lr_factor, optimiser_name, set_lr

_APART = 1 << 20
"""Between the seeds of processes, for what a network itself draws."""


class Learned(NamedTuple):
    """What a step came to: the losses of the batch, 0-d by name, where they are logged, and the gradient's norm."""

    losses: Mapping[str, Tensor]
    norm: Tensor | None


class Learner:
    """What every process keeps: the weights and the optimiser, the same in all of them after each step."""

    def __init__(self, recipe: Recipe, method: Method, group: Group) -> None:
        self.recipe, self.group, self.fabric = recipe, group, group.fabric
        self.method = method.to(memory_format=torch.channels_last)
        self.step = 0
        self._divides = True  # whether the loss divides by what is in a batch: as far as is known

    def set_up(self, kind: str) -> None:
        """Begin with an optimiser, ``adamw`` or another that a recipe may name."""
        settings = self.recipe.optimiser
        self.optimiser_kind = kind
        groups = self.method.parameter_groups(settings.lr, settings.backbone_lr_factor)
        optimiser = build_optimiser(kind, groups, settings)
        self.wrapped, self.optimiser = self.fabric.setup(self.method, optimiser)
        self.wrapped.mark_forward_method("training_forward")

    def share(self) -> None:
        """Take over where the first process is: its step, its weights, its optimiser."""
        if self.group.is_alone:
            return
        own: dict[str, Any] | None = None
        if self.group.is_first:
            weights = {name: value.cpu() for name, value in self.method.state_dict().items()}
            own = {"step": self.step, "kind": self.optimiser_kind, "weights": weights}
            own["optimiser"] = move_data_to_device(self.optimiser.state_dict(), "cpu")
        given = self.group.from_first(own)
        if given is not None and not self.group.is_first:
            self.step = given["step"]
            self.method.load_state_dict(given["weights"])
            self.set_up(given["kind"])
            self.optimiser.load_state_dict(given["optimiser"])

    def learn(
        self, step: int, images: Tensor, targets: TargetBatch, names: Callable[[int], Sequence[str]]
    ) -> Learned:  # fmt: skip
        """One step from this process's rows; ``names`` gives the images of a step's whole batch.

        Raises:
            HeadcountError: the loss or its gradient is no longer finite, in any process.
        """
        recipe, rank = self.recipe, self.group.place.rank
        kind = optimiser_name(step, recipe)
        if kind != self.optimiser_kind:
            self.set_up(kind)
        self.method.train()
        # Dropout, if any, is a function of the step as well.
        torch.manual_seed(recipe.seed * 1_000_003 + step + rank * _APART)
        images = self.fabric.to_device(images.contiguous(memory_format=torch.channels_last))
        targets = targets.to(self.fabric.device)
        set_lr(self.optimiser, lr_factor(step, recipe))
        self.optimiser.zero_grad()
        losses: dict[str, Tensor] = {}
        numbers: Numbers | None = None
        error: HeadcountError | None = None
        for rows in _cut(len(images), recipe.pieces):
            piece = targets.rows(rows)
            # A marked method of a module that no strategy wraps is called without autocast.
            with self.fabric.autocast(), self.group.norms(), _cells_enough(images[rows]):
                maps = self.wrapped.training_forward(images[rows], piece)
            share = len(images[rows]) / recipe.batch
            if numbers is None:
                numbers = self._numbers(maps, len(images[rows]), targets)
            with self._part(share, numbers):
                found = {name: value * share for name, value in self.method.loss(maps, piece).items()}
            if error is None and not torch.isfinite(found["total"]):
                own = names(step)[self.group.place.rows(recipe.batch)]
                error = _not_finite(f"The loss is no longer finite at step {step}{_broken(maps)}", own[rows])
            self.fabric.backward(found["total"])
            losses = {name: losses.get(name, 0) + value.detach() for name, value in found.items()}
        self.group.sum_gradients(list(self.method.parameters()), error)
        norm = self.fabric.clip_gradients(
            self.wrapped, self.optimiser, max_norm=recipe.optimiser.clip_norm, error_if_nonfinite=False
        )
        if norm is not None and not torch.isfinite(norm):
            raise _not_finite(f"The gradient of the loss is no longer finite at step {step}", names(step))
        self.optimiser.step()
        self.step = step + 1
        return Learned(self._of_all(losses) if self.is_logged else {}, norm)

    @property
    def is_logged(self) -> bool:
        """Whether the step that was just done is."""
        return self.step == 1 or self.step % self.recipe.log_steps == 0

    def _of_all(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if self.group.is_alone:
            return dict(losses)
        values = self.group.summed(torch.stack([value.detach().float() for value in losses.values()]))
        return dict(zip(losses, values, strict=True))

    def _numbers(self, maps: Mapping[str, Tensor], images: int, targets: TargetBatch) -> Numbers:
        """What the loss divides by in the batch of which the pieces are, where there are several.

        They depend on the targets and on the shapes of maps, so that maps of nothing but 0 do.
        """
        numbers = Numbers()
        if self.recipe.pieces == 1 or not self._divides:
            return numbers
        length = targets.images
        blank = {
            name: value.new_zeros(length, *value.shape[1:]) if value.shape[:1] == (images,) else value.detach()
            for name, value in maps.items()
        }
        with torch.no_grad(), learning_from(Part(1.0, numbers.note)):
            self.method.loss(blank, targets)
        self._divides = bool(numbers.noted)
        if self._divides:
            numbers.noted = list(self.group.total(torch.stack(numbers.noted)))
        return numbers

    def _part(self, share: float, numbers: Numbers) -> AbstractContextManager[None]:
        if self.recipe.pieces > 1:
            return learning_from(Part(share, numbers.teller()))
        return nullcontext() if self.group.is_alone else learning_from(Part(share, self.group.total))


def _not_finite(what: str, images: Sequence[str]) -> HeadcountError:
    listed = ", ".join(f'"{name}"' for name in dict.fromkeys(images))  # all: any of them may be the one
    return HeadcountError(
        f"{what}, of the batch of {listed}: look at what is annotated there, or lower optimiser.lr, and resume."
    )


def _cut(number: int, pieces: int) -> list[slice]:
    """``number`` rows in so many pieces, as equal as can be."""
    bounds = [number * piece // pieces for piece in range(pieces + 1)]
    return [slice(*ends) for ends in pairwise(bounds)]


@contextmanager
def _cells_enough(images: Tensor) -> Iterator[None]:
    """A batch norm that is given one value to learn the spread of, in a sentence; torch says it of a tensor."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        size = f"{images.shape[3]}×{images.shape[2]}"
        raise InputError(
            f"{size} pixels of {len(images)} image at a time leave this network's batch norms one cell to learn from: "
            "give a larger data.crop, a larger batch, or fewer pieces of it."
        ) from error


def _broken(maps: Mapping[str, Tensor]) -> str:
    """Which of the network's maps holds NaN or infinity, in words."""
    names = [name for name, values in maps.items() if not torch.isfinite(values).all()]
    return f' (the map "{names[0]}" is not)' if names else ""
