"""What was measured before: read from the database that a site writes to, while it is written to."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from headcount.core.errors import InputError
from headcount.data.parse.csv import plain_cell
from headcount.video.outputs.columns import COLUMNS, iso
from headcount.video.outputs.schema import alerts, down, lines, measurements, open_engine, prepare, states, zones
from headcount.video.spans import LinePoint, Point, Row, ZonePoint, points

__all__ = ["MOST_POINTS", "AlertRow", "History", "LinePoint", "Point", "StateRow", "ZonePoint"]

MOST_POINTS = 5000
_ROWS = 500
"""Read at once for an export."""


class AlertRow(Row):
    """An alert: open while ``cleared_at`` is None. The other attributes are those of ``AlertEvent``."""

    id: str
    site: str
    camera: str
    zone: str
    measure: str
    level: int
    threshold: float
    raised_at: datetime | None
    value: float
    peak: float
    cleared_at: datetime | None
    reason: str
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class StateRow(Row):
    """A camera (``kind`` is ``camera``) or an output (``output``) that changed its state."""

    site: str
    kind: Literal["camera", "output"]
    name: str
    state: str
    since: datetime
    reason: str
    frames: int | None
    skipped: int | None
    damaged: int | None
    reconnects: int | None
    last_frame_at: datetime | None
    waiting: int | None
    lost: int | None


class History:
    """A site's database, to be read. Several threads may.

    Args:
        url: as ``DatabaseSettings.url``.
        folder: of the site's file, which a relative path is below.
        site: read of this one alone; None: of all that the database holds.

    Raises:
        InputError: the address cannot be used, or the database is of a newer version of headcount.
        OutputDownError: it cannot be reached now; every other call may raise that, too.
    """

    def __init__(self, url: str, folder: Path = Path(), *, site: str | None = None) -> None:
        self._engine, self._site = open_engine(url, folder), site
        try:
            prepare(self._engine)
        except BaseException:
            self._engine.dispose()
            raise
        self._file = _file_of(self._engine)

    def measurements(self, camera: str, since: datetime, until: datetime | None = None, most: int = 500) -> list[Point]:
        """What a camera measured from ``since`` until before ``until``, oldest first: each frame where they are
        ``most`` or fewer, else the means of as many spans of the same length.

        Raises:
            InputError: a time has no zone, or ``most`` is not 1 to ``MOST_POINTS``.
        """
        until = datetime.now(UTC) if until is None else until
        _refuse_naive(since, until)
        if not 1 <= most <= MOST_POINTS:
            raise InputError(f"1 to {MOST_POINTS:,} points can be asked for, but {most:,} were.")
        with self._reading() as connection:
            chosen = self._of(measurements, measurements.c.camera == camera)
            return points(connection, chosen, since, until, most)

    def alerts(
        self,
        *,
        open_only: bool = False,
        since: datetime | None = None,
        camera: str | None = None,
        most: int = 1000,
    ) -> list[AlertRow]:
        """Alerts, the newest first: those that are not cleared, or those raised or cleared since a time."""
        table = alerts.c
        chosen = self._of(alerts)
        if open_only:
            chosen.append(table.cleared_at.is_(None))
        if since is not None:
            _refuse_naive(since)
            chosen.append(sa.or_(table.raised_at >= since, table.cleared_at >= since, table.cleared_at.is_(None)))
        if camera is not None:
            chosen.append(table.camera == camera)
        newest = sa.func.coalesce(table.raised_at, table.cleared_at).desc()
        with self._reading() as connection:
            found = connection.execute(
                sa.select(alerts).where(*chosen).order_by(newest, table.level.desc()).limit(most)
            )
            return [_alert(row) for row in found.mappings()]

    def acknowledge(self, alert: str, who: str, at: datetime | None = None) -> AlertRow:
        """Write down that somebody has seen an alert; whoever was first stays.

        Args:
            alert: its id.
            who: 1 to 64 letters.
            at: when; now where None.

        Raises:
            InputError: there is no such alert, or ``who`` is no name.
        """
        at = datetime.now(UTC) if at is None else at
        _refuse_naive(at)
        who = " ".join(who.split())
        if not who or len(who) > 64 or not who.isprintable():
            raise InputError("Whoever acknowledges an alert has a name of 1 to 64 letters.")
        is_it = self._of(alerts, alerts.c.id == alert)
        with self._reading() as connection:
            told = {"acknowledged_at": at, "acknowledged_by": who}
            connection.execute(alerts.update().where(*is_it, alerts.c.acknowledged_at.is_(None)).values(told))
            row = connection.execute(sa.select(alerts).where(*is_it)).mappings().first()
        if row is None:
            raise InputError(f'There is no alert "{alert[:80]}": it may be older than what is kept.')
        return _alert(row)

    def states(
        self,
        *,
        kind: Literal["camera", "output"] | None = None,
        name: str | None = None,
        since: datetime | None = None,
        most: int = 1000,
    ) -> list[StateRow]:
        """How cameras and outputs changed, the newest first."""
        chosen = self._of(states)
        chosen += [] if kind is None else [states.c.kind == kind]
        chosen += [] if name is None else [states.c.name == name]
        if since is not None:
            _refuse_naive(since)
            chosen.append(states.c.since >= since)
        with self._reading() as connection:
            asked = sa.select(states).where(*chosen).order_by(states.c.since.desc(), states.c.id.desc()).limit(most)
            return [StateRow.model_validate(dict(row)) for row in connection.execute(asked).mappings()]

    def cameras(self) -> list[str]:
        """The names of all cameras that something was measured of."""
        with self._reading() as connection:
            asked = sa.select(measurements.c.camera).where(*self._of(measurements)).distinct()
            return sorted(connection.execute(asked).scalars())

    def csv(self, camera: str | None, since: datetime, until: datetime | None = None) -> Iterator[str]:
        """The text of a CSV file, its header first: every frame from ``since`` until before ``until``, the oldest
        first, with the rows and columns of the CSV output.

        Raises:
            InputError: a time has no zone.
        """
        until = datetime.now(UTC) if until is None else until
        _refuse_naive(since, until)
        chosen = self._of(measurements, *_between(measurements.c.at, since, until))
        if camera is not None:
            chosen.append(measurements.c.camera == camera)
        yield _csv_line(list(COLUMNS))
        place = measurements.c.at, measurements.c.id
        after: list[Any] = []
        while True:
            with self._reading() as connection:
                asked = sa.select(measurements).where(*chosen, *after).order_by(*place).limit(_ROWS)
                found = connection.execute(asked).mappings().all()
                ids = [row["id"] for row in found]
                of_zones, of_lines = (_of_frames(connection, table, ids) for table in (zones, lines))
            for row in found:
                yield _csv_line(_columns(row, row))
                for values in of_zones.get(row["id"], []):
                    told = {"zone": values["name"], "level": row["level"]}
                    yield _csv_line(_columns(row, values, **told, refused=_sentences(values["refused"])))
                for values in of_lines.get(row["id"], []):
                    yield _csv_line(_columns(row, values, line=values["name"]))
            if len(found) < _ROWS:
                return
            # From the last one on: a condition on the time alone, too, since that one finds its place in the index.
            last = found[-1]
            after = [place[0] >= last["at"], sa.or_(place[0] > last["at"], place[1] > last["id"])]

    def close(self) -> None:
        """End its connections."""
        self._engine.dispose()

    def _of(self, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> list[sa.ColumnElement[bool]]:
        of_site = [] if self._site is None else [table.c.site == self._site]
        return [*of_site, *conditions]

    def _reading(self) -> _Reading:
        if _file_of(self._engine) != self._file:  # somebody deleted it: what is read of it stands still
            self._engine.dispose()
            prepare(self._engine)
            self._file = _file_of(self._engine)
        return _Reading(self._engine)


class _Reading:
    """A connection whose errors are told in words: what was asked for is no text, or the database is down."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Connection:
        try:
            self._begun = self._engine.begin()
            return self._begun.__enter__()
        except sa.exc.SQLAlchemyError as error:
            raise down(self._engine, error) from error

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._begun.__exit__(kind, error, trace)
        except sa.exc.SQLAlchemyError as ending:
            raise down(self._engine, ending) from ending
        if isinstance(error, sa.exc.DataError):
            raise InputError("A name was asked for that holds signs which no name has.") from error
        if isinstance(error, sa.exc.SQLAlchemyError):
            self._engine.dispose()
            raise down(self._engine, error) from error


