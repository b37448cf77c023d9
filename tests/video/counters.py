"""Counters that count what they are told: heads at known places, by a model that is never wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from headcount.core.prediction import Prediction
from headcount.core.region import inside

AT = 1_790_000_000


class Seen:
    """Counts the heads at ``points_xy``, with a range from four fifths of the count to twice as many and three more."""

    def __init__(self, points_xy: Any = (), **more: Any) -> None:
        self.see(points_xy, **more)

    def see(self, points_xy: Any, size_wh: tuple[int, int] = (1280, 720), **more: Any) -> Seen:
        points = np.asarray(points_xy, dtype=np.float64).reshape(-1, 2)
        points = points[((points >= 0) & (points <= size_wh)).all(axis=1)] if not more else points
        made: dict[str, Any] = {"count": float(len(points)), "points_xy": points, "points_kind": "heads", **more}
        self.found = Prediction(size_wh=size_wh, model="exact", **made)
        return self

    def count_regions(self, source: object, regions: Sequence[Any]) -> tuple[Prediction, list[Prediction]]:
        """As a Counter's."""
        return ranged(self.found), [ranged(inside(self.found, region)) for region in regions]


def ranged(found: Prediction) -> Prediction:
    return replace(found, interval=(0.8 * found.count, 2 * found.count + 3), interval_level=0.9)
