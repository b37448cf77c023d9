"""What decoders ask of the maps they are given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import ModelError


def read_map(
    maps: Mapping[str, NDArray[np.float32]],
    name: str,
    strides: Mapping[str, int],
    size_wh: tuple[int, int],
    decoder: str,
) -> NDArray[np.float32]:
    """``maps[name]``, (1, h', w'), as the (⌈h/s⌉, ⌈w/s⌉) cells that the image has; its padding is cut off.

    Raises:
        ModelError: there is no such map, it is smaller than the image, or a map holds NaN or infinity.
    """
    values: NDArray[np.float32] = read_channels(maps, name, strides, size_wh, decoder)[0]
    return values


def read_channels(
    maps: Mapping[str, NDArray[np.float32]],
    name: str,
    strides: Mapping[str, int],
    size_wh: tuple[int, int],
    decoder: str,
    *,
    channels: int = 1,
) -> NDArray[np.float32]:
    """``maps[name]``, as ``read_map`` gives it, of several values a cell: (channels, ⌈h/s⌉, ⌈w/s⌉).

    Raises:
        ModelError: as ``read_map`` does.
    """
    if name not in maps:
        raise ModelError(
            f'The {decoder} decoder needs a map "{name}", but the model makes {", ".join(maps) or "none"}.'
        )
    for key, values in maps.items():
        refuse_not_finite(key, values)
    width, height = size_wh
    stride = strides[name]
    columns, rows = -(-width // stride), -(-height // stride)
    values = maps[name]
    if values.ndim != 3 or values.shape[0] != channels or values.shape[1] < rows or values.shape[2] < columns:
        raise ModelError(
            f'The map "{name}" of a {width}×{height} image must be at least ({channels}, {rows}, {columns}), but it is '
            f"{values.shape}."
        )
    return values[:, :rows, :columns]


def refuse_not_finite(name: str, values: NDArray[np.float32]) -> None:
    """Stop where a map, or boxes, hold NaN or infinity.

    Raises:
        ModelError: they do.
    """
    # Extremes carry NaN and infinity; a mask of all cells would take memory.
    if values.size and not np.isfinite([values.min(), values.max()]).all():
        raise ModelError(f'The map "{name}" holds values that are not finite: the weights are broken, export anew.')
