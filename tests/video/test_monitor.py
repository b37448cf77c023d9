"""A site that is watched: cameras in their turn, what is told of them, and what goes on when one fails."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError, MissingFileError, ModelError
from headcount.core.image import RgbImage
from headcount.core.prediction import Prediction
from headcount.infer.counter import Counter, load
from headcount.video.jumps import Jumps
from headcount.video.measurement import AlertEvent, Amount, CameraStatus, Measurement
from headcount.video.monitor import Monitor
from headcount.video.outputs import Outputs as ToOutputs
from headcount.video.picture import MeasuredPicture
from headcount.video.site import (
    AlertSettings,
    CameraSettings,
    DatabaseSettings,
    OutputSettings,
    PrivacySettings,
    Site,
    ZoneSettings,
)
from headcount.video.sources.live import CLOSE_S, LiveSource

from .films import RtspServer, mute, said

pytest.importorskip("av", reason="cameras are read with PyAV (video extra)")


@dataclass(frozen=True)
class Found:
    """What the tests' measurers give."""

    measurement: Measurement
    prediction: Prediction
    zones: tuple[Any, ...] = ()
    lines: tuple[Any, ...] = ()


class Measurer:
    """Measures nothing, in so many seconds; and fails where it is told to."""

    def __init__(self, camera: CameraSettings, *, takes_s: float = 0.0, fails: Callable[[int], bool] | None = None):
        self.camera, self.takes_s, self.fails = camera, takes_s, fails or (lambda frame: False)

    def measure(self, counter: Any, pixels: RgbImage, at: datetime, **named: Any) -> Found:
        time.sleep(self.takes_s)
        if self.fails(named["frame"]):
            raise InputError('The zone "hall" lies outside the picture: draw it anew.')
        height, width = pixels.shape[:2]
        record = Measurement(
            camera=self.camera.name,
            at=at,
            frame=named["frame"],
            size_wh=(width, height),
            people=Amount(value=said(pixels)),
            skipped=named["skipped"],
            latency_ms=1e3 * (time.monotonic() - named["came"]),
        )
        return Found(record, Prediction(0, (width, height)))

    def shapes(self, size_wh: tuple[int, int]) -> None:
        if size_wh != (160, 96):
            raise InputError(f"The zones do not fit {size_wh}.")


class Alerts:
    """Notes what it is told; raises an alert of level 2 with the first frame of a camera."""

    def __init__(self) -> None:
        self.gone: list[tuple[str, str, datetime]] = []
        self.raised: set[str] = set()

    def event(self, camera: str, state: Any, at: datetime, reason: str = "") -> AlertEvent:
        numbers: dict[str, Any] = {"measure": "density", "level": 2, "threshold": 3.5, "value": 4.0, "peak": 4.0}
        return AlertEvent(id=camera, camera=camera, zone="hall", state=state, at=at, reason=reason, **numbers)

    def take(self, measurement: Measurement) -> list[AlertEvent]:
        if measurement.camera in self.raised:
            return []
        self.raised.add(measurement.camera)
        return [self.event(measurement.camera, "raised", measurement.at)]

    def unseen(self, camera: str, at: datetime, reason: str) -> list[AlertEvent]:
        self.gone.append((camera, reason, at))
        was = camera in self.raised
        self.raised.discard(camera)
        return [self.event(camera, "cleared", at, reason)] if was else []


class Outputs:
    def __init__(self) -> None:
        self.records: list[Any] = []

    def take(self, record: Any, picture: Any = None) -> None:
        self.records.append(record)


class Watching:
    """A monitor of a site, and all that it told."""

    def __init__(self, *cameras: CameraSettings, **named: Any) -> None:
        self.told: list[tuple[Any, Any]] = []
        self.outputs, self.alerts = Outputs(), Alerts()
        takes_s, fails = named.pop("takes_s", 0.0), named.pop("fails", {})
        privacy = named.pop("privacy", PrivacySettings())
        self.monitor = Monitor(
            Site(name="square", cameras=cameras, privacy=privacy),
            Path("/"),
            counter=cast(Counter, named.pop("counter", _NoCounter())),
            outputs=self.outputs,
            seen=lambda record, picture: self.told.append((record, picture)),
            measurer=lambda camera: Measurer(camera, takes_s=takes_s, fails=fails.get(camera.name)),
            alerts=self.alerts,
            **named,
        )
        self.stop = threading.Event()

    def run(self, seconds: float = 20) -> Watching:
        """Until all recordings have ended, or so long."""
        ending = threading.Timer(seconds, self.stop.set)
        ending.start()
        try:
            self.monitor.run(self.stop)
        finally:
            ending.cancel()
            ending.join()
        return self

    @contextmanager
    def running(self) -> Iterator[Watching]:
        thread = threading.Thread(target=self.monitor.run, args=(self.stop,))
        thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            thread.join(timeout=20)
            assert not thread.is_alive()

    def until(self, condition: Callable[[], bool], within_s: float = 15) -> None:
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, self.told
            time.sleep(0.02)

    def measured(self, camera: str = "") -> list[Measurement]:
        return [
            record for record, _ in list(self.told) if isinstance(record, Measurement) and camera in ("", record.camera)
        ]

    def states(self, camera: str) -> list[str]:
        return [status.state for status in self.statuses(camera)]

    def statuses(self, camera: str) -> list[CameraStatus]:
        told = [record for record, _ in list(self.told) if isinstance(record, CameraStatus)]
        return [status for status in told if status.camera == camera]

    def events(self) -> list[AlertEvent]:
        return [record for record, _ in list(self.told) if isinstance(record, AlertEvent)]


