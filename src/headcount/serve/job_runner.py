"""Does jobs, one image after the other, behind the requests; and throws away those that ended long ago."""

from __future__ import annotations

import json
import logging
import threading
import time
from concurrent.futures import CancelledError

from headcount.serve.dispatch import StoppedError, WorkerDiedError
from headcount.serve.job_store import Job, JobStore
from headcount.serve.queue import Queue
from headcount.serve.work import JobWork, Refused, Step

_STEP_S = 0.5
_CLEANED_EVERY_S = 30.0


class JobRunner:
    """The thread that gives the jobs of a store to the queue."""

    def __init__(self, store: JobStore, queue: Queue) -> None:
        self._store, self._queue = store, queue
        self._closing, self._changed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier server left too."""
        self._thread.start()

    def wake(self) -> None:
        """There is a new job."""
        self._changed.set()

    def close(self) -> None:
        """End; what is in work is done again by the next server on the same folder."""
        self._closing.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _run(self) -> None:
        cleaned = 0.0
        while not self._closing.is_set():
            if time.monotonic() - cleaned > _CLEANED_EVERY_S:
                self._store.delete_old()
                cleaned = time.monotonic()
            found = self._store.next_work()
            if found is None:
                self._changed.wait(_STEP_S)
                self._changed.clear()
                continue
            try:
                self._do(*found)
            except Exception as error:  # the other jobs go on
                logging.getLogger(__name__).exception("a job")
                self._store.end(found[0], f"Something unforeseen went wrong ({type(error).__name__}: {error}).")

    def _do(self, job: Job, work: JobWork) -> None:
        ticket = self._queue.submit(work, is_job=True)
        while not ticket.future.done():
            if self._closing.is_set() or self._store.find(job.id) is None:
                self._queue.give_up(ticket)
                return
            try:
                ticket.future.exception(_STEP_S)
            except (TimeoutError, CancelledError):
                continue
        try:
            answer = ticket.future.result()
        except WorkerDiedError:
            name = work.name if not work.every_s else f"{work.name}, frame {work.index}"
            answer = Refused(f'"{name}" ended the process that counts, twice: it is left out.', 500)
        except (StoppedError, CancelledError):
            return
        self._store.took(job, answer if isinstance(answer, Step) else _left_out(work, answer.sentence))


def _left_out(work: JobWork, sentence: str) -> Step:
    """The line of what cannot be counted; of a video the rest is left out, too."""
    line = {"source": work.name, "problem": sentence.replace(str(work.path), work.name)}
    return Step(json.dumps(line), is_last=True, is_problem=True)
