"""What losses ask of the shapes they are given."""

from __future__ import annotations

from torch import Tensor

from headcount.core.errors import InputError


def same_shape(name: str, values: Tensor, **others: Tensor) -> None:
    """Stop where one of ``others``, by name, has another shape than ``values``, which is called ``name``.

    Raises:
        InputError: it has.
    """
    for other, given in others.items():
        if given.shape != values.shape:
            raise InputError(
                f"{other} must be of the shape of {name}, {tuple(values.shape)}, but its shape is {tuple(given.shape)}."
            )
