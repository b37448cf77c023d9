"""Counting on a Ray cluster of several nodes, whose workers and machines end in the midst of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from headcount.core.errors import InputError, ModelError
from headcount.core.notes import Note
from headcount.synth import paint_scene

pa = pytest.importorskip("pyarrow", reason="batches need the batch extra")
ray = pytest.importorskip("ray.data", reason="Ray needs the ray extra")
if sys.platform != "linux":
    pytest.skip("nodes of one machine have addresses of their own on Linux alone", allow_module_level=True)

from tests.infer.batch.ray_nodes import Nodes, nodes  # noqa: E402

from headcount.data.manifests.entries import Entry  # noqa: E402
from headcount.infer.batch.cluster import ray_run  # noqa: E402
from headcount.infer.batch.cluster.checkpoint import checkpoint_of, is_there  # noqa: E402
from headcount.infer.batch.counting import RowCounter  # noqa: E402
from headcount.infer.batch.parts import results  # noqa: E402
from headcount.infer.batch.plan import Plan, make_plan  # noqa: E402
from headcount.infer.batch.run import BatchRun, ChunkDone, EntryDone  # noqa: E402
from headcount.infer.batch.settings import BatchSettings  # noqa: E402
from headcount.infer.batch.store import open_store  # noqa: E402

pytestmark = pytest.mark.slow
_IMAGES = 24


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    with nodes(3) as made:
        yield made


@pytest.fixture(scope="module")
def large_photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Images that take their time, the fifth of which is damaged and the ninth of which is not there."""
    folder = tmp_path_factory.mktemp("large")
    paths = [folder / f"{number:02d}.jpg" for number in range(_IMAGES)]
    pictures = [paint_scene(seed, size_wh=(512, 384), count=20 + seed).pixels() for seed in range(4)]
    for number, path in enumerate(paths):
        Image.fromarray(pictures[number % 4]).save(path, quality=70 + number % 25)
    paths[4].write_bytes(paths[4].read_bytes()[:200])
    paths[8].unlink()
    return paths


def planned(folder: Path, counter: RowCounter, photos: list[Path], *, chunk: int = 2) -> Plan:
    return make_plan(open_store(folder), counter.described, [Entry(str(path)) for path in photos], chunk=chunk)


@pytest.fixture(scope="module")
def wanted(
    tmp_path_factory: pytest.TempPathFactory, settings: BatchSettings, counter: RowCounter, large_photos: list[Path]
) -> pa.Table:
    """What a plain process gives."""
    plan = planned(tmp_path_factory.mktemp("plain"), counter, large_photos, chunk=16)
    for _ in BatchRun(plan, settings).run():
        pass
    return rows_of(plan)


def rows_of(plan: Plan) -> pa.Table:
    return results(plan.store.place).to_table().drop_columns("seconds")


def parts_of(plan: Plan) -> list[str]:
    return sorted(path.name for path in (Path(plan.store.place) / "parts").iterdir())


def all_parts(plan: Plan) -> list[str]:
    return [chunk.name.rpartition("/")[2] for chunk in plan.chunks()]


def test_the_table_is_that_of_plain_processes(
    cluster: Nodes, tmp_path: Path, settings: BatchSettings, counter: RowCounter, large_photos: list[Path],
    wanted: pa.Table,
) -> None:  # fmt: skip
    plan = planned(tmp_path / "out", counter, large_photos)
    run = ray_run(plan, settings, address=cluster.address)
    assert (run.expected(), run.is_complete()) == (_IMAGES, False)
    events = list(run.run())
    assert rows_of(plan).equals(wanted)
    assert [row["number"] for row in wanted.to_pylist() if row["error"]] == [4, 8]
    assert sorted(event.number for event in events if isinstance(event, EntryDone)) == list(range(_IMAGES))
    assert sum(event.counted for event in events if isinstance(event, ChunkDone)) == _IMAGES - 2
    assert not [event for event in events if isinstance(event, Note)]
    assert parts_of(plan) == all_parts(plan)
    assert run.is_complete()
    assert not is_there(checkpoint_of(plan))
    assert list(ray_run(plan, settings, address=cluster.address).run()) == []


def test_a_worker_that_is_killed_costs_no_row(
    cluster: Nodes, tmp_path: Path, settings: BatchSettings, counter: RowCounter, large_photos: list[Path],
    wanted: pa.Table,
) -> None:  # fmt: skip
    plan = planned(tmp_path / "out", counter, large_photos, chunk=4)
    killed = False
    for event in ray_run(plan, settings, address=cluster.address, workers=1).run():
        if isinstance(event, ChunkDone) and not killed:
            killed = cluster.kill_worker()
    assert killed
    assert rows_of(plan).equals(wanted)
    assert parts_of(plan) == all_parts(plan)


@pytest.mark.long
def test_a_node_that_is_killed_costs_no_row(
    cluster: Nodes, tmp_path: Path, settings: BatchSettings, counter: RowCounter, large_photos: list[Path],
    wanted: pa.Table,
) -> None:  # fmt: skip
    plan = planned(tmp_path / "out", counter, large_photos, chunk=4)
    killed = False
    try:
        for event in ray_run(plan, settings, address=cluster.address, workers=2).run():
            if isinstance(event, ChunkDone) and not killed:
                killed = cluster.kill_counting()
    finally:
        if killed:
            cluster.add()
    assert killed
    assert rows_of(plan).equals(wanted)
    assert parts_of(plan) == all_parts(plan)


