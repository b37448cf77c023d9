"""A camera whose ground is known exactly: 6 m high, it looks down by 35 degrees on 960×540 pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE_WH = (960, 540)
METRES = [(-3.0, 5.0), (3.0, 5.0), (4.0, 12.0), (-4.0, 12.0), (0.0, 8.0), (2.0, 9.0)]
_FOCAL, _HEIGHT, _DOWN = 800.0, 6.0, np.radians(35)


def pixels_of(metres: Any, height_m: float = 0.0) -> NDArray[np.float64]:
    """(n, 2) where places are seen: x to the right, y ahead of the camera's foot, ``height_m`` above the ground."""
    x, y = np.asarray(metres, np.float64).reshape(-1, 2).T
    below = _HEIGHT - height_m
    depth = y * np.cos(_DOWN) + below * np.sin(_DOWN)
    down = below * np.cos(_DOWN) - y * np.sin(_DOWN)
    return np.stack([SIZE_WH[0] / 2 + _FOCAL * x / depth, SIZE_WH[1] / 2 + _FOCAL * down / depth], axis=1)
