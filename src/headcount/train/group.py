"""The processes that learn together, as one of them sees the others; one alone sends nothing.

Losses and errors, weights and stops: whatever moves the weights is the same in all of them after each step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.strategies.ddp import DDPStrategy
from torch import Tensor, distributed, nn

from headcount.core.errors import HeadcountError, InputError, ModelError
from headcount.train.places import Place
from headcount.train.recipe import Recipe
from headcount.train.synced_norm import SyncedNorms

Item = TypeVar("Item")
_WAITS = timedelta(hours=6)
"""How long processes wait for the one that validates; one that ends is noticed at once."""
_KINDS = {kind.__name__: kind for kind in (HeadcountError, InputError, ModelError)}


class Group:
    """The processes of a run, all joined already where there are several."""

    def __init__(self, recipe: Recipe, place: Place) -> None:
        self.place = place
        precision: Any = "bf16-mixed" if recipe.precision == "bf16" else "32-true"
        if place.processes == 1:
            self.fabric = Fabric(accelerator=recipe.device, devices=1, precision=precision)
            return
        self.fabric = Fabric(
            accelerator=place.accelerator or "cpu", devices=place.local_processes,
            num_nodes=place.processes // place.local_processes, precision=precision, strategy=_Replicas(),
            plugins=[_Joined(place)],
        )  # fmt: skip
        self.fabric.launch()
        # What is agreed on does not wait behind what GPUs compute, nor end when a validation takes long.
        self._talk: Any = distributed.new_group(backend="gloo", timeout=_WAITS)

    @property
    def is_first(self) -> bool:
        """Whether this process writes, validates and speaks."""
        return self.place.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no other."""
        return self.place.processes == 1

    def norms(self) -> AbstractContextManager[Any]:
        """Batch norms share their statistics inside."""
        return nullcontext() if self.is_alone else SyncedNorms(self.summed)

    def summed(self, values: Tensor) -> Tensor:
        """Add values up over all processes, in place."""
        if not self.is_alone:
            distributed.all_reduce(values)
        return values

    def total(self, number: Tensor) -> Tensor:
        """Numbers on the CPU, added up over all processes."""
        if self.is_alone:
            return number
        number = number.clone()
        distributed.all_reduce(number, group=self._talk)
        return number

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return bool(self.total(torch.tensor(float(flag))))

    def agree(self, error: HeadcountError | None) -> None:
        """Stop in all processes where one has an error.

        Raises:
            HeadcountError: that of the first process that has one, in all of them.
        """
        if self.any(error is not None):
            self._raise(error)

    def _raise(self, error: HeadcountError | None) -> None:
        told: list[Any] = [described(error)] if self.is_alone else [None] * self.place.processes
        if not self.is_alone:
            distributed.all_gather_object(told, described(error), group=self._talk)
        if error is not None:  # with where it comes from
            raise error
        raise rebuilt(next(one for one in told if one is not None))

    def each(self, items: Iterator[Item]) -> Iterator[Item]:
        """What comes in this process, as long as it comes in all of them.

        Raises:
            HeadcountError: that which was raised in any.
        """
        while True:
            error, item = None, None
            try:
                item = next(items, None)
            except HeadcountError as raised:
                error = raised
            self.agree(error)
            if item is None:
                return
            yield item

    def sum_gradients(self, parameters: Sequence[nn.Parameter], error: HeadcountError | None) -> None:
        """Add gradients up over all processes, in one tensor whose order is fixed, so that its rounding is.

        Raises:
            HeadcountError: ``error``, that of any process.
        """
        if self.is_alone:
            if error is not None:
                raise error
            return
        learned = [one for one in parameters if one.requires_grad]
        has = [one.grad is not None for one in learned]
        like = learned[0]
        parts = [torch.zeros_like(one).flatten() if one.grad is None else one.grad.flatten() for one in learned]
        flags = like.new_tensor([*has, error is not None], dtype=like.dtype)
        lengths = [*(len(one) for one in parts), len(flags)]
        *sums, flags = torch.split(self.summed(torch.cat([*parts, flags])), lengths)
        found = flags.cpu().tolist()
        if found[-1] != 0:
            self._raise(error)
        for one, own, anywhere in zip(learned, sums, found[:-1], strict=True):
            if not anywhere:
                continue
            if one.grad is None:
                one.grad = torch.zeros_like(one)
            one.grad.copy_(own.view_as(one))

    def from_first(self, value: Item) -> Item:
        """What the first process gives, in all of them."""
        if self.is_alone:
            return value
        values = [value]
        distributed.broadcast_object_list(values, group=self._talk)
        return values[0]

    def check_same(self, what: str, words: str) -> None:
        """Stop where processes differ in ``what`` they have.

        Raises:
            InputError: they do, in ``words``.
        """
        differs = self.from_first(what) != what
        self.agree(InputError(words) if differs else None)


def described(error: HeadcountError | None) -> dict[str, str] | None:
    """An error as plain data."""
    if error is None:
        return None
    kind = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _KINDS)
    return {"kind": kind, "message": error.message, "remedy": error.remedy}


def rebuilt(told: dict[str, str]) -> HeadcountError:
    """The error that was described."""
    return _KINDS[told["kind"]](told["message"], remedy=told["remedy"])


class _Replicas(DDPStrategy):
    """The whole network on each device, and nothing around it: gradients are added up when all of them are there.

    torch's wrapper forms its groups of gradients anew after a first step, so that a run that is resumed would add three
    or more up in another order.
    """

    def _configure_launcher(self) -> None:
        """No launcher: all processes are there."""

    def setup_module(self, module: nn.Module) -> Any:
        return module


class _Joined(ClusterEnvironment):
    """Processes that were started, and joined, by others than Fabric."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        return 0

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self._place.processes

    def set_world_size(self, size: int) -> None:
        pass

    def global_rank(self) -> int:
        return self._place.rank

    def set_global_rank(self, rank: int) -> None:
        pass

    def local_rank(self) -> int:
        return self._place.local_rank

    def node_rank(self) -> int:
        return self._place.rank // self._place.local_processes
