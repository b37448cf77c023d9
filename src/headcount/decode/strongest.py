"""At most so many heads in a tile: the strongest are kept, and it is said."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

MaxHeads = Annotated[int, Field(ge=1)]
"""A setting: at most so many heads for each ``TILE_PX``² pixels of an image, or part of it."""

TILE_PX = 2048


def strongest(
    scores: NDArray[np.float64], max_heads: int, size_wh: tuple[int, int]
) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """The rows of the ``max_heads`` highest scores, and a warning where there were more.

    ``max_heads`` are allowed for each 2048×2048 pixels of the image, or part of it. Rows stay in their order; of equal
    scores the first row stays.

    >>> strongest(np.array([0.5, 0.9, 0.7]), 2, (640, 480))[0].tolist()
    [1, 2]
    """
    allowed = max_heads * -(-size_wh[0] * size_wh[1] // TILE_PX**2)
    if len(scores) <= allowed:
        return np.arange(len(scores)), ()
    kept = np.sort(np.argsort(-scores, kind="stable")[:allowed])
    return kept, (
        f"More heads were found than the {allowed:,} that are allowed in an image of this size: the strongest are "
        "counted; raise max_heads in the model card's decoder.",
    )
