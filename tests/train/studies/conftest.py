"""What studies learn from in their tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_boxes
from headcount.synth import paint_scene


@pytest.fixture(scope="session")
def painted_boxes() -> Callable[[Path, tuple[int, int]], Path]:
    """Writes ten painted crowds of a size (w, h) into a folder, and a boxes file of their heads, which it returns."""

    def write(folder: Path, size_wh: tuple[int, int]) -> Path:
        scenes = []
        for seed in range(10):
            painted = paint_scene(seed, size_wh=size_wh, count=4 + seed)
            Image.fromarray(painted.pixels()).save(folder / f"{seed}.png")
            scenes.append(Scene(folder / f"{seed}.png", painted.points_xy, painted.boxes_xyxy))
        return write_boxes(scenes, folder / "boxes.csv")

    return write
