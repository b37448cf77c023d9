"""Which head each cell or anchor learns: dense assignment in bounded memory, and of equals always the same.

A head asks for the few cells around its middle, so that nothing is ever made of all heads and all cells together;
and of those no more than ``PIECE`` are looked at at once. Each head has a cell or an anchor, however small it is,
unless another head takes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

NOBODY, IGNORED = -1, -2
"""Owners of a cell or an anchor that no head has, and of one that is no example either way."""

PIECE = 500_000
"""How many cells that heads ask for are looked at at once: 100 MB of them."""


class Grid(NamedTuple):
    """The cells of one level of a pyramid, ``stride`` pixels a side."""

    stride: int
    columns: int
    rows: int


def assign_points(
    boxes_xyxy: Tensor, grids: Sequence[Grid], *, range_px: Sequence[tuple[float, float]], radius: float
) -> list[Tensor]:
    """FCOS: the row of the head that each cell learns, or ``NOBODY``, (1, rows, columns) int64 for each grid.

    A cell learns a head if its middle lies in the box, no more than ``radius`` cells from the box's middle in x and y,
    and the farthest of the box's four sides is as far as ``range_px`` says. The cell of the box's middle learns it in
    any case, at the grid to whose range half its longer side belongs. Of several heads a cell learns the smallest, of
    equal ones the first. "FCOS" (Tian et al.), 3.2 and 3.3; centre sampling as in their later version.

    Args:
        boxes_xyxy: (n, 4) in pixels, with width and height.
        grids: the levels, the finest first.
        range_px: (low, high) of each level, one beginning where the last ends.
        radius: how far from a head's middle, in cells.
    """
    middle_px = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    half = (boxes_xyxy[:, 2:] - middle_px).amax(dim=1)
    owners = []
    for index, (grid, (low_px, high_px)) in enumerate(zip(grids, range_px, strict=True)):
        own = (half <= high_px) & ((half > low_px) | (index == 0))
        # The farthest side is half the longer side away at least, and at most all of it.
        asking = ((half <= high_px) & (2 * half >= low_px)).nonzero()[:, 0]
        middle = middle_px[asking] / grid.stride
        low = torch.maximum(boxes_xyxy[asking, :2] / grid.stride, middle - radius)
        high = torch.minimum(boxes_xyxy[asking, 2:] / grid.stride, middle + radius)
        smallest = _Smallest(boxes_xyxy, grid)
        for asked in _asked_cells(low, high, middle, grid):
            head = asking[asked.head]
            farthest = sides_from((asked.cell + 0.5) * grid.stride, boxes_xyxy[head]).amax(dim=1)
            fits = asked.is_inside & (farthest >= low_px) & (farthest <= high_px)
            taken = fits | (asked.is_central & own[head])
            smallest.give(head[taken], asked.cell[taken])
        owners.append(smallest.owners())
    return owners


def assign_fovea(
    boxes_xyxy: Tensor, grids: Sequence[Grid], *, range_px: Sequence[tuple[float, float]], shrink: float
) -> list[Tensor]:
    """FoveaBox: the row of the head that each cell learns, or ``NOBODY``, (1, rows, columns) int64 for each grid.

    A head is learned at each grid whose ``range_px`` holds the root of its area, by the cells whose middles lie in its
    box shrunk by ``shrink`` towards its middle, and by that of the middle. Of several heads a cell learns the smallest,
    of equal ones the first. "FoveaBox" (Kong et al.), 3.2 and 3.3.
    """
    middle_px, half = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2, (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 2
    size = 2 * half.prod(dim=1).sqrt()
    owners = []
    for grid, (low_px, high_px) in zip(grids, range_px, strict=True):
        asking = ((size >= low_px) & (size <= high_px)).nonzero()[:, 0]
        middle, reach = middle_px[asking] / grid.stride, shrink * half[asking] / grid.stride
        smallest = _Smallest(boxes_xyxy, grid)
        for asked in _asked_cells(middle - reach, middle + reach, middle, grid):
            taken = asked.is_inside | asked.is_central
            smallest.give(asking[asked.head[taken]], asked.cell[taken])
        owners.append(smallest.owners())
    return owners


def assign_anchors(
    boxes_xyxy: Tensor, grids: Sequence[Grid], *, shapes_wh: Sequence[Tensor], high: float = 0.5, low: float = 0.4
) -> list[Tensor]:
    """RetinaNet: the row of the head that each anchor learns, ``NOBODY`` or ``IGNORED``, (A, rows, columns) int64.

    An anchor learns the head that it overlaps most, if their intersection over union is at least ``high``, and nothing
    if the most is between ``low`` and that; of equal ones it takes the first head. Besides, each head has the anchor of
    all that overlaps it most (of equal ones the first, by level and shape), unless another head overlaps that more and
    has none better. "Focal Loss for Dense Object Detection" (Lin et al.), 4; the second as torchvision has it.

    Args:
        boxes_xyxy: (n, 4) in pixels, with width and height.
        grids: the levels.
        shapes_wh: (A, 2) widths and heights in pixels of the anchors that lie around each cell's middle, by level.
        high: what makes an anchor learn a head.
        low: below this it learns that nobody is there.
    """
    middle_px, size = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2, boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    area = size.prod(dim=1)
    favourites = _Favourites(boxes_xyxy)
    owners = []
    for level, (grid, shapes) in enumerate(zip(grids, shapes_wh, strict=True)):
        owners.append(torch.full((len(shapes), grid.rows, grid.columns), NOBODY, device=boxes_xyxy.device))
        for number, shape in enumerate(shapes.to(boxes_xyxy)):
            nearest = _cells_of(middle_px, grid)
            favourites.offer(level, number, nearest, _iou_of_anchors(nearest, grid, shape, boxes_xyxy))
            # An intersection of at least a share `low` of the union is that of the larger area, too, and neither
            # wider nor higher than either box.
            least = low * area.clamp(min=float(shape.prod()))[:, None] / torch.minimum(size, shape).flip(1)
            reach = ((size + shape) / 2 - least) / grid.stride
            asking = (reach >= 0).all(dim=1).nonzero()[:, 0]
            middle, reach = middle_px[asking] / grid.stride, reach[asking]
            most = _Most(boxes_xyxy, grid)
            for asked in _asked_cells(middle - reach, middle + reach, middle, grid):
                head = asking[asked.head]
                most.give(head, asked.cell, _iou_of_anchors(asked.cell, grid, shape, boxes_xyxy[head]))
            owners[-1][number] = most.owners(high, low)
    favourites.settle(owners)
    return owners


def sides_from(place_px: Tensor, boxes_xyxy: Tensor) -> Tensor:
    """(n, 4): how far the left, upper, right and lower side of each box lies from its place (n, 2), in pixels.

    Negative where the place is beyond that side.
    """
    return torch.cat([place_px - boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - place_px], dim=1)


class _Asked(NamedTuple):
    """Cells that heads ask for: the row of the head, and the cell (n, 2) as (column, row)."""

    head: Tensor
    cell: Tensor
    is_inside: Tensor
    """Whether the cell's middle lies in what the head asks for."""
    is_central: Tensor
    """Whether the head's middle lies in the cell."""


