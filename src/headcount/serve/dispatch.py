"""Keeps one worker process at work: hands it what waits, takes its answers, starts it anew when it dies."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Literal

from headcount.core.errors import InputError, ModelError
from headcount.serve.beat import Beat, Watchdog
from headcount.serve.child import counting
from headcount.serve.queue import Queue, Ticket
from headcount.serve.work import Answer, Failed, ModelFacts, Ready, WorkerSettings

_TRIES = 2
_PATIENCE_S = 5.0
"""How long the worker goes on with what nobody waits for, before it is ended and started anew."""
_SILENT_S = 10.0
"""How long the worker may give no sign of life while it has something to do, before it is ended."""
_LONGEST_JOB_S = 600.0
_PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_LOADED_WITHIN_S = 300.0
_STEP_S = 0.25

State = Literal["starting", "ready", "failed"]


class WorkerDiedError(Exception):
    """The worker died while it counted, and again when it tried once more."""


class StoppedError(Exception):
    """The server stops."""


class _DiedError(Exception):
    """The worker is gone."""


class Dispatcher:
    """One worker and the thread that serves it.

    Args:
        queue: where work waits.
        settings: how the worker counts.
        patience_s: how long work goes on that nobody waits for.
        silent_s: how long the worker may give no sign of life while it works.
        target: what the worker process does, for tests.

    Attributes:
        state: of the worker.
        reason: why it is ``failed``, in a sentence.
        models: what it has open, the default first; empty until it was ready once.
        starts: how many workers were started.
    """

    def __init__(
        self,
        queue: Queue,
        settings: WorkerSettings,
        *,
        patience_s: float = _PATIENCE_S,
        silent_s: float = _SILENT_S,
        target: Callable[..., None] = counting,
    ) -> None:
        self._queue, self._settings, self._patience_s, self._target = queue, settings, patience_s, target
        self._silent_s = silent_s
        self.state: State = "starting"
        self.reason = ""
        self.models: tuple[ModelFacts, ...] = ()
        self.starts = 0
        self._process: SpawnProcess | None = None
        self._watchdog: Watchdog | None = None
        self._pipe: Connection | None = None
        self._failure: Failed | None = None
        self._in_vain = 0
        self._closing = threading.Event()
        self._settled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    @property
    def pid(self) -> int | None:
        """The worker's process, where there is one."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the worker; it is ready later."""
        self._thread.start()

    def wait_until_ready(self, timeout_s: float = _LOADED_WITHIN_S) -> None:
        """Wait until the first worker has its models open.

        Raises:
            ModelError, InputError: it cannot begin.
        """
        self._settled.wait(timeout_s)
        if self.state != "ready":
            failure = self._failure
            kind = ModelError if failure is not None and failure.is_model else InputError
            raise kind(
                self.reason or "The process that counts did not start in time: look at what else this machine does."
            )

    def close(self) -> None:
        """End the worker; what is in work or waits is answered by an error."""
        self._closing.set()
        self._queue.close()
        if self._thread.is_alive():
            self._thread.join(10)
        self._end()
        self._queue.fail_all(StoppedError("The server stops."))

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                if self._pipe is None:
                    self._begin()
                ticket = self._queue.take(_STEP_S)
                if ticket is None:
                    self._refuse_dead()
                elif ticket.given_up_at is not None:
                    self._queue.done(ticket)
                else:
                    self._serve(ticket)
            except _DiedError:
                self._end()
            except Exception:  # whatever it is, the next worker may do better
                logging.getLogger(__name__).exception("the worker")
                self._end()

    def _begin(self) -> None:
        """Start a worker and wait for its models.

        Raises:
            _DiedError: it died or failed.
        """
        pause_s = _PAUSES_S[min(self._in_vain, len(_PAUSES_S) - 1)]
        if self._closing.wait(pause_s):
            raise _DiedError
        if self.state != "failed":
            self.state = "starting"
        self.starts += 1
        context = multiprocessing.get_context("spawn")
        try:
            self._pipe, theirs = context.Pipe()
            with theirs:
                process = context.Process(
                    target=self._target, args=(theirs, self._settings), name="worker", daemon=True
                )
                process.start()
        except OSError as error:  # no memory, files or processes left just now
            self._fail(f"The process that counts cannot be started ({(error.strerror or str(error)).lower()}).")
            raise _DiedError from error
        self._process, self._watchdog = process, Watchdog(process)
        try:
            told = self._answer(lambda: False, time.monotonic() + _LOADED_WITHIN_S)
        except _DiedError:
            self._fail("The process that counts ended before it began.")
            raise
        if isinstance(told, Ready):
            self.models, self.state, self.reason = told.models, "ready", ""
            self._settled.set()
            return
        self._failure = told if isinstance(told, Failed) else None
        self._fail(told.sentence if isinstance(told, Failed) else "The process that counts did not begin in time.")
        raise _DiedError

    def _fail(self, reason: str) -> None:
        self._in_vain += 1
        self.state, self.reason = "failed", reason
        self._settled.set()

    def _serve(self, ticket: Ticket) -> None:
        """Have a piece of work done.

        Raises:
            _DiedError: the worker is gone; the work waits again, or is answered.
        """
        began = time.monotonic()
        try:
            assert self._watchdog is not None
            self._watchdog.expect(self._silent_s)
            self._send(ticket.work)
            answer = self._answer(lambda: self._is_given_up(ticket), began + _LONGEST_JOB_S)
            self._watchdog.rest()
        except _DiedError:
            self._take_back(ticket)
            raise
        except Exception as error:
            self._queue.done(ticket)
            ticket.fail(error)
            raise
        if answer is None:  # nobody waits for it, or it takes far too long
            self._queue.done(ticket)
            ticket.fail(WorkerDiedError("It took too long."))
            raise _DiedError
        self._in_vain = 0
        self._queue.done(ticket, time.monotonic() - began)
        ticket.answer(answer)

    def _take_back(self, ticket: Ticket) -> None:
        if ticket.given_up_at is None and ticket.tries < _TRIES and not self._closing.is_set():
            self._queue.put_back(ticket)
            return
        self._queue.done(ticket)
        stops = self._closing.is_set()
        ticket.fail(StoppedError("The server stops.") if stops else WorkerDiedError("It died twice."))

    def _is_given_up(self, ticket: Ticket) -> bool:
        at = ticket.given_up_at
        return at is not None and self._queue.clock() - at > self._patience_s

    def _send(self, given: Any) -> None:
        assert self._pipe is not None
        try:
            self._pipe.send(given)
        except OSError as error:
            raise _DiedError from error

    def _answer(self, is_given_up: Callable[[], bool], until: float) -> Answer | Ready | Failed | None:
        """What the worker says next; None where it is not waited for any longer.

        Raises:
            _DiedError: it is gone.
        """
        assert self._pipe is not None
        assert self._process is not None
        while True:
            met = wait([self._pipe, self._process.sentinel], _STEP_S)
            if self._pipe in met:
                try:
                    told: Answer | Ready | Failed | Beat = self._pipe.recv()
                except (EOFError, OSError) as error:
                    raise _DiedError from error
                if not isinstance(told, Beat):
                    return told
                assert self._watchdog is not None
                self._watchdog.expect(self._silent_s)
            elif met:
                raise _DiedError
            if self._closing.is_set():
                raise _DiedError
            if is_given_up() or time.monotonic() > until:
                return None

    def _refuse_dead(self) -> None:
        if self._process is not None and not self._process.is_alive():
            raise _DiedError

    def _end(self) -> None:
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if self._watchdog is not None:
            if self._watchdog.has_bitten:
                logging.getLogger(__name__).warning("The process that counts gave no sign of life, and was ended.")
            self._watchdog.close()
            self._watchdog = None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.join(0.2)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        if self.state == "ready":
            self.state = "starting"
