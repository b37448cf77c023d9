"""By how many people a minute a place fills or empties."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from headcount.video.measurement import Amount

WINDOW_S, STEP_S = 300.0, 5.0
LEAST_S, LEAST_STEPS = 60.0, 8


class Trend:
    """The slope of the numbers of the last five minutes, by Theil and Sen: the middle one of all slopes between two.

    One wrong number in five moves it little (Sen, "Estimates of the regression coefficient based on Kendall's tau",
    1968). Numbers are first put together to the middle one of each five seconds.
    """

    def __init__(self) -> None:
        self._steps: deque[tuple[int, list[tuple[float, float]]]] = deque()

    def take(self, at_s: float, people: float) -> None:
        """Note a number; where the clock went back, or five minutes on, all before it is forgotten."""
        step = math.floor(at_s / STEP_S)
        if self._steps and not 0 <= step - self._steps[-1][0] <= WINDOW_S / STEP_S:
            self._steps.clear()
        if not self._steps or self._steps[-1][0] != step:
            self._steps.append((step, []))
        self._steps[-1][1].append((at_s, people))
        while self._steps[0][0] <= step - WINDOW_S / STEP_S:
            self._steps.popleft()

    def per_minute(self, level: float) -> Amount | None:
        """People a minute, above 0 where it fills; None until a minute was seen.

        The range holds the slope with a chance of ``level`` if the numbers are off independently of each other: numbers
        of frames that follow each other are not quite, so it is rather too narrow.
        """
        if len(self._steps) < LEAST_STEPS or self._steps[-1][1][-1][0] - self._steps[0][1][0][0] < LEAST_S:
            return None
        from scipy.stats import theilslopes  # start-up time

        begin = self._steps[0][1][0][0]
        minutes = [(median(at for at, _ in step) - begin) / 60 for _, step in self._steps]
        people = [median(number for _, number in step) for _, step in self._steps]
        slope, _, low, high = (float(one) for one in theilslopes(people, minutes, alpha=level))
        return Amount(value=slope, low=min(low, slope), high=max(high, slope), level=level)
