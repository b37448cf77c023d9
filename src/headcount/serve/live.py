"""What is known of a site's cameras now, and who is told when it changes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from headcount.serve.recent import Recent
from headcount.serve.schema import Alert, Camera, Marks, Monitor, ZoneLevel, ZoneShape
from headcount.serve.schema import Live as LiveNow
from headcount.serve.wire import Seen, Told
from headcount.video.measurement import (
    AlertEvent,
    Amount,
    CameraStatus,
    Measurement,
    OutputStatus,
    Record,
    ZoneMeasure,
)
from headcount.video.site import AlertSettings, CameraSettings, Site

_MOST_ALERTS = 1000
_PICTURE_GOOD_S = 60.0
_STUCK_S = 30.0
"""Whoever asks is told something at least each ten seconds: who was not for so long does not read."""
_RECORD: TypeAdapter[Any] = TypeAdapter(Record)
_DOWN = "Nothing watches this camera now: the process that does is started again."


class Listener:
    """One page that is told what changes; of what changed again before it was told, the newest alone."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._changed = asyncio.Event()
        self.is_closed = False
        self.taken_at = time.monotonic()

    def put(self, event: str, key: str, data: str) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._put, event, key, data)

    def close(self) -> None:
        """From any thread: nothing more will come."""
        self.is_closed = True
        self._loop.call_soon_threadsafe(self._changed.set)

    def _put(self, event: str, key: str, data: str) -> None:
        self._pending.pop((event, key), None)
        self._pending[event, key] = data
        self._changed.set()

    async def take(self, wait_s: float) -> list[tuple[str, str]]:
        """What changed, as events and their data; empty where nothing did within ``wait_s``."""
        self.taken_at = time.monotonic()
        try:
            await asyncio.wait_for(self._changed.wait(), wait_s)
        except TimeoutError:
            return []
        self._changed.clear()
        told = [(event, data) for (event, _), data in self._pending.items()]
        self._pending.clear()
        return told


