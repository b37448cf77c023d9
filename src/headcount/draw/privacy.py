"""Heads that nobody is to recognise: hidden in a copy of a picture, as strongly as each head is large.

A hidden head holds no more than a few brightnesses (`_CELLS` × `_CELLS` over the head, enlarged): what a face is
recognised by is not in the picture any more, and cannot be brought back, as it can after a mere blur.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from headcount.core.errors import InputError, nearest
from headcount.core.geometry import Points, centres, clip_boxes, has_area, sides
from headcount.core.image import RgbImage
from headcount.core.kinds import HIDINGS, Hiding

if TYPE_CHECKING:
    from headcount.core.prediction import Prediction

_CELLS = 4
"""Brightnesses across a hidden head. Faces are recognised from about 16 pixels on, and hardly ever below 8."""
_ENLARGED = 1.4
"""Of a box: a model's boxes of heads leave out chin, hair or a part of them."""
_LEAST_PX = 6.0
_LOW_DENSITY, _LEAST_PEOPLE = 0.02, 0.1
"""People in a cell of the density from which on somebody may be there, and in all of a place of such cells."""
_HEAD_OF_SPACE = 0.6
"""Of the distance to the nearest other heads: how large a head is taken to be. Larger than most are."""
_NEIGHBOURS = 3
_MOST_OF_PICTURE = 1 / 8
"""Of the picture's shorter side: no head is taken to be larger where nothing tells its size."""
_SPREAD_PX = 12


def hide_heads(picture: RgbImage, prediction: Prediction, how: Hiding) -> RgbImage:
    """A copy of a picture (h, w, 3) in which heads are hidden; the picture itself where ``how`` is ``off``.

    Each head is hidden where the model boxed it, the box enlarged; where it has points alone, in a circle whose size
    is told by how far the heads around it are, and by those as far from the camera. Where the density says that there
    are people and no head was located, the whole place is hidden.

    Args:
        picture: what was counted, or its copy of another size.
        prediction: where heads are.
        how: ``blur``, ``pixelate`` or ``off``.

    Raises:
        InputError: there is no such way.
    """
    if how not in HIDINGS:
        raise InputError(f'There is no way "{how}" to hide heads.{nearest(str(how), HIDINGS)}')
    if how == "off":
        return picture
    height, width = picture.shape[:2]
    scale = np.array([width, height]) / prediction.size_wh
    boxes = heads_of(prediction) * np.tile(scale, 2)
    hidden = picture.copy()
    left = _unlocated(prediction, boxes / np.tile(scale, 2))
    if left is not None:
        _hide_places(hidden, picture, left, _usual_px(boxes, (width, height)), how)
    for box in _whole_pixels(boxes, (width, height)):
        _hide_box(hidden, picture, box, how)
    return hidden


def heads_of(prediction: Prediction) -> NDArray[np.float64]:
    """(n, 4) what is hidden around each head that was located, in pixels of the prediction."""
    boxes = prediction.boxes_xyxy
    if boxes is not None and prediction.boxes_kind == "heads":
        size = np.maximum(sides(boxes).max(axis=1) if len(boxes) else np.zeros(0), _LEAST_PX)
        middle = centres(boxes)
    else:
        size, middle = head_sizes_px(prediction.points_xy, prediction.size_wh), prediction.points_xy
    half = (_ENLARGED * size / 2)[:, None]
    return np.concatenate([middle - half, middle + half], axis=1)


