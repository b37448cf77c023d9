"""Augmentation in space: functions from a Scene to a Scene, every draw from a generator that the caller keys.

Pixels, points, boxes and region move together; attributes are carried along. What changes colours alone is in
``photometric``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from headcount.core.errors import InputError
from headcount.core.geometry import centres, sides
from headcount.core.image import ReducedImage, RgbImage, read_reduced
from headcount.core.scene import Provenance, Scene


@dataclass(frozen=True, slots=True)
class Window:
    """What a crop shows of an image of ``image_wh``: ``cut_xywh``, scaled by ``factor``, on a canvas of ``size_wh``."""

    image_wh: tuple[int, int]
    cut_xywh: tuple[int, int, int, int]
    size_wh: tuple[int, int]
    factor: float = 1.0

    @property
    def reduction(self) -> int:
        """How far a JPEG may be decoded smaller (1, 2, 4 or 8) and still have a pixel for each of the crop's."""
        return next((reduction for reduction in (8, 4, 2) if self.factor * reduction <= 1), 1)


def head_size(scene: Scene) -> float | None:
    """How large the smaller heads of a scene are, in pixels: the lower quartile of its boxes' sides √(w·h), or without
    boxes of the distances from each head to the nearest other. None where neither says anything.

    The distance is a little more than a head's width where people stand close, and far more where they do not.
    """
    if scene.boxes_xyxy is not None and len(scene.boxes_xyxy):
        sizes = np.sqrt(sides(scene.boxes_xyxy).prod(axis=1))
    elif len(scene.points_xy) > 1:
        sizes = np.asarray(cKDTree(scene.points_xy).query(scene.points_xy, k=2)[0])[:, 1]
    else:
        return None
    return float(np.quantile(sizes, 0.25)) or None


def bounded_scale(scene: Scene, scale: tuple[float, float], head_px: tuple[float, float] | None) -> tuple[float, float]:
    """The part of ``scale`` (smallest, largest factor) that keeps a scene's ``head_size`` within ``head_px``.

    A crowd shrunk until nobody can tell its heads apart teaches to count texture. The image as it is is never left
    out: where its heads are smaller or larger already, the range begins or ends at 1, if ``scale`` holds 1.
    """
    size = None if head_px is None else head_size(scene)
    if head_px is None or size is None:
        return scale
    low, high = max(scale[0], min(1.0, head_px[0] / size)), min(scale[1], max(1.0, head_px[1] / size))
    return (low, high) if low <= high else scale


def draw_window(
    image_wh: tuple[int, int],
    generator: np.random.Generator,
    *,
    crop_hw: tuple[int, int],
    scale: tuple[float, float] = (1.0, 1.0),
    min_context: int = 1,
) -> Window:
    """The window of a random crop of (height, width) ``crop_hw`` from an image of ``image_wh``.

    The image is scaled by a factor drawn log-uniformly from ``scale``, the place is drawn evenly. A crop shows at
    least ``min_context`` pixels of the image each way, or all of a shorter side: factors that would show fewer are
    not drawn.
    """
    (width, height), (crop_h, crop_w) = image_wh, crop_hw
    largest = min(scale[1], min(crop_hw) / min_context)
    factor = float(np.exp(generator.uniform(np.log(min(scale[0], largest)), np.log(largest))))
    # The cut is a whole number of source pixels; the exact factor follows from it.
    wide, high = min(width, max(1, round(crop_w / factor))), min(height, max(1, round(crop_h / factor)))
    left, top = int(generator.integers(0, width - wide + 1)), int(generator.integers(0, height - high + 1))
    return Window(image_wh, (left, top, wide, high), (crop_w, crop_h), factor)


