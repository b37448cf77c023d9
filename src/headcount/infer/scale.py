"""At which size an image is counted: the one at which its heads are as large as those that the network knows best.

A photograph of many pixels is first looked at shrunk, which is cheap. Where its heads are seen well then, that is the
count; where they are small it is looked at again at the size that they need, and where they are very large, of a small
image too, at a smaller one. So a photograph counts alike however many pixels its camera has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from headcount.core.card import ScaleSpec
from headcount.core.geometry import sides
from headcount.core.image import RgbImage
from headcount.core.prediction import Prediction
from headcount.infer.tiling import Maps

_LEAST_SIDE_PX = 64
_LOCATED = 0.7
"""Of the people counted: where fewer were located, the others are too small to be told apart."""
_FEW = 3
_NEAR = 1.15
"""Sizes that differ by less are one: a second look would say the same."""


@dataclass(frozen=True, slots=True)
class View:
    """An image as the network saw it: ``maps`` of ``pixels`` (h, w, 3), perhaps shrunk, and what was found in them."""

    pixels: RgbImage
    maps: Maps
    decoded_wh: tuple[int, int]
    found: Prediction


def best_view(pixels: RgbImage, spec: ScaleSpec | None, cell_px: int, see: Callable[[RgbImage], View]) -> View:
    """The image at the size at which its heads are counted best, and what was found there.

    Args:
        pixels: (h, w, 3) the image.
        spec: how the size is chosen; None: the image is seen as it is.
        cell_px: the side of a density cell: shrunk, such a cell is to be whole pixels of the image.
        see: runs the network over an image, and decodes.
    """
    if spec is None:
        return see(pixels)
    factor = min(1.0, spec.look_px / max(pixels.shape[:2]))
    shrunk, factor = shrunk_by(pixels, factor, cell_px)
    view = see(shrunk)
    better = better_factor(view.found, factor, spec)
    if 1 / _NEAR < better / factor < _NEAR:
        return view
    return see(shrunk_by(pixels, better, cell_px)[0])


def better_factor(found: Prediction, factor: float, spec: ScaleSpec) -> float:
    """The factor at which an image should be counted, by what was found of it at ``factor``; at most 1.

    >>> spec = ScaleSpec(look_px=1280, least_px=14, aim_px=22, most_px=96)
    >>> def seen(*heads: float) -> Prediction:
    ...     boxes = [[0, 0, side, side] for side in heads]
    ...     return Prediction(len(boxes), (640, 480), [[1, 1]] * len(boxes), "heads", boxes_xyxy=boxes)
    >>> better_factor(seen(40, 44, 50, 60), 0.25, spec), better_factor(seen(11, 11, 12, 13), 0.25, spec)
    (0.25, 0.5)
    >>> better_factor(seen(192, 192), 1.0, spec), better_factor(seen(), 0.25, spec)
    (0.25, 1.0)
    """
    boxes = found.boxes_xyxy if found.boxes_kind == "heads" else None
    if boxes is None or not len(boxes):
        return 1.0  # nobody, or heads too small for this look
    heads = np.sqrt(sides(boxes).prod(axis=1))
    located = min(1.0, len(boxes) / max(found.count, 1.0))
    small, large = np.quantile(heads, [0.25 * located, 0.75])
    if factor < 1 and (small < spec.least_px or located < _LOCATED):
        return 1.0 if len(boxes) < _FEW else min(1.0, float(factor * max(spec.aim_px / small, 1.0)))
    if large > spec.most_px:
        return float(factor * spec.most_px / 2 / large)
    return factor


def shrunk_by(pixels: RgbImage, factor: float, cell_px: int) -> tuple[RgbImage, float]:
    """An image shrunk by the factor nearest to the one asked for that makes a cell whole pixels, and that factor.

    It keeps at least 64 pixels of its shorter side.
    """
    height, width = pixels.shape[:2]
    wanted = max(factor, min(1.0, _LEAST_SIDE_PX / min(height, width)))
    cells = max(cell_px, round(cell_px / wanted))
    if cells == cell_px:
        return pixels, 1.0
    exact = cell_px / cells
    size_wh = max(1, round(width * exact)), max(1, round(height * exact))
    return cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False), exact
