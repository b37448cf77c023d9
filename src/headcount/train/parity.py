"""Whether an exported file computes what the network does: seen on a painted image, whole and in tiles."""

from __future__ import annotations

import numpy as np

from headcount.core.card import ModelCard
from headcount.core.errors import ModelError
from headcount.infer.tiling import Maps, Run, is_tiled, network_maps
from headcount.synth import paint_scene

_SMALLEST_PX = 64  # that can be painted


def compare_whole(network: Run, file: Run, card: ModelCard, *, at_most: float) -> None:
    """Compare on an image of another shape than the one that the export was traced with.

    Args:
        network: what the maps shall be.
        file: what they are.
        card: what the network is.
        at_most: how far the values of a map may differ, as a share of the largest one, or of 1 where that is smaller.

    Raises:
        ModelError: they differ by more.
    """
    divisor = card.input.size_divisor
    side = divisor * max(4, -(-_SMALLEST_PX // divisor))
    pixels = paint_scene(0, size_wh=(2 * side, side)).pixels()
    _compare(network_maps(pixels, network, card), network_maps(pixels, file, card), "", at_most)


def compare_tiled(network: Run, file: Run, card: ModelCard, *, at_most: float) -> None:
    """Compare on an image that the file sees in four tiles with the card's context, no larger than that needs.

    The network sees it whole, where its card says that tiles make no difference; else in the same tiles. The arguments
    are those of ``compare_whole``.

    Raises:
        ModelError: they differ by more.
    """
    divisor = card.input.size_divisor
    context = -(-card.tile.halo // divisor) * divisor
    side = 2 * context + max(2 * divisor, _SMALLEST_PX)
    side = min(side, card.tile.size)
    tiled = card.model_copy(update={"tile": card.tile.model_copy(update={"size": side})})
    whole = card.model_copy(update={"tile": card.tile.model_copy(update={"size": 4 * side})})
    size_wh = side + 3 * divisor, side + divisor
    assert is_tiled(size_wh, tiled)
    pixels = paint_scene(1, size_wh=size_wh).pixels()
    expected = network_maps(pixels, network, whole if card.tile.exact else tiled)
    _compare(expected, network_maps(pixels, file, tiled), " in tiles", at_most)


def _compare(expected: Maps, found: Maps, where: str, at_most: float) -> None:
    for name, values in expected.items():
        difference = float(np.abs(values - found[name]).max() / max(1.0, float(np.abs(values).max())))
        if not difference < at_most:
            raise ModelError(f'The exported map "{name}" differs from the network\'s{where} by {difference:.1e}.')
