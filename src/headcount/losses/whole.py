"""What a loss is divided by where a batch is learned from in parts: the number of the whole batch, not the part's own.

A loss that divides by what is in the batch (heads, positive cells, cells of a region) would otherwise weigh a part with
few of them as much as one with many. A part is what one process learns from, or one of the pieces of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

Number = TypeVar("Number", float, Tensor)


@dataclass
class Part:
    """A part of a batch whose loss is being computed.

    Attributes:
        share: its images over those of the batch.
        total: a number of this part → that of the whole batch; both float64, on the CPU, of no dimension.
    """

    share: float
    total: Callable[[Tensor], Tensor]


_part: ContextVar[Part | None] = ContextVar("part", default=None)


@contextmanager
def learning_from(part: Part) -> Iterator[None]:
    """Numbers are those of the batch that ``part`` belongs to, as long as this holds."""
    before = _part.set(part)
    try:
        yield
    finally:
        _part.reset(before)


def of_batch(number: Number, *, least: int = 1) -> Number | Tensor:
    """What a loss of a batch that has ``number`` of something is divided by: the number, or ``least`` where it is less.

    In a part of a batch it is the part's share of the whole batch's number: losses of parts, each times its share of
    the images, then add up to the loss of the batch. Every part must ask for the same numbers in the same order.

    >>> of_batch(3), of_batch(0)
    (3, 1)
    >>> with learning_from(Part(share=0.5, total=lambda number: number + 4)):
    ...     of_batch(2).item()  # 6 in the batch, of which this is half the images
    3.0
    """
    part = _part.get()
    if part is None:
        return number.clamp(min=least) if isinstance(number, Tensor) else max(least, number)
    whole = part.total(torch.as_tensor(number, dtype=torch.float64, device="cpu"))
    divisor: Tensor = (whole.clamp(min=least) * part.share).float()  # divides on any device, of no dimension as it is
    return divisor


def images_of_batch(images: int) -> int:
    """How many images the batch has of which these many are learned from."""
    part = _part.get()
    return images if part is None else round(images / part.share)


@dataclass
class Numbers:
    """The numbers that a loss asks for, in its order: noted of a whole batch first, then told to its pieces."""

    noted: list[Tensor] = field(default_factory=list)

    def note(self, number: Tensor) -> Tensor:
        """Take note of a number, and give it back."""
        self.noted.append(number)
        return number

    def teller(self) -> Callable[[Tensor], Tensor]:
        """What tells the numbers again, from the first."""
        coming = iter(self.noted)
        return lambda number: next(coming)
