"""Regions of interest: what is judged where a data set counts only a part of its images (WorldExpo'10, UCSD)."""

from __future__ import annotations

from dataclasses import replace

from headcount.core.errors import InputError
from headcount.core.geometry import centres, in_mask
from headcount.core.prediction import Prediction
from headcount.core.region import masked
from headcount.core.scene import Scene


def inside_region(scene: Scene, prediction: Prediction) -> tuple[Scene, Prediction]:
    """Both as if nothing lay beyond the scene's region: heads by the pixel that holds them, density by area.

    A scene without a region comes back as it is.

    Raises:
        InputError: the region is not of the image's size, or the prediction does not say where people are.

    >>> import numpy as np
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
    return judged, masked(prediction, region, scene.name)
