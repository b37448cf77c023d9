"""How the server keeps up at three times what it can count: who is answered, how fast, and what it costs in memory.

    python -m benchmarks.server                    one minute
    python -m benchmarks.server --minutes 10       memory over ten minutes
starts `headcount serve` on this machine, measures how many painted photographs of 1280×720 it counts a second when they
come one after the other, then sends three times as many, on loopback connections, whether it answers or not. Half-way
its worker is killed (SIGKILL). It prints of the accepted requests the time to the answer, of the refused ones that to
the 503, the memory of both processes, requests that were never answered, and how long after the kill the next one was
counted. What the load's sender itself takes of the processors is taken from the server.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from headcount.serve.metrics import resident_bytes
from headcount.synth import paint_scene

SIZE_WH, HEADS, TIMES = (1280, 720), 80, 3
WARM_S, ANSWERED_WITHIN_S = 8, 90
_START = "from headcount.cli.main import main; main()"


@dataclass
class Run:
    """What was seen.

    Attributes:
        sent: how many requests.
        answers: (status, seconds from the first byte sent to the last byte back, when it was sent) of each.
        lost: those without an answer, and why.
        memory: (seconds, front's bytes, worker's bytes).
        killed_at, served_at: by ``perf_counter``.
    """

    sent: int = 0
    answers: list[tuple[int, float, float]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    memory: list[tuple[float, int, int]] = field(default_factory=list)
    killed_at: float = 0.0
    served_at: float = 0.0

    def seconds(self, status: int) -> np.ndarray:
        """Of all answers of a status."""
        return np.array([took for each, took, _ in self.answers if each == status])


def main() -> None:
    parser = argparse.ArgumentParser(description="Load the server with three times what it can count.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--queue", type=int, default=8)
    parser.add_argument("--deadline", type=float, default=30.0)
    given = parser.parse_args()
    with_options = ["--queue", str(given.queue), "--deadline", str(given.deadline)]
    process = subprocess.Popen(
        [sys.executable, "-c", _START, "serve", *with_options], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        if not address:
            sys.exit("Error: the server did not start.")
        asyncio.run(_measure(process, address, 60 * given.minutes))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


async def _measure(process: subprocess.Popen[str], address: str, length_s: float) -> None:
    body = _photograph()
    request = _request(address, body)
    place = urlsplit(address)
    assert place.hostname is not None
    assert place.port is not None
    where = (place.hostname, place.port)
    first, began = Run(), time.perf_counter()
    while time.perf_counter() - began < WARM_S:
        await _ask(where, request, first)
    capacity = len(first.answers) / (time.perf_counter() - began)
    alone = 1000 * np.median(first.seconds(200))
    print(f"{SIZE_WH[0]}×{SIZE_WH[1]}, {len(body):,} bytes: {capacity:.1f} a second, {alone:.0f} ms each, alone")
    run = Run()
    await _load(process.pid, where, request, TIMES * capacity, length_s, run)
    _print(run, TIMES * capacity, length_s)


async def _load(server: int, where: tuple[str, int], request: bytes, rate: float, length_s: float, run: Run) -> None:
    """Send requests at a rate, whatever comes back; half-way kill the worker."""
    began = time.perf_counter()
    going: set[asyncio.Task[None]] = set()
    watching = asyncio.create_task(_watch(server, began, length_s, run))
    for number in range(round(rate * length_s)):
        wait_s = began + number / rate - time.perf_counter()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        if not run.killed_at and time.perf_counter() - began > length_s / 2:
            run.killed_at = time.perf_counter()
            os.kill(_worker_of(server), signal.SIGKILL)
        run.sent += 1
        task = asyncio.create_task(_ask(where, request, run))
        going.add(task)
        task.add_done_callback(going.discard)
    await asyncio.gather(*going)
    await watching


async def _watch(server: int, began: float, length_s: float, run: Run) -> None:
    while (now := time.perf_counter() - began) < length_s:
        worker = _worker_of(server)
        run.memory.append((now, resident_bytes(server), resident_bytes(worker) if worker else 0))
        await asyncio.sleep(max(0.5, length_s / 240))


async def _ask(where: tuple[str, int], request: bytes, run: Run) -> None:
    """One request on a connection of its own."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            reader, writer = await asyncio.open_connection(*where)
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                took = time.perf_counter() - began
                await reader.read()
            finally:
                writer.close()
        status = int(head.split(b" ", 2)[1])
        run.answers.append((status, took, began))
        if status == 200 and run.killed_at and not run.served_at:
            run.served_at = time.perf_counter()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
        run.lost.append(f"{type(error).__name__}: {error}")


def _photograph() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(paint_scene(7, size_wh=SIZE_WH, count=HEADS).pixels()).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _request(address: str, body: bytes) -> bytes:
    head = (
        f"POST /api/count HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\nConnection: close\r\n"
        f"Content-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _worker_of(server: int) -> int:
    """The process that counts: of the server's children the one that was spawned; 0 where there is none just now."""
    try:
        children = Path(f"/proc/{server}/task/{server}/children").read_text(encoding="ascii").split()
        # It is started by a thread of the server, and listed there.
        for task in Path(f"/proc/{server}/task").iterdir():
            children += (task / "children").read_text(encoding="ascii").split()
        for child in children:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    except OSError:
        pass
    return 0


def _print(run: Run, rate: float, length_s: float) -> None:
    statuses = Counter(status for status, _, _ in run.answers)
    told = ", ".join(f"{number:,} × {status}" for status, number in sorted(statuses.items()))
    print(f"{run.sent:,} requests at {rate:.1f} a second for {length_s:.0f} s: {told}; {len(run.lost)} lost")
    for reason, number in Counter(run.lost).most_common(3):
        print(f"  lost: {number} × {reason}")
    print(f"{'':>22}{'p50':>10}{'p99':>10}{'max':>10}   ms")
    for status, words in ((200, "accepted, counted"), (503, "refused (503)"), (504, "late (504)")):
        took = 1000 * run.seconds(status)
        if len(took):
            print(f"{words:>22}{np.median(took):>10.1f}{np.percentile(took, 99):>10.1f}{took.max():>10.1f}")
    if run.served_at:
        print(f"worker killed: the next was counted after {run.served_at - run.killed_at:.2f} s")
    if not run.memory:
        return
    print(f"{'memory, MB':>12}" + "".join(f"{at:>8.0f} s" for at, _, _ in _shown(run.memory)))
    for name, column in (("server", 1), ("worker", 2)):
        print(f"{name:>12}" + "".join(f"{each[column] / 2**20:>10.0f}" for each in _shown(run.memory)))


def _shown(memory: list[tuple[float, int, int]]) -> list[tuple[float, int, int]]:
    return [memory[round(index)] for index in np.linspace(0, len(memory) - 1, min(7, len(memory)))]


if __name__ == "__main__":
    main()
