"""Pairing predicted points with heads: a maximum matching of those that lie within each head's own radius.

Two matchers, equal in the number of pairs and so in precision, recall and F1; which head is paired, and so the recall
by level, may differ. ``fast`` starts greedily, then grows alternating trees from all free points at once and turns
over one path in each (after Azad et al., "Computing Maximum Cardinality Matchings in Parallel on Bipartite Graphs via
Tree-Grafting", TPDS 2017), as array operations; where every point has dozens of candidates it holds the nearest ones
and looks the others up as the trees reach for them. ``reference`` is Kuhn's algorithm in the order in which the
official NWPU-Crowd evaluation visits predictions and heads. Neither recurses. SciPy's ``maximum_bipartite_matching``
is not used: its depth-first search never marks dead ends, and in a dense crowd of 10,000 heads it does not come back.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.core.errors import InputError, nearest
from headcount.core.geometry import as_points

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Matcher = Literal["fast", "reference"]
MATCHERS: tuple[Matcher, ...] = get_args(Matcher)
Indices = NDArray[np.intp]

_SLACK_PX = 1e-3  # the tree may round; distances are compared again, exactly
_GREEDY_ROUNDS = 32
_MOST_PAIRS = 2_000_000  # held at once
_DENSE = 50  # with more pairs than this for each head, most are not needed
_PART = 200_000  # pairs looked up at once where they cannot all be held
_NEAREST = 32  # predictions of each head that are tried first
_SAMPLE = 400  # heads whose pairs are counted
_MOST_PAIRS_OF_STRIDE = 4_000_000
_FIRST_REACH_PX = 8.0
_MOST_LAYERS = 1000  # in array steps, before plain lists take over
_RADIUS_STEP = math.sqrt(2)  # heads of like radius are looked up together: at most twice the pairs that count


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
    predicted_xy: NDArray[np.float64],
    true_xy: NDArray[np.float64],
    radius_px: NDArray[np.float64],
    predicted_group: Indices,
    true_group: Indices,
) -> Indices:
    """As ``candidate_pairs``, for many images at once: only points of the same group, (m,) and (n,), make a pair.

    One search for all images of a data set costs a tenth of a search for each.
    """
    from scipy.spatial import cKDTree  # start-up time

    if not len(predicted_xy) or not len(true_xy):
        return np.zeros((0, 2), dtype=np.intp)
    moved, moved_true = _side_by_side(predicted_xy, true_xy, radius_px, predicted_group, true_group)
    # scipy's own builds balance the tree by medians, which costs more than it gives here.
    tree = cKDTree(moved, balanced_tree=False, compact_nodes=False)
    steps = np.ceil(np.log(np.maximum(radius_px, 1.0)) / math.log(_RADIUS_STEP)).astype(np.intp)
    found: list[Indices] = []
    for step in np.unique(steps):
        heads = np.flatnonzero(steps == step)
        reach = float(radius_px[heads].max()) + _SLACK_PX
        others = cKDTree(moved_true[heads], balanced_tree=False, compact_nodes=False)
        near = others.sparse_distance_matrix(tree, reach, output_type="ndarray")
        head, prediction = heads[near["i"]], near["j"]
        offsets = predicted_xy[prediction] - true_xy[head]
        squared = np.einsum("ij,ij->i", offsets, offsets)
        # Squares of whole numbers are exact: a distance equal to σ counts.
        keep = squared <= np.square(radius_px[head])
        found.append(np.column_stack([prediction[keep], head[keep]]))
    pairs = np.concatenate(found)
    if max(len(predicted_xy), len(true_xy)) <= 1 << 16:  # 16 bits are sorted by counting, in a quarter of the time
        pairs = pairs[np.argsort(pairs[:, 1].astype(np.uint16), kind="stable")]
        return pairs[np.argsort(pairs[:, 0].astype(np.uint16), kind="stable")]
    return pairs[np.argsort(pairs[:, 0] * np.intp(len(true_xy)) + pairs[:, 1])]


def _side_by_side(
    predicted_xy: NDArray[np.float64],
    true_xy: NDArray[np.float64],
    radius_px: NDArray[np.float64],
    predicted_group: Indices,
    true_group: Indices,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points with all images laid out in one plane, further apart than any radius."""
    both = np.concatenate([predicted_xy, true_xy])
    low = both.min(axis=0)
    width = float(both[:, 0].max() - low[0]) + float(radius_px.max()) + 1.0
    moved, moved_true = predicted_xy - low, true_xy - low
    moved[:, 0] += predicted_group * width
    moved_true[:, 0] += true_group * width
    return moved, moved_true


