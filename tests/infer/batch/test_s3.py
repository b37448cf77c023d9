"""A bucket on a real server of this machine: images from it, and the table into it."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
s3fs = pytest.importorskip("s3fs", reason="tests of buckets need s3fs")
moto = pytest.importorskip("moto.server", reason="tests of buckets need moto")

from headcount.core.errors import InputError  # noqa: E402
from headcount.data.manifests.entries import Entry  # noqa: E402
from headcount.data.manifests.table import read_manifests  # noqa: E402
from headcount.infer.batch.counting import RowCounter  # noqa: E402
from headcount.infer.batch.parts import results, write_part  # noqa: E402
from headcount.infer.batch.plan import make_plan, read_plan  # noqa: E402
from headcount.infer.batch.store import open_store  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture
def bucket(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        urllib.request.urlopen(f"http://{host}:{port}/moto-api/reset", data=b"").close()
        fs = s3fs.S3FileSystem()
        fs.mkdir("crowds")
        for path in photos:
            if path.exists():
                fs.pipe_file(f"crowds/in/{path.name}", path.read_bytes())
        yield fs
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()


def test_images_of_a_bucket_give_the_rows_of_the_same_files(
    bucket: Any, counter: RowCounter, photos: list[Path], tmp_path: Path
) -> None:
    there = [path for path in photos if path.exists()]
    local = counter(pa.table({"number": range(len(there)), "address": list(map(str, there))}))
    plan = make_plan(open_store("s3://crowds/out/"), counter.described, read_manifests(["s3://crowds/in/"]), chunk=4)
    for chunk in plan.chunks():
        write_part(plan.store, chunk, counter(plan.entries(chunk)))
    rows = results("s3://crowds/out/").to_table()
    for name in ("number", "sha256", "bytes", "width", "height", "count", "low", "high", "points", "boxes"):
        assert rows[name].combine_chunks() == local[name].combine_chunks(), name
    assert rows["address"].to_pylist() == [f"s3://crowds/in/{path.name}" for path in there]
    assert [error is None for error in rows["error"].to_pylist()] == [path.name != "04.jpg" for path in there]


def test_of_several_machines_one_makes_the_plan_in_a_bucket(bucket: Any, counter: RowCounter) -> None:
    gate, plans = threading.Barrier(4), []

    def make(number: int) -> None:
        gate.wait()
        entries = [Entry(f"s3://crowds/in/{name}.jpg") for name in (*range(20), f"own-{number}")]
        plans.append(make_plan(open_store("s3://crowds/out/"), counter.described, entries, chunk=16))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(plans) == 4
    plan = read_plan(open_store("s3://crowds/out/"))
    assert plan is not None
    assert plan.entries_count == 24
    numbers = [number for chunk in plan.chunks() for number in plan.entries(chunk)["number"].to_pylist()]
    assert numbers == list(range(24))


def test_a_bucket_that_is_not_there_is_told(bucket: Any, counter: RowCounter) -> None:
    with pytest.raises(InputError, match="no-such-bucket/out"):
        make_plan(open_store("s3://no-such-bucket/out/"), counter.described, [Entry("/a.jpg")])
    (row,) = counter(pa.table({"number": [0], "address": ["s3://crowds/in/none.jpg"]})).to_pylist()
    assert row["error"] == 'There is no file "s3://crowds/in/none.jpg": check the path.'
