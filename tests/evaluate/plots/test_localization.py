"""Pictures of located heads: colours where they belong, files written whole, nothing overwritten unasked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.evaluate.metrics.localization import ImagePoints, evaluate_localization
from headcount.evaluate.plots.localization import (
    FOUND,
    MADE_UP,
    MISSED,
    chosen_images,
    draw_matches,
    localization_plot_paths,
    refuse_pictures,
    save_localization_plots,
)


def test_found_missed_and_made_up_have_their_colours() -> None:
    blank = np.zeros((60, 90, 3), np.uint8)
    predicted, true = np.array([[15.5, 30.5], [75.5, 30.5]]), np.array([[15.5, 30.5], [45.5, 30.5]])
    picture = draw_matches(blank, predicted, true, np.array([10.0, 10.0]), np.array([[0, 0]]))
    assert picture.shape == blank.shape
    assert not blank.any()
    # The circle's right side, 10 pixels from the head's pixel; then each dot.
    for (x, y), colour in (((25, 30), FOUND), ((55, 30), MISSED), ((15, 30), FOUND), ((45, 30), MISSED)):
        assert picture[y, x].tolist() == pytest.approx(colour, abs=60)  # anti-aliased
    assert picture[30, 75].tolist() == pytest.approx(MADE_UP, abs=60)
    # Centred: what is drawn of a head balances on its pixel.
    one = draw_matches(
        np.zeros((61, 61, 3), np.uint8), true[:0], np.array([[30.5, 30.5]]), np.array([20.0]), np.zeros((0, 2), int)
    )
    ink = one.sum(axis=2, dtype=np.float64)
    middle = [float((ink.sum(axis=axis) * np.arange(61)).sum() / ink.sum()) for axis in (0, 1)]
    assert middle == pytest.approx([30, 30], abs=0.1)
    assert draw_matches(blank, predicted[:0], true[:0], np.zeros(0), np.zeros((0, 2), int), scale=2).shape == (
        120,
        180,
        3,
    )


@pytest.mark.parametrize("scored", [False, True])
def test_files(tmp_path: Path, scored: bool) -> None:
    scenes = [Scene(np.zeros((40, 60, 3), np.uint8), np.full((n, 2), 20.0), name=str(n)) for n in range(5)]
    scores = np.array([0.7]) if scored else None
    images = [ImagePoints.of_scene(scene, [[20.0, 21.0]], scores=scores) for scene in scenes]
    result = evaluate_localization(images)
    assert chosen_images(result, 2, 2) == chosen_images(result, 2, 2)
    assert chosen_images(result, 2, 9) == ([4, 3], [0, 1, 2])
    assert chosen_images(result, 1, 9, among=[0, 2]) == ([0], [2])  # equally bad: the first
    assert chosen_images(result, 1, 9, among=[]) == ([], [])
    paths = save_localization_plots(result, scenes, tmp_path / "new", "set", worst=2, random=1)
    names = ["heads-set-worst-01.png", "heads-set-worst-02.png", "heads-set-random-01.png"]
    assert [path.name for path in paths] == names + (["threshold-set.png"] if scored else [])
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in paths)
    with pytest.raises(InputError, match="exists already"):
        save_localization_plots(result, scenes, tmp_path / "new", "set")
    planned = localization_plot_paths(tmp_path / "new", "set", worst=2, random=1)
    assert [path.name for path in planned] == [*names, "threshold-set.png"]
    with pytest.raises(InputError, match="exists already"):
        refuse_pictures(planned, tmp_path / "new", overwrite=False)
    refuse_pictures(planned, tmp_path / "new", overwrite=True)
    refuse_pictures(planned, tmp_path / "a" / "b", overwrite=True)
    with pytest.raises(InputError, match="closed to writing"):
        refuse_pictures([], tmp_path / "new" / names[0] / "inside", overwrite=False)
    some = [None, scenes[1], None, None, None]
    assert len(save_localization_plots(result, some, tmp_path / "one", "set")) == 1 + scored
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        save_localization_plots(result, scenes, tmp_path / "file", "set")
