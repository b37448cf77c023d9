"""The heat of heads: what a detector of head middles learns, and where Mask Focal Loss takes heads to be.

"Mask Focal Loss: a unifying framework for dense crowd counting…" (Zhong et al.), Eq. 8 to 10.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import centres, checked_boxes, sides
from headcount.targets.mask import cells_inside

HeatMask = Literal["box", "ellipse", "keypoint"]
Combine = Literal["max", "sum"]

_REACH = math.sqrt(-2 * math.log(np.finfo(np.float32).tiny))  # 13.2 σ, where a Gaussian leaves float32's normal numbers
# Heads of more cells are drawn one by one, which costs a call each; those of fewer together, which costs a cell more.
_TOGETHER = 500
_PIECE = 1_000_000  # cells that are drawn together at most


class HeatmapTarget(NamedTuple):
    """What the boxes of an image teach, at the output's cells.

    Attributes:
        heat: (⌈h/s⌉, ⌈w/s⌉) float32, 0 to 1, exactly 1 at the cell of each head's middle.
        mask: of the same shape, float32, 1 where a head is, else 0.
        cells: (n, 2) integers, the column and row of the cell of each box's middle, always within the map.
        inside: of the same shape as ``heat``, float32, 0 where the region of interest does not reach: what lies there
            is to teach nothing, neither that a head is there nor that none is.
        drawn: (n,) bool, False for the heads whose cell lies outside the region; they leave no heat.
    """

    heat: NDArray[np.float32]
    mask: NDArray[np.float32]
    cells: NDArray[np.intp]
    inside: NDArray[np.float32]
    drawn: NDArray[np.bool_]


def heatmap_sigma(sizes_wh: NDArray[np.float64], *, eta: float = 0.0, eps: float = 6.0) -> NDArray[np.float64]:
    """(n,) standard deviations of the heat of heads of ``sizes_wh`` (n, 2), all in cells of the output (Eq. 10).

    σ = D (1 + η e^(−D)) / ε with D = 2 min(w, h) + 1: ``eps`` 6 is CenterNet's, whose σ is a sixth of the diameter;
    ``eta`` widens the heat of small heads, 20 doubles it at D = 3 and adds 2 % at D = 7.

    >>> heatmap_sigma(np.array([[1.0, 4.0], [10.0, 10.0]])).tolist()
    [0.5, 3.5]
    """
    diameter = 2 * sizes_wh.min(axis=1, initial=np.inf) + 1
    sigma: NDArray[np.float64] = diameter * (1 + eta * np.exp(-diameter)) / eps
    return sigma


def heatmap_target(
    boxes_xyxy: ArrayLike,
    size_wh: tuple[int, int],
    *,
    stride: int = 4,
    mask: HeatMask = "box",
    combine: Combine = "max",
    eta: float = 0.0,
    eps: float = 6.0,
    region: NDArray[np.bool_] | None = None,
) -> HeatmapTarget:
    """The heat and mask of head boxes, in one call for any number of heads.

    A head's heat is exp(−d²/2σ²) of the distance d, in cells, to the cell that holds its middle, with the σ of
    ``heatmap_sigma``. A head always has the cell of its middle, however small it is; where the middle lies outside the
    image, the nearest cell is meant. The order of the boxes changes nothing.

    Args:
        boxes_xyxy: (n, 4) in pixels of the image, n may be 0.
        size_wh: the image's width and height, in pixels.
        stride: how many pixels a cell is wide and high.
        mask: ``"box"``: the cells whose middle the box holds; ``"ellipse"``: those whose middle lies in the ellipse
            within it. Both cut the heat to the mask. ``"keypoint"``: the cell of the head's middle alone, and the heat
            is not cut: it ends where it leaves the normal numbers of float32, at 13.2 σ.
        combine: what heads that are close leave in a cell: the ``"max"`` of their heat, or the ``"sum"``, cut off at 1.
        eta: η of Eq. 10.
        eps: ε of Eq. 10.
        region: (h, w) bool, the pixels that are of interest; None: all. Heat and mask are 0 outside it.

    Raises:
        InputError: a box with x2 ≤ x1 or y2 ≤ y1, one that does not reach into the image, or another value that is not
            as described; names the argument, its shape and the first row that is wrong.

    >>> target = heatmap_target([[0, 0, 12, 12]], (16, 12))
    >>> print(target.heat.round(2))
    [[0.48 0.69 0.48 0.  ]
     [0.69 1.   0.69 0.  ]
     [0.48 0.69 0.48 0.  ]]
    >>> target.mask[0].tolist(), target.cells.tolist()
    ([1.0, 1.0, 1.0, 0.0], [[1, 1]])
    """
    _check_options(size_wh, stride, mask, combine, eta, eps, region)
    boxes = _reaching(checked_boxes(boxes_xyxy, "boxes_xyxy"), size_wh)
    inside = cells_inside(region, size_wh, stride)
    rows, columns = inside.shape
    middle = np.floor(centres(boxes) / stride).astype(np.intp).clip(0, [columns - 1, rows - 1])
    drawn = inside[middle[:, 1], middle[:, 0]] > 0
    heads = _Heads.of(boxes[drawn] / stride, middle[drawn], (columns, rows), mask, eta, eps)
    if combine == "sum":  # rounding depends on the order
        heads = heads.rows(np.lexsort((*boxes[drawn].T, *middle[drawn].T)))
    heat = np.zeros((rows, columns), np.float64 if combine == "sum" else np.float32)
    where = np.zeros((rows, columns), np.float32)
    many = heads.cells > _TOGETHER
    for part in _pieces(heads.rows(np.flatnonzero(~many))):
        _draw_together(heat, where, part, combine)
    _draw_alone(heat, where, heads.rows(np.flatnonzero(many)), combine)
    for each in (heat, where):  # whatever the box, its middle's cell is the head's
        each[heads.middle[:, 1], heads.middle[:, 0]] = 1
    heat = np.minimum(heat, 1).astype(np.float32)
    return HeatmapTarget(heat * inside, where * inside, middle, inside, drawn)


def check_heatmap(heat: ArrayLike, mask: ArrayLike | None = None) -> None:
    """Check a heat, and the mask beside it, for those who make their own: the losses look at shapes alone.

    Raises:
        InputError: heat that is not from 0 to 1, a mask of another shape or with values other than 0 and 1; names the
            argument, its shape and the first index that is wrong.

    >>> check_heatmap([[0.5, 1.5]])
    Traceback (most recent call last):
    headcount.core.errors.InputError: heat must be from 0 to 1, but of shape (1, 2) it is 1.5 at index (0, 1).
    """
    heats = np.asarray(heat)
    _refuse("heat must be from 0 to 1", heats, ~((heats >= 0) & (heats <= 1)))  # NaN is neither
    if mask is not None:
        masks = np.asarray(mask)
        if masks.shape != heats.shape:
            raise InputError(f"mask must be of the heat's shape {heats.shape}, but its shape is {masks.shape}.")
        _refuse("mask must be 0 or 1", masks, (masks != 0) & (masks != 1))


def _refuse(expected: str, values: NDArray[np.generic], wrong: NDArray[np.bool_]) -> None:
    if wrong.any():
        first = tuple(int(each) for each in np.argwhere(wrong)[0])
        at = f" at index {first}" if first else ""
        raise InputError(f"{expected}, but of shape {values.shape} it is {values[first]}{at}.")


def _check_options(
    size_wh: tuple[int, int], stride: int, mask: str, combine: str, eta: float, eps: float,
    region: NDArray[np.bool_] | None,
) -> None:  # fmt: skip
    for name, given, choices in (("mask", mask, get_args(HeatMask)), ("combine", combine, get_args(Combine))):
        if given not in choices:
            listed = ", ".join(f'"{choice}"' for choice in choices)
            raise InputError(f"{name} must be one of {listed}, but it is {given!r}.")
    if stride < 1 or min(size_wh) < 1:
        raise InputError(f"stride and size_wh must be at least 1, but they are {stride} and {tuple(size_wh)}.")
    if not (eta >= 0 and eps > 0):
        raise InputError(f"eta must be at least 0 and eps above 0, but they are {eta} and {eps}.")
    if region is not None and region.shape != (size_wh[1], size_wh[0]):
        raise InputError(
            f"region must be of the image's shape {(size_wh[1], size_wh[0])}, but its shape is {region.shape}."
        )


def _reaching(boxes_xyxy: NDArray[np.float64], size_wh: tuple[int, int]) -> NDArray[np.float64]:
    beyond = ((boxes_xyxy[:, :2] >= size_wh) | (boxes_xyxy[:, 2:] <= 0)).any(axis=1)
    if beyond.any():
        first = int(np.argmax(beyond))
        raise InputError(
            f"boxes_xyxy must reach into the {size_wh[0]}×{size_wh[1]} image, but of shape {boxes_xyxy.shape} its row "
            f"{first} is {boxes_xyxy[first].tolist()}."
        )
    return boxes_xyxy


class _Heads(NamedTuple):
    """Heads in cells, a row each."""

    centre: NDArray[np.float64]  # (n, 2)
    half: NDArray[np.float64]  # (n, 2), half of width and height
    middle: NDArray[np.intp]  # (n, 2), the cell that holds the centre
    sigma: NDArray[np.float64]  # (n,)
    low: NDArray[np.intp]  # (n, 2), the first column and row that is drawn
    high: NDArray[np.intp]  # (n, 2), those behind the last
    mask: HeatMask

    @classmethod
    def of(
        cls, boxes: NDArray[np.float64], middle: NDArray[np.intp], grid: tuple[int, int], mask: HeatMask, eta: float,
        eps: float,
    ) -> _Heads:  # fmt: skip
        sigma = heatmap_sigma(sides(boxes), eta=eta, eps=eps)
        if mask == "keypoint":
            reach = np.minimum(np.ceil(_REACH * sigma), max(grid)).astype(np.intp)[:, None]
            low, high = middle - reach, middle + reach + 1
        else:  # the cells whose middle the box holds, and that of the head's middle
            bounds = np.clip(boxes, -1, max(grid) + 1)
            low = np.minimum(np.ceil(bounds[:, :2] - 0.5).astype(np.intp), middle)
            high = np.maximum(np.floor(bounds[:, 2:] - 0.5).astype(np.intp), middle) + 1
        return cls(centres(boxes), sides(boxes) / 2, middle, sigma, low.clip(0), np.minimum(high, grid), mask)

    @property
    def cells(self) -> NDArray[np.intp]:
        """(n,) how many cells are drawn."""
        return np.asarray((self.high - self.low).prod(axis=1))

    def rows(self, chosen: NDArray[np.intp] | slice) -> _Heads:
        every = {name: values[chosen] for name, values in self._asdict().items() if name != "mask"}
        return self._replace(**every)


def _pieces(heads: _Heads) -> Iterator[_Heads]:
    """The same heads in pieces of bounded memory."""
    piece = np.cumsum(heads.cells) // _PIECE
    bounds = [0, *np.flatnonzero(np.diff(piece)) + 1, len(piece)]
    for start, stop in pairwise(bounds):
        yield heads.rows(slice(start, stop))


def _draw_together(heat: NDArray[np.floating], where: NDArray[np.float32], heads: _Heads, combine: Combine) -> None:
    """Draw heads of few cells: one array of the cells of all, row by row of each head."""
    columns = heat.shape[1]
    across, down = _Line.along(0, heads, heat.dtype), _Line.along(1, heads, heat.dtype)
    wide = across.number[down.head]  # of each row of each head
    before = np.cumsum(wide) - wide
    each = np.arange(int(wide.sum()))
    x = each + np.repeat(across.first[down.head] - before, wide)  # its entry of ``across``
    flat = each + np.repeat(down.place * columns + heads.low[down.head, 0] - before, wide)
    value = across.heat[x] * np.repeat(down.heat, wide)
    if heads.mask == "ellipse":
        kept = np.flatnonzero(across.away[x] + np.repeat(down.away, wide) <= 1)
        flat, value = flat[kept], value[kept]
    if combine == "sum":
        heat += np.bincount(flat, value, minlength=heat.size).reshape(heat.shape)
    else:
        np.maximum.at(heat.reshape(-1), flat, value)
    if heads.mask != "keypoint":
        where.reshape(-1)[flat] = 1


class _Line(NamedTuple):
    """The columns, or the rows, of the cells of heads, one after the other: a Gaussian is the product of both."""

    number: NDArray[np.intp]  # (n,) how many are of each head
    first: NDArray[np.intp]  # (n,) where those begin
    head: NDArray[np.intp]  # (m,)
    place: NDArray[np.intp]  # (m,) the column, or the row
    heat: NDArray[np.floating]  # (m,) along this line
    away: NDArray[np.float64]  # (m,) the square of how far the cell's middle lies from the centre, in half a box

    @classmethod
    def along(cls, axis: int, heads: _Heads, dtype: np.dtype[np.floating]) -> _Line:
        number = heads.high[:, axis] - heads.low[:, axis]
        first = np.cumsum(number) - number
        head = np.repeat(np.arange(len(number)), number)
        place = np.arange(len(head)) - np.repeat(first - heads.low[:, axis], number)
        heat = np.exp(-((place - heads.middle[head, axis]) ** 2) / (2 * heads.sigma**2)[head]).astype(dtype)
        away = ((place + 0.5 - heads.centre[head, axis]) / heads.half[head, axis]) ** 2
        return cls(number, first, head, place, heat, away)

    def slices(self) -> Iterator[slice]:
        """Where each head's are."""
        return map(slice, self.first.tolist(), (self.first + self.number).tolist())


def _draw_alone(heat: NDArray[np.floating], where: NDArray[np.float32], heads: _Heads, combine: Combine) -> None:
    """Draw heads of many cells, one after the other."""
    across, down = _Line.along(0, heads, heat.dtype), _Line.along(1, heads, heat.dtype)
    draw = np.add if combine == "sum" else np.maximum
    corners = np.concatenate([heads.low, heads.high], axis=1).tolist()
    for x, y, (left, top, right, bottom) in zip(across.slices(), down.slices(), corners, strict=True):
        value = across.heat[x] * down.heat[y, None]
        part, area = heat[top:bottom, left:right], where[top:bottom, left:right]
        if heads.mask == "ellipse":
            within = across.away[x] + down.away[y, None] <= 1
            value *= within
            np.maximum(area, within, out=area)
        elif heads.mask == "box":
            area[:] = 1
        draw(part, value, out=part)
