"""Training reads train, validation val; nobody reads test."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.core.scene import Scene
from headcount.data.sets.registry import Reading
from headcount.train import pools
from headcount.train.recipe import DataSettings


def test_pools_are_of_the_training_split_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def read(spec: str, split: str) -> Reading:
        asked.append((spec, split))
        return Reading((Scene(np.zeros((8, 8, 3), np.uint8)),))

    monkeypatch.setattr(pools, "read_set", read)
    pools.read_pools(DataSettings(sources={"points": "a.csv", "shanghaitech-b": "b"}, painted_scenes=0))
    assert asked == [("points=a.csv", "train"), ("shanghaitech-b=b", "train")]
