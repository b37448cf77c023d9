"""All outputs together: the caller never waits, and one that fails holds up no other."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from headcount.core.errors import InputError, MissingExtraError
from headcount.video.history import History
from headcount.video.measurement import OutputStatus, Record
from headcount.video.outputs import Outputs
from headcount.video.outputs import lane as lane_module
from headcount.video.outputs import table as table_module
from headcount.video.outputs.hub import wanted
from headcount.video.outputs.spool import RECORDS, Spool, Waiting
from headcount.video.outputs.table import OUTPUTS, OutputRow, Picture
from headcount.video.site import OutputSettings, Site

from .records import alert, measured, site, status, wait_until


class Stranger:
    """An output of another package, that takes nothing until it is let."""

    name = "stranger"
    made: ClassVar[list[Any]] = []

    def __init__(self, settings: Any, of_site: Site, folder: Path) -> None:
        self.settings, self.taken, self.pictures = settings, list[Record](), list[Any]()
        self.go, self.is_closed = threading.Event(), False
        self.error: Exception | None = None
        self.made.append(self)

    def close(self) -> None:
        self.is_closed = True


class Slow(Stranger):
    """One that takes records as they come."""

    def take(self, record: Record, picture: Picture | None) -> None:
        self.go.wait(20)
        if self.error is not None:
            raise self.error
        self.taken.append(record)
        self.pictures.append(None if picture is None else picture())


class Keeping(Stranger):
    """One that loses nothing."""

    def wants(self, record: Record) -> bool:
        return record.kind != "output"

    def deliver(self, waiting: Sequence[Waiting]) -> int:
        self.go.wait(20)
        if self.error is not None:
            raise self.error
        self.taken += [one.record for one in waiting]
        return len(waiting)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Rows as of another package, and a site that asks for them."""
    Slow.made.clear()
    rows = {
        "slow": OutputRow(name="slow", target=f"{__name__}:Slow", pictures=True),
        "keeping": OutputRow(name="keeping", target=f"{__name__}:Keeping"),
    }
    own = {"slow": Slow, "keeping": Keeping}
    monkeypatch.setattr(OutputRow, "load", lambda row: own.get(row.name) or row.load_unchecked())
    monkeypatch.setattr(OUTPUTS, "_own", OUTPUTS._own | rows)
    return {"slow": {"depth": 3}, "keeping": None}


def test_nobody_is_told_where_nobody_is_named(tmp_path: Path) -> None:
    outputs = Outputs(site(), tmp_path)
    outputs.take(measured(1))
    assert [one.output for one in outputs.statuses()] == ["metrics"]
    outputs.close()
    assert list(tmp_path.iterdir()) == []


def test_the_caller_never_waits_and_what_is_too_much_is_counted(others: dict[str, Any], tmp_path: Path) -> None:
    told: list[OutputStatus] = []
    outputs = Outputs(site(others={"slow": others["slow"]}), tmp_path, changed=told.append)
    (slow,) = Slow.made
    assert slow.settings == {"depth": 3}
    begin = time.monotonic()
    for number in range(100):
        outputs.take(measured(number), lambda: np.zeros((2, 2, 3), np.uint8))
    assert time.monotonic() - begin < 2  # it takes nothing for 20 s
    state = next(one for one in outputs.statuses() if one.output == "slow")
    assert state.state == "failing"
    assert "faster than it takes them" in state.reason
    assert state.lost >= 100 - lane_module.MOST_PICTURES - 2
    slow.go.set()
    wait_until(lambda: [one.state for one in told if one.output == "slow"] == ["failing", "working"])
    outputs.close()
    frames = [record.frame for record in slow.taken if record.kind == "measurement"]
    assert frames == sorted(set(frames))
    assert 0 < len(frames) <= 100 - state.lost
    assert slow.pictures[0].shape == (2, 2, 3)
    assert slow.is_closed


def test_an_output_that_loses_nothing_has_them_all(others: dict[str, Any], tmp_path: Path) -> None:
    outputs = Outputs(site(others={"keeping": None}), tmp_path, retry_s=0.02)
    (keeping,) = Slow.made
    keeping.error = RuntimeError("not today")
    keeping.go.set()
    for number in range(500):
        outputs.take(measured(number))
    wait_until(lambda: any("not today" in one.reason for one in outputs.statuses()))
    keeping.error = None
    wait_until(lambda: len(keeping.taken) == 500)
    outputs.close()
    assert [record.frame for record in keeping.taken] == list(range(500))  # type: ignore[union-attr]


