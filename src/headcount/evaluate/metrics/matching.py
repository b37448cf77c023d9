"""Pairing predicted points with heads: a maximum matching of those that lie within each head's own radius.

Two matchers, equal in the number of pairs and so in precision, recall and F1; which head is paired, and so the recall
by level, may differ. ``fast`` pairs the nearest, then SciPy's maximum flow (Dinic) finds what is left; of more than a
million pairs it holds a random share, and looks up only those others that could make the matching larger. ``reference``
is Kuhn's algorithm in the order in which the official NWPU-Crowd evaluation visits predictions and heads. Neither
recurses. SciPy's ``maximum_bipartite_matching`` is not used: its depth-first search never marks dead ends, and in a
dense crowd of 10,000 heads it does not come back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from scipy.spatial import cKDTree

from headcount.core.errors import InputError, nearest
from headcount.core.geometry import Points, as_points
from headcount.core.kinds import MATCHERS, Matcher
from headcount.core.random import generator

Indices = NDArray[np.intp]
AnyIndices = NDArray[np.integer]
Floats = NDArray[np.float64]

_SLACK_PX = 1e-3  # the tree may round; distances are compared again, exactly
_MOST_PAIRS = 1_000_000  # held at once
_SAMPLE = 400  # heads whose pairs are counted
_NEAREST = 8  # predictions of a head that are looked up at once
_ROUNDS = 6  # find nearly all; a long chain would take one for each link
_FIRST_REACH_PX = 8.0
_RADIUS_STEP = math.sqrt(2)  # heads of like radius are looked up together: at most twice the pairs that count
_SHARE_STREAM = 7003


def match(predicted_xy: ArrayLike, true_xy: ArrayLike, radius_px: ArrayLike, *, matcher: Matcher = "fast") -> Indices:
    """A maximum-cardinality matching of predictions (m, 2) and heads (n, 2): (k, 2) rows of (prediction, head).

    A prediction and a head may be paired where their distance ≤ the head's radius, (n,) or one number for all. Rows
    ascend by prediction.

    Raises:
        InputError: points that are no finite (n, 2), a radius that is negative, not finite or not one for each head,
            or an unknown matcher.

    >>> match([[0, 0], [9, 0]], [[3, 4], [20, 0]], [5, 5]).tolist()
    [[0, 0]]
    """
    predicted, true = as_points(predicted_xy), as_points(true_xy)
    one = np.zeros(len(predicted), np.intp), np.zeros(len(true), np.intp)
    return match_grouped(predicted, true, _radii(radius_px, len(true)), *one, matcher=matcher)


def candidate_pairs(predicted_xy: ArrayLike, true_xy: ArrayLike, radius_px: ArrayLike) -> Indices:
    """Every (prediction, head) whose distance ≤ the head's radius: (k, 2), ascending by prediction, then head.

    Raises:
        InputError: as ``match``.

    >>> candidate_pairs([[0, 0], [1, 0]], [[0, 0], [2, 0]], [1, 0.5]).tolist()
    [[0, 0], [1, 0]]
    """
    predicted, true = as_points(predicted_xy), as_points(true_xy)
    radius = _radii(radius_px, len(true))
    one = np.zeros(len(predicted), np.intp), np.zeros(len(true), np.intp)
    return grouped_candidate_pairs(predicted, true, radius, *one)


def grouped_candidate_pairs(
    predicted_xy: Points, true_xy: Points, radius_px: Floats, predicted_group: Indices, true_group: Indices
) -> Indices:
    """As ``candidate_pairs``, for many images at once: only points of the same group, (m,) and (n,), make a pair.

    One search for all images of a data set costs a tenth of a search for each.
    """
    if not len(predicted_xy) or not len(true_xy):
        return np.zeros((0, 2), dtype=np.intp)
    moved, moved_true = _side_by_side(predicted_xy, true_xy, radius_px, predicted_group, true_group)
    tree = _tree(moved)
    steps = np.ceil(np.log(np.maximum(radius_px, 1.0)) / math.log(_RADIUS_STEP)).astype(np.intp)
    found: list[Indices] = []
    for step in np.unique(steps):
        heads = np.flatnonzero(steps == step)
        reach = float(radius_px[heads].max()) + _SLACK_PX
        others = _tree(moved_true[heads])
        near = others.sparse_distance_matrix(tree, reach, output_type="ndarray")
        head, prediction = heads[near["i"]], near["j"]
        # Squares of whole numbers are exact: a distance equal to σ counts.
        keep = _squared_distances(predicted_xy[prediction], true_xy[head]) <= np.square(radius_px[head])
        found.append(np.column_stack([prediction[keep], head[keep]]))
    pairs = np.concatenate(found)
    if max(len(predicted_xy), len(true_xy)) <= 1 << 16:  # 16 bits are sorted by counting, in a quarter of the time
        pairs = pairs[np.argsort(pairs[:, 1].astype(np.uint16), kind="stable")]
        return pairs[np.argsort(pairs[:, 0].astype(np.uint16), kind="stable")]
    return pairs[np.argsort(pairs[:, 0] * np.intp(len(true_xy)) + pairs[:, 1])]


def _side_by_side(
    predicted_xy: Points, true_xy: Points, radius_px: Floats, predicted_group: Indices, true_group: Indices
) -> tuple[Floats, Floats]:
    """The points with all images laid out in one plane, further apart than any radius."""
    both = np.concatenate([predicted_xy, true_xy])
    left, right = both[:, 0].min(), both[:, 0].max()
    width = float(right - left) + float(radius_px.max()) + 1.0
    moved, moved_true = predicted_xy.copy(), true_xy.copy()
    moved[:, 0] += predicted_group * width - left
    moved_true[:, 0] += true_group * width - left
    return moved, moved_true


def match_grouped(
    predicted_xy: Points,
    true_xy: Points,
    radius_px: Floats,
    predicted_group: Indices,
    true_group: Indices,
    *,
    matcher: Matcher = "fast",
) -> Indices:
    """As ``match``, for many images at once: only points of the same group, (m,) and (n,), may be paired.

    ``reference`` holds all pairs at once, ``fast`` a million.
    """
    points = predicted_xy, true_xy, radius_px, predicted_group, true_group
    if matcher == "fast":
        prediction_of, head_of = _nobody(len(true_xy)), _nobody(len(predicted_xy))
        _match_within(*points, prediction_of, head_of)
        return _pairs_of(head_of)
    return match_pairs(grouped_candidate_pairs(*points), len(predicted_xy), len(true_xy), matcher=matcher)


def match_pairs(pairs: Indices, predictions: int, heads: int, *, matcher: Matcher = "fast") -> Indices:
    """A maximum matching among the ``pairs`` (k, 2) that may be, in the order of ``candidate_pairs``.

    Raises:
        InputError: an unknown matcher.

    >>> match_pairs(np.array([[0, 0], [0, 1], [1, 0]]), 2, 2).tolist()
    [[0, 1], [1, 0]]
    """
    if matcher not in MATCHERS:
        raise InputError(f'There is no matcher "{matcher}".{nearest(str(matcher), MATCHERS)}')
    if matcher == "reference":
        return _pairs_of(_reference(pairs, predictions, heads))
    head_of = _nobody(predictions)
    _augment(pairs[:, 0], pairs[:, 1], head_of, _nobody(heads))
    return _pairs_of(head_of)


def matched_by_threshold(
    predicted_xy: ArrayLike, true_xy: ArrayLike, thresholds_px: Sequence[float]
) -> NDArray[np.intp]:
    """The size of a maximum matching at each of the ascending distance thresholds: (t,), never falling.

    One matching grows with the threshold, and the search stops for good where every prediction or every head has its
    partner.

    Raises:
        InputError: points that are no finite (n, 2), or thresholds that are negative or not ascending.

    >>> matched_by_threshold([[0, 0], [9, 0]], [[3, 4], [9, 1]], [1, 4, 5]).tolist()
    [1, 1, 2]
    """
    predicted, true = as_points(predicted_xy), as_points(true_xy)
    one = np.zeros(len(predicted), np.intp), np.zeros(len(true), np.intp)
    return grouped_by_threshold(predicted, true, as_thresholds(thresholds_px), *one)


def as_thresholds(thresholds_px: ArrayLike) -> Floats:
    """(t,) float64 distances.

    Raises:
        InputError: they are negative, not finite, or do not ascend.
    """
    thresholds = np.asarray(thresholds_px, dtype=np.float64)
    if (
        thresholds.ndim != 1
        or not (np.isfinite(thresholds) & (thresholds >= 0)).all()
        or (np.diff(thresholds) <= 0).any()
    ):
        raise InputError("Distance thresholds must ascend from 0 px or more, as in 1, 2, …, 100.")
    return thresholds


def grouped_by_threshold(
    predicted_xy: Points, true_xy: Points, thresholds_px: Floats, predicted_group: Indices, true_group: Indices
) -> NDArray[np.intp]:
    """As ``matched_by_threshold``, for many images at once: (t,) sizes, summed over the groups, (m,) and (n,)."""
    sizes = np.zeros(len(thresholds_px), np.intp)
    groups = 1 + int(max(predicted_group.max(initial=-1), true_group.max(initial=-1)))
    # The rarer kind of point of each image is a row: an image is full when none of its rows is free.
    swap = np.bincount(predicted_group, minlength=groups) > np.bincount(true_group, minlength=groups)
    swapped, true_swapped = swap[predicted_group], swap[true_group]
    rows_xy = np.concatenate([predicted_xy[~swapped], true_xy[true_swapped]])
    columns_xy = np.concatenate([true_xy[~true_swapped], predicted_xy[swapped]])
    row_group = np.concatenate([predicted_group[~swapped], true_group[true_swapped]])
    column_group = np.concatenate([true_group[~true_swapped], predicted_group[swapped]])
    column_of, row_of = _nobody(len(rows_xy)), _nobody(len(columns_xy))
    start, reach, full = 0, _FIRST_REACH_PX, 0
    while start < len(thresholds_px) and len(rows_xy):
        # Looked up in strides of doubling reach, since few images need the last.
        stop = max(start + 1, int(np.searchsorted(thresholds_px, reach, side="right")))
        points = rows_xy, columns_xy, thresholds_px[start:stop], row_group, column_group
        for index, size in enumerate(_growing_sizes(*points, column_of, row_of), start):
            sizes[index:] = full + size
        is_open = np.bincount(row_group[column_of < 0], minlength=groups) > 0
        rows, columns = is_open[row_group], is_open[column_group]
        full += int((~rows).sum())
        column_of, row_of = _renumbered(column_of, columns)[rows], _renumbered(row_of, rows)[columns]
        rows_xy, row_group = rows_xy[rows], row_group[rows]
        columns_xy, column_group = columns_xy[columns], column_group[columns]
        start, reach = stop, 2 * reach
    return sizes


def _growing_sizes(
    rows_xy: Points,
    columns_xy: Points,
    thresholds_px: Floats,
    row_group: Indices,
    column_group: Indices,
    column_of: Indices,
    row_of: Indices,
) -> Iterator[int]:
    """The size of the matching at each threshold in turn; the matching, maximum below the first, grows in place."""
    radius = np.full(len(columns_xy), thresholds_px[-1])
    if _pairs_about(rows_xy, columns_xy, radius, row_group, column_group) > 2 * _MOST_PAIRS:
        for threshold in thresholds_px:
            radius = np.full(len(rows_xy), threshold)
            _match_within(columns_xy, rows_xy, radius, column_group, row_group, column_of, row_of)
            yield int((column_of >= 0).sum())
        return
    pairs = grouped_candidate_pairs(rows_xy, columns_xy, radius, row_group, column_group)
    row, column = pairs.T.astype(np.int32)
    squared = _squared_distances(rows_xy[row], columns_xy[column])
    for threshold in thresholds_px:
        near = np.flatnonzero(squared <= threshold**2)
        _augment(row[near], column[near], column_of, row_of)
        yield int((column_of >= 0).sum())


def _match_within(
    predicted_xy: Points,
    true_xy: Points,
    radius_px: Floats,
    predicted_group: Indices,
    true_group: Indices,
    prediction_of: Indices,
    head_of: Indices,
) -> None:
    """Make the matching, (n,) and (m,) indices of partners or −1, maximum in place, never holding very many pairs.

    Where there are many, the points are dealt into parts at random and only pairs within a part are held, which leaves
    each head a share of its candidates. Then pairs are added that lead on from the heads which alternating paths from
    free heads reach to predictions which none reaches; where there are none of these, the matching is maximum (König).
    """
    about = _pairs_about(predicted_xy, true_xy, radius_px, predicted_group, true_group)
    if about <= _MOST_PAIRS:
        pairs = grouped_candidate_pairs(predicted_xy, true_xy, radius_px, predicted_group, true_group)
        squared = _squared_distances(predicted_xy[pairs[:, 0]], true_xy[pairs[:, 1]])
        _pair_nearest(pairs[np.argsort(squared, kind="stable")], head_of, prediction_of)
        _augment(pairs[:, 0], pairs[:, 1], head_of, prediction_of)
        return
    parts, draw = -(-about // _MOST_PAIRS), generator(0, stream=_SHARE_STREAM)
    part, true_part = (draw.permutation(len(points)) % parts for points in (predicted_xy, true_xy))
    groups = predicted_group * parts + part, true_group * parts + true_part
    share = grouped_candidate_pairs(predicted_xy, true_xy, radius_px, *groups)[:, ::-1]
    moved, moved_true = _side_by_side(predicted_xy, true_xy, radius_px, predicted_group, true_group)
    added, most_near = share[:0], _NEAREST
    while True:
        pairs = np.concatenate([share, added])
        head, prediction = pairs[np.argsort(pairs[:, 0], kind="stable")].T
        _augment(head, prediction, prediction_of, head_of)
        heads, away = _reached(head, prediction, prediction_of, head_of)
        if not len(heads) or not len(away):
            return
        reach = float(radius_px.max()) + _SLACK_PX
        several = range(1, 1 + min(most_near, len(away), max(1, _MOST_PAIRS // len(heads))))
        near = np.asarray(_tree(moved[away]).query(moved_true[heads], k=several, distance_upper_bound=reach)[1])
        row, place = np.nonzero(near < len(away))
        head, prediction = heads[row], away[near[row, place]]
        within = _squared_distances(predicted_xy[prediction], true_xy[head]) <= np.square(radius_px[head])
        head, prediction = head[within], prediction[within]
        if not len(head):
            return
        if len(added) + len(head) > _MOST_PAIRS:
            _, first = np.unique(prediction, return_index=True)  # one way to each is enough
            head, prediction = head[first], prediction[first]
        added, most_near = np.concatenate([added, np.column_stack([head, prediction])]), 2 * most_near


def _pair_nearest(pairs: Indices, column_of: Indices, row_of: Indices) -> None:
    """Pair whoever is nearest to each other, in rounds, in place; ``pairs`` (k, 2) ascend by distance.

    The flow has less to do, and pictures look right: it may pair anew, but most pairs stay.
    """
    first, first_of = np.empty_like(column_of), np.empty_like(row_of)
    for _ in range(_ROUNDS):
        pairs = pairs[(column_of[pairs[:, 0]] < 0) & (row_of[pairs[:, 1]] < 0)]
        row, column, number = pairs[:, 0], pairs[:, 1], np.arange(len(pairs))
        first[row[::-1]] = first_of[column[::-1]] = number[::-1]  # of several, the last stays
        mutual = (first[row] == number) & (first_of[column] == number)
        column_of[row[mutual]], row_of[column[mutual]] = column[mutual], row[mutual]


def _augment(row: AnyIndices, column: AnyIndices, column_of: Indices, row_of: Indices) -> None:
    """Make the matching maximum among pairs of row and column, two (k,), ascending by row, in place."""
    if not len(row):
        return
    rows = len(column_of)
    graph, source, sink = _residual(row, column, column_of, row_of)
    flow = maximum_flow(graph, source, sink, method="dinic").flow
    links = int(flow.indptr[rows])  # of the rows
    found = np.flatnonzero((flow.data[:links] > 0) & (flow.indices[:links] >= rows))
    found = found[flow.indices[found] < source]
    # A row that had a partner gets another one, or keeps it: no path ends in it.
    paired = np.searchsorted(flow.indptr[: rows + 1], found, side="right") - 1
    column_of[paired] = flow.indices[found] - rows
    row_of[column_of[paired]] = paired


def _reached(row: AnyIndices, column: AnyIndices, column_of: Indices, row_of: Indices) -> tuple[Indices, Indices]:
    """The rows that alternating paths from free rows reach, and the columns that they do not."""
    graph, source, _ = _residual(row, column, column_of, row_of)
    reached = np.zeros(source + 2, np.bool_)
    reached[breadth_first_order(graph, source, return_predecessors=False)] = True
    rows = len(column_of)
    return np.flatnonzero(reached[:rows]), np.flatnonzero(~reached[rows:source])


def _residual(row: AnyIndices, column: AnyIndices, column_of: Indices, row_of: Indices) -> tuple[csr_array, int, int]:
    """What can still flow, with the source's and the sink's numbers: rows come first, then columns, each link holds 1.

    Source → free row → column → its row or, where it is free, the sink: no node is passed twice, since a row is entered
    by one link and a column left by one.
    """
    rows, columns = len(column_of), len(row_of)
    source, sink = rows + columns, rows + columns + 1
    unpaired = np.flatnonzero(column_of[row] != column)
    free = np.flatnonzero(column_of < 0)
    counts = np.concatenate([np.bincount(row[unpaired], minlength=rows), np.ones(columns, np.intp), [len(free), 0]])
    starts = np.zeros(sink + 2, np.int32)
    np.cumsum(counts, out=starts[1:])
    ends = np.concatenate([column[unpaired] + rows, np.where(row_of >= 0, row_of, sink), free], dtype=np.int32)
    return csr_array((np.ones(len(ends), np.int32), ends, starts), shape=(sink + 1, sink + 1)), source, sink


def _reference(pairs: Indices, predictions: int, heads: int) -> Indices:
    """Kuhn's algorithm, predictions and their heads in ascending order, a stack in place of the recursion.

    Heads that a failed search has seen can never be freed again: they stay marked, which changes no result and makes
    all failed searches together no longer than one walk over the pairs.
    """
    starts = np.searchsorted(pairs[:, 0], np.arange(predictions + 1)).tolist()
    near = pairs[:, 1].tolist()
    prediction_of = [-1] * heads
    seen = bytearray(heads)
    for first in range(predictions):
        visited: list[int] = []
        path, places = [first], [starts[first]]
        while path:
            prediction, place = path[-1], places[-1]
            end = starts[prediction + 1]
            while place < end and seen[near[place]]:
                place += 1
            if place == end:
                path.pop()
                places.pop()
                continue
            head = near[place]
            seen[head] = 1
            visited.append(head)
            # ``places`` keeps the head tried last, one too far: it is the link to turn over on success.
            places[-1] = place + 1
            owner = prediction_of[head]
            if owner >= 0:
                path.append(owner)
                places.append(starts[owner])
                continue
            for prediction, place in zip(path, places, strict=True):
                prediction_of[near[place - 1]] = prediction
            for head in visited:
                seen[head] = 0
            break
    head_of = np.full(predictions, -1, dtype=np.intp)
    owners = np.asarray(prediction_of, dtype=np.intp)
    head_of[owners[owners >= 0]] = np.flatnonzero(owners >= 0)
    return head_of


def _pairs_about(
    predicted_xy: Points, true_xy: Points, radius_px: Floats, predicted_group: Indices, true_group: Indices
) -> int:
    """About how many pairs there are, from a sample of the heads."""
    if not len(predicted_xy) or not len(true_xy):
        return 0
    moved, moved_true = _side_by_side(predicted_xy, true_xy, radius_px, predicted_group, true_group)
    some = np.arange(0, len(true_xy), -(-len(true_xy) // _SAMPLE))
    found = _tree(moved).query_ball_point(moved_true[some], radius_px[some] + _SLACK_PX, return_length=True)
    return int(np.asarray(found).mean() * len(true_xy))


def _tree(points_xy: Points) -> cKDTree:
    # SciPy's own builds balance the tree by medians, which costs more than it gives here.
    return cKDTree(points_xy, balanced_tree=False, compact_nodes=False)


def _squared_distances(one_xy: Points, other_xy: Points) -> Floats:
    offsets = one_xy - other_xy
    squared: Floats = np.einsum("ij,ij->i", offsets, offsets)
    return squared


def _nobody(number: int) -> Indices:
    return np.full(number, -1, np.intp)


def _pairs_of(head_of: Indices) -> Indices:
    matched = np.flatnonzero(head_of >= 0)
    return np.column_stack([matched, head_of[matched]])


def _renumbered(partners: Indices, kept: NDArray[np.bool_]) -> Indices:
    """Indices of partners where only the ``kept`` ones stay; −1 stays −1."""
    return np.append(np.cumsum(kept) - 1, -1)[partners]


def _radii(radius_px: ArrayLike, heads: int) -> Floats:
    try:
        radius = np.broadcast_to(np.asarray(radius_px, dtype=np.float64), (heads,))
    except (TypeError, ValueError) as error:
        raise InputError(f"One radius is needed for each of the {heads} heads, or one number for all.") from error
    if not np.isfinite(radius).all() or bool((radius < 0).any()):
        raise InputError("A matching radius must be a finite number of pixels, 0 or more.")
    return radius