class _NoCounter:
    max_pixels = 10**8


def camera(name: str, source: str | Path, **settings: Any) -> CameraSettings:
    return CameraSettings(name=name, source=str(source), **{"timeout_s": 1.0, **settings})


def test_each_due_frame_of_a_recording_is_measured_and_told_in_order(short_film: Path) -> None:
    watching = Watching(camera("a", short_film, replay="all", frames_per_second=5)).run()
    assert [record.frame for record in watching.measured()] == list(range(0, 20, 2))
    assert [record.people.value for record in watching.measured()] == list(range(0, 20, 2))
    assert watching.states("a") == ["online", "ended"]
    assert watching.outputs.records == [record for record, _ in watching.told]
    # The alert was raised with the first frame, and is over as the film is: by the film's own time.
    raised, cleared = watching.events()
    assert (raised.state, cleared.state, cleared.reason) == ("raised", "cleared", "The recording has ended.")
    assert cleared.at - raised.at == timedelta(seconds=1.8)
    assert all(record.latency_ms >= 0 for record in watching.measured())


def test_cameras_are_measured_as_often_as_they_say(film: Path) -> None:
    cameras = camera("slow", film, frames_per_second=2), camera("fast", film, frames_per_second=8)
    watching = Watching(*cameras).run(3.2)
    tally = Tally(record.camera for record in watching.measured())
    assert 4 <= tally["slow"] <= 8
    assert 12 <= tally["fast"] <= 27
    assert watching.measured("slow")[-1].skipped > 0


def test_none_starves_where_there_is_too_much_to_do(film: Path) -> None:
    cameras = [camera(f"c{number}", film, frames_per_second=10) for number in range(4)]
    watching = Watching(*cameras, camera("rare", film, frames_per_second=1), takes_s=0.1).run(4)
    tally = Tally(record.camera for record in watching.measured())
    assert tally["rare"] >= 2
    shares = [tally[f"c{number}"] for number in range(4)]
    assert min(shares) >= 3
    assert max(shares) - min(shares) <= 2
    order = [record.camera for record in watching.measured() if record.camera != "rare"][4:12]
    assert len(set(order[:4])) == len(set(order[4:])) == 4  # each in its turn


def test_a_camera_that_says_nothing_holds_up_no_other_and_its_state_is_told(short_film: Path) -> None:
    with mute() as port:
        film = camera("film", short_film, replay="all", frames_per_second=60)
        dead = camera("dead", f"rtsp://ann:hunter2@127.0.0.1:{port}/live")
        watching = Watching(film, dead)
        with watching.running():
            watching.until(lambda: "ended" in watching.states("film") and bool(watching.states("dead")))
            statuses = {status.camera: status for status in watching.monitor.statuses()}
    assert len(watching.measured()) == 20
    assert statuses["dead"].state == "offline"
    assert "sent nothing for 1 s" in statuses["dead"].reason
    assert "hunter2" not in repr(watching.told)


def test_an_error_of_one_camera_is_told_once_and_the_others_go_on(short_film: Path) -> None:
    all_frames = {"replay": "all", "frames_per_second": 60}
    watching = Watching(
        camera("bad", short_film, **all_frames),
        camera("good", short_film, **all_frames),
        fails={"bad": lambda frame: 5 <= frame < 12},
    ).run()
    assert len(watching.measured("good")) == 20
    assert [record.frame for record in watching.measured("bad")] == [*range(5), *range(12, 20)]
    assert [status.reason for status in watching.statuses("bad") if status.reason] == [
        'Its frames cannot be measured: The zone "hall" lies outside the picture: draw it anew.'
    ]
    assert watching.states("bad") == ["online", "online", "online", "ended"]