def _file_of(engine: sa.Engine) -> tuple[int, int] | None:
    """Which file a database of SQLite is; None where it is none, or is not there."""
    if engine.dialect.name != "sqlite":
        return None
    try:
        found = Path(str(engine.url.database)).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _of_frames(connection: Connection, table: sa.Table, ids: list[int]) -> dict[int, list[Any]]:
    """The rows of zones or lines of some frames, by frame and name."""
    found: dict[int, list[Any]] = {}
    if ids:
        chosen = table.c.measurement_id.in_(ids)
        asked = sa.select(table).where(chosen).order_by(table.c.measurement_id, table.c.name)
        for row in connection.execute(asked).mappings():
            found.setdefault(row["measurement_id"], []).append(row)
    return found


def _columns(frame: Any, values: Any, **more: Any) -> list[Any]:
    """A row of a CSV file: what is of the frame, and what is of a zone, of a line, or of the view."""
    of_frame = {key: frame[key] for key in ("camera", "frame", "skipped", "latency_ms", "model")}
    row = {**values, **of_frame, "at": iso(frame["at"]), **more}
    return [row.get(column) for column in COLUMNS]


def _sentences(refused: str) -> str:
    return " ".join(json.loads(refused).values())


def _csv_line(values: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(plain_cell, values))
    return text.getvalue()


def _alert(row: Any) -> AlertRow:
    return AlertRow.model_validate({key: value for key, value in row.items() if key != "run"})


def _between(column: Any, since: datetime, until: datetime) -> tuple[Any, Any]:
    return column >= since, column < until


def _refuse_naive(*times: datetime) -> None:
    for time in times:
        if time.tzinfo is None:
            raise InputError(f"{time.isoformat()} has no time zone: give one, as in {time.isoformat()}+00:00.")
