"""The columns of a CSV file of measures: a row for the camera's whole view, and one for each of its zones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from headcount.video.measurement import Amount, Measurement, ZoneMeasure

COLUMNS = (
    "at", "camera", "frame", "zone", "people", "people_low", "people_high", "level", "area_m2",
    "density", "density_low", "density_high", "voronoi", "voronoi_low", "voronoi_high",
    "fullest", "fullest_low", "fullest_high", "fullest_x_m", "fullest_y_m", "trend_per_min",
    "skipped", "latency_ms", "model", "refused",
)  # fmt: skip
"""Empty is unknown; ``zone`` is empty in the row of the view."""


def iso(at: datetime) -> str:
    """A time as all outputs write it.

    >>> iso(datetime.fromisoformat("2026-05-01T22:00:00.5+02:00"))
    '2026-05-01T20:00:00.500000Z'
    """
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def rows_of(record: Measurement) -> list[list[Any]]:
    """The rows of a frame, that of the view first."""
    return [_row(record, None), *(_row(record, zone) for zone in record.zones)]


def _row(record: Measurement, zone: ZoneMeasure | None) -> list[Any]:
    trend = record.trend_per_min if zone is None else zone.trend_per_min
    values: dict[str, Any] = {
        "at": iso(record.at),
        "camera": record.camera,
        "frame": record.frame,
        "zone": "",
        **_amount("people", record.people if zone is None else zone.people),
        "level": record.people.level,
        "trend_per_min": None if trend is None else trend.value,
        "skipped": record.skipped,
        "latency_ms": record.latency_ms,
        "model": record.model,
    }
    if zone is not None:
        x, y = zone.fullest_xy_m or (None, None)
        values |= {"zone": zone.name, "area_m2": zone.area_m2, "fullest_x_m": x, "fullest_y_m": y}
        values |= {**_amount("density", zone.density), **_amount("voronoi", zone.voronoi)}
        values |= {**_amount("fullest", zone.fullest), "refused": " ".join(zone.refused.values())}
    return [values.get(column) for column in COLUMNS]


def _amount(name: str, amount: Amount | None) -> dict[str, float | None]:
    given = (None, None, None) if amount is None else (amount.value, amount.low, amount.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), given, strict=True))
