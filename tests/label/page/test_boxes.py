"""Boxes of heads: their own, those that follow, and none where nothing is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from headcount.label.interpolate import interpolate_sizes
from headcount.label.page.boxes import boxed, region_of


def head(x: float, y: float, box: list[float] | None = None, made: str = "annotated") -> dict[str, Any]:
    return {"t": "head", "x": x, "y": y} | ({} if box is None else {"box": box, "made": made})


def test_no_heads_have_no_boxes() -> None:
    found = boxed({}, (100, 100))
    assert (found.ids, found.boxes_xyxy.shape) == ([], (0, 4))


def test_sizes_are_those_of_the_one_interpolation() -> None:
    presets = np.array([[10.0, 10, 20, 22], [60, 60, 90, 95]])
    things = {f"p{n}": head(*((box[:2] + box[2:]) / 2), box.tolist()) for n, box in enumerate(presets)}
    places = np.random.default_rng(2).uniform(20, 80, (9, 2))
    things |= {f"h{n}": head(x, y) for n, (x, y) in enumerate(places.tolist())}
    for method in ("nearest", "y-axis", "linear"):
        found = boxed({**things, "sizes": {"t": "sizes", "method": method, "k": 2}}, (100, 100))
        assert found.ids == list(things)
        assert found.provenance == ["annotated"] * 2 + ["interpolated"] * 9
        sizes = interpolate_sizes(places, presets, method=method, k=2)  # type: ignore[arg-type]
        inner = np.clip(np.concatenate([places - sizes / 2, places + sizes / 2], axis=1), 0, 100)
        assert np.allclose(found.boxes_xyxy[2:], inner)


def test_what_a_model_boxed_is_no_preset() -> None:
    things = {"m": head(50, 50, [40.0, 40, 60, 60], "pseudo"), "h": head(20, 20)}
    found = boxed(things, (100, 100))
    assert found.provenance == ["pseudo", None]
    assert np.isnan(found.boxes_xyxy[1]).all()
    shared = boxed(things, (100, 100), [[0.0, 0.0, 8.0, 8.0]])
    assert shared.provenance == ["pseudo", "interpolated"]
    assert shared.boxes_xyxy[1].tolist() == [16, 16, 24, 24]


def test_regions_join_and_have_holes() -> None:
    square = [[0.0, 0.0], [6.0, 0.0], [6.0, 6.0], [0.0, 6.0]]
    hole = [[2.0, 2.0], [4.0, 2.0], [4.0, 4.0], [2.0, 4.0]]
    far = [[8.0, 8.0], [10.0, 8.0], [10.0, 10.0], [8.0, 10.0]]
    things = {"a": {"t": "area", "rings": [square, hole]}, "b": {"t": "area", "rings": [far]}}
    region = region_of(things, (10, 10))
    assert region is not None
    assert region.sum() == 36 - 4 + 4
    assert region_of({}, (10, 10)) is None
