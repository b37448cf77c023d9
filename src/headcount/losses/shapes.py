"""What losses ask of the shapes they are given."""

from __future__ import annotations

from collections.abc import Sequence

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


def points_of_each(name: str, values: Tensor, points: Sequence[Tensor]) -> None:
    """Stop where ``values``, called ``name``, are no (b, 1, h, w), or ``points`` not one (n, 2) tensor an image.

    Raises:
        InputError: they are not.
    """
    if values.dim() != 4 or values.shape[1] != 1:
        raise InputError(f"{name} must be of the shape (b, 1, h, w), but its shape is {tuple(values.shape)}.")
    if len(points) != len(values):
        raise InputError(f"points must be one tensor for each of {len(values)} images, but they are {len(points)}.")
    for one in points:
        if one.dim() != 2 or one.shape[1] != 2:
            raise InputError(f"The points of an image must be of the shape (n, 2), but theirs is {tuple(one.shape)}.")