def test_alerts_are_over_when_a_camera_is_gone_and_not_for_a_moments_loss(
    rtsp: Callable[..., RtspServer],
) -> None:
    server = rtsp()
    watching = Watching(camera("gate", server.address, timeout_s=2, frames_per_second=10))
    with watching.running():
        watching.until(lambda: len(watching.measured()) > 3)
        server.kill()
        watching.until(lambda: bool(watching.alerts.gone))
        gone = watching.monitor.statuses()[0]
        assert gone.state in ("offline", "stale")
        assert len(watching.alerts.gone) == 1
        assert [event.state for event in watching.events()] == ["raised", "cleared"]
        server.start()
        watching.until(lambda: watching.states("gate")[-1] == "online")
        seen = len(watching.measured())
        watching.until(lambda: len(watching.measured()) > seen)
        assert watching.monitor.statuses()[0].reconnects == 1
    cleared_at = watching.alerts.gone[0][2]
    last = max(record.at for record in watching.measured() if record.at < cleared_at)
    assert (cleared_at - last).total_seconds() > 1.5  # nothing is over before the time-out is


def test_a_clock_that_jumps_is_said_once_of_every_camera(film: Path) -> None:
    shift = {"s": 0.0}
    jumps = Jumps(wall=lambda: time.time() + shift["s"])
    watching = Watching(camera("a", film, frames_per_second=10), camera("b", film, frames_per_second=10), jumps=jumps)
    with watching.running():
        watching.until(lambda: len(watching.measured("a")) > 1)
        shift["s"] = -3600
        for name in "ab":
            watching.until(lambda name=name: any(record.warnings for record in watching.measured(name)))  # type: ignore[misc]
        count = len(watching.measured())
        watching.until(lambda: len(watching.measured()) > count + 6)
    warned = [(record.camera, record.warnings) for record in watching.measured() if record.warnings]
    assert sorted(name for name, _ in warned) == ["a", "b"]
    assert warned[0][1] == (
        "This machine's clock went back by 3,600 s: times before and after that do not follow each other.",
    )


def test_pictures_are_drawn_when_asked_with_heads_hidden(short_film: Path) -> None:
    watching = Watching(camera("a", short_film, replay="all", frames_per_second=1)).run()
    pictures = [picture for record, picture in watching.told if isinstance(record, Measurement)]
    assert all(isinstance(picture, MeasuredPicture) for picture in pictures)
    assert [said(picture()) for picture in pictures] == [0, 10]
    assert pictures[0].measured.measurement == watching.measured()[0]
    assert pictures[1].levels == {"hall": 2}  # which was raised with the first one


