"""The one queue before the worker: bounded, and every ticket that was given out is answered exactly once.

Requests go first; of ten turns one is a job's where one waits, so that a busy day does not stop jobs for good.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_JOBS_TURN = 10
_FIRST_GUESS_S = 0.5


class FullError(Exception):
    """No place is free; ``retry_after_s`` says when one may be."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"All places are taken: try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class Ticket:
    """A piece of work that was accepted.

    Attributes:
        work: what the worker is sent.
        future: its answer; set once, by whoever comes first.
        is_job: whether requests go before it.
        tries: how many times a worker began with it.
        given_up_at: when nobody waited for it any more; None while somebody does.
    """

    def __init__(self, work: Any, *, is_job: bool = False) -> None:
        self.work, self.is_job = work, is_job
        self.future: Future[Any] = Future()
        self.tries = 0
        self.given_up_at: float | None = None
        self._lock = threading.Lock()

    def answer(self, result: Any) -> bool:
        """Give the answer; False where it has one, or nobody waits."""
        return self._settle(lambda: self.future.set_result(result))

    def fail(self, error: Exception) -> bool:
        """Answer with an error; False where it has an answer."""
        return self._settle(lambda: self.future.set_exception(error))

    def cancel(self) -> bool:
        """Answer nobody; False where it has an answer."""
        return self._settle(self.future.cancel)

    def _settle(self, settle: Callable[[], object]) -> bool:
        with self._lock:
            if self.future.done():
                return False
            settle()
            return True


class Queue:
    """Work that waits; several threads may use it.

    Args:
        places: how many requests may wait; jobs' work, of which its giver keeps one at a time here, takes none.
        clock: gives seconds that only go forward.
    """

    def __init__(self, places: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.places, self.clock = places, clock
        self._requests: deque[Ticket] = deque()
        self._jobs: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._working: Ticket | None = None
        self._in_a_row = 0
        self._usual_s = _FIRST_GUESS_S
        self._is_closed = False

    def __len__(self) -> int:
        """How many requests wait, without the one in work."""
        return len(self._requests)

    @property
    def is_full(self) -> bool:
        """Whether the next request is refused."""
        with self._changed:
            return self._is_full()

    def _is_full(self) -> bool:
        # Where nobody waits and nothing is in work, even a queue without places takes one.
        busy = self._working is not None and not self._working.is_job
        return self._is_closed or len(self._requests) >= self.places + (0 if busy else 1)

    @property
    def retry_after_s(self) -> int:
        """When a place may be free, in whole seconds from 1."""
        return max(1, math.ceil(self._usual_s * (len(self._requests) + 1) / 2))

    def submit(self, work: Any, *, is_job: bool = False) -> Ticket:
        """Take a piece of work on.

        Raises:
            FullError: no place is free.
        """
        ticket = Ticket(work, is_job=is_job)
        with self._changed:
            if not is_job and self._is_full():
                raise FullError(self.retry_after_s)
            (self._jobs if is_job else self._requests).append(ticket)
            self._changed.notify()
        return ticket

    def give_up(self, ticket: Ticket) -> None:
        """Nobody waits for it any more: it loses its place, or its answer is thrown away."""
        with self._changed:
            ticket.given_up_at = self.clock()
            for waiting in (self._requests, self._jobs):
                if ticket in waiting:
                    waiting.remove(ticket)
        ticket.cancel()

    def take(self, wait_s: float) -> Ticket | None:
        """The next piece of work, which is then in work; None where none comes within ``wait_s``."""
        with self._changed:
            if not self._requests and not self._jobs:
                self._changed.wait(wait_s)
            jobs_turn = bool(self._jobs) and (self._in_a_row >= _JOBS_TURN - 1 or not self._requests)
            source = self._jobs if jobs_turn else self._requests
            if not source:
                return None
            self._in_a_row = 0 if jobs_turn else self._in_a_row + 1
            self._working = source.popleft()
            self._working.tries += 1
            return self._working

    def put_back(self, ticket: Ticket) -> None:
        """It was in work when the worker died: it comes first, whether there is a place or not."""
        with self._changed:
            self._working = None
            (self._jobs if ticket.is_job else self._requests).appendleft(ticket)
            self._changed.notify()

    def done(self, ticket: Ticket, took_s: float | None = None) -> None:
        """It is no longer in work; ``took_s``, where it was counted, tells when places become free."""
        with self._changed:
            self._working = None
            if took_s is not None and not ticket.is_job:
                self._usual_s += 0.2 * (took_s - self._usual_s)

    @property
    def is_idle(self) -> bool:
        """Whether no request waits or is in work."""
        with self._changed:
            return not self._requests and (self._working is None or self._working.is_job)

    def close(self) -> None:
        """Take nothing more; what waits stays."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def fail_all(self, error: Exception) -> None:
        """Answer all that waits with an error."""
        with self._changed:
            left = [*self._requests, *self._jobs]
            self._requests.clear()
            self._jobs.clear()
        for ticket in left:
            ticket.fail(error)
