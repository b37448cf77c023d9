"""Processes that learn and need not import torch first: forked off one that did, and that runs nothing itself.

They stand in for ``subprocess.Popen``: what is done in them, sent to them and seen of them is the same.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, BinaryIO

import pytest

from headcount.train import processes

_IMPORTED = [
    "headcount.train.follow", "headcount.train.loop", "headcount.cli.main", "headcount.cli.train",
    "headcount.models.density.mask_aware", "headcount.models.fused.method", "headcount.models.instance.iim.method",
    "headcount.models.parts.timm_networks",
]  # fmt: skip


class Warm:
    """A process of ``python … -m MODULE ARGUMENTS``; its output goes to a file, and else nowhere."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], output: str = os.devnull, **_: Any) -> None:
        start = multiprocessing.get_context("forkserver")
        start.set_forkserver_preload(_IMPORTED)
        given, own = start.Pipe(duplex=False)
        module, *arguments = command[command.index("-m") + 1 :]
        self._process = start.Process(target=_run, args=(module, arguments, dict(env), given, output), daemon=True)
        self._process.start()
        given.close()
        self.stdin: BinaryIO = os.fdopen(os.dup(own.fileno()), "wb")
        own.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, less than 0 by a signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """``returncode``."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a process that learns", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


def _run(module: str, arguments: list[str], environment: dict[str, str], given: Connection, output: str) -> None:
    os.setsid()
    os.dup2(given.fileno(), 0)
    given.close()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    if output != os.devnull:
        os.dup2(file, 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    sys.modules.pop(module, None)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def start_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training start its processes so."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return

    class Started:
        PIPE, DEVNULL, TimeoutExpired = subprocess.PIPE, subprocess.DEVNULL, subprocess.TimeoutExpired
        Popen = Warm

    monkeypatch.setattr(processes, "subprocess", Started)
