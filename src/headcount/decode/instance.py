"""Instance maps: each connected component above the threshold is one head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from scipy.spatial import cKDTree

from headcount.core.errors import ModelError
from headcount.core.geometry import clip_boxes, clip_to_centres
from headcount.core.prediction import Prediction
from headcount.core.settings import Settings
from headcount.decode.inputs import read_map


class InstanceDecoderSettings(Settings):
    """What a card may say to this decoder: where the confidence is cut, and what is a head of what is left."""

    threshold: float = Field(default=0.5, gt=0, lt=1)
    """Where the model makes no ``threshold`` map."""
    least_threshold: float = Field(default=0.0, ge=0, lt=1)
    """A learned threshold counts as at least this."""
    min_area_px: float = Field(default=3.0, ge=0)
    """Smaller components are no heads, in pixels of the image."""
    connectivity: Literal[4, 8] = 4
    split: bool = False
    """Components are split by their confidence peaks."""
    split_distance: int = Field(default=3, ge=1, le=64)
    """Cells within which such a peak is the highest."""

    @field_validator("connectivity", mode="before")
    @classmethod
    def _whole(cls, connectivity: object) -> object:
        # A card's older settings, and the command line's, are floats.
        return int(connectivity) if isinstance(connectivity, float) and connectivity.is_integer() else connectivity


def decode_instances(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: InstanceDecoderSettings,
    size_wh: tuple[int, int],
) -> Prediction:
    """One head for each connected component where ``confidence`` ≥ ``threshold``.

    ``maps["confidence"]`` is (1, h', w') in 0…1; ``maps["threshold"]``, if there is one, is coarser, its stride a
    multiple. Points are the components' centroids, in image pixels; boxes their bounding rectangles, which are those
    of shrunken instances and no head sizes; scores their mean confidence. Row by row, from the top.

    Raises:
        ModelError: a map is missing, too small, or holds NaN or infinity.

    >>> confidence = np.zeros((1, 4, 6), dtype=np.float32)
    >>> confidence[0, 1:3, 1:3] = confidence[0, 1:3, 4:6] = 0.9
    >>> found = decode_instances({"confidence": confidence}, {"confidence": 2}, InstanceDecoderSettings(), (12, 8))
    >>> found.count, found.points_xy.tolist()
    (2.0, [[4.0, 4.0], [10.0, 4.0]])
    """
    shown = read_map(maps, "confidence", strides, size_wh, "instances")
    stride = strides["confidence"]
    if "threshold" in maps:
        # Compared with the padding's cells still there: the threshold is coarser.
        threshold = np.maximum(maps["threshold"], np.float32(settings.least_threshold))
        binary = _above_map(maps["confidence"][0], threshold, strides["threshold"] // stride)
        binary = binary[: shown.shape[0], : shown.shape[1]]
    else:
        binary = (shown >= np.float32(settings.threshold)).astype(np.uint8)
    row, column, component = _components(np.ascontiguousarray(binary), settings.connectivity)
    if settings.split and len(row):
        component = _split(shown, row, column, component, settings.split_distance)
    return _prediction(shown, row, column, component, stride, settings.min_area_px, size_wh)


def _above_map(confidence: NDArray[np.float32], threshold: NDArray[np.float32], factor: int) -> NDArray[np.uint8]:
    """Confidence ≥ threshold, each threshold that of ``factor``×``factor`` cells; the threshold is never enlarged."""
    height, width = confidence.shape
    if factor < 1 or threshold.shape != (1, height // factor, width // factor) or height % factor or width % factor:
        raise ModelError(
            f'The map "threshold" must be a whole fraction of "confidence", {confidence.shape}, but it is '
            f"{threshold.shape}."
        )
    blocks = confidence.reshape(height // factor, factor, width // factor, factor)
    above = np.empty(blocks.shape, np.uint8)
    np.greater_equal(blocks, threshold[0][:, None, :, None], out=above.view(np.bool_))
    return above.reshape(height, width)


def _components(
    binary: NDArray[np.uint8], connectivity: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Row, column and component (from 0) of every set cell."""
    _, labels = cv2.connectedComponents(binary, connectivity=connectivity, ltype=cv2.CV_32S)
    cells = np.flatnonzero(labels)
    row, column = np.divmod(cells, binary.shape[1])
    return row, column, labels.ravel()[cells].astype(np.intp) - 1


def _split(
    confidence: NDArray[np.float32],
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    component: NDArray[np.intp],
    distance: int,
) -> NDArray[np.intp]:
    """Components anew: those with several confidence peaks are divided, each cell to its nearest peak within."""
    smooth = cv2.GaussianBlur(confidence, (0, 0), max(0.5, distance / 3), borderType=cv2.BORDER_REPLICATE)
    window = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    highest = cv2.dilate(smooth, window)
    is_peak = smooth[row, column] >= highest[row, column] * np.float32(1 - 1e-6)
    parts = component.copy()
    peaks = np.flatnonzero(is_peak)
    several = np.flatnonzero(np.bincount(component[peaks], minlength=component.max() + 1) > 1)
    next_label = int(component.max()) + 1
    order = np.argsort(component, kind="stable")
    bounds = np.searchsorted(component[order], np.stack([several, several + 1]))
    for start, stop in bounds.T:
        cells = order[start:stop]
        own = cells[is_peak[cells]]
        centres = np.stack([column[own], row[own]], axis=1).astype(np.float64)
        part = cKDTree(centres).query(np.stack([column[cells], row[cells]], axis=1).astype(np.float64))[1]
        parts[cells] = next_label + part
        next_label += len(own)
    return np.unique(parts, return_inverse=True)[1].astype(np.intp)


def _prediction(
    confidence: NDArray[np.float32],
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    component: NDArray[np.intp],
    stride: int,
    min_area_px: float,
    size_wh: tuple[int, int],
) -> Prediction:
    number = int(component.max()) + 1 if len(component) else 0
    area = np.bincount(component, minlength=number)  # cells
    kept = np.flatnonzero(area * stride**2 >= min_area_px)
    x = (np.bincount(component, column, minlength=number)[kept] / area[kept] + 0.5) * stride
    y = (np.bincount(component, row, minlength=number)[kept] / area[kept] + 0.5) * stride
    scores = np.bincount(component, confidence[row, column], minlength=number)[kept] / area[kept]
    low, high = np.full((2, number), np.iinfo(np.intp).max), np.full((2, number), -1)
    for axis, values in enumerate((column, row)):
        np.minimum.at(low[axis], component, values)
        np.maximum.at(high[axis], component, values)
    corners = np.stack([*(low[:, kept] * stride), *((high[:, kept] + 1) * stride)], axis=1).astype(np.float64)
    # The last cells may reach beyond the image.
    points = clip_to_centres(np.stack([x, y], axis=1), size_wh)
    return Prediction(
        count=float(len(kept)),
        size_wh=size_wh,
        points_xy=points,
        points_kind="heads",
        scores=scores,
        boxes_xyxy=clip_boxes(corners, size_wh),
        boxes_kind="parts",
    )
