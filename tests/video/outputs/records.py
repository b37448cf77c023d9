"""A small site, and records of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from headcount.video.measurement import (
    AlertEvent,
    Amount,
    CameraStatus,
    LineMeasure,
    Measurement,
    ZoneMeasure,
)
from headcount.video.site import Site

BEGIN = datetime(2026, 5, 1, 20, 0, tzinfo=UTC)
SQUARE = [[0, 0], [100, 0], [100, 100], [0, 100]]


def site(**outputs: Any) -> Site:
    """Two cameras, of which the first has two zones and a line; no output that is not named."""
    shapes = {
        "zones": [{"name": name, "polygon": SQUARE} for name in ("Main gate", "stage")],
        "lines": [{"name": "door", "ends": [[0, 0], [100, 0]]}],
    }
    cameras = [{"name": "north", "source": "n.mp4", **shapes}, {"name": "south", "source": "s.mp4"}]
    return Site.model_validate({"name": "Fair", "cameras": cameras, "outputs": {"database": None, **outputs}})


def measured(number: int = 0, *, camera: str = "north", at: datetime | None = None, **more: Any) -> Measurement:
    """A frame: ``number`` people and more, a second after the last one."""
    gate = ZoneMeasure(
        name="Main gate",
        people=Amount(value=number / 2, low=number / 4, high=number, level=0.9),
        area_m2=20.0,
        density=Amount(value=number / 40, low=number / 80, high=number / 20, level=0.9),
        voronoi=Amount(value=number / 50),
        fullest=Amount(value=number / 10),
        fullest_xy_m=(1.5, 2.5),
        trend_per_min=Amount(value=1.25, low=-0.5, high=3.0, level=0.9),
    )
    stage = ZoneMeasure(name="stage", people=Amount(value=1), refused={"density": "It needs a calibration."})
    door = LineMeasure(
        name="door",
        forward=number,
        backward=1,
        forward_per_min=3.0,
        backward_per_min=1.0,
        forward_range_per_min=(2.0, number + 3.0),
        level=0.8,
        refused="It needs a calibration.",
    )
    known = camera == "north"
    values: dict[str, Any] = {
        "camera": camera,
        "at": at or BEGIN + timedelta(seconds=number),
        "frame": number,
        "size_wh": (1280, 720),
        "people": Amount(value=number, low=max(0, number - 2), high=number + 3, level=0.9),
        "zones": (gate, stage) if known else (),
        "lines": (door,) if known else (),
        "model": "headcount-s",
        "latency_ms": 41.5,
        "skipped": 3,
    }
    return Measurement(**values | more)


def alert(state: Any = "raised", name: str = "a-1", *, second: float = 0, **more: Any) -> AlertEvent:
    """An alert of the gate."""
    values: dict[str, Any] = {
        "id": name,
        "camera": "north",
        "zone": "Main gate",
        "measure": "density",
        "level": 1,
        "threshold": 2.0,
        "state": state,
        "at": BEGIN + timedelta(seconds=second),
        "value": 2.5 if state == "raised" else 0.5,
        "peak": 2.5 if state == "raised" else 3.5,
        "reason": "" if state == "raised" else "It stayed below 1.7 for 30 s.",
    }
    return AlertEvent(**values | more)


def status(state: Any = "online", *, camera: str = "north", second: float = 0, **more: Any) -> CameraStatus:
    """A camera's state."""
    return CameraStatus(
        camera=camera,
        state=state,
        since=BEGIN + timedelta(seconds=second),
        reason="" if state == "online" else "It does not answer.",
        **more,
    )


def wait_until(condition: Callable[[], Any], timeout_s: float = 20) -> Any:
    """What a condition gives as soon as it is true."""
    end = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < end, "this did not come true in time"
        time.sleep(0.01)
    return found