def test_one_that_fails_loses_its_own_records_alone(others: dict[str, Any], tmp_path: Path) -> None:
    outputs = Outputs(site(others={"slow": None}, jsonl="out.jsonl"), tmp_path, retry_s=0.02)
    (slow,) = Slow.made
    slow.error = ValueError("no such thing")
    slow.go.set()
    outputs.take(measured(1))
    assert outputs.settle()
    state = next(one for one in outputs.statuses() if one.output == "slow")
    assert (state.reason, state.lost) == ("It failed (ValueError: no such thing).", 1)
    outputs.close()
    assert '"frame":1' in (tmp_path / "out.jsonl").read_text()


def test_pictures_are_drawn_by_who_uses_them_alone(tmp_path: Path) -> None:
    outputs = Outputs(site(jsonl="out.jsonl"), tmp_path)

    def picture() -> Any:
        raise AssertionError("nobody needs it")

    outputs.take(measured(1), picture)
    assert outputs.settle()
    outputs.close()
    assert all(one.state == "working" for one in outputs.statuses())


def test_the_state_of_an_output_is_told_to_the_others_once(others: dict[str, Any], tmp_path: Path) -> None:
    outputs: Outputs
    told: list[OutputStatus] = []

    def changed(state: OutputStatus) -> None:
        told.append(state)
        outputs.take(state)  # as a caller might: it has been handed on already
        raise RuntimeError("whoever listens may fail")

    outputs = Outputs(site(others={"slow": None}, jsonl="out.jsonl"), tmp_path, changed=changed, retry_s=0.02)
    Slow.made[0].error = ValueError("no")
    Slow.made[0].go.set()
    outputs.take(measured(1))
    wait_until(lambda: "failing" in (tmp_path / "out.jsonl").read_text())
    outputs.close()
    assert (tmp_path / "out.jsonl").read_text().count('"state":"failing"') == 1
    assert len(told) == 1


def test_what_is_left_is_handed_over_at_the_end(others: dict[str, Any], tmp_path: Path) -> None:
    outputs = Outputs(site(others={"keeping": None}, jsonl="out.jsonl", csv="out.csv"), tmp_path)
    Slow.made[0].go.set()
    for number in range(200):
        outputs.take(measured(number))
    outputs.close(20)
    assert len(Slow.made[0].taken) == 200
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 200
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 801


def test_the_end_does_not_wait_for_a_receiver_that_hangs(others: dict[str, Any], tmp_path: Path) -> None:
    outputs = Outputs(site(others={"keeping": None}), tmp_path)
    for number in range(20):
        outputs.take(measured(number))
    begin = time.monotonic()
    outputs.close(0.3)
    assert time.monotonic() - begin < 10
    Slow.made[0].go.set()
    again = Outputs(site(others={"keeping": None}), tmp_path)
    Slow.made[1].go.set()
    wait_until(lambda: len(Slow.made[1].taken) == 20)
    again.close()


def test_several_cameras_at_once(others: dict[str, Any], tmp_path: Path) -> None:
    outputs = Outputs(site(others={"keeping": None}), tmp_path)
    Slow.made[0].go.set()
    threads = [
        threading.Thread(target=lambda c=camera: [outputs.take(measured(n, camera=c)) for n in range(300)])
        for camera in ("north", "south")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(Slow.made[0].taken) == 600)
    outputs.close()
    for camera in ("north", "south"):
        frames = [record.frame for record in Slow.made[0].taken if record.camera == camera]  # type: ignore[union-attr]
        assert frames == list(range(300))


def test_an_output_that_there_is_not_is_refused_with_the_nearest(others: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'brings an output "slaw"\. Did you mean "slow"'):
        Outputs(site(others={"slaw": {}}), tmp_path)
    with pytest.raises(InputError, match='No package that is installed brings an output "csv"'):
        Outputs(site(others={"csv": {}}), tmp_path)


def test_a_package_that_is_missing_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headcount.core.table.is_installed", lambda package: package != "sqlalchemy")
    with pytest.raises(MissingExtraError, match='A database needs the "video" extra'):
        Outputs(site(database={}), tmp_path)


LIGHT = """
import importlib.abc, sys
class Wall(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("sqlalchemy", "psycopg", "paho", "prometheus_client", "av", "shapely"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Wall())
from pathlib import Path
from headcount.core.errors import MissingExtraError
from headcount.video.outputs import Outputs
from headcount.video.site import Site
from headcount.video.measurement import CameraStatus
from datetime import UTC, datetime
def site(**outputs):
    cameras = [{"name": "north", "source": "n.mp4"}]
    return Site.model_validate({"name": "Fair", "cameras": cameras, "outputs": {"database": None, **outputs}})
outputs = Outputs(site(jsonl="out.jsonl", csv="out.csv", webhooks=[{"url": "http://127.0.0.1:1"}]), Path())
outputs.take(CameraStatus(camera="north", state="online", since=datetime.now(UTC)))
outputs.settle()
assert outputs.exposition() == ""
outputs.close(0.1)
for more in ({"database": {}}, {"mqtt": {"url": "mqtt://h"}}, {"metrics": "127.0.0.1:1"}):
    try:
        Outputs(site(**more), Path())
    except MissingExtraError as error:
        assert error.extra == "video"
    else:
        raise AssertionError(more)
"""


