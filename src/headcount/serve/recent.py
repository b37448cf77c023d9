"""The last hour and day of each camera in memory: charts where a site keeps no database, or it cannot be read."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import TypeVar

from headcount.video.measurement import Measurement

_T = TypeVar("_T")
_HOUR_S, _DAY_S = 3600.0, 86_400.0
_HOURS_STEP_S, _DAYS_STEP_S = 5.0, 60.0


class Recent:
    """Measurements as JSON, one each five seconds for an hour and one a minute for a day."""

    def __init__(self) -> None:
        self._series: dict[str, tuple[deque[tuple[float, bytes]], deque[tuple[float, bytes]]]] = {}

    def add(self, measurement: Measurement, json: bytes = b"") -> None:
        """Keep one, where the one before it is old enough; where the clock went back, what was later is dropped."""
        at = measurement.at.timestamp()
        kept = self._series.setdefault(measurement.camera, (deque(), deque()))
        for series, step_s, length_s in zip(kept, (_HOURS_STEP_S, _DAYS_STEP_S), (_HOUR_S, _DAY_S), strict=True):
            while series and series[-1][0] > at:
                series.pop()
            if not series or at - series[-1][0] >= step_s:
                series.append((at, json or measurement.model_dump_json().encode()))
            while series and at - series[0][0] > length_s:
                series.popleft()

    def between(self, camera: str, since: datetime, until: datetime, most: int) -> list[Measurement]:
        """Those of a stretch of time, the oldest first, at most ``most``, evenly thinned."""
        first, last = since.timestamp(), until.timestamp()
        hour, day = self._series.get(camera, (deque(), deque()))
        series = list(hour if last - first <= 1.01 * _HOUR_S else day)
        found = [json for at, json in series if first <= at <= last]
        return [Measurement.model_validate_json(json) for json in thinned(found, most)]


def thinned(values: list[_T], most: int) -> list[_T]:
    """At most ``most`` of a list's values, evenly spread, the last always among them.

    >>> thinned([1, 2, 3, 4, 5], 3), thinned([1, 2], 3), thinned([1, 2, 3], 1)
    ([1, 3, 5], [1, 2], [3])
    """
    if len(values) <= most:
        return values
    if most == 1:
        return values[-1:]
    step = (len(values) - 1) / (most - 1)
    return [values[round(index * step)] for index in range(most)]
