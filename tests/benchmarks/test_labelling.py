"""The study of the labelling page's help: what is counted as an action, and what the boxes are compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from headcount.core.scene import Scene
from headcount.synth import paint_scene


@pytest.fixture
def study(benchmark_named: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_named("labelling")


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    made = []
    for seed, count in ((3, 12), (4, 30)):
        scene = paint_scene(seed, size_wh=(640, 480), count=count)
        path = tmp_path / f"{seed}.png"
        Image.fromarray(scene.pixels()).save(path)
        made.append(Scene(path, scene.points_xy, scene.boxes_xyxy, name=str(seed)))
    return made


@pytest.mark.slow
def test_actions_and_errors(study: ModuleType, scenes: list[Scene], tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    results = study.study(scenes, tmp_path / "work", k=3, model=None)
    drawn, points, assisted = (results[way, "linear"] for way in ("drawn", "points", "assisted"))
    assert (drawn.heads, drawn.drags, drawn.clicks, drawn.keys) == (42, 42, 0, 2)
    assert drawn.errors == {"interpolated": [], "pseudo": []}
    assert (points.drags, points.clicks, points.keys) == (6, 36, 2)
    assert len(points.errors["interpolated"]) == 36
    assert assisted.actions < drawn.actions
    named = len(assisted.errors["interpolated"]) + len(assisted.errors["pseudo"]) + assisted.drags
    assert named == 42  # every head has one box
    lines = study.table(results)
    assert max(map(len, lines)) <= 80


def test_images_are_taken_evenly(study: ModuleType) -> None:
    one = np.array([[0.0, 0.0, 4.0, 4.0]])
    scenes = [Scene(np.zeros((9, 9, 3), np.uint8), [[2, 2]], one, name=str(n)) for n in range(100)]
    empty = Scene(np.zeros((9, 9, 3), np.uint8), name="empty")
    assert [scene.name for scene in study.evenly([empty, *scenes], 4)] == ["12", "37", "62", "87"]
    assert len(study.evenly(scenes[:2], 4)) == 2


def test_what_cannot_be_read_is_said(study: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no data set"):
        study.main(["--data", f"scut={tmp_path}"])
