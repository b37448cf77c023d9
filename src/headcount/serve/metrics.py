"""What Prometheus reads of the server itself and of the cameras' newest state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from headcount.serve.service import Service

_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The server's own numbers."""

    def __init__(self, service: Service) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "headcount_server_answers", "Answers to requests to count, by HTTP status.", ["status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "headcount_server_answer_seconds", "From a request's beginning to its answer, of those that were counted.",
            buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._registry.register(_State(service))

    def answered(self, status: int, seconds: float) -> None:
        """A request to count was answered."""
        self._answers.labels(str(status)).inc()
        if status == 200:
            self._seconds.observe(seconds)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)


class _State(Collector):
    """What is read off when somebody asks."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Each number by its name."""
        service = self._service
        dispatcher = service.dispatcher
        yield _gauge("headcount_server_waiting", "Requests that wait.", len(service.queue))
        yield _gauge("headcount_server_places", "Requests that may wait.", service.queue.places)
        yield _gauge("headcount_server_ready", "Whether it can count now.", dispatcher.state == "ready")
        yield _gauge("headcount_server_worker_starts", "Workers that were started.", dispatcher.starts)
        yield _gauge("headcount_server_held_bytes", "Of images in hand.", service.held.bytes)
        yield _gauge("headcount_server_jobs_bytes", "Of jobs on the disk.", service.store.bytes)
        yield _gauge("headcount_server_memory_bytes", "Resident memory of the server's own process.", resident_bytes())
        if service.live is not None:
            yield from self._cameras()

    def _cameras(self) -> Iterator[Metric]:
        live = self._service.live
        assert live is not None
        online = GaugeMetricFamily("headcount_camera_online", "Whether frames come.", labels=["camera"])
        people = GaugeMetricFamily("headcount_camera_people", "People in view.", labels=["camera"])
        age = GaugeMetricFamily("headcount_camera_age_seconds", "Since the newest measurement.", labels=["camera"])
        skipped = GaugeMetricFamily("headcount_camera_skipped_frames", "Frames passed over.", labels=["camera"])
        again = GaugeMetricFamily("headcount_camera_reconnects", "Connections made anew.", labels=["camera"])
        latency = GaugeMetricFamily("headcount_camera_latency_seconds", "From frame to measurement.", labels=["camera"])
        zones = GaugeMetricFamily("headcount_zone_people", "People in a zone.", labels=["camera", "zone"])
        density = GaugeMetricFamily("headcount_zone_density", "People per square metre.", labels=["camera", "zone"])
        for camera in live.cameras():
            label = [camera.name]
            online.add_metric(label, float(camera.status.state == "online"))
            again.add_metric(label, camera.status.reconnects)
            if camera.measurement is None or camera.age_s is None:
                continue
            people.add_metric(label, camera.measurement.people.value)
            age.add_metric(label, camera.age_s)
            skipped.add_metric(label, camera.measurement.skipped)
            latency.add_metric(label, camera.measurement.latency_ms / 1000)
            for zone in camera.measurement.zones:
                zones.add_metric([camera.name, zone.name], zone.people.value)
                if zone.density is not None:
                    density.add_metric([camera.name, zone.name], zone.density.value)
        yield from (online, people, age, skipped, again, latency, zones, density)
        waiting = GaugeMetricFamily("headcount_output_waiting", "Records that wait on the disk.", labels=["output"])
        for output in live.outputs():
            waiting.add_metric([output.output], output.waiting)
        yield waiting
        open_alerts = sum(alert.cleared is None for alert in live.alerts())
        yield _gauge("headcount_alerts_open", "Alerts that are not over.", open_alerts)
        yield _gauge("headcount_monitor_running", "Whether cameras are watched.", live.now().monitor.state == "running")


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, float(value))


def resident_bytes(process: int | None = None) -> int:
    """Memory that a process, or this one, has resident; 0 where the system does not tell."""
    try:
        text = Path(f"/proc/{process or os.getpid()}/statm").read_text(encoding="ascii")
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0
