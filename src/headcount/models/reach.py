"""How far a network sees: the context that a tile needs for its seams to be exact."""

from __future__ import annotations

import copy

import torch

from headcount.core.card import TileSpec
from headcount.models.method import Method


def tile_of(method: Method, *, size: int = 2560) -> TileSpec:
    """The method's own tiles, or ones of ``size`` pixels with its reach as halo: tiled and whole maps are equal.

    A method that sees further than half a tile (one that pools over the whole image) gets the default halo and
    ``exact`` false.
    """
    if method.tile is not None:
        return method.tile
    reach = receptive_reach(method, limit=size // 2)
    if reach is None or 2 * reach >= size:
        return TileSpec(size=size, exact=False)
    return TileSpec(size=size, halo=reach)


def receptive_reach(method: Method, *, limit: int) -> int | None:
    """Pixels beyond a cell's own that can change it, as a multiple of the size divisor; None if ``limit`` or more.

    Found by what the structure lets through, not by the weights' size: a NaN in one block of pixels becomes NaN in
    every cell that it can reach, through any weight, even zero.
    """
    probe = copy.deepcopy(method).cpu().float().eval()
    divisor, channels = probe.input_spec.size_divisor, probe.input_spec.channels
    middle = -(-limit // divisor) * divisor
    reach = 0
    for along in (2, 3):  # rows, columns
        shape = [1, channels, 2 * divisor, 2 * divisor]
        shape[along] = 2 * middle + divisor
        images = torch.zeros(shape)
        images.narrow(along, middle, divisor).fill_(float("nan"))
        with torch.inference_mode():
            maps = probe(images)
        for output in probe.outputs:
            touched = maps[output.name].isnan().any(dim=1)[0].any(dim=1 - (along - 2)).nonzero().flatten()
            if len(touched):
                first, last = int(touched[0]) * output.stride, (int(touched[-1]) + 1) * output.stride
                reach = max(reach, middle - first, last - middle - divisor)
    reach = -(-reach // divisor) * divisor
    return None if reach >= limit else reach
