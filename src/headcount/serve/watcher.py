"""The process that watches a site's cameras, and tells the server: records always, pictures while somebody looks."""

from __future__ import annotations

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
from numpy.typing import NDArray

from headcount.core.errors import HeadcountError
from headcount.core.geometry import Points
from headcount.core.image import RgbImage
from headcount.serve.beat import EVERY_S, Beat
from headcount.serve.wire import LOOKED_AT_S, Corners, Look, Running, Seen, Stopped, Told
from headcount.serve.worker import encoded
from headcount.video.measurement import Measurement
from headcount.video.picture import Measured
from headcount.video.site import Site

_SIDE_PX = 1280
_QUALITY = 80
_HEAT_COLUMNS = 64
_MOST_RECORDS = 10_000
_FLUSHED_WITHIN_S = 5.0


def watch(pipe: Connection, site: Site, folder: Path) -> None:
    """Watch until the pipe ends; ``folder`` is what relative paths of the site are below."""
    stop = threading.Event()
    # A site that tells no small numbers does not tell them as points either.
    sender = Sender(pipe, stop, with_heads=site.privacy.least_people == 1)
    try:
        _watch(site, folder, sender, stop)
    except Exception as error:
        told = error.message if isinstance(error, HeadcountError) else f"{type(error).__name__}: {error}"
        sender.put(Stopped(told))
    finally:
        sender.close()


def _watch(site: Site, folder: Path, sender: Sender, stop: threading.Event) -> None:
    from headcount.infer.counter import load
    from headcount.video.monitor import Monitor
    from headcount.video.outputs.hub import Outputs

    counter = load(site.model, interval=site.interval)
    # Whatever is wrong with sources and calibrations is said before anything is opened.
    Monitor(site, folder, counter=counter).refuse_wrong()
    outputs = Outputs(site, folder, changed=lambda status: sender.seen(status, None))
    try:
        monitor = Monitor(site, folder, counter=counter, outputs=outputs, seen=sender.seen)
        sender.put(Running())
        monitor.run(stop)
        if not stop.is_set():  # all of them were recordings
            stop.wait()
    finally:
        outputs.close(_FLUSHED_WITHIN_S)


class Sender:
    """Tells the server without ever holding up a camera: records in order, of each camera's pictures the newest.

    Args:
        pipe: to the server.
        stop: set once the server is gone.
        with_heads: whether pictures come with the places of heads.
    """

    def __init__(self, pipe: Connection, stop: threading.Event, *, with_heads: bool = True) -> None:
        self._pipe, self._stop, self._with_heads = pipe, stop, with_heads
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
            seen = seen_of(record, picture, with_heads=self._with_heads)
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
                    self._changed.wait_for(lambda: self._records or self._pictures or self._is_closing, EVERY_S)
                    if self._is_closing and not self._records and not self._pictures:
                        return
                    told, self._records = [*self._records, *self._pictures.values()] or [Beat()], []
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


def seen_of(record: Measurement, picture: Callable[[], RgbImage], *, with_heads: bool = True) -> Seen:
    """A picture as it is sent: small enough, with what lies over it."""
    pixels = picture()
    height, width = pixels.shape[:2]
    factor = min(1.0, _SIDE_PX / max(width, height))
    if factor < 1:
        size_wh = (round(width * factor), round(height * factor))
        pixels = np.asarray(cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    measured = getattr(picture, "measured", None)
    marks = {} if measured is None else _marks(measured, with_heads)
    return Seen(record.camera, record.at.isoformat(), encoded(pixels, "JPEG", quality=_QUALITY), **marks)


def _marks(measured: Measured, with_heads: bool) -> dict[str, Any]:
    """Zones, and heads and heat unless they are withheld, as shares of the picture's sides."""
    prediction = measured.prediction
    zones = tuple(
        (zone.name, _shares(polygon, prediction.size_wh)) for zone in measured.zones for polygon in zone.heads_xy
    )
    if not with_heads:
        return {"zones": zones}
    density = prediction.density
    heat = None if density is None else _heat(density, prediction.density_stride, prediction.size_wh)
    return {"zones": zones, "points": _shares(prediction.points_xy, prediction.size_wh), "heat": heat}


def _shares(points_xy: Points, size_wh: tuple[int, int]) -> Corners:
    return tuple((float(x), float(y)) for x, y in np.round(points_xy / np.array(size_wh), 4))


def _heat(density: NDArray[np.float32], stride: int, size_wh: tuple[int, int]) -> list[list[float]]:
    """People in cells of a coarse grid that spans the picture, however its size and that of the cells go together."""
    columns = min(_HEAT_COLUMNS, density.shape[1])
    rows = max(1, round(columns * size_wh[1] / size_wh[0]))
    seen = density[: -(-size_wh[1] // stride), : -(-size_wh[0] // stride)]
    small = np.asarray(cv2.resize(seen, (columns, rows), interpolation=cv2.INTER_AREA), np.float64)
    found: list[list[float]] = np.round(small * (float(seen.sum()) / max(float(small.sum()), 1e-9)), 3).tolist()
    return found
