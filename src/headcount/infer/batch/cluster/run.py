"""A run of a batch on Ray Data: numbers of chunks in, parts out, whatever becomes of a worker or of its machine.

    numbers of chunks ──► (Ray's checkpoint leaves out what is done) ──► workers ──► parts ──► Ray's checkpoint

A task whose worker dies is not tried again by that worker, which may find no room any more: what is missing at the end
is handed out anew. Entries that end a worker again and again are counted by processes on this machine, one by one.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
from numpy.typing import NDArray
from ray.data import ActorPoolStrategy, DataContext
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasink, Datasource, ReadTask
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from headcount.core.errors import HeadcountError, InputError
from headcount.core.notes import Note
from headcount.core.words import plural
from headcount.infer.batch.cluster.checkpoint import checkpoint_of, forget, is_there
from headcount.infer.batch.cluster.connection import Cluster, connected, short
from headcount.infer.batch.cluster.workers import ChunkCounter, Desk, seen_from_here
from headcount.infer.batch.parts import missing_chunks
from headcount.infer.batch.plan import Plan
from headcount.infer.batch.run import BatchEvent, BatchRun
from headcount.infer.batch.settings import BatchSettings

_PASSES_MAX = 1000
_FRUITLESS_MAX = 2
_POLL_S = 0.25
_STOP_S = 60.0
_LOOK_S = 120.0
_WRITES = 64
_TASKS_MIN, _TASKS_EACH = 256, 32
"""In so many tasks the chunks are handed out: few cost little, and with many all workers end at about the same time."""


class RayRun:
    """Counts what is missing of a plan on Ray; the same face as ``BatchRun``.

    Args:
        plan: what is counted, and where the rows go: a place that all machines of the cluster reach.
        settings: what it is counted with; ``threads`` are those of each worker (None: one).
        address: ``local``, ``auto`` or HOST:PORT of the cluster's head.
        workers: how many count at most; None: as many as find room.

    Raises:
        InputError: there are fewer than one worker.
    """

    def __init__(
        self, plan: Plan, settings: BatchSettings, *, address: str = "local", workers: int | None = None
    ) -> None:
        if workers is not None and workers < 1:
            raise InputError(f"The number of workers must be a whole number from 1, but {workers} was given.")
        self.plan, self.address, self.workers = plan, address, workers
        self.threads = settings.threads or 1
        self.settings = replace(settings.resolved(), threads=self.threads)

    def expected(self) -> int:
        """How many entries are missing; parts are not looked into."""
        return sum(chunk.count for chunk in missing_chunks(self.plan, check=False))

    def is_complete(self) -> bool:
        """Whether the rows of all chunks are there."""
        return next(missing_chunks(self.plan, check=False), None) is None

    def run(self) -> Iterator[BatchEvent]:
        """Count all that is missing; what was counted of a chunk is kept where it is ended in the midst of one.

        Raises:
            InputError: there is no such cluster, one of its machines cannot count, or rows cannot be written.
            ModelError: a machine has another model than the plan was made with, or none.
            KeyboardInterrupt: it came; what was counted until then is kept.
        """
        cpus = None if self.workers is None else self.workers * self.threads
        with connected(self.address, cpus=cpus) as cluster:
            _refuse_what_lacks(cluster, self.plan)
            size = self._size(cluster)
            yield from self._passes(size)
        if not self.is_complete():
            yield from self._alone()

    def _size(self, cluster: Cluster) -> int:
        room = cluster.places(self.threads)
        if not room:
            most = max(node.cpus for node in cluster.nodes)
            raise InputError(
                f"Each worker is to have {plural(self.threads, 'thread')}, but no machine of the cluster has more than "
                f"{plural(most, 'processor')}: give workers fewer threads."
            )
        return min(room, self.workers or room)

    def _passes(self, size: int) -> Iterator[BatchEvent]:
        """Hand out what is missing until nothing is, or what is left gets on no more."""
        config = checkpoint_of(self.plan)
        # What a checkpoint leaves out nobody looks into again: that its parts are whole is checked at the end.
        check = config is not None and is_there(config)
        chunks = np.arange(self.plan.chunks_count)
        fruitless = 0
        for _ in range(_PASSES_MAX):
            yield from _one_pass(self.plan, self.settings, self.threads, chunks, size, config)
            left = np.array([chunk.index for chunk in missing_chunks(self.plan, check=check)], np.int64)
            if config is not None:
                forget(config)
                config = None
            fruitless = fruitless + 1 if len(left) >= len(chunks) else 0
            if not len(left) or fruitless > _FRUITLESS_MAX:
                return
            if len(left) < len(chunks) or fruitless == 1:
                yield Note(f"{plural(len(left), 'part')} of workers that ended {_are(len(left))} counted again.")
            chunks = left

    def _alone(self) -> Iterator[BatchEvent]:
        """What ended its worker each time, by processes that find out which image it is."""
        left = sum(1 for _ in missing_chunks(self.plan, check=False))
        yield Note(
            f"{plural(left, 'part')} ended the workers again and again: {_are(left)} counted on this machine, to find "
            "the image that does it."
        )
        yield from BatchRun(self.plan, self.settings, workers=1).run()


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _refuse_what_lacks(cluster: Cluster, plan: Plan) -> None:
    """Stop where a machine of the cluster has no headcount, or does not see the folder of the results.

    Raises:
        InputError: one does.
    """
    remote: Any = ray.remote
    look = remote(num_cpus=0, max_retries=0)(seen_from_here)
    asked = {
        node: look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.node_id, soft=False)).remote(
            shared_place(plan), plan.fingerprint
        )
        for node in cluster.nodes
    }
    for node, answer in asked.items():
        try:
            lacking = ray.get(answer, timeout=_LOOK_S)
        except Exception as error:
            if "headcount" in str(error) and "ModuleNotFoundError" in str(error):
                raise InputError(
                    f"The node {node.name} has no headcount: install the same version of it on all machines."
                ) from error
            raise InputError(f"The node {node.name} does no work ({short(error)}): mend it or take it out.") from error
        if lacking is not None:
            raise lacking.error()


def shared_place(plan: Plan) -> str:
    """The batch's folder, as it is named from any folder of any machine."""
    folder, file_system = plan.store.parquet_source()
    return plan.store.place if file_system is not None else folder