def match_grouped(
    predicted_xy: NDArray[np.float64],
    true_xy: NDArray[np.float64],
    radius_px: NDArray[np.float64],
    predicted_group: Indices,
    true_group: Indices,
    *,
    matcher: Matcher = "fast",
) -> Indices:
    """As ``match``, for many images at once: only points of the same group, (m,) and (n,), may be paired.

    Where radii are so large that the pairs would fill the memory, ``fast`` matches the nearest few of each head and
    then looks further only for those left over; ``reference`` needs all pairs.
    """
    if matcher == "fast" and len(predicted_xy) and len(true_xy):
        ball = _Ball(predicted_xy, true_xy, radius_px, predicted_group, true_group)
        if ball.pairs() > min(_MOST_PAIRS, _DENSE * len(true_xy)):
            pairs = ball.nearest_pairs()
            prediction_of, head_of = _greedy(pairs, len(true_xy), len(predicted_xy))
            _grow(_Rows.of_pairs(pairs, len(true_xy)), prediction_of, head_of)
            _grow(ball, prediction_of, head_of)
            matched = np.flatnonzero(head_of >= 0)
            return np.column_stack([matched, head_of[matched]])
    pairs = grouped_candidate_pairs(predicted_xy, true_xy, radius_px, predicted_group, true_group)
    return match_pairs(pairs, len(predicted_xy), len(true_xy), matcher=matcher)


def match_pairs(pairs: Indices, predictions: int, heads: int, *, matcher: Matcher = "fast") -> Indices:
    """A maximum matching among the ``pairs`` (k, 2) that may be, in the order of ``candidate_pairs``.

    Raises:
        InputError: an unknown matcher.

    >>> match_pairs(np.array([[0, 0], [0, 1], [1, 0]]), 2, 2).tolist()
    [[0, 1], [1, 0]]
    """
    if matcher not in MATCHERS:
        raise InputError(f'There is no matcher "{matcher}".{nearest(str(matcher), MATCHERS)}')
    if not len(pairs):
        return np.zeros((0, 2), dtype=np.intp)
    head_of = (_fast if matcher == "fast" else _reference)(pairs, predictions, heads)
    matched = np.flatnonzero(head_of >= 0)
    return np.column_stack([matched, head_of[matched]])


def matched_by_threshold(
    predicted_xy: ArrayLike, true_xy: ArrayLike, thresholds_px: Sequence[float]
) -> NDArray[np.intp]:
    """The size of a maximum matching at each of the ascending distance thresholds: (t,), never falling.

    One matching grows with the threshold: pairs are added in order of distance, and the search stops for good where
    every prediction or every head has its partner.

    Raises:
        InputError: points that are no finite (n, 2), or thresholds that are negative or not ascending.

    >>> matched_by_threshold([[0, 0], [9, 0]], [[3, 4], [9, 1]], [1, 4, 5]).tolist()
    [1, 1, 2]
    """
    predicted, true = as_points(predicted_xy), as_points(true_xy)
    one = np.zeros(len(predicted), np.intp), np.zeros(len(true), np.intp)
    return grouped_by_threshold(predicted, true, as_thresholds(thresholds_px), *one)


