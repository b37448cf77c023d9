"""The mask's focal loss: plain cross-entropy at γ = 0, useful however wrong the prediction."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from headcount.core.errors import InputError
from headcount.losses.mask import mask_focal_bce


def _case(seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 1, 6, 7, generator=draw, dtype=torch.float64) * 4
    return logits, (torch.rand(2, 1, 6, 7, generator=draw) > 0.6).double()


def test_gamma_zero_is_cross_entropy_to_the_last_bit() -> None:
    logits, mask = _case()
    mine, plain = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    one, two = mask_focal_bce(mine, mask, gamma=0.0), F.binary_cross_entropy_with_logits(plain, mask)
    one.backward()
    two.backward()
    assert one.item() == two.item()
    assert torch.equal(mine.grad, plain.grad)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_equals_the_formula(gamma: float) -> None:
    logits, mask = _case(1)
    p = torch.sigmoid(logits)
    p_t = torch.where(mask > 0, p, 1 - p)
    expected = (-((1 - p_t) ** gamma) * p_t.log()).mean()
    torch.testing.assert_close(mask_focal_bce(logits, mask, gamma=gamma), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("logit", "label"), [(80.0, 0.0), (-80.0, 1.0), (500.0, 0.0), (-500.0, 1.0)])
def test_a_hopeless_prediction_is_still_pulled_back(
    gamma: float, dtype: torch.dtype, logit: float, label: float
) -> None:
    logits = torch.full((1, 1, 1, 1), logit, dtype=dtype, requires_grad=True)
    loss = mask_focal_bce(logits, torch.full_like(logits, label), gamma=gamma)
    loss.backward()
    assert loss.item() == pytest.approx(abs(logit), rel=1e-5)
    assert logits.grad.item() == pytest.approx(math.copysign(1, logit), rel=1e-3)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize(("logit", "label"), [(80.0, 1.0), (-80.0, 0.0)])
def test_a_sure_and_right_prediction_costs_nothing(gamma: float, logit: float, label: float) -> None:
    logits = torch.full((1, 1, 1, 1), logit, requires_grad=True)
    loss = mask_focal_bce(logits, torch.full_like(logits, label), gamma=gamma)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert logits.grad.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients_are_those_of_the_value(gamma: float) -> None:
    logits, mask = _case(2)
    assert gradcheck(lambda x: mask_focal_bce(x, mask, gamma=gamma), (logits.requires_grad_(),))


def test_easy_cells_weigh_less_as_gamma_grows() -> None:
    logits, mask = torch.tensor([[3.0]]), torch.tensor([[1.0]])
    losses = [mask_focal_bce(logits, mask, gamma=gamma).item() for gamma in (0.0, 1.0, 2.0, 4.0)]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_a_weight_says_what_a_cell_counts_in_the_mean(gamma: float) -> None:
    logits, mask = _case(3)
    whole = mask_focal_bce(logits, mask, gamma=gamma)
    torch.testing.assert_close(mask_focal_bce(logits, mask, gamma=gamma, weight=torch.ones_like(mask)), whole)
    inside = torch.zeros_like(mask)
    inside[..., :3] = 1
    left = mask_focal_bce(logits[..., :3], mask[..., :3], gamma=gamma)
    torch.testing.assert_close(mask_focal_bce(logits, mask, gamma=gamma, weight=inside), left)
    assert mask_focal_bce(logits, mask, gamma=gamma, weight=torch.zeros_like(mask)).item() == 0


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(InputError, match="gamma must be at least 0, but it is -1"):
        mask_focal_bce(torch.zeros(1), torch.zeros(1), gamma=-1)
    with pytest.raises(InputError, match=r"mask must be of the shape of logits, \(1, 1, 2, 2\), but its shape is"):
        mask_focal_bce(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 4, 4))
