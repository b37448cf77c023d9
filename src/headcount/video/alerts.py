"""When an alert is raised, and when it is over: a ladder of thresholds for every zone, with a memory and no clock.

Each threshold is a level. A level is *held* while the measure stays at or above it, record after record. Held for
``hold_s``, the highest such level is raised: a rise straight to level 3 is one alert of level 3, a slow climb raises
1, then 2, then 3. While a level is raised, those below it stay silent; when it is cleared while the measure still
holds a lower one that is not raised, that one is raised at once. A level is cleared once the measure stayed below
``clear_at`` of its threshold for ``clear_s``, and is not raised again for ``cool_down_s``; the lower ones may be.

Time is what the records say. A silence longer than ``max(3 × the usual step, half of hold_s)`` breaks a hold, which
then begins anew, and a clearing likewise with ``clear_s``: nobody knows what happened meanwhile, so it counts for
neither side. A clock that jumps back does the same. What is not seen any more, a camera that is gone or a measure that
is refused for ``clear_s``, is cleared with that reason and has no cool-down: should the crowd still be there, it is
told again.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from headcount.video.measurement import AlertEvent, Amount, Measurement, ZoneMeasure
from headcount.video.site import AlertSettings, CameraSettings, Site

_STEPS = 9
"""Whose median is the usual time between two records of a camera."""
WHOLE_VIEW = ""
"""The zone of an alert of all that a camera sees."""


class Alerts:
    """The alerts of a site.

    A zone has its own ladder, or the site's; where either is ``false``, none. A camera without zones has the site's
    ladder for its whole view where that compares ``people``: nothing else is known of a view.

    Args:
        site: its cameras, zones and ladders.
        new_id: gives each alert its id; it is asked once an alert.
    """

    def __init__(self, site: Site, *, new_id: Callable[[], str] = lambda: str(uuid4())) -> None:
        self._cameras = {camera.name: _Camera(camera, site.alerts, new_id) for camera in site.cameras}

    def take(self, measurement: Measurement) -> list[AlertEvent]:
        """What is raised and cleared by a record: what is over first, then what begins. Of a camera that the site does
        not know, nothing.
        """
        camera = self._cameras.get(measurement.camera)
        return [] if camera is None else camera.take(measurement)

    def unseen(self, camera: str, at: datetime, reason: str) -> list[AlertEvent]:
        """Clear all of a camera that is not seen any more; ``reason`` is the sentence that people are told."""
        known = self._cameras.get(camera)
        return [] if known is None else known.unseen(at, reason)

    def open(self) -> list[AlertEvent]:
        """The alerts that are raised now, as they were raised; by camera, zone and level."""
        return [event for camera in self._cameras.values() for event in camera.open()]


class _Camera:
    """The ladders of one camera, and its time."""

    def __init__(self, camera: CameraSettings, of_site: AlertSettings | bool, new_id: Callable[[], str]) -> None:
        given = {zone.name: of_site if zone.alerts is None else zone.alerts for zone in camera.zones}
        if not camera.zones and isinstance(of_site, AlertSettings) and of_site.measure == "people":
            given[WHOLE_VIEW] = of_site
        self._ladders = {
            zone: _Ladder(camera.name, zone, ladder, new_id)
            for zone, ladder in given.items()
            if isinstance(ladder, AlertSettings)
        }
        self._clock = _Clock(1 / camera.frames_per_second)

    def take(self, measurement: Measurement) -> list[AlertEvent]:
        tick = self._clock.tick(measurement.at)
        zones = {zone.name: zone for zone in measurement.zones}
        found = []
        for name, ladder in self._ladders.items():
            value, why = ladder.compared(measurement.people, zones.get(name))
            found += ladder.take(tick, measurement.at, value, why)
        return found

    def unseen(self, at: datetime, reason: str) -> list[AlertEvent]:
        return [event for ladder in self._ladders.values() for event in ladder.unseen(at, reason)]

    def open(self) -> list[AlertEvent]:
        return [event for ladder in self._ladders.values() for event in ladder.open()]


@dataclass(frozen=True, slots=True)
class _Tick:
    """A record's time: ``now`` in seconds that never go back, and the ``step`` since the last one, below 0 where the
    clock jumped back; ``usual`` is a usual step."""

    now: float
    step: float
    usual: float

    def breaks(self, seconds: float) -> bool:
        """Whether the step is too long a silence to be a part of so many seconds."""
        return self.step < 0 or self.step > max(3 * self.usual, seconds / 2)


class _Clock:
    """A camera's time, from its records alone."""

    def __init__(self, usual: float) -> None:
        self._steps = deque([usual], maxlen=_STEPS)
        self._now = 0.0
        self._last: datetime | None = None

    def tick(self, at: datetime) -> _Tick:
        step = 0.0 if self._last is None else (at - self._last).total_seconds()
        tick = _Tick(self._now + max(step, 0.0), step, statistics.median(self._steps))
        if step > 0:
            self._steps.append(step)
        self._now, self._last = tick.now, at
        return tick