def _cells_of(middle_px: Tensor, grid: Grid) -> Tensor:
    """(n, 2) the cell of each place, as (column, row); the nearest one of a place beyond the grid."""
    last = middle_px.new_tensor([grid.columns - 1, grid.rows - 1])
    return torch.minimum((middle_px / grid.stride).floor().clamp(min=0), last).long()


def _asked_cells(low: Tensor, high: Tensor, middle: Tensor, grid: Grid) -> Iterator[_Asked]:
    """The cells of the grid whose middles lie from ``low`` to ``high``, and the cell of ``middle``, of each head.

    All are (n, 2), in cells. Pieces come in the order of the heads.
    """
    size = torch.tensor([grid.columns, grid.rows], device=low.device)
    central = _cells_of(middle * grid.stride, grid)
    first = torch.minimum((low - 0.5).ceil().long(), central).clamp(min=0)
    last = torch.minimum(torch.maximum((high - 0.5).floor().long(), central) + 1, size)
    wide = (last - first)[:, 0]
    number = (last - first).prod(dim=1)
    total = number.cumsum(0)
    start = 0
    while start < len(number):
        before = int(total[start - 1]) if start else 0
        stop = max(start + 1, int(torch.searchsorted(total, before + PIECE, right=True)))
        head = torch.repeat_interleave(torch.arange(start, stop, device=low.device), number[start:stop])
        within = torch.arange(len(head), device=low.device) - (total - number)[head] + before
        column = torch.remainder(within, wide[head])
        row = torch.div(within, wide[head], rounding_mode="floor")
        cell = first[head] + torch.stack([column, row], dim=1)
        place = cell + 0.5
        is_inside = ((place >= low[head]) & (place <= high[head])).all(dim=1)
        yield _Asked(head, cell, is_inside, (cell == central[head]).all(dim=1))
        start = stop


