"""Where the server's processes begin: below the server in turn for the processors, and deaf to what ends the server.

What they work with is imported here alone, so that the server itself stays small and quick to answer, and so that even
the second in which a process loads it takes nothing from the server.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headcount.serve.work import WorkerSettings
    from headcount.video.site import Site

_COUNTING, _WATCHING = 5, 3
"""By how much each is nicer than the server."""


def counting(pipe: Connection, settings: WorkerSettings) -> None:
    """Count what comes through the pipe; see ``headcount.serve.worker``."""
    _begin(_COUNTING)
    from headcount.serve.worker import work

    work(pipe, settings)


def watching(pipe: Connection, site: Site, folder: Path) -> None:
    """Watch a site; see ``headcount.serve.watcher``."""
    _begin(_WATCHING)
    from headcount.serve.watcher import watch

    watch(pipe, site, folder)


def _begin(nice: int) -> None:
    # What was accepted is answered first: the server ends its processes when it is done.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    with suppress(OSError, AttributeError):
        os.nice(nice)
