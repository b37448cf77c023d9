"""Sheets of heat: what is on them, which files they become."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.draw.heat import draw_heat
from headcount.evaluate.plots.heat import Heat, heat_plot_paths, heat_rows, save_heat_plots
from headcount.evaluate.run import ImageResult, WorstImage
from headcount.targets.heatmap import heatmap_target

BOXES = np.array([[4.0, 4, 20, 24], [30, 8, 42, 20]])


def scene(*, boxes: bool = True, name: str = "hall") -> Scene:
    middles = (BOXES[:, :2] + BOXES[:, 2:]) / 2
    return Scene(np.full((40, 60, 3), 90, np.uint8), middles, boxes_xyxy=BOXES if boxes else None, name=name)


def worst(one: Scene) -> WorstImage:
    found = Prediction(1, (60, 40), points_xy=[[12.0, 14.0]], points_kind="heads", boxes_xyxy=BOXES[:1])
    return WorstImage(ImageResult(one.name, 2, 1.0, (60, 40), 5.0), one, found)


def heat_of(_scene: Scene) -> Heat:
    return Heat(heatmap_target(BOXES[:1], (60, 40)).heat, 4)


def test_rows_show_truth_beside_what_is_found() -> None:
    one = worst(scene())
    target = Heat(heatmap_target(BOXES, (60, 40)).heat, 4)
    boxes, heats, peaks = heat_rows(one.scene, target, {"found": (heat_of(one.scene), one.prediction)})
    assert [caption for caption, _ in boxes] == ["2 heads", "found: 1"]
    assert [caption for caption, _ in heats] == ["target", "found: heat"]
    assert [caption for caption, _ in peaks] == ["2 heads", "found: 1 peaks"]
    assert all(picture.shape == (40, 60, 3) for row in (boxes, heats, peaks) for _, picture in row)
    # The second head is hot in the target alone: the middle of its box is brighter there.
    assert heats[0][1][14, 36].sum() > 2 * heats[1][1][14, 36].sum()
    assert heats[0][1][14, 12].tolist() == heats[1][1][14, 12].tolist()


def test_without_boxes_there_is_no_target(tmp_path: Path) -> None:
    written, skipped = save_heat_plots([worst(scene(boxes=False))], heat_of, tmp_path, "hall-val")
    assert [path.name for path in written] == ["heat-hall-val-worst-01.png"]
    assert not skipped


def test_an_image_that_is_gone_is_named_and_the_rest_drawn(tmp_path: Path) -> None:
    gone = Scene(tmp_path / "gone.png", np.ones((1, 2)), name="gone")
    written, skipped = save_heat_plots([worst(gone), worst(scene())], heat_of, tmp_path, "hall-val")
    assert [path.name for path in written] == ["heat-hall-val-worst-02.png"]
    assert [one.name for one in skipped] == ["gone"]


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    save_heat_plots([worst(scene())], heat_of, tmp_path, "hall-val")
    with pytest.raises(InputError, match="exists already"):
        save_heat_plots([worst(scene())], heat_of, tmp_path, "hall-val")
    assert heat_plot_paths(tmp_path, "hall-val")[0].exists()


def test_heat_of_an_enlarged_image_lies_on_the_image_as_it_was() -> None:
    heat = np.zeros((20, 30), np.float32)
    heat[10, 20] = 1
    drawn = draw_heat(heat, 2.0, (60, 40))
    assert drawn.shape == (40, 60, 3)
    assert np.argwhere(drawn.sum(axis=2) > 300).min(axis=0).tolist() == [20, 40]
