"""Point to region against a slow second writing, and what it teaches."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from headcount.core.errors import InputError
from headcount.losses import cells
from headcount.losses.point_to_region import point_to_region_loss


def _case(seed: int, *counts: int, side: tuple[int, int] = (6, 8), stride: int = 4) -> tuple[Tensor, list[Tensor]]:
    draw = torch.Generator().manual_seed(seed)
    size = torch.tensor([side[1], side[0]]) * stride
    points = [torch.rand(count, 2, generator=draw, dtype=torch.float64) * size for count in counts]
    return torch.randn(len(counts), 1, *side, generator=draw, dtype=torch.float64) * 3, points


def _slow(logits: Tensor, points: list[Tensor], stride: int, reach: float, weight: float) -> float:
    total, number = 0.0, 0
    for image, heads in zip(logits[:, 0].tolist(), points, strict=True):
        region: dict[int, list[tuple[float, int, int]]] = {}
        for row, line in enumerate(image):
            for column in range(len(line)):
                middle = ((column + 0.5) * stride, (row + 0.5) * stride)
                apart = [math.dist(middle, head) for head in heads.tolist()]
                if apart and min(apart) <= reach:
                    region.setdefault(apart.index(min(apart)), []).append((min(apart), row, column))
        largest = max((one[0] for of_head in region.values() for one in of_head), default=0.0)
        positive = set()
        for of_head in region.values():
            cost = [(weight * far / largest - image[row][column], row, column) for far, row, column in of_head]
            positive.add(min(cost)[1:])
        for row, line in enumerate(image):
            for column, logit in enumerate(line):
                number += 1
                if (row, column) in positive:
                    total += 2 * math.log1p(math.exp(-logit))
                else:
                    total += math.log1p(math.exp(logit))
    return total / number


@pytest.mark.parametrize("reach", [96.0, 7.0])
@pytest.mark.parametrize(("weight", "counts"), [(8.0, (3, 0, 12)), (0.0, (2, 5)), (50.0, (30,))])
def test_equals_the_slow_writing(weight: float, counts: tuple[int, ...], reach: float) -> None:
    logits, points = _case(1, *counts)
    found = point_to_region_loss(logits, points, reach_px=reach, distance_weight=weight)
    assert found.item() == pytest.approx(_slow(logits, points, 4, reach, weight), rel=1e-9)


def test_in_portions_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, points = _case(2, 9, 0, 4)
    at_once = point_to_region_loss(logits, points)
    monkeypatch.setattr(cells, "_MOST_PAIRS", 20)
    assert point_to_region_loss(logits, points) == at_once


def _positive(logits: Tensor, points: list[Tensor], **options: float) -> list[list[int]]:
    """[image, row, column] of the cells that are pushed up."""
    logits = logits.clone().requires_grad_()
    point_to_region_loss(logits, points, **options).backward()
    return (logits.grad[:, 0] < 0).nonzero().tolist()


def test_as_many_cells_are_taught_to_be_heads_as_there_are_points() -> None:
    logits, points = _case(3, 6, 0, 1, side=(16, 16))
    taught = _positive(logits, points)
    assert [sum(image == one for image, _, _ in taught) for one in range(3)] == [6, 0, 1]


def test_the_nearest_cell_is_the_head_unless_another_one_is_surer() -> None:
    logits = torch.full((1, 1, 8, 8), -4.0)
    points = [torch.tensor([[9.0, 9.0]])]
    assert _positive(logits, points) == [[0, 2, 2]]
    logits[0, 0, 3, 3] = 1.0
    assert _positive(logits, points) == [[0, 3, 3]]
    assert _positive(logits, points, distance_weight=1000.0) == [[0, 2, 2]]


def test_equally_good_cells_and_points_in_one_cell_give_one_head_each_at_most() -> None:
    logits = torch.zeros(1, 1, 4, 4)
    assert _positive(logits, [torch.tensor([[8.0, 8.0]])]) == [[0, 1, 1]]  # between four cells
    assert _positive(logits, [torch.tensor([[2.0, 2.0], [2.0, 2.0]])]) == [[0, 0, 0]]


def test_beyond_the_reach_is_nobodys() -> None:
    logits = torch.full((1, 1, 4, 4), -4.0)
    logits[0, 0, 3, 3] = 9.0
    assert _positive(logits, [torch.tensor([[2.0, 2.0]])]) == [[0, 3, 3]]
    assert _positive(logits, [torch.tensor([[2.0, 2.0]])], reach_px=8.0) == [[0, 0, 0]]


def test_no_cell_outside_the_region_is_a_head_or_learns() -> None:
    logits = torch.full((1, 1, 4, 4), -4.0)
    logits[..., 2:] = 20.0
    logits.requires_grad_()
    inside = torch.ones(1, 1, 4, 4)
    inside[..., 2:] = 0
    point_to_region_loss(logits, [torch.tensor([[7.0, 2.0]])], inside=inside).backward()
    assert not logits.grad[..., 2:].any()
    assert (logits.grad < 0).nonzero().tolist() == [[0, 0, 0, 1]]


def test_empty_and_dense_in_one_batch_are_finite_and_an_empty_image_is_all_negative() -> None:
    draw = torch.Generator().manual_seed(0)
    for points in ([torch.zeros(0, 2)] * 2, [torch.zeros(0, 2), torch.rand(500, 2, generator=draw) * 32]):
        logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
        loss = point_to_region_loss(logits, points)
        loss.backward()
        assert loss.isfinite()
        assert (logits.grad[0] > 0).all()


def test_gradients_are_those_of_the_value() -> None:
    logits, points = _case(4, 3, 1, side=(3, 3))
    assert gradcheck(lambda x: point_to_region_loss(x, points), (logits.requires_grad_(),))


def test_half_precision_is_computed_in_float32() -> None:
    logits, points = _case(5, 5)
    with torch.autocast("cpu", torch.bfloat16):
        found = point_to_region_loss(logits.bfloat16(), points)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(point_to_region_loss(logits.bfloat16().double(), points).item(), rel=1e-5)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(
        InputError, match=r"logits must be of the shape \(b, 1, h, w\), but its shape is \(1, 4, 2, 2\)"
    ):
        point_to_region_loss(torch.zeros(1, 4, 2, 2), [torch.zeros(0, 2)])
    with pytest.raises(InputError, match="reach_px must be positive, but it is -1"):
        point_to_region_loss(torch.zeros(1, 1, 2, 2), [torch.zeros(0, 2)], reach_px=-1)
