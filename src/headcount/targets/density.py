"""Density maps: truncated, exactly normalised Gaussians, one unit of mass a head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from headcount.core.errors import InputError

DensityMap = NDArray[np.float32]


def density_map(
    points_xy: NDArray[np.float64],
    size_wh: tuple[int, int],
    *,
    density_sigma: float | NDArray[np.float64] = 4.0,
    kernel_size: int | None = 15,
    region: NDArray[np.bool_] | None = None,
) -> DensityMap:
    """People per pixel, (h, w) float32, whose sum is the number of points.

    Each head is a Gaussian about its point, cut to a square of ``kernel_size`` pixels about the pixel that holds
    it; what the image's border cuts off is made up by re-normalising the rest, so a head always weighs 1 (Eq. 1 of
    "Mask-aware networks for crowd counting"; truncated, so that density > 0 is a mask).

    Args:
        points_xy: (n, 2), inside the image; the first pixel's centre at (0.5, 0.5).
        size_wh: width and height of the map.
        density_sigma: standard deviation in pixels, one for all or (n,) from ``adaptive_sigma``.
        kernel_size: odd side of the square; None takes 15/4 of each head's sigma, the default's own ratio.
        region: (h, w) bool; density outside it is dropped and not made up for.

    Raises:
        InputError: a point outside the image, an even kernel, a sigma that is not positive.

    >>> d = density_map(np.array([[0.5, 0.5], [8.0, 8.0]]), (16, 16))
    >>> round(float(d.sum()), 4), d.shape
    (2.0, (16, 16))
    """
    width, height = size_wh
    total = np.zeros(width * height)
    sigmas = np.broadcast_to(np.asarray(density_sigma, dtype=np.float64), (len(points_xy),))
    if kernel_size is not None and (kernel_size < 1 or kernel_size % 2 == 0):
        raise InputError(f"kernel_size must be odd and positive, but it is {kernel_size}.")
    if len(points_xy):
        if not (sigmas > 0).all():
            raise InputError(f"density_sigma must be positive, but the smallest is {sigmas.min()}.")
        if (points_xy < 0).any() or (points_xy > np.asarray(size_wh)).any():
            raise InputError(f"Every point must lie inside the {width}×{height} image: clamp or drop those outside.")
        if kernel_size is None:
            radii = np.maximum(1, np.round(sigmas * 7 / 4)).astype(int)
        else:
            radii = np.full(len(points_xy), kernel_size // 2)
        for radius in np.unique(radii):
            chosen = radii == radius
            total += _splat(points_xy[chosen], sigmas[chosen], int(radius), width, height)
    density = total.reshape(height, width)
    if region is not None:
        density = density * _checked_region(region, size_wh)
    return density.astype(np.float32)


def _checked_region(region: NDArray[np.bool_], size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    if region.shape != (size_wh[1], size_wh[0]):
        raise InputError(f"The region is {region.shape[1]}×{region.shape[0]}, but the image {size_wh[0]}×{size_wh[1]}.")
    return region


def _splat(
    points_xy: NDArray[np.float64], sigmas: NDArray[np.float64], radius: int, width: int, height: int
) -> NDArray[np.float64]:
    columns, weights_x = _axis(points_xy[:, 0], sigmas, radius, width)  # (n, k) each
    rows, weights_y = _axis(points_xy[:, 1], sigmas, radius, height)
    cells = rows[:, :, None] * width + columns[:, None, :]  # (n, k, k)
    weights = weights_y[:, :, None] * weights_x[:, None, :]
    return np.bincount(cells.ravel(), weights.ravel(), minlength=width * height).astype(np.float64)


def _axis(
    centres: NDArray[np.float64], sigmas: NDArray[np.float64], radius: int, length: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pixel indices and normalised weights along one axis; a square kernel separates, its normalisation too."""
    middle = np.minimum(np.floor(centres).astype(np.int64), length - 1)  # the far border is the last pixel's
    index = middle[:, None] + np.arange(-radius, radius + 1)
    squared = ((index + 0.5 - centres[:, None]) / sigmas[:, None]) ** 2
    # Relative to the nearest pixel, which the normalisation cancels: a tiny sigma must not leave 0 / 0.
    weight = np.exp(-0.5 * (squared - squared.min(axis=1, keepdims=True)))
    inside = (index >= 0) & (index < length)
    weight = np.where(inside, weight, 0.0)
    return np.clip(index, 0, length - 1), weight / weight.sum(axis=1, keepdims=True)


def adaptive_sigma(
    points_xy: NDArray[np.float64], *, beta: float = 0.3, cap_px: float = 15.0, fallback_px: float = 4.0
) -> NDArray[np.float64]:
    """(n,) standard deviations from the crowd itself: ``beta`` × the mean distance to the 3 nearest other heads.

    Geometry-adaptive kernels of Zhang et al. (CVPR 2016). Capped at ``cap_px``; fewer than 4 points give
    ``fallback_px``. Heads that coincide get half a pixel, so that no sigma is zero.
    """
    if len(points_xy) < 4:
        return np.full(len(points_xy), fallback_px)
    distance = np.asarray(cKDTree(points_xy).query(points_xy, k=4)[0])  # (n, 4), itself first
    sigmas: NDArray[np.float64] = np.clip(beta * distance[:, 1:].mean(axis=1), 0.5, cap_px)
    return sigmas


def sum_pool(full: NDArray[np.float32], stride: int) -> DensityMap:
    """A density at the output stride: (⌈h/s⌉, ⌈w/s⌉), each cell the sum of its pixels, so that no mass is lost.

    >>> sum_pool(np.ones((3, 4), np.float32), 2).tolist()
    [[4.0, 4.0], [2.0, 2.0]]
    """
    # Rows first: twice as fast as both axes at once, six times for the maximum.
    pooled: DensityMap = _blocks(full, stride).sum(axis=1, dtype=np.float64).sum(axis=2).astype(np.float32)
    return pooled


def max_pool(full: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    """A mask at the output stride: (⌈h/s⌉, ⌈w/s⌉), each cell the largest of its pixels."""
    pooled: NDArray[np.float32] = _blocks(full, stride).max(axis=1).max(axis=2)
    return pooled


def _blocks(full: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    height, width = full.shape
    padded = np.pad(full, ((0, -height % stride), (0, -width % stride)))
    return padded.reshape(padded.shape[0] // stride, stride, padded.shape[1] // stride, stride)