def as_thresholds(thresholds_px: ArrayLike) -> NDArray[np.float64]:
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
    predicted_xy: NDArray[np.float64],
    true_xy: NDArray[np.float64],
    thresholds_px: NDArray[np.float64],
    predicted_group: Indices,
    true_group: Indices,
) -> NDArray[np.intp]:
    """As ``matched_by_threshold``, for many images at once: (t,) sizes, summed over the groups, (m,) and (n,)."""
    sizes = np.zeros(len(thresholds_px), dtype=np.intp)
    if not len(predicted_xy) or not len(true_xy):
        return sizes
    groups = int(max(predicted_group.max(), true_group.max())) + 1
    full = np.minimum(np.bincount(predicted_group, minlength=groups), np.bincount(true_group, minlength=groups))
    head_of, prediction_of = np.full(len(predicted_xy), -1, np.intp), np.full(len(true_xy), -1, np.intp)
    # Looked up in strides of doubling reach, since few images need the last.
    start, reach = 0, _FIRST_REACH_PX
    while start < len(thresholds_px):
        stop = max(start + 1, int(np.searchsorted(thresholds_px, reach, side="right")))
        matched = np.bincount(predicted_group[head_of >= 0], minlength=groups)
        sizes[start:] = matched.sum()
        is_open = matched < full
        predicted, true = np.flatnonzero(is_open[predicted_group]), np.flatnonzero(is_open[true_group])
        if not len(predicted):
            break
        place = np.full(len(true_xy) + 1, -1, np.intp)  # of a head among the open ones; the last for none
        place[true] = np.arange(len(true))
        place_of_prediction = np.full(len(predicted_xy) + 1, -1, np.intp)
        place_of_prediction[predicted] = np.arange(len(predicted))
        part = predicted_xy[predicted], true_xy[true], predicted_group[predicted], true_group[true]
        column_of, row_of = place[head_of[predicted]], place_of_prediction[prediction_of[true]]
        before = int(matched[~is_open].sum())
        for index, size in enumerate(_sizes_of_stride(*part, thresholds_px[start:stop], column_of, row_of)):
            sizes[start + index :] = before + size
        head_of[predicted] = np.where(column_of >= 0, true[column_of], -1)
        prediction_of[true] = np.where(row_of >= 0, predicted[row_of], -1)
        start, reach = stop, 2 * reach
    return sizes


def _sizes_of_stride(
    predicted_xy: NDArray[np.float64],
    true_xy: NDArray[np.float64],
    predicted_group: Indices,
    true_group: Indices,
    thresholds_px: NDArray[np.float64],
    head_of: Indices,
    prediction_of: Indices,
) -> Iterator[int]:
    """The size of the matching at each threshold in turn; the matching, maximum below the first, grows in place."""
    top = np.full(len(true_xy), thresholds_px[-1])
    if _Ball(predicted_xy, true_xy, top, predicted_group, true_group).pairs() > _MOST_PAIRS_OF_STRIDE:
        for threshold in thresholds_px:
            radius = np.full(len(true_xy), threshold)
            _grow(_Ball(predicted_xy, true_xy, radius, predicted_group, true_group), prediction_of, head_of)
            yield int((head_of >= 0).sum())
        return
    pairs = grouped_candidate_pairs(predicted_xy, true_xy, top, predicted_group, true_group)
    offsets = predicted_xy[pairs[:, 0]] - true_xy[pairs[:, 1]]
    squared = np.einsum("ij,ij->i", offsets, offsets)
    step = np.searchsorted(np.square(thresholds_px), squared, side="left")
    # Of each prediction the nearest heads first: those within a threshold are the first so many.
    rows = len(predicted_xy)
    added = np.bincount(step * np.intp(rows) + pairs[:, 0], minlength=len(thresholds_px) * rows)
    graph = _Rows.of_pairs(pairs[np.argsort(pairs[:, 0] * np.intp(len(thresholds_px)) + step, kind="stable")], rows)
    graph.counts = np.zeros(rows, np.intp)
    for new in added.reshape(len(thresholds_px), rows):
        graph.counts += new
        _grow(graph, head_of, prediction_of)
        yield int((head_of >= 0).sum())


