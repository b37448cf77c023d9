"""Distribution matching: its transport against a linear programme, its gradient against differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from headcount.core.errors import InputError
from headcount.losses.distribution import distribution_matching_loss, transport


def _maps(seed: int, *shape: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    counts = (torch.rand(shape, generator=draw, dtype=torch.float64) < 0.3).double()
    return torch.rand(shape, generator=draw, dtype=torch.float64), counts


def _cost(height: int, width: int, stride: int) -> np.ndarray:
    rows, columns = np.divmod(np.arange(height * width), width)
    return stride**2 * ((rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2).astype(float)


def _least_cost(source: np.ndarray, target: np.ndarray, cost: np.ndarray) -> float:
    """Without entropy, by linear programming."""
    n = len(source)
    sums = np.concatenate([np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))])
    found = linprog(cost.ravel(), A_eq=sums, b_eq=np.concatenate([source, target]), method="highs")
    return float(found.fun)


@pytest.mark.parametrize("seed", [0, 1])
def test_with_little_entropy_it_is_the_least_cost(seed: int) -> None:
    density, counts = _maps(seed, 1, 4, 5)
    found, _ = transport(counts, density, stride=8, entropy_px2=1.0, iterations=500)
    source, target = (one[0].flatten().numpy() for one in (counts / counts.sum(), density / density.sum()))
    expected = _least_cost(source, target, _cost(4, 5, 8))
    # The entropy is at most ε times that of the source.
    assert expected <= found.item() + 1e-2
    assert found.item() == pytest.approx(expected, abs=3.5)


def test_equals_sinkhorn_written_in_full() -> None:
    density, counts = _maps(2, 1, 3, 4)
    source, target = (one[0].flatten().numpy() for one in (counts / counts.sum(), density / density.sum()))
    kernel = np.exp(-_cost(3, 4, 4) / 10)
    right = np.ones(12)
    for _ in range(20_000):
        left = source / (kernel @ right)
        right = target / (kernel.T @ left)
    plan = left[:, None] * kernel * right
    product = source[:, None] * target
    some = plan > 0
    expected = (plan * _cost(3, 4, 4)).sum() + 10 * (plan[some] * np.log(plan[some] / product[some])).sum()
    assert transport(counts, density, stride=4, iterations=2000)[0].item() == pytest.approx(expected, rel=1e-3)


def test_the_potential_is_the_gradient_of_the_cost() -> None:
    density, counts = _maps(3, 1, 4, 4)
    _, potential = transport(counts, density, stride=8, iterations=500)
    step = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64) * 1e-2
    share = density / density.sum()
    step = (step - step.mean()) * share.min()
    above, below = (transport(counts, share + sign * step, stride=8, iterations=500)[0] for sign in (1, -1))
    assert ((above - below) / 2).item() == pytest.approx((potential * step).sum().item(), rel=2e-2)


def test_masses_far_apart_are_moved_all_the_way() -> None:
    source, target = torch.zeros(1, 64, 64), torch.zeros(1, 64, 64)
    source[0, 0, 0] = 5
    target[0, 60, 48] = 0.1
    cost, potential = transport(source, target, stride=8, iterations=60)
    assert cost.item() == pytest.approx(64 * (60**2 + 48**2), rel=1e-5)
    assert potential.isfinite().all()
    assert potential[0, 0, 0] < potential[0, 30, 24] < potential[0, 63, 63]


def test_a_right_density_costs_nothing_but_its_entropy() -> None:
    _, counts = _maps(5, 2, 1, 8, 8)
    losses = distribution_matching_loss(counts, counts, stride=8)
    assert losses["count"].item() == 0
    assert losses["variation"].item() == pytest.approx(0, abs=1e-9)
    assert 0 <= losses["transport"].item() < 0.1 * 10 * np.log(64)


def test_count_and_variation_by_hand() -> None:
    counts, density = torch.zeros(1, 1, 1, 2), torch.tensor([[[[1.0, 3.0]]]])
    counts[..., 0] = 3
    losses = distribution_matching_loss(density, counts, stride=8, variation_weight=0.5)
    assert losses["count"].item() == 1
    assert losses["variation"].item() == pytest.approx(0.5 * 3 * 0.5 * (0.75 + 0.75))


def test_people_are_drawn_to_where_they_stand() -> None:
    counts = torch.zeros(1, 1, 8, 8)
    counts[0, 0, 2, 2] = 4
    density = torch.full((1, 1, 8, 8), 4 / 64, requires_grad=True)
    distribution_matching_loss(density, counts, stride=8)["transport"].backward()
    gradient = density.grad[0, 0]
    assert gradient.argmin() == 2 * 8 + 2
    assert gradient.argmax() == 7 * 8 + 7
    assert (gradient * density[0, 0]).sum().item() == pytest.approx(0, abs=1e-4)  # it moves people, and makes none


@pytest.mark.parametrize("value", [0.0, 1e-12, 1e6])
def test_empty_and_dense_in_one_batch_are_finite_with_a_bounded_gradient(value: float) -> None:
    counts = torch.zeros(3, 1, 16, 16)
    counts[1], counts[2, 0, 0, 0] = 9, 1
    density = torch.full((3, 1, 16, 16), value, requires_grad=True)
    losses = distribution_matching_loss(density, counts, stride=8)
    assert all(one.isfinite() for one in losses.values())
    sum(losses.values()).backward()
    assert density.grad.isfinite().all()
    assert density.grad.abs().max() < 1e5


def test_an_image_without_points_learns_its_count_alone() -> None:
    density = torch.rand(1, 1, 4, 4).requires_grad_()
    losses = distribution_matching_loss(density, torch.zeros(1, 1, 4, 4), stride=8)
    assert losses["transport"] == losses["variation"] == 0
    sum(losses.values()).backward()
    assert (density.grad == 1).all()


def test_half_precision_is_computed_in_float32() -> None:
    density, counts = _maps(6, 2, 1, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = distribution_matching_loss(density.bfloat16(), counts.float(), stride=8)
    plain = distribution_matching_loss(density, counts, stride=8)
    for name, value in found.items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(plain[name].item(), rel=3e-2, abs=0.05)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(InputError, match=r"counts must be of the shape of density, \(1, 1, 4, 4\), but its .* 8, 8"):
        distribution_matching_loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 8, 8), stride=8)
    with pytest.raises(InputError, match=r"must be positive, but they are 0 and 100"):
        transport(torch.ones(1, 2, 2), torch.ones(1, 2, 2), stride=8, entropy_px2=0)
