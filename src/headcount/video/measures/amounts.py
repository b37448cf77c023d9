"""Amounts with their range, and what is told of few people where few must not be told of."""

from __future__ import annotations

from collections import deque
from statistics import fmean

from headcount.core.prediction import Prediction
from headcount.video.measurement import Amount, LineMeasure, ZoneMeasure

_WINDOW_S = 60.0


def people_of(found: Prediction) -> Amount:
    """The count of a prediction with its range; nobody is less than 0."""
    value = round(max(found.count, 0.0), 3)
    if found.interval is None:
        return Amount(value=value)
    low, high = found.interval
    return Amount(value=value, low=min(low, value), high=max(high, value), level=found.interval_level)


def alike(value: float, people: Amount, *, each: float) -> Amount:
    """Another measure of the same people, whose range is taken to be as wide, in proportion, as that of their number.

    Of less than one person a proportion tells nothing, nor where nobody was located: then all who may be there are
    added at the upper end.

    Args:
        value: what was measured.
        people: whose number it goes with.
        each: what one person more adds at most.

    >>> alike(3, Amount(value=10, low=5, high=20, level=0.9), each=1)
    Amount(value=3.0, low=1.5, high=6.0, level=0.9)
    >>> alike(0, Amount(value=0, low=0, high=4, level=0.9), each=0.5)
    Amount(value=0.0, low=0.0, high=2.0, level=0.9)
    >>> alike(0.25, Amount(value=0.001, low=0, high=4, level=0.9), each=0.5)
    Amount(value=0.25, low=0.0, high=2.25, level=0.9)
    """
    if people.low is None or people.high is None:
        return Amount(value=value)
    low = value * people.low / people.value if people.value > 0 else 0.0
    is_few = people.value < 1 or value <= 0
    high = value + each * people.high if is_few else value * people.high / people.value
    return Amount(value=value, low=low, high=high, level=people.level)


class Lately:
    """The people in view in the last minute, by the mean."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Amount]] = deque()

    def take(self, at_s: float, people: Amount) -> Amount:
        """Note a number, and tell the mean; where the clock went back, all before is forgotten."""
        if self._seen and at_s < self._seen[-1][0]:
            self._seen.clear()
        self._seen.append((at_s, people))
        while self._seen[0][0] <= at_s - _WINDOW_S:
            self._seen.popleft()
        seen = [one for _, one in self._seen]
        low, high = _mean([one.low for one in seen]), _mean([one.high for one in seen])
        return Amount(value=fmean(one.value for one in seen), low=low, high=high, level=people.level)


def _mean(numbers: list[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return fmean(known) if len(known) == len(numbers) else None


def crossed(number: float, people: Amount) -> tuple[float, float] | None:
    """The range of a number of crossings: as wide in proportion as that of the people in view meanwhile, and one more.

    Who is not counted is not seen to cross either. The one more is for who was in view but not counted where nobody
    was seen to cross. Of less than one person in view, on average, a proportion tells nothing: one is taken instead.
    None where the model has no range.

    >>> people = Amount(value=20, low=16, high=30, level=0.9)
    >>> crossed(9, people), crossed(0, people)
    ((7.2, 14.0), (0.0, 0.5))
    >>> crossed(0, Amount(value=0.01, low=0, high=4))
    (0.0, 4.0)
    """
    if people.low is None or people.high is None:
        return None
    low = number * people.low / people.value if people.value > 0 else 0.0
    high = (number + 1) * people.high / max(people.value, 1.0) - 1
    return low, high if people.value >= 1 else max(high, number + people.high)


def few(least: int) -> Amount:
    """What is told of fewer people than ``least``, be there none or some: 0 to one less.

    >>> few(10)
    Amount(value=0.0, low=0.0, high=9.0, level=None)
    """
    return Amount(value=0, low=0, high=least - 1)


def withheld_zone(zone: ZoneMeasure, least: int) -> ZoneMeasure:
    """A zone as it may be told: where fewer than ``least`` are in it, neither how many nor what would tell it; nor the
    fullest square metre where fewer are in that one."""
    if least <= 1:
        return zone
    if zone.people.value >= least:
        if zone.fullest is None or zone.fullest.value >= least:
            return zone
        refused = {**zone.refused, "fullest": not_told(least, "are in the fullest square metre")}
        return zone.model_copy(update={"fullest": None, "fullest_xy_m": None, "refused": refused})
    reason = not_told(least, "are in the zone")
    if zone.area_m2 is None:  # then there is no density in any case
        names, refused = ["trend_per_min"], zone.refused
    else:
        names, refused = ["density", "voronoi", "fullest", "trend_per_min"], {}
    return ZoneMeasure(
        name=zone.name, people=few(least), area_m2=zone.area_m2, refused={**refused, **dict.fromkeys(names, reason)}
    )


def withheld_line(line: LineMeasure, lately: tuple[int, int], least: int) -> LineMeasure:
    """A line as it may be told: crossings so far in steps of ``least``, and those a minute of at least so many.

    ``lately``: crossings of the last minute, forward and backward, that the numbers a minute are of. What goes both
    ways is told where both are, since one is the difference to the other.
    """
    if least <= 1:
        return line
    told = [line.forward_per_min is not None and number >= least for number in lately]
    hidden = line.forward_per_min is not None and not all(told)
    return LineMeasure(
        name=line.name,
        forward=line.forward - line.forward % least,
        backward=line.backward - line.backward % least,
        forward_per_min=line.forward_per_min if told[0] else None,
        backward_per_min=line.backward_per_min if told[1] else None,
        flow_per_m_min=line.flow_per_m_min if all(told) else None,
        forward_range_per_min=line.forward_range_per_min if told[0] else None,
        backward_range_per_min=line.backward_range_per_min if told[1] else None,
        flow_range_per_m_min=line.flow_range_per_m_min if all(told) else None,
        level=line.level if any(told) else None,
        refused=not_told(least, "crossed the line one way in the last minute") if hidden else line.refused,
    )


def not_told(least: int, what: str) -> str:
    """Why a number is withheld; ``what``: of whom, as in "are in view"."""
    return f"Fewer than {least:,} people {what}: how many is not told."
