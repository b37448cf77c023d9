"""Matching: both matchers are maximum, valid and indifferent to order; nothing recurses."""

from __future__ import annotations

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.kinds import MATCHERS, Matcher
from headcount.evaluate.metrics import matching
from headcount.evaluate.metrics.matching import (
    as_thresholds,
    candidate_pairs,
    grouped_by_threshold,
    match,
    match_grouped,
    match_pairs,
    matched_by_threshold,
)

coordinates = st.tuples(st.integers(0, 9), st.integers(0, 9))
few_points = st.lists(coordinates, max_size=6).map(lambda points: np.array(points, dtype=np.float64).reshape(-1, 2))
points = st.lists(coordinates, max_size=40).map(lambda points: np.array(points, dtype=np.float64).reshape(-1, 2))


def brute_force(predicted: NDArray[np.float64], true: NDArray[np.float64], radius: NDArray[np.float64]) -> int:
    """The most pairs that share no point, by trying every set of pairs."""
    near = np.linalg.norm(predicted[:, None] - true, axis=2) <= radius
    pairs = list(zip(*np.nonzero(near), strict=True))
    for size in range(min(len(predicted), len(true), len(pairs)), 0, -1):
        for heads in combinations(range(len(true)), size):
            if assigns(near[:, heads]):
                return size
    return 0


def assigns(near: NDArray[np.bool_]) -> bool:
    """Hall's theorem: every set of k heads (columns) sees at least k predictions."""
    heads = range(near.shape[1])
    return all(
        near[:, chosen].any(axis=1).sum() >= len(chosen) for size in heads for chosen in combinations(heads, size + 1)
    )


