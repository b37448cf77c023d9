"""What Prometheus reads: numbers of now, with names as labels and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Histogram, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from headcount.core.errors import InputError
from headcount.video.measurement import (
    AlertEvent,
    Amount,
    CameraState,
    CameraStatus,
    Measurement,
    OutputStatus,
    Record,
)
from headcount.video.outputs.columns import flat_line
from headcount.video.outputs.table import Picture
from headcount.video.site import Site

_SECONDS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10)
_STATES: tuple[str, ...] = get_args(CameraState)


@dataclass
class _Seen:
    """What is known of a camera."""

    measurement: Measurement | None = None
    status: CameraStatus | None = None
    framed_at: float | None = None  # when the newest frame came, of the monotonic clock
    measured: int = 0
    alerts: dict[str, AlertEvent] = field(default_factory=dict)


class Metrics:
    """Keeps the newest numbers and gives them as text; where ``address`` is given, also at ``http://ADDRESS/metrics``.

    Args:
        address: HOST:PORT, or None.
        site: its name and cameras are labels.
        folder: not used.

    Raises:
        InputError: nothing can listen at the address.

    Attributes:
        statuses: asked for the states of the outputs whenever somebody reads.
    """

    name = "metrics"

    def __init__(self, address: str | None, site: Site, folder: Path = Path()) -> None:
        self._site = site.name
        self._lock = threading.Lock()
        self._cameras = {camera.name: _Seen() for camera in site.cameras}
        self.statuses: Callable[[], list[OutputStatus]] = list
        self._registry = CollectorRegistry()
        self._latency = Histogram(
            "headcount_latency_seconds",
            "From a frame's coming to its measure.",
            ("site", "camera"),
            registry=self._registry,
            buckets=_SECONDS,
        )
        for camera in self._cameras:
            self._latency.labels(self._site, camera)
        self._registry.register(_Families(self._families))
        self._server: Any = None if address is None else self._serve(address)

    @property
    def address(self) -> str:
        """Where it is read, ``http://HOST:PORT/metrics``; empty where nowhere."""
        if self._server is None:
            return ""
        host, port = self._server.server_address[:2]
        return f"http://{host}:{port}/metrics"

    def take(self, record: Record, picture: Picture | None = None) -> None:
        """Note a record."""
        with self._lock:
            if isinstance(record, Measurement):
                seen = self._cameras.setdefault(record.camera, _Seen())
                seen.measurement, seen.measured = record, seen.measured + 1
                seen.framed_at = time.monotonic() - record.latency_ms / 1000
                self._latency.labels(self._site, record.camera).observe(record.latency_ms / 1000)
            elif isinstance(record, CameraStatus):
                self._cameras.setdefault(record.camera, _Seen()).status = record
            elif isinstance(record, AlertEvent):
                alerts = self._cameras.setdefault(record.camera, _Seen()).alerts
                if record.state == "raised":
                    alerts[record.id] = record
                else:
                    alerts.pop(record.id, None)

    def exposition(self) -> str:
        """All numbers in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry).decode()

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _serve(self, address: str) -> Any:
        host, _, port = address.rpartition(":")
        if not 0 <= int(port) < 2**16:
            raise InputError(f'"{address}" has no port of 1 to 65535: give HOST:PORT.')
        try:
            return start_http_server(int(port), host, self._registry)[0]
        except OSError as error:
            raise InputError(
                f'Nothing can listen at "{address}" ({error.strerror or error}): give another HOST:PORT.'
            ) from error

    def _families(self) -> Iterator[Any]:
        with self._lock:
            cameras = dict(self._cameras)
            site = self._site
            yield from _of_view(site, cameras)
            yield from _of_zones(site, cameras)
            yield from _of_lines(site, cameras)
            yield from _of_frames(site, cameras)
            yield from _of_alerts(site, cameras)
        yield from _of_outputs(site, self.statuses())


class _Families(Collector):
    """Asks for the numbers when somebody reads, so that an age is that of now."""

    def __init__(self, families: Callable[[], Iterator[Any]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Any]:
        return self._families()

    def describe(self) -> list[Any]:
        return []


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"headcount_{name}", text, labels=("site", *labels))


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"headcount_{name}", text, labels=("site", *labels))


def _amounts(name: str, text: str, *labels: str) -> tuple[Any, Any, Any]:
    return (
        _gauge(name, f"{text}.", *labels),
        _gauge(f"{name}_low", f"{text}, the low end of the range.", *labels),
        _gauge(f"{name}_high", f"{text}, the high end of the range.", *labels),
    )


def _add(families: tuple[Any, Any, Any], labels: tuple[str, ...], amount: Amount | None) -> None:
    if amount is not None:
        for family, number in zip(families, (amount.value, amount.low, amount.high), strict=True):
            if number is not None:
                family.add_metric(labels, number)


def _of_view(site: str, cameras: dict[str, _Seen]) -> Iterator[Any]:
    people = _amounts("people", "People in view", "camera")
    for camera, seen in cameras.items():
        if seen.measurement is not None:
            _add(people, (site, camera), seen.measurement.people)
    yield from people


def _of_zones(site: str, cameras: dict[str, _Seen]) -> Iterator[Any]:
    people = _amounts("zone_people", "People in a zone", "camera", "zone")
    density = _amounts("zone_density", "People per square metre of a zone", "camera", "zone")
    voronoi = _amounts("zone_voronoi_density", "People per square metre of a zone, by Voronoi", "camera", "zone")
    fullest = _amounts("zone_fullest", "People in the fullest square metre of a zone", "camera", "zone")
    for camera, seen in cameras.items():
        if seen.measurement is None:
            continue
        for zone in seen.measurement.zones:
            labels = (site, camera, zone.name)
            for families, amount in (
                (people, zone.people), (density, zone.density), (voronoi, zone.voronoi), (fullest, zone.fullest)
            ):  # fmt: skip
                _add(families, labels, amount)
    for families in (people, density, voronoi, fullest):
        yield from families


def _of_lines(site: str, cameras: dict[str, _Seen]) -> Iterator[Any]:
    crossings = _counter("line_crossings", "People who crossed a line.", "camera", "line", "direction")
    rate = _amounts(
        "line_crossings_per_minute", "Crossings of a line in the last minute", "camera", "line", "direction"
    )
    flow = _amounts("line_flow", "Crossings of a line both ways, a metre and minute", "camera", "line")
    for camera, seen in cameras.items():
        for line in seen.measurement.lines if seen.measurement else ():
            labels = (site, camera, line.name)
            of_line = flat_line(line)
            for way, number in (("forward", line.forward), ("backward", line.backward)):
                crossings.add_metric((*labels, way), number)
                _add(rate, (*labels, way), _amount_of(of_line, f"{way}_per_min"))
            _add(flow, labels, _amount_of(of_line, "flow_per_m_min"))
    yield from (crossings, *rate, *flow)


def _amount_of(values: dict[str, float | None], name: str) -> Amount | None:
    value = values[name]
    return None if value is None else Amount(value=value, low=values[f"{name}_low"], high=values[f"{name}_high"])


def _of_frames(site: str, cameras: dict[str, _Seen]) -> Iterator[Any]:
    age = _gauge("last_frame_age_seconds", "Since the newest measured frame came.", "camera")
    measured = _counter("frames_measured", "Frames measured.", "camera")
    skipped = _counter("frames_skipped", "Frames passed over because a newer one was there.", "camera")
    damaged = _counter("frames_damaged", "Frames that could not be decoded.", "camera")
    reconnects = _counter("reconnects", "How often the camera was connected to again.", "camera")
    state = _gauge("camera_state", "1 in the state that the camera is in, 0 in the others.", "camera", "state")
    for camera, seen in cameras.items():
        labels = (site, camera)
        if seen.framed_at is not None:
            age.add_metric(labels, time.monotonic() - seen.framed_at)
        measured.add_metric(labels, seen.measured)
        of_status = seen.status.skipped if seen.status else 0
        skipped.add_metric(labels, max(of_status, seen.measurement.skipped if seen.measurement else 0))
        damaged.add_metric(labels, seen.status.damaged if seen.status else 0)
        reconnects.add_metric(labels, seen.status.reconnects if seen.status else 0)
        now = seen.status.state if seen.status else "starting"
        for each in _STATES:
            state.add_metric((*labels, each), each == now)
    yield from (age, measured, skipped, damaged, reconnects, state)


def _of_alerts(site: str, cameras: dict[str, _Seen]) -> Iterator[Any]:
    active = _gauge("alerts_active", "Alerts that are raised.", "camera")
    level = _gauge("alert_level", "The highest level raised in a zone; empty is the whole view.", "camera", "zone")
    for camera, seen in cameras.items():
        active.add_metric((site, camera), len(seen.alerts))
        zones = {zone.name: 0 for zone in seen.measurement.zones} if seen.measurement else {}
        for alert in seen.alerts.values():
            zones[alert.zone] = max(zones.get(alert.zone, 0), alert.level)
        for zone, highest in zones.items():
            level.add_metric((site, camera, zone), highest)
    yield from (active, level)


def _of_outputs(site: str, statuses: list[OutputStatus]) -> Iterator[Any]:
    working = _gauge("output_working", "1 where an output takes its records, 0 where it fails.", "output")
    waiting = _gauge("output_waiting", "Records that wait for an output.", "output")
    lost = _counter("output_lost", "Records that an output never took.", "output")
    for status in statuses:
        labels = (site, status.output)
        working.add_metric(labels, status.state == "working")
        waiting.add_metric(labels, status.waiting)
        lost.add_metric(labels, status.lost)
    yield from (working, waiting, lost)
