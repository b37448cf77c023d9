"""Start the server: the worker, the watched site, the jobs, and the address."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headcount.core.interval import check_level
from headcount.infer.models import model_or_default
from headcount.serve.app import create_app
from headcount.serve.child import watching
from headcount.serve.history_source import history_of
from headcount.serve.limits import Limits
from headcount.serve.live import Live
from headcount.serve.service import Service
from headcount.serve.supervise import Supervisor
from headcount.serve.work import WorkerSettings
from headcount.web.listen import address_of, bound_socket, check_token, run

if TYPE_CHECKING:
    from headcount.video.site import Site

_AFTER_DEADLINE_S = 5
_HEADERS_WITHIN_S = 20
_SWITCH_S = 0.001
_MOST_CONNECTIONS_WAITING = 512


def serve(
    settings: WorkerSettings,
    limits: Limits | None = None,
    *,
    site: Site | None = None,
    folder: Path | None = None,
    jobs: Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str = "",
    names: Collection[str] = (),
    ready: Callable[[str], None] = lambda address: None,
    watcher: Callable[..., None] = watching,
) -> None:
    """Serve until the process is asked to stop; then what was accepted is answered first.

    Args:
        settings: how the worker counts, and what jobs may read.
        limits: how much is taken on.
        site: the cameras to watch; None: none.
        folder: what the relative paths of the site are below.
        jobs: where jobs are kept; None: in a folder of its own, gone when the server stops.
        host, port, token: as ``bound_socket`` and ``check_token`` take them.
        names: other names that it is reached by, of a proxy or a container.
        ready: is told the address to open; a token is part of it.
        watcher: what the process does that watches, for tests.

    Raises:
        ModelError: there is no such model, or it cannot be opened.
        InputError: the address, a folder, or the site cannot be used.
        MissingExtraError: something is not installed.
    """
    limits = limits or Limits()
    check_token(token, host)
    check_level(settings.interval)
    for model in settings.models:
        model_or_default(model)
    live = None if site is None else Live(site, most_listeners=limits.listeners)
    monitor = None
    history = None
    if live is not None:
        where = (folder or Path()).resolve()
        monitor = Supervisor(watcher, (site, where), took=live.take, changed=live.monitor_changed)
        history = history_of(live, where)
    with bound_socket(host, port) as listening:
        service = Service(settings, limits, jobs=jobs, live=live, monitor=monitor)
        try:
            service.start()
            if history is not None:
                history.start()
            service.dispatcher.wait_until_ready()
            if monitor is not None:
                monitor.wait_until_settled()
            address = address_of(host, listening.getsockname()[1])
            link = f"{address}enter/{token}" if token else address
            app = create_app(service, history=history, host=host, token=token, names=names)
            _stay_quick()
            run(
                app, listening, lambda: ready(link), graceful_s=int(limits.deadline_s) + _AFTER_DEADLINE_S,
                stopping=service.stopping, settings=_patience(),
            )  # fmt: skip
        finally:
            service.close()
            if history is not None:
                history.close()


def _stay_quick() -> None:
    """Keep short what holds up the thread that answers: a 503 is to be told at once.

    Looking through all that was loaded for garbage takes tens of milliseconds, and none of it is. And a thread that
    pickles or parses something lets go of the interpreter sooner.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_SWITCH_S)


def _patience() -> dict[str, Any]:
    """Settings of uvicorn that end connections on which nothing comes."""
    from headcount.serve.patient import PatientProtocol

    return {"http": PatientProtocol, "timeout_keep_alive": _HEADERS_WITHIN_S, "backlog": _MOST_CONNECTIONS_WAITING}
