"""What a network of heat maps sees: the heat of the true boxes, its own heat and its peaks, side by side.

Fig. 8 of "Mask Focal Loss…" (Zhong et al.).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headcount.core.image import RgbImage
from headcount.core.notes import Skipped
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.draw.figure import refuse_pictures, write_picture
from headcount.draw.heat import draw_heat, draw_peaks, sheet_of
from headcount.draw.prediction import draw_boxes
from headcount.evaluate.run import WorstImage
from headcount.targets.heatmap import heatmap_target

HEAT_MAP = "heat"
"""The map of a network that such pictures are made of."""
WORST = 6
"""How many are made, of the images counted worst."""
_WIDTH_PX = 480
_Row = list[tuple[str, RgbImage]]


class Heat(NamedTuple):
    """The heat that a network sees: (h', w') float32 of 0…1, and the side of a cell in pixels."""

    values: NDArray[np.float32]
    stride: float


HeatOf = Callable[[Scene], Heat]
"""The heat that a model sees in a Scene."""


def heat_rows(scene: Scene, target: Heat | None, seen: Mapping[str, tuple[Heat, Prediction]]) -> list[_Row]:
    """Three rows of captioned pictures: true and found boxes; the target and each heat; true heads and peaks found.

    ``seen`` holds by its caption what a model made of the scene. Without a target, or true boxes, those are left out.

    Raises:
        InputError: the image cannot be read.
    """
    pixels, size_wh = scene.pixels(), scene.size_wh
    true = pixels if scene.boxes_xyxy is None else draw_boxes(pixels, scene.boxes_xyxy)
    boxes: _Row = [(f"{scene.count} heads", true)]
    heats: _Row = [] if target is None else [("target", draw_heat(target.values, target.stride, size_wh))]
    peaks: _Row = [(f"{scene.count} heads", draw_peaks(scene.points_xy, size_wh))]
    for caption, (heat, found) in seen.items():
        drawn = pixels if found.boxes_xyxy is None else draw_boxes(pixels, found.boxes_xyxy)
        boxes.append((f"{caption}: {found.people}", drawn))
        heats.append((f"{caption}: heat", draw_heat(heat.values, heat.stride, size_wh)))
        peaks.append((f"{caption}: {found.people} peaks", draw_peaks(found.points_xy, size_wh)))
    return [boxes, heats, peaks]


def save_heat_plots(
    worst: Sequence[WorstImage], heat_of: HeatOf, folder: Path, stem: str, *, overwrite: bool = False
) -> tuple[list[Path], list[Skipped]]:
    """Write ``heat-STEM-worst-01.png``…, one for each of the first ``WORST`` images.

    The target is the heat of the true boxes, cut to them; images without boxes have none.

    Returns the files, and the images that cannot be read or drawn.

    Raises:
        InputError: a file exists and ``overwrite`` is False, or the folder cannot be written to.
    """
    paths = heat_plot_paths(folder, stem)
    refuse_pictures(paths, folder, overwrite=overwrite)
    written, skipped = list[Path](), list[Skipped]()
    for path, one in zip(paths, worst, strict=False):
        try:
            heat = heat_of(one.scene)
            rows = heat_rows(one.scene, _target(one.scene, heat.stride), {"found": (heat, one.prediction)})
        except Exception as error:
            skipped.append(Skipped(one.image.name, error))
            continue
        write_picture(sheet_of(rows, _WIDTH_PX), path)
        written.append(path)
    return written, skipped


def heat_plot_paths(folder: Path, stem: str) -> list[Path]:
    """Where ``save_heat_plots`` writes."""
    return [folder / f"heat-{stem}-worst-{rank:02d}.png" for rank in range(1, WORST + 1)]


def _target(scene: Scene, stride: float) -> Heat | None:
    if scene.boxes_xyxy is None or stride != int(stride):
        return None
    target = heatmap_target(scene.boxes_xyxy, scene.size_wh, stride=int(stride), region=scene.region)
    return Heat(target.heat, stride)
