"""Pairing predicted points with heads: a maximum matching of those that lie within each head's own radius.

Two matchers, equal in the number of pairs and so in precision, recall and F1; which head is paired, and so the recall
by level, may differ. ``fast`` starts greedily and then grows augmenting trees from every free prediction at once
(Azad et al., "Computing Maximum Cardinality Matchings in Parallel on Bipartite Graphs via Tree-Grafting", TPDS 2017;
here in one thread). ``reference`` is Kuhn's algorithm in the order in which the official NWPU-Crowd evaluation visits
predictions and heads. Neither recurses. SciPy's ``maximum_bipartite_matching`` is not used: its depth-first search
never marks dead ends, and in a dense crowd of 10,000 heads it does not come back.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.core.errors import InputError, nearest
from headcount.core.scene import as_points

Matcher = Literal["fast", "reference"]
MATCHERS: tuple[Matcher, ...] = get_args(Matcher)
Indices = NDArray[np.intp]

_SLACK_PX = 1e-3  # the tree may round; distances are compared again, exactly
_GREEDY_ROUNDS = 32
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
    return match_pairs(candidate_pairs(predicted, true, radius_px), len(predicted), len(true), matcher=matcher)


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
    # Images are laid side by side, further apart than any radius.
    both = np.concatenate([predicted_xy, true_xy])
    low = both.min(axis=0)
    width = float(both[:, 0].max() - low[0]) + float(radius_px.max()) + 1.0
    moved, moved_true = predicted_xy - low, true_xy - low
    moved[:, 0] += predicted_group * width
    moved_true[:, 0] += true_group * width
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
    return pairs[np.argsort(pairs[:, 0] * np.intp(len(true_xy)) + pairs[:, 1])]


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
    thresholds = np.asarray(thresholds_px, dtype=np.float64)
    if (
        thresholds.ndim != 1
        or not (np.isfinite(thresholds) & (thresholds >= 0)).all()
        or (np.diff(thresholds) <= 0).any()
    ):
        raise InputError("Distance thresholds must ascend from 0 px or more, as in 1, 2, …, 100.")
    sizes = np.zeros(len(thresholds), dtype=np.intp)
    full = min(len(predicted), len(true))
    if not full:
        return sizes
    forest = _Forest(len(predicted), len(true))
    for index, new in enumerate(_by_threshold(predicted, true, thresholds)):
        forest.add(new)
        forest.grow()
        sizes[index] = forest.matched
        if forest.matched == full:
            sizes[index:] = full
            break
    return sizes


def _by_threshold(
    predicted: NDArray[np.float64], true: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> Iterator[Indices]:
    """The pairs that each threshold adds; looked up in strides of doubling reach, since few images need the last."""
    start, below = 0, -1.0
    while start < len(thresholds):
        reach = max(2 * below, 8.0)
        stop = max(start + 1, int(np.searchsorted(thresholds, reach, side="right")))
        top = float(thresholds[stop - 1])
        pairs = candidate_pairs(predicted, true, top)
        offsets = predicted[pairs[:, 0]] - true[pairs[:, 1]]
        squared = np.einsum("ij,ij->i", offsets, offsets)
        step = np.searchsorted(np.square(thresholds[start:stop]), squared, side="left")
        if below >= 0:
            new = squared > below**2
            pairs, step = pairs[new], step[new]
        pairs = pairs[np.argsort(step, kind="stable")]  # still ascending by prediction within a step
        ends = np.cumsum(np.bincount(step, minlength=stop - start))
        yield from np.split(pairs, ends[:-1])
        start, below = stop, top


def _fast(pairs: Indices, predictions: int, heads: int) -> Indices:
    head_of, prediction_of = _greedy(pairs, predictions, heads)
    forest = _Forest(predictions, heads, head_of, prediction_of)
    # A part without a free prediction or without a free head is finished; most are, and stay out of the slow loop.
    forest.add(pairs[_open(pairs, head_of, prediction_of)])
    forest.grow()
    return np.asarray(forest.head_of, dtype=np.intp)


def _open(pairs: Indices, head_of: Indices, prediction_of: Indices) -> NDArray[np.bool_]:
    """Which pairs lie in a connected part that holds both a free prediction and a free head: (k,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    predictions, heads = len(head_of), len(prediction_of)
    size = predictions + heads
    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1] + predictions)), shape=(size, size))
    count, part = connected_components(links, directed=False)
    part = np.asarray(part)
    free = np.zeros((2, count), dtype=np.bool_)
    free[0, part[:predictions][head_of < 0]] = True
    free[1, part[predictions:][prediction_of < 0]] = True
    both: NDArray[np.bool_] = (free[0] & free[1])[part[pairs[:, 0]]]
    return both