class _Ladder:
    """The levels of one zone, or of a whole view."""

    def __init__(self, camera: str, zone: str, settings: AlertSettings, new_id: Callable[[], str]) -> None:
        self._camera, self._zone, self._settings, self._new_id = camera, zone, settings, new_id
        self._levels = [_Level(number, each, settings) for number, each in enumerate(settings.thresholds, start=1)]
        self._unknown_since: float | None = None
        self._last_value = 0.0

    def compared(self, in_view: Amount, zone: ZoneMeasure | None) -> tuple[float | None, str]:
        """The number to compare; None with a reason where there is none."""
        measure = self._settings.measure
        if self._zone == WHOLE_VIEW:
            amount: Amount | None = in_view
        else:
            amount = None if zone is None else getattr(zone, measure)
        if amount is None:
            return None, "" if zone is None else zone.refused.get(measure, "")
        end: float | None = getattr(amount, self._settings.use)
        return (amount.value if end is None else end), ""  # a model without a range has its value alone

    def take(self, tick: _Tick, at: datetime, value: float | None, why: str) -> list[AlertEvent]:
        for level in self._levels:
            level.note(tick, value)
        if value is None:
            return self._unmeasured(tick, at, why)
        self._unknown_since, self._last_value = None, value
        events = [
            level.clear(at, value, tick.now + self._settings.cool_down_s, self._below(level))
            for level in reversed(self._levels)
            if level.is_over(tick.now)
        ]
        for level in reversed(self._levels):
            if level.raised is not None:
                break  # those below it are told with it
            if level.is_due(tick.now):
                events.append(level.raise_(self._event(level, at, value)))
                break
        return events

    def unseen(self, at: datetime, reason: str) -> list[AlertEvent]:
        self._unknown_since = None
        events = [
            level.clear(at, self._last_value, -math.inf, reason) for level in reversed(self._levels) if level.raised
        ]
        for level in self._levels:
            level.forget()
        return events

    def open(self) -> list[AlertEvent]:
        return [level.raised for level in self._levels if level.raised is not None]

    def _unmeasured(self, tick: _Tick, at: datetime, why: str) -> list[AlertEvent]:
        if self._unknown_since is None or tick.breaks(self._settings.clear_s):
            self._unknown_since = tick.now
        if not _reached(self._unknown_since, tick.now, self._settings.clear_s):
            return []
        told = f"It could not be measured for {self._settings.clear_s:g} s"
        return self.unseen(at, f"{told}: {why}" if why else f"{told}.")

    def _below(self, level: _Level) -> str:
        return f"It stayed below {level.clear_below:g} for {self._settings.clear_s:g} s."

    def _event(self, level: _Level, at: datetime, value: float) -> AlertEvent:
        return AlertEvent(
            id=self._new_id(),
            camera=self._camera,
            zone=self._zone,
            measure=self._settings.measure,
            level=level.number,
            threshold=level.threshold,
            state="raised",
            at=at,
            value=value,
            peak=value,
        )


class _Level:
    """One threshold: since when the measure is above it, or below its clear level, and the alert that is raised."""

    def __init__(self, number: int, threshold: float, settings: AlertSettings) -> None:
        self.number, self.threshold, self._settings = number, threshold, settings
        self.clear_below = settings.clear_at * threshold
        self.raised: AlertEvent | None = None
        self._peak = 0.0
        self._held_since: float | None = None
        self._below_since: float | None = None
        self._cool_until = -math.inf

    def note(self, tick: _Tick, value: float | None) -> None:
        is_held = value is not None and value >= self.threshold
        is_below = value is not None and value < self.clear_below
        self._held_since = _since(self._held_since, tick, is_held, self._settings.hold_s)
        self._below_since = _since(self._below_since, tick, is_below, self._settings.clear_s)
        if value is not None:
            self._peak = max(self._peak, value)

    def is_due(self, now: float) -> bool:
        held = _reached(self._held_since, now, self._settings.hold_s)
        return self.raised is None and held and now >= self._cool_until

    def is_over(self, now: float) -> bool:
        return self.raised is not None and _reached(self._below_since, now, self._settings.clear_s)

    def raise_(self, event: AlertEvent) -> AlertEvent:
        self.raised, self._peak = event, event.value
        return event

    def clear(self, at: datetime, value: float, cool_until: float, reason: str) -> AlertEvent:
        assert self.raised is not None
        told = {"state": "cleared", "at": at, "value": value, "peak": max(self._peak, value), "reason": reason}
        event = self.raised.model_copy(update=told)
        self.raised, self._cool_until = None, cool_until
        return event

    def forget(self) -> None:
        self._held_since = self._below_since = None


def _since(since: float | None, tick: _Tick, is_so: bool, seconds: float) -> float | None:
    """Since when something is so, without a break."""
    if not is_so:
        return None
    return tick.now if since is None or tick.breaks(seconds) else since


def _reached(since: float | None, now: float, seconds: float) -> bool:
    """Whether it is so long that something is so; to the microsecond that records hold, so that 50 × 0.2 s are 10 s."""
    return since is not None and round(now - since, 6) >= seconds
