"""How many cameras a machine keeps up with: 1280×720 at 25 frames a second, measured once and five times a second.

    python -m benchmarks.cameras [--models headcount-n headcount-s] [--rates 1 5] [--seconds 15] [--most 32]
paints a crowd, films a walk over it (H.264, a key frame a second), and watches that film as so many cameras, each of
which decodes all of it by itself and has one zone. A number of cameras is kept up with where at least 95 % of the
frames that are due are measured; the largest is searched for, each try in a process of its own. The last row takes as
many cameras, of the first model at the first rate, from a real RTSP server (GStreamer's) on this machine instead.

``latency`` is from a frame's coming to its record, ``passed over`` the share of the frames that came which a newer one
replaced: at one measure a second of 25 frames that is 96 % where all is well.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

SIZE_WH, FPS, FILM_S = (1280, 720), 25, 60
ENOUGH = 0.95
WARM_UP_S = 4.0
RTSP_SERVER = Path(__file__).parents[1] / "tests" / "video" / "rtsp_server.py"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of so many cameras.

    Attributes:
        cameras: how many.
        share: of the frames that were due, how many were measured.
        p50_ms, p99_ms: from a frame's coming to its record.
        passed: the share of the frames that came which were passed over.
        cores: processors that were busy with it, on average.
    """

    cameras: int
    share: float
    p50_ms: float
    p99_ms: float
    passed: float
    cores: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["headcount-n", "headcount-s"])
    parser.add_argument("--rates", nargs="+", type=float, default=[1, 5])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--most", type=int, default=32)
    parser.add_argument("--one", nargs=4, metavar=("SOURCE", "MODEL", "RATE", "CAMERAS"), help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.one:
        source, model, rate, cameras = asked.one
        print(json.dumps(asdict(watch(source, model, float(rate), int(cameras), asked.seconds))))
        return
    threads = os.environ.get("OMP_NUM_THREADS", "as many as it likes")
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}, threads of the network: {threads}")
    print(f"cameras of {SIZE_WH[0]}×{SIZE_WH[1]}, {FPS} frames a second, H.264\n")
    head = ("model", "source", "asked/s", "cameras", "measured", "p50 ms", "p99 ms", "passed over", "cores")
    print(f"{head[0]:<13}{head[1]:<7}" + "".join(f"{title:>12}" for title in head[2:]))
    with tempfile.TemporaryDirectory() as folder:
        film = write_film(Path(folder) / "walk.mp4")
        first: tuple[str, float, int] | None = None
        for model in asked.models:
            for rate in asked.rates:
                try_one = trial_of(str(film), model, rate, asked.seconds)
                best, next_one = most_kept_up(try_one, asked.most)
                first = first or (model, rate, best.cameras if best else 1)
                for one in filter(None, (best, next_one)):
                    print(row(model, "film", rate, one), flush=True)
        if first is not None:
            with rtsp_server(film) as address:
                if address is None:
                    print("No RTSP server: make services installs it.")
                    return
                model, rate, cameras = first
                print(row(model, "RTSP", rate, trial_of(address, model, rate, asked.seconds)(cameras)))


def row(model: str, source: str, rate: float, trial: Trial) -> str:
    kept = "" if trial.share >= ENOUGH else " too many"
    cells = (
        f"{rate:g}", f"{trial.cameras}", f"{100 * trial.share:.1f} %", f"{trial.p50_ms:.0f}", f"{trial.p99_ms:.0f}",
        f"{100 * trial.passed:.1f} %", f"{trial.cores:.2f}",
    )  # fmt: skip
    return f"{model:<13}{source:<7}" + "".join(f"{cell:>12}" for cell in cells) + kept


def most_kept_up(try_one: Callable[[int], Trial], most: int) -> tuple[Trial | None, Trial | None]:
    """The trial of the most cameras that are kept up with, and that of one more; None where there is none.

    >>> def of_five(cameras):
    ...     return Trial(cameras, 1.0 if cameras <= 5 else 0.5, 0, 0, 0, 0)
    >>> [one.cameras for one in most_kept_up(of_five, 32)]
    [5, 6]
    >>> [one and one.cameras for one in most_kept_up(of_five, 4)]
    [4, None]
    """
    tried: dict[int, Trial] = {}

    def keeps_up(cameras: int) -> bool:
        tried[cameras] = try_one(cameras)
        return tried[cameras].share >= ENOUGH

    low, high = 0, 1
    while high <= most and keeps_up(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if keeps_up(middle) else (low, middle)
    return tried.get(low), tried.get(high)


def trial_of(source: str, model: str, rate: float, seconds: float) -> Callable[[int], Trial]:
    """Tries a number of cameras in a process of its own."""

    def try_one(cameras: int) -> Trial:
        print(f"\r{model}, {rate:g}/s: {cameras} cameras… ", end="", file=sys.stderr, flush=True)
        own = ["--one", source, model, str(rate), str(cameras), "--seconds", str(seconds)]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.cameras", *own], stdout=subprocess.PIPE, text=True, check=True
        )
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
        return Trial(**json.loads(done.stdout))

    return try_one


