"""Keeps a process alive that tells things through a pipe: started anew when it dies, later each time."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from headcount.core.errors import InputError
from headcount.serve.beat import Beat, Watchdog
from headcount.serve.schema import Monitor
from headcount.serve.wire import Running, Stopped

_PAUSES_S = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
_GOOD_AFTER_S = 60.0
_STOPS_WITHIN_S = 10.0
_STEP_S = 0.5
_LOADED_WITHIN_S, _SILENT_S = 300.0, 20.0
_BUSY_S = 0.2


class Supervisor:
    """A process and the thread that listens to it.

    Args:
        target: what the process does; it is called with its end of the pipe and ``args``, ends when the pipe does, and
            says ``Running`` once it works.
        args: go through ``pickle``.
        took: is told what the process says, by the thread.
        changed: is told how the process does, by the thread.
        silent_s: how long the process may say nothing once it works, not even that it lives, before it is ended.
    """

    def __init__(
        self,
        target: Callable[..., None],
        args: tuple[Any, ...],
        *,
        took: Callable[[Any], None],
        changed: Callable[[Monitor], None],
        silent_s: float = _SILENT_S,
    ) -> None:
        self._target, self._args, self._took, self._changed = target, args, took, changed
        self._silent_s = silent_s
        self._pipe: Connection | None = None
        self._sending = threading.Lock()
        self._closing, self._settled = threading.Event(), threading.Event()
        self._reason = ""
        self._pid: int | None = None
        self.state = Monitor(state="starting", since=datetime.now(UTC))
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process, where there is one."""
        return self._pid

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def wait_until_settled(self, timeout_s: float = 120.0) -> None:
        """Wait until the process works, or is slow to; what it cannot do now it may never do.

        Raises:
            InputError: it cannot, and why.
        """
        self._settled.wait(timeout_s)
        if self.state.state == "down" and self._reason:
            raise InputError(self._reason)

    def tell(self, given: object) -> None:
        """Say something to the process; nothing where there is none, or it does not listen."""
        if not self._sending.acquire(timeout=_BUSY_S):
            return
        try:
            with suppress(OSError):
                if self._pipe is not None:
                    self._pipe.send(given)
        finally:
            self._sending.release()

    def close(self) -> None:
        """Let the process end, and end it if it does not."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(_STOPS_WITHIN_S + 5)

    def _run(self) -> None:
        in_vain = 0
        while not self._closing.is_set():
            began = time.monotonic()
            self._reason = ""
            self._live()
            if self._closing.is_set():
                return
            in_vain = 0 if time.monotonic() - began > _GOOD_AFTER_S else in_vain + 1
            pause_s = _PAUSES_S[min(in_vain, len(_PAUSES_S)) - 1] if in_vain else _PAUSES_S[0]
            reason = self._reason or "The process that watches the cameras ended unexpectedly."
            self._tell("down", f"{reason} It is started again.")
            self._closing.wait(pause_s)

    def _live(self) -> None:
        """Start the process and listen until it ends."""
        context = multiprocessing.get_context("spawn")
        try:
            ours, theirs = context.Pipe()
            with theirs:
                process = context.Process(target=self._target, args=(theirs, *self._args), name="watcher", daemon=True)
                process.start()
        except OSError as error:  # no memory, files or processes left just now
            text = (error.strerror or str(error)).lower()
            self._reason = f"The process that watches the cameras cannot be started ({text})."
            return
        self._pid = process.pid
        self.state = self.state.model_copy(update={"starts": self.state.starts + 1})
        with self._sending:
            self._pipe = ours
        watchdog = Watchdog(process)
        watchdog.expect(_LOADED_WITHIN_S)
        with suppress(EOFError, OSError):
            while not self._closing.is_set():
                if ours.poll(_STEP_S):
                    self._hear(ours.recv())
                    watchdog.expect(self._silent_s if self.state.state == "running" else _LOADED_WITHIN_S)
        if watchdog.has_bitten:
            self._reason = "The process that watches the cameras gave no sign of life, and was ended."
        with self._sending:
            self._pipe = None
        ours.close()  # which ends it
        process.join(_STOPS_WITHIN_S if self._closing.is_set() else 1.0)
        if process.is_alive():
            process.kill()
            process.join()
        watchdog.close()
        process.close()
        self._pid = None

    def _hear(self, told: object) -> None:
        if isinstance(told, Running):
            self._tell("running", "")
        elif isinstance(told, Stopped):
            self._reason = told.reason
        elif not isinstance(told, Beat):
            self._took(told)

    def _tell(self, state: str, reason: str) -> None:
        self.state = self.state.model_copy(update={"state": state, "reason": reason, "since": datetime.now(UTC)})
        if state in ("running", "down"):
            self._settled.set()
        self._changed(self.state)
