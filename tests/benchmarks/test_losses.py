"""The benchmark of losses: it compares the same tensors, and prints lines that fit."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture
def study(benchmark_named: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_named("losses")


def test_every_loss_is_timed_forward_and_backward(study: ModuleType) -> None:
    tensors = study.case((64, 48), 2, heads=5)
    assert [tuple(each.shape) for each in tensors] == [(2, 1, 12, 16)] * 4
    assert 0 < tensors[3].sum() < tensors[3].numel()
    for loss in study.LOSSES.values():
        study.step(loss, tensors)()
        assert tensors[0].grad is not None
        assert tensors[0].grad.abs().sum() > 0
    took = study.compared((64, 48), 1, rounds=1, compiled=False)
    assert next(iter(took)) == study.THEIRS
    assert all(value > 0 for value in took.values())


def test_heat_is_timed_in_a_table_that_fits(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(study, "HEADS", 20)
    study.heat(rounds=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 6
    assert max(map(len, lines)) <= 80
