"""Gaussian-prior reconstruction: heads from a density map, each known to be a Gaussian of one size and mass 1.

After the reconstruction of Gao et al., "Domain-adaptive Crowd Counting via … Gaussian-prior Reconstruction", which
"Learning Independent Instance Maps…" compares with in Table 5. Both tell only that the centres of 15×15 Gaussian
kernels are recovered; what follows is matching pursuit, the standard way to do that: find where the known kernel
fits best, subtract it, and look again.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from headcount.core.geometry import clip_to_centres
from headcount.core.prediction import Prediction
from headcount.core.settings import Odd, Settings
from headcount.decode.inputs import read_map
from headcount.decode.maxima import local_maxima
from headcount.targets.density import density_map

_KERNEL_MAX = 255  # pixels; no head is wider


class GaussianPriorDecoderSettings(Settings):
    """What a card may say to this decoder: the kernel heads were painted with, and when there is one."""

    density_sigma: float = Field(default=4.0, gt=0, le=_KERNEL_MAX)
    """Of a head's Gaussian, in pixels of the image."""
    kernel_size: Odd = Field(default=15, le=_KERNEL_MAX)
    """Side of a head's kernel, in pixels of the image."""
    least_weight: float = Field(default=0.5, gt=0, le=1)
    """Share of a head's mass that a place must support to be one."""


def decode_gaussian_prior(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: GaussianPriorDecoderSettings,
    size_wh: tuple[int, int],
) -> Prediction:
    """The heads whose Gaussians make up the map ``density``; the count is the map's sum.

    ``maps["density"]`` is (1, h', w'), people per cell. Points are (x, y) in image pixels and inside the image, in
    the order they were found; scores are the weights their places supported. There are never more points than the
    rounded sum, and fewer where mass lies about that is nowhere enough for a head.

    Raises:
        ModelError: there is no such map, it holds NaN or infinity, or is smaller than the image.

    >>> density = density_map(np.array([[20.5, 16.5]]), (40, 32))
    >>> settings = GaussianPriorDecoderSettings()
    >>> found = decode_gaussian_prior({"density": density[None]}, {"density": 1}, settings, (40, 32))
    >>> round(found.count, 4), found.points_xy.round(2).tolist()
    (1.0, [[20.5, 16.5]])
    """
    density = read_map(maps, "density", strides, size_wh, "gaussian_prior")
    stride = strides["density"]
    points, weights = reconstruct_heads(
        density,
        size_wh,
        stride=stride,
        density_sigma=settings.density_sigma,
        kernel_size=settings.kernel_size,
        least_weight=settings.least_weight,
    )
    return Prediction(
        count=float(density.sum(dtype=np.float64)),
        size_wh=size_wh,
        points_xy=points,
        points_kind="heads",
        scores=weights,
        density=density,
        density_stride=stride,
    )


def reconstruct_heads(
    density: NDArray[np.float32],
    size_wh: tuple[int, int],
    *,
    stride: int = 1,
    density_sigma: float = 4.0,
    kernel_size: int = 15,
    least_weight: float = 0.5,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 2) points in image pixels whose Gaussians rebuild ``density`` (⌈h/s⌉, ⌈w/s⌉), and the (n,) weight of each.

    In rounds, on the residual r, which is the density at first. With g the kernel about a cell, brought to mass 1
    where the image's border cuts it:

    1. ⟨r, g⟩ / |g| for every cell: its square is the squared error that a kernel there takes away;
    2. the cells where that is highest within a kernel's reach and where the kernel's best multiple, ⟨r, g⟩ / ⟨g, g⟩,
       is at least ``least_weight``, are heads; a parabola through the logarithms beside them places them within the
       cell (exact for a Gaussian);
    3. r loses exactly what ``density_map`` makes of those heads.

    It ends when no cell qualifies or when as many heads are found as the rounded sum of ``density``.
    """
    kernel = _cell_kernel(stride, density_sigma, kernel_size)  # (2m + 1,)
    reach = len(kernel) // 2
    rows, columns = density.shape
    row_mass, row_square = _inside(kernel, rows), _inside(kernel**2, rows)
    column_mass, column_square = _inside(kernel, columns), _inside(kernel**2, columns)
    to_score = (1 / np.sqrt(row_square[:, None] * column_square)).astype(np.float32)
    to_weight = ((row_mass / row_square)[:, None] * (column_mass / column_square)).astype(np.float32)

    residual = density.astype(np.float32)
    left = int(np.floor(max(density.sum(dtype=np.float64), 0) + 0.5))
    points, weights = [np.zeros((0, 2))], [np.zeros(0)]
    while left > 0:
        product = cv2.sepFilter2D(residual, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT)  # ⟨r, g⟩ · mass of g
        score, weight = product * to_score, product * to_weight
        cells = local_maxima(score, weight >= least_weight, reach=reach)[1]
        if len(cells) == 0:
            break
        found = weight[cells[:, 1], cells[:, 0]]
        best = np.argsort(-found, kind="stable")[:left]
        places = clip_to_centres((cells[best] + 0.5 + _within_cell(score, cells[best])) * stride, size_wh)
        residual -= density_map(places, size_wh, density_sigma=density_sigma, kernel_size=kernel_size, stride=stride)
        points.append(places)
        weights.append(found[best].astype(np.float64))
        left -= len(best)
    return np.concatenate(points), np.concatenate(weights)


def _cell_kernel(stride: int, density_sigma: float, kernel_size: int) -> NDArray[np.float64]:
    """What a head at a cell's centre leaves along one axis of a map of ``stride``: (2m + 1,), summing to 1."""
    reach = -(-(kernel_size // 2 + 1) // stride)
    side = (2 * reach + 1) * stride
    middle = np.array([[side / 2, side / 2]])
    one = density_map(middle, (side, side), density_sigma=density_sigma, kernel_size=kernel_size, stride=stride)
    along: NDArray[np.float64] = one.sum(axis=0, dtype=np.float64)
    # An even stride's cells have no pixel at their centre, and the kernel is cut about a pixel: both sides alike.
    return (along + along[::-1]) / 2


def _inside(kernel: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """The sum of the kernel's part within the map, for each place along an axis: (length,)."""
    reach = len(kernel) // 2
    sums: NDArray[np.float64] = np.convolve(np.ones(length), kernel)[reach : reach + length]
    return sums


def _within_cell(score: NDArray[np.float32], cells: NDArray[np.intp]) -> NDArray[np.float64]:
    """(n, 2) offsets in x and y, at most half a cell, to the top of the Gaussian about each cell; 0 on the border."""
    rows, columns = score.shape
    logs = np.log(np.maximum(np.pad(score, 1, mode="edge").astype(np.float64), 1e-12))
    offsets = np.zeros((len(cells), 2))
    column, row = cells[:, 0] + 1, cells[:, 1] + 1
    for axis, (step_x, step_y, length) in enumerate(((1, 0, columns), (0, 1, rows))):
        before, at, after = (logs[row + k * step_y, column + k * step_x] for k in (-1, 0, 1))
        bend = before - 2 * at + after
        inner = (cells[:, axis] > 0) & (cells[:, axis] < length - 1) & (bend < -1e-9)
        offsets[inner, axis] = np.clip((before - after)[inner] / (2 * bend[inner]), -0.5, 0.5)
    return offsets
