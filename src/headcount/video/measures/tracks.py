"""Short tracks of heads: which head of a frame is which of the frame before, for as long as a line takes to cross."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import Points
from headcount.core.homography import Floats

FASTEST_M_S = 2.0
"""Who was seen only once may have gone so fast: a hurried walk. With a longer reach heads take each other's tracks."""
TURN_M_S = 0.6
"""By so much may the velocity of who was followed for a while change within a second, as one stops or turns."""
UNSURE_M = 0.3
"""So far off may a head be put in either frame."""
_GAP_S, _GAP_FRAMES = 1.0, 2.5
_NEWER = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Where heads that are followed went from one frame to the next; arrays of one length, ordered by ``ids``.

    Attributes:
        ids: (n,) number of each track, never used again.
        before, now: (n, 2) where it was last seen before, and where it is; the same of a new or unseen one.
        per_m: (n,) how much of the points' unit a metre is there.
        elapsed_s: (n,) how long ago ``before`` was; 0 of a new or unseen one.
        seen: (n,) in how many frames it was found so far.
    """

    ids: NDArray[np.int64]
    before: Points
    now: Points
    per_m: Floats
    elapsed_s: Floats
    seen: NDArray[np.int64]

    @property
    def speeds_m_s(self) -> Floats:
        """(k,) of those that were found in this frame and in at least two before it."""
        moved = (self.elapsed_s > 0) & (self.seen > 2)
        way = np.linalg.norm(self.now[moved] - self.before[moved], axis=1)
        speeds: Floats = way / self.per_m[moved] / self.elapsed_s[moved]
        return speeds


def _none() -> Steps:
    nobody, nowhere = np.zeros(0, np.int64), np.zeros((0, 2))
    return Steps(nobody, nowhere, nowhere, np.zeros(0), np.zeros(0), nobody)


@dataclass(slots=True, eq=False)
class Tracker:
    """Follows points from frame to frame, each as if it went on as before, by the least sum of distances.

    A head may be unseen for a second, or for two frames. Distances are in the points' own unit: metres on the ground,
    or pixels with the pixels that a metre takes at each head. Assignment is that of Kuhn and Munkres over all pairs
    within reach (Jonker and Volgenant's algorithm for sparse matrices, in scipy).
    """

    _tracks: Steps = field(default_factory=_none)
    _velocity: Points = field(default_factory=lambda: np.zeros((0, 2)))
    _last_s: Floats = field(default_factory=lambda: np.zeros(0))
    _at_s: float | None = None
    _next: int = 0

    def follow(self, points: Points, at_s: float, per_m: Floats | None = None) -> Steps:
        """Take the next frame's points (n, 2), seen at ``at_s`` seconds, later than the last ones.

        Args:
            points: (n, 2) heads.
            at_s: when, in seconds.
            per_m: (n,) how much of the points' unit a metre is at each; None: 1, they are in metres.
        """
        scale = np.ones(len(points)) if per_m is None else per_m
        frame_s = 0.0 if self._at_s is None else at_s - self._at_s
        self._at_s = at_s
        self._keep(at_s - self._last_s <= max(_GAP_S, _GAP_FRAMES * frame_s))
        track, point = self._matched(points, at_s)
        old = self._tracks
        before, now, sizes = old.now.copy(), old.now.copy(), old.per_m.copy()
        elapsed, seen = np.zeros(len(old.ids)), old.seen.copy()
        now[track], sizes[track] = points[point], scale[point]
        elapsed[track] = at_s - self._last_s[track]
        step = (now[track] - before[track]) / elapsed[track][:, None]
        newer = np.where(seen[track] > 1, _NEWER, 1.0)[:, None]
        self._velocity[track] += newer * (step - self._velocity[track])
        self._last_s[track] = at_s
        seen[track] += 1
        new = np.setdiff1d(np.arange(len(points)), point)
        ids = self._next + np.arange(len(new))
        self._next += len(new)
        self._velocity = np.concatenate([self._velocity, np.zeros((len(new), 2))])
        self._last_s = np.concatenate([self._last_s, np.full(len(new), at_s)])
        self._tracks = Steps(
            np.concatenate([old.ids, ids]),
            np.concatenate([before, points[new]]),
            np.concatenate([now, points[new]]),
            np.concatenate([sizes, scale[new]]),
            np.concatenate([elapsed, np.zeros(len(new))]),
            np.concatenate([seen, np.ones(len(new), np.int64)]),
        )
        return self._tracks

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        old = self._tracks
        self._tracks = Steps(
            old.ids[kept], old.before[kept], old.now[kept], old.per_m[kept], old.elapsed_s[kept], old.seen[kept]
        )
        self._velocity, self._last_s = self._velocity[kept], self._last_s[kept]

    def _matched(self, points: Points, at_s: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Tracks and the points that they go on with, two arrays of one length."""
        from scipy.spatial import cKDTree  # start-up time

        tracks, nobody = self._tracks, np.zeros(0, np.intp)
        if not len(tracks.ids) or not len(points):
            return nobody, nobody
        elapsed = at_s - self._last_s
        expected = tracks.now + self._velocity * elapsed[:, None]
        reach = tracks.per_m * (UNSURE_M + np.where(tracks.seen > 1, TURN_M_S, FASTEST_M_S) * elapsed)
        near = cKDTree(points).query_ball_point(expected, reach)
        track = np.repeat(np.arange(len(near)), [len(one) for one in near])
        point = np.concatenate([np.asarray(one, np.intp) for one in near])
        away = np.linalg.norm(points[point] - expected[track], axis=1)
        return _assigned(track, point, away, reach, len(points))


def _assigned(
    track: NDArray[np.intp], point: NDArray[np.intp], away: Floats, reach: Floats, n_points: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pairs of the least sum of distances, where a track that stays alone costs its reach."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    every = np.arange(len(reach))
    # A sparse matrix takes a weight of 0 for no edge, hence the shift.
    weight = 1e-6 + np.concatenate([away, reach])
    graph = csr_array(
        (weight, (np.concatenate([track, every]), np.concatenate([point, n_points + every]))),
        shape=(len(reach), n_points + len(reach)),
    )
    rows, columns = min_weight_full_bipartite_matching(graph)
    kept = columns < n_points
    return rows[kept].astype(np.intp), columns[kept].astype(np.intp)
