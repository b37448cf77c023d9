"""Signs of life between processes: one that lives on but does nothing is told from one that works."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

EVERY_S = 1.0
_STEP_S = 0.25


@dataclass(frozen=True, slots=True)
class Beat:
    """It works."""


class Beating:
    """Says ``Beat`` through a pipe while a ``with`` block of this lasts, from a thread of its own."""

    def __init__(self, pipe: Connection, every_s: float = EVERY_S) -> None:
        self._pipe, self._every_s = pipe, every_s
        self._sending, self._working = threading.Lock(), threading.Event()
        threading.Thread(target=self._run, name="beat", daemon=True).start()

    def __enter__(self) -> None:
        self._working.set()

    def __exit__(self, *_: object) -> None:
        # Whoever sends something afterwards has the pipe alone.
        with self._sending:
            self._working.clear()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                self._working.wait()
                with self._sending:
                    if self._working.is_set():
                        self._pipe.send(Beat())
                time.sleep(self._every_s)


class Watchdog:
    """Ends a process (SIGKILL) that is silent for too long, from a thread of its own: whoever speaks with it may be
    stuck in the midst of a message.

    Attributes:
        has_bitten: whether it ended the process.
    """

    def __init__(self, process: SpawnProcess) -> None:
        self._process = process
        self._lock, self._over = threading.Lock(), threading.Event()
        self._until: float | None = None
        self.has_bitten = False
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def expect(self, within_s: float) -> None:
        """Something must be heard of it within so many seconds."""
        with self._lock:
            self._until = time.monotonic() + within_s

    def rest(self) -> None:
        """It may be silent."""
        with self._lock:
            self._until = None

    def close(self) -> None:
        """Watch no longer; call it before the process is closed."""
        with self._lock:
            self._until = None
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(_STEP_S):
            with self._lock:
                if self._until is not None and time.monotonic() > self._until:
                    self.has_bitten = True
                    self._process.kill()
                    return
