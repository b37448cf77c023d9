"""Localization figures: the golden numbers to the digit, and what must hold of any figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.nwpu import read_nwpu_predictions, read_nwpu_truth
from headcount.evaluate.metrics.localization import (
    available_radii,
    by_score_threshold,
    evaluate_localization,
    images_of_files,
    matched_pairs,
    mean_over_thresholds,
)
from headcount.evaluate.metrics.located import FIXED_8, SIGMA_L, SIGMA_S, ImagePoints, Tally

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "nwpu_val"
golden = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the official NWPU validation files are not here")


def files(name: str) -> list[ImagePoints]:
    truth = read_nwpu_truth(REFERENCE / "val_gt_loc.txt")
    return images_of_files(read_nwpu_predictions(REFERENCE / f"{name}.txt", truth), truth)


@golden
@pytest.mark.parametrize(
    ("name", "counting", "large", "large_rates", "small_tp", "small_rates"),
    [
        (
            "VGG+GPR_val_k15", (105.800, 504.443, 0.9314), Tally(102505, 65467, 93733), (0.6103, 0.5224, 0.5629),
            83737, (0.4985, 0.4267, 0.4598),
        ),
        (
            "Raz_loc_val_0.5", (128.710, 665.388, 0.5082), Tally(111668, 49491, 84570), (0.6929, 0.5690, 0.6249),
            97432, (0.6046, 0.4965, 0.5452),
        ),
    ],
)  # fmt: skip
def test_the_golden_numbers(
    name: str,
    counting: tuple[float, ...],
    large: Tally,
    large_rates: tuple[float, ...],
    small_tp: int,
    small_rates: tuple[float, ...],
) -> None:
    result = evaluate_localization(files(name), radii=[SIGMA_L, SIGMA_S])
    assert (len(result.images), result.negatives, result.heads) == (500, 35, 196_238)
    at, small = result.at("sigma_l").total, result.at("sigma_s").total
    assert at == large
    assert (round(at.precision, 4), round(at.recall, 4), round(at.f1, 4)) == large_rates
    assert small.true_positives == small_tp
    assert (round(small.precision, 4), round(small.recall, 4), round(small.f1, 4)) == small_rates
    found = result.counting
    assert found.nae is not None
    assert (round(found.mae, 3), round(found.rmse, 3), round(found.nae, 4)) == counting
    assert found.nae_left_out == 35


@golden
def test_the_golden_recall_by_level_of_the_reference_matcher() -> None:
    result = evaluate_localization(files("Raz_loc_val_0.5"), radii=[SIGMA_L], matcher="reference").at("sigma_l")
    assert result.total == Tally(111668, 49491, 84570)
    assert [round(level.recall, 4) for level in result.levels] == [0.0352, 0.2635, 0.5446, 0.8166, 0.6067, 0.2257]
    assert result.mean_level_recall == pytest.approx(0.4154, abs=5e-5)


def image(predicted: object, true: object, **more: object) -> ImagePoints:
    return ImagePoints(
        "x", np.asarray(predicted, np.float64).reshape(-1, 2), np.asarray(true, np.float64).reshape(-1, 2), **more,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        ([], [], Tally(0, 0, 0)),
        ([[1, 1]], [], Tally(0, 1, 0)),
        ([], [[1, 1]], Tally(0, 0, 1)),
        ([[1, 1]], [[1, 9]], Tally(1, 0, 0)),
        ([[1, 1]], [[1, 9.001]], Tally(0, 1, 1)),
        ([[1, 1], [1, 1]], [[1, 1]], Tally(1, 1, 0)),
    ],
)
def test_small_cases(predicted: object, true: object, expected: Tally) -> None:
    result = evaluate_localization([image(predicted, true)], mean=True)
    at = result.at("8px")
    assert at.total == expected
    assert at.negative_false_positives == (expected.false_positives if not true else 0)
    assert all(0 <= rate <= 1 for rate in (at.total.precision, at.total.recall, at.total.f1))


clouds = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=25)


@given(st.lists(st.tuples(clouds, clouds), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_no_figure_depends_on_the_order_of_points_or_images(
    sets: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]], seed: int
) -> None:
    draw = np.random.Generator(np.random.Philox(seed))
    images, shuffled = [], []
    for predicted, true in sets:
        sigma = draw.integers(0, 9, len(true)).astype(np.float64)
        one = image(predicted, true, sigma_s_px=sigma // 2, sigma_l_px=sigma)
        p, t = draw.permutation(len(predicted)), draw.permutation(len(true))
        images.append(one)
        shuffled.append(image(one.predicted_xy[p], one.true_xy[t], sigma_s_px=sigma[t] // 2, sigma_l_px=sigma[t]))
    result = evaluate_localization(images, mean=True)
    other = evaluate_localization([shuffled[i] for i in draw.permutation(len(images))], mean=True, matcher="reference")
    assert [at.total for at in result.radii] == [at.total for at in other.radii]
    assert result.mean == other.mean
    for at in result.radii:
        assert at.total.true_positives + at.total.false_negatives == result.heads
        assert at.total.true_positives + at.total.false_positives == result.predicted


def test_images_never_match_each_other() -> None:
    pairs = matched_pairs([image([[5, 5]], []), image([], [[5, 5]]), image([[5, 5], [9, 9]], [[9, 9]])], FIXED_8)
    assert [pair.tolist() for pair in pairs] in ([[], [], [[0, 0]]], [[], [], [[1, 0]]])


def test_the_mean_over_thresholds_is_the_mean_of_each_figure() -> None:
    mean = mean_over_thresholds([image([[0, 0], [500, 0]], [[0, 30.5]])])
    assert mean.thresholds_px == tuple(range(1, 101))
    assert (mean.precision, mean.recall) == (pytest.approx(0.35), pytest.approx(0.7))
    assert mean.f1 == pytest.approx(0.7 * 2 / 3)


def test_scenes_with_and_without_boxes() -> None:
    scene = Scene(np.zeros((50, 50, 3), np.uint8), np.array([[10.0, 10.0]]), np.array([[5.0, 2.0, 15.0, 18.0]]))
    with_boxes = ImagePoints.of_scene(scene, [[12.0, 10.0]])
    assert with_boxes.sigma_s_px is not None
    assert (with_boxes.sigma_s_px.tolist(), [radius.key for radius in available_radii([with_boxes])]) == (
        [5.0],
        ["sigma_l", "sigma_s", "4px", "8px"],
    )
    without = image([[1, 1]], [[2, 2]])
    assert [radius.key for radius in available_radii([with_boxes, without])] == ["4px", "8px"]
    with pytest.raises(InputError, match="no boxes"):
        matched_pairs([without], SIGMA_L)
    with pytest.raises(InputError, match="no image"):
        evaluate_localization([])
    with pytest.raises(InputError, match="4px, 8px"):
        evaluate_localization([without]).at("sigma_l")


def test_by_score_threshold() -> None:
    scored = image([[0, 0], [50, 50]], [[0, 0]], scores=np.array([0.9, 0.3]))
    assert by_score_threshold([scored], FIXED_8, [0, 0.5, 0.95]) == [Tally(1, 1, 0), Tally(1, 0, 0), Tally(0, 0, 1)]
    with pytest.raises(InputError, match="no scores"):
        by_score_threshold([image([[0, 0]], [])], FIXED_8, [0])


def test_levels_without_heads_have_no_recall_and_are_not_in_the_mean() -> None:
    levels = np.array([1, 1, 3])
    image = ImagePoints("a", np.zeros((1, 2)), np.array([[0.0, 0], [50, 50], [90, 90]]), np.ones(3), np.ones(3), levels)
    result = evaluate_localization([image])
    at = result.at("sigma_l")
    assert [level.recall for level in at.levels] == [None, 0.5, None, 0, None, None]
    assert at.mean_level_recall == 0.25
    assert at.to_dict()["levels_with_heads"] == 2
    text = " ".join(" ".join(result.lines()).split())
    assert "σ_l – 0.5000 – 0.0000 – – 0.2500" in text
    assert "2 of 6 levels" in text
    assert max(map(len, result.lines())) <= 80
    nobody = ImagePoints("b", np.zeros((1, 2)), np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
    assert all(radius.mean_level_recall is None for radius in evaluate_localization([nobody]).radii)
