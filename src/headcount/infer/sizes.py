"""SizeEstimator: a loaded model that tells how large heads are gives heads whose places are known their boxes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headcount.core.card import ModelCard
from headcount.core.errors import InputError, ModelError
from headcount.core.geometry import as_boxes, boxes_around, outside
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.scene import Provenance, Scene
from headcount.core.threads import refuse_fork
from headcount.decode.scale import limit_sides, sample_sizes
from headcount.infer import DEFAULT_MODEL
from headcount.infer.counter import open_model
from headcount.infer.models import find_model
from headcount.infer.runtimes.table import Runtime
from headcount.infer.tiling import network_maps

_LOG_AREA = "log_area"
_SIZE = "size"
_LEAST_AREA_PX2 = 1.0
_PSEUDO: Provenance = "pseudo"


def load_sizes(
    model: str | Path,
    *,
    device: str = "auto",
    runtime: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> SizeEstimator:
    """Load a model that tells how large heads are; the arguments are those of ``load``.

    Raises:
        ModelError: as ``load`` does, or the model does not tell how large heads are.
        InputError, MissingExtraError: as ``load`` does.
    """
    found = find_model(model)
    _size_map(found.card)  # before anything is loaded
    opened = open_model(found, device=device, runtime=runtime, precision=precision, threads=threads)
    return SizeEstimator(found.card, opened, max_pixels=max_pixels)


class SizeEstimator:
    """Estimates the size of heads at given points with one loaded model.

    A head-scale network has a map of log areas for it; a network that finds boxes by their centres (``centernet``,
    ``fused`` with boxes) has one of widths and heights, read here wherever a head is known to be.

    Attributes:
        card: what is known about the model.
        runtime: what computes it.
        max_pixels: limit for image files.

    Raises:
        ModelError: the network of the card does not tell how large heads are.
    """

    def __init__(self, card: ModelCard, runtime: Runtime, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        self._map = _size_map(card)
        self.card, self.runtime, self.max_pixels = card, runtime, max_pixels
        self._stride = card.stride(self._map)
        self._process = os.getpid()

    def sides(self, scene: Scene) -> NDArray[np.float64]:
        """(n,) float64: the side in pixels of a square as large as the head, for each of the scene's points.

        From 2 px to the image's shorter side. A scene without points is not opened.

        Raises:
            InputError: the image cannot be read or has too many pixels, or a point lies outside it.
            ModelError: the model's map is not what its card says, or holds NaN or infinity.
        """
        points = scene.points_xy
        if not len(points):
            return np.zeros(0)
        refuse_fork(self._process)
        pixels = scene.pixels(max_pixels=self.max_pixels)
        size_wh = (pixels.shape[1], pixels.shape[0])
        rows = outside(points, size_wh)
        if len(rows):
            x, y = points[rows[0]]
            raise InputError(
                f'"{scene.name or scene.source}": the point ({x:g}, {y:g}) of head {rows[0] + 1} lies outside its '
                f"image ({size_wh[0]}×{size_wh[1]} pixels): x, y are pixels of the upright image."
            )
        log_area = self._log_area(network_maps(pixels, self.runtime.run, self.card)[self._map])
        if not np.isfinite([log_area.min(), log_area.max()]).all():
            raise ModelError(
                f'The map "{self._map}" holds values that are not finite: the weights are broken, export anew.'
            )
        # Cells wholly in the padding say nothing about the image.
        log_area = log_area[: -(-size_wh[1] // self._stride), : -(-size_wh[0] // self._stride)]
        return limit_sides(sample_sizes(log_area, self._stride, points), size_wh)

    def _log_area(self, sizes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(h', w') of the map, (1, h', w') log areas or (2, h', w') widths and heights in pixels."""
        log_area: NDArray[np.float32] = (
            sizes[0] if self._map == _LOG_AREA else np.log(np.maximum(sizes, 0).prod(axis=0).clip(_LEAST_AREA_PX2))
        )
        return log_area

    def box(self, scene: Scene) -> Scene:
        """The scene with a box for each point: a square centred on it, cut to the image, of provenance ``pseudo``.

        Raises:
            InputError: the scene has boxes already, or as ``sides`` does.
            ModelError: as ``sides`` does.
        """
        if scene.boxes_xyxy is not None:
            raise InputError(
                f'"{scene.name or scene.source}" has head boxes already: boxes are estimated for points without any.'
            )
        side = self.sides(scene)
        if not len(side):
            return replace(scene, boxes_xyxy=as_boxes([]), box_provenance=())
        boxes = boxes_around(scene.points_xy, np.stack([side, side], axis=1), scene.size_wh)
        return replace(scene, boxes_xyxy=boxes, box_provenance=(_PSEUDO,) * len(boxes))


def _size_map(card: ModelCard) -> str:
    """The name of the map that tells how large heads are."""
    channels = {output.name: output.channels for output in card.outputs if output.kind == "map"}
    if channels.get(_LOG_AREA) == 1:
        return _LOG_AREA
    if channels.get(_SIZE) == 2:
        return _SIZE
    if card.task == "size":
        raise ModelError(f'The card of "{card.name}" names no map "{_LOG_AREA}": export the model again.')
    raise ModelError(
        f'"{card.name}" does not tell how large heads are: give a model that finds boxes by their centres, as '
        f"{DEFAULT_MODEL} does, or a head-scale network.",
        remedy="train_sizes",
    )
