"""The pace of frames: when those of a recording are due, and when a reader that fell behind must pass some over."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

_BEHIND_S = 1.0
"""A reader that is later than this passes over what it can, until it is not any more."""
_WINDOW_S, _LEAST_PACKETS, _WAITING, _CAUGHT_UP_S = 2.0, 10, 0.02, 0.005
_LAG_WINDOW_S, _LEAP_S = 60.0, 30.0
_SPARSE_S = 0.5
"""While it passes frames over, one of those that need no other is read so often all the same."""


@dataclass(slots=True)
class Pace:
    """When the frames of a recording are due, played as it was filmed.

    >>> pace = Pace()
    >>> pace.wait_s(0.0, now=100.0), pace.wait_s(0.04, now=100.01), pace.wait_s(0.08, now=100.5)
    (0.0, 0.03, 0.0)
    >>> pace.behind_s(0.08, now=100.5)
    0.42
    """

    start: float | None = None

    def wait_s(self, second: float, now: float) -> float:
        """How long to wait until a frame of this second is due; 0 where it is late."""
        if self.start is None:
            self.start = now - second
        return max(0.0, round(self.start + second - now, 6))

    def behind_s(self, second: float, now: float) -> float:
        """By how much it is late; 0 where it is not."""
        return 0.0 if self.start is None else max(0.0, round(now - self.start - second, 6))


@dataclass(slots=True)
class Due:
    """Which frames of a recording are measured where each that is due must be: the first at or after every step.

    >>> due = Due(per_second=2)
    >>> [second for second in (0, 0.2, 0.4, 0.6, 1.3, 1.4, 1.5) if due.takes(second, 0.0)]
    [0, 0.6, 1.3, 1.5]
    """

    per_second: float
    _next: int = 0

    def takes(self, second: float, frame_s: float) -> bool:
        """Whether the frame of this second is due; ``frame_s``: the time between two frames, of which half is forgiven.

        So a step of 1 s takes the frame at 0.99 s of a film whose frames lie a little off.
        """
        slot = math.floor((second + min(frame_s / 2, 0.5 / self.per_second)) * self.per_second + 1e-9)
        if slot < self._next:
            return False
        self._next = slot + 1
        return True


@dataclass(slots=True)
class Backlog:
    """Whether data of a live camera come faster than they are read.

    A reader that keeps up waits for the network most of the time. One that never waits has a growing heap of frames
    before it, each older than the one that the camera sends now.

    >>> backlog = Backlog()
    >>> any(backlog.packet(waited_s=0.03, now=k * 0.04) for k in range(200))
    False
    >>> any(backlog.packet(waited_s=0.0, now=8 + k * 0.04) for k in range(200))
    True
    """

    _since: float | None = None
    _waited_s: float = 0.0
    _packets: int = 0

    def packet(self, waited_s: float, now: float) -> bool:
        """Take in that a packet came after such a wait; True where the reader is behind."""
        if self._since is None or waited_s > _WAITING * _WINDOW_S:
            self._since, self._waited_s, self._packets = now, 0.0, 0
            return False
        self._waited_s += waited_s
        self._packets += 1
        over_s = now - self._since
        if over_s < _WINDOW_S:
            return False
        is_behind = self._packets >= _LEAST_PACKETS and self._waited_s < _WAITING * over_s
        self._since, self._waited_s, self._packets = now, 0.0, 0
        return is_behind


@dataclass(slots=True)
class Lag:
    """Whether the frames of a live camera are read later and later after they were taken, by its own clock.

    A camera's clock goes a little faster or slower than this machine's, so what counts is by how much they fell back
    within a minute.

    >>> lag = Lag()
    >>> any(lag.frame(second=0.04 * k, now=5 + 0.04 * k + 0.3 * (k % 2)) for k in range(5000))
    False
    >>> any(lag.frame(second=200 + 0.04 * k, now=205 + 0.05 * k) for k in range(500))
    True
    """

    _least: deque[tuple[float, float]] = field(default_factory=deque)  # (since when, least) of each second

    def frame(self, second: float, now: float) -> bool:
        """Take in that a frame of this second was read now; True where the reader is behind."""
        late_s = now - second
        if not self._least or now - self._least[-1][0] >= 1:
            self._least.append((now, late_s))
        elif late_s < self._least[-1][1]:
            self._least[-1] = (self._least[-1][0], late_s)
        while now - self._least[0][0] > _LAG_WINDOW_S:
            self._least.popleft()
        ahead_s = late_s - min(least for _, least in self._least)
        if ahead_s > _LEAP_S:  # its clock was set
            self._least.clear()
            return False
        return is_behind(ahead_s)


@dataclass(slots=True)
class CatchUp:
    """Which packets are decoded: all, or while the reader is behind those alone that need no other before them.

    A packet that was passed over is missed by those that refer to it: until the next one that refers to none, all are.

    >>> catching = CatchUp()
    >>> [catching.wants(is_key=key, behind=behind, now=0.1 * n) for n, (key, behind) in enumerate(
    ...     [(True, False), (False, False), (False, True), (False, False), (True, False), (False, False)])]
    [True, True, False, False, True, True]
    """

    passing: bool = False
    _last: float = -math.inf

    def wants(self, *, is_key: bool, behind: bool, now: float) -> bool:
        """Whether to decode the next packet."""
        if behind:
            self.passing = True
            if not is_key or now - self._last < _SPARSE_S:
                return False
        elif self.passing:
            if not is_key:
                return False
            self.passing = False
        self._last = now
        return True


def is_behind(behind_s: float) -> bool:
    """Whether a frame that is so late is to be passed over."""
    return behind_s > _BEHIND_S


def is_drained(waited_s: float) -> bool:
    """Whether a wait for a packet shows that no older ones lie before it."""
    return waited_s > _CAUGHT_UP_S
