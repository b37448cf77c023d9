"""What asks a command to stop (SIGTERM of a service or a scheduler, a terminal that is closed) does as Ctrl-C does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
"""The exit code after Ctrl-C."""


class Stopped(KeyboardInterrupt):
    """A signal asked to stop."""


@contextmanager
def signals_stop() -> Iterator[list[int]]:
    """Raise ``Stopped`` where a signal asks to stop, as long as the block lasts; gives the signals that came.

    A signal that whoever started the command wants ignored (``nohup``) is.
    """
    came: list[int] = []
    here = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != here:  # a forked child: it ends as it would have
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        came.append(number)
        raise Stopped

    before = {}
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            try:
                before[number] = signal.signal(number, stop)
            except ValueError:  # not the main thread, which alone can be told
                break
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
