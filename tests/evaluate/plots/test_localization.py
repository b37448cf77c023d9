"""Pictures of located heads: the pairs of the table, files written whole, nothing overwritten unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.kinds import MATCHERS, Matcher
from headcount.core.scene import Scene
from headcount.draw.figure import refuse_pictures
from headcount.draw.matches import draw_matches
from headcount.evaluate.metrics.localization import evaluate_localization, matched_pairs
from headcount.evaluate.metrics.located import FIXED_8, ImagePoints
from headcount.evaluate.plots import localization
from headcount.evaluate.plots.localization import (
    chosen_images,
    draw_thresholds,
    localization_plot_paths,
    save_localization_plots,
)


@pytest.mark.parametrize("matcher", MATCHERS)
def test_the_picture_shows_the_pairs_that_the_table_counts(matcher: Matcher, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.Generator(np.random.Philox(5))
    scenes = [Scene(np.zeros((40, 60, 3), np.uint8), draw.random((n, 2)) * (60, 40), name=str(n)) for n in (9, 0, 30)]
    images = [ImagePoints.of_scene(scene, draw.random((20, 2)) * (60, 40)) for scene in scenes]
    result = evaluate_localization(images, matcher=matcher)
    shown: list[Any] = []

    def see(image: Any, predicted: Any, true: Any, radius: Any, pairs: Any, **options: Any) -> Any:
        shown.append((len(predicted), len(true), radius, pairs))
        return draw_matches(image, predicted, true, radius, pairs, **options)

    monkeypatch.setattr(localization, "draw_matches", see)
    expected = matched_pairs(images, FIXED_8, matcher=matcher)
    for index, scene in enumerate(scenes):
        localization.draw_image(scene, result, index)
        predicted, heads, radius, pairs = shown[-1]
        tally = result.main.per_image[index]
        assert pairs.tolist() == expected[index].tolist()
        assert (len(pairs), predicted - len(pairs), heads - len(pairs)) == (
            tally.true_positives, tally.false_positives, tally.false_negatives,
        )  # fmt: skip
        assert radius.tolist() == [8.0] * heads
    # Here the two matchers do choose different pairs.
    other = matched_pairs(images, FIXED_8, matcher="fast" if matcher == "reference" else "reference")
    assert [pairs.tolist() for pairs in expected] != [pairs.tolist() for pairs in other]


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
    paths, skipped = save_localization_plots(result, scenes, tmp_path / "new", "set", worst=2, random=1)
    assert not skipped
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
    assert len(save_localization_plots(result, some, tmp_path / "one", "set")[0]) == 1 + scored
    (tmp_path / "cut.png").write_bytes(b"no image")
    cut = [*scenes[:4], Scene(tmp_path / "cut.png", name="4")]
    paths, skipped = save_localization_plots(result, cut, tmp_path / "cut", "set", worst=2, random=1)
    assert [path.name for path in paths][:2] == ["heads-set-worst-02.png", "heads-set-random-01.png"]
    assert [(one.name, "cut.png" in one.text) for one in skipped] == [("4", True)]
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        save_localization_plots(result, scenes, tmp_path / "file", "set")


def test_the_curve_goes_on_below_the_models_own_threshold() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is in the plots extra")
    heads, scores = np.array([[9.0, 9], [30, 9]]), np.array([0.9, 0.6, 0.2])
    every = np.array([[9.0, 9], [50, 50], [30, 9]])
    weaker = ImagePoints("a", every, heads, scores=scores)
    own = ImagePoints("a", every[:2], heads, scores=scores[:2])
    (axes,) = draw_thresholds([own], FIXED_8, weaker=[weaker]).axes
    recall, line = axes.lines[1], next(line for line in axes.lines if "own threshold" in str(line.get_label()))
    assert (recall.get_xdata()[0], recall.get_ydata()[0], recall.get_ydata()[-1]) == (0.2, 1.0, 0.0)
    assert list(line.get_xdata()) == [0.6, 0.6]
    (alone,) = draw_thresholds([own], FIXED_8).axes
    assert alone.lines[1].get_xdata()[0] == 0.6
