"""How fast outputs take records, how long whoever measures waits for them, and how long a chart's numbers take.

    python -m benchmarks.outputs [--records 2000] [--frames-per-second 1]
writes records of a camera with three zones and a line to every output there is a receiver for on this machine (a
PostgreSQL cluster, a mosquitto and a web server are started for it, and ended): records a second, median and slowest of
five parts; then how long ``Outputs.take`` takes while databases are up, refuse, and do not answer (median, p99,
longest, and the most that it computed itself: the rest of the longest is other threads' turn); then a day of so many
frames a second, read back as the charts of the last hour and day.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from headcount.video.history import History
from headcount.video.measurement import AlertEvent, Amount, LineMeasure, Measurement, ZoneMeasure
from headcount.video.outputs import Outputs
from headcount.video.outputs.database import Database
from headcount.video.outputs.files import CsvFile, JsonLines
from headcount.video.outputs.metrics import Metrics
from headcount.video.outputs.mqtt import Mqtt
from headcount.video.outputs.spool import Spool, Waiting
from headcount.video.outputs.webhooks import Webhook
from headcount.video.site import DatabaseSettings, MqttSettings, Site, WebhookSettings

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
PARTS, BATCH, DAY = 5, 200, 86_400
TAKES, PAUSE_S = 3000, 0.001
SQUARE = [[0, 0], [100, 0], [100, 100], [0, 100]]


def site(**outputs: Any) -> Site:
    zones = [{"name": f"zone {number}", "polygon": SQUARE} for number in range(3)]
    camera = {"name": "north", "source": "n.mp4", "zones": zones}
    return Site.model_validate({"name": "Fair", "cameras": [camera], "outputs": {"database": None, **outputs}})


def measured(number: int, at: datetime | None = None) -> Measurement:
    amount = Amount(value=number % 100, low=number % 90, high=number % 100 + 20, level=0.9)
    zones = [
        ZoneMeasure(
            name=f"zone {zone}", people=amount, area_m2=20, density=amount.times(0.05), voronoi=amount.times(0.06),
            fullest=amount.times(0.1), fullest_xy_m=(1, 2), trend_per_min=amount,
        )
        for zone in range(3)
    ]  # fmt: skip
    line = LineMeasure(
        name="door", forward=number, forward_per_min=3, backward_per_min=1, flow_per_m_min=2, level=0.9,
        forward_range_per_min=(2, 4), backward_range_per_min=(0, 2), flow_range_per_m_min=(1, 3),
    )  # fmt: skip
    return Measurement(
        camera="north", at=at or BEGIN + timedelta(seconds=number), frame=number, size_wh=(1280, 720), people=amount,
        zones=tuple(zones), lines=(line,), model="headcount-s", latency_ms=40,
    )  # fmt: skip


def raised(number: int) -> AlertEvent:
    at = BEGIN + timedelta(seconds=number)
    return AlertEvent(
        id=f"{number}", camera="north", zone="zone 0", measure="density", level=1, threshold=2, state="raised", at=at,
        value=3, peak=3,
    )  # fmt: skip


def rates(take: Callable[[int], None], number: int) -> None:
    """Print records a second: the median of five parts, and the slowest."""
    seen = []
    for part in range(PARTS):
        started = time.perf_counter()
        for each in range(part * number, (part + 1) * number):
            take(each)
        seen.append(number / (time.perf_counter() - started))
    print(f"{statistics.median(seen):>12,.0f}{min(seen):>12,.0f}   {PARTS} × {number:,}")


def batched(output: Any, records: int) -> None:
    """The same of an output that takes batches, as from its spool."""
    waiting: list[Waiting] = []

    def take(number: int) -> None:
        waiting.append(Waiting(f"run-{number}", measured(number)))
        if len(waiting) == BATCH:
            assert output.deliver(waiting) == BATCH
            waiting.clear()

    rates(take, max(BATCH, records // PARTS // BATCH * BATCH))
    output.close()


def throughput(folder: Path, records: int, postgres: str, broker: str) -> None:
    print(f"{'records a second':<26}{'median':>12}{'slowest':>12}")
    few = records // PARTS
    plain: dict[str, Any] = {
        "CSV": CsvFile(Path("out.csv"), site(), folder),
        "JSON lines": JsonLines(Path("out.jsonl"), site(), folder),
        "metrics": Metrics(None, site()),
    }
    for name, output in plain.items():
        print(f"{name:<26}", end="")
        rates(lambda number, output=output: output.take(measured(number), None), few)  # type: ignore[misc]
        output.close()
    spool = Spool(folder / "spool")
    for name, size in (("spool, one by one", 1), (f"spool, {BATCH} at once", BATCH)):
        print(f"{name:<26}", end="")
        held: list[Measurement] = []

        def keep(number: int, held: list[Measurement] = held, size: int = size) -> None:
            held.append(measured(number))
            if len(held) == size:
                spool.append(held)
                held.clear()

        rates(keep, few if size == 1 else max(BATCH, few // BATCH * BATCH))
    spool.close()
    print(f"{'SQLite':<26}", end="")
    batched(Database(DatabaseSettings(url="sqlite:///out.sqlite"), site(), folder), records)
    if postgres:
        print(f"{'PostgreSQL':<26}", end="")
        batched(Database(DatabaseSettings(url=postgres), site(), folder), records)
    with receiver() as url:
        print(f"{'webhook, signed':<26}", end="")
        hook = Webhook(WebhookSettings(url=url, secret="s" * 32), site(), folder)
        rates(lambda number: _ignored(hook.deliver([Waiting(f"run-{number}", measured(number))])), few)
        hook.close()
    if broker:
        told = Mqtt(MqttSettings(url=broker), site(), folder)
        _until(lambda: told.is_connected)
        print(f"{'MQTT, states':<26}", end="")
        rates(lambda number: told.take(measured(number), None), few)
        print(f"{'MQTT, alerts':<26}", end="")
        rates(lambda number: _ignored(told.deliver([Waiting(f"run-{number}", raised(number))])), few)
        told.close()


def waits(folder: Path, postgres: str) -> None:
    """How long whoever measures waits."""
    print(
        f"\n{'take, milliseconds':<26}{'median':>9}{'p99':>9}{'longest':>9}{'computed':>10}"
        f"   {TAKES:,} records, {PAUSE_S * 1e3:g} ms apart"
    )
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        port = silent.getsockname()[1]
        kinds = {
            "SQLite": "sqlite:///waits.sqlite",
            "PostgreSQL": postgres,
            "… that refuses": "postgresql://me@127.0.0.1:1/db",
            "… that does not answer": f"postgresql://me@127.0.0.1:{port}/db",
        }
        for name, url in kinds.items():
            if url:
                outputs = Outputs(site(database={"url": url}, csv=f"{abs(hash(name))}.csv"), folder)
                seen, computed = [], []
                for number in range(TAKES):
                    record = measured(number)
                    started, before = time.perf_counter(), time.thread_time()
                    outputs.take(record)
                    computed.append(1e3 * (time.thread_time() - before))
                    seen.append(1e3 * (time.perf_counter() - started))
                    time.sleep(PAUSE_S)
                lost = sum(one.lost for one in outputs.statuses())
                outputs.close(1)
                p99 = sorted(seen)[int(0.99 * len(seen))]
                figures = f"{statistics.median(seen):>9.3f}{p99:>9.3f}{max(seen):>9.3f}{max(computed):>10.3f}"
                print(f"{name:<26}{figures}   lost {lost}")


def charts(folder: Path, postgres: str, frames_per_second: int) -> None:
    """A day, read back."""
    print(
        f"\n{'charts, milliseconds':<26}{'last hour':>12}{'last day':>12}{'database':>12}"
        f"   {frames_per_second} frames a second"
    )
    frames = DAY * frames_per_second
    end = BEGIN + timedelta(seconds=DAY)
    for name, url in {"SQLite": "sqlite:///day.sqlite", "PostgreSQL": postgres}.items():
        if not url:
            continue
        database = Database(DatabaseSettings(url=url), site(), folder)
        for first in range(0, frames, 2000):
            numbers = range(first, min(first + 2000, frames))
            times = [BEGIN + timedelta(seconds=number / frames_per_second) for number in numbers]
            each = zip(numbers, times, strict=True)
            database.deliver([Waiting(f"day-{number}", measured(number, at)) for number, at in each])
        database.close()
        history = History(url, folder)
        seen = []
        for hours in (1, 24):
            took = []
            for _ in range(3):
                started = time.perf_counter()
                points = history.measurements("north", end - timedelta(hours=hours), end, 500)
                took.append(1e3 * (time.perf_counter() - started))
            assert 490 <= len(points) <= 501
            seen.append(statistics.median(took))
        history.close()
        size = (folder / "day.sqlite").stat().st_size if name == "SQLite" else 0
        print(f"{name:<26}{seen[0]:>12.0f}{seen[1]:>12.0f}{f'{size / 1e6:.0f} MB' if size else '':>12}")


@contextmanager
def receiver() -> Iterator[str]:
    """A web server that takes everything."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def services(folder: Path) -> Iterator[tuple[str, str]]:
    """The addresses of a PostgreSQL and of a mosquitto; empty where they are not installed."""
    from tests.video.outputs import receivers

    postgres = broker = None
    place = Path(tempfile.mkdtemp(prefix="headcount-pg-", dir="/tmp"))
    try:
        if receivers.has_postgres():
            if os.getuid() == 0:
                shutil.chown(place, "postgres", "postgres")
            postgres = receivers.Postgres(place)
            postgres.start(fsync="on")
        if receivers.MOSQUITTO is not None:
            broker = receivers.Mosquitto(folder)
            broker.start()
        yield (postgres.url if postgres else ""), (f"mqtt://127.0.0.1:{broker.port}" if broker else "")
    finally:
        for one in (postgres, broker):
            if one is not None:
                one.stop()
        shutil.rmtree(place, ignore_errors=True)


def _ignored(_: object) -> None:
    pass


def _until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure outputs.")
    parser.add_argument("--records", type=int, default=2000, help="to each output")
    parser.add_argument("--frames-per-second", type=int, default=1, help="of the day that is read back")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, services(Path(place)) as (postgres, broker):
        folder = Path(place)
        print(f"{os.cpu_count()} cores; a record is a frame with three zones and a line\n")
        throughput(folder, given.records, postgres, broker)
        waits(folder, postgres)
        charts(folder, postgres, given.frames_per_second)


if __name__ == "__main__":
    main()
