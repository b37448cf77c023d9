"""Means of what a camera measured over spans of time of the same length, as a chart shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.engine import Connection

from headcount.video.outputs.schema import lines, measurements, zones

_MANY = 100
"""Frames a span, from which on SQLite is asked span by span: it is slow to sort so many rows."""


class Row(BaseModel):
    """What is read: nothing in it changes."""

    model_config = ConfigDict(frozen=True)


class ZonePoint(Row):
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


class LinePoint(Row):
    """A line in a span of time: means of crossings a minute each way, of those both ways a metre and minute, and of
    their ranges' ends."""

    forward_per_min: float | None = None
    forward_per_min_low: float | None = None
    forward_per_min_high: float | None = None
    backward_per_min: float | None = None
    backward_per_min_low: float | None = None
    backward_per_min_high: float | None = None
    flow_per_m_min: float | None = None
    flow_per_m_min_low: float | None = None
    flow_per_m_min_high: float | None = None


class Point(Row):
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


def points(
    connection: Connection, chosen: Sequence[sa.ColumnElement[bool]], since: datetime, until: datetime, most: int
) -> list[Point]:
    """The frames ``chosen`` (in SQL, of one camera) from ``since`` until before ``until``, oldest first: each where
    they are ``most`` or fewer, else the means of as many spans. A span without a frame is no point.
    """
    at = measurements.c.at
    of_time = [*chosen, at >= since, at < until]
    number = connection.execute(sa.select(sa.func.count()).select_from(measurements).where(*of_time)).scalar_one()
    if number <= most:
        return _grouped(connection, of_time, measurements.c.id)
    span = (until - since) / most
    if connection.dialect.name != "sqlite":
        seconds = sa.extract("epoch", at - sa.literal(since, at.type))
        return _grouped(connection, of_time, sa.cast(sa.func.floor(seconds / span.total_seconds()), sa.Integer))
    if number >= _MANY * most:
        return list(_each_span(connection, chosen, [since + each * span for each in range(most)] + [until]))
    begin = sa.func.julianday(sa.literal(since, at.type))
    # In thousandths of a second: half of one rounds to the right span.
    passed = (sa.func.julianday(at) - begin) * 86400.0 + 0.0005
    return _grouped(connection, of_time, sa.cast(passed / span.total_seconds(), sa.Integer))


def _grouped(connection: Connection, chosen: Sequence[sa.ColumnElement[bool]], span: Any) -> list[Point]:
    """A point for each value of ``span``, which grows with the time."""
    of_view, of_zones, of_lines = (each.add_columns(span.label("span")).where(*chosen) for each in _asked())
    views = connection.execute(of_view.group_by("span").order_by("at")).mappings().all()
    in_zones: dict[int, list[Any]] = {}
    for row in connection.execute(of_zones.group_by("span", zones.c.name)).mappings():
        in_zones.setdefault(row["span"], []).append(row)
    over_lines: dict[int, list[Any]] = {}
    for row in connection.execute(of_lines.group_by("span", lines.c.name)).mappings():
        over_lines.setdefault(row["span"], []).append(row)
    return [_point(row, in_zones.get(row["span"], []), over_lines.get(row["span"], [])) for row in views]


def _each_span(
    connection: Connection, chosen: Sequence[sa.ColumnElement[bool]], ends: Sequence[datetime]
) -> Iterator[Point]:
    """A point for each span between two ends, if there is a frame in it."""
    at = measurements.c.at
    of_time = [at >= sa.bindparam("begin", type_=at.type), at < sa.bindparam("end", type_=at.type)]
    of_view, of_zones, of_lines = (each.where(*chosen, *of_time) for each in _asked())
    of_zones, of_lines = of_zones.group_by(zones.c.name), of_lines.group_by(lines.c.name)
    for begin, end in pairwise(ends):
        span = {"begin": begin, "end": end}
        view = connection.execute(of_view, span).mappings().one()
        if view["frames"]:
            yield _point(
                view,
                connection.execute(of_zones, span).mappings().all(),
                connection.execute(of_lines, span).mappings().all(),
            )


def _asked() -> tuple[sa.Select[Any], sa.Select[Any], sa.Select[Any]]:
    """What is read of a span: of the view, of its zones, and of its lines."""
    table, mean, most = measurements.c, sa.func.avg, sa.func.max
    of_view = sa.select(
        sa.func.min(table.at).label("at"),
        sa.func.count().label("frames"),
        mean(table.people).label("people"),
        mean(table.people_low).label("people_low"),
        mean(table.people_high).label("people_high"),
        most(table.people).label("people_most"),
    )
    each = zones.c
    of_zones = sa.select(
        each.name,
        mean(each.people).label("people"),
        most(each.people).label("people_most"),
        mean(each.density).label("density"),
        mean(each.density_low).label("density_low"),
        mean(each.density_high).label("density_high"),
        most(each.density).label("density_most"),
    ).join_from(zones, measurements, each.measurement_id == table.id)
    means = [mean(lines.c[name]).label(name) for name in LinePoint.model_fields]
    of_lines = sa.select(lines.c.name, *means).join_from(lines, measurements, lines.c.measurement_id == table.id)
    return of_view, of_zones, of_lines


def _point(view: Any, in_zones: Sequence[Any], over_lines: Sequence[Any]) -> Point:
    return Point.model_validate(
        {
            **view,
            "zones": {row["name"]: ZonePoint.model_validate(dict(row)) for row in in_zones},
            "lines": {row["name"]: LinePoint.model_validate(dict(row)) for row in over_lines},
        }
    )