def watch(source: str, model: str, rate: float, cameras: int, seconds: float) -> Trial:
    """Watch a source as so many cameras, and see what is measured of them after a start that does not count."""
    from headcount.video.measurement import Measurement
    from headcount.video.monitor import Monitor
    from headcount.video.site import AlertSettings, CameraSettings, Site, ZoneSettings

    zone = ZoneSettings(name="square", polygon=((100, 200), (1180, 200), (1180, 700), (100, 700)))
    site = Site(
        name="benchmark",
        model=model,
        alerts=AlertSettings(measure="people", thresholds=(50, 100)),
        cameras=tuple(
            CameraSettings(name=f"camera {number}", source=source, frames_per_second=rate, loop=True, zones=(zone,))
            for number in range(cameras)
        ),
    )
    latencies, measured = list[float](), dict[str, list[tuple[float, Measurement]]]()
    stop, counting = threading.Event(), threading.Event()

    def seen(record: object, picture: object) -> None:
        if isinstance(record, Measurement) and counting.is_set():
            latencies.append(record.latency_ms)
            measured.setdefault(record.camera, []).append((time.monotonic(), record))

    monitor = Monitor(site, Path(), seen=seen)
    thread = threading.Thread(target=monitor.run, args=(stop,))
    thread.start()
    end = time.monotonic() + 60
    while any(status.frames == 0 for status in monitor.statuses()) and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(WARM_UP_S)
    counting.set()
    cpu, began = time.process_time(), time.monotonic()
    time.sleep(seconds)
    counting.clear()
    took_s, used_s = time.monotonic() - began, time.process_time() - cpu
    stop.set()
    thread.join()
    ends = [(each[0][1], each[-1][1]) for each in measured.values()]
    came = sum(last.frame - first.frame for first, last in ends)
    skipped = sum(last.skipped - first.skipped for first, last in ends)
    p50, p99 = np.percentile(latencies, [50, 99]) if latencies else (float("inf"), float("inf"))
    share = sum(_share([at for at, _ in each], rate) for each in measured.values()) / cameras
    return Trial(cameras, share, float(p50), float(p99), skipped / came if came else 0.0, used_s / took_s)


def _share(times: Sequence[float], rate: float) -> float:
    """Of the frames that were due from the first measure of a camera to the last, how many were measured.

    >>> _share([0.0, 1.0, 2.0, 3.0], 1), _share([0.0, 2.0], 1), _share([0.0], 1)
    (1.0, 0.5, 0.0)
    """
    return min(1.0, (len(times) - 1) / ((times[-1] - times[0]) * rate)) if len(times) > 1 else 0.0


def write_film(path: Path) -> Path:
    """A walk over a painted crowd of 200: 1280×720, 25 frames a second, a key frame a second."""
    import av

    from headcount.synth import paint_scene

    width, height = SIZE_WH
    pixels = paint_scene(11, size_wh=(width + 320, height + 180), count=200).pixels()
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "g": str(FPS), "crf": "26"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(FPS * FILM_S):
            turn = 2 * np.pi * number / (FPS * FILM_S)
            x, y = round(160 + 160 * np.sin(3 * turn)), round(90 + 90 * np.cos(2 * turn))
            part = np.ascontiguousarray(pixels[y : y + height, x : x + width])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(part, format="rgb24")))
        file.mux(stream.encode())
    return path


@contextmanager
def rtsp_server(film: Path) -> Iterator[str | None]:
    """The address of an RTSP server of the film; None where there is none on this machine."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    try:
        process = subprocess.Popen(
            ["/usr/bin/python3", str(RTSP_SERVER), str(port), str(film)], stdout=subprocess.PIPE, text=True
        )
    except OSError:
        yield None
        return
    assert process.stdout is not None
    try:
        is_ready = process.stdout.readline() == "ready\n"
        yield f"rtsp://127.0.0.1:{port}/live" if is_ready else None
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
