"""The loss of log areas."""

from __future__ import annotations

import pytest
import torch

from headcount.losses.scale import log_area_loss


def _map(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(1, 1, 1, -1)


def test_without_heads_it_is_zero_and_has_a_gradient() -> None:
    predicted = torch.randn(2, 1, 3, 4, requires_grad=True)
    loss = log_area_loss(predicted, torch.zeros(2, 1, 3, 4), torch.zeros(2, 1, 3, 4))
    loss.backward()
    assert loss.item() == 0
    assert predicted.grad is not None
    assert predicted.grad.abs().max() == 0


@pytest.mark.parametrize(("deviation", "expected"), [("mse", (4 + 2.5) / 2), ("l1", (2 + 1.5) / 2)])
def test_each_head_weighs_alike(deviation: str, expected: float) -> None:
    # The first head has one cell, 2 off; the second has two, 1 and 2 off; the last cell is nobody's.
    predicted, target = _map(7, 4, 8, 99), _map(5, 5, 6, 0)
    loss = log_area_loss(predicted, target, _map(1, 0.5, 0.5, 0), deviation=deviation)  # type: ignore[arg-type]
    assert loss.item() == pytest.approx(expected)


def test_half_of_the_absolute_error_is_about_the_sides() -> None:
    side, wrong = 20.0, 21.0
    loss = log_area_loss(2 * torch.log(_map(wrong)), 2 * torch.log(_map(side)), _map(1), deviation="l1")
    assert loss.item() / 2 == pytest.approx(wrong / side - 1, abs=2e-3)
