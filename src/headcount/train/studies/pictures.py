"""What the variants of a group find in some images, side by side: heat and peaks, densities, or boxes.

Fig. 8 of "Mask Focal Loss…" (Zhong et al.).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from headcount.core.image import RgbImage
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.draw.figure import write_picture
from headcount.draw.heat import sheet_of
from headcount.draw.prediction import draw_boxes
from headcount.evaluate.plots.heat import HEAT_MAP, Heat, heat_rows
from headcount.infer.tiling import network_maps
from headcount.train.studies.density_sheets import density_rows
from headcount.train.studies.measure import Trained

_WIDTH_PX, _NARROW_PX = 420, 300
_DENSITY = "density"
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
    draw = _with_heat if _all_have(HEAT_MAP, trained) else _with_boxes
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
    seen: dict[str, tuple[Heat, Prediction]] = {}
    target: Heat | None = None
    for variant, one in trained.items():
        stride = one.card.stride(HEAT_MAP)
        if target is None:
            target = Heat(one.method.targets(scene).maps[HEAT_MAP][0], stride)
        heat = Heat(network_maps(scene.pixels(), one.runtime.run, one.card)[HEAT_MAP][0], stride)
        seen[variant] = heat, one.counter.count(scene)
    return heat_rows(scene, target, seen)


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