@pytest.mark.long
def test_a_driver_that_is_killed_goes_on_where_it_was(
    cluster: Nodes, tmp_path: Path, settings: BatchSettings, counter: RowCounter, large_photos: list[Path],
    wanted: pa.Table,
) -> None:  # fmt: skip
    plan = planned(tmp_path / "out", counter, large_photos, chunk=2)
    command = [sys.executable, "-c", _DRIVER, plan.store.place, cluster.address]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert waited_for(lambda: len(done_in(plan)) >= 2 or driver.poll() is not None)
        assert driver.poll() is None
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    assert waited_for(lambda: not cluster.worker_processes())
    before = {name: (Path(plan.store.place) / "parts" / name).stat().st_mtime_ns for name in done_in(plan)}
    assert 2 <= len(before) < plan.chunks_count
    events = list(ray_run(plan, settings, address=cluster.address, workers=1).run())
    assert rows_of(plan).equals(wanted)
    assert len([event for event in events if isinstance(event, ChunkDone)]) == plan.chunks_count - len(before)
    after = {name: (Path(plan.store.place) / "parts" / name).stat().st_mtime_ns for name in before}
    assert after == before


_DRIVER = """
import sys
from headcount.infer.batch.cluster import ray_run
from headcount.infer.batch.plan import read_plan
from headcount.infer.batch.settings import BatchSettings
from headcount.infer.batch.store import open_store
settings = BatchSettings(model="headcount-n", precision="f32", threads=1)
for _ in ray_run(read_plan(open_store(sys.argv[1])), settings, address=sys.argv[2], workers=1).run():
    pass
"""


def done_in(plan: Plan) -> list[str]:
    folder = Path(plan.store.place) / "parts"
    return [path.name for path in folder.glob("part-*.parquet")] if folder.is_dir() else []


def waited_for(is_so: Any, seconds: float = 240.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.long
def test_a_part_that_was_lost_is_counted_whatever_a_checkpoint_says(
    cluster: Nodes, tmp_path: Path, settings: BatchSettings, counter: RowCounter, large_photos: list[Path],
    wanted: pa.Table,
) -> None:  # fmt: skip
    import pyarrow.parquet as pq

    plan = planned(tmp_path / "out", counter, large_photos, chunk=4)
    config = checkpoint_of(plan)
    assert config is not None
    Path(config.checkpoint_path).mkdir(parents=True)
    pq.write_table(pa.table({"chunk": [0, 1]}), Path(config.checkpoint_path) / "done.parquet")
    list(ray_run(plan, settings, address=cluster.address, workers=1).run())
    assert rows_of(plan).equals(wanted)


@pytest.mark.long
def test_a_node_with_other_weights_refuses(
    cluster: Nodes, tmp_path: Path, settings: BatchSettings, counter: RowCounter, large_photos: list[Path]
) -> None:
    described = {**counter.described, "weights": "0" * 64}
    plan = make_plan(open_store(tmp_path / "out"), described, [Entry(str(path)) for path in large_photos[:4]])
    with pytest.raises(ModelError, match=r"On the node .* have the same model") as caught:
        list(ray_run(plan, settings, address=cluster.address, workers=1).run())
    assert str(caught.value).count("\n") == 0
    assert done_in(plan) == []


def test_a_folder_that_nodes_do_not_see_is_refused(
    cluster: Nodes, tmp_path: Path, settings: BatchSettings, counter: RowCounter, large_photos: list[Path]
) -> None:
    plan = planned(tmp_path / "out", counter, large_photos[:2])
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"On the node .*is not to be seen from there: name one that all machines"):
        list(ray_run(plan, settings, address=cluster.address).run())


def test_workers_that_find_no_room_are_refused(
    cluster: Nodes, tmp_path: Path, settings: BatchSettings, counter: RowCounter, large_photos: list[Path]
) -> None:
    plan = planned(tmp_path / "out", counter, large_photos[:2])
    with pytest.raises(InputError, match=r"Each worker is to have 7 threads, but no machine .* than 1 processor"):
        list(ray_run(plan, replace(settings, threads=7), address=cluster.address).run())


def test_workers_have_the_threads_they_are_given(cluster: Nodes) -> None:
    from headcount.infer.batch.cluster.run import threads_environment

    def look() -> tuple[str | None, str | None]:
        return os.environ.get("OMP_NUM_THREADS"), os.environ.get("RAY_USAGE_STATS_ENABLED")

    import ray as whole

    asked = whole.remote(num_cpus=1, runtime_env={"env_vars": threads_environment(3)})(look)
    assert whole.get(asked.remote(), timeout=240) == ("3", "0")


def test_nothing_is_told_to_who_makes_ray(cluster: Nodes) -> None:
    from ray._common.usage import usage_lib

    assert not usage_lib.usage_stats_enabled()
