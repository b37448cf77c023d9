"""nAP, density-aware average precision: how well heads are located, measured by how near their neighbours are.

"Rethinking Counting and Localization in Crowds: A Purely Point-Based Framework" (P2PNet; Song et al., ICCV 2021).
From the highest score down, a prediction is true where its distance to a head that no prediction before it has taken
is less than δ × d_kNN, the head's mean distance to its k = 3 nearest neighbours; of several such heads it takes the
one that is nearest by that measure. nAP is the area below the curve of precision and recall of the whole set, as of
PASCAL VOC 2010, reported at δ 0.05, 0.25 and 0.5, and as the mean over 0.05, 0.10 … 0.50.

The paper leaves open what d_kNN is in an image of few heads. Here it is the mean over as many neighbours as there
are; an image of one head has none and is left out; images without heads count, all found in them is false.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from headcount.core.geometry import Points
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.evaluate.metrics.curve import Curve
from headcount.evaluate.metrics.matching import candidate_pairs
from headcount.evaluate.metrics.table import WEAKEST_SCORE, EvaluationSettings, Figure, NotMeasured

NEIGHBOURS = 3
DELTAS = tuple(round(0.05 * step, 2) for step in range(1, 11))
_SHOWN = (0.05, 0.25, 0.5)


class Found(NamedTuple):
    """The predictions of one image: ``scores`` (m,) of all, and ``true`` of those that are true, by δ."""

    scores: NDArray[np.float64]
    true: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True)
class NapResult:
    """The figures.

    Attributes:
        by_delta: nAP at each of ``DELTAS``.
        images, heads: those that were judged.
        lone: the images of one head, which are left out.
        weakest: the curves hold predictions from this score up; None: those alone that the model lets through.
        are_peaks: the points are peaks of a density map.
    """

    by_delta: dict[float, float]
    images: int
    heads: int
    lone: int
    weakest: float | None
    are_peaks: bool = False

    @property
    def mean(self) -> float:
        """The mean over all δ."""
        return sum(self.by_delta.values()) / len(self.by_delta)

    @property
    def protocol(self) -> str:
        """What was done, in words: figures of different protocols are not comparable."""
        return (
            f"from the highest score down, distance < δ × mean distance to {NEIGHBOURS} neighbours; {self._curves}; "
            f"area below the curve of the set; {plural(self.images, 'image')}, {plural(self.lone, 'image')} of one "
            "head left out"
        )

    @property
    def _curves(self) -> str:
        return "no scores below the threshold" if self.weakest is None else f"scores from {self.weakest:g} up"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "protocol": self.protocol, "images": self.images, "heads": self.heads, "images_of_one_head": self.lone,
            "points": "peaks" if self.are_peaks else "heads", "mean": self.mean,
            "by_delta": {f"{delta:g}": value for delta, value in self.by_delta.items()},
        }  # fmt: skip

    def lines(self) -> list[str]:
        """The protocol in short, and the figures of the paper."""
        lone = [f"  {plural(self.lone, 'image')} of one head left out"] if self.lone else []
        cells = [f"δ {delta:.2f} {self.by_delta[delta]:.4f}" for delta in _SHOWN]
        cells.append(f"{DELTAS[0]:.2f}–{DELTAS[-1]:.2f} {self.mean:.4f}")
        return [
            f"nAP: distance < δ × mean distance to {NEIGHBOURS} neighbours; {self._curves}",
            "  " + "   ".join(cells),
            *lone,
        ]

    def figures(self) -> list[Figure]:
        """The mean, of located heads; peaks of a density map are none."""
        return [] if self.are_peaks else [Figure(f"nAP {DELTAS[0]:.2f}–{DELTAS[-1]:.2f}", self.mean, self.protocol)]


class Nap:
    """Accumulates the located heads of each image."""

    def __init__(self, settings: EvaluationSettings) -> None:
        self._kinds: set[str] = {"heads", "peaks"} if settings.peaks_are_heads else {"heads"}
        self._found: list[Found] = []
        self._heads = self._lone = 0
        self._is_located = self._has_scores = self._is_deep = True
        self._are_peaks = False

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image."""
        self.add_with_weaker(scene, prediction, None, seconds)

    def add_with_weaker(self, scene: Scene, prediction: Prediction, weaker: Prediction | None, seconds: float) -> None:
        """As ``add``; ``weaker`` is what the model finds down to ``WEAKEST_SCORE``, the prediction's own heads too."""
        seen = prediction if weaker is None else weaker
        self._is_located &= seen.points_kind in self._kinds
        if not self._is_located:
            return
        self._are_peaks |= seen.points_kind == "peaks"
        self._is_deep &= weaker is not None
        if seen.scores is None:
            self._has_scores = False
        elif scene.count == 1:
            self._lone += 1
        else:
            self._heads += scene.count
            self._found.append(match_points(seen.points_xy, seen.scores, scene.points_xy))

    def result(self) -> NapResult | NotMeasured | None:
        """The figures so far; None of a model that does not locate heads, unless its peaks were asked for."""
        if not self._is_located:
            return None
        if not self._has_scores:
            return NotMeasured("the heads that the model locates have no scores: no nAP")
        if not self._heads:
            return NotMeasured("no image has two heads or more: no nAP")
        scores = np.concatenate([found.scores for found in self._found])
        every = zip(*(found.true for found in self._found), strict=True)
        curves = [Curve.of(scores, np.concatenate(true)) for true in every]
        return NapResult(
            {delta: curve.area(self._heads) for delta, curve in zip(DELTAS, curves, strict=True)},
            images=len(self._found), heads=self._heads, lone=self._lone,
            weakest=WEAKEST_SCORE if self._is_deep else None, are_peaks=self._are_peaks,
        )  # fmt: skip


