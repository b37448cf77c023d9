"""A site that is watched: each camera's newest frame is measured in its turn, and all who listen are told.

One thread measures, the caller's: the network uses all cores anyway. Cameras that are due take turns, the one that has
waited longest first, so that none starves where there is more to do than the machine can.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from headcount.core.errors import HeadcountError
from headcount.core.image import RgbImage
from headcount.core.table import load_object
from headcount.infer.counter import Counter, load
from headcount.video.jumps import Jumps, jump_in_words
from headcount.video.measurement import AlertEvent, CameraStatus, Measurement, Record
from headcount.video.picture import Measured, MeasuredPicture
from headcount.video.site import CameraSettings, Site
from headcount.video.sources.live import CLOSE_S, LiveSource, grab
from headcount.video.sources.readers import refuse_without_av
from headcount.video.sources.source import Source, read_source, refuse_missing

Picture = Callable[[], RgbImage]
Seen = Callable[[Record, Picture | None], None]

_LONGEST_WAIT_S, _LOOK_S = 0.5, 0.25
_MEASURER, _ALERTS = "headcount.video.measure:Measurer", "headcount.video.alerts:Alerts"


class Measuring(Protocol):
    """What measures the frames of one camera; see ``headcount.video.measure.Measurer``."""

    def measure(
        self, counter: Counter, pixels: RgbImage, at: datetime, *, frame: int, skipped: int, came: float | None
    ) -> Measured:
        """Measure one frame."""

    def shapes(self, size_wh: tuple[int, int]) -> Any:
        """The zones and lines in frames of a size.

        Raises:
            InputError: one of them does not fit such frames.
        """


class Alerting(Protocol):
    """What raises alerts; see ``headcount.video.alerts.Alerts``."""

    def take(self, measurement: Measurement) -> list[AlertEvent]:
        """Take in a record."""

    def unseen(self, camera: str, at: datetime, reason: str) -> list[AlertEvent]:
        """Clear what is not seen any more."""


class Taking(Protocol):
    """Who is told; see ``headcount.video.outputs.Outputs``."""

    def take(self, record: Any, picture: Picture | None = None) -> None:
        """Take a record."""


def _nothing(record: Record, picture: Picture | None) -> None:
    """Nobody looks on."""


@dataclass(slots=True, eq=False)
class _Watched:
    """A camera: its source, what measures it, and when it is due.

    Attributes:
        due: by ``time.monotonic``.
        last: number of the newest frame that was looked at.
        last_at: its time.
        unmeasured: why its frames cannot be measured now, and since when by ``time.monotonic``.
        cleared: its alerts were cleared, since nothing is seen of it.
        levels: of the alerts that are raised, by zone: their ids and levels.
        news: sentences that its next record is to hold.
    """

    settings: CameraSettings
    live: LiveSource
    measurer: Measuring
    due: float
    last: int = -1
    last_at: datetime | None = None
    measured_at: float = 0.0
    unmeasured: tuple[str, float] | None = None
    cleared: bool = False
    levels: dict[str, dict[str, int]] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)

    @property
    def period_s(self) -> float:
        # A replay of each due frame gives no others.
        is_replay = self.settings.replay == "all" and self.live.source.is_local
        return 0.0 if is_replay else 1 / self.settings.frames_per_second


class Monitor:
    """Watches a site.

    Args:
        site: what is watched.
        folder: of the site's file; relative paths of sources are below it.
        counter: what counts; None: the site's model is loaded.
        outputs: told every record; whoever opened them closes them.
        seen: told every record as well, with what gives the picture of a measured frame (a ``MeasuredPicture``); by the
            thread that runs, which waits for it.
        measurer: makes what measures a camera.
        alerts: what raises alerts.
        jumps: tells whether the clock jumped.
    """

    def __init__(
        self,
        site: Site,
        folder: Path,
        *,
        counter: Counter | None = None,
        outputs: Taking | None = None,
        seen: Seen = _nothing,
        measurer: Callable[[CameraSettings], Measuring] | None = None,
        alerts: Alerting | None = None,
        jumps: Jumps | None = None,
    ) -> None:
        self.site, self.folder = site, folder
        self._counter, self._outputs, self._seen = counter, outputs, seen
        self._make, self._alerts, self._jumps = measurer or self._usual_measurer, alerts, jumps or Jumps()
        self._watched: dict[str, _Watched] = {}
        self._changed: queue.SimpleQueue[CameraStatus] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._since = datetime.now(UTC)

    def refuse_wrong(self) -> None:
        """Stop before anything is watched where it could not be: nothing is connected to.

        Raises:
            InputError: a source is none, its file is missing or of no use; or a calibration is wrong, or a zone or line
                does not fit the frames of a recording, or those that were calibrated.
            ModelError: the model is unknown or damaged.
            MissingExtraError: what is needed is not installed.
        """
        for camera in self.site.cameras:
            source = read_source(camera.source, self.folder)
            refuse_missing(source)
            if source.kind != "folder":
                refuse_without_av()
            size_wh, measurer = self._size_wh(camera, source), self._make(camera)
            if size_wh is not None:
                measurer.shapes(size_wh)
        if self._counter is None:
            self._counter = load(self.site.model, interval=self.site.interval)

    def _size_wh(self, camera: CameraSettings, source: Source) -> tuple[int, int] | None:
        """(width, height) of a recording's frames, of others those that were calibrated; None where nobody knows."""
        if source.is_local:
            height, width = grab(camera.source, folder=self.folder, timeout_s=camera.timeout_s).shape[:2]
            return width, height
        return None if camera.calibration is None else camera.calibration.size_wh

    def statuses(self) -> list[CameraStatus]:
        """How each camera does now, in the order of the site's file; any thread may ask."""
        watched = self._watched
        return [
            self._status(watched[camera.name])
            if camera.name in watched
            else CameraStatus(camera=camera.name, state="starting", since=self._since)
            for camera in self.site.cameras
        ]

    def run(self, stop: threading.Event) -> None:
        """Watch until ``stop`` is set, or until every camera was a recording that has ended.

        Raises:
            InputError, ModelError, MissingExtraError: as ``refuse_wrong``.
        """
        self.refuse_wrong()
        counter = self._counter
        assert counter is not None
        alerts: Alerting = self._alerts or load_object(_ALERTS)(self.site)
        now = time.monotonic()
        self._watched = {camera.name: self._open(camera, counter, now) for camera in self.site.cameras}
        try:
            for watched in self._watched.values():
                watched.live.start()
            looked = now
            while not stop.is_set():
                self._wake.clear()
                self._tell_changes()
                if time.monotonic() >= looked + _LOOK_S:
                    looked = time.monotonic()
                    self._look_around(alerts)
                due, wait_s = self._next(time.monotonic())
                if due is not None:
                    self._measure(due, counter, alerts)
                elif all(one.live.is_over and not one.live.has_newer(one.last) for one in self._watched.values()):
                    break
                else:
                    self._wake.wait(wait_s)
        finally:
            for watched in self._watched.values():
                watched.live.stop()
            closed_by = time.monotonic() + CLOSE_S  # all together: each of many may hang
            for watched in self._watched.values():
                watched.live.close(max(0.0, closed_by - time.monotonic()))
            self._tell_changes()
            self._look_around(alerts)

    def _usual_measurer(self, camera: CameraSettings) -> Measuring:
        measurer: Measuring = load_object(_MEASURER)(camera, least_people=self.site.privacy.least_people)
        return measurer

    def _open(self, camera: CameraSettings, counter: Counter, now: float) -> _Watched:
        def arrived() -> None:
            if watched.due <= time.monotonic():  # of others nobody is waiting for a frame
                self._wake.set()

        live = LiveSource(
            camera, folder=self.folder, changed=self._take_change, arrived=arrived, max_pixels=counter.max_pixels
        )
        watched = _Watched(camera, live, self._make(camera), due=now)
        return watched

    def _take_change(self, status: CameraStatus) -> None:
        self._changed.put(status)
        self._wake.set()

    def _next(self, now: float) -> tuple[_Watched | None, float]:
        """The camera that has waited longest of those that are due and have a new frame, or how long to wait."""
        ready = [one for one in self._watched.values() if one.due <= now and one.live.has_newer(one.last)]
        if ready:
            return min(ready, key=lambda one: one.due), 0.0
        coming = [one.due - now for one in self._watched.values() if one.due > now]
        return None, min([_LONGEST_WAIT_S, *coming])

    def _measure(self, watched: _Watched, counter: Counter, alerts: Alerting) -> None:
        started = time.monotonic()
        # Not behind by more than now: a camera that was away has no turns to catch up with.
        watched.due = max(watched.due + watched.period_s, started)
        frame = watched.live.newest(watched.last)
        if frame is None:
            return
        watched.last, watched.last_at = frame.number, frame.at
        try:
            measured = watched.measurer.measure(
                counter, frame.pixels, frame.at, frame=frame.number, skipped=frame.skipped, came=frame.came
            )
        except Exception as error:  # of one camera: the others go on
            self._note_unmeasured(watched, error)
            return
        record = measured.measurement
        if watched.news:
            record = record.model_copy(update={"warnings": (*record.warnings, *watched.news)})
            watched.news.clear()
        watched.measured_at, watched.cleared = time.monotonic(), False
        if watched.unmeasured is not None:
            watched.unmeasured = None
            self._tell(self._status(watched))
        events = alerts.take(record)
        self._note_levels(watched, events)
        levels = {zone: max(raised.values(), default=0) for zone, raised in watched.levels.items()}
        picture = MeasuredPicture(frame.pixels, measured, self.site.privacy.heads, levels)
        self._tell(record, picture)
        for event in events:
            self._tell(event, picture)

    def _note_unmeasured(self, watched: _Watched, error: Exception) -> None:
        told = error.message if isinstance(error, HeadcountError) else f"{type(error).__name__}: {error}"
        reason = f"Its frames cannot be measured: {told}"
        since = watched.unmeasured[1] if watched.unmeasured is not None else time.monotonic()
        is_new = watched.unmeasured is None or watched.unmeasured[0] != reason
        watched.unmeasured = (reason, since)
        if is_new:
            self._tell(self._status(watched))

    def _tell_changes(self) -> None:
        """Tell how cameras do, as they told it meanwhile."""
        while not self._changed.empty():
            status = self._changed.get()
            self._tell(self._with_reason(self._watched[status.camera], status))

    def _look_around(self, alerts: Alerting) -> None:
        """See which cameras are gone, so that their alerts are over, and whether the clock jumped."""
        for watched in self._watched.values():
            reason = "" if watched.cleared else self._why_unseen(watched)
            if reason:
                watched.cleared = True
                is_recording = watched.live.source.is_local and watched.last_at is not None
                at = watched.last_at if is_recording and watched.last_at is not None else datetime.now(UTC)
                events = alerts.unseen(watched.settings.name, at, reason)
                self._note_levels(watched, events)
                for event in events:
                    self._tell(event)
        jumped_s = self._jumps.seconds()
        if jumped_s:
            for watched in self._watched.values():
                watched.news.append(jump_in_words(jumped_s))

    def _why_unseen(self, watched: _Watched) -> str:
        """Why nothing is seen of a camera any more; empty where it is, or was a moment ago."""
        status = watched.live.status()
        if status.state == "ended":
            return "" if watched.live.has_newer(watched.last) else "The recording has ended."
        if status.state in ("stale", "offline"):
            is_long = time.monotonic() - watched.measured_at > watched.settings.timeout_s
            return status.reason if status.state == "stale" or is_long else ""
        if watched.unmeasured is not None and time.monotonic() - watched.unmeasured[1] > watched.settings.timeout_s:
            return watched.unmeasured[0]
        return ""

    def _note_levels(self, watched: _Watched, events: list[AlertEvent]) -> None:
        for event in events:
            raised = watched.levels.setdefault(event.zone, {})
            if event.state == "raised":
                raised[event.id] = event.level
            else:
                raised.pop(event.id, None)

    def _status(self, watched: _Watched) -> CameraStatus:
        return self._with_reason(watched, watched.live.status())

    def _with_reason(self, watched: _Watched, status: CameraStatus) -> CameraStatus:
        if status.state == "online" and watched.unmeasured is not None:
            return status.model_copy(update={"reason": watched.unmeasured[0]})
        return status

    def _tell(self, record: Record, picture: Picture | None = None) -> None:
        if self._outputs is not None:
            self._outputs.take(record, picture)
        self._seen(record, picture)
