"""Dense assignment equals one that looks at every head and every cell, whatever the crowd."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from headcount.models.parts import assignment
from headcount.models.parts.assignment import (
    IGNORED,
    NOBODY,
    Grid,
    assign_anchors,
    assign_fovea,
    assign_points,
)

GRIDS = [Grid(4, 24, 16), Grid(8, 12, 8), Grid(16, 6, 4)]
RANGES = [(0.0, 16.0), (16.0, 32.0), (32.0, math.inf)]
OVERLAPPING = [(0.0, 16.0), (8.0, 32.0), (16.0, math.inf)]
SHAPES = [torch.tensor([[side, 1.2 * side], [1.5 * side, 1.5 * side]]) for side in (8.0, 16.0, 32.0)]


def _crowd(heads: int, seed: int, *, on_grid: bool = False) -> Tensor:
    """Boxes in 96×64 pixels, from 1 to 60 of them a side; ``on_grid``: whole numbers, so that many are equal."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.uniform(0, math.log(60), (heads, 2)))
    corner = rng.uniform(-5, 1, (heads, 2)) + rng.uniform(0, (96, 64), (heads, 2))
    boxes = np.concatenate([corner, corner + size], axis=1).clip(0, [96, 64, 96, 64])
    if on_grid:
        boxes = np.round(boxes / 4) * 4
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    return torch.tensor(boxes, dtype=torch.float32)


CROWDS = [(0, 0, False), (1, 1, False), (40, 2, False), (40, 3, True), (300, 4, False), (300, 5, True)]


def _smallest(claims: list[tuple[float, int]]) -> int:
    return min(claims)[1] if claims else NOBODY


