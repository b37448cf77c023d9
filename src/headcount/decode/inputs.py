"""What decoders ask of the maps they are given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import ModelError

_MOST_PADDING_PX = 128


def read_map(
    maps: Mapping[str, NDArray[np.float32]],
    name: str,
    strides: Mapping[str, int],
    size_wh: tuple[int, int],
    decoder: str,
) -> NDArray[np.float32]:
    """``maps[name]``, (1, h', w'), as the (⌈h/s⌉, ⌈w/s⌉) cells that the image has; its padding is cut off.

    Raises:
        ModelError: there is no such map, it is not of its stride, or a map holds NaN or infinity.
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
    if stride < 1:
        raise ModelError(f'The stride of the map "{name}" must be at least 1 pixel, but it is {stride}.')
    columns, rows = -(-width // stride), -(-height // stride)
    values = maps[name]
    is_of_image = values.ndim == 3 and values.shape[0] == channels
    # An image is filled up to the next multiple of something: by less than itself, or than the largest of those.
    for side, cells, own in zip((height, width), values.shape[1:], (rows, columns), strict=False):
        is_of_image &= own <= cells and cells * stride - side < max(side, _MOST_PADDING_PX)
    if not is_of_image:
        raise ModelError(
            f'The map "{name}" of a {width}×{height} image must be at least ({channels}, {rows}, {columns}), which is '
            f"stride {stride}, and no more than padding adds, but it is {values.shape}."
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
