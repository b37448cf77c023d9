"""How long to wait before something that failed is tried again: longer each time, and never in step with others."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_S, LONGEST_S = 1.0, 60.0
_JITTER = 0.25


class Backoff:
    """Waits of 1, 2, 4, … 60 seconds, each up to a quarter longer or shorter by chance, and never over 60.

    By chance, since twenty cameras behind one switch that was off would otherwise be asked in the same moment, again
    and again.

    Args:
        chance: gives numbers from 0 to 1.

    >>> waits = Backoff(chance=lambda: 0.5)
    >>> [waits.next_s() for _ in range(8)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    >>> waits.worked_s(5.0)
    >>> waits.next_s()
    60.0
    >>> waits.worked_s(600.0)
    >>> waits.next_s()
    1.0
    """

    def __init__(self, *, chance: Callable[[], float] = random.random) -> None:
        self._chance, self._next_s, self._last_s = chance, FIRST_S, 0.0

    def next_s(self) -> float:
        """The next wait in seconds."""
        self._last_s = self._next_s
        self._next_s = min(2 * self._next_s, LONGEST_S)
        return min(LONGEST_S, self._last_s * (1 + _JITTER * (2 * self._chance() - 1)))

    def worked_s(self, seconds: float) -> None:
        """It worked for so long: after more than the last wait, the next one is the first again."""
        if seconds >= self._last_s:
            self._next_s, self._last_s = FIRST_S, 0.0
