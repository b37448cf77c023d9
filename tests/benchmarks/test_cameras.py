"""How many cameras are kept up with: the search, and a short try with a real film."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def study(benchmark_named: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_named("cameras")


def trial(study: ModuleType, cameras: int, share: float) -> Any:
    return study.Trial(cameras, share, 20.0, 40.0, 0.96, 0.5)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 8, 32, 33])
def test_the_search_finds_the_most_that_are_kept_up_with(study: ModuleType, most: int) -> None:
    for kept_up in range(40):
        tried: list[int] = []

        def try_one(cameras: int, kept_up: int = kept_up, tried: list[int] = tried) -> Any:
            tried.append(cameras)
            return trial(study, cameras, 1.0 if cameras <= kept_up else study.ENOUGH - 0.01)

        best, next_one = study.most_kept_up(try_one, most)
        assert (best.cameras if best else 0) == min(kept_up, most)
        assert (next_one.cameras if next_one else None) == (kept_up + 1 if kept_up < most else None)
        assert max(tried) <= most
        assert len(set(tried)) == len(tried) <= 13


def test_a_row_says_where_it_is_too_many(study: ModuleType) -> None:
    assert study.row("headcount-n", "film", 5, trial(study, 3, 0.99)).split() == [
        "headcount-n", "film", "5", "3", "99.0", "%", "20", "40", "96.0", "%", "0.50",
    ]  # fmt: skip
    assert study.row("headcount-n", "film", 5, trial(study, 4, 0.5)).endswith("too many")


def test_cameras_are_watched_and_measured(
    study: ModuleType, tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    av = pytest.importorskip("av", reason="films are written with PyAV (video extra)")
    monkeypatch.setattr(study, "WARM_UP_S", 0.5)
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for _ in range(50):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((720, 1280, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode())
    found = study.watch(str(tmp_path / "a.mp4"), tiny_model, 2, 1, 2)
    assert found.cameras == 1
    assert 0 < found.share <= 1
    assert 0 < found.p50_ms <= found.p99_ms < 60_000
    assert 0.5 < found.passed < 1
