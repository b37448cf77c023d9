"""How a density map resembles the true one: PSNR and SSIM.

Both maps are compared cell by cell at the model's own stride: the true one is a Gaussian about each head, as networks
here learn it (``targets.density.density_map``: σ 4 px, cut to 15×15 and normalised), summed over each cell. Both are
divided by the largest true cell of the image, which so has the value 1.

- PSNR = 10 · log₁₀(1 / mean squared difference), in dB; 100 at most, where the maps are equal.
- SSIM of "Image Quality Assessment: From Error Visibility to Structural Similarity" (Wang et al., 2004): a Gaussian
  window of 11×11 cells and σ 1.5, K₁ = 0.01, K₂ = 0.03, a range of 1; the mean over the cells whose window lies in
  the map.

CSRNet's authors report both on maps that are enlarged to the image and normalised, which they describe no further:
their figures are not comparable with these. Nor are those of models of different strides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import clip_points
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.evaluate.metrics.table import EvaluationSettings, Figure, NotMeasured
from headcount.targets.density import density_map

Map = NDArray[np.float64]

DENSITY_SIGMA, KERNEL_SIZE = 4.0, 15
_WINDOW, _WINDOW_SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_MOST_DB = 100.0


@dataclass(frozen=True, slots=True)
class DensityResult:
    """The means over images.

    Attributes:
        psnr: in dB.
        ssim: at most 1.
        images: those that were compared.
        strides: of their maps, in pixels.
        without_heads, small: the images that were left out, since nobody is in them, or their map has under 11 cells
            a side.
    """

    psnr: float
    ssim: float
    images: int
    strides: tuple[int, ...]
    without_heads: int
    small: int

    @property
    def protocol(self) -> str:
        """What was done, in words: figures of different protocols are not comparable."""
        strides = ", ".join(map(str, self.strides))
        return (
            f"at stride {strides}, against Gaussians of σ {DENSITY_SIGMA:g} px ({KERNEL_SIZE}×{KERNEL_SIZE}) summed "
            "over cells; both divided by the largest true cell"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "protocol": self.protocol, "psnr": self.psnr, "ssim": self.ssim, "images": self.images,
            "left_out": {"without_heads": self.without_heads, "small": self.small},
        }  # fmt: skip

    def lines(self) -> list[str]:
        """One line of figures, one of the protocol."""
        left = [f"{plural(self.without_heads, 'image')} without heads"] if self.without_heads else []
        left += [f"{self.small:,} of under {_WINDOW} cells"] if self.small else []
        of = f"of {plural(self.images, 'image')}" + (f" ({', '.join(left)} left out)" if left else "")
        strides = ", ".join(map(str, self.strides))
        return [
            f"  density map: PSNR {self.psnr:.2f} dB   SSIM {self.ssim:.4f}",
            f"  {of}; at stride {strides}, truth: Gaussians of {DENSITY_SIGMA:g} px",
        ]

    def figures(self) -> list[Figure]:
        """None: they say little of a count."""
        return []


class Density:
    """Accumulates the likeness of each image's density map."""

    def __init__(self, settings: EvaluationSettings) -> None:
        self._sums = np.zeros(2)
        self._images = self._without_heads = self._small = 0
        self._strides: set[int] = set()
        self._has_maps = True

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image."""
        if prediction.density is None:
            self._has_maps = False
        if not self._has_maps or prediction.density is None:
            return
        if min(prediction.density.shape) < _WINDOW:
            self._small += 1
            return
        true = true_density(scene, prediction)
        peak = true.max()
        if not peak > 0:
            self._without_heads += 1
            return
        one, other = true / peak, prediction.density.astype(np.float64) / peak
        self._sums += (psnr(one, other), ssim(one, other))
        self._images += 1
        self._strides.add(prediction.density_stride)

    def result(self) -> DensityResult | NotMeasured | None:
        """The means so far; None where no image can be compared."""
        if not self._has_maps:
            return NotMeasured("the model makes no density map: no PSNR and SSIM of it")
        if not self._images:
            return None
        mean = self._sums / self._images
        strides = tuple(sorted(self._strides))
        return DensityResult(float(mean[0]), float(mean[1]), self._images, strides, self._without_heads, self._small)


def true_density(scene: Scene, prediction: Prediction) -> Map:
    """What the density map of a prediction should have been, cell by cell, in the scene's region."""
    assert prediction.density is not None
    size_wh, stride = prediction.size_wh, prediction.density_stride
    pooled = density_map(
        clip_points(scene.points_xy, size_wh), size_wh, density_sigma=DENSITY_SIGMA, kernel_size=KERNEL_SIZE,
        region=scene.region, stride=stride,
    )  # fmt: skip
    rows, columns = prediction.density.shape
    true = np.zeros((rows, columns))  # a map may hold padding
    pooled = pooled[:rows, :columns]
    true[: pooled.shape[0], : pooled.shape[1]] = pooled
    return true


def psnr(true: Map, predicted: Map) -> float:
    """Of two maps (h, w) in which 1 is the largest value that counts, in dB; 100 at most.

    >>> psnr(np.zeros((2, 2)), np.full((2, 2), 0.1))
    20.0
    """
    error = float(np.square(true - predicted).mean())
    return min(_MOST_DB, -10 * math.log10(error)) if error > 0 else _MOST_DB


def ssim(true: Map, predicted: Map) -> float:
    """Of two maps (h, w), each side at least 11, of a range of 1.

    >>> ssim(np.eye(12), np.eye(12))
    1.0
    """
    window = cv2.getGaussianKernel(_WINDOW, _WINDOW_SIGMA, cv2.CV_64F)
    edge = _WINDOW // 2

    def mean(values: Map) -> Map:
        filtered = cv2.sepFilter2D(values, cv2.CV_64F, window, window)[edge:-edge, edge:-edge]
        return np.asarray(filtered, np.float64)

    one, other = mean(true), mean(predicted)
    variance, other_variance = mean(true * true) - one * one, mean(predicted * predicted) - other * other
    covariance = mean(true * predicted) - one * other
    likeness = (2 * one * other + _C1) * (2 * covariance + _C2)
    likeness /= (one * one + other * other + _C1) * (variance + other_variance + _C2)
    return float(likeness.mean())
