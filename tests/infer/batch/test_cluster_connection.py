"""The way to a cluster: what cannot be one is said at once, in a sentence."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from headcount.core.errors import HeadcountError, InputError, MissingExtraError, ModelError
from headcount.infer.batch import cluster as module

pytest.importorskip("pyarrow", reason="batches need the batch extra")
pytest.importorskip("ray", reason="Ray needs the ray extra")

from headcount.data.manifests.entries import Entry
from headcount.infer.batch.cluster import ray_run
from headcount.infer.batch.cluster.connection import Cluster, Node, _ray_in_the_log, connected, quiet_environment, short
from headcount.infer.batch.cluster.workers import Desk, NodeFailure, failure_of, seen_from_here
from headcount.infer.batch.counting import RowCounter
from headcount.infer.batch.plan import make_plan
from headcount.infer.batch.settings import BatchSettings
from headcount.infer.batch.store import open_store


def refused(address: str) -> str:
    with pytest.raises(InputError) as caught, connected(address):
        raise AssertionError("it is connected")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_address_that_is_none_is_refused() -> None:
    for address in ("somewhere", "host:", "host:99999", ":6379", "host:6379/x"):
        assert "expected local, auto or HOST:PORT" in refused(address)
    assert "HOST:PORT of its head" in refused("ray://127.0.0.1:10001")


def test_an_address_where_nobody_answers_is_refused_at_once() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    assert f'No Ray cluster answers at "127.0.0.1:{port}"' in refused(f"127.0.0.1:{port}")


def test_a_cluster_has_room_for_so_many_workers() -> None:
    found = Cluster("It", (Node("a", "a", 8), Node("b", "b", 3), Node("c", "c", 1)))
    assert [found.places(threads) for threads in (1, 2, 4, 9)] == [12, 5, 2, 0]


def test_no_statistics_are_sent_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    quiet_environment()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_ray_is_told_so_before_it_is_imported() -> None:
    code = (
        "import os, sys\n"
        "from headcount.infer.batch.cluster import require_ray\n"
        "require_ray()\n"
        "assert 'ray' not in sys.modules\n"
        "import headcount.infer.batch.cluster.run\n"
        "from ray._common.usage import usage_lib\n"
        "assert not usage_lib.usage_stats_enabled()\n"
    )
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=300)


@pytest.mark.skipif(sys.platform != "linux", reason="what a process listens on is looked up in /proc")
@pytest.mark.slow
def test_a_ray_of_its_own_listens_on_the_loopback_alone_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    psutil = pytest.importorskip("psutil")
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    others = {one.pid for one in psutil.Process().children(recursive=True)}  # of tests before this one
    with connected("local", cpus=1) as cluster:
        assert [node.name.endswith("(127.0.0.1)") for node in cluster.nodes] == [True]
        assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
        started = [one for one in psutil.Process().children(recursive=True) if one.pid not in others]
        doors = [door for one in started for door in one.net_connections(kind="inet") if door.status == "LISTEN"]
        folder = next(Path(word.split("=")[1]) for one in started for word in one.cmdline() if "--log_dir=" in word)
        assert folder.is_dir()
    assert doors
    assert {door.laddr.ip.removeprefix("::ffff:") for door in doors} == {"127.0.0.1"}
    assert not psutil.wait_procs(started, timeout=60)[1]
    assert not folder.parents[1].exists()
    assert list(tmp_path.iterdir()) == []
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_what_ray_says_of_machines_that_ended_is_not_among_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    import ray._private.worker as worker

    before = worker.print_to_stdstream
    with _ray_in_the_log():
        worker.print_to_stdstream({"lines": ["The node has been marked dead"], "pid": "raylet", "is_err": False}, False)
    assert worker.print_to_stdstream is before
    assert capsys.readouterr() == ("", "")


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_installed", lambda package: package != "ray")
    with pytest.raises(MissingExtraError, match='Counting on Ray needs the "ray" extra'):
        module.require_ray()


def test_fewer_than_one_worker_is_refused(
    tmp_path: Path, settings: BatchSettings, counter: RowCounter, entries: list[Entry]
) -> None:
    plan = make_plan(open_store(tmp_path / "out"), counter.described, entries)
    with pytest.raises(InputError, match="number of workers must be a whole number from 1, but 0"):
        ray_run(plan, settings, workers=0)


def test_a_place_that_holds_no_plan_or_another_is_told(
    tmp_path: Path, counter: RowCounter, entries: list[Entry]
) -> None:
    plan = make_plan(open_store(tmp_path / "out"), counter.described, entries)
    assert seen_from_here(str(tmp_path / "out"), plan.fingerprint) is None
    for place, fingerprint in ((str(tmp_path / "no"), plan.fingerprint), (str(tmp_path / "out"), "0" * 16)):
        lacking = seen_from_here(place, fingerprint)
        assert lacking is not None
        error = lacking.error()
        assert isinstance(error, InputError)
        assert f'The folder of the results, "{place}", is not to be seen from there' in str(error)


def test_an_error_comes_from_its_node_as_what_it_is() -> None:
    for error, kind in (
        (ModelError("No weights."), ModelError), (InputError("No.", remedy="device"), InputError),
        (OSError(28, "No space left on device"), InputError),
    ):  # fmt: skip
        found = failure_of(error, "red (10.0.0.1)").error()
        assert type(found) is kind
        assert str(found).startswith("On the node red (10.0.0.1): No")
    assert not isinstance(failure_of(KeyError("x"), "red").error(), HeadcountError)


def test_a_desk_keeps_the_first_error_and_says_to_stop() -> None:
    desk = Desk()
    assert not desk.tell([])
    desk.fail(NodeFailure("input", "one"))
    desk.fail(NodeFailure("model", "two"))
    assert desk.tell([])
    assert desk.take() == ([], NodeFailure("input", "one"))


def test_of_a_long_error_the_first_line_is_told() -> None:
    assert short(RuntimeError("\nIt is gone.\n  File x\n")) == "It is gone"
    assert short(KeyError()) == "KeyError"