def _plain_points(boxes: Tensor, radius: float) -> list[Tensor]:
    owners = []
    for index, (grid, (low, high)) in enumerate(zip(GRIDS, RANGES, strict=True)):
        owner = torch.full((1, grid.rows, grid.columns), NOBODY)
        for row in range(grid.rows):
            for column in range(grid.columns):
                x, y = (column + 0.5) * grid.stride, (row + 0.5) * grid.stride
                claims = []
                for head, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
                    away = x - x1, y - y1, x2 - x, y2 - y
                    cx, cy, half = (x1 + x2) / 2, (y1 + y2) / 2, max(x2 - x1, y2 - y1) / 2
                    near = max(abs(x - cx), abs(y - cy)) <= radius * grid.stride
                    central = (column, row) == (
                        min(int(cx // grid.stride), grid.columns - 1), min(int(cy // grid.stride), grid.rows - 1)
                    )  # fmt: skip
                    at_home = half <= high and (half > low or index == 0)
                    if (min(away) >= 0 and near and low <= max(away) <= high) or (central and at_home):
                        claims.append(((x2 - x1) * (y2 - y1), head))
                owner[0, row, column] = _smallest(claims)
        owners.append(owner)
    return owners


def _plain_fovea(boxes: Tensor, shrink: float) -> list[Tensor]:
    owners = []
    for grid, (low, high) in zip(GRIDS, OVERLAPPING, strict=True):
        owner = torch.full((1, grid.rows, grid.columns), NOBODY)
        for row in range(grid.rows):
            for column in range(grid.columns):
                x, y = (column + 0.5) * grid.stride, (row + 0.5) * grid.stride
                claims = []
                for head, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
                    cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
                    inside = abs(x - cx) <= shrink * (x2 - x1) / 2 and abs(y - cy) <= shrink * (y2 - y1) / 2
                    central = (column, row) == (
                        min(int(cx // grid.stride), grid.columns - 1), min(int(cy // grid.stride), grid.rows - 1)
                    )  # fmt: skip
                    if (inside or central) and low <= math.sqrt((x2 - x1) * (y2 - y1)) <= high:
                        claims.append(((x2 - x1) * (y2 - y1), head))
                owner[0, row, column] = _smallest(claims)
        owners.append(owner)
    return owners


def _anchors() -> Tensor:
    """(n, 4) every anchor, by level, shape, row and column."""
    every = []
    for grid, shapes in zip(GRIDS, SHAPES, strict=True):
        for width, height in shapes.tolist():
            row, column = torch.meshgrid(torch.arange(grid.rows), torch.arange(grid.columns), indexing="ij")
            x, y = (column.flatten() + 0.5) * grid.stride, (row.flatten() + 0.5) * grid.stride
            every.append(torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dim=1))
    return torch.cat(every)


def _flat(owners: list[Tensor]) -> Tensor:
    return torch.cat([owner.flatten() for owner in owners])


@pytest.mark.parametrize(
    ("crowd", "piece"), [*((crowd, 500_000) for crowd in CROWDS), *((CROWDS[2], piece) for piece in (1, 50))]
)
def test_points_are_those_of_a_plain_writing(
    crowd: tuple[int, int, bool], piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment, "PIECE", piece)
    boxes = _crowd(crowd[0], crowd[1], on_grid=crowd[2])
    found = assign_points(boxes, GRIDS, range_px=RANGES, radius=1.5)
    assert all(torch.equal(one, two) for one, two in zip(found, _plain_points(boxes, 1.5), strict=True))
    found = assign_fovea(boxes, GRIDS, range_px=OVERLAPPING, shrink=0.4)
    assert all(torch.equal(one, two) for one, two in zip(found, _plain_fovea(boxes, 0.4), strict=True))


@pytest.mark.parametrize("crowd", [(heads, seed) for heads, seed, on_grid in CROWDS if heads and not on_grid])
def test_anchors_are_those_of_torchvision_and_each_heads_own(crowd: tuple[int, int]) -> None:
    boxes = _crowd(*crowd)
    anchors = _anchors().double()
    iou = box_iou(boxes.double(), anchors)
    expected = Matcher(0.5, 0.4, allow_low_quality_matches=False)(iou)
    middles = [(one[:, :2] + one[:, 2:]) / 2 for one in (boxes.double(), anchors)]
    # All anchors around a small head overlap it alike: the nearest is its own.
    most, own = (iou - 1e-6 * torch.cdist(*middles)).max(dim=1)
    for head in torch.argsort(most).tolist():  # of several heads of one anchor the last, which overlaps it most
        expected[own[head]] = head
    assert _flat(assign_anchors(boxes, GRIDS, shapes_wh=SHAPES)).tolist() == expected.tolist()


def test_of_equal_boxes_the_first_is_learned() -> None:
    boxes = _crowd(60, 6)
    twice = boxes.repeat(2, 1)
    for assign in (
        lambda crowd: assign_points(crowd, GRIDS, range_px=RANGES, radius=1.5),
        lambda crowd: assign_fovea(crowd, GRIDS, range_px=OVERLAPPING, shrink=0.4),
        lambda crowd: assign_anchors(crowd, GRIDS, shapes_wh=SHAPES),
    ):
        assert torch.equal(_flat(assign(twice)), _flat(assign(boxes)))


def test_nobody_owns_nothing() -> None:
    nobody = torch.zeros(0, 4)
    for owners in (
        assign_points(nobody, GRIDS, range_px=RANGES, radius=1.5),
        assign_fovea(nobody, GRIDS, range_px=OVERLAPPING, shrink=0.4),
        assign_anchors(nobody, GRIDS, shapes_wh=SHAPES),
    ):
        assert (_flat(owners) == NOBODY).all()


def test_a_head_of_a_pixel_and_one_of_equals_have_a_place() -> None:
    boxes = torch.tensor([[30.0, 21, 31, 22], [60, 40, 74, 56], [60, 40, 74, 56], [0, 0, 96, 64], [95.5, 63.5, 96, 64]])
    for owners in (
        assign_points(boxes, GRIDS, range_px=RANGES, radius=1.5),
        assign_fovea(boxes, GRIDS, range_px=OVERLAPPING, shrink=0.4),
        assign_anchors(boxes, GRIDS, shapes_wh=SHAPES),
    ):
        assert set(_flat(owners).tolist()) - {NOBODY, IGNORED} == {0, 1, 3, 4}
    assert IGNORED in _flat(assign_anchors(boxes, GRIDS, shapes_wh=SHAPES))
