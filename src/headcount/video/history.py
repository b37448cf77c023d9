"""What was measured before: read from the database that a site writes to, while it is written to."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.engine import Connection

from headcount.core.errors import InputError
from headcount.data.parse.csv import plain_cell
from headcount.video.outputs.columns import COLUMNS, iso
from headcount.video.outputs.schema import alerts, down, lines, measurements, open_engine, prepare, states, zones

MOST_POINTS = 5000
_ROWS = 500
"""Read at once for an export."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class ZonePoint(_Row):
    """A zone in a span of time.

    Attributes:
        people, density: means; None where nothing was measured.
        people_most, density_most: the largest values.
        density_low, density_high: means of the range's ends.
    """

    people: float
    people_most: float
    density: float | None = None
    density_low: float | None = None
    density_high: float | None = None
    density_most: float | None = None


class LinePoint(_Row):
    """A line in a span of time: means of crossings a minute."""

    forward_per_min: float | None = None
    backward_per_min: float | None = None


class Point(_Row):
    """A camera in a span of time: one frame, or the mean of several.

    Attributes:
        at: when the first of them was taken.
        frames: how many.
        people, people_low, people_high: means of the number in view and of its range's ends.
        people_most: the largest number.
        zones, lines: by name.
    """

    at: datetime
    frames: int
    people: float
    people_low: float | None = None
    people_high: float | None = None
    people_most: float
    zones: dict[str, ZonePoint] = {}
    lines: dict[str, LinePoint] = {}


class AlertRow(_Row):
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


class StateRow(_Row):
    """A camera (``kind`` is ``camera``) or an output (``output``) that changed its state."""

    site: str
    kind: Literal["camera", "output"]
    name: str
    state: str
    since: datetime
    reason: str
    frames: int | None
    skipped: int | None
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
        chosen = self._of(measurements, measurements.c.camera == camera, *_between(measurements.c.at, since, until))
        with self._reading() as connection:
            number = connection.execute(sa.select(sa.func.count()).where(*chosen)).scalar_one()
            if number <= most:
                span: Any = measurements.c.id
            else:
                span = self._span(since, (until - since).total_seconds() / most)
            return _points(connection, chosen, span)

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
        """The lines of a CSV file, its header first: every frame from ``since`` until before ``until``, a line for the
        view and one for each zone, in the columns of the CSV output.

        Raises:
            InputError: a time has no zone.
        """
        until = datetime.now(UTC) if until is None else until
        _refuse_naive(since, until)
        chosen = self._of(measurements, *_between(measurements.c.at, since, until))
        if camera is not None:
            chosen.append(measurements.c.camera == camera)
        yield _csv_line(list(COLUMNS))
        after = 0
        while True:
            with self._reading() as connection:
                asked = sa.select(measurements).where(*chosen, measurements.c.id > after)
                found = connection.execute(asked.order_by(measurements.c.id).limit(_ROWS)).mappings().all()
                of_zones = _zones_of(connection, [row["id"] for row in found])
            for row in found:
                for values in (row, *of_zones.get(row["id"], [])):
                    yield _csv_line(_columns(row, values))
            if len(found) < _ROWS:
                return
            after = found[-1]["id"]

    def close(self) -> None:
        """End its connections."""
        self._engine.dispose()

    def _of(self, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> list[sa.ColumnElement[bool]]:
        of_site = [] if self._site is None else [table.c.site == self._site]
        return [*of_site, *conditions]

    def _span(self, since: datetime, seconds: float) -> Any:
        """The number of the span that a frame falls into."""
        at = measurements.c.at
        if self._engine.dialect.name == "sqlite":  # in thousandths of a second: half of one rounds to the right span
            begin = sa.func.julianday(sa.literal(since, at.type))
            return sa.cast(((sa.func.julianday(at) - begin) * 86400.0 + 0.0005) / seconds, sa.Integer)
        passed = sa.extract("epoch", at - sa.literal(since, at.type))
        return sa.cast(sa.func.floor(passed / seconds), sa.Integer)

    def _reading(self) -> _Reading:
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


def _points(connection: Connection, chosen: Sequence[sa.ColumnElement[bool]], span: Any) -> list[Point]:
    table, mean, most = measurements.c, sa.func.avg, sa.func.max
    numbered = span.label("span")
    asked = sa.select(
        numbered,
        sa.func.min(table.at).label("at"),
        sa.func.count().label("frames"),
        mean(table.people).label("people"),
        mean(table.people_low).label("people_low"),
        mean(table.people_high).label("people_high"),
        most(table.people).label("people_most"),
    )
    views = connection.execute(asked.where(*chosen).group_by(numbered).order_by(sa.text("at"))).mappings().all()
    in_zones: dict[int, dict[str, ZonePoint]] = {}
    each = zones.c
    joined = sa.select(
        numbered,
        each.name,
        mean(each.people).label("people"),
        most(each.people).label("people_most"),
        mean(each.density).label("density"),
        mean(each.density_low).label("density_low"),
        mean(each.density_high).label("density_high"),
        most(each.density).label("density_most"),
    ).join_from(zones, measurements, each.measurement_id == table.id)
    for row in connection.execute(joined.where(*chosen).group_by(numbered, each.name)).mappings():
        in_zones.setdefault(row["span"], {})[row["name"]] = ZonePoint.model_validate(dict(row))
    over_lines: dict[int, dict[str, LinePoint]] = {}
    joined = sa.select(
        numbered,
        lines.c.name,
        mean(lines.c.forward_per_min).label("forward_per_min"),
        mean(lines.c.backward_per_min).label("backward_per_min"),
    ).join_from(lines, measurements, lines.c.measurement_id == table.id)
    for row in connection.execute(joined.where(*chosen).group_by(numbered, lines.c.name)).mappings():
        over_lines.setdefault(row["span"], {})[row["name"]] = LinePoint.model_validate(dict(row))
    return [
        Point.model_validate({**row, "zones": in_zones.get(row["span"], {}), "lines": over_lines.get(row["span"], {})})
        for row in views
    ]


def _zones_of(connection: Connection, ids: list[int]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    if ids:
        chosen = zones.c.measurement_id.between(ids[0], ids[-1])
        for row in connection.execute(sa.select(zones).where(chosen).order_by(zones.c.measurement_id)).mappings():
            found.setdefault(row["measurement_id"], []).append(row)
    return found


def _columns(frame: Any, values: Any) -> list[Any]:
    """A line of a CSV file: what is of the frame, and what is of a zone, or of the view."""
    of_view = values is frame
    row = dict(values) | {key: frame[key] for key in ("camera", "frame", "level", "skipped", "latency_ms", "model")}
    row["at"] = iso(frame["at"])
    row["zone"] = "" if of_view else values["name"]
    row["refused"] = "" if of_view else " ".join(json.loads(values["refused"]).values())
    return [row.get(column) for column in COLUMNS]


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
