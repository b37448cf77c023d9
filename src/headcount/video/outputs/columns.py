"""Measures as flat rows of numbers: the columns of a CSV file, with a row for the camera's whole view, one for each of
its zones, and one for each of its lines.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from headcount.video.measurement import Amount, LineMeasure, Measurement, ZoneMeasure

COLUMNS = (
    "at", "camera", "frame", "zone", "line", "people", "people_low", "people_high", "level", "area_m2",
    "density", "density_low", "density_high", "voronoi", "voronoi_low", "voronoi_high",
    "fullest", "fullest_low", "fullest_high", "fullest_x_m", "fullest_y_m",
    "trend_per_min", "trend_per_min_low", "trend_per_min_high",
    "forward", "backward", "forward_per_min", "forward_per_min_low", "forward_per_min_high",
    "backward_per_min", "backward_per_min_low", "backward_per_min_high",
    "flow_per_m_min", "flow_per_m_min_low", "flow_per_m_min_high",
    "skipped", "latency_ms", "model", "refused",
)  # fmt: skip
"""Empty is unknown; ``zone`` and ``line`` are both empty in the row of the view."""


def iso(at: datetime) -> str:
    """A time as all outputs write it.

    >>> iso(datetime.fromisoformat("2026-05-01T22:00:00.5+02:00"))
    '2026-05-01T20:00:00.500000Z'
    """
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def flat(name: str, amount: Amount | None) -> dict[str, float | None]:
    """A number and the ends of its range, by name.

    >>> flat("people", Amount(value=3, low=2))
    {'people': 3.0, 'people_low': 2.0, 'people_high': None}
    """
    given = (None, None, None) if amount is None else (amount.value, amount.low, amount.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), given, strict=True))


def flat_line(line: LineMeasure) -> dict[str, float | None]:
    """The crossings of a line, each number a minute with the ends of its range."""
    return {
        "forward": line.forward,
        "backward": line.backward,
        **_rate("forward_per_min", line.forward_per_min, line.forward_range_per_min),
        **_rate("backward_per_min", line.backward_per_min, line.backward_range_per_min),
        **_rate("flow_per_m_min", line.flow_per_m_min, line.flow_range_per_m_min),
    }


def rows_of(record: Measurement) -> list[list[Any]]:
    """The rows of a frame: that of the view, then those of the zones, then those of the lines."""
    found = [_of_view(record), *map(_of_zone, record.zones), *map(_of_line, record.lines)]
    of_frame = {
        "at": iso(record.at),
        "camera": record.camera,
        "frame": record.frame,
        "skipped": record.skipped,
        "latency_ms": record.latency_ms,
        "model": record.model,
    }
    level = {"level": record.people.level}
    return [[{**level, **values, **of_frame}.get(column) for column in COLUMNS] for values in found]


def _of_view(record: Measurement) -> dict[str, Any]:
    return {**flat("people", record.people), **flat("trend_per_min", record.trend_per_min)}


def _of_zone(zone: ZoneMeasure) -> dict[str, Any]:
    x, y = zone.fullest_xy_m or (None, None)
    return {
        "zone": zone.name,
        "area_m2": zone.area_m2,
        "fullest_x_m": x,
        "fullest_y_m": y,
        **flat("people", zone.people),
        **flat("density", zone.density),
        **flat("voronoi", zone.voronoi),
        **flat("fullest", zone.fullest),
        **flat("trend_per_min", zone.trend_per_min),
        "refused": " ".join(zone.refused.values()),
    }


def _of_line(line: LineMeasure) -> dict[str, Any]:
    return {"line": line.name, "level": line.level, **flat_line(line), "refused": line.refused}


def _rate(name: str, value: float | None, ends: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = ends or (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}
