"""What the server has in hand: the queue and its worker, the jobs, and what is known of the cameras."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import HTTPException, Request

from headcount.core.errors import InputError
from headcount.serve.dispatch import Dispatcher, StoppedError, WorkerDiedError
from headcount.serve.job_runner import JobRunner
from headcount.serve.job_store import JobStore
from headcount.serve.limits import Limits
from headcount.serve.live import Live
from headcount.serve.metrics import Metrics
from headcount.serve.queue import FullError, Queue
from headcount.serve.supervise import Supervisor
from headcount.serve.upload import GoneError, Held
from headcount.serve.work import Answer, WorkerSettings


class Service:
    """Everything behind the server's addresses.

    Args:
        settings: how the worker counts; ``roots`` are the folders that jobs may read.
        limits: how much is taken on.
        jobs: the folder that jobs are kept in; None: one of its own, which is gone when the server stops.
        live: what is known of a site's cameras; None where no site is watched.
        monitor: what watches them.

    Raises:
        InputError: the folder of jobs, or one that they may read, cannot be used.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        limits: Limits,
        *,
        jobs: Path | None = None,
        live: Live | None = None,
        monitor: Supervisor | None = None,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        self.limits, self.live, self.monitor = limits, live, monitor
        self.roots = tuple(_root(folder) for folder in settings.roots)
        self._held = ExitStack()
        if jobs is None:
            jobs = Path(self._held.enter_context(TemporaryDirectory(prefix="headcount-jobs-")))
        self.store = JobStore(jobs, limits)
        self.queue = Queue(limits.queue)
        worker = dataclasses.replace(settings, roots=(*self.roots, self.store.folder))
        self.dispatcher = dispatcher or Dispatcher(self.queue, worker)
        self.runner = JobRunner(self.store, self.queue)
        self.held = Held(limits.held_bytes)
        self.metrics = Metrics(self)
        self.is_stopping = asyncio.Event()
        self.started_at = time.time()

    def start(self) -> None:
        """Start the processes and threads; models are open later."""
        self.dispatcher.start()
        self.runner.start()
        if self.monitor is not None:
            self.monitor.start()

    def stopping(self) -> None:
        """The server will stop: what was accepted is answered, what never ends is ended."""
        self.is_stopping.set()
        if self.live is not None:
            self.live.close()

    def close(self) -> None:
        """End the processes and threads."""
        self.runner.close()
        self.dispatcher.close()
        if self.monitor is not None:
            self.monitor.close()
        self._held.close()

    def refuse_full(self) -> None:
        """Say at once that there is no place, before a body is read.

        Raises:
            HTTPException: so it is, or nothing can be counted now.
        """
        if self.is_stopping.is_set():
            raise HTTPException(503, "The server stops.", {"retry-after": "10"})
        if self.dispatcher.state == "failed":
            raise HTTPException(503, f"Nothing can be counted now: {self.dispatcher.reason}", {"retry-after": "10"})
        if self.queue.is_full:
            raise full(self.queue.retry_after_s)

    async def answer(self, work: Any, request: Request) -> Answer:
        """Have something done for a request that waits for it.

        Raises:
            HTTPException: there is no place, the deadline passed, or the worker died of it.
            GoneError: nobody waits for the answer any more.
        """
        try:
            ticket = self.queue.submit(work)
        except FullError as error:
            raise full(error.retry_after_s) from None
        future = asyncio.wrap_future(ticket.future)
        gone = asyncio.ensure_future(_until_gone(request))
        try:
            waits: set[asyncio.Future[Any]] = {future, gone}
            await asyncio.wait(waits, timeout=self.limits.deadline_s, return_when=asyncio.FIRST_COMPLETED)
            if future.done():
                return future.result()  # type: ignore[no-any-return]
        except WorkerDiedError:
            text = "The process that counts died of this image, twice: it may be too large for this machine's memory."
            raise HTTPException(500, text) from None
        except StoppedError:
            raise HTTPException(503, "The server stops.", {"retry-after": "10"}) from None
        finally:
            gone.cancel()
            if not ticket.future.done():
                self.queue.give_up(ticket)
        if gone.done() and not gone.cancelled():
            raise GoneError
        text = f"It was not counted within {self.limits.deadline_s:g} s, and will not be: try again later."
        raise HTTPException(504, text)


def full(retry_after_s: int) -> HTTPException:
    """The answer where no place is free."""
    return HTTPException(
        503, f"All places are taken: try again in {retry_after_s} s.", {"retry-after": str(retry_after_s)}
    )


async def _until_gone(request: Request) -> None:
    with suppress(RuntimeError):
        while (await request.receive())["type"] != "http.disconnect":
            pass


def _root(folder: Path) -> Path:
    try:
        real = folder.resolve(strict=True)
    except OSError as error:
        raise InputError(f'There is no folder "{folder}" for jobs to read: name one that is there.') from error
    if not real.is_dir():
        raise InputError(f'"{folder}" is no folder: name the folder that jobs may read.')
    return real
