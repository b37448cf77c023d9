"""`python -m benchmarks.cluster`: images/s on Ray and by as many plain processes, and what a task costs in itself.

Both count the same painted photographs of 1024×768 with headcount-n, each worker with one thread. A rate is that
between the first and the last image: starting Ray and opening the model are told beside it, in seconds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
from PIL import Image

from headcount.core.threads import usable_cores
from headcount.data.manifests.entries import Entry
from headcount.infer.batch.cluster import ray_run, require_ray
from headcount.infer.batch.plan import Plan, make_plan
from headcount.infer.batch.run import BatchRun, EntryDone
from headcount.infer.batch.settings import BatchSettings
from headcount.infer.batch.store import open_store
from headcount.synth import paint_scene

_SIZE_WH = (1024, 768)
_KINDS = 8


class Nothing:
    """A worker that does nothing."""

    def __call__(self, chunks: pa.Table) -> pa.Table:
        return chunks


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=400)
    arguments.add_argument("--tasks", type=int, default=2000)
    arguments.add_argument("--workers", type=int, default=usable_cores())
    arguments.add_argument("--ray", default="local", help="local, auto or HOST:PORT")
    given = arguments.parse_args()
    require_ray()
    with tempfile.TemporaryDirectory() as place:
        photos = _photos(Path(place), given.images)
        _rates(Path(place), photos, given.workers, given.ray)
    _overhead(given.tasks, given.workers, given.ray)


def _photos(folder: Path, number: int) -> list[Entry]:
    paths = [folder / f"{index:05d}.jpg" for index in range(number)]
    for index, path in enumerate(paths):
        if index < _KINDS:
            Image.fromarray(paint_scene(index, size_wh=_SIZE_WH, count=150).pixels()).save(path, quality=92)
        else:
            path.hardlink_to(paths[index % _KINDS])
    return [Entry(str(path)) for path in paths]


def _rates(folder: Path, photos: list[Entry], workers: int, address: str) -> None:
    settings = BatchSettings(model="headcount-n", threads=1)
    described = settings.described(settings.open())
    for name in ("plain processes", "Ray"):
        plan = make_plan(open_store(folder / name), described, photos, chunk=16)
        rate, start = _rate(plan, settings, workers, address if name == "Ray" else None)
        print(f"{name}, {workers} workers: {rate:.1f} images/s, the first after {start:.1f} s", flush=True)


def _rate(plan: Plan, settings: BatchSettings, workers: int, address: str | None) -> tuple[float, float]:
    """Images/s between the first and the last, and seconds until the first."""
    each = BatchSettings(model=settings.model, threads=workers)  # of plain processes: of all together
    run = BatchRun(plan, each, workers=workers) if address is None else ray_run(
        plan, settings, address=address, workers=workers
    )  # fmt: skip
    started = perf_counter()
    times = [perf_counter() for event in run.run() if isinstance(event, EntryDone)]
    assert run.is_complete()
    return (len(times) - 1) / (times[-1] - times[0]), times[0] - started


def _overhead(tasks: int, workers: int, address: str) -> None:
    """Half the tasks, then all of them: what is the same in both is no cost of a task."""
    from headcount.infer.batch.cluster import run
    from headcount.infer.batch.cluster.connection import connected

    run._TASKS_MIN = tasks  # one task a chunk
    with connected(address, cpus=workers), run.data_context(None):
        seconds = []
        for number in (tasks // 10, tasks // 2, tasks):  # the first one has Ray start its processes
            started = perf_counter()
            run.hand_out(np.arange(number), Nothing, (), size=workers, threads=1)
            seconds.append(perf_counter() - started)
    each = (seconds[2] - seconds[1]) / (tasks - tasks // 2)
    print(f"a task that does nothing: {1e3 * each:.1f} ms, of {tasks}")


if __name__ == "__main__":
    main()