def _fast(pairs: Indices, predictions: int, heads: int) -> Indices:
    head_of, prediction_of = _greedy(pairs, predictions, heads)
    _grow(_Rows.of_pairs(pairs, predictions), head_of, prediction_of)
    return head_of


def _greedy(pairs: Indices, predictions: int, heads: int) -> tuple[Indices, Indices]:
    """A matching to start from: in rounds, each prediction asks the head that fewest others may have.

    A head takes the one that has the fewest other choices. (predictions,) and (heads,) indices of partners, −1 where
    there is none. A few rounds find nearly all; a long chain would take one for each link.
    """
    head_of, prediction_of = np.full(predictions, -1, np.intp), np.full(heads, -1, np.intp)
    left, right = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    asked_by = np.empty(heads, np.intp)
    for _ in range(_GREEDY_ROUNDS):
        number = len(left)
        if not number:
            break
        starts = np.flatnonzero(np.concatenate([[True], left[1:] != left[:-1]]))
        rarity = np.bincount(right, minlength=heads)[right] * np.intp(number) + np.arange(number)
        asks = np.minimum.reduceat(rarity, starts) % number  # a pair for each prediction
        asks = asks[np.argsort(-np.diff(starts, append=number), kind="stable")]
        asked_by[right[asks]] = asks  # of several, the last stays: the one with the fewest choices
        agreed = asks[asked_by[right[asks]] == asks]
        head_of[left[agreed]], prediction_of[right[agreed]] = right[agreed], left[agreed]
        keep = (head_of[left] < 0) & (prediction_of[right] < 0)
        left, right = left[keep], right[keep]
    return head_of, prediction_of


class _Rows:
    """Which columns each row may be paired with: row i has ``columns[starts[i] : starts[i] + counts[i]]``."""

    def __init__(self, starts: Indices, counts: Indices, columns: Indices) -> None:
        self.starts, self.counts, self.columns = starts, counts, columns

    @classmethod
    def of_pairs(cls, pairs: Indices, rows: int) -> _Rows:
        """From pairs (k, 2) of (row, column), ascending by row."""
        counts = np.bincount(pairs[:, 0], minlength=rows)
        return cls(np.cumsum(counts) - counts, counts, np.ascontiguousarray(pairs[:, 1]))

    def pairs(self) -> Indices:
        """(k, 2) of (row, column), ascending by row."""
        (found,) = self.near(np.arange(len(self.starts)), np.full(self.columns.max(initial=0) + 1, -1))
        return np.column_stack(found)

    def near(self, rows: Indices, parent: Indices) -> Iterator[tuple[Indices, Indices]]:
        """The pairs of these rows whose column has no parent yet, as two (k,)."""
        counts = self.counts[rows]
        ends = np.cumsum(counts)
        places = np.repeat(self.starts[rows] - ends + counts, counts) + np.arange(ends[-1] if len(ends) else 0)
        columns = self.columns[places]
        new = parent[columns] < 0
        yield np.repeat(rows, counts)[new], columns[new]


