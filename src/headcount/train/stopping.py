"""What asks a run to stop: the step at hand is finished first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def signals_wait() -> Iterator[list[int]]:
    """The signals that came and ask to stop: no checkpoint can hold half a step, so the step at hand is finished first.

    Those are taken (Ctrl-C, and what else ends a program in the same way) that somebody handles; at the end they are
    told to that handler. Sent again, one stops the run at once; the last checkpoint stays.
    """
    came: list[int] = []
    handlers: dict[int, Callable[[int, FrameType | None], object]] = {}

    def wait(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            handlers[number](number, frame)

    if threading.current_thread() is threading.main_thread():  # signals are the main thread's alone
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            handler = signal.getsignal(number) if number is not None else None
            if number is not None and callable(handler):
                handlers[number] = handler
                signal.signal(number, wait)
    try:
        yield came
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if came:
        handlers[came[0]](came[0], None)
        raise KeyboardInterrupt
