"""GAME: the counting error with a sense of place.

Guerrero-Gómez-Olmedo et al., "Extremely Overlapping Vehicle Counting", IbPRIA 2015: the image is cut into 4^L
equal regions and the absolute errors of the regions are added, so that too many here do not pay for too few there.
GAME(L) of a set is the mean over its images; GAME(0) is the MAE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.table import EvaluationSettings, Figure

GAME_LEVELS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class GameResult:
    """GAME(L) by L, in people."""

    by_level: Mapping[int, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {str(level): value for level, value in self.by_level.items()}

    def lines(self) -> list[str]:
        """One line."""
        return ["  " + "   ".join(f"GAME({level}) {value:.2f}" for level, value in self.by_level.items())]

    def figures(self) -> list[Figure]:
        """None."""
        return []


class Game:
    """Accumulates the errors of the regions of each image."""

    def __init__(self, settings: EvaluationSettings) -> None:
        self._images = 0
        self._sums: dict[int, float] | None = dict.fromkeys(GAME_LEVELS, 0.0)

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image."""
        self._images += 1
        if self._sums is None:
            return
        errors = region_errors(prediction, scene.points_xy)
        self._sums = None if errors is None else {level: self._sums[level] + errors[level] for level in errors}

    def result(self) -> GameResult | None:
        """The means so far; None where the model does not say of every image where people are."""
        if self._sums is None:
            return None
        return GameResult({level: total / self._images for level, total in self._sums.items()})


def grid_of_points(points_xy: NDArray[np.float64], size_wh: tuple[int, int], level: int) -> NDArray[np.float64]:
    """People in each of the 2^L × 2^L regions: (2^L, 2^L), rows from the top.

    ``points_xy`` are (n, 2), the first pixel's centre at (0.5, 0.5); those outside count in the nearest region.

    >>> grid_of_points(np.array([[1.0, 1.0], [9.0, 1.0], [10.0, 8.0]]), (10, 8), 1).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    side = _side(level)
    index = np.floor(points_xy / np.asarray(size_wh) * side).astype(int).clip(0, side - 1)
    grid = np.zeros((side, side))
    np.add.at(grid, (index[:, 1], index[:, 0]), 1.0)
    return grid


def grid_of_density(
    density: NDArray[np.float32], stride: int, size_wh: tuple[int, int], level: int
) -> NDArray[np.float64]:
    """People in each region by a density map of cells of ``stride`` pixels: (2^L, 2^L), the sum kept exactly.

    A cell that a border of regions cuts is divided by area; what lies beyond the image (padding) goes to the
    nearest region.

    >>> grid_of_density(np.array([[1.0, 2.0, 3.0]], dtype=np.float32), 4, (12, 4), 1).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    rows = _shares(density.shape[0], stride, size_wh[1], _side(level))
    columns = _shares(density.shape[1], stride, size_wh[0], _side(level))
    grid: NDArray[np.float64] = rows @ density.astype(np.float64) @ columns.T
    return grid


def region_errors(
    prediction: Prediction, points_xy: NDArray[np.float64], levels: Sequence[int] = GAME_LEVELS
) -> dict[int, float] | None:
    """Σ |error| over the regions of one image, for each L; None where the prediction does not say where people are.

    The density map is used where there is one, else the points, if they are heads.
    """
    errors = {}
    for level in levels:
        if prediction.density is not None:
            grid = grid_of_density(prediction.density, prediction.density_stride, prediction.size_wh, level)
        elif prediction.points_kind == "heads":
            grid = grid_of_points(prediction.points_xy, prediction.size_wh, level)
        else:
            return None
        errors[level] = float(np.abs(grid - grid_of_points(points_xy, prediction.size_wh, level)).sum())
    return errors


def _side(level: int) -> int:
    if not 0 <= level <= 8:
        raise InputError(f"GAME is defined here for levels 0 to 8, got {level}.")
    return 1 << int(level)


def _shares(cells: int, stride: int, length_px: int, regions: int) -> NDArray[np.float64]:
    """(regions, cells): how much of each cell lies in each region; every column sums to 1."""
    edges = np.arange(regions + 1) * (length_px / regions)
    start = np.arange(cells, dtype=np.float64) * stride
    end = np.minimum(start + stride, length_px)
    overlap = np.minimum(edges[1:, None], end) - np.maximum(edges[:-1, None], start)  # (regions, cells)
    inside = np.clip(end - start, 0, None)
    shares = np.clip(overlap, 0, None) / np.where(inside > 0, inside, 1)
    shares[-1, inside <= 0] = 1.0  # a cell of padding
    # Rounding at the edges must not cost people.
    normalised: NDArray[np.float64] = shares / shares.sum(axis=0)
    return normalised