def test_files_and_webhooks_need_no_extra(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1


def test_where_one_is_refused_the_others_are_let_go(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("other,columns\n")
    asked = {"jsonl": "out.jsonl", "csv": "out.csv", "database": {"url": "sqlite:///kept.sqlite"}}
    with pytest.raises(InputError, match="holds other columns"):
        Outputs(site(**asked), tmp_path)
    (tmp_path / "out.csv").unlink()
    Outputs(site(**asked), tmp_path).close()


def test_a_spool_that_cannot_be_read_is_said_and_got_over(
    others: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = Outputs(site(others={"keeping": None}), tmp_path, retry_s=0.02)
    state = lambda: next(one for one in outputs.statuses() if one.output == "keeping")  # noqa: E731

    def refuse(spool: Spool, most: int) -> list[Waiting]:
        raise OSError(errno.EIO, "Input/output error")

    Slow.made[0].go.set()
    with monkeypatch.context() as patched:
        patched.setattr(Spool, "peek", refuse)
        outputs.take(measured(1))
        wait_until(lambda: state().state == "failing")
        assert "Input/output error" in state().reason
    wait_until(lambda: state().state == "working" and not state().waiting)
    outputs.close()
    assert state().lost == 0


def test_a_disk_that_is_really_full_is_said_and_all_is_there_once_it_has_room(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    asked = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)]
    if shutil.which("mount") is None or subprocess.run(asked, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        told: list[OutputStatus] = []
        asked_for = {"database": {"url": "sqlite:///kept.sqlite"}, "jsonl": "out.jsonl"}
        outputs = Outputs(site(**asked_for), small, changed=told.append, retry_s=0.05)
        outputs.take(measured(0))
        assert outputs.settle()
        with suppress(OSError), (small / "ballast").open("wb", buffering=0) as ballast:
            for _ in range(2000):
                ballast.write(b"x" * 4096)
        for number in range(1, 200):
            outputs.take(measured(number))
        wait_until(lambda: {one.output for one in told if one.state == "failing"} == {"database", "jsonl"})
        reasons = " ".join(one.reason for one in told)
        assert "No space left on device" in reasons or "disk is full" in reasons
        (small / "ballast").unlink()
        wait_until(lambda: all(one.state == "working" and not one.waiting for one in outputs.statuses()))
        assert outputs.settle()
        outputs.close()
        assert sum(one.lost for one in outputs.statuses()) == 0
        history = History("sqlite:///kept.sqlite", small)
        found = [point.people for point in history.measurements("north", measured(0).at, measured(900).at, most=900)]
        history.close()
        assert found == list(range(200))
        lines = (small / "out.jsonl").read_text(encoding="utf-8").splitlines()
        records = [record for record in map(RECORDS.validate_json, lines) if record.kind == "measurement"]
        assert [record.frame for record in records] == list(range(200))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_every_row_has_its_key_in_a_site_s_file() -> None:
    assert set(OUTPUTS) <= set(OutputSettings.model_fields)
    asked = OutputSettings.model_validate(
        {"csv": "a", "jsonl": "b", "video": "c", "mqtt": {"url": "mqtt://h"}, "metrics": "h:1",
         "webhooks": [{"url": "http://h"}, {"url": "http://i"}]}
    )  # fmt: skip
    names = [name for name, _, _ in wanted(asked)]
    assert names == ["database", "csv", "jsonl", "video", "mqtt", "webhook 1", "webhook 2", "metrics"]
    assert [name for name, _, _ in wanted(OutputSettings())] == ["database", "metrics"]


def test_the_same_receiver_with_another_password_is_sent_what_waits(tmp_path: Path) -> None:
    for word in ("old", "new"):
        outputs = Outputs(site(database={"url": f"postgresql://me:{word}@127.0.0.1:1/db"}), tmp_path)
        outputs.take(alert())
        outputs.take(status())
        assert outputs.settle()
        outputs.close(0.1)
    assert len(list((tmp_path / "headcount-spool").iterdir())) == 1
    outputs = Outputs(site(database={"url": "postgresql://me:x@127.0.0.1:2/db"}), tmp_path)
    outputs.close(0.1)
    assert len(list((tmp_path / "headcount-spool").iterdir())) == 2


def test_the_contract_names_what_an_output_has() -> None:
    assert isinstance(Slow(None, site(), Path()), table_module.DirectOutput)
    assert not isinstance(Slow(None, site(), Path()), table_module.SpooledOutput)
    assert isinstance(Keeping(None, site(), Path()), table_module.SpooledOutput)
