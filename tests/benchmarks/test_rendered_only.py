"""The figures of a detector on photographs, and of saying the mean always."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from headcount.core.scene import Scene

BenchmarkNamed = Callable[[str], ModuleType]


@pytest.fixture
def rendered_only(benchmark_named: BenchmarkNamed) -> ModuleType:
    return benchmark_named("rendered_only")


def _scene(heads: int) -> Scene:
    return Scene(np.zeros((8, 8, 3), np.uint8), np.full((heads, 2), 4.0))


class _Counter:
    """Finds every head with a score of 0.7, and three things more with 0.5."""

    def count(self, scene: Scene) -> SimpleNamespace:
        return SimpleNamespace(scores=np.array([0.7] * scene.count + [0.5] * 3))


def test_the_threshold_is_chosen_on_training_images(rendered_only: ModuleType) -> None:
    training, validation = [_scene(heads) for heads in (2, 4, 6)], [_scene(heads) for heads in (1, 9)]
    line = rendered_only.measure(_Counter(), training, validation, np.random.default_rng(0))
    assert line == ("threshold 0.500: MAE 0.00 (0.00 to 0.00), bias +0.00; always the mean 4.0: MAE 4.00")


def test_errors_are_by_scene_and_threshold(rendered_only: ModuleType) -> None:
    found = rendered_only.errors(_Counter(), [_scene(5)])
    assert found.shape == (1, len(rendered_only.THRESHOLDS))
    assert (found[0, 0], found[0, -1]) == (3.0, -5.0)
