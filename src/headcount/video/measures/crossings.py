"""Who crosses a line: each walker once a crossing, how many a minute, and when nobody can tell."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import Points
from headcount.core.homography import Floats
from headcount.core.words import percent
from headcount.video.measures.tracks import Steps, Tracker

BAND_M = 0.15
"""Who is nearer to a line has not changed sides yet: a head that is seen now here, now there counts once or never."""
WALKING_M_S = 1.4
"""How fast people are taken to walk until it was measured."""
WINDOW_S, LEAST_S = 60.0, 10.0
"""Crossings a minute are of the last minute; of less than ten seconds nothing is said."""
TOLD_APART = 0.8
"""The share of the people counted that must be heads with a place."""
_FAR, _TOO_FAR = 0.5, 0.6
"""A step of more than half of the way to the next head could end nearer to another one. It is given up a little later
than it is begun, so that it does not change from frame to frame."""
_LEAST_WALKING_M_S, _FASTER = 0.5, 1.25
_RECENT = 9
_LEAST_SPEEDS, _LEAST_MEASURED = 5, 10
_LONG_S = 10.0
_HANDFUL = 2
"""Of few people so many may lack a place: a density is never quite 0."""


@dataclass(slots=True, eq=False)
class LineCounter:
    """Counts who crosses one line between its ends.

    Attributes:
        ends: (2, 2) in the tracks' unit.
        right: 1 or −1: the sign of (end 2 − end 1) × (place − end 1) on its right side.
        forward, backward: crossings so far, from left to right as seen from the first end to the second, and back.
    """

    ends: Points
    right: int = 1
    forward: int = 0
    backward: int = 0
    _ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _side: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _between: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def take(self, steps: Steps) -> tuple[int, int]:
        """How many crossed, forward and backward, with these steps.

        A crossing counts once the walker is farther than ``BAND_M`` beyond the line, where the last step over it was
        between its ends.
        """
        before, along_before = self._places(steps.before, steps.per_m)
        now, along = self._places(steps.now, steps.per_m)
        side, between = self._known(steps.ids, np.sign(before).astype(np.int64))
        over = (before > 0) != (now > 0)
        share = np.divide(before, before - now, out=np.zeros_like(now), where=over)
        at = along_before + share * (along - along_before)
        between = np.where(over, (at >= 0) & (at <= 1), between)
        beyond = np.where(np.abs(now) > BAND_M, np.sign(now), 0).astype(np.int64)
        crossed = (beyond != 0) & (side != 0) & (beyond != side) & between
        forward, backward = int((crossed & (beyond > 0)).sum()), int((crossed & (beyond < 0)).sum())
        self.forward, self.backward = self.forward + forward, self.backward + backward
        self._ids, self._side, self._between = steps.ids, np.where(beyond != 0, beyond, side), between
        return forward, backward

    def forget(self) -> None:
        """Forget on which side who is followed was."""
        self._ids = np.zeros(0, np.int64)

    def _known(self, ids: NDArray[np.int64], new: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The side that each track was on (``new``: of a new one), and whether it last came over between the ends."""
        if not len(self._ids):
            return new, np.zeros(len(ids), np.bool_)
        at = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        same = self._ids[at] == ids
        return np.where(same, self._side[at], new), same & self._between[at]

    def _places(self, points: Points, per_m: Floats) -> tuple[Floats, Floats]:
        """How far in metres to the right of the line points lie, and how far along it, 0 to 1 between its ends."""
        way, away = self.ends[1] - self.ends[0], points - self.ends[0]
        length = float(np.linalg.norm(way))
        aside = self.right * (way[0] * away[:, 1] - way[1] * away[:, 0]) / length / per_m
        return aside, away @ way / length**2


@dataclass(frozen=True, slots=True)
class Passed:
    """What is told of a line.

    Attributes:
        forward, backward: crossings since the start.
        lately: (forward, backward) crossings of the last minute.
        per_min: ``lately`` times this is a minute's: 1 once a whole minute was seen; None until ten seconds were, or
            where heads cannot be followed now.
    """

    forward: int
    backward: int
    lately: tuple[int, int]
    per_min: float | None