class Live:
    """The newest of each camera; several threads may use it.

    Args:
        site: whose cameras.
        most_listeners: pages that are told at once.
    """

    def __init__(self, site: Site, *, most_listeners: int = 64) -> None:
        self.site = site
        self._lock = threading.RLock()
        self._settings = {camera.name: camera for camera in site.cameras}
        now = datetime.now(UTC)
        self._statuses = {name: CameraStatus(camera=name, state="starting", since=now) for name in self._settings}
        self._newest: dict[str, tuple[Measurement, float]] = {}
        self._pictures: dict[str, tuple[Seen, float]] = {}
        self._alerts: OrderedDict[str, Alert] = OrderedDict()
        self._outputs: dict[str, OutputStatus] = {}
        self._monitor = Monitor(state="starting", since=now)
        self._listeners: list[Listener] = []
        self._most_listeners = most_listeners
        self._is_closed = False
        self.recent = Recent()

    def take(self, told: object) -> None:
        """What the process that watches says."""
        if isinstance(told, Seen):
            with self._lock:
                if told.camera in self._settings:
                    self._pictures[told.camera] = (told, time.monotonic())
            self._tell("picture", told.camera, f'{{"camera":{_text(told.camera)}}}')
        elif isinstance(told, Told):
            self.take_record(_RECORD.validate_json(told.record), told.record)

    def take_record(self, record: Any, json: bytes = b"") -> None:
        """A record; of a camera that the site does not have nothing is kept."""
        with self._lock:
            if isinstance(record, Measurement) and record.camera in self._settings:
                self._newest[record.camera] = (record, time.monotonic())
                self.recent.add(record, json)
                self._tell_camera(record.camera)
            elif isinstance(record, CameraStatus) and record.camera in self._settings:
                self._statuses[record.camera] = record
                self._tell_camera(record.camera)
            elif isinstance(record, AlertEvent):
                self._take_alert(record)
            elif isinstance(record, OutputStatus):
                self._outputs[record.output] = record
                self._tell("output", record.output, record.model_dump_json())

    def _take_alert(self, event: AlertEvent) -> None:
        known = self._alerts.get(event.id)
        if event.state == "raised":
            alert = Alert(id=event.id, raised=event) if known is None else known.model_copy(update={"raised": event})
        elif known is None:
            alert = Alert(id=event.id, raised=event, cleared=event)
        else:
            alert = known.model_copy(update={"cleared": event})
        self._keep(alert)

    def _keep(self, alert: Alert) -> None:
        self._alerts[alert.id] = alert
        while len(self._alerts) > _MOST_ALERTS:
            self._alerts.popitem(last=False)
        self._tell("alert", alert.id, alert.model_dump_json())

    def monitor_changed(self, monitor: Monitor) -> None:
        """How the process that watches does."""
        with self._lock:
            self._monitor = monitor
            if monitor.state == "down":
                for name, status in self._statuses.items():
                    if status.state not in ("offline", "ended"):
                        changes = {"state": "offline", "since": datetime.now(UTC), "reason": _DOWN}
                        self._statuses[name] = status.model_copy(update=changes)
                    self._tell_camera(name)
            self._tell("monitor", "", monitor.model_dump_json())

    def has(self, camera: str) -> bool:
        """Whether the site has a camera of this name."""
        return camera in self._settings

    def camera(self, name: str) -> Camera:
        """A camera now."""
        with self._lock:
            found, picture = self._newest.get(name), self._pictures.get(name)
            return Camera(
                name=name,
                status=self._statuses[name],
                measurement=None if found is None else found[0],
                age_s=None if found is None else round(time.monotonic() - found[1], 3),
                levels=[] if found is None else _levels(found[0], self._settings[name], self.site),
                has_picture=picture is not None and time.monotonic() - picture[1] < _PICTURE_GOOD_S,
            )

    def cameras(self) -> list[Camera]:
        """All of them, in the order of the site's file."""
        return [self.camera(name) for name in self._settings]

    def picture(self, camera: str) -> Seen | None:
        """The newest picture of a camera; None where there is none, or it is old."""
        with self._lock:
            seen, at = self._pictures.get(camera, (None, 0.0))
            return seen if seen is not None and time.monotonic() - at < _PICTURE_GOOD_S else None

    def may_come(self, camera: str) -> bool:
        """Whether a picture may come soon where there is none."""
        return not self._is_closed and self._statuses[camera].state in ("starting", "online")

    def marks(self, camera: str) -> Marks:
        """What lies over it."""
        seen = self.picture(camera)
        if seen is None:
            return Marks(at=None)
        zones = [ZoneShape(name=name, polygon=list(corners)) for name, corners in seen.zones]
        at = datetime.fromisoformat(seen.at)
        return Marks(at=at, points=list(seen.points), heat=seen.heat, zones=zones)

    def alerts(self) -> list[Alert]:
        """All that are remembered, the newest first."""
        with self._lock:
            return list(reversed(self._alerts.values()))

    def acknowledge(self, alert_id: str, who: str, at: datetime) -> Alert | None:
        """Note that somebody has seen an alert; None where there is none. The first one counts."""
        with self._lock:
            alert = self._alerts.get(alert_id)
            if alert is not None and alert.acknowledged_at is None:
                alert = alert.model_copy(update={"acknowledged_at": at, "acknowledged_by": who})
                self._keep(alert)
            return alert

    def remember(self, alerts: list[Alert]) -> None:
        """Alerts of before this server was started, the oldest first."""
        with self._lock:
            for alert in alerts:
                if alert.id not in self._alerts:
                    self._keep(alert)

    def outputs(self) -> list[OutputStatus]:
        """How the outputs do."""
        with self._lock:
            return list(self._outputs.values())

    def now(self) -> LiveNow:
        """All of it."""
        with self._lock:
            return LiveNow(
                site=self.site.name, monitor=self._monitor, cameras=self.cameras(), alerts=self.alerts()[:100],
                outputs=self.outputs(),
            )  # fmt: skip

    def listen(self) -> Listener | None:
        """Be told what changes, in this thread's loop; None where too many are."""
        with self._lock:
            if len(self._listeners) >= self._most_listeners:
                self._send_stuck_away()
            if self._is_closed or len(self._listeners) >= self._most_listeners:
                return None
            self._listeners.append(Listener(asyncio.get_running_loop()))
            return self._listeners[-1]

    def _send_stuck_away(self) -> None:
        # A phone that left its network says no goodbye: what is sent to it waits for long.
        before = time.monotonic() - _STUCK_S
        for each in [one for one in self._listeners if one.taken_at < before]:
            self._listeners.remove(each)
            each.close()

    def leave(self, listener: Listener) -> None:
        """Be told nothing more."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    @property
    def listeners(self) -> int:
        """How many are told."""
        return len(self._listeners)

    def close(self) -> None:
        """Send all listeners away."""
        with self._lock:
            self._is_closed = True
            for each in self._listeners:
                each.close()

    def _tell_camera(self, name: str) -> None:
        if self._listeners:
            self._tell("camera", name, self.camera(name).model_dump_json())

    def _tell(self, event: str, key: str, data: str) -> None:
        with self._lock:
            for each in self._listeners:
                each.put(event, key, data)


def _levels(measurement: Measurement, camera: CameraSettings, site: Site) -> list[ZoneLevel]:
    """How many of its thresholds each zone has reached, by the ladder that its alerts go by."""
    ladders = {zone.name: site.alerts if zone.alerts is None else zone.alerts for zone in camera.zones}
    return [_level(zone, ladders.get(zone.name, False)) for zone in measurement.zones]


def _level(zone: ZoneMeasure, ladder: AlertSettings | bool) -> ZoneLevel:
    if not isinstance(ladder, AlertSettings):
        return ZoneLevel(name=zone.name, level=0, levels=0)
    amount: Amount | None = getattr(zone, ladder.measure)
    value = None if amount is None else {"value": amount.value, "low": amount.low, "high": amount.high}[ladder.use]
    reached = 0 if value is None else sum(value >= threshold for threshold in ladder.thresholds)
    return ZoneLevel(name=zone.name, level=reached, levels=len(ladder.thresholds))


def _text(value: str) -> str:
    return TypeAdapter(str).dump_json(value).decode()
