"""One number of threads, for every library that has threads of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import pytest

from headcount.core import threads as module
from headcount.core.errors import InputError
from headcount.core.threads import limit_threads, thread_limit, threads_found, usable_cores


@pytest.fixture(autouse=True)
def _as_it_was() -> object:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 64 cores, all of them usable."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(module, "usable_cores", lambda: 64)


def test_what_is_asked_for_comes_first(cores: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert thread_limit() is None
    monkeypatch.setattr(module, "usable_cores", lambda: 3)
    assert thread_limit() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert thread_limit() == 5
    assert thread_limit(2) == 2


@pytest.mark.parametrize(("text", "number"), [("4,2", 4), (" 7 ", 7), ("", None), ("0", None), ("many", None)])
def test_the_environment_as_openmp_reads_it(
    cores: None, monkeypatch: pytest.MonkeyPatch, text: str, number: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert thread_limit() == number


@pytest.mark.parametrize("asked", [0, -1, True, 1.5, "2"])
def test_no_number_of_threads_is_named(asked: object) -> None:
    with pytest.raises(InputError, match="whole number from 1"):
        thread_limit(asked)  # type: ignore[arg-type]


def test_no_more_than_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.os, "cpu_count", lambda: 4)
    assert thread_limit(1_000_000) == 4
    monkeypatch.setenv("OMP_NUM_THREADS", "1000000")
    assert thread_limit() == 4


def test_opencv_is_told() -> None:
    assert limit_threads(1) == 1
    assert cv2.getNumThreads() == 1


GROUPS = {
    "version 2": ("0::/job/step", {"job/cpu.max": "150000 100000\n", "job/step/cpu.max": "max 100000\n"}, 2),
    "version 2, seen from inside": ("0::/docker/1f", {"cpu.max": "100000 100000\n"}, 1),
    "version 1": ("4:cpu,cpuacct:/job\n1:name=systemd:/", {
        "cpu,cpuacct/job/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n"}, 3),
    "version 1, no limit": ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
    "none": ("", {}, 64),
    "half a core": ("0::/", {"cpu.max": "50000 100000\n"}, 1),
    "unreadable": ("0::/", {"cpu.max": "what\n"}, 64),
}  # fmt: skip


@pytest.mark.parametrize("name", GROUPS)
def test_a_containers_share_is_a_limit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line, files, cores = GROUPS[name]
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    for file, text in ((f"sys/fs/cgroup/{file}", text) for file, text in files.items()):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(line, encoding="utf-8")
    assert usable_cores(tmp_path) == cores


def test_pinned_processes_use_their_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5}, raising=False)
    assert usable_cores(tmp_path) == 2


TOLD = {
    "torch": "__import__('torch').get_num_threads()",
    "openvino": "counter.runtime._dynamic.get_property('INFERENCE_NUM_THREADS')",
    "onnxruntime": "counter.runtime._session.get_session_options().intra_op_num_threads",
}


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "argument"), [("1", "None"), ("2", "1")])
def test_the_number_reaches_every_runtime(environment: str, argument: str) -> None:
    """Each has a number of its own, so that one process can ask all of them."""
    runtimes = [name for name in TOLD if name == "openvino" or find_spec(name) is not None]  # of the train extra
    code = "import cv2, headcount\n" + "\n".join(
        f"counter = headcount.load(runtime={name!r}, threads={argument}); print({TOLD[name]}, cv2.getNumThreads())"
        for name in runtimes
    )
    environ = {**os.environ, "OMP_NUM_THREADS": environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.splitlines() == ["1 1"] * len(runtimes)


@pytest.mark.parametrize(
    ("variable", "pinned", "share", "limit", "by"),
    [
        ("", 64, None, None, ""),
        ("3,1", 64, None, 3, "OMP_NUM_THREADS"),
        ("many", 8, None, 8, "pinning"),
        ("", 64, 2.5, 3, "container"),
        ("", 2, 2.5, 2, "pinning"),
        ("1", 2, 2.5, 1, "OMP_NUM_THREADS"),
    ],
)
def test_what_limits_threads_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, pinned: int, share: float | None, limit: int | None, by: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(module, "_pinned", lambda: pinned)
    monkeypatch.setattr(module, "_shares", lambda root: iter([] if share is None else [share, 40.0]))
    found = threads_found()
    assert (found.processors, found.pinned, found.share) == (64, pinned, share)
    assert (found.limit, found.by) == (limit, by)
