"""The score threshold of the least counting error, against trying them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.counting import mean_absolute_error
from headcount.evaluate.thresholds import ScoredHeads, choose_threshold, relative_error

LOWEST = 0.05
SCORES = st.lists(st.sampled_from([0.06, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]), max_size=8)
IMAGES = st.lists(st.tuples(SCORES, st.integers(0, 6)), min_size=1, max_size=6)


def _seen(*images: tuple[list[float], int]) -> ScoredHeads:
    seen = ScoredHeads()
    for number, (scores, true) in enumerate(images):
        scene = Scene(np.zeros((4, 4, 3), np.uint8), np.ones((true, 2)), name=str(number))
        seen.add(scene, Prediction(len(scores), (4, 4), np.ones((len(scores), 2)), "heads", np.array(scores)), 0.0)
    return seen


def _error(sets: list[ScoredHeads], threshold: float) -> float:
    maes = [mean_absolute_error(one.counts_at(threshold), one.true) for one in sets]
    return float(np.mean([relative_error(mae, one.true) for mae, one in zip(maes, sets, strict=True)]))


@settings(max_examples=60, deadline=None)
@given(st.lists(IMAGES, min_size=1, max_size=3))
def test_no_threshold_counts_better(given_sets: list[list[tuple[list[float], int]]]) -> None:
    sets = [_seen(*images) for images in given_sets]
    chosen = choose_threshold(sets, LOWEST)
    assert LOWEST <= chosen.low < chosen.value <= chosen.high <= 1
    assert chosen.value < 1
    assert chosen.error == pytest.approx(_error(sets, chosen.value), abs=1e-9)
    edges = [0.06, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.999]
    assert chosen.error <= min(_error(sets, threshold) for threshold in edges) + 1e-9


def test_it_is_the_middle_of_the_widest_range_that_counts_alike() -> None:
    # Right from 0.35 to 0.45, and from 0.6 to 0.9: one image gains what the other loses.
    seen = _seen(([0.95, 0.9, 0.45, 0.35], 2), ([0.6, 0.45, 0.35], 0))
    assert (chosen := choose_threshold([seen], LOWEST)).value == 0.75
    assert (chosen.low, chosen.high, chosen.error) == (0.6, 0.9, 0)


def test_equal_scores_come_in_together() -> None:
    assert choose_threshold([_seen(([0.5, 0.5, 0.5], 2))], LOWEST).high == 0.5
    assert choose_threshold([_seen(([0.5, 0.5, 0.5], 1))], LOWEST).low == 0.5


@pytest.mark.parametrize(
    ("scores", "true", "low", "high"),
    [([], 3, LOWEST, 1), ([0.9], 0, 0.9, 1), ([1.0], 0, LOWEST, 1), ([0.3, 0.2], 9, LOWEST, 0.2)],
    ids=["nothing found", "nobody there", "a score of one", "too few"],
)
def test_the_ends(scores: list[float], true: int, low: float, high: float) -> None:
    chosen = choose_threshold([_seen((scores, true))], LOWEST)
    assert (chosen.low, chosen.high) == (low, high)
    assert 0 < chosen.value < 1


def test_scores_that_hardly_differ_are_told_apart() -> None:
    one = float(np.float32(0.4))
    other = float(np.nextafter(np.float32(0.4), np.float32(1)))
    chosen = choose_threshold([_seen(([other, one], 1))], LOWEST)
    assert one < chosen.value <= other


def test_no_set_rules_by_its_crowds() -> None:
    """A crowd of 100 that wants 0.2 against a dozen of 1 each that want 0.8: each set weighs alike."""
    crowd = _seen(([0.9] * 50 + [0.3] * 50, 100))  # half is lost above 0.3: an error of 0.5
    few = _seen(*[([0.9, 0.3, 0.3], 1)] * 12)  # two too many below: an error of 2
    assert choose_threshold([crowd, few], LOWEST).value > 0.3
    assert choose_threshold([crowd], LOWEST).value < 0.3


def test_what_it_cannot_do_without() -> None:
    with pytest.raises(InputError, match="no image"):
        choose_threshold([ScoredHeads()], LOWEST)
    with pytest.raises(InputError, match='"a" have no scores'):
        ScoredHeads().add(Scene(np.zeros((4, 4, 3), np.uint8), name="a"), Prediction(0, (4, 4)), 0.0)


def test_sets_or_images_weigh_alike() -> None:
    few, many = ScoredHeads(), ScoredHeads()
    few.scores, few.true = [np.array([0.9, 0.6])], [1]  # best above 0.6
    many.scores, many.true = [np.array([0.9, 0.6])] * 3, [2] * 3  # best up to 0.6, each error half as large a share
    many.scores, many.true = [*many.scores, np.full(97, 0.95)], [*many.true, 97]
    by_set = choose_threshold([few, many], 0.05)
    by_image = choose_threshold([few, many], 0.05, weigh="images")
    assert by_set.low == 0.6
    assert by_image.high == 0.6
    assert by_image.error == pytest.approx(1 / 5)
