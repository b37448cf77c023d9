"""Density losses by hand, and what they promise about counts."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from headcount.losses.density import Comparison, block_count_loss, block_counts, density_mse, poisson_deviance

COMPARISONS: list[Comparison] = ["mse", "l1", "smooth_l1", "poisson"]


def _map(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)[None, None]


def _random(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_mse_sums_over_cells_and_averages_over_images() -> None:
    density = torch.cat([_map([1, 2], [3, 4]), _map([0, 0], [0, 1])])
    target = torch.cat([_map([1, 0], [3, 1]), _map([0, 0], [0, 0])])
    assert density_mse(density, target).item() == ((4 + 9) + 1) / 2


def test_block_counts_by_hand() -> None:
    density = _map([1, 2, 3], [4, 5, 6])
    assert block_counts(density, 1).equal(density)
    assert block_counts(density, 2).tolist() == [[[[12, 9]]]]
    assert block_counts(density, 8).tolist() == [[[[21]]]]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 40), st.integers(0, 99))
def test_block_counts_keep_the_mass(height: int, width: int, block: int, seed: int) -> None:
    density = _random(seed, 2, 1, height, width)
    counts = block_counts(density, block)
    assert counts.shape[-2:] == (math.ceil(height / block), math.ceil(width / block))
    torch.testing.assert_close(counts.sum(dim=(1, 2, 3)), density.sum(dim=(1, 2, 3)))


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("value", [0.0, 1.0, 250.0])
def test_a_right_density_costs_nothing(comparison: Comparison, value: float) -> None:
    density = torch.full((2, 1, 5, 7), value, dtype=torch.float64)
    assert block_count_loss(density, density, comparison=comparison).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_too_much_is_pushed_down_and_too_little_up(comparison: Comparison) -> None:
    target = torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64)
    for value, sign in ((0.25, -1), (0.75, 1)):
        density = torch.full_like(target, value, requires_grad=True)
        block_count_loss(density, target, comparison=comparison).backward()
        assert (density.grad.sign() == sign).all()


def test_blocks_of_every_size_weigh_alike() -> None:
    density, target = _random(1, 2, 1, 8, 8), _random(2, 2, 1, 8, 8)
    single = [block_count_loss(density, target, blocks=(block,), comparison="mse") for block in (1, 2, 4)]
    both = block_count_loss(density, target, blocks=(1, 2, 4), comparison="mse")
    torch.testing.assert_close(both, torch.stack(single).mean())


@pytest.mark.parametrize(("predicted", "true"), [(0.0, 0.0), (0.0, 5.0), (5.0, 0.0), (2.0, 2.0), (1e4, 1e-3)])
def test_poisson_is_finite_and_never_negative(predicted: float, true: float) -> None:
    p = torch.tensor(predicted, dtype=torch.float64, requires_grad=True)
    loss = poisson_deviance(p, torch.tensor(true, dtype=torch.float64))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(p.grad)
    assert loss.item() >= -1e-12
    if predicted != true:
        assert loss.item() > 0
        assert math.copysign(1, p.grad.item()) == math.copysign(1, predicted - true)


def test_poisson_by_hand() -> None:
    loss = poisson_deviance(torch.tensor(2.0).double(), torch.tensor(3.0).double(), floor=0.0)
    assert loss.item() == pytest.approx(3 * math.log(1.5) - 1)


def test_poisson_is_unbiased_its_best_constant_is_the_mean() -> None:
    """A skewed truth: the median is 0, the mean is not, and the gradient vanishes at the mean."""
    truth = torch.tensor([0.0] * 9 + [10.0], dtype=torch.float64)
    constant = torch.full_like(truth, 1.0, requires_grad=True)
    poisson_deviance(constant, truth).sum().backward()
    assert constant.grad.sum().item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("comparison", ["mse", "poisson"])
def test_gradients_are_those_of_the_value(comparison: Comparison) -> None:
    density, target = _random(3, 1, 1, 5, 6).requires_grad_(), _random(4, 1, 1, 5, 6)
    assert gradcheck(lambda d: block_count_loss(d, target, blocks=(1, 2, 4), comparison=comparison), (density,))
    assert gradcheck(lambda d: density_mse(d, target), (density,))
