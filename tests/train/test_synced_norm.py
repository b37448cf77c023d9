"""Batch norms over several processes are torch's batch norm over all rows."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread

import pytest
import torch
from torch import Tensor, nn

from headcount.models.parts.pyramid import LevelNorm
from headcount.train.synced_norm import SyncedNorms

pytestmark = pytest.mark.slow


class _Together:
    """Adds up what two threads give: a process group in one process."""

    def __init__(self) -> None:
        self.given: list[Tensor | None] = [None, None]
        self.barrier = Barrier(2, timeout=60)

    def sum_of(self, place: int) -> Callable[[Tensor], Tensor]:
        def summed(values: Tensor) -> Tensor:
            self.given[place] = values
            self.barrier.wait()
            first, second = self.given
            assert first is not None
            assert second is not None
            total = first + second
            self.barrier.wait()
            return total

        return summed


class _Levels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = LevelNorm(4, 2)

    def forward(self, feature: Tensor) -> Tensor:
        levels: Tensor = self.norm(feature, 1)
        return levels


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    "build", [lambda: nn.BatchNorm2d(4), lambda: nn.BatchNorm2d(4, affine=False, momentum=None), _Levels]
)
def test_values_gradients_and_statistics_are_those_of_all_rows(
    build: Callable[[], nn.Module], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    norms = [build().to(dtype) for _ in range(3)]
    for norm in norms:
        for index, value in enumerate(norm.parameters()):
            value.data.uniform_(0.5, 2, generator=torch.Generator().manual_seed(index))
    images = torch.randn(4, 4, 3, 5, dtype=dtype) * 3 + 50  # a mean far from 0
    slopes = torch.randn_like(images)
    whole = images.clone().requires_grad_()
    expected = norms[0](whole)
    expected.backward(slopes)
    together, parts = _Together(), [images[:1].clone().requires_grad_(), images[1:].clone().requires_grad_()]
    found: list[Tensor | None] = [None, None]

    def learn(place: int, rows: slice) -> None:
        with SyncedNorms(together.sum_of(place)):
            normed = norms[1 + place](parts[place])
        normed.backward(slopes[rows])
        found[place] = normed.detach()

    threads = [Thread(target=learn, args=(0, slice(0, 1))), Thread(target=learn, args=(1, slice(1, 4)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    near = {"rtol": 1e-9, "atol": 1e-11} if dtype == torch.float64 else {"rtol": 2e-5, "atol": 2e-5}
    assert whole.grad is not None
    torch.testing.assert_close(torch.cat([one for one in found if one is not None]), expected.detach(), **near)
    torch.testing.assert_close(torch.cat([one.grad for one in parts if one.grad is not None]), whole.grad, **near)
    for name, value in norms[0].named_parameters():
        sums = [norm.get_parameter(name).grad for norm in norms[1:]]
        assert value.grad is not None
        torch.testing.assert_close(sum(one for one in sums if one is not None), value.grad, **near)
    for name, buffer in norms[0].named_buffers():
        for norm in norms[1:]:
            torch.testing.assert_close(norm.get_buffer(name), buffer, **near)


def test_norms_that_learn_no_statistics_are_as_they_are() -> None:
    norm = nn.BatchNorm2d(3).eval()
    images = torch.randn(2, 3, 4, 4)
    asked: list[Tensor] = []
    with SyncedNorms(lambda values: asked.append(values) or values):
        assert torch.equal(norm(images), norm(images))
    assert asked == []


def test_one_value_in_all_is_refused_as_torch_does() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"), SyncedNorms(lambda values: values):
        nn.BatchNorm2d(3)(torch.zeros(1, 3, 1, 1))
