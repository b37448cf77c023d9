"""Density, instances and boxes into one Prediction: of each block of the image, how far each of them is believed.

The count of a block is a weighted mean of what the heads of the network say there. The weights are a softmax of how
crowded the block is and how large heads are around it, with coefficients that were fitted on validation images: where
heads stand apart those that were located are counted, where they cannot be told apart the density is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree
from scipy.special import softmax

from headcount.core.errors import ModelError
from headcount.core.geometry import block_sums, clip_boxes, sides
from headcount.core.prediction import Prediction
from headcount.core.settings import Settings
from headcount.decode.density import DensityDecoderSettings, decode_density
from headcount.decode.instance import InstanceDecoderSettings, decode_instances
from headcount.decode.peaks import PeaksDecoderSettings, decode_peaks

Coefficient = Annotated[float, Field(ge=-1e6, le=1e6)]
Coefficients = tuple[Coefficient, Coefficient, Coefficient]
"""Of a weight's logit: a constant, of the crowding and of the head size of a block, as ``Blocks`` has them."""

HEAD_MAPS = {"density": "density", "instances": "confidence", "boxes": "heat"}
"""Head → the map by which it is known to be there."""
_STRIDE = 8  # of the cells where there is no density
_USUAL_HEAD_PX = 16.0
_DIFFERS, _HANDFUL = 1.5, 10  # so that a handful more or less is no news


class FusionSettings(Settings):
    """How far the heads are believed, block by block."""

    block_px: int = Field(default=64, ge=16, le=65_536)
    """Side of the blocks, a multiple of the density's stride."""
    instances_weight: Coefficients = (0.0, 0.0, 0.0)
    """Against the density, whose logit is 0."""
    boxes_weight: Coefficients = (0.0, 0.0, 0.0)
    """As well; without a density against the instances, whose own weight then stays as it is."""


class FusedDecoderSettings(FusionSettings):
    """What a card may say to this decoder: the weights, and what it says to that of each head."""

    density: DensityDecoderSettings = DensityDecoderSettings()
    instances: InstanceDecoderSettings = InstanceDecoderSettings()
    boxes: PeaksDecoderSettings = PeaksDecoderSettings()


@dataclass(frozen=True, slots=True)
class Blocks:
    """What the heads say of each block of an image.

    Attributes:
        counts: people by head, (rows, columns) each.
        crowding: log2 of 1 + the mean of the heads' counts over the 3×3 blocks around.
        head_size: log2 of the middle side √(w·h) of the boxes in the 3×3 blocks around, over 16 px; of an image's
            boxes where there is none, 0 where there are none at all.
    """

    counts: Mapping[str, NDArray[np.float64]]
    crowding: NDArray[np.float64]
    head_size: NDArray[np.float64]

    def weights(self, settings: FusionSettings) -> dict[str, NDArray[np.float64]]:
        """How far each head is believed in each block, (rows, columns); they sum to 1."""
        logits = []
        for head in self.counts:
            one, crowded, size = (0.0, 0.0, 0.0) if head == "density" else getattr(settings, f"{head}_weight")
            logits.append(one + crowded * self.crowding + size * self.head_size)
        return dict(zip(self.counts, softmax(np.stack(logits), axis=0), strict=True))

    def total(self, settings: FusionSettings) -> float:
        """The fused count of the image."""
        return float(sum((weight * self.counts[head]).sum() for head, weight in self.weights(settings).items()))


@dataclass(frozen=True, slots=True)
class Found:
    """What each head finds: its own prediction, and people a cell of ``stride`` pixels, (h', w') each."""

    predictions: Mapping[str, Prediction]
    cells: Mapping[str, NDArray[np.float64]]
    stride: int

    def above(self, score: float) -> Found:
        """The same with the boxes alone that have at least a score: as if the box decoder had its threshold there."""
        boxes = self.predictions.get("boxes")
        if boxes is None or boxes.scores is None or boxes.boxes_xyxy is None:
            return self
        keep = boxes.scores >= score
        fewer = replace(
            boxes, count=float(keep.sum()), points_xy=boxes.points_xy[keep], scores=boxes.scores[keep],
            boxes_xyxy=boxes.boxes_xyxy[keep],
        )  # fmt: skip
        cells = _people_by_cell(fewer, self.stride, self.cells["boxes"].shape)
        return Found({**self.predictions, "boxes": fewer}, {**self.cells, "boxes": cells}, self.stride)

    @property
    def heads_found(self) -> dict[str, float]:
        """The count of each head by itself."""
        return {head: one.count for head, one in self.predictions.items()}


