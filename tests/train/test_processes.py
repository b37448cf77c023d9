"""How the processes of a run are started, what is known of one that ends, and what they are without each other."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from headcount.core.errors import HeadcountError, InputError
from headcount.train import processes
from headcount.train.places import Place
from headcount.train.recipe import Recipe

pytestmark = pytest.mark.slow
LOST = HeadcountError("A process of the run failed (RuntimeError: Connection closed by peer): resume the run.")


@pytest.fixture
def others() -> Iterator[processes._Others]:
    """Two processes that wait for the end of their input, and do not learn."""
    waiting = [
        subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    yield processes._Others(torch.distributed.HashStore(), waiting)
    for process in waiting:
        process.kill()
        process.wait()


def _told(error: HeadcountError | None) -> str:
    assert error is not None
    return error.message


def test_one_that_was_killed_is_told_of_before_the_connections_that_it_broke(others: processes._Others) -> None:
    assert processes._tell(others.store, LOST, processes._BROKEN)
    others.processes[1].kill()
    assert "Process 3 of 3 ended without a word (signal 9)" in _told(others.ending())


def test_one_that_failed_is_told_of_before_one_that_was_killed(others: processes._Others) -> None:
    others.processes[0].kill()
    others.processes[0].wait()
    processes._tell(others.store, HeadcountError("The disk is gone."))
    assert _told(others.ending()) == "The disk is gone."


def test_a_connection_that_broke_is_told_of_where_nothing_else_is_known(
    others: processes._Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_KILLED_SECONDS", 0.1)
    processes._tell(others.store, LOST, processes._BROKEN)
    assert _told(others.ending()) == LOST.message


def test_what_lies_in_the_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("open('imported', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    process = processes._start(Recipe(name="tiny"), Place(1, 2, 1, 2, "cpu"), 1)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 1
    assert not (tmp_path / "imported").exists()


@pytest.mark.skipif(os.name == "nt", reason="processes are given to no other there")
def test_a_process_ends_with_the_first_though_its_input_is_held_open(tmp_path: Path) -> None:
    waits = (
        "import os; from headcount.train import worker; worker._LOOK_SECONDS = 0.05; first = os.getppid();"
        "print('waits', flush=True); worker._end_with_the_first(first)"
    )
    starts = (
        "import os, subprocess, sys; given, own = os.pipe();"
        f"worker = subprocess.Popen([sys.executable, '-c', {waits!r}], stdin=given, stdout=subprocess.PIPE);"
        "worker.stdout.readline();"
        "holder = subprocess.Popen([sys.executable, '-S', '-c', 'input()'], stdin=subprocess.PIPE, pass_fds=[own]);"
        "print(worker.pid, holder.pid, flush=True); input()"
    )
    first = subprocess.Popen([sys.executable, "-c", starts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    worker, holder = (int(number) for number in first.stdout.readline().split())
    try:
        assert _runs(worker)
        first.kill()
        first.communicate()
        until = time.monotonic() + 60
        while _runs(worker) and time.monotonic() < until:
            time.sleep(0.02)
        assert not _runs(worker)
    finally:
        for process in (worker, holder):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def test_training_is_imported_with_a_torch_that_has_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Store", "TCPStore", "init_process_group", "is_initialized", "new_group"):
        monkeypatch.delattr(torch.distributed, name)
    monkeypatch.setitem(sys.modules, "torch.distributed.rendezvous", None)
    for name in ("group", "processes", "learning", "follow", "loop"):
        spec = importlib.util.find_spec(f"headcount.train.{name}")
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_a_process_that_belongs_to_others_is_told_so_and_left_in_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: ended.append(True))
    recipe, place = Recipe(name="tiny", devices=2, device="cpu"), Place(0, 2, 0, 2, "cpu")
    with (
        pytest.raises(InputError, match=r"one of a group of torch\.distributed already"),
        processes.joined(recipe, place),
    ):
        pass
    assert ended == []
