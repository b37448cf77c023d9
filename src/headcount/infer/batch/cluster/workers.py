"""What runs on the cluster's machines: a worker that counts whole chunks, and the desk that it reports to.

A worker gets numbers of chunks and nothing else; entries it reads from the folder, and rows it writes there, as a part
of a fixed name that is there whole or not at all. What dies with a worker is counted again, and can be there but once.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

import pyarrow as pa

from headcount.core.errors import HeadcountError, InputError, ModelError
from headcount.core.threads import limit_threads
from headcount.core.words import whole_people
from headcount.infer.batch.counting import RowCounter
from headcount.infer.batch.parts import read_part, read_unfinished, write_part, write_unfinished
from headcount.infer.batch.plan import Chunk, Plan, read_plan
from headcount.infer.batch.rows import Row
from headcount.infer.batch.run import BatchEvent, ChunkDone, EntryDone
from headcount.infer.batch.settings import BatchSettings
from headcount.infer.batch.store import open_store

_TELL_S = 1.0
_KEEP_S = 60.0
_DONE = pa.schema([pa.field("chunk", pa.int64(), nullable=False)])


@dataclass(frozen=True, slots=True)
class NodeFailure:
    """What went wrong on a machine, as plain data on its way to the run.

    Attributes:
        kind: which error it becomes there.
    """

    kind: Literal["input", "model", "unforeseen"]
    message: str
    remedy: str = ""

    def error(self) -> Exception:
        """The error that the run raises."""
        if self.kind == "unforeseen":
            return RuntimeError(self.message)
        return (ModelError if self.kind == "model" else InputError)(self.message, remedy=self.remedy)


class Desk:
    """Where workers report, and ask whether to go on; an actor beside the run that reads it."""

    def __init__(self) -> None:
        self._told: list[BatchEvent] = []
        self._error: NodeFailure | None = None
        self._stopped = False

    def tell(self, events: list[BatchEvent]) -> bool:
        """Report; returns whether to stop."""
        self._told += events
        return self._stopped

    def fail(self, error: NodeFailure) -> None:
        """Report what ends the whole run; the first one counts."""
        self._error, self._stopped = self._error or error, True

    def stop(self) -> None:
        """Have the workers stop at their next image."""
        self._stopped = True

    def take(self) -> tuple[list[BatchEvent], NodeFailure | None]:
        """What came since it was last asked, and what ends the run."""
        told, self._told = self._told, []
        return told, self._error


class ChunkCounter:
    """Counts chunks by number; made once for each worker, whose model it opens.

    Args:
        place: the batch's folder.
        fingerprint: that of the rows that belong there.
        settings: what to count with; its threads are those of this worker.
        desk: where it reports, as Ray hands it on.
        node: the name of a machine, for messages.
    """

    def __init__(self, place: str, fingerprint: str, settings: BatchSettings, desk: Any) -> None:
        self._desk = desk
        self._counter: RowCounter | None = None
        try:
            limit_threads(settings.threads)
            self._plan = visible_plan(place, fingerprint)
            self._counter = RowCounter(settings, fingerprint)
        except Exception as error:  # one that is raised here only has Ray make another worker
            self._fail(error)

    def __call__(self, chunks: pa.Table) -> pa.Table:
        """Count chunks, write their parts, and return the numbers of those that are there.

        Args:
            chunks: ``chunk``, (n,) int64.
        """
        done: list[int] = []
        if self._counter is not None:
            try:
                for index in chunks["chunk"].to_pylist():
                    if not self._tell([]) and self._count(self._plan.chunk(index)):
                        done.append(index)
            except Exception as error:  # a bad image is a row: this is a full disk, or a folder that is gone
                self._fail(error)
        return pa.table({"chunk": pa.array(done, pa.int64())}, schema=_DONE)

    def _count(self, chunk: Chunk) -> bool:
        """Whether the part of a chunk is there; it is not where the run is stopped in the midst of it."""
        counter, store, fingerprint = self._counter, self._plan.store, self._plan.fingerprint
        assert counter is not None
        if read_part(store, chunk, fingerprint) is not None:
            return True
        kept = read_unfinished(store, chunk, fingerprint)
        begun = len(kept["number"].unique())
        rows: list[Row] = []
        events: list[BatchEvent] = []
        told_at = kept_at = monotonic()
        stopped = False

        def is_stopped() -> bool:
            nonlocal stopped, events, told_at
            if not stopped and monotonic() - told_at > _TELL_S:
                stopped, events, told_at = self._tell(events), [], monotonic()
            return stopped

        for number, of_it in counter.each(self._plan.entries(chunk).slice(begun), is_stopped):
            rows += of_it
            events.append(EntryDone(number, next((row.error for row in of_it if row.error is not None), None)))
            if monotonic() - kept_at > _KEEP_S:
                write_unfinished(store, chunk, pa.concat_tables([kept, counter.table(rows)]))
                kept_at = monotonic()
        if stopped:
            write_unfinished(store, chunk, pa.concat_tables([kept, counter.table(rows)]))
            return False
        whole = pa.concat_tables([kept, counter.table(rows)]).combine_chunks()
        write_part(store, chunk, whole)
        errors = whole.num_rows - whole["error"].null_count
        people = sum(map(whole_people, filter(None, whole["count"].to_pylist())))
        self._tell([*events, ChunkDone(chunk, whole.num_rows - errors, errors, people)])
        return True

    def _tell(self, events: list[BatchEvent]) -> bool:
        import ray

        return bool(ray.get(self._desk.tell.remote(events)))

    def _fail(self, error: Exception) -> None:
        import ray

        ray.get(self._desk.fail.remote(failure_of(error, node_name())))


def visible_plan(place: str, fingerprint: str) -> Plan:
    """The plan in a batch's folder, as this machine sees it.

    Raises:
        InputError: it sees none there, or another one.
    """
    plan = read_plan(open_store(place))
    if plan is None or plan.fingerprint != fingerprint:
        raise InputError(
            f'The folder of the results, "{place}", is not to be seen from there: name one that all machines of the '
            "cluster reach under the same name, a shared folder or an address."
        )
    return plan


def seen_from_here(place: str, fingerprint: str) -> NodeFailure | None:
    """What a machine of the cluster lacks to count; None where it lacks nothing."""
    try:
        visible_plan(place, fingerprint)
    except Exception as error:
        return failure_of(error, node_name())
    return None


def node_name() -> str:
    """What this machine is called in messages."""
    import platform

    import ray

    address: Any = ray.util.get_node_ip_address
    return f"{platform.node() or 'node'} ({address()})"


def failure_of(error: Exception, node: str) -> NodeFailure:
    """What an error says, with the machine it happened on."""
    if isinstance(error, HeadcountError):
        kind: Literal["model", "input"] = "model" if isinstance(error, ModelError) else "input"
        return NodeFailure(kind, f"On the node {node}: {error.message}", error.remedy)
    if isinstance(error, OSError):
        return NodeFailure("input", f"On the node {node}: {error.strerror or error}: see to that, and start again.")
    return NodeFailure("unforeseen", f"on the node {node}: {type(error).__name__}: {error}")
