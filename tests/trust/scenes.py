"""Pictures for the experiments to count: painted crowds, small and the same every time."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from headcount.synth import paint_scene


def write_pictures(folder: Path, number: int, *, size_wh: tuple[int, int] = (96, 64)) -> Path:
    """So many pictures, ``0000.png`` and on; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        path = folder / f"{index:04d}.png"
        Image.fromarray(paint_scene(index, size_wh=size_wh, count=index % 7).pixels()).save(path)
    return folder