class Crossings:
    """Follows the heads of a camera over its lines.

    Args:
        lines: (ends (2, 2), right) of each, as of ``LineCounter``.
    """

    def __init__(self, lines: list[tuple[Points, int]]) -> None:
        self._counters = [LineCounter(ends, right) for ends, right in lines]
        self._tracker = Tracker()
        self._passed: list[deque[tuple[float, int, int]]] = [deque() for _ in lines]
        self._followed: deque[tuple[float, float]] = deque()
        self._gaps_m: deque[float] = deque(maxlen=_RECENT)
        self._frames_s: deque[float] = deque(maxlen=_RECENT)
        self._speeds: deque[tuple[float, float]] = deque()
        self._at_s: float | None = None
        self._is_lost = False

    def take(self, points: Points, at_s: float, per_m: Floats | None = None) -> str:
        """Take a frame's heads, as ``Tracker.follow`` does.

        Returns:
            Why they cannot be followed, in a sentence; empty where they can.
        """
        if self._at_s is not None and at_s == self._at_s:
            return ""
        if self._at_s is not None and not 0 < at_s - self._at_s < _LONG_S:
            self.forget()  # the clock was set, or nothing was seen for long
        frame_s = None if self._at_s is None else at_s - self._at_s
        self._at_s = at_s
        # Followed in any case, to see how fast they walk: wrong matches make for long steps, not for short ones.
        steps = self._tracker.follow(points, at_s, per_m)
        speeds = steps.speeds_m_s
        if len(speeds) >= _LEAST_SPEEDS:
            self._speeds.append((at_s, float(np.median(speeds))))
        self._drop_old(at_s)
        reason = self._too_far(points, frame_s, per_m)
        if reason:
            self._lose()
            return reason
        if frame_s is not None and not self._is_lost:
            self._followed.append((at_s - frame_s, at_s))
        self._is_lost = False
        for counter, passed in zip(self._counters, self._passed, strict=True):
            forward, backward = counter.take(steps)
            if forward or backward:
                passed.append((at_s, forward, backward))
        return ""

    def move(self, lines: list[tuple[Points, int]]) -> None:
        """Put the lines, as many as before, to other places, as in frames of another size."""
        for counter, (ends, right) in zip(self._counters, lines, strict=True):
            counter.ends, counter.right = ends, right
        self._tracker = Tracker()
        self._lose()

    def refuse(self, at_s: float) -> None:
        """Note a frame whose heads could not be told apart."""
        self._at_s, self._tracker = at_s, Tracker()
        self._lose()
        self._drop_old(at_s)

    def forget(self) -> None:
        """Begin anew, with the crossings so far."""
        self._lose()
        self._at_s, self._tracker = None, Tracker()
        self._followed.clear()
        self._speeds.clear()
        self._gaps_m.clear()
        self._frames_s.clear()
        for passed in self._passed:
            passed.clear()

    def passed(self) -> list[Passed]:
        """What is told of each line now."""
        seen_s = sum(until - since for since, until in self._followed)
        per_min = None if seen_s < LEAST_S or self._is_lost else WINDOW_S / seen_s
        return [
            Passed(counter.forward, counter.backward, (sum(p[1] for p in passed), sum(p[2] for p in passed)), per_min)
            for counter, passed in zip(self._counters, self._passed, strict=True)
        ]

    @property
    def walking_m_s(self) -> float:
        """How fast people are taken to walk: as measured of late, a little faster to be safe."""
        if len(self._speeds) < _LEAST_MEASURED:
            return WALKING_M_S
        return max(_LEAST_WALKING_M_S, _FASTER * float(np.median([speed for _, speed in self._speeds])))

    def _lose(self) -> None:
        self._is_lost = True
        for counter in self._counters:
            counter.forget()

    def _too_far(self, points: Points, frame_s: float | None, per_m: Floats | None) -> str:
        """Why heads move too far between frames to be told which is which; empty where they do not."""
        if frame_s is None:
            return ""
        self._frames_s.append(frame_s)
        gap = nearest_m(points, per_m)
        if gap is not None:
            self._gaps_m.append(gap)
        if not self._gaps_m:
            return ""
        step, way = float(np.median(self._frames_s)) * self.walking_m_s, float(np.median(self._gaps_m))
        if step <= (_FAR if self._is_lost else _TOO_FAR) * way:
            return ""
        rate = math.ceil(self.walking_m_s / way / _FAR) if way > 0 else 0
        return (
            f"Between two frames people walk {step:.1f} m, more than half of the {way:.1f} m to the next head, so that "
            f"nobody can tell which is which: measure {rate:,} frames a second or more."
        )

    def _drop_old(self, at_s: float) -> None:
        since = at_s - WINDOW_S
        while self._followed and self._followed[0][1] <= since:
            self._followed.popleft()
        if self._followed and self._followed[0][0] < since:
            self._followed[0] = (since, self._followed[0][1])
        for passed in self._passed:
            while passed and passed[0][0] <= since:
                passed.popleft()
        while self._speeds and self._speeds[0][0] <= since:
            self._speeds.popleft()


def nearest_m(points: Points, per_m: Floats | None = None) -> float | None:
    """The middle one of the distances from each head to the next one, in metres; None of fewer than two.

    >>> nearest_m(np.array([[0.0, 0], [0, 2], [0, 5]]))
    2.0
    """
    from scipy.spatial import cKDTree  # start-up time

    if len(points) < 2:
        return None
    away = np.asarray(cKDTree(points).query(points, k=2)[0])[:, 1]
    return float(np.median(away if per_m is None else away / per_m))


def told_apart(people: float, heads: int, kind: str) -> str:
    """Why heads cannot be told apart, in a sentence; empty where they can.

    >>> told_apart(100, 77, "heads")
    'Of the 100 people counted only 77 are heads with a place, fewer than 80 %: nobody can tell who is who.'
    """
    if kind != "heads":
        return "This model counts people without locating each head: choose one that locates heads."
    if heads < TOLD_APART * people - _HANDFUL:
        return (
            f"Of the {people:,.0f} people counted only {heads:,} are heads with a place, fewer than "
            f"{percent(TOLD_APART)}: nobody can tell who is who."
        )
    return ""
