"""What the variants of a group find in some images, side by side: heat and peaks, densities, or boxes.

Fig. 8 of "Mask Focal Loss…" (Zhong et al.).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from headcount.core.image import RgbImage
from headcount.core.scene import Scene
from headcount.draw.figure import write_picture
from headcount.draw.heat import draw_heat, draw_peaks, sheet_of
from headcount.draw.prediction import draw_boxes
from headcount.infer.tiling import network_maps
from headcount.train.studies.density_sheets import density_rows
from headcount.train.studies.measure import Trained

_WIDTH_PX, _NARROW_PX = 420, 300
_HEAT, _DENSITY = "heat", "density"
_NO_NAME = re.compile(r"[^\w.-]+")
_Row = list[tuple[str, RgbImage]]


def draw_group(
    group: str, runs: Mapping[str, Path], scenes: Sequence[Scene], folder: Path, *, again: bool = False
) -> list[Path]:
    """Write a sheet for each scene that has none yet, or, ``again``, for all, and return those.

    ``runs`` holds each variant's folder.

    Raises:
        ModelError: a run's checkpoint is gone.
        InputError: a picture cannot be written.
    """
    lead = group.lower().replace(" ", "-")
    sheets = {folder / f"{lead}-{_NO_NAME.sub('-', scene.name)}.png": scene for scene in scenes}
    sheets = {path: scene for path, scene in sheets.items() if again or not path.exists()}
    if not sheets:
        return []
    trained = {variant: Trained(run) for variant, run in runs.items()}
    draw = _with_heat if _all_have(_HEAT, trained) else _with_boxes
    width_px = _WIDTH_PX
    if _any_has(_DENSITY, trained):
        draw, width_px = density_rows, _NARROW_PX
    for path, scene in sheets.items():
        write_picture(sheet_of(draw(scene, trained), width_px), path)
    return list(sheets)


def _all_have(name: str, trained: Mapping[str, Trained]) -> bool:
    return all(any(output.name == name for output in one.card.outputs) for one in trained.values())


def _any_has(name: str, trained: Mapping[str, Trained]) -> bool:
    return any(any(output.name == name for output in one.card.outputs) for one in trained.values())


def _with_heat(scene: Scene, trained: Mapping[str, Trained]) -> list[_Row]:
    """The photograph and its target, the heat of each variant, the peaks of each variant."""
    pixels, size_wh = scene.pixels(), scene.size_wh
    heats: _Row = []
    peaks: _Row = [(f"{scene.count} heads", draw_peaks(scene.points_xy, size_wh))]
    for variant, one in trained.items():
        stride = one.card.stride(_HEAT)
        target = one.method.targets(scene).maps[_HEAT][0]
        if not heats:
            heats = [("target", draw_heat(target, stride, size_wh))]
        heat = network_maps(pixels, one.runtime.run, one.card)[_HEAT][0]
        heats.append((f"{variant}: heat", draw_heat(heat, stride, size_wh)))
        found = one.counter.count(scene)
        peaks.append((f"{variant}: {found.people} peaks", draw_peaks(found.points_xy, size_wh)))
    boxes = _boxes(scene, trained)
    return [boxes, heats, peaks]


def _with_boxes(scene: Scene, trained: Mapping[str, Trained]) -> list[_Row]:
    return [_boxes(scene, trained)]


def _boxes(scene: Scene, trained: Mapping[str, Trained]) -> _Row:
    """The photograph with its true boxes, and with those that each variant finds."""
    pixels = scene.pixels()
    true = pixels if scene.boxes_xyxy is None else draw_boxes(pixels, scene.boxes_xyxy)
    row: _Row = [(f"{scene.count} heads", true)]
    for variant, one in trained.items():
        found = one.counter.count(scene)
        picture = pixels if found.boxes_xyxy is None else draw_boxes(pixels, found.boxes_xyxy)
        row.append((f"{variant}: {found.people}", picture))
    return row
