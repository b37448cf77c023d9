"""Cameras on the server: what the watching process tells is there at once, and its end is said and mended."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from headcount.core.errors import InputError
from headcount.serve.history_source import HistorySource, alert_rows
from headcount.serve.live import Live
from headcount.serve.recent import Recent, thinned
from headcount.serve.schema import Alert
from headcount.serve.wire import Look
from headcount.video.history import History
from headcount.video.measurement import AlertEvent
from headcount.video.outputs import Outputs
from headcount.video.site import DatabaseSettings, OutputSettings, Site

from . import workers
from .conftest import Served
from .test_count import wait_for


def watched(serve: Callable[..., Served], site: Site, site_folder: Path, **more: Any) -> Served:
    served = serve(site=site, folder=site_folder, **more)
    live = served.service.live
    assert live is not None
    if "watcher" not in more:
        wait_for(lambda: live.camera("north").measurement is not None and bool(live.outputs()))
    return served


def events(served: Served, most: int) -> Iterator[tuple[str, Any]]:
    with served.client.stream("GET", "/api/live") as stream:
        event = ""
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                yield event, json.loads(value)
                most -= 1
                if not most:
                    return


def test_cameras_alerts_and_outputs_are_told(square: Served) -> None:
    served = square
    north, south = served.client.get("/api/cameras").json()["cameras"]
    assert (north["name"], north["status"]["state"]) == ("north", "online")
    assert north["age_s"] < 5
    assert north["levels"] == [{"name": "gate", "level": 1, "levels": 3}, {"name": "stairs", "level": 0, "levels": 0}]
    assert north["measurement"]["zones"][0]["density"]["value"] == 2.2
    assert south["status"]["reason"] == "The camera refuses the connection."
    assert served.client.get("/api/cameras/south").json()["measurement"] is None
    assert served.client.get("/api/cameras/west").status_code == 404
    now = served.client.get("/api/live/now").json()
    assert (now["site"], now["monitor"]["state"]) == ("Square", "running")
    assert now["outputs"][0]["waiting"] == 12
    text = served.client.get("/metrics").text
    assert 'headcount_camera_online{camera="north"} 1.0' in text
    assert 'headcount_camera_online{camera="south"} 0.0' in text
    assert 'headcount_zone_density{camera="north",zone="gate"} 2.2' in text
    assert 'headcount_output_waiting{output="database"} 12.0' in text
    everything = " ".join(
        served.client.get(path).text for path in ("/api/cameras", "/api/live/now", "/api/about", "/metrics", "/")
    )
    assert "hunter22" not in everything
    assert "10.0.0.2" not in everything


def test_changes_are_told_as_they_come_the_newest_alone(square: Served) -> None:
    served = square
    told = list(events(served, 6))
    assert told[0][0] == "now"
    assert [each["name"] for each in told[0][1]["cameras"]] == ["north", "south"]
    frames = [data["measurement"]["frame"] for event, data in told[1:] if event == "camera" and data["measurement"]]
    assert frames == sorted(set(frames))
    live = served.service.live
    assert live is not None
    wait_for(lambda: live.listeners == 0)


def test_pictures_are_made_while_somebody_looks(serve: Callable[..., Served], site: Site, site_folder: Path) -> None:
    served = watched(serve, site, site_folder)
    live = served.service.live
    assert live is not None
    assert live.picture("north") is None
    answer = served.client.get("/api/cameras/north/picture")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    assert Image.open(io.BytesIO(answer.content)).size == (640, 360)
    marks = served.client.get("/api/cameras/north/marks").json()
    assert marks["points"] == [[0.25, 0.5], [0.5, 0.75]]
    assert marks["heat"] == [[0.0, 1.5], [4.0, 0.2]]
    assert marks["zones"][0]["name"] == "gate"
    none = served.client.get("/api/cameras/south/picture")
    assert none.status_code == 404
    assert served.client.get("/api/cameras/south/marks").json()["points"] == []


def test_an_alert_is_acknowledged_once(square: Served) -> None:
    served = square
    (alert,) = served.client.get("/api/alerts").json()["alerts"]
    assert alert["raised"]["zone"] == "gate"
    answer = served.client.post(f"/api/alerts/{alert['id']}/acknowledge", json={"who": "Ann"}).json()
    assert answer["acknowledged_by"] == "Ann"
    again = served.client.post(f"/api/alerts/{alert['id']}/acknowledge", json={"who": "Ben"}).json()
    assert again == answer
    address = "/api/alerts/none/acknowledge"
    assert served.client.post(address, json={}).status_code == 404
    assert served.client.post(address, json={"whom": "Ann"}).status_code == 422
    large = served.client.post(
        address, content=iter([b" " * 10_000] * 10), headers={"content-type": "application/json"}
    )
    assert large.status_code == 413
    (row,) = csv.DictReader(io.StringIO(served.client.get("/api/alerts.csv").text))
    assert (row["id"], row["acknowledged_by"], row["cleared_at"]) == ("breach1", "Ann", "")


def test_history_is_told_from_memory_and_exported(square: Served) -> None:
    served = square
    found = served.client.get("/api/cameras/north/history").json()
    assert len(found["points"]) >= 1
    assert found["points"][0]["zones"]["gate"]["density"] == 2.2
    table = served.client.get("/api/cameras/north/history.csv")
    assert "north.csv" in table.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["zone"] for row in rows[:3]] == ["", "gate", "stairs"]
    assert rows[1]["density"] == "2.2"
    assert rows[0]["people_low"] != ""
    since = {"since": "2026-11-28T10:00:00Z", "until": "2026-11-28T09:00:00Z"}
    assert "before it begins" in served.client.get("/api/cameras/north/history", params=since).json()["detail"]
    for wrong in ({"since": "yesterday"}, {"most": 0}, {"since": "0001-01-01T00:00:00+14:00"}):
        assert served.client.get("/api/cameras/north/history", params=wrong).status_code in (400, 422)


def test_a_watching_process_that_dies_is_said_and_started_again(
    serve: Callable[..., Served], site: Site, site_folder: Path
) -> None:
    served = watched(serve, site, site_folder)
    monitor, live = served.service.monitor, served.service.live
    assert monitor is not None
    assert live is not None
    assert monitor.pid is not None
    states: list[str] = []
    changed = live.monitor_changed
    monitor._changed = lambda told: (states.append(told.state), changed(told))[1]
    os.kill(monitor.pid, signal.SIGKILL)
    wait_for(lambda: states[:2] == ["down", "running"])
    before = live.camera("north").measurement
    assert before is not None
    wait_for(lambda: live.camera("north").status.state == "online")
    assert served.client.get("/api/live/now").json()["monitor"]["starts"] == 2
    assert served.count("still counting").status_code == 200


def test_a_watching_process_that_lives_but_says_nothing_is_started_again(
    serve: Callable[..., Served], site: Site, site_folder: Path
) -> None:
    served = watched(serve, site, site_folder, silent_s=2)
    monitor = served.service.monitor
    assert monitor is not None
    assert monitor.pid is not None
    os.kill(monitor.pid, signal.SIGSTOP)
    # Nobody who looks at pictures is held up by a pipe that is full.
    began = time.monotonic()
    while not monitor._sending.locked() and time.monotonic() - began < 1:
        threading.Thread(target=monitor.tell, args=("x" * 100_000,), daemon=True).start()
        time.sleep(0.02)
    monitor.tell(Look("north"))
    wait_for(lambda: monitor.state.state == "running" and monitor.state.starts == 2)
    assert served.count("still counting").status_code == 200


def test_why_nothing_is_watched_is_told(serve: Callable[..., Served], site: Site, site_folder: Path) -> None:
    served = watched(serve, site, site_folder, watcher=workers.stopping)
    monitor = served.service.monitor
    assert monitor is not None
    wait_for(lambda: monitor.state.state == "down")
    told = served.client.get("/api/live/now").json()
    assert told["monitor"]["reason"].startswith("The model cannot be opened.")
    assert {each["status"]["state"] for each in told["cameras"]} == {"offline"}


def test_alerts_are_bounded_and_a_cleared_one_stays_known(site: Site) -> None:
    live = Live(site)
    event = AlertEvent(
        id="0", camera="north", measure="density", level=1, threshold=2, state="raised", at=workers.AT, value=2, peak=2
    )
    for number in range(1100):
        live.take_record(event.model_copy(update={"id": str(number)}))
    live.take_record(event.model_copy(update={"id": "1099", "state": "cleared", "peak": 4.0}))
    alerts = live.alerts()
    assert len(alerts) == 1000
    assert alerts[0].cleared is not None
    assert alerts[0].cleared.peak == 4
    assert alerts[1].cleared is None


def test_the_last_hour_and_day_are_kept_thinned() -> None:
    recent = Recent()
    first = workers.measured("north", 0)
    start = datetime(2026, 11, 28, tzinfo=UTC)
    for second in range(0, 3 * 3600, 2):
        recent.add(first.model_copy(update={"at": start + timedelta(seconds=second), "frame": second}))
    end = start + timedelta(hours=3)
    hour = recent.between("north", end - timedelta(hours=1), end, 5000)
    day = recent.between("north", end - timedelta(days=1), end, 5000)
    assert 590 <= len(hour) <= 601
    assert 175 <= len(day) <= 181
    assert [one.at for one in day] == sorted(one.at for one in day)
    assert len(recent.between("north", end - timedelta(hours=1), end, 50)) == 50
    assert recent.between("south", start, end, 10) == []


def test_a_clock_that_goes_back_leaves_a_series_that_only_goes_forward() -> None:
    recent = Recent()
    first = workers.measured("north", 0)
    start = datetime(2026, 11, 28, tzinfo=UTC)
    for minute in (0, 1, 2, 3, 1, 2):
        recent.add(first.model_copy(update={"at": start + timedelta(minutes=minute)}))
    found = recent.between("north", start, start + timedelta(hours=1), 100)
    assert [one.at.minute for one in found] == [0, 1, 2]


def test_thinning_keeps_the_ends() -> None:
    for most in range(2, 40):
        kept = thinned(list(range(100)), most)
        assert (len(kept), kept[0], kept[-1]) == (most, 0, 99)


def down() -> History:
    raise InputError("The database does not answer.")


def test_a_database_that_is_down_leaves_what_is_in_memory(
    serve: Callable[..., Served], site: Site, site_folder: Path
) -> None:
    served = watched(serve, site, site_folder, database=down)
    assert served.client.get("/api/cameras/north/history").json()["points"] != []
    assert len(served.client.get("/api/cameras/north/history.csv").text.splitlines()) > 3
    answer = served.client.post("/api/alerts/breach1/acknowledge", json={"who": "Ann"})
    assert answer.json()["acknowledged_by"] == "Ann"


def test_the_database_is_read_and_an_acknowledgement_waits_until_it_is_back(site: Site, tmp_path: Path) -> None:
    site = site.model_copy(update={"outputs": OutputSettings(database=DatabaseSettings(), spool=tmp_path / "spool")})
    at = datetime.now(UTC) - timedelta(minutes=5)
    event = AlertEvent(
        id="breach9", camera="north", zone="gate", measure="density", level=2, threshold=3.5, state="raised",
        at=at, value=3.6, peak=3.6,
    )  # fmt: skip
    outputs = Outputs(site, tmp_path)
    for number in range(5):
        frame = workers.measured("north", number, 10.0 * number)
        outputs.take(frame.model_copy(update={"at": at + timedelta(seconds=number)}))
    outputs.take(event)
    assert outputs.settle()
    outputs.close(5)
    live = Live(site)
    is_down = [True]

    def opened() -> History:
        return down() if is_down else History("sqlite:///headcount-watch.sqlite", tmp_path, site=site.name)

    history = HistorySource(live, opened)
    assert history.points("north", at, datetime.now(UTC), 100) == []
    live.take_record(event)
    history.acknowledge("breach9", "Ann", datetime.now(UTC))
    is_down.clear()
    history._down_until = 0
    history.start()
    try:
        read = History("sqlite:///headcount-watch.sqlite", tmp_path)
        wait_for(lambda: read.alerts()[0].acknowledged_by == "Ann")
        read.close()
        points = history.points("north", at, datetime.now(UTC), 100)
        assert [point.people for point in points] == [0, 10, 20, 30, 40]
        assert len(list(history.rows("north", at, datetime.now(UTC)))) == 1 + 3 * 5
        # A server that starts anew knows the alert, and who has seen it.
        again = Live(site)
        later = HistorySource(again, opened)
        later.start()
        wait_for(lambda: bool(again.alerts()))
        later.close()
        assert (again.alerts()[0].acknowledged_by, again.alerts()[0].raised.level) == ("Ann", 2)
    finally:
        history.close()


def test_a_listener_that_reads_no_more_leaves_its_place_to_another(site: Site) -> None:
    live = Live(site, most_listeners=1)

    async def listen() -> None:
        first = live.listen()
        assert first is not None
        assert live.listen() is None
        first.taken_at -= 31
        second = live.listen()
        assert first.is_closed
        assert live._listeners == [second]

    asyncio.run(listen())


def test_tables_hold_no_formulas(site: Site) -> None:
    event = AlertEvent(
        id="0", camera="=north", measure="density", level=1, threshold=2, state="raised", at=workers.AT, value=2, peak=2
    )
    alert = Alert(id="0", raised=event, acknowledged_at=workers.AT, acknowledged_by="+1 =HYPERLINK(1)")
    (row,) = csv.DictReader(io.StringIO("".join(alert_rows([alert]))))
    assert (row["camera"], row["acknowledged_by"], row["value"]) == ("'=north", "'+1 =HYPERLINK(1)", "2.0")


def test_listeners_are_bounded_and_sent_away_at_the_end(
    serve: Callable[..., Served], site: Site, site_folder: Path
) -> None:
    served = watched(serve, site, site_folder)
    live = served.service.live
    assert live is not None
    live._most_listeners = 1
    with served.client.stream("GET", "/api/live") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: now"
        assert served.client.get("/api/live").status_code == 503
        began = time.monotonic()
        live.close()
        assert all(True for _ in lines)
        assert time.monotonic() - began < 15