def whole_window(
    image_wh: tuple[int, int],
    generator: np.random.Generator,
    *,
    scale: tuple[float, float] = (1.0, 1.0),
    divisor: int = 1,
    most_pixels: int | None = None,
) -> Window:
    """The window of all of an image of ``image_wh``, on a canvas whose sides are multiples of ``divisor``.

    The image is scaled by a factor drawn log-uniformly from ``scale``. Where it then has more than ``most_pixels``, a
    part of so many is cut, of its own shape and at a place drawn evenly: memory has a bound, whatever the image.
    """
    factor = float(np.exp(generator.uniform(*np.log(scale))))
    width, height = image_wh
    share = 1.0 if most_pixels is None else min(1.0, math.sqrt(most_pixels / (width * height)) / factor)
    wide, high = max(1, math.floor(width * share)), max(1, math.floor(height * share))
    left, top = int(generator.integers(0, width - wide + 1)), int(generator.integers(0, height - high + 1))
    canvas_w, canvas_h = (-(-max(1, round(side * factor)) // divisor) * divisor for side in (wide, high))
    return Window(image_wh, (left, top, wide, high), (canvas_w, canvas_h), factor)


def crop(
    scene: Scene,
    window: Window,
    view: ReducedImage | None = None,
    *,
    min_visible: float = 0.0,
    fill: int | Sequence[int] = 128,
) -> Scene:
    """The part of a scene that a window shows; where the scaled part is smaller than the canvas, the rest is ``fill``,
    a level of gray or three of RGB.

    Cut and scaled in one step, so that only the crop's own pixels are touched. ``view`` is the scene's image where
    it is decoded already, maybe smaller (the window then grows to whole pixels of it); else it is read here, at the
    window's ``reduction``.

    A point is kept where it lies in the window, which is half-open (a head on the line between two crops belongs to
    one) but for the image's own far border. Boxes are clipped. In a scene of as many boxes as points, row i of both
    is one head, kept where its point is; boxes without such points are kept with their centres. Of either, a head
    whose box the crop's border cuts to nothing, or to less than the share ``min_visible`` of its area, is dropped.
    """
    if view is None:
        view = (
            read_reduced(scene.image, window.reduction)
            if isinstance(scene.image, Path)
            else ReducedImage(scene.pixels())
        )
    unit, (origin_x, origin_y) = view.reduction, view.origin_xy
    view_h, view_w = view.pixels.shape[:2]
    left, top, wide, high = window.cut_xywh
    # In the view's pixels, rounded outwards: what the window shows is never lost.
    first_x, first_y = (left - origin_x) // unit, (top - origin_y) // unit
    last_x = min(view_w, -((origin_x - left - wide) // unit))
    last_y = min(view_h, -((origin_y - top - high) // unit))
    cut = view.pixels[first_y:last_y, first_x:last_x]
    cut_h, cut_w = cut.shape[:2]
    canvas_w, canvas_h = window.size_wh
    out_w = min(canvas_w, max(1, round(cut_w * unit * window.factor)))
    out_h = min(canvas_h, max(1, round(cut_h * unit * window.factor)))
    interpolation = cv2.INTER_AREA if out_w < cut_w else cv2.INTER_LINEAR
    resized = cv2.resize(cut, (out_w, out_h), interpolation=interpolation) if (out_w, out_h) != (cut_w, cut_h) else cut
    canvas = np.empty((canvas_h, canvas_w, 3), np.uint8)
    canvas[:] = fill
    canvas[:out_h, :out_w] = resized
    shown = (origin_x + first_x * unit, origin_y + first_y * unit, cut_w * unit, cut_h * unit)
    return _moved(scene, window.image_wh, canvas, shown, (out_w, out_h), min_visible)


def random_crop(
    scene: Scene,
    generator: np.random.Generator,
    *,
    size: int | tuple[int, int],
    scale: tuple[float, float] = (1.0, 1.0),
    min_context: int = 1,
    min_visible: float = 0.0,
    fill: int = 128,
) -> Scene:
    """A crop of ``size`` pixels, a square's side or (height, width): ``draw_window``, then ``crop``."""
    crop_hw = (size, size) if isinstance(size, int) else size
    window = draw_window(scene.size_wh, generator, crop_hw=crop_hw, scale=scale, min_context=min_context)
    return crop(scene, window, min_visible=min_visible, fill=fill)


def _moved(
    scene: Scene,
    image_wh: tuple[int, int],
    image: RgbImage,
    cut_xywh: tuple[int, int, int, int],
    size_wh: tuple[int, int],
    min_visible: float,
) -> Scene:
    """The scene's annotations as the window ``cut_xywh`` becomes ``size_wh``; those outside are dropped."""
    offset, cut, limit = np.asarray(cut_xywh[:2]), np.asarray(cut_xywh[2:]), np.asarray(size_wh)
    # Multiplied first: (x · limit) / cut is exactly limit at the cut's far border, x · (limit / cut) may exceed it.
    points = (scene.points_xy - offset) * limit / cut
    keep = _shown(scene.points_xy, points, image_wh, size_wh)  # (n,)
    boxes, provenance = scene.boxes_xyxy, scene.box_provenance
    if boxes is not None:
        corners = (boxes.reshape(-1, 2, 2) - offset) * limit / cut  # (m, corner, xy)
        clipped = np.clip(corners, 0, limit)
        share = _share(clipped, corners)
        visible = (share > 0) & (share >= min_visible)
        if len(boxes) == len(points):  # one of each a head
            keep = keep_box = keep & visible
        else:
            middles = centres(boxes)
            keep_box = _shown(middles, (middles - offset) * limit / cut, image_wh, size_wh) & visible
        boxes = clipped[keep_box].reshape(-1, 4)
        provenance = _chosen(provenance, keep_box)
    region = None
    if scene.region is not None:
        region = np.zeros(image.shape[:2], np.bool_)
        region[: size_wh[1], : size_wh[0]] = _sampled(scene.region, cut_xywh, size_wh)
    return replace(
        scene, image=image, points_xy=points[keep], boxes_xyxy=boxes, box_provenance=provenance, region=region
    )


def _shown(
    before_xy: NDArray[np.float64], after_xy: NDArray[np.float64], image_wh: tuple[int, int], size_wh: tuple[int, int]
) -> NDArray[np.bool_]:
    """(n,) whether points of the image come to lie on a crop of ``size_wh``."""
    # Half-open, so that a point on the line between two crops belongs to one; but the image's own far border
    # is nobody else's, and readers clamp heads onto it.
    limit = np.asarray(size_wh)
    at_far_border = (before_xy >= np.asarray(image_wh)) & (after_xy <= limit)
    return np.asarray((((after_xy >= 0) & (after_xy < limit)) | at_far_border).all(axis=1), np.bool_)


def _share(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m,) how much of each box's area is left in its part, both (m, corner, xy); 1 where there was none."""
    part, whole = ((boxes[:, 1] - boxes[:, 0]).prod(axis=1) for boxes in (parts, wholes))
    share: NDArray[np.float64] = np.divide(part, whole, out=np.ones(len(parts)), where=whole > 0)
    return share


def _chosen(provenance: tuple[Provenance, ...], keep: NDArray[np.bool_]) -> tuple[Provenance, ...]:
    return tuple(one for one, kept in zip(provenance, keep, strict=True) if kept) if provenance else ()


def _sampled(
    region: NDArray[np.bool_], cut_xywh: tuple[int, int, int, int], size_wh: tuple[int, int]
) -> NDArray[np.bool_]:
    """The region under each pixel's centre as the window becomes ``size_wh``."""
    left, top, wide, high = cut_xywh
    columns = np.floor(left + (np.arange(size_wh[0]) + 0.5) * wide / size_wh[0]).astype(np.int64)
    rows = np.floor(top + (np.arange(size_wh[1]) + 0.5) * high / size_wh[1]).astype(np.int64)
    # A reduced image reaches a little over the border; the pixels there are the border's own, repeated.
    columns, rows = np.clip(columns, 0, region.shape[1] - 1), np.clip(rows, 0, region.shape[0] - 1)
    sampled: NDArray[np.bool_] = region[rows[:, None], columns]
    return sampled


def blank_outside(pixels: RgbImage, region: NDArray[np.bool_]) -> RgbImage:
    """The image, (h, w, 3), with black pixels outside a region of interest, (h, w) bool.

    Raises:
        InputError: the two are not of one size.
    """
    if region.shape != pixels.shape[:2]:
        sizes = [f"{shape[1]}×{shape[0]}" for shape in (region.shape, pixels.shape)]
        raise InputError(f"The region of interest is {sizes[0]}, but its image is {sizes[1]}: give one of its size.")
    return pixels * region[:, :, None]


def mirror(scene: Scene) -> Scene:
    """The scene seen in a mirror: x → width − x."""
    pixels = np.ascontiguousarray(scene.pixels()[:, ::-1])
    width = pixels.shape[1]
    points = scene.points_xy.copy()
    points[:, 0] = width - points[:, 0]
    boxes = scene.boxes_xyxy
    if boxes is not None:
        boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    region = None if scene.region is None else np.ascontiguousarray(scene.region[:, ::-1])
    return replace(scene, image=pixels, points_xy=points, boxes_xyxy=boxes, region=region)