def head_sizes_px(points_xy: Points, size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """(n,) how large heads at points (n, 2) may be, in pixels: rather too large than too small.

    A head is no larger than the space that its neighbours leave it, and not much larger than others that are as far
    from the camera, which are those in the same rows of the picture.

    >>> head_sizes_px(np.array([[50.0, 50.0]]), (400, 300)).tolist()
    [37.5]
    >>> grid = np.array([[x, y] for x in range(10, 400, 20) for y in range(10, 300, 20)], float)
    >>> set(head_sizes_px(grid, (400, 300)).round().tolist())
    {12.0, 14.0}
    """
    most = _MOST_OF_PICTURE * min(size_wh)
    if len(points_xy) < 2:
        return np.full(len(points_xy), most)
    known = min(_NEIGHBOURS, len(points_xy) - 1)
    distance = np.asarray(cKDTree(points_xy).query(points_xy, k=known + 1)[0])[:, 1:].mean(axis=1)
    space = np.minimum(_HEAD_OF_SPACE * distance, most)
    # Who stands apart has much space around a head that is as large as others in its rows.
    rows = cKDTree(points_xy[:, 1:])
    alike = np.asarray(rows.query(points_xy[:, 1:], k=min(15, len(points_xy)))[1])
    usual = np.median(space[alike], axis=1)
    found: NDArray[np.float64] = np.clip(np.minimum(space, 1.5 * usual), _LEAST_PX, most)
    return found


def _unlocated(prediction: Prediction, boxes: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """(h', w') cells of the density where somebody may be whom no box hides; None where there are none."""
    density = prediction.density
    if density is None:
        return None
    stride = prediction.density_stride
    some = density > _LOW_DENSITY
    rows, columns = density.shape
    # Around a located head the density is that head's own.
    cells = np.clip(np.round(boxes / stride), 0, (columns, rows, columns, rows)).astype(int)
    for x1, y1, x2, y2 in cells.tolist():
        some[y1:y2, x1:x2] = False
    # The last trace of somebody who was hidden is no head.
    _, labels = cv2.connectedComponents(some.astype(np.uint8), connectivity=8)
    people = np.bincount(labels.ravel(), weights=density.ravel().astype(np.float64))
    people[0] = 0
    some &= (people >= _LEAST_PEOPLE)[labels]
    return some if some.any() else None


def _usual_px(boxes: NDArray[np.float64], size_wh: tuple[int, int]) -> float:
    """How large a head is that was not located: as the smaller ones that were."""
    if not len(boxes):
        return min(size_wh) / 20
    return float(np.clip(np.quantile(sides(boxes).max(axis=1), 0.25), _LEAST_PX, min(size_wh) / 10))


def _hide_places(hidden: RgbImage, picture: RgbImage, cells: NDArray[np.bool_], head_px: float, how: Hiding) -> None:
    height, width = picture.shape[:2]
    mask = cv2.resize(cells.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    around = max(_SPREAD_PX, round(head_px / 2))
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * around + 1,) * 2))
    side = max(2.0, head_px / _CELLS)
    few_wh = max(1, round(width / side)), max(1, round(height / side))
    np.copyto(hidden, _coarse(picture, few_wh, how), where=mask[:, :, None] > 0)


def _whole_pixels(boxes: NDArray[np.float64], size_wh: tuple[int, int]) -> list[list[int]]:
    """The boxes in whole pixels, of those that are in the picture at least in part; some reach beyond it."""
    grown = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
    kept = has_area(clip_boxes(grown, size_wh))
    # The nearest, which are the largest, last: they are in front of the others.
    order = np.argsort(sides(boxes[kept]).prod(axis=1), kind="stable")
    found: list[list[int]] = grown[kept][order].astype(int).tolist()
    return found


def _hide_box(hidden: RgbImage, picture: RgbImage, box: list[int], how: Hiding) -> None:
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    x1, y1, x2, y2 = max(0, left), max(0, top), min(width, right), min(height, bottom)
    part = picture[y1:y2, x1:x2]
    # As large cells as in the whole head, which may be cut by the picture's border.
    cells = (max(1, round(_CELLS * (x2 - x1) / (right - left))), max(1, round(_CELLS * (y2 - y1) / (bottom - top))))
    coarse = _coarse(part, (min(cells[0], x2 - x1), min(cells[1], y2 - y1)), how)
    mask = np.zeros(part.shape[:2], np.uint8)
    middle = ((left + right - 1) / 2 - x1, (top + bottom - 1) / 2 - y1)
    cv2.ellipse(mask, (middle, (right - left, bottom - top), 0), 1, -1)
    np.copyto(hidden[y1:y2, x1:x2], coarse, where=mask[:, :, None] > 0)


def _coarse(part: RgbImage, few_wh: tuple[int, int], how: Hiding) -> RgbImage:
    """A part of a picture from so few means of it."""
    few = cv2.resize(part, few_wh, interpolation=cv2.INTER_AREA)
    between = cv2.INTER_NEAREST if how == "pixelate" else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(few, part.shape[1::-1], interpolation=between), np.uint8)
