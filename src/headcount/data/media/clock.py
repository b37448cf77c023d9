"""The time of a video's frames: it only grows, whatever the container's clock says.

A clock that goes astray for a few frames is trusted again; one that starts anew, as in recordings joined end to end,
is gone on from; one that has not begun yet (frames before its zero) is counted by frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

_SETTLED = 16
"""Frames after which a clock that stepped back is taken to have started anew."""
_PAUSE_S, _STEADY_PAUSE_S, _STEADY_PAUSE_FRAMES = 1.0, 0.3, 5
"""Time without a frame that is worth telling; less, where all other frames come steadily."""
_STEADY = 0.9
"""The part of the frames that come at the video's rate where it is steady."""
_FEW = 10
"""A video of which one frame in so many comes after a long wait was recorded so."""
_LEAP_S = 86_400.0
"""A clock that goes on by more is wrong: no recording pauses for a day and stays one file."""

_LAST_S = 1e11
"""A clock beyond three thousand years says nothing: sums of such times lose the frames, or are no numbers any more."""


@dataclass(slots=True)
class Gap:
    """A stretch of a video without frames.

    Attributes:
        second: that of the last frame before it.
        seconds: about how long it is.
    """

    second: float
    seconds: float


@dataclass(slots=True)
class _Turn:
    """A step back that may be a frame or two astray: how it was before, and the number of the frame before it."""

    shift: float
    second: float
    frames: int


@dataclass(slots=True)
class Clock:
    """Turns what a container says of each frame into seconds that grow.

    Attributes:
        frame_s: the time between two frames, where nothing says better.
        second: the time of the last frame.
        frames: how many there were.
        leapt: whether the clock once went on by more than a day.

    >>> clock = Clock(frame_s=0.1)
    >>> [clock.tick(second) for second in (0, 0.1, 0, 0.1)]  # two recordings, joined
    [0, 0.1, 0.2, 0.3]
    """

    frame_s: float
    second: float = 0.0
    frames: int = 0
    leapt: bool = False
    _pauses: list[Gap] = field(default_factory=list)
    _steps: list[float] = field(default_factory=list)
    _shift: float = 0.0  # what is added to the container's clock
    _steady: int = 0  # frames that came at the video's rate
    _runs: bool = False  # whether it ever said more than 0
    _turn: _Turn | None = None

    @property
    def steps(self) -> Sequence[float]:
        """The seconds at which the container's clock began anew, or leapt by more than a day."""
        return [*self._steps, *self._open_step]

    @property
    def _open_step(self) -> list[float]:
        # The last frame of a stream often has no time of its own.
        turn = self._turn
        return [] if turn is None or self.frames - turn.frames < 2 else [turn.second]

    @property
    def pauses(self) -> Sequence[Gap]:
        """Long stretches over which the clock went on and no frame came; none where such waits are usual."""
        is_steady = self._steady >= _STEADY * (self.frames - 1)
        least_s = max(_STEADY_PAUSE_S, _STEADY_PAUSE_FRAMES * self.frame_s) if is_steady else _PAUSE_S
        found = [gap for gap in self._pauses if gap.seconds >= least_s]
        return found if len(found) * _FEW <= self.frames else []

    def tick(self, clock_s: float, *, behind_damage: bool = False) -> float:
        """The second of the next frame; ``behind_damage``: what lies before it could not be read, which is told."""
        clock_s = clock_s if abs(clock_s) <= _LAST_S else 0.0  # not a number is not either
        if self.frames == 0:
            self.second, self._runs = max(clock_s, 0.0), clock_s > 0
        elif not self._runs and clock_s <= 0:
            self.second = self.frames * self.frame_s
        else:
            if not self._runs:
                self._runs = True
                self._shift = max(0.0, self.second + self.frame_s - clock_s) if self.frames > 1 else 0.0
            self._follow(clock_s, behind_damage)
        self.frames += 1
        return round(self.second, 9)

    def _follow(self, clock_s: float, behind_damage: bool) -> None:
        turn = self._turn
        if turn is not None and clock_s + turn.shift > turn.second + self.frame_s / 2:
            self._shift, self._turn, turn = turn.shift, None, None  # it was astray
            self.second = max(clock_s + self._shift, self.second + 0.001)
            return
        ahead_s = clock_s + self._shift - self.second
        if ahead_s < 0:
            if turn is None:
                self._turn = _Turn(self._shift, self.second, self.frames)
            self._shift += self.frame_s - ahead_s
        elif ahead_s > _LEAP_S:
            self.leapt = True
            self._steps.append(self.second)
            self._shift += self.frame_s - ahead_s
        elif ahead_s - self.frame_s >= _STEADY_PAUSE_S:
            if not behind_damage:
                self._pauses.append(Gap(self.second, ahead_s - self.frame_s))
        else:
            self._steady += 0.5 < ahead_s / self.frame_s < 1.5
        self.second = max(clock_s + self._shift, self.second + 0.001)
        if turn is not None and self.frames - turn.frames >= _SETTLED:
            self._steps.append(turn.second)
            self._turn = None