def test_heads_are_hidden_unless_the_site_says_otherwise(short_film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(self: Measurer, counter: Any, pixels: RgbImage, at: datetime, **named: Any) -> Found:
        record = Measurement(camera="a", at=at, frame=named["frame"], size_wh=(160, 96), people=Amount(value=1))
        box = np.array([[40.0, 30.0, 100.0, 90.0]])
        return Found(record, Prediction(1, (160, 96), [[70, 60]], "heads", boxes_xyxy=box))

    monkeypatch.setattr(Measurer, "measure", measure)
    shown = {}
    for how in ("off", "blur", "pixelate"):
        settings = camera("a", short_film, replay="all", frames_per_second=1)
        watching = Watching(settings, privacy=PrivacySettings(heads=how)).run()  # type: ignore[arg-type]
        shown[how] = [picture() for record, picture in watching.told if isinstance(record, Measurement)][-1]
    assert said(shown["off"]) == 10
    for how in ("blur", "pixelate"):
        assert (shown[how] != shown["off"]).any(axis=2)[50:70, 60:80].mean() > 0.3
        np.testing.assert_array_equal(shown[how][:10], shown["off"][:10])


def test_it_stops_when_asked_and_leaves_no_thread(film: Path) -> None:
    before = set(threading.enumerate())
    watching = Watching(camera("a", film), camera("b", film))
    with watching.running():
        watching.until(lambda: bool(watching.measured()))
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []


def test_cameras_that_hang_are_waited_for_all_together(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = list[float]()
    close = LiveSource.close

    def closes(live: LiveSource, wait_s: float = CLOSE_S) -> None:
        close(live, wait_s)
        if live.camera.name in "abcd":
            waited.append(wait_s)
            time.sleep(0.2)  # as one whose thread does not come back

    monkeypatch.setattr(LiveSource, "close", closes)
    watching = Watching(*(camera(name, film) for name in "abcd"))
    with watching.running():
        watching.until(lambda: bool(watching.measured()))
    assert len(waited) == 4
    assert waited[0] <= CLOSE_S
    assert all(later <= max(0.0, earlier - 0.19) for earlier, later in pairwise(waited))


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("/nowhere/a.mp4", MissingFileError, "no file or folder"),
        ("rtps://10.0.0.2/live", InputError, "which is not read"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_watched(source: str, error: type[Exception], words: str) -> None:
    watching = Watching(camera("a", source))
    with pytest.raises(error, match=words):
        watching.monitor.refuse_wrong()
    with pytest.raises(error, match=words):
        watching.monitor.run(watching.stop)
    assert watching.told == []


def test_a_wrong_model_is_refused(film: Path) -> None:
    site = Site(name="square", model="headcount-x", cameras=(camera("a", film),))
    monitor = Monitor(site, Path("/"), measurer=Measurer)
    with pytest.raises(ModelError, match="headcount-x"):
        monitor.refuse_wrong()


def test_a_wrong_zone_is_refused(film: Path) -> None:
    def refuses(camera: CameraSettings) -> Measurer:
        raise InputError('The zone "hall" crosses itself.')

    site = Site(name="square", cameras=(camera("a", film),))
    with pytest.raises(InputError, match="crosses itself"):
        Monitor(site, Path("/"), counter=cast(Counter, _NoCounter()), measurer=refuses).refuse_wrong()


def test_a_zone_that_does_not_fit_a_recording_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((50, 70, 3), np.uint8)).save(tmp_path / "1.png")
    with pytest.raises(InputError, match=r"do not fit \(70, 50\)"):
        Watching(camera("a", tmp_path)).monitor.refuse_wrong()


def test_before_it_runs_every_camera_is_starting(film: Path) -> None:
    statuses = Watching(camera("a", film), camera("b", film)).monitor.statuses()
    assert [(status.camera, status.state) for status in statuses] == [("a", "starting"), ("b", "starting")]
    assert statuses[0].since <= datetime.now(UTC)


def test_a_model_counts_what_is_watched(short_film: Path, tiny_model: str) -> None:
    counted: list[float] = []

    class Counting(Measurer):
        def measure(self, counter: Any, pixels: RgbImage, at: datetime, **named: Any) -> Found:
            prediction = counter.count(pixels)
            counted.append(prediction.count)
            return Found(super().measure(counter, pixels, at, **named).measurement, prediction)

    site = Site(name="square", model=tiny_model, cameras=(camera("a", short_film, replay="all", frames_per_second=2),))
    told: list[Any] = []
    Monitor(
        site, Path("/"), measurer=Counting, alerts=Alerts(), seen=lambda record, picture: told.append((record, picture))
    ).run(threading.Event())
    counter = load(tiny_model)
    assert len(counted) == 4
    pictures = [picture for record, picture in told if isinstance(record, Measurement)]
    assert all(np.isfinite(count) for count in counted)
    assert pictures[0]().shape == (96, 160, 3)
    assert counter.card.name == "tiny"


def test_a_site_is_watched_with_all_its_parts(short_film: Path, tiny_model: str, tmp_path: Path) -> None:
    """Measuring, alerts, a database, tables and a film as they are."""
    pytest.importorskip("sqlalchemy", reason="records are kept with SQLAlchemy (video extra)")
    site = Site(
        name="square",
        model=tiny_model,
        alerts=AlertSettings(measure="people", thresholds=(0.001,), hold_s=0),
        cameras=(
            camera(
                "gate",
                short_film,
                replay="all",
                frames_per_second=5,
                zones=(ZoneSettings(name="hall", polygon=((10, 20), (150, 20), (150, 90), (10, 90))),),
            ),
        ),
        outputs=OutputSettings(jsonl=Path("all.jsonl"), video=Path("films"), database=DatabaseSettings()),
        privacy=PrivacySettings(keep_pictures=True),
    )
    outputs = ToOutputs(site, tmp_path)
    try:
        monitor = Monitor(site, tmp_path, outputs=outputs)
        monitor.run(threading.Event())
        assert outputs.settle()
    finally:
        outputs.close()
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()]
    kinds = Tally(row["kind"] for row in rows)
    assert kinds["measurement"] == 10
    measured = [row for row in rows if row["kind"] == "measurement"]
    assert [row["frame"] for row in measured] == list(range(0, 20, 2))
    assert measured[0]["zones"][0]["name"] == "hall"
    alerts = [(row["zone"], row["state"]) for row in rows if row["kind"] == "alert"]
    assert alerts == [("hall", "raised"), ("hall", "cleared")]
    assert [row["state"] for row in rows if row["kind"] == "camera"] == ["online", "ended"]
    (film,) = (tmp_path / "films").glob("gate-*.mp4")
    assert film.stat().st_size > 0
    assert monitor.statuses()[0].state == "ended"
