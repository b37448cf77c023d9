"""The benchmark of measuring measures what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from headcount.video.measure import Measurer


def test_its_camera_and_its_heads_fit_each_other(benchmark_named: Callable[[str], Any]) -> None:
    measures = benchmark_named("measures")
    ground = Measurer(measures.camera()).ground
    assert ground is not None
    places = np.array([[0.0, 15], [-6, 20], [9, 34]])
    np.testing.assert_allclose(ground.to_metres(measures.seen_at(places), measures.SIZE_WH), places, atol=1e-3)
    zones, lines = Measurer(measures.camera()).shapes(measures.SIZE_WH)
    assert (len(zones), len(lines)) == (5, 2)
    assert [zone.area_m2 for zone in zones] == [pytest.approx(80, rel=0.01)] * 5


def test_a_frame_is_measured_in_some_time(benchmark_named: Callable[[str], Any]) -> None:
    median, seen = benchmark_named("measures").measured_ms(10, frames=2)
    assert median > 0
    assert 1 <= seen <= 10
