"""The benchmark of the server: its sender loses no answer, counts each once, and finds the worker."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("fastapi", reason="the server needs the serve extra")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc, which this system lacks"),
]


@pytest.fixture
def benchmark(benchmark_named: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_named("server")


@pytest.fixture
def served(benchmark: ModuleType, tiny_model: str) -> Iterator[tuple[int, str]]:
    command = [sys.executable, "-c", benchmark._START, "serve", "--model", tiny_model, "--queue", "1", "--threads", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.pid, process.stdout.readline().strip()
    process.kill()
    process.communicate()


def test_all_that_is_sent_is_answered_and_the_worker_replaced(
    benchmark: ModuleType, served: tuple[int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    pid, address = served
    assert benchmark._worker_of(pid) not in (0, pid)
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    run = benchmark.Run()
    request = benchmark._request(address, benchmark._photograph())
    began = time.perf_counter()
    asyncio.run(benchmark._load(pid, (host, int(port)), request, 40.0, 4.0, run))
    assert time.perf_counter() - began < 60
    statuses = Counter(status for status, _, _ in run.answers)
    assert (run.sent, run.lost) == (160, [])
    assert sum(statuses.values()) == 160
    assert set(statuses) <= {200, 503}
    assert statuses[200] > 2
    assert run.served_at > run.killed_at > 0
    benchmark._print(run, 40.0, 4.0)
    printed = capsys.readouterr().out
    assert "160 requests at 40.0 a second for 4 s" in printed
    assert "0 lost" in printed
    assert "memory, MB" in printed
