"""The Bayesian loss against a slow second writing, cell by cell, and what it promises of counts."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from headcount.core.errors import InputError
from headcount.losses import cells
from headcount.losses.bayesian import bayesian_loss


def _case(seed: int, *counts: int, side: tuple[int, int] = (5, 7), stride: int = 8) -> tuple[Tensor, list[Tensor]]:
    draw = torch.Generator().manual_seed(seed)
    size = torch.tensor([side[1], side[0]]) * stride
    points = [torch.rand(count, 2, generator=draw, dtype=torch.float64) * size for count in counts]
    return torch.rand(len(counts), 1, *side, generator=draw, dtype=torch.float64), points


def _slow(density: Tensor, points: list[Tensor], stride: int, sigma: float, background: float | None) -> float:
    total = 0.0
    for image, heads in zip(density[:, 0].tolist(), points, strict=True):
        owners = [(x, y) for x, y in heads.tolist()]
        expected = [0.0] * (len(owners) + 1)
        for row, line in enumerate(image):
            for column, people in enumerate(line):
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                apart = [math.dist((x, y), owner) for owner in owners]
                if background is not None and apart:
                    apart.append(background - min(apart))
                chance = [math.exp(-(one**2) / (2 * sigma**2)) for one in apart]
                for owner, one in enumerate(chance):
                    expected[owner] += people * one / sum(chance)
                if not owners:
                    expected[0] += people
        total += sum(abs(found - 1) for found in expected[: len(owners)]) + abs(expected[len(owners)])
    return total / len(points)


@pytest.mark.parametrize("background", [None, 12.0])
@pytest.mark.parametrize(("sigma", "counts"), [(8.0, (3, 0, 12)), (20.0, (1, 1)), (3.0, (40,))])
def test_equals_the_slow_writing(sigma: float, counts: tuple[int, ...], background: float | None) -> None:
    density, points = _case(1, *counts)
    found = bayesian_loss(density, points, stride=8, sigma=sigma, background_px=background)
    assert found.item() == pytest.approx(_slow(density, points, 8, sigma, background), rel=1e-9)


@pytest.mark.parametrize("background", [None, 30.0])
def test_in_portions_as_at_once_and_with_its_gradient(
    monkeypatch: pytest.MonkeyPatch, background: float | None
) -> None:
    density, points = _case(2, 9, 0, 4)
    density.requires_grad_()

    def run() -> tuple[Tensor, Tensor]:
        loss = bayesian_loss(density, points, stride=8, background_px=background)
        return loss, torch.autograd.grad(loss, density)[0]

    at_once = run()
    monkeypatch.setattr(cells, "_MOST_PAIRS", 20)
    in_portions = run()
    torch.testing.assert_close(in_portions[0], at_once[0])
    torch.testing.assert_close(in_portions[1], at_once[1])
    little, one = density[:1, :, :2, :2].detach().requires_grad_(), points[:1]
    assert gradcheck(lambda d: bayesian_loss(d, one, stride=8, background_px=background), (little,))


def test_one_person_at_each_point_costs_nothing() -> None:
    density = torch.zeros(1, 1, 8, 8)
    density[0, 0, 1, 1] = density[0, 0, 6, 5] = 1
    points = [torch.tensor([[12.0, 12.0], [44.0, 52.0]])]
    assert bayesian_loss(density, points, stride=8).item() == pytest.approx(0, abs=1e-6)
    assert bayesian_loss(density, points, stride=8, background_px=60).item() == pytest.approx(0, abs=1e-6)


def test_without_a_background_every_person_is_owed_to_a_point_however_far() -> None:
    """In the logarithm: at 500 px and σ 8 every likelihood is 0 in float32."""
    density = torch.full((1, 1, 2, 64), 0.25, requires_grad=True)
    loss = bayesian_loss(density, [torch.tensor([[1.0, 1.0]])], stride=8)
    assert loss.item() == pytest.approx(31)
    loss.backward()
    torch.testing.assert_close(density.grad, torch.ones_like(density))


def test_far_from_all_points_is_background() -> None:
    density = torch.zeros(1, 1, 2, 64)
    density[..., 60] = 3
    alone = bayesian_loss(density, [torch.tensor([[1.0, 1.0]])], stride=8, background_px=40)
    assert alone.item() == pytest.approx(7)  # a head that is missed, six people who are not there


def test_an_empty_image_is_owed_nobody() -> None:
    density = torch.full((2, 1, 4, 4), 0.5, requires_grad=True)
    loss = bayesian_loss(density, [torch.zeros(0, 2)] * 2, stride=8)
    assert loss.item() == 8
    loss.backward()
    assert (density.grad == 0.5).all()


def test_half_precision_is_computed_in_float32() -> None:
    density, points = _case(3, 5)
    with torch.autocast("cpu", torch.bfloat16):
        found = bayesian_loss(density.bfloat16(), points, stride=8)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(bayesian_loss(density, points, stride=8).item(), rel=1e-2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sigma": -1.0}, "sigma must be positive, but it is -1.0"),
        ({"background_px": 0.0}, "background_px must be positive"),
        ({"density": torch.zeros(2, 3, 4, 4)}, r"density must be of the shape \(b, 1, h, w\)"),
        ({"points": []}, "one tensor for each of 1 images, but they are 0"),
        ({"points": [torch.zeros(3, 4)]}, r"of the shape \(n, 2\), but theirs is \(3, 4\)"),
    ],
)
def test_what_does_not_fit_is_named(change: dict, words: str) -> None:
    given = {"density": torch.zeros(1, 1, 4, 4), "points": [torch.zeros(1, 2)], "stride": 8, **change}
    with pytest.raises(InputError, match=words):
        bayesian_loss(given.pop("density"), given.pop("points"), **given)
