"""The binarization layer: its gradients are stated, not derived, so they are pinned here."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from headcount.losses.binarization import binarize, compressed_sigmoid, instance_loss


def _maps(*, broadcast: tuple[int, ...] | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    confidence = torch.rand(2, 1, 6, 8, generator=draw, dtype=torch.float64).requires_grad_()
    threshold = torch.rand(*(broadcast or (2, 1, 6, 8)), generator=draw, dtype=torch.float64).requires_grad_()
    return confidence, threshold


def test_one_where_the_confidence_reaches_the_threshold() -> None:
    confidence = torch.tensor([[[[0.2, 0.5, 0.7]]]])
    assert binarize(confidence, torch.tensor(0.5)).tolist() == [[[[0.0, 1.0, 1.0]]]]


@pytest.mark.parametrize("factor", [0.0, 0.2, 1.0])
def test_the_gradients_are_the_stated_ones(factor: float) -> None:
    confidence, threshold = _maps()
    gradient = torch.randn(confidence.shape, dtype=torch.float64)
    binarize(confidence, threshold, factor).backward(gradient)
    assert confidence.grad is not None
    assert threshold.grad is not None
    assert torch.equal(confidence.grad, factor * gradient)
    assert torch.equal(threshold.grad, -gradient)


@pytest.mark.parametrize("shape", [(2, 1, 1, 1), (1,), (1, 1, 6, 8)])
def test_a_broadcast_threshold_gets_the_sum(shape: tuple[int, ...]) -> None:
    """IBM: one threshold an image gets the sum over its pixels (Eq. 5)."""
    confidence, threshold = _maps(broadcast=shape)
    gradient = torch.randn(confidence.shape, dtype=torch.float64)
    binarize(confidence, threshold).backward(gradient)
    assert threshold.grad is not None
    torch.testing.assert_close(threshold.grad, -gradient.sum_to_size(shape))


@pytest.mark.parametrize(("truth", "confidence", "rises"), [(0.0, 0.6, True), (1.0, 0.4, False)])
def test_a_false_positive_raises_the_threshold_and_a_miss_lowers_it(
    truth: float, confidence: float, rises: bool
) -> None:
    logit = torch.zeros(1, 1, 4, 4, requires_grad=True)
    optimiser = torch.optim.SGD([logit], lr=0.1)
    scores, mask = torch.full((1, 1, 4, 4), confidence), torch.full((1, 1, 4, 4), truth)
    before = compressed_sigmoid(logit).detach()
    F.l1_loss(binarize(scores, torch.full_like(logit, 0.5) + (compressed_sigmoid(logit) - before)), mask).backward()
    optimiser.step()
    after = compressed_sigmoid(logit).detach()
    assert bool((after > before).all()) is rises
    assert bool((after < before).all()) is not rises


def test_the_confidence_learns_from_the_binary_map_too() -> None:
    confidence, threshold = _maps()
    mask = torch.ones_like(confidence)
    F.l1_loss(binarize(confidence, threshold), mask).backward()
    assert confidence.grad is not None
    missed = confidence < threshold
    assert (confidence.grad[missed] < 0).all()  # a miss: descending raises the confidence
    assert (confidence.grad[~missed] == 0).all()


def test_thresholds_lie_between_a_fifth_and_seven_tenths() -> None:
    values = compressed_sigmoid(torch.tensor([-1e4, 0.0, 1e4], dtype=torch.float64))
    torch.testing.assert_close(values, torch.tensor([0.2, 1 / 3 + 0.2, 0.7], dtype=torch.float64))
    logits = torch.linspace(-2, 2, 81, dtype=torch.float64)
    torch.testing.assert_close(compressed_sigmoid(logits), 1 / (2 + torch.exp(-10 * logits)) + 0.2)


def test_the_loss_is_mean_square_and_mean_absolute_one_to_one() -> None:
    logits = torch.tensor([[[[0.0, 100.0]]]])
    mask = torch.tensor([[[[1.0, 1.0]]]])
    losses = instance_loss(logits, torch.tensor([[[[0.0, 1.0]]]]), mask)
    assert float(losses["confidence"]) == pytest.approx(0.125)
    assert float(losses["binary"]) == pytest.approx(0.5)
    assert float(losses["total"]) == pytest.approx(0.625)
    alone = instance_loss(logits, None, mask)
    assert set(alone) == {"total", "confidence"}
    assert float(alone["total"]) == pytest.approx(0.125)


def test_the_gradient_of_the_binarizer_agrees_in_autocast() -> None:
    confidence, threshold = torch.rand(1, 1, 4, 4).requires_grad_(), torch.rand(1, 1, 1, 1).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        binarize(confidence.float(), threshold.float()).sum().backward()
    assert threshold.grad is not None
    assert float(threshold.grad) == -16.0
