"""One thread that looks after all others that may hang in a call: it asks each of them when it is due."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_Check = Callable[[float], float]
_END_S, _AGAIN_S = 5.0, 1.0


class Watchdog:
    """Calls checks when they are due; its thread lives while there are any.

    A check is given the time (``time.monotonic``) and gives the time at which it wants to be called next. It must not
    block. One that fails is called again: the others are looked after in any case.
    """

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._due: dict[_Check, float] = {}
        self._thread: threading.Thread | None = None

    def watch(self, check: _Check) -> None:
        """Call a check from now on."""
        with self._news:
            self._due[check] = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="camera watchdog", daemon=True)
                self._thread.start()
            self._news.notify_all()

    def leave(self, check: _Check) -> None:
        """Call it no more."""
        with self._news:
            self._due.pop(check, None)
            thread = self._thread
            self._news.notify_all()
            if thread is not threading.current_thread():  # until it ended, or goes on for others
                self._news.wait_for(lambda: bool(self._due) or self._thread is not thread or thread is None, _END_S)

    def _run(self) -> None:
        while True:
            with self._news:
                if not self._due:
                    self._thread = None
                    self._news.notify_all()
                    return
                now = time.monotonic()
                ready = [check for check, due in self._due.items() if due <= now]
                if not ready:
                    self._news.wait(min(self._due.values()) - now)
                    continue
            for check in ready:  # without the lock: they may take their own
                due = self._asked(check)
                with self._news:
                    if check in self._due:
                        self._due[check] = due

    def _asked(self, check: _Check) -> float:
        try:
            return check(time.monotonic())
        except Exception:
            logging.getLogger(__name__).exception("a check failed")
            return time.monotonic() + _AGAIN_S


WATCHDOG = Watchdog()
"""The one of this process."""
