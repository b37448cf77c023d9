"""Density maps: truncated, exactly normalised Gaussians, one unit of mass a head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from headcount.core.errors import InputError
from headcount.targets.counts import check_inside

DensityMap = NDArray[np.float32]


def density_map(
    points_xy: NDArray[np.float64],
    size_wh: tuple[int, int],
    *,
    density_sigma: float | NDArray[np.float64] = 4.0,
    kernel_size: int | None = 15,
    region: NDArray[np.bool_] | None = None,
    stride: int = 1,
) -> DensityMap:
    """People per cell, (⌈h/s⌉, ⌈w/s⌉) float32, whose sum is the number of points.

    Each head is a Gaussian about its point, cut to a square of ``kernel_size`` pixels about the pixel that holds
    it; what the image's border cuts off is made up by re-normalising the rest, so a head always weighs 1 (Eq. 1 of
    "Mask-aware networks for crowd counting"; truncated, so that density > 0 is a mask).

    Args:
        points_xy: (n, 2), inside the image; the first pixel's centre at (0.5, 0.5).
        size_wh: width and height of the image.
        density_sigma: standard deviation in pixels, one for all or (n,) from ``adaptive_sigma``.
        kernel_size: odd side of the square; None takes 15/4 of each head's sigma, the default's own ratio.
        region: (h, w) bool; density outside it is dropped and not made up for.
        stride: pixels that a cell is wide and high. The same as ``sum_pool`` of the map of pixels, which is not made
            where there is no region.

    Raises:
        InputError: a point outside the image, an even kernel, a sigma that is not positive, a stride below 1.

    >>> d = density_map(np.array([[0.5, 0.5], [8.0, 8.0]]), (16, 16))
    >>> round(float(d.sum()), 4), d.shape
    (2.0, (16, 16))
    >>> density_map(np.array([[8.5, 8.5]]), (16, 16), stride=8).round(2)
    array([[0.2 , 0.25],
           [0.25, 0.31]], dtype=float32)
    """
    width, height = size_wh
    _check_stride(stride)
    sigmas = _checked_sigmas(density_sigma, len(points_xy))
    if kernel_size is not None and (kernel_size < 1 or kernel_size % 2 == 0):
        raise InputError(f"kernel_size must be odd and positive, but it is {kernel_size}.")
    check_inside(points_xy, size_wh)
    if region is not None:
        _check_region(region, size_wh)
        whole = density_map(points_xy, size_wh, density_sigma=sigmas, kernel_size=kernel_size)
        whole *= region
        return whole if stride == 1 else sum_pool(whole, stride)
    if kernel_size is None:
        radii = np.maximum(1, np.round(sigmas * 7 / 4)).astype(int)
    else:
        radii = np.full(len(points_xy), kernel_size // 2)
    density = np.zeros((-(-height // stride), -(-width // stride)), np.float32)
    # From top to bottom, so that heads that are drawn together lie close in memory.
    order = np.argsort(points_xy[:, 1], kind="stable")
    for radius in np.unique(radii):
        chosen = order[radii[order] == radius]
        _splat(density, points_xy[chosen], sigmas[chosen], int(radius), size_wh, stride)
    # What rounding to float32 adds or takes is alike for heads alike: over ten thousand it comes to 1e-4.
    density.reshape(-1)[density.argmax()] += len(points_xy) - density.sum(dtype=np.float64)
    return density


def _checked_sigmas(density_sigma: float | NDArray[np.float64], heads: int) -> NDArray[np.float64]:
    """(n,) standard deviations, one for each head."""
    sigmas = np.asarray(density_sigma, dtype=np.float64)
    if sigmas.shape not in ((), (heads,)):
        raise InputError(f"density_sigma must be one number, or one for each of {heads} points, but is {sigmas.shape}.")
    wrong = sigmas[~((sigmas > 0) & (sigmas < np.inf))]  # NaN is neither
    if wrong.size:
        raise InputError(f"density_sigma must be positive, a number of pixels, but it is {wrong[0]:g}.")
    return np.broadcast_to(sigmas, (heads,))


def _check_stride(stride: int) -> None:
    if stride != int(stride) or stride < 1:
        raise InputError(f"stride must be a whole number of pixels, at least 1, but it is {stride}.")


def _check_region(region: NDArray[np.bool_], size_wh: tuple[int, int]) -> None:
    if region.shape != (size_wh[1], size_wh[0]):
        raise InputError(f"The region is {region.shape[1]}×{region.shape[0]}, but the image {size_wh[0]}×{size_wh[1]}.")


_PIECE = 50_000
"""Cells that are drawn at once: arrays of them stay in the processor's cache, those of a whole crowd would not."""


