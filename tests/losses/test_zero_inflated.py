"""The zero-inflated likelihood against scipy's distributions, and the parts beside it by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import gammaln
from scipy.stats import poisson
from torch import Tensor
from torch.autograd import gradcheck

from headcount.core.errors import InputError
from headcount.losses.zero_inflated import BINS, expected_count, start_bias, zero_inflated_loss, zero_inflated_nll

CENTRES = torch.tensor(BINS[16].centres, dtype=torch.float64)


def _case(seed: int, block: int = 16, scale: float = 2.0) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    kinds = len(BINS[block].centres)  # type: ignore[index]
    occupied = torch.randn(2, 1, 6, 5, generator=draw, dtype=torch.float64) * scale
    bins = torch.randn(2, kinds, 6, 5, generator=draw, dtype=torch.float64) * scale
    counts = torch.randint(0, 20, (2, 1, 6, 5), generator=draw).double()
    counts[torch.rand(2, 1, 6, 5, generator=draw) < 0.6] = 0
    return occupied, bins, counts


def test_the_bins_are_those_that_are_published() -> None:
    assert BINS[16].least == (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15)
    assert BINS[16].centres[:-1] == (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11.5, 13.5)
    assert BINS[16].centres[-1] >= 15


def test_the_likelihood_is_that_of_scipys_distributions() -> None:
    occupied, bins, counts = _case(0)
    some = 1 / (1 + np.exp(-occupied.numpy()))
    weights = np.exp(bins.numpy() - bins.numpy().max(axis=1, keepdims=True))
    rate = (weights / weights.sum(axis=1, keepdims=True) * CENTRES.numpy()[:, None, None]).sum(axis=1, keepdims=True)
    y = counts.numpy()
    mass = some * poisson.pmf(y, rate) + (1 - some) * (y == 0)
    expected = -np.log(mass) - np.where(y > 0, gammaln(y + 1), 0)  # log y! is left out
    np.testing.assert_allclose(zero_inflated_nll(occupied, bins, counts, CENTRES), expected, rtol=1e-10)
    np.testing.assert_allclose(expected_count(occupied, bins, CENTRES), some * rate, rtol=1e-12)


def test_the_other_parts_by_hand() -> None:
    occupied, bins, counts = _case(1)
    losses = zero_inflated_loss(occupied, bins, counts, table=BINS[16])
    density = expected_count(occupied, bins, CENTRES)
    likelihood = zero_inflated_nll(occupied, bins, counts, CENTRES)
    assert losses["likelihood"].item() == pytest.approx(likelihood.sum().item() / 2)
    assert losses["count"].item() == pytest.approx((density.sum((1, 2, 3)) - counts.sum((1, 2, 3))).abs().mean().item())
    labels = {0: 0, 1: 1, 10: 10, 11: 11, 12: 11, 13: 12, 14: 12, 15: 13, 19: 13}
    wrong, off = 0.0, [0.0, 0.0, 0.0]
    for image in range(2):
        for row, column in np.argwhere(counts[image, 0].numpy() > 0):
            y = int(counts[image, 0, row, column])
            label = labels.get(y, min(y, 13))
            wrong -= bins[image, :, row, column].log_softmax(dim=0)[label].item()
        for level, side in enumerate((1, 2, 4)):
            for top in range(0, 6, side):
                for left in range(0, 5, side):
                    cut = (image, 0, slice(top, top + side), slice(left, left + side))
                    off[level] += abs((density[cut].sum() - counts[cut].sum()).item()) / side
    assert losses["bins"].item() == pytest.approx(wrong / 2)
    assert losses["density"].item() == pytest.approx(sum(off) / 2)
    assert set(losses) == {"likelihood", "bins", "density", "count"}


@pytest.mark.parametrize("block", [8, 16])
def test_gradients_are_those_of_the_value(block: int) -> None:
    occupied, bins, counts = _case(2, block)
    occupied, bins, counts = occupied[:1, :, :2, :2].clone(), bins[:1, :, :2, :2].clone(), counts[:1, :, :2, :2]

    def total(x: Tensor, k: Tensor) -> Tensor:
        return torch.stack(list(zero_inflated_loss(x, k, counts, table=BINS[block]).values())).sum()

    assert gradcheck(total, (occupied.requires_grad_(), bins.requires_grad_()))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("people", [0.0, 3.0])
def test_no_prediction_is_so_wrong_that_it_is_not_pulled_back(sign: int, people: float) -> None:
    occupied = torch.full((1, 1, 1, 1), 200.0 * sign, requires_grad=True)
    bins = torch.zeros(1, 14, 1, 1)
    bins[:, 0] = -300.0 * sign  # nobody is certain, or impossible
    bins.requires_grad_()
    counts = torch.full((1, 1, 1, 1), people)
    losses = zero_inflated_loss(occupied, bins, counts, table=BINS[16])
    torch.stack(list(losses.values())).sum().backward()
    assert all(one.isfinite() for one in losses.values())
    assert occupied.grad.isfinite().all()
    assert bins.grad.isfinite().all()
    wrong = (people > 0) != (sign > 0)
    if wrong:
        assert losses["likelihood"].item() > (100 if people else 5)
        assert max(occupied.grad.abs().max(), bins.grad.abs().max()) > 0.5


def test_empty_and_dense_in_one_batch_are_finite() -> None:
    for counts in (torch.zeros(2, 1, 3, 3), torch.stack([torch.zeros(1, 3, 3), torch.full((1, 3, 3), 500.0)])):
        occupied, bins = torch.zeros(2, 1, 3, 3).requires_grad_(), torch.zeros(2, 7, 3, 3).requires_grad_()
        losses = zero_inflated_loss(occupied, bins, counts, table=BINS[8])
        torch.stack(list(losses.values())).sum().backward()
        assert all(one.isfinite() for one in losses.values())
        assert occupied.grad.isfinite().all()
        assert bins.grad.isfinite().all()


def test_what_lies_outside_teaches_nothing() -> None:
    occupied, bins, counts = _case(3)
    occupied.requires_grad_()
    bins.requires_grad_()
    inside = torch.ones_like(counts)
    inside[..., 3:] = 0
    losses = zero_inflated_loss(occupied, bins, counts * inside, table=BINS[16], inside=inside)
    torch.stack(list(losses.values())).sum().backward()
    assert not occupied.grad[..., 3:].any()
    assert not bins.grad[..., 3:].any()
    assert bins.grad[..., :3].any()


def test_the_start_is_a_sparse_crowd() -> None:
    for table in BINS.values():
        bias = torch.tensor(start_bias(table))[None, :, None, None]
        people = expected_count(bias[:, :1], bias[:, 1:], torch.tensor(table.centres))
        assert 0.05 < people.item() < 0.3


def test_half_precision_is_computed_in_float32() -> None:
    occupied, bins, counts = _case(4)
    plain = zero_inflated_loss(occupied.bfloat16().double(), bins.bfloat16().double(), counts, table=BINS[16])
    with torch.autocast("cpu", torch.bfloat16):
        found = zero_inflated_loss(occupied.bfloat16(), bins.bfloat16(), counts.float(), table=BINS[16])
    for name, value in found.items():
        assert value.dtype == torch.float32
        assert math.isclose(value.item(), plain[name].item(), rel_tol=1e-4)


def test_what_does_not_fit_is_named() -> None:
    zeros = torch.zeros(1, 1, 4, 4)
    with pytest.raises(
        InputError, match=r"bins must be of the shape \(1, 14, 4, 4\), but its shape is \(1, 13, 4, 4\)"
    ):
        zero_inflated_loss(zeros, torch.zeros(1, 13, 4, 4), zeros, table=BINS[16])
    with pytest.raises(InputError, match=r"counts must be of the shape of occupied"):
        zero_inflated_loss(zeros, torch.zeros(1, 14, 4, 4), torch.zeros(1, 1, 8, 8), table=BINS[16])
