"""What stands for the worker and the watcher in tests: processes that speak the same protocols."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headcount.serve.beat import Beating
from headcount.serve.wire import Look, Running, Seen, Stopped, Told
from headcount.serve.work import CountWork, Done, Failed, JobWork, ModelFacts, Ready, Step, WorkerSettings

if TYPE_CHECKING:  # what stands for the worker is loaded anew by each server: it loads little
    from headcount.video.measurement import Measurement
    from headcount.video.site import Site


def obedient(pipe: Connection, settings: WorkerSettings) -> None:
    """Answers with what it was sent; ``sleep N`` first sleeps, ``beat N`` too and says that it lives, ``die`` dies,
    ``die once FILE`` only the first time.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    pipe.send(Ready((ModelFacts("obedient", "none", ("points",)),)))
    with suppress(EOFError, OSError):
        while True:
            given = pipe.recv()
            words = given.content.decode(errors="replace").split() if isinstance(given, CountWork) else []
            if words[:1] == ["beat"]:
                with Beating(pipe, 0.2):
                    time.sleep(float(words[1]))
            if words[:1] == ["sleep"]:
                time.sleep(float(words[1]))
            if words[:2] == ["die", "once"]:
                if not Path(words[2]).exists():
                    Path(words[2]).touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            elif words[:1] == ["die"]:
                os.kill(os.getpid(), signal.SIGKILL)
            if isinstance(given, JobWork):
                pipe.send(Step(json.dumps({"source": given.name}), is_last=True, is_counted=True))
            else:
                pipe.send(Done(json.dumps({"said": " ".join(words)}).encode(), "application/json"))


def unable(pipe: Connection, settings: WorkerSettings) -> None:
    """Cannot open its model."""
    pipe.send(Failed('There is no model "nothing".', is_model=True))


AT = datetime(2026, 11, 28, 20, 0, tzinfo=UTC)


def measured(camera: str, number: int, people: float = 40.0, density: float = 2.2) -> Measurement:
    """A measurement of two zones."""
    from headcount.video.measurement import Amount, Measurement, ZoneMeasure

    gate = ZoneMeasure(
        name="gate",
        people=Amount(value=people / 2, low=people / 2 - 4, high=people / 2 + 6, level=0.9),
        area_m2=9.0,
        density=Amount(value=density, low=density - 0.4, high=density + 0.6, level=0.9),
    )
    return Measurement(
        camera=camera,
        at=datetime.now(UTC),
        frame=number,
        size_wh=(640, 360),
        people=Amount(value=people, low=people - 6, high=people + 9, level=0.9),
        zones=(gate, ZoneMeasure(name="stairs", people=Amount(value=0))),
        model="tiny",
        latency_ms=80,
        skipped=3,
    )


def watching(pipe: Connection, site: Site, folder: Path) -> None:
    """Tells of each camera of a site, ten times a second, until the pipe ends; the last one is offline."""
    from headcount.video.measurement import AlertEvent, CameraStatus, OutputStatus

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    jpeg = (folder / "frame.jpg").read_bytes()
    looked: set[str] = set()
    names = [camera.name for camera in site.cameras]
    with suppress(EOFError, OSError):
        tell = _teller(pipe)
        pipe.send(Running())
        for name in names[:-1]:
            tell(CameraStatus(camera=name, state="online", since=AT))
        tell(CameraStatus(camera=names[-1], state="offline", since=AT, reason="The camera refuses the connection."))
        alert = AlertEvent(
            id="breach1", camera=names[0], zone="gate", measure="density", level=1, threshold=2.0, state="raised",
            at=datetime.now(UTC), value=2.2, peak=2.2,
        )  # fmt: skip
        tell(alert)
        tell(OutputStatus(output="database", state="failing", since=AT, reason="It is down.", waiting=12))
        for number in range(10_000):
            for name in names[:-1]:
                tell(measured(name, number, 40.0 + number % 7))
                if name in looked:
                    heat = [[0.0, 1.5], [4.0, 0.2]]
                    zones = (("gate", ((0.1, 0.4), (0.5, 0.4), (0.6, 0.9), (0.05, 0.9))),)
                    points = ((0.25, 0.5), (0.5, 0.75))
                    pipe.send(Seen(name, datetime.now(UTC).isoformat(), jpeg, points, heat, zones))
            if pipe.poll(0.1):
                given = pipe.recv()
                if isinstance(given, Look):
                    looked.add(given.camera)


def _teller(pipe: Connection) -> Callable[[Any], None]:
    return lambda record: pipe.send(Told(record.model_dump_json().encode()))


def stopping(pipe: Connection, site: Site, folder: Path) -> None:
    """Says why it cannot go on, at once."""
    pipe.send(Running())
    pipe.send(Stopped("The model cannot be opened."))
