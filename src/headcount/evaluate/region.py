"""Regions of interest: what is judged where a data set counts only a part of its images (WorldExpo'10, UCSD)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import centres, in_mask
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene


def inside_region(scene: Scene, prediction: Prediction) -> tuple[Scene, Prediction]:
    """Both as if nothing lay beyond the scene's region: heads by the pixel that holds them, density by area.

    A scene without a region comes back as it is.

    Raises:
        InputError: the region is not of the image's size, or the prediction does not say where people are.

    >>> region = np.zeros((4, 8), bool)
    >>> region[:, :3] = True
    >>> scene = Scene(np.zeros((4, 8, 3), np.uint8), [[1, 1], [6, 1]], region=region, name="a")
    >>> seen = Prediction(8.0, (8, 4), density=np.full((2, 4), 1, np.float32), density_stride=2)
    >>> truth, part = inside_region(scene, seen)
    >>> truth.count, part.count
    (1, 3.0)
    """
    region = scene.region
    if region is None:
        return scene, prediction
    width, height = prediction.size_wh
    if region.shape != (height, width):
        raise InputError(
            f'The region of interest of "{scene.name}" is {region.shape[1]}×{region.shape[0]}, but its image is '
            f"{width}×{height}: the two do not belong together."
        )
    truth = in_mask(scene.points_xy, region)
    paired = scene.boxes_xyxy is not None and len(scene.boxes_xyxy) == len(truth)
    boxes, provenance = scene.boxes_xyxy, scene.box_provenance
    if boxes is not None:
        kept = truth if paired else in_mask(centres(boxes), region)
        boxes = boxes[kept]
        provenance = tuple(p for p, k in zip(provenance, kept, strict=True) if k) if provenance else ()
    judged = replace(scene, points_xy=scene.points_xy[truth], boxes_xyxy=boxes, box_provenance=provenance)
    return judged, _masked(prediction, region, scene.name)


def _masked(prediction: Prediction, region: NDArray[np.bool_], name: str) -> Prediction:
    kept = in_mask(prediction.points_xy, region)
    boxes = prediction.boxes_xyxy
    density = prediction.density
    if density is not None:
        density = (density * _share(region, prediction.density_stride, density.shape)).astype(np.float32)
        count = float(density.sum(dtype=np.float64))
    elif prediction.points_kind == "heads":
        count = float(kept.sum())
    else:
        raise InputError(f'"{name}" has a region of interest, but the model does not say where the people are.')
    return replace(
        prediction,
        count=count,
        points_xy=prediction.points_xy[kept],
        scores=None if prediction.scores is None else prediction.scores[kept],
        boxes_xyxy=boxes[kept] if boxes is not None and len(boxes) == len(kept) else None,
        density=density,
        interval=None,
    )


def _share(region: NDArray[np.bool_], stride: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(h', w') how much of each cell's part of the image lies in the region."""
    rows, columns = shape
    padded = np.zeros((2, rows * stride, columns * stride))
    height, width = min(region.shape[0], rows * stride), min(region.shape[1], columns * stride)
    padded[0, :height, :width] = region[:height, :width]
    padded[1, :height, :width] = 1
    area = padded.reshape(2, rows, stride, columns, stride).sum(axis=(2, 4))
    share: NDArray[np.float64] = area[0] / np.maximum(area[1], 1)
    return share
