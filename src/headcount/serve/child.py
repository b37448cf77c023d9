"""Where the server's processes begin: deaf to what ends the server, which ends them when it is done.

What they work with is imported here alone, so that the server itself stays small and quick to answer. Once it is
loaded they go behind the server in turn for the processors, so that it can say at once that it is full; loading does
not, since everybody waits for it.
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
    _begin()
    from headcount.serve.worker import work

    work(pipe, settings, loaded=lambda: _stand_back(_COUNTING))


def watching(pipe: Connection, site: Site, folder: Path) -> None:
    """Watch a site; see ``headcount.serve.watcher``."""
    _begin()
    from headcount.serve.watcher import watch

    _stand_back(_WATCHING)
    watch(pipe, site, folder)


def _begin() -> None:
    # What was accepted is answered first.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)


def _stand_back(nice: int) -> None:
    with suppress(OSError, AttributeError):
        os.nice(nice)
