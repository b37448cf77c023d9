"""What a service manager is told, received at a real socket."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headcount.cli.watch.notify import Notifier

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd's sockets are not on Windows")


def nobody_asks() -> bool:
    raise AssertionError("somebody asked")


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "1000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        yield listening


def test_it_is_told_that_it_runs_lives_and_stops(manager: socket.socket) -> None:
    with Notifier() as notifier:
        notifier.tell("1 of 1 camera online", is_well=lambda: True)
        first = manager.recv(1000).decode().splitlines()
    assert first == ["READY=1", "STATUS=1 of 1 camera online", "WATCHDOG=1"]
    assert manager.recv(1000) == b"STOPPING=1"


def test_who_is_not_well_does_not_say_that_it_lives(manager: socket.socket) -> None:
    with Notifier() as notifier:
        notifier.tell("stuck", is_well=lambda: False)
    assert manager.recv(1000) == b"READY=1\nSTATUS=stuck"


def test_another_process_of_the_service_does_not_feed_the_watchdog(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_PID", "1")
    with Notifier() as notifier:
        notifier.tell("", is_well=nobody_asks)
    assert b"WATCHDOG" not in manager.recv(1000)


def test_without_a_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with Notifier() as notifier:
        notifier.tell("", is_well=nobody_asks)


def test_a_manager_that_is_gone_ends_nothing(manager: socket.socket) -> None:
    path = os.environ["NOTIFY_SOCKET"]
    manager.close()
    Path(path).unlink()
    with Notifier() as notifier:
        for _ in range(3):
            notifier.tell("", is_well=lambda: True)