def _splat(
    density: DensityMap,
    points_xy: NDArray[np.float64],
    sigmas: NDArray[np.float64],
    radius: int,
    size_wh: tuple[int, int],
    stride: int,
) -> None:
    """Add heads of one radius to the map, in place. A square kernel separates, its normalisation and pooling too."""
    cells = density.reshape(-1)
    columns, weights_x = _axis(points_xy[:, 0], sigmas, radius, size_wh[0], stride)  # (n, k) each
    rows, weights_y = _axis(points_xy[:, 1], sigmas, radius, size_wh[1], stride)
    rows *= density.shape[1]
    heads = max(1, _PIECE // columns.shape[1] ** 2)
    for first in range(0, len(points_xy), heads):
        part = slice(first, first + heads)
        weights = (weights_y[part, :, None] * weights_x[part, None, :]).astype(np.float32)  # (n, k, k)
        np.add.at(cells, (rows[part, :, None] + columns[part, None, :]).ravel(), weights.ravel())


def _axis(
    centres: NDArray[np.float64], sigmas: NDArray[np.float64], radius: int, length: int, stride: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cells along one axis and the share of a head in each, normalised, (n, k) both; cells beyond have a share of 0."""
    middle = np.minimum(np.floor(centres).astype(np.int64), length - 1)  # the far border is the last pixel's
    index = middle[:, None] + np.arange(-radius, radius + 1)
    squared = (index + 0.5 - centres[:, None]) ** 2
    # Relative to the nearest pixel, which the normalisation cancels: a tiny sigma must not leave 0 / 0.
    squared -= squared.min(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # an infinite distance weighs nothing, as it should
        weight = np.exp(-0.5 * (squared / sigmas[:, None] / sigmas[:, None]))
    weight[(index < 0) | (index >= length)] = 0
    weight /= weight.sum(axis=1, keepdims=True)
    if stride == 1:
        return index.clip(0, length - 1), weight
    index //= stride
    cell = index[:, :1] + np.arange(2 * radius // stride + 2)  # as many as a kernel can reach into
    share = np.stack([np.where(index == one[:, None], weight, 0).sum(axis=1) for one in cell.T], axis=1)
    return cell.clip(0, (length - 1) // stride), share


def adaptive_sigma(
    points_xy: NDArray[np.float64], *, beta: float = 0.3, cap_px: float = 15.0, fallback_px: float = 4.0
) -> NDArray[np.float64]:
    """(n,) standard deviations from the crowd itself: ``beta`` × the mean distance to the 3 nearest other heads.

    Geometry-adaptive kernels of Zhang et al. (CVPR 2016). Capped at ``cap_px``; fewer than 4 points give
    ``fallback_px``. Heads that coincide get half a pixel, so that no sigma is zero.

    Raises:
        InputError: a factor or a bound that is not positive.
    """
    for name, value in (("beta", beta), ("cap_px", cap_px), ("fallback_px", fallback_px)):
        if not 0 < value < np.inf:
            raise InputError(f"{name} must be positive, but it is {value}.")
    if len(points_xy) < 4:
        return np.full(len(points_xy), fallback_px)
    distance = np.asarray(cKDTree(points_xy).query(points_xy, k=4)[0])  # (n, 4), itself first
    sigmas: NDArray[np.float64] = np.clip(beta * distance[:, 1:].mean(axis=1), 0.5, cap_px)
    return sigmas


def sum_pool(full: NDArray[np.float32], stride: int) -> DensityMap:
    """A density at the output stride: (⌈h/s⌉, ⌈w/s⌉), each cell the sum of its pixels, so that no mass is lost.

    Raises:
        InputError: a stride below 1.

    >>> sum_pool(np.ones((3, 4), np.float32), 2).tolist()
    [[4.0, 4.0], [2.0, 2.0]]
    """
    # Rows first: twice as fast as both axes at once, six times for the maximum.
    pooled: DensityMap = _blocks(full, stride).sum(axis=1, dtype=np.float64).sum(axis=2).astype(np.float32)
    return pooled


def max_pool(full: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    """A mask at the output stride: (⌈h/s⌉, ⌈w/s⌉), each cell the largest of its pixels.

    Raises:
        InputError: a stride below 1.
    """
    pooled: NDArray[np.float32] = _blocks(full, stride).max(axis=1).max(axis=2)
    return pooled


def _blocks(full: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    _check_stride(stride)
    height, width = full.shape
    padded = np.pad(full, ((0, -height % stride), (0, -width % stride)))
    return padded.reshape(padded.shape[0] // stride, stride, padded.shape[1] // stride, stride)
