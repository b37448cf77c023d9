"""From maps to a Prediction, in numpy: one file a decoder, and the table that finds them by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import ModelError, nearest
from headcount.core.prediction import Prediction
from headcount.decode.density import decode_density
from headcount.decode.gaussian_prior import decode_gaussian_prior
from headcount.decode.instance import decode_instances
from headcount.decode.raz_loc import decode_raz_loc
from headcount.decode.scale import SIZES

Decoder = Callable[
    [Mapping[str, NDArray[np.float32]], Mapping[str, int], Mapping[str, float], tuple[int, int]], Prediction
]
"""``(maps, strides, settings, size_wh)`` → Prediction. ``maps`` are (c, h', w') float32 by name, ``strides`` the
side of their cells in pixels, ``settings`` the card's, ``size_wh`` the image without its padding."""

DECODERS: dict[str, Decoder] = {
    "density": decode_density,
    "gaussian_prior": decode_gaussian_prior,
    "instances": decode_instances,
    "raz_loc": decode_raz_loc,
}


def get_decoder(name: str) -> Decoder:
    """The decoder of a name.

    Raises:
        ModelError: there is none of that name, or the model counts nobody.
    """
    if name == SIZES:
        raise ModelError(
            "This model tells how large heads are whose places are known, and counts nobody: use it with headcount "
            "label pseudo, and another one for counting."
        )
    if name not in DECODERS:
        raise ModelError(f'There is no decoder "{name}".{nearest(name, DECODERS)}')
    return DECODERS[name]