def neighbour_distance(points_xy: Points, k: int = NEIGHBOURS) -> NDArray[np.float64]:
    """(n,) mean distance of each of two points or more (n, 2) to its k nearest others, or to all where they are fewer.

    >>> neighbour_distance(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [5.0, 5.0]
    """
    distance = np.asarray(cKDTree(points_xy).query(points_xy, k=min(k + 1, len(points_xy)))[0])
    mean: NDArray[np.float64] = distance[:, 1:].mean(axis=1)  # the first is the point itself
    return mean


def match_points(points_xy: Points, scores: NDArray[np.float64], heads_xy: Points) -> Found:
    """Which predictions (m, 2) of one image, with their ``scores`` (m,), are heads (n, 2), at each of ``DELTAS``.

    Of equal scores the one further left goes first, then the one further up.

    >>> heads = np.array([[0.0, 0.0], [10.0, 0.0]])
    >>> found = match_points(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([0.9, 0.4]), heads)
    >>> [true.tolist() for true in found.true[:3]]
    [[0.4], [0.4], [0.9]]
    """
    if not len(heads_xy) or not len(points_xy):
        return Found(scores, tuple(np.zeros(0) for _ in DELTAS))
    reach = neighbour_distance(heads_xy)
    point, head = candidate_pairs(points_xy, heads_xy, DELTAS[-1] * reach).T
    offsets = points_xy[point] - heads_xy[head]
    with np.errstate(divide="ignore", invalid="ignore"):  # heads at one place
        share = np.hypot(offsets[:, 0], offsets[:, 1]) / reach[head]
    rank = np.empty(len(points_xy), np.intp)
    rank[np.lexsort((points_xy[:, 1], points_xy[:, 0], -scores))] = np.arange(len(points_xy))
    order = np.lexsort((head, share, rank[point]))
    point, head, share = point[order], head[order], share[order]
    true = []
    for delta in DELTAS:
        near = share < delta
        taken, done, kept = set[int](), set[int](), []
        for one, other in zip(point[near].tolist(), head[near].tolist(), strict=True):
            if one not in done and other not in taken:
                done.add(one)
                taken.add(other)
                kept.append(one)
        true.append(scores[kept])
    return Found(scores, tuple(true))
