"""Measures, alerts and states in a database: written in the order that they came in, each once, and kept so long."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from headcount.video.measurement import (
    AlertEvent,
    CameraStatus,
    LineMeasure,
    Measurement,
    OutputStatus,
    Record,
    ZoneMeasure,
)
from headcount.video.outputs.columns import flat, flat_line
from headcount.video.outputs.schema import alerts, down, lines, measurements, open_engine, prepare, states, zones
from headcount.video.outputs.spool import Waiting
from headcount.video.outputs.table import OutputDownError, RefusedRecordError
from headcount.video.site import DatabaseSettings, Site

_OLD_EVERY_S = 600
_DOUBT_S = 3600
_OLD_ROWS = 500
"""Deleted in one step: nobody who writes or reads waits for long."""
_OLD_STEPS = 20
LEFT_OPEN = "Watching was started again, and what was measured before is not known to have ended."


class Database:
    """Writes records; of each frame numbers alone, no image.

    A record's id is unique in its table: one that is handed over again, after a crash or a lost connection, is not
    written again. Alerts of these cameras that an earlier run left open are cleared when a new run begins to write.

    Raises:
        InputError: the address cannot be used, or the database is of a newer version of headcount. One that cannot be
            reached now raises nothing.
        MissingExtraError: its driver is not installed.
    """

    name = "database"

    def __init__(self, settings: DatabaseSettings, site: Site, folder: Path) -> None:
        self._settings, self._site = settings, site.name
        self._cameras = [camera.name for camera in site.cameras]
        self.engine = open_engine(settings.url, folder)
        self._is_prepared = False
        self._run = ""
        self._old_at = 0.0  # of the monotonic clock: when next to delete
        self._is_clock_doubted = True
        self._began = datetime.now(UTC), time.monotonic()
        try:
            self._prepare()
        except OutputDownError:
            self.engine.dispose()

    def wants(self, record: Record) -> bool:
        """All of them."""
        return True

    def deliver(self, waiting: Sequence[Waiting]) -> int:
        """Write them all, or none."""
        try:
            self._prepare()
            with self.engine.begin() as connection:
                for run, of_run in groupby(waiting, key=lambda one: one.run):
                    self._write(connection, run, list(of_run))
        except (sa.exc.DataError, sa.exc.IntegrityError, sa.exc.StatementError) as error:
            if isinstance(error, sa.exc.DBAPIError) and not isinstance(error, sa.exc.DataError | sa.exc.IntegrityError):
                raise self._down(error) from error
            if len(waiting) > 1:  # all but the one that is at fault
                return self.deliver(waiting[:1])
            raise RefusedRecordError(
                f"The database refuses a record ({' '.join(str(error).split())[:200]})."
            ) from error
        self._run = waiting[-1].run
        try:
            self._delete_old()
        except sa.exc.SQLAlchemyError as error:  # what was written is handed over again, and dropped
            raise self._down(error) from error
        return len(waiting)

    def close(self) -> None:
        """End its connections."""
        self.engine.dispose()

    def _prepare(self) -> None:
        is_file = self.engine.dialect.name == "sqlite"
        if self._is_prepared and is_file and not Path(str(self.engine.url.database)).exists():
            self.engine.dispose()  # somebody deleted it: what is written there, nobody would ever read
            self._is_prepared = False
        if self._is_prepared:
            return
        prepare(self.engine)
        try:
            self._doubt_clock()
        except sa.exc.SQLAlchemyError as error:
            raise self._down(error) from error
        self._is_prepared = True

    def _down(self, error: sa.exc.SQLAlchemyError) -> OutputDownError:
        """What to say of it; it may come back without its tables."""
        self.engine.dispose()
        self._is_prepared, self._run = False, ""
        return down(self.engine, error)

    def _doubt_clock(self) -> None:
        """Where all that is kept would be too old at the start, delete nothing for an hour: a machine that was just
        switched on may not know the time yet, and is told it by then."""
        if not self._is_clock_doubted or self._settings.keep_days is None:
            return
        with self.engine.connect() as connection:
            newest: datetime | None = connection.execute(sa.select(sa.func.max(measurements.c.at))).scalar()
        self._is_clock_doubted = False
        if newest is not None and newest < self._now() - timedelta(days=self._settings.keep_days):
            self._old_at = time.monotonic() + _DOUBT_S

    def _write(self, connection: Connection, run: str, waiting: list[Waiting]) -> None:
        if run != self._run:
            self._close_left(connection, run, _at(waiting[0].record))
        measured = [(one.id, one.record) for one in waiting if isinstance(one.record, Measurement)]
        if measured:
            self._write_measurements(connection, measured)
        for one in waiting:
            if isinstance(one.record, AlertEvent):
                self._write_alert(connection, run, one.record)
        changed = [
            _of_state(self._site, one.id, one.record)
            for one in waiting
            if isinstance(one.record, CameraStatus | OutputStatus)
        ]
        if changed:
            connection.execute(self._insert(states).on_conflict_do_nothing(index_elements=["record_id"]), changed)

    def _write_measurements(self, connection: Connection, measured: list[tuple[str, Measurement]]) -> None:
        rows = [_of_measurement(self._site, name, record) for name, record in measured]
        adding = self._insert(measurements).on_conflict_do_nothing(index_elements=["record_id"])
        returned = connection.execute(adding.returning(measurements.c.record_id, measurements.c.id), rows)
        ids: dict[str, int] = dict(returned.tuples().all())
        new = [(ids[name], record) for name, record in measured if name in ids]
        of_zones = [_of_zone(number, zone) for number, record in new for zone in record.zones]
        of_lines = [_of_line(number, line) for number, record in new for line in record.lines]
        for table, found in ((zones, of_zones), (lines, of_lines)):
            if found:
                connection.execute(table.insert(), found)

    def _write_alert(self, connection: Connection, run: str, event: AlertEvent) -> None:
        row: dict[str, Any] = event.model_dump(exclude={"kind", "state", "at"}) | {"run": run, "site": self._site}
        adding = self._insert(alerts)
        if event.state == "raised":
            connection.execute(adding.values(**row, raised_at=event.at).on_conflict_do_nothing(index_elements=["id"]))
            return
        over = {"cleared_at": event.at, "peak": event.peak, "reason": event.reason}
        is_open = alerts.c.cleared_at.is_(None)
        connection.execute(
            adding.values(**row, cleared_at=event.at).on_conflict_do_update(
                index_elements=["id"], set_=over, where=is_open
            )
        )

    def _close_left(self, connection: Connection, run: str, at: datetime) -> None:
        left = (alerts.c.cleared_at.is_(None), alerts.c.run != run, alerts.c.site == self._site)
        connection.execute(
            alerts.update().where(*left, alerts.c.camera.in_(self._cameras)).values(cleared_at=at, reason=LEFT_OPEN)
        )

    def _insert(self, table: sa.Table) -> Any:
        return (sqlite if self.engine.dialect.name == "sqlite" else postgresql).insert(table)

    def _delete_old(self) -> None:
        """Delete what is older than it is to be kept, in steps, now and then."""
        if self._settings.keep_days is None or time.monotonic() < self._old_at:
            return
        before = self._now() - timedelta(days=self._settings.keep_days)
        self._old_at = time.monotonic() + _OLD_EVERY_S
        for _ in range(_OLD_STEPS):
            if not self._delete_some(before):
                return
        self._old_at = time.monotonic()  # there is more: next time

    def _now(self) -> datetime:
        """The time, no later than it can be since the start: a clock that jumps ahead makes nothing old."""
        at, monotonic = self._began
        return min(datetime.now(UTC), at + timedelta(seconds=time.monotonic() - monotonic))

    def _delete_some(self, before: datetime) -> bool:
        """One step; whether there is more."""
        columns = ((measurements, measurements.c.at), (alerts, alerts.c.cleared_at), (states, states.c.since))
        with self.engine.begin() as connection:
            deleted = [
                connection.execute(
                    table.delete().where(
                        table.c.id.in_(sa.select(table.c.id).where(column < before).order_by(column).limit(_OLD_ROWS))
                    )
                ).rowcount
                for table, column in columns
            ]
        return max(deleted) == _OLD_ROWS


def _at(record: Record) -> datetime:
    return record.at if isinstance(record, Measurement | AlertEvent) else record.since


def _of_measurement(site: str, name: str, record: Measurement) -> dict[str, Any]:
    return {
        "record_id": name,
        "site": site,
        "camera": record.camera,
        "at": record.at,
        "frame": record.frame,
        "width": record.size_wh[0],
        "height": record.size_wh[1],
        **flat("people", record.people),
        "level": record.people.level,
        **flat("trend_per_min", record.trend_per_min),
        "skipped": record.skipped,
        "latency_ms": record.latency_ms,
        "model": record.model,
        "warnings": json.dumps(record.warnings, ensure_ascii=False),
    }


def _of_zone(measurement: int, zone: ZoneMeasure) -> dict[str, Any]:
    x, y = zone.fullest_xy_m or (None, None)
    return {
        "measurement_id": measurement,
        "name": zone.name,
        **flat("people", zone.people),
        "area_m2": zone.area_m2,
        **flat("density", zone.density),
        **flat("voronoi", zone.voronoi),
        **flat("fullest", zone.fullest),
        "fullest_x_m": x,
        "fullest_y_m": y,
        **flat("trend_per_min", zone.trend_per_min),
        "refused": json.dumps(zone.refused, ensure_ascii=False),
    }


def _of_line(measurement: int, line: LineMeasure) -> dict[str, Any]:
    told = {"name": line.name, "level": line.level, "refused": line.refused}
    return {"measurement_id": measurement, **told, **flat_line(line)}


def _of_state(site: str, name: str, record: CameraStatus | OutputStatus) -> dict[str, Any]:
    row: dict[str, Any] = (
        dict.fromkeys(("frames", "skipped", "damaged", "reconnects", "last_frame_at", "waiting", "lost"))
        | record.model_dump()
    )
    who = row.pop("camera") if isinstance(record, CameraStatus) else row.pop("output")
    return row | {"record_id": name, "site": site, "name": who}