class _Smallest:
    """Of each cell the smallest head that was given it, of equal ones the first."""

    def __init__(self, boxes_xyxy: Tensor, grid: Grid) -> None:
        self.grid = grid
        area = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(dim=1)
        self.by_size = torch.argsort(area, stable=True)
        self.rank = torch.argsort(self.by_size)
        self.best = torch.full((grid.rows * grid.columns,), len(area), device=boxes_xyxy.device)

    def give(self, head: Tensor, cell: Tensor) -> None:
        self.best.scatter_reduce_(0, cell[:, 1] * self.grid.columns + cell[:, 0], self.rank[head], "amin")

    def owners(self) -> Tensor:
        """(1, rows, columns)"""
        heads = torch.cat([self.by_size, self.by_size.new_tensor([NOBODY])])
        return heads[self.best].reshape(1, self.grid.rows, self.grid.columns)


class _Most:
    """Of each anchor of a shape the head that it overlaps most, of equal ones the first."""

    def __init__(self, boxes_xyxy: Tensor, grid: Grid) -> None:
        self.grid, self.heads = grid, len(boxes_xyxy)
        self.iou = boxes_xyxy.new_zeros(grid.rows * grid.columns)
        self.head = torch.full_like(self.iou, self.heads, dtype=torch.int64)

    def give(self, head: Tensor, cell: Tensor, iou: Tensor) -> None:
        index = cell[:, 1] * self.grid.columns + cell[:, 0]
        before = self.iou.clone()
        self.iou.scatter_reduce_(0, index, iou, "amax")
        self.head[self.iou > before] = self.heads
        equal = iou == self.iou[index]
        self.head.scatter_reduce_(0, index[equal], head[equal], "amin")

    def owners(self, high: float, low: float) -> Tensor:
        """(rows, columns)"""
        owner = torch.where(self.iou >= high, self.head, IGNORED)
        owner[self.iou < low] = NOBODY
        return owner.reshape(self.grid.rows, self.grid.columns)


class _Favourites:
    """The anchor of all that overlaps each head most."""

    def __init__(self, boxes_xyxy: Tensor) -> None:
        self.iou = boxes_xyxy.new_full((len(boxes_xyxy),), -1)
        self.place = torch.zeros((len(boxes_xyxy), 4), dtype=torch.int64, device=boxes_xyxy.device)

    def offer(self, level: int, shape: int, cell: Tensor, iou: Tensor) -> None:
        """One anchor for each head: its level, shape, cell (n, 2), and intersection over union (n,) with it."""
        better = iou > self.iou
        self.iou = torch.where(better, iou, self.iou)
        place = torch.cat([cell.new_tensor([level, shape]).expand(len(cell), 2), cell.flip(1)], dim=1)
        self.place = torch.where(better[:, None], place, self.place)

    def settle(self, owners: Sequence[Tensor]) -> None:
        """Put each head to its anchor; of several heads of one anchor that which it overlaps most, or the first."""
        anchor, which = torch.unique(self.place, dim=0, return_inverse=True)
        most = self.iou.new_full((len(anchor),), -1).scatter_reduce_(0, which, self.iou, "amax")
        winning = (self.iou == most[which]).nonzero()[:, 0]
        head = torch.full((len(anchor),), len(self.iou), device=which.device)
        head.scatter_reduce_(0, which[winning], winning, "amin")
        for level, owner in enumerate(owners):
            of_level = anchor[:, 0] == level
            shape, row, column = anchor[of_level, 1:].T
            owner[shape, row, column] = head[of_level]


def _iou_of_anchors(cell: Tensor, grid: Grid, shape_wh: Tensor, boxes_xyxy: Tensor) -> Tensor:
    """(n,) intersection over union of the anchors of one shape around some cells with a box each."""
    place = (cell + 0.5) * grid.stride
    low, high = (
        torch.maximum(place - shape_wh / 2, boxes_xyxy[:, :2]),
        torch.minimum(place + shape_wh / 2, boxes_xyxy[:, 2:]),
    )
    shared = (high - low).clamp(min=0).prod(dim=1)
    return shared / ((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(dim=1) + shape_wh.prod() - shared)