class _Ball:
    """Which predictions (columns) each head (row) may be paired with, looked up when asked, a few at a time."""

    def __init__(
        self,
        predicted_xy: NDArray[np.float64],
        true_xy: NDArray[np.float64],
        radius_px: NDArray[np.float64],
        predicted_group: Indices,
        true_group: Indices,
    ) -> None:
        self._predicted, self._true, self._radius = predicted_xy, true_xy, radius_px
        self._moved, self._moved_true = _side_by_side(predicted_xy, true_xy, radius_px, predicted_group, true_group)

    def pairs(self) -> int:
        """About how many pairs there are, from a sample of the heads; 0 where they are few anyway."""
        if len(self._predicted) <= _DENSE:
            return 0
        some = np.arange(0, len(self._true), -(-len(self._true) // _SAMPLE))
        found = self._tree(self._moved).query_ball_point(
            self._moved_true[some], self._radius[some] + _SLACK_PX, return_length=True
        )
        return int(np.asarray(found).mean() * len(self._true))

    def nearest_pairs(self) -> Indices:
        """The pairs (k, 2) of (head, prediction) with each head's nearest predictions, ascending by head."""
        several = range(1, 1 + min(_NEAREST, len(self._predicted)))
        reach = float(self._radius.max()) + _SLACK_PX
        found = self._tree(self._moved).query(self._moved_true, k=several, distance_upper_bound=reach)
        near = np.asarray(found[1], dtype=np.intp)
        heads, places = np.nonzero(near < len(self._predicted))
        return np.column_stack(self._within(heads, near[heads, places]))

    def near(self, rows: Indices, parent: Indices) -> Iterator[tuple[Indices, Indices]]:
        """The pairs of these rows whose column has no parent yet, as two (k,), in parts of bounded size."""
        rows = rows[np.argsort(self._radius[rows], kind="stable")]  # like radii together: one search finds few too far
        start, size = 0, 1
        while start < len(rows):
            left = np.flatnonzero(parent < 0)
            if not len(left):
                return
            part = rows[start : start + size]
            start += size
            found = self._tree(self._moved_true[part]).sparse_distance_matrix(
                self._tree(self._moved[left]), float(self._radius[part].max()) + _SLACK_PX, output_type="ndarray"
            )
            yield self._within(part[found["i"]], left[found["j"]])
            size = max(1, min(2 * size, size * _PART // max(1, len(found))))

    def _within(self, heads: Indices, predictions: Indices) -> tuple[Indices, Indices]:
        offsets = self._predicted[predictions] - self._true[heads]
        keep = np.einsum("ij,ij->i", offsets, offsets) <= np.square(self._radius[heads])
        return heads[keep], predictions[keep]

    @staticmethod
    def _tree(points_xy: NDArray[np.float64]) -> cKDTree:
        from scipy.spatial import cKDTree  # start-up time

        # scipy's own builds balance the tree by medians, which costs more than it gives here.
        return cKDTree(points_xy, balanced_tree=False, compact_nodes=False)


def _grow(graph: _Rows | _Ball, column_of: Indices, row_of: Indices) -> None:
    """Augment the matching, in place, until it is maximum.

    In phases: alternating trees grow from all free rows at once, layer by layer, each column in one tree only. A tree
    that meets a free column stops, and after the phase the path from there to its root is turned over; the trees share
    nothing, so all paths are turned at once. A phase in which no tree meets a free column is the proof that none can.
    """
    layers = 0
    while True:
        root = np.full(len(column_of), -1, np.intp)
        parent = np.full(len(row_of), -1, np.intp)  # the row from which a column was reached
        goal = np.full(len(column_of), -1, np.intp)  # the free column that the tree of a root has met
        frontier = np.flatnonzero(column_of < 0)
        root[frontier] = frontier
        while len(frontier) and layers < _MOST_LAYERS:
            layers += isinstance(graph, _Rows)
            following: list[Indices] = []
            for rows, columns in graph.near(frontier, parent):
                grows = goal[root[rows]] < 0
                rows, columns = rows[grows], columns[grows]
                parent[columns] = rows  # of several, the last stays
                first = parent[columns] == rows
                rows, columns = rows[first], columns[first]
                partners = row_of[columns]
                free = partners < 0
                goal[root[rows[free]]] = columns[free]
                root[partners[~free]] = root[rows[~free]]
                following.append(partners[~free])
            frontier = np.concatenate(following) if following else frontier[:0]
            frontier = frontier[goal[root[frontier]] < 0]
        columns = goal[goal >= 0]
        met = len(columns)
        while len(columns):  # from the free columns to the roots, every second link is turned over
            rows = parent[columns]
            before = column_of[rows]
            column_of[rows], row_of[columns] = columns, rows
            columns = before[before >= 0]
        if isinstance(graph, _Rows) and layers >= _MOST_LAYERS:
            # Long thin chains: arrays of a few entries are slower than plain lists.
            forest = _Forest(column_of, row_of)
            forest.grow(graph.pairs())
            column_of[:], row_of[:] = forest.head_of, forest.prediction_of
            return
        if not met:
            return


class _Forest:
    """Alternating trees from all free predictions at once, one link at a time.

    Each tree is rooted in a free prediction and holds heads with their partners. Where a tree meets a free head, its
    path is turned over, the tree is let go, and its heads are taken up by the trees they touch (grafting); no head is
    looked at twice but for that. When nothing is left to grow the matching is maximum.
    """

    def __init__(self, head_of: Indices, prediction_of: Indices) -> None:
        self.head_of: list[int] = head_of.tolist()
        self.prediction_of: list[int] = prediction_of.tolist()
        self._flat: list[tuple[list[int], list[int]]] = []
        self._root = [-1 if head >= 0 else index for index, head in enumerate(self.head_of)]  # of a prediction
        self._taken = bytearray(len(prediction_of))  # heads that are in a tree
        self._parent = [-1] * len(prediction_of)  # the prediction from which a head was reached
        self._members: dict[int, list[int]] = {}  # the heads of a tree, by its root
        self._queue: deque[int] = deque()

    def grow(self, pairs: Indices) -> None:
        """Augment along ``pairs`` (k, 2), ascending by prediction, until the matching is maximum."""
        by_head = pairs[np.argsort(pairs[:, 1], kind="stable")]
        for size, keys, values in (
            (len(self.head_of), pairs[:, 0], pairs[:, 1]),
            (len(self.prediction_of), by_head[:, 1], by_head[:, 0]),
        ):
            self._flat.append((np.searchsorted(keys, np.arange(size + 1)).tolist(), values.tolist()))
        root, taken, parent, queue, members = self._root, self._taken, self._parent, self._queue, self._members
        queue.extend(tree for tree in root if tree >= 0)
        while queue:
            prediction = queue.popleft()
            tree = root[prediction]
            if tree < 0:  # let go since it was queued
                continue
            for head in self._near(0, prediction):
                if taken[head]:
                    continue
                parent[head] = prediction
                partner = self.prediction_of[head]
                if partner < 0:
                    self._augment(tree, head)
                    break
                taken[head] = 1
                root[partner] = tree
                members.setdefault(tree, []).append(head)
                queue.append(partner)

    def _near(self, side: Literal[0, 1], index: int) -> list[int]:
        """The heads that a prediction (side 0) may have, or the predictions that a head (side 1) may have."""
        starts, values = self._flat[side]
        return values[starts[index] : starts[index + 1]]

    def _augment(self, tree: int, head: int) -> None:
        released = self._members.pop(tree, [])
        for member in released:
            self._taken[member] = 0
            self._root[self.prediction_of[member]] = -1
        self._root[tree] = -1
        released.append(head)
        while head >= 0:  # from the free head to the root, every second link is turned over
            prediction = self._parent[head]
            before = self.head_of[prediction]
            self.head_of[prediction], self.prediction_of[head] = head, prediction
            head = before
        for member in released:
            for prediction in self._near(1, member):
                other = self._root[prediction]
                if other >= 0:
                    partner = self.prediction_of[member]
                    self._parent[member], self._taken[member] = prediction, 1
                    self._root[partner] = other
                    self._members.setdefault(other, []).append(member)
                    self._queue.append(partner)
                    break


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


def _radii(radius_px: ArrayLike, heads: int) -> NDArray[np.float64]:
    try:
        radius = np.broadcast_to(np.asarray(radius_px, dtype=np.float64), (heads,))
    except (TypeError, ValueError) as error:
        raise InputError(f"One radius is needed for each of the {heads} heads, or one number for all.") from error
    if not np.isfinite(radius).all() or bool((radius < 0).any()):
        raise InputError("A matching radius must be a finite number of pixels, 0 or more.")
    return radius
