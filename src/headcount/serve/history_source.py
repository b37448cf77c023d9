"""History of cameras: from the site's database where it has one that answers, else from memory."""

from __future__ import annotations

import csv
import io
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headcount.core.errors import HeadcountError
from headcount.data.parse.csv import plain_cell
from headcount.serve.live import Live
from headcount.serve.schema import Alert
from headcount.video.history import AlertRow, History, Point, ZonePoint
from headcount.video.measurement import AlertEvent, Measurement, ZoneMeasure
from headcount.video.outputs.columns import COLUMNS, rows_of

_AGAIN_S = 10.0
_ALERTS_OF = timedelta(days=1)
_MOST_UNWRITTEN = 1000
_NOBODY = "unnamed"


class HistorySource:
    """Reads what was measured, and writes down who has seen an alert; several threads may use it.

    A database that is down holds up nobody: it is left alone for a while, and what is in memory is told meanwhile.
    Acknowledgements are written once it is back.

    Args:
        live: what is known now, with the last day in memory.
        open_history: opens the site's database; None where the site keeps none.
    """

    def __init__(self, live: Live, open_history: Callable[[], History] | None = None) -> None:
        self._live, self._open = live, open_history
        self._history: History | None = None
        self._down_until = 0.0
        self._lock = threading.Lock()
        self._unwritten: dict[str, tuple[str, datetime]] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="history", daemon=True)

    def start(self) -> None:
        """Read the alerts of before, and write what could not be written, in a thread."""
        if self._open is not None:
            self._thread.start()

    def close(self) -> None:
        """End the thread and the connections."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(5)
        if self._history is not None:
            self._history.close()

    def points(self, camera: str, since: datetime, until: datetime, most: int) -> list[Point]:
        """A camera over a stretch of time, the oldest first: frames, or means where there are more than ``most``."""
        history = self._opened()
        if history is not None:
            try:
                found = history.measurements(camera, since, until, most)
                if found:
                    return found
            except HeadcountError as error:
                self._note_down(error)
        return [point_of(one) for one in self._live.recent.between(camera, since, until, most)]

    def rows(self, camera: str, since: datetime, until: datetime) -> Iterator[str]:
        """All frames as lines of CSV, those of memory where the database does not answer; see ``COLUMNS``."""
        history = self._opened()
        lines: Iterator[str] | None = None
        first = ""
        if history is not None:
            try:
                lines = history.csv(camera, since, until)
                first = next(lines)
            except HeadcountError as error:
                self._note_down(error)
                lines = None
        if lines is not None:
            yield first
            yield from lines
            return
        yield _line(COLUMNS)
        for measurement in self._live.recent.between(camera, since, until, 10**6):
            yield from (_line(row) for row in rows_of(measurement))

    def acknowledge(self, alert_id: str, who: str, at: datetime) -> Alert | None:
        """Note it here at once, and in the database as soon as that takes it; None where there is no such alert."""
        who = " ".join(who.split())[:64]
        alert = self._live.acknowledge(alert_id, who, at)
        if alert is not None and self._open is not None:
            with self._lock:
                if len(self._unwritten) < _MOST_UNWRITTEN:
                    self._unwritten[alert_id] = (who or _NOBODY, at)
            self._write()
        return alert

    def _opened(self) -> History | None:
        with self._lock:
            if self._open is None or time.monotonic() < self._down_until:
                return None
            if self._history is None:
                try:
                    self._history = self._open()
                except HeadcountError as error:
                    self._note_down(error)
            return self._history

    def _note_down(self, error: HeadcountError) -> None:
        self._down_until = time.monotonic() + _AGAIN_S
        logging.getLogger(__name__).warning("%s", error.message)

    def _keep(self) -> None:
        is_read = False
        while not self._closing.is_set():
            if not is_read:
                is_read = self._remember()
            self._write()
            self._closing.wait(_AGAIN_S / 5)

    def _remember(self) -> bool:
        history = self._opened()
        if history is None:
            return False
        try:
            found = history.alerts(since=datetime.now(UTC) - _ALERTS_OF)
        except HeadcountError as error:
            self._note_down(error)
            return False
        self._live.remember([_alert_of(row) for row in reversed(found)])
        return True

    def _write(self) -> None:
        """Write what waits; an alert that the database does not have yet is tried again."""
        with self._lock:
            waiting = dict(self._unwritten)
        if not waiting or (history := self._opened()) is None:
            return
        for alert_id, (who, at) in waiting.items():
            try:
                history.acknowledge(alert_id, who, at)
            except HeadcountError:
                if datetime.now(UTC) - at < _ALERTS_OF:
                    continue
            with self._lock:
                self._unwritten.pop(alert_id, None)


def history_of(live: Live, folder: Path) -> HistorySource:
    """The history of a site, whose file lies in ``folder``."""
    settings = live.site.outputs.database
    if settings is None:
        return HistorySource(live)
    return HistorySource(live, lambda: History(settings.url, folder, site=live.site.name))


def point_of(measurement: Measurement) -> Point:
    """A frame as a point of a chart."""
    people = measurement.people
    return Point(
        at=measurement.at,
        frames=1,
        people=people.value,
        people_low=people.low,
        people_high=people.high,
        people_most=people.value,
        zones={zone.name: _zone_point(zone) for zone in measurement.zones},
    )


def _zone_point(zone: ZoneMeasure) -> ZonePoint:
    density = zone.density
    people = {"people": zone.people.value, "people_most": zone.people.value}
    if density is None:
        return ZonePoint(**people)
    return ZonePoint(
        **people, density=density.value, density_low=density.low, density_high=density.high, density_most=density.value
    )


def _alert_of(row: AlertRow) -> Alert:
    event = AlertEvent(
        id=row.id, camera=row.camera, zone=row.zone, measure=row.measure, level=row.level, threshold=row.threshold,
        state="raised", at=row.raised_at or row.cleared_at or datetime.now(UTC), value=row.value, peak=row.peak,
    )  # fmt: skip
    cleared = None
    if row.cleared_at is not None:
        cleared = event.model_copy(update={"state": "cleared", "at": row.cleared_at, "reason": row.reason})
    return Alert(
        id=row.id, raised=event, cleared=cleared, acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by or "",
    )  # fmt: skip


_ALERT_COLUMNS = (
    "id", "camera", "zone", "measure", "level", "threshold", "raised_at", "value", "peak", "cleared_at", "why_cleared",
    "acknowledged_at", "acknowledged_by",
)  # fmt: skip


def alert_rows(alerts: list[Alert]) -> Iterator[str]:
    """Alerts as lines of CSV."""
    yield _line(_ALERT_COLUMNS)
    for alert in alerts:
        raised, cleared = alert.raised, alert.cleared
        yield _line((
            alert.id, raised.camera, raised.zone, raised.measure, raised.level, raised.threshold, raised.at.isoformat(),
            round(raised.value, 4), round((cleared or raised).peak, 4),
            cleared.at.isoformat() if cleared else "", cleared.reason if cleared else "",
            alert.acknowledged_at.isoformat() if alert.acknowledged_at else "", alert.acknowledged_by,
        ))  # fmt: skip


def _line(values: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(plain_cell, values))
    return text.getvalue()
