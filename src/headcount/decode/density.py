"""Density maps: their sum is the count, their local peaks are where people probably are."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from headcount.core.geometry import clip_to_centres
from headcount.core.prediction import Prediction
from headcount.core.settings import Settings
from headcount.decode.inputs import read_map
from headcount.decode.maxima import local_maxima

_SMOOTHING = np.array([0.25, 0.5, 0.25], dtype=np.float32)


class DensityDecoderSettings(Settings):
    """What a card may say to this decoder: the map's scale, and which local maxima are shown as peaks."""

    density_scale: float = Field(default=1.0, gt=0, le=1e6)
    """Factor of the whole map."""
    peak_threshold: float = Field(default=0.25, ge=-1e6, le=1e6)
    """People in the 3×3 cells around a peak, at least."""
    peak_distance: int = Field(default=1, ge=1, le=64)
    """Cells in x and y within which none is higher: no head is wider, and the search takes the square of it."""


def decode_density(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: DensityDecoderSettings,
    size_wh: tuple[int, int],
) -> Prediction:
    """Count, density and peaks of the map named ``density``.

    ``maps["density"]`` is (1, h', w'), people per cell; cells wholly beyond the image are cut off, and the count is
    the float64 sum of what is left. Peaks are (x, y) in image pixels, the centre of cell (i, j) at
    ((j + 0.5) · stride, (i + 0.5) · stride), and never outside the image.

    Raises:
        ModelError: there is no such map, it holds NaN or infinity, or is smaller than the image.

    >>> density = np.zeros((1, 4, 4), dtype=np.float32)
    >>> density[0, 1, 2] = 1
    >>> found = decode_density({"density": density}, {"density": 8}, DensityDecoderSettings(), (30, 30))
    >>> found.count, found.points_xy.tolist()
    (1.0, [[20.0, 12.0]])
    """
    density = read_map(maps, "density", strides, size_wh, "density")
    stride = strides["density"]
    density = np.multiply(density, np.float32(settings.density_scale), dtype=np.float32)
    cells_xy, mass = find_peaks(density, threshold=settings.peak_threshold, distance=settings.peak_distance)
    points_xy = (cells_xy + 0.5) * stride
    # The last cells may reach beyond the image: their peaks are drawn back to its outermost pixel centres.
    points_xy = clip_to_centres(points_xy, size_wh)
    return Prediction(
        count=float(density.sum(dtype=np.float64)),
        size_wh=size_wh,
        points_xy=points_xy,
        points_kind="peaks",
        scores=mass,
        density=density,
        density_stride=stride,
    )


def find_peaks(
    density: NDArray[np.float32], *, threshold: float, distance: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Local maxima of a lightly smoothed (h, w) map: (n, 2) cells as (column, row), and the (n,) mass of each.

    The mass is the sum over the 3×3 cells around a peak, its place their centroid, both of the map as it is. A
    plateau is one peak, at its middle. Peaks come row by row.

    >>> cells, mass = find_peaks(np.float32([[0, 0, 0, 0], [0, 0.6, 0.2, 0], [0, 0, 0, 0]]), threshold=0.5)
    >>> cells.round(3).tolist(), mass.round(3).tolist()
    ([[1.25, 1.0]], [0.8])
    """
    people = np.maximum(density, 0)
    smooth = np.asarray(cv2.sepFilter2D(people, -1, _SMOOTHING, _SMOOTHING, borderType=cv2.BORDER_CONSTANT), np.float32)
    mass = cv2.boxFilter(people, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    places_xy, _ = local_maxima(smooth, mass >= threshold, reach=distance)
    del smooth, mass
    if len(places_xy) == 0:
        return np.zeros((0, 2)), np.zeros(0)
    column, row = np.rint(places_xy).astype(np.intp).T  # (n,) each

    padded = np.pad(people, 1)
    total, moment_x, moment_y = np.zeros(len(row)), np.zeros(len(row)), np.zeros(len(row))
    for step_y in (-1, 0, 1):
        for step_x in (-1, 0, 1):
            weight = padded[row + 1 + step_y, column + 1 + step_x].astype(np.float64)
            total += weight
            moment_x += step_x * weight
            moment_y += step_y * weight
    safe = np.maximum(total, 1e-12)
    cells_xy = np.stack([column + moment_x / safe, row + moment_y / safe], axis=1)  # (n, 2)
    return cells_xy, total