def _greedy(pairs: Indices, predictions: int, heads: int) -> tuple[Indices, Indices]:
    """A matching to start from: in rounds, pairs that are each other's choice, those with few other choices first."""
    head_of, prediction_of = np.full(predictions, -1, np.intp), np.full(heads, -1, np.intp)
    left, right = pairs[:, 0], pairs[:, 1]
    choice_left, choice_right = np.empty(predictions, np.intp), np.empty(heads, np.intp)
    for _ in range(_GREEDY_ROUNDS):  # a few rounds find nearly all; a long chain would take one for each link
        if not len(left):
            break
        degree_left = np.bincount(left, minlength=predictions)[left]
        degree_right = np.bincount(right, minlength=heads)[right]
        rank = np.minimum(degree_left, degree_right) * np.intp(heads + predictions) + degree_left + degree_right
        order = np.argsort(-rank, kind="stable")
        left, right = left[order], right[order]
        number = np.arange(len(left))
        choice_left[left] = number  # of several, the last stays: the one of the lowest degree
        choice_right[right] = number
        agreed = (choice_left[left] == number) & (choice_right[right] == number)
        head_of[left[agreed]], prediction_of[right[agreed]] = right[agreed], left[agreed]
        keep = (head_of[left] < 0) & (prediction_of[right] < 0)
        left, right = left[keep], right[keep]
    return head_of, prediction_of


class _Forest:
    """Alternating trees from all free predictions at once, kept from one threshold to the next.

    Each tree is rooted in a free prediction and holds heads with their partners. Where a tree meets a free head, its
    path is turned over, the tree is let go, and its heads are taken up by the trees they touch (grafting); no head is
    looked at twice but for that. When nothing is left to grow the matching is maximum.
    """

    def __init__(
        self, predictions: int, heads: int, head_of: Indices | None = None, prediction_of: Indices | None = None
    ) -> None:
        self.head_of: list[int] = [-1] * predictions if head_of is None else head_of.tolist()
        self.prediction_of: list[int] = [-1] * heads if prediction_of is None else prediction_of.tolist()
        self.matched = predictions - self.head_of.count(-1)
        # The first pairs lie flat, which is quicker made than a list for each point; later ones are few for each.
        self._flat: list[tuple[list[int], list[int]]] = []
        self._more: tuple[dict[int, list[int]], dict[int, list[int]]] = ({}, {})
        self._root = [-1 if head >= 0 else index for index, head in enumerate(self.head_of)]  # of a prediction
        self._taken = bytearray(heads)  # heads that are in a tree
        self._parent = [-1] * heads  # the prediction from which a head was reached
        self._members: dict[int, list[int]] = {}  # the heads of a tree, by its root
        self._queue: deque[int] = deque()

    def add(self, pairs: Indices) -> None:
        """Let these pairs (k, 2), ascending by prediction, be matched from now on, too."""
        if not len(pairs):
            return
        if not self._flat:
            by_head = pairs[np.argsort(pairs[:, 1], kind="stable")]
            for size, keys, values in (
                (len(self.head_of), pairs[:, 0], pairs[:, 1]),
                (len(self.prediction_of), by_head[:, 1], by_head[:, 0]),
            ):
                self._flat.append((np.searchsorted(keys, np.arange(size + 1)).tolist(), values.tolist()))
        else:
            for prediction, head in pairs.tolist():
                self._more[0].setdefault(prediction, []).append(head)
                self._more[1].setdefault(head, []).append(prediction)
        # Predictions outside every tree wait: a tree that reaches one looks at all its heads.
        self._queue.extend(prediction for prediction in np.unique(pairs[:, 0]).tolist() if self._root[prediction] >= 0)

    def grow(self) -> None:
        """Augment until the matching is maximum."""
        root, taken, parent, queue, members = self._root, self._taken, self._parent, self._queue, self._members
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
        first = values[starts[index] : starts[index + 1]]
        more = self._more[side].get(index)
        return first if more is None else first + more

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
        self.matched += 1
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
