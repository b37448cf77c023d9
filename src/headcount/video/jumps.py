"""A clock that jumps: set by hand, by the network after a start without one, or stopped while the machine slept."""

from __future__ import annotations

import time
from collections.abc import Callable

_LEAST_S = 2.0
"""What is less is how the network keeps a clock right."""


class Jumps:
    """Compares the clock on the wall with one that only goes forward, evenly.

    >>> wall, steady = iter([1000.0, 1010.5, 4610.5]), iter([0.0, 10.0, 10.0])
    >>> jumps = Jumps(wall=lambda: next(wall), steady=lambda: next(steady))
    >>> jumps.seconds(), jumps.seconds()
    (0.0, 3600.0)
    """

    def __init__(self, *, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._ahead_s = wall() - steady()

    def seconds(self) -> float:
        """By how much the clock went on (below 0: back) beside the time that passed, since this was last asked; 0 where
        that is little.
        """
        ahead_s = self._wall() - self._steady()
        jumped_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        return round(jumped_s, 3) if abs(jumped_s) >= _LEAST_S else 0.0


def jump_in_words(seconds: float) -> str:
    """What to say of a jump.

    >>> jump_in_words(-3600.0)
    "This machine's clock went back by 3,600 s: times before and after that do not follow each other."
    """
    way = "back" if seconds < 0 else "on"
    return (
        f"This machine's clock went {way} by {abs(seconds):,.0f} s: times before and after that do not follow each "
        "other."
    )
