"""Metrics, read by Prometheus' own parser."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from headcount.core.errors import InputError
from headcount.video.measurement import Amount
from headcount.video.outputs import Outputs
from headcount.video.outputs.metrics import Metrics

from .receivers import free_port
from .records import alert, measured, site, status

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Samples:
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.name.startswith("headcount_") for family in families)
    assert all(family.type != "unknown" for family in families)
    return {
        (sample.name.removeprefix("headcount_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def read(metrics: Metrics, name: str, **labels: str) -> float | None:
    return parsed(metrics.exposition()).get((name, tuple(sorted({"site": "Fair", **labels}.items()))))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(None, site())


def test_before_anything_is_measured_nothing_is_claimed(metrics: Metrics) -> None:
    assert read(metrics, "people", camera="north") is None
    assert read(metrics, "last_frame_age_seconds", camera="north") is None
    assert read(metrics, "camera_state", camera="north", state="starting") == 1
    assert read(metrics, "frames_measured_total", camera="south") == 0
    assert read(metrics, "latency_seconds_count", camera="south") == 0


def test_a_measurement_is_numbers_by_name(metrics: Metrics) -> None:
    metrics.take(measured(40))
    gate = {"camera": "north", "zone": "Main gate"}
    for name, labels, expected in (
        ("people", {"camera": "north"}, 40), ("people_low", {"camera": "north"}, 38),
        ("people_high", {"camera": "north"}, 43), ("zone_people", gate, 20), ("zone_density", gate, 1.0),
        ("zone_density_high", gate, 2.0), ("zone_voronoi_density", gate, 0.8), ("zone_fullest", gate, 4.0),
        ("zone_density", gate | {"zone": "stage"}, None), ("frames_skipped_total", {"camera": "north"}, 3),
        ("line_crossings_total", {"camera": "north", "line": "door", "direction": "forward"}, 40),
        ("line_crossings_per_minute", {"camera": "north", "line": "door", "direction": "forward"}, 3),
        ("line_crossings_per_minute_high", {"camera": "north", "line": "door", "direction": "forward"}, 43),
        ("line_crossings_per_minute_high", {"camera": "north", "line": "door", "direction": "backward"}, None),
        ("line_flow", {"camera": "north", "line": "door"}, None),
        ("latency_seconds_bucket", {"camera": "north", "le": "0.05"}, 1),
        ("latency_seconds_bucket", {"camera": "north", "le": "0.025"}, 0),
    ):  # fmt: skip
        assert read(metrics, name, **labels) == expected, name


def test_what_is_refused_is_left_out_again(metrics: Metrics) -> None:
    metrics.take(measured(40))
    metrics.take(measured(41, people=Amount(value=41), zones=()))
    assert read(metrics, "zone_density", camera="north", zone="Main gate") is None
    assert read(metrics, "people_low", camera="north") is None
    assert read(metrics, "frames_measured_total", camera="north") == 2


def test_the_age_of_the_last_frame_grows(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr("headcount.video.outputs.metrics.time.monotonic", lambda: now)
    metrics.take(measured(1, latency_ms=250))
    monkeypatch.setattr("headcount.video.outputs.metrics.time.monotonic", lambda: now + 7)
    assert read(metrics, "last_frame_age_seconds", camera="north") == pytest.approx(7.25)


def test_the_state_of_a_camera_is_one_of_all(metrics: Metrics) -> None:
    metrics.take(status("offline", reconnects=4, skipped=9, damaged=2))
    states = ("starting", "online", "stale", "offline", "ended")
    found = [read(metrics, "camera_state", camera="north", state=state) for state in states]
    assert found == [0, 0, 0, 1, 0]
    assert read(metrics, "reconnects_total", camera="north") == 4
    assert read(metrics, "frames_skipped_total", camera="north") == 9
    assert read(metrics, "frames_damaged_total", camera="north") == 2


def test_alerts_are_counted_until_they_are_cleared(metrics: Metrics) -> None:
    metrics.take(measured(1))
    metrics.take(alert(name="a", level=1))
    metrics.take(alert(name="b", level=2))
    assert read(metrics, "alerts_active", camera="north") == 2
    assert read(metrics, "alert_level", camera="north", zone="Main gate") == 2
    assert read(metrics, "alert_level", camera="north", zone="stage") == 0
    metrics.take(alert("cleared", name="b", level=2))
    assert read(metrics, "alerts_active", camera="north") == 1
    assert read(metrics, "alert_level", camera="north", zone="Main gate") == 1


def test_it_is_read_over_http_with_the_states_of_the_outputs(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    url = "postgresql://me:hidden-word@127.0.0.1:1/db"
    outputs = Outputs(site(metrics=address, database={"url": url}), tmp_path, retry_s=0.05)
    for number in range(3):
        outputs.take(measured(number))
    assert outputs.settle()
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        text = answer.read().decode()
        assert answer.headers["content-type"].startswith("text/plain")
    found = parsed(text)
    assert found["output_waiting", (("output", "database"), ("site", "Fair"))] >= 3
    assert found["output_lost_total", (("output", "database"), ("site", "Fair"))] == 0
    assert "hidden-word" not in text
    assert outputs.exposition().count("# TYPE") == text.count("# TYPE") > 20
    outputs.close(0.1)
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://{address}/metrics", timeout=1)


def test_labels_are_names_only(metrics: Metrics) -> None:
    metrics.take(measured(1, warnings=("It is dark.",)))
    metrics.take(status("offline"))
    labels = {name for _, found in parsed(metrics.exposition()) for name, _ in found}
    assert labels == {"site", "camera", "zone", "line", "direction", "le", "state"}
    assert "does not answer" not in metrics.exposition()


def test_without_an_address_it_is_kept_all_the_same(tmp_path: Path) -> None:
    outputs = Outputs(site(), tmp_path)
    outputs.take(measured(12))
    assert outputs.settle()
    assert 'headcount_people{camera="north",site="Fair"} 12.0' in outputs.exposition()
    assert outputs.metrics.address == ""
    outputs.close()


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "192.0.2.7:9100", "taken"])
def test_an_address_of_no_use_is_refused(address: str) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        given: Any = f"127.0.0.1:{taken.getsockname()[1]}" if address == "taken" else address
        with pytest.raises(InputError, match=r"has no port|Nothing can listen at"):
            Metrics(given, site())
