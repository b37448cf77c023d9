"""The process that watches a site's cameras, and tells the server: records always, pictures while somebody looks."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from headcount.core.errors import HeadcountError
from headcount.core.image import RgbImage
from headcount.serve.wire import LOOKED_AT_S, Look, Running, Seen, Stopped, Told
from headcount.serve.worker import encoded
from headcount.video.measurement import Measurement
from headcount.video.site import Site

_NICE = 2
_SIDE_PX = 1280
_QUALITY = 80
_MOST_RECORDS = 10_000
_FLUSHED_WITHIN_S = 5.0


def watch(pipe: Connection, site: Site, folder: Path) -> None:
    """Watch until the pipe ends; ``folder`` is what relative paths of the site are below."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    with suppress(OSError, AttributeError):
        os.nice(_NICE)
    stop = threading.Event()
    sender = Sender(pipe, stop)
    try:
        _watch(site, folder, sender, stop)
    except Exception as error:
        told = error.message if isinstance(error, HeadcountError) else f"{type(error).__name__}: {error}"
        sender.put(Stopped(told))
    finally:
        sender.close()


def _watch(site: Site, folder: Path, sender: Sender, stop: threading.Event) -> None:
    from headcount.video.monitor import Monitor
    from headcount.video.outputs import Outputs

    outputs = Outputs(site, folder, changed=lambda status: sender.seen(status, None))
    try:
        monitor = Monitor(site, folder, outputs=outputs, seen=sender.seen)
        sender.put(Running())
        monitor.run(stop)
        if not stop.is_set():
            sender.put(Stopped("The process that watches the cameras has nothing more to watch."))
    finally:
        outputs.close(_FLUSHED_WITHIN_S)


class Sender:
    """Tells the server without ever holding up a camera: records in order, of each camera's pictures the newest.

    Args:
        pipe: to the server.
        stop: set once the server is gone.
    """

    def __init__(self, pipe: Connection, stop: threading.Event) -> None:
        self._pipe, self._stop = pipe, stop
        self._changed = threading.Condition()
        self._records: list[object] = []
        self._pictures: OrderedDict[str, Seen] = OrderedDict()
        self._looked_at: dict[str, float] = {}
        self._is_closing = False
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._send, self._listen)]
        for thread in self._threads:
            thread.start()

    def seen(self, record: Any, picture: Callable[[], RgbImage] | None) -> None:
        """A record, and how its picture is made, heads hidden."""
        self.put(Told(record.model_dump_json().encode()))
        if picture is None or not isinstance(record, Measurement):
            return
        if time.monotonic() - self._looked_at.get(record.camera, -LOOKED_AT_S) < LOOKED_AT_S:
            seen = seen_of(record, picture)
            with self._changed:
                self._pictures[record.camera] = seen
                self._changed.notify()

    def put(self, told: object) -> None:
        """Something that is sent in its turn; where the server does not listen, the oldest are lost."""
        with self._changed:
            self._records.append(told)
            del self._records[:-_MOST_RECORDS]
            self._changed.notify()

    def close(self) -> None:
        """Send what is left."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._threads[0].join(_FLUSHED_WITHIN_S)

    def _send(self) -> None:
        with suppress(OSError):
            while True:
                with self._changed:
                    while not self._records and not self._pictures and not self._is_closing:
                        self._changed.wait()
                    if not self._records and not self._pictures:
                        return
                    told, self._records = [*self._records, *self._pictures.values()], []
                    self._pictures.clear()
                for each in told:
                    self._pipe.send(each)
        self._stop.set()

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                given = self._pipe.recv()
                if isinstance(given, Look):
                    self._looked_at[given.camera] = time.monotonic()
        self._stop.set()


def seen_of(record: Measurement, picture: Callable[[], RgbImage]) -> Seen:
    """A picture as it is sent: small enough, with what lies over it where whoever made it tells."""
    pixels = picture()
    height, width = pixels.shape[:2]
    factor = min(1.0, _SIDE_PX / max(width, height))
    if factor < 1:
        size_wh = (round(width * factor), round(height * factor))
        pixels = np.asarray(cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return Seen(record.camera, record.at.isoformat(), encoded(pixels, "JPEG", quality=_QUALITY), **_marks(picture))


def _marks(picture: object) -> dict[str, Any]:
    """Heads, heat and zones, from the measured frame that the picture was made of."""
    measured = getattr(picture, "measured", None)
    prediction = getattr(measured, "prediction", None)
    return {} if prediction is None else {"points": _points(prediction)}


def _points(prediction: Any) -> tuple[tuple[float, float], ...]:
    shares = prediction.points_xy / np.array(prediction.size_wh)
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in shares)