def _one_pass(
    plan: Plan, settings: BatchSettings, threads: int, chunks: NDArray[np.int64], size: int, config: Any | None
) -> Iterator[BatchEvent]:
    """Hand out some chunks once."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    remote: Any = ray.remote  # its types know no options of actors
    desk = remote(num_cpus=0)(Desk).options(scheduling_strategy=here).remote()
    size = min(size, len(chunks))
    with data_context(config):
        arguments = (shared_place(plan), plan.fingerprint, settings, desk)
        work = _InBackground(lambda: hand_out(chunks, ChunkCounter, arguments, size=size, threads=threads))
        try:
            while True:
                is_alive = work.is_alive()
                told, failure = ray.get(desk.take.remote())
                yield from told
                if failure is not None:
                    work.join(_STOP_S)
                    raise failure.error()
                if not is_alive:
                    break
                work.join(_POLL_S)
            if work.error is not None:
                raise _gone(work.error)
        except ray.exceptions.RayError as error:
            raise _gone(error) from error
        finally:
            if work.is_alive():
                ray.get(desk.stop.remote())
                work.join(_STOP_S)
            ray.kill(desk)


def hand_out(chunks: NDArray[np.int64], worker: type, arguments: tuple[Any, ...], *, size: int, threads: int) -> None:
    """The tables of Ray Data: nothing but numbers of chunks goes from one machine to another.

    Args:
        chunks: (n,) int64.
        worker: the class that counts them, made once for each of ``size`` actors with ``arguments``.
    """
    numbers = ray.data.read_datasource(
        _Chunks(chunks),
        override_num_blocks=min(len(chunks), max(_TASKS_MIN, _TASKS_EACH * size)),
        concurrency=1,  # it is nothing but numbers: one process is enough, and more are slow to start
        ray_remote_args={"num_cpus": 0},
    )
    counted = numbers.map_batches(
        worker,
        fn_constructor_args=arguments,
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=2 if len(chunks) > 8 * size else 1),
        num_cpus=threads,
        max_task_retries=0,
        runtime_env={"env_vars": threads_environment(threads)},
    )
    done = _Done(at_once=max(1, len(chunks) // _WRITES))
    counted.write_datasink(done, concurrency=1, ray_remote_args={"num_cpus": 0})


def threads_environment(threads: int) -> dict[str, str]:
    """What a worker's libraries are told before they are loaded: the network's and OpenCV's hear it from us."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**dict.fromkeys(names, str(threads)), "RAY_USAGE_STATS_ENABLED": "0"}


def _gone(error: BaseException) -> HeadcountError:
    return InputError(
        f"The Ray cluster stopped counting ({short(error)}): what was counted is kept; start again to go on with it."
    )


class _InBackground(Thread):
    """A call by another thread, with the error that ended it."""

    def __init__(self, call: Any) -> None:
        super().__init__(daemon=True, name="ray-data")
        self._call = call
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of rows written twice by a sink that is no file: parts cannot be
                self._call()
        except BaseException as error:  # told by who waits
            self.error = error


@contextmanager
def data_context(config: Any | None) -> Iterator[None]:
    """How Ray Data behaves in a run; what it was is put back when the run is planned."""
    context = DataContext.get_current()
    before = context.enable_progress_bars, context.max_errored_blocks
    kept = getattr(context, "checkpoint_config", None)
    logger = logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    context.enable_progress_bars, context.max_errored_blocks = False, -1
    if config is not None:
        context.checkpoint_config = config
    try:
        yield
    finally:
        context.enable_progress_bars, context.max_errored_blocks = before
        if config is not None:
            context.checkpoint_config = kept
        logger.setLevel(level)


class _Chunks(Datasource):
    """Numbers of chunks, as a source of Ray Data that its checkpoint knows."""

    def __init__(self, chunks: NDArray[np.int64]) -> None:
        self._chunks = chunks

    def estimate_inmemory_data_size(self) -> int:
        return int(self._chunks.nbytes)

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        pieces: Sequence[NDArray[np.int64]] = np.array_split(self._chunks, max(1, min(parallelism, len(self._chunks))))
        return [ReadTask(_table_of(piece), _metadata(piece)) for piece in pieces]


def _metadata(chunks: NDArray[np.int64]) -> BlockMetadata:
    return BlockMetadata(num_rows=len(chunks), size_bytes=chunks.nbytes, input_files=None, exec_stats=None)


def _table_of(chunks: NDArray[np.int64]) -> Any:
    return lambda: [pa.table({"chunk": chunks})]


class _Done(Datasink[int]):
    """The end of the line: the rows are in their parts, and what comes here is which of them.

    Args:
        at_once: how many chunks are taken together: Ray may start a process for each time.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once

    @property
    def min_rows_per_write(self) -> int:
        return self._at_once

    def write(self, blocks: Iterable[pa.Table], ctx: Any) -> int:
        return sum(len(block) for block in blocks)