@given(few_points, few_points, st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_both_matchers_find_the_most_pairs(
    predicted: NDArray[np.float64], true: NDArray[np.float64], seed: int
) -> None:
    radius = np.random.Generator(np.random.Philox(seed)).integers(0, 6, len(true)).astype(np.float64)
    most = brute_force(predicted, true, radius)
    for matcher in MATCHERS:
        assert len(match(predicted, true, radius, matcher=matcher)) == most


@given(points, points, st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_matchings_are_valid_and_do_not_depend_on_order(
    predicted: NDArray[np.float64], true: NDArray[np.float64], seed: int
) -> None:
    draw = np.random.Generator(np.random.Philox(seed))
    radius = draw.integers(0, 5, len(true)).astype(np.float64)
    sizes = set()
    for matcher in MATCHERS:
        pairs = match(predicted, true, radius, matcher=matcher)
        assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
        assert (np.diff(pairs[:, 0]) > 0).all()
        distances = np.linalg.norm(predicted[pairs[:, 0]] - true[pairs[:, 1]], axis=1)
        assert (distances <= radius[pairs[:, 1]]).all()
        one, other = draw.permutation(len(predicted)), draw.permutation(len(true))
        sizes |= {len(pairs), len(match(predicted[one], true[other], radius[other], matcher=matcher))}
    assert len(sizes) == 1


@given(points, points)
@settings(max_examples=60, deadline=None)
def test_growing_thresholds_equal_matchings_from_nothing(
    predicted: NDArray[np.float64], true: NDArray[np.float64]
) -> None:
    thresholds = [0, 1, 1.5, 2, 3, 5, 8, 9, 13]
    from_nothing = [len(match(predicted, true, threshold)) for threshold in thresholds]
    assert matched_by_threshold(predicted, true, thresholds).tolist() == from_nothing


@given(points, points, st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_the_matching_is_as_large_however_few_pairs_are_held(
    predicted: NDArray[np.float64], true: NDArray[np.float64], seed: int
) -> None:
    draw = np.random.Generator(np.random.Philox(seed))
    radius = draw.integers(0, 14, len(true)).astype(np.float64)
    group, true_group = draw.integers(0, 2, len(predicted)), draw.integers(0, 2, len(true))
    thresholds = as_thresholds([0, 1, 1.5, 2, 9, 13])
    expected = [
        match_grouped(predicted, true, reach, group, true_group, matcher="reference")
        for reach in (radius, *(np.full(len(true), threshold) for threshold in thresholds))
    ]
    for limits in (
        {"_MOST_PAIRS": 1, "_NEAREST": 1, "_SAMPLE": 1},
        {"_MOST_PAIRS": 5, "_NEAREST": 3},
        {"_MOST_PAIRS": 20, "_FIRST_REACH_PX": 1.0},
    ):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in limits.items():
                patch.setattr(matching, name, value)
            found = match_grouped(predicted, true, radius, group, true_group)
            assert len(found) == len(expected[0])
            assert len(set(found[:, 0])) == len(set(found[:, 1])) == len(found)
            assert (group[found[:, 0]] == true_group[found[:, 1]]).all()
            distances = np.linalg.norm(predicted[found[:, 0]] - true[found[:, 1]], axis=1)
            assert (distances <= radius[found[:, 1]]).all()
            sizes = grouped_by_threshold(predicted, true, thresholds, group, true_group)
            assert sizes.tolist() == list(map(len, expected[1:]))


def test_all_pairs_within_reach_do_not_fill_the_memory() -> None:
    draw = np.random.Generator(np.random.Philox(7))
    predicted, true = draw.random((2, 4000, 2)) * 100
    tracemalloc.start()
    found = match(predicted, true, 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 4000
    assert peak < 100e6  # all 16 million pairs would take 256 MB


@pytest.mark.parametrize("matcher", MATCHERS)
def test_nothing_to_match(matcher: Matcher) -> None:
    some, none = np.ones((3, 2)), np.zeros((0, 2))
    assert match(none, none, 5, matcher=matcher).shape == (0, 2)
    assert match(some, none, [], matcher=matcher).shape == (0, 2)
    assert match(none, some, 5, matcher=matcher).shape == (0, 2)
    assert match(some, some + 9, 5, matcher=matcher).shape == (0, 2)
    assert matched_by_threshold(some, none, [1, 2]).tolist() == [0, 0]


def test_the_radius_is_inclusive_and_each_heads_own() -> None:
    assert candidate_pairs([[0, 0]], [[3, 4], [3, 4], [-3, -4]], [5, 4.999, 5]).tolist() == [[0, 0], [0, 2]]
    assert candidate_pairs([[1e5, 1e5]], [[1e5, 1e5 + 7]], 7).tolist() == [[0, 0]]
    assert candidate_pairs([[2, 2]], [[2, 2]], 0).tolist() == [[0, 0]]


def test_the_reference_visits_in_the_official_order() -> None:
    # The second prediction takes head 0 from the first, which moves on to head 1, not to head 2.
    assert match([[0, 0], [-5, 0]], [[-2, 0], [1, 0], [2, 0]], 3, matcher="reference").tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("matcher", MATCHERS)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_chain_of_thousands_does_not_recurse(matcher: Matcher, reverse: bool) -> None:
    # The last prediction sets all others on their way: one augmenting path through the whole image.
    # Kuhn's own order makes the reverse chain quadratic.
    number = 2000 if reverse and matcher == "reference" else 10_000
    order = np.arange(number)
    pairs = np.concatenate([np.stack([order, order], axis=1), np.stack([order, order + 1], axis=1)])[:-1]
    pairs = number - 1 - pairs if reverse else pairs
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    assert len(match_pairs(pairs, number, number, matcher=matcher)) == number


def test_the_fast_matcher_pairs_the_nearest_where_nothing_is_lost_by_it() -> None:
    predicted, true = [[0, 0], [3, 0], [20, 0], [26, 0]], [[3.5, 0], [21, 0]]
    assert match(predicted, true, 10).tolist() == [[1, 0], [2, 1]]


def test_ten_thousand_points() -> None:
    draw = np.random.Generator(np.random.Philox(7))
    predicted, true = draw.integers(0, 1000, (2, 10_000, 2)).astype(np.float64)
    radius = draw.integers(2, 9, 10_000)
    assert len(match(predicted, true, radius)) == len(match(predicted, true, radius, matcher="reference")) > 4000
    assert len(match(true, true, 0)) == 10_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[0, 0]], [[0, 0]], [1, 2]), "One radius"),
        (([[0, 0]], [[0, 0]], -1), "0 or more"),
        (([[0, 0]], [[0, 0]], np.nan), "finite"),
        (([[0, 0]], [[0, 0]], "wide"), "One radius"),
        (([[0, np.inf]], [[0, 0]], 1), "finite"),
        (([[0, 0, 0]], [[0, 0]], 1), r"\(n, 2\)"),
    ],
)
def test_what_is_refused(arguments: tuple[object, object, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        match(*arguments)  # type: ignore[arg-type]


def test_unknown_matchers_and_thresholds() -> None:
    with pytest.raises(InputError, match='Did you mean "fast"'):
        match([[0, 0]], [[0, 0]], 1, matcher="fasst")  # type: ignore[arg-type]
    for thresholds in ([2, 1], [-1, 2], [1, 1], [np.nan]):
        with pytest.raises(InputError, match="ascend"):
            matched_by_threshold([[0, 0]], [[0, 0]], thresholds)
