"""History of cameras: from the site's database where it has one that can be read, else from memory."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from headcount.core.errors import HeadcountError
from headcount.serve.live import Live
from headcount.serve.recent import thinned
from headcount.serve.schema import Alert
from headcount.video.measurement import Amount, Measurement

_PAGE = 2000
_MOST_PAGES = 1000
_COLUMNS = (
    "at", "camera", "zone", "people", "people_low", "people_high", "level", "density", "density_low", "density_high",
    "voronoi", "fullest", "frame", "skipped", "latency_ms", "model",
)  # fmt: skip


class HistorySource:
    """Reads what was measured.

    Args:
        live: what is known now, with the last day in memory.
        database: what ``headcount.video.history.History`` reads; None where the site keeps none.
    """

    def __init__(self, live: Live, database: Any = None) -> None:
        self._live, self._database = live, database

    def measurements(self, camera: str, since: datetime, until: datetime, most: int) -> list[Measurement]:
        """Those of a stretch of time, the oldest first, at most ``most``."""
        if self._database is not None:
            try:
                found = list(self._database.measurements(camera, since, until, most))
                if found:
                    return thinned(sorted(found, key=lambda one: one.at), most)
            except HeadcountError as error:  # a database that is down: what is in memory is better than nothing
                logging.getLogger(__name__).warning("%s", error.message)
        return self._live.recent.between(camera, since, until, most)

    def rows(self, camera: str, since: datetime, until: datetime) -> Iterator[str]:
        """All of them as lines of CSV, a page at a time; the camera's whole view is the row without a zone."""
        yield _line(_COLUMNS)
        for _ in range(_MOST_PAGES):
            page = self._page(camera, since, until)
            for measurement in page:
                yield from (_line(row) for row in _rows(measurement))
            if len(page) < _PAGE:
                return
            since = page[-1].at + timedelta(microseconds=1)

    def _page(self, camera: str, since: datetime, until: datetime) -> list[Measurement]:
        pages = getattr(self._database, "page", None)
        if pages is not None:
            return list(pages(camera, since, until, _PAGE))
        return self.measurements(camera, since, until, _PAGE * _MOST_PAGES)

    def alerts(self) -> list[Alert]:
        """Those of the last day, the oldest first, for a server that was just started."""
        if self._database is None:
            return []
        now = datetime.now(UTC)
        return [_alert(each) for each in self._database.alerts(since=now - timedelta(days=1), until=now)]

    def acknowledge(self, alert_id: str, who: str, at: datetime) -> Alert | None:
        """Note it here and in the database."""
        alert = self._live.acknowledge(alert_id, who, at)
        if alert is not None and self._database is not None:
            self._database.acknowledge(alert_id, who, at)
        return alert


def _alert(found: Any) -> Alert:
    return found if isinstance(found, Alert) else Alert.model_validate(found, from_attributes=True)


def open_database(live: Live, folder: Path) -> Any:
    """The database of a site, to be read; None where it keeps none."""
    settings = live.site.outputs.database
    if settings is None:
        return None
    from headcount.video.history import History

    return History(settings.url)


def _rows(measurement: Measurement) -> Iterator[tuple[object, ...]]:
    tail = (measurement.frame, measurement.skipped, round(measurement.latency_ms, 1), measurement.model)
    at = measurement.at.isoformat()
    yield (at, measurement.camera, "", *_amount(measurement.people, level=True), *[""] * 5, *tail)
    for zone in measurement.zones:
        values = [*_amount(zone.people, level=True), *_amount(zone.density), _value(zone.voronoi), _value(zone.fullest)]
        yield (at, measurement.camera, zone.name, *values, *tail)


def _amount(amount: Amount | None, *, level: bool = False) -> tuple[object, ...]:
    if amount is None:
        return ("",) * (4 if level else 3)
    ends = tuple("" if end is None else round(end, 4) for end in (amount.low, amount.high))
    return (round(amount.value, 4), *ends, *([amount.level or ""] if level else []))


def _value(amount: Amount | None) -> object:
    return "" if amount is None else round(amount.value, 4)


def _line(values: tuple[object, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


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