def find_each(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: FusedDecoderSettings,
    size_wh: tuple[int, int],
) -> Found:
    """What each head of the network finds by itself.

    Raises:
        ModelError: there is no map of any head, or a map is not what its decoder needs.
    """
    found = {}
    if HEAD_MAPS["density"] in maps:
        found["density"] = decode_density(maps, strides, settings.density, size_wh)
    if HEAD_MAPS["instances"] in maps:
        found["instances"] = decode_instances(maps, strides, settings.instances, size_wh)
    if HEAD_MAPS["boxes"] in maps:
        found["boxes"] = decode_peaks(maps, strides, settings.boxes, size_wh)
    if not found:
        raise ModelError(
            f'The fused decoder needs a map "density", "confidence" or "heat", but the model makes '
            f"{', '.join(maps) or 'none'}."
        )
    stride = strides.get("density", _STRIDE)
    if settings.block_px % stride:
        raise ModelError(
            f"block_px is {settings.block_px}, but a multiple of the density's stride, {stride}, is needed."
        )
    shape = -(-size_wh[1] // stride), -(-size_wh[0] // stride)
    return Found(found, {head: _people_by_cell(one, stride, shape) for head, one in found.items()}, stride)


def _people_by_cell(one: Prediction, stride: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The density of a head's prediction, or its points, each a person in its cell."""
    if one.density is not None:
        return one.density.astype(np.float64)
    column, row = _cell(one.points_xy, stride, shape)
    return _sums(row * shape[1] + column, np.ones(len(row)), shape)


def blocks_of(found: Found, block_px: int) -> Blocks:
    """The same block by block, from the top left; those at the far borders may be smaller."""
    side = block_px // found.stride
    counts = {head: block_sums(cells, side) for head, cells in found.cells.items()}
    mean = np.mean(list(counts.values()), axis=0)
    around = uniform_filter(np.maximum(mean, 0), size=3, mode="nearest")
    sizes = np.zeros(around.shape)
    boxes = found.predictions.get("boxes")
    if boxes is not None and boxes.boxes_xyxy is not None and len(boxes.boxes_xyxy):
        # Mean logarithms: one huge box among many is no reason to change the weights.
        logs = np.log2(np.sqrt(np.maximum(sides(boxes.boxes_xyxy).prod(axis=1), 1.0)) / _USUAL_HEAD_PX)
        column, row = _cell(boxes.points_xy, block_px, around.shape)
        number, total = (
            uniform_filter(_sums(row * around.shape[1] + column, values, around.shape), size=3, mode="constant")
            for values in (np.ones(len(logs)), logs)
        )
        some = number > 1e-9
        sizes = np.where(some, np.divide(total, number, out=np.zeros_like(total), where=some), np.median(logs))
    return Blocks(counts, np.log2(1 + around), sizes)


def decode_fused(
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
    settings: FusedDecoderSettings,
    size_wh: tuple[int, int],
) -> Prediction:
    """One Prediction of the heads whose maps there are.

    ``maps`` are those of the decoders ``density``, ``instances`` and ``peaks``, as far as the network has them. The
    density of the result is the weighted mean of the density and of the located heads, each a person in its cell: its
    sum is the count, in any part of the image. Points are the heads that were located, in each block those of the
    instances or of the boxes, whichever is believed more there; ``boxes_xyxy`` are the boxes of heads, where the
    network has them: an instance takes its size from the map ``size``. ``counts`` says what each head counts alone.

    Raises:
        ModelError: as ``find_each``.
    """
    return fuse(find_each(maps, strides, settings, size_wh), settings, maps, strides)


def fuse(
    found: Found,
    settings: FusionSettings,
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
) -> Prediction:
    """As ``decode_fused``, of what each head was found to say of the maps."""
    weights = blocks_of(found, settings.block_px).weights(settings)
    side, shape = settings.block_px // found.stride, next(iter(found.cells.values())).shape
    density = np.zeros(shape)
    for head, weight in weights.items():
        density += found.cells[head] * weight.repeat(side, axis=0).repeat(side, axis=1)[: shape[0], : shape[1]]
    located = _located(found, weights, settings.block_px, maps, strides)
    warnings = tuple(dict.fromkeys(text for one in found.predictions.values() for text in one.warnings))
    return replace(
        located,
        count=float(density.sum()),
        density=density.astype(np.float32),
        density_stride=found.stride,
        counts=found.heads_found,
        warnings=(*warnings, *_disagreement(found.heads_found)),
    )


def _disagreement(counts: Mapping[str, float]) -> tuple[str, ...]:
    """A warning where the heads of the network count very different numbers."""
    low, high = min(counts.values()) + _HANDFUL, max(counts.values()) + _HANDFUL
    if high <= _DIFFERS * low:
        return ()
    said = ", ".join(f"{head} {count:,.0f}" for head, count in counts.items())
    return (f"The parts of the model disagree ({said}): look at the picture before you trust the count.",)


class _Heads(NamedTuple):
    """Heads that were located: (n, 2), (n, 4), (n,)."""

    points_xy: NDArray[np.float64]
    boxes_xyxy: NDArray[np.float64]
    scores: NDArray[np.float64]

    def rows(self, keep: NDArray[Any]) -> _Heads:
        return _Heads(*(values[keep] for values in self))


def _located(
    found: Found,
    weights: Mapping[str, NDArray[np.float64]],
    block_px: int,
    maps: Mapping[str, NDArray[np.float32]],
    strides: Mapping[str, int],
) -> Prediction:
    """The heads of the instances or of the boxes, block by block; of the density alone, its peaks."""
    instances, boxes = found.predictions.get("instances"), found.predictions.get("boxes")
    if instances is None or boxes is None:
        return instances or boxes or found.predictions["density"]
    assert boxes.boxes_xyxy is not None
    assert boxes.scores is not None
    assert instances.scores is not None
    more = weights["instances"] > weights["boxes"]  # (rows, columns)
    first = _Heads(boxes.points_xy, boxes.boxes_xyxy, boxes.scores)
    first = first.rows(~_of_blocks(more, first.points_xy, block_px))
    second = _Heads(instances.points_xy, _sized(instances, maps, strides), instances.scores)
    second = second.rows(_of_blocks(more, second.points_xy, block_px))
    second = second.rows(~_seen_before(second, first))
    points, sized, scores = (np.concatenate(pair) for pair in zip(first, second, strict=True))
    order = np.lexsort((points[:, 0], points[:, 1]))  # row by row from the top
    return replace(boxes, points_xy=points[order], boxes_xyxy=sized[order], scores=scores[order])


def _of_blocks(values: NDArray[Any], points_xy: NDArray[np.float64], block_px: int) -> NDArray[Any]:
    """(n,) the values of the blocks that points lie in."""
    column, row = _cell(points_xy, block_px, values.shape)
    of_points: NDArray[Any] = values[row, column]
    return of_points


def _cell(points_xy: NDArray[np.float64], side: int, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """(2, n) column and row of the cell that each point lies in, of a map of ``shape``."""
    cells: NDArray[np.intp] = np.minimum((points_xy / side).astype(np.intp), np.array(shape[::-1]) - 1).T
    return cells


def _sized(
    instances: Prediction, maps: Mapping[str, NDArray[np.float32]], strides: Mapping[str, int]
) -> NDArray[np.float64]:
    """(n, 4) boxes about the instances' middles, as large as the size map says there."""
    size = maps["size"]
    column, row = _cell(instances.points_xy, strides["size"], size.shape[1:])
    half: NDArray[np.float64] = np.maximum(size[:, row, column].T.astype(np.float64), 1.0) / 2
    corners = np.concatenate([instances.points_xy - half, instances.points_xy + half], axis=1)
    return clip_boxes(corners, instances.size_wh)


def _seen_before(later: _Heads, first: _Heads) -> NDArray[np.bool_]:
    """Which heads of ``later`` lie within half of a head's side of one of ``first``: on a seam between two blocks."""
    if not len(later.points_xy) or not len(first.points_xy):
        return np.zeros(len(later.points_xy), np.bool_)
    distance, nearest = cKDTree(first.points_xy).query(later.points_xy)
    return np.asarray(distance < sides(first.boxes_xyxy).min(axis=1)[nearest] / 2)


def _sums(cell: NDArray[np.intp], values: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The values summed by cell, as a map of ``shape``."""
    sums = np.asarray(np.bincount(cell, values, minlength=shape[0] * shape[1]), np.float64)
    return sums.reshape(shape)
