"""The database: SQLite and a real PostgreSQL, which is stopped in the middle of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from headcount.core.errors import InputError
from headcount.video.measurement import Amount, OutputStatus, Record
from headcount.video.outputs import Outputs
from headcount.video.outputs import database as database_module
from headcount.video.outputs.database import LEFT_OPEN, Database
from headcount.video.outputs.schema import METADATA, alerts, measurements, open_engine, schema_version, states, zones
from headcount.video.outputs.schema import lines as lines_table
from headcount.video.outputs.spool import Waiting
from headcount.video.outputs.table import OutputDownError, RefusedRecordError
from headcount.video.site import DatabaseSettings

from .receivers import Postgres, free_port
from .records import BEGIN, alert, measured, site, status, wait_until


def database(url: str, folder: Path = Path(), **more: Any) -> Database:
    return Database(DatabaseSettings(url=url, **more), site(), folder)


def waiting(*records: Record, run: str = "run", first: int = 1) -> list[Waiting]:
    return [Waiting(f"{run}-{number}", record) for number, record in enumerate(records, start=first)]


def rows(url: str, table: sa.Table, folder: Path = Path()) -> list[Any]:
    engine = open_engine(url, folder)
    with engine.connect() as connection:
        found = connection.execute(sa.select(table).order_by(*list(table.c)[:2])).mappings().all()
    engine.dispose()
    return list(found)


def test_a_frame_is_a_row_with_its_zones_and_lines(url: str) -> None:
    with_output = database(url)
    record = measured(40, warnings=("It is dark.",))
    assert with_output.deliver(waiting(record)) == 1
    with_output.close()
    (row,) = rows(url, measurements)
    assert (row["record_id"], row["site"], row["camera"], row["frame"]) == ("run-1", "Fair", "north", 40)
    assert row["at"] == record.at
    assert row["at"].tzinfo is not None
    assert (row["width"], row["height"], row["model"], row["skipped"]) == (1280, 720, "headcount-s", 3)
    assert (row["people"], row["people_low"], row["people_high"], row["level"]) == (40, 38, 43, 0.9)
    assert row["warnings"] == '["It is dark."]'
    gate, stage = rows(url, zones)
    assert (gate["name"], gate["density"], gate["density_low"], gate["fullest"]) == ("Main gate", 1.0, 0.5, 4.0)
    assert (gate["area_m2"], gate["fullest_x_m"], gate["fullest_y_m"], gate["trend_per_min"]) == (20, 1.5, 2.5, 1.25)
    assert (stage["density"], stage["refused"]) == (None, '{"density": "It needs a calibration."}')
    assert (gate["trend_per_min_low"], gate["trend_per_min_high"]) == (-0.5, 3.0)
    (door,) = rows(url, lines_table)
    assert (door["name"], door["forward"], door["forward_per_min"], door["flow_per_m_min"]) == ("door", 40, 3.0, None)
    assert (door["forward_per_min_low"], door["forward_per_min_high"], door["level"]) == (2.0, 43.0, 0.8)
    assert (door["backward_per_min"], door["backward_per_min_low"]) == (1.0, None)


def test_a_record_that_is_handed_over_again_is_written_once(url: str) -> None:
    with_output = database(url)
    batch = waiting(measured(1), status(), alert(), alert("cleared", second=60))
    for _ in range(3):
        assert with_output.deliver(batch) == 4
    assert with_output.deliver([*batch, *waiting(measured(2), first=5)]) == 5
    with_output.close()
    assert [row["frame"] for row in rows(url, measurements)] == [1, 2]
    assert len(rows(url, zones)) == 4
    assert len(rows(url, states)) == len(rows(url, alerts)) == 1


def test_an_alert_is_one_row_from_raised_to_cleared(url: str) -> None:
    with_output = database(url)
    with_output.deliver(waiting(alert()))
    (row,) = rows(url, alerts)
    assert (row["raised_at"], row["cleared_at"], row["value"], row["peak"]) == (BEGIN, None, 2.5, 2.5)
    with_output.deliver(waiting(alert("cleared", second=60), first=2))
    with_output.close()
    (row,) = rows(url, alerts)
    assert (row["raised_at"], row["cleared_at"]) == (BEGIN, BEGIN + timedelta(seconds=60))
    assert (row["value"], row["peak"], row["reason"]) == (2.5, 3.5, "It stayed below 1.7 for 30 s.")


def test_an_alert_that_an_earlier_run_left_open_is_cleared_by_the_next_one(url: str) -> None:
    first = database(url)
    first.deliver(waiting(alert(name="left"), alert(name="over"), run="one"))
    first.close()
    again = database(url)  # what the first run left on the disk comes first, and clears only what it says
    again.deliver(waiting(alert("cleared", "over", second=9), run="one", first=3))
    assert [row["cleared_at"] for row in rows(url, alerts)] == [None, BEGIN + timedelta(seconds=9)]
    again.deliver(waiting(status(second=20), alert(name="new", second=30), run="two"))
    again.close()
    found = {row["id"]: row for row in rows(url, alerts)}
    assert found["left"]["cleared_at"] == BEGIN + timedelta(seconds=20)
    assert found["left"]["reason"] == LEFT_OPEN
    assert found["new"]["cleared_at"] is None
    assert found["over"]["reason"] != LEFT_OPEN


def test_states_of_cameras_and_outputs_share_a_table(url: str) -> None:
    with_output = database(url)
    failing = OutputStatus(output="mqtt", state="failing", since=BEGIN, reason="It is down.", waiting=3, lost=1)
    with_output.deliver(waiting(status("offline", frames=9, reconnects=2, damaged=5), failing))
    with_output.close()
    camera, output = rows(url, states)
    assert (camera["kind"], camera["name"], camera["state"], camera["frames"]) == ("camera", "north", "offline", 9)
    assert (camera["damaged"], output["damaged"]) == (5, None)
    assert (output["kind"], output["name"], output["waiting"], output["lost"]) == ("output", "mqtt", 3, 1)


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    with_output = database(url)
    with with_output.engine.begin() as connection:
        connection.execute(schema_version.update().values(version=99))
    with_output.close()
    with pytest.raises(InputError, match="has tables of version 99, but this headcount knows 1: use a newer headcount"):
        database(url)


def test_what_is_older_than_it_is_to_be_kept_is_deleted_in_steps(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "_OLD_ROWS", 2)
    now = datetime.now(UTC)
    old = [measured(n, at=now - timedelta(days=9, seconds=n)) for n in range(5)]
    new = [measured(10 + n, at=now - timedelta(days=1)) for n in range(2)]
    keeps_all = database(url)
    keeps_all.deliver(waiting(*old, *new, alert(name="closed"), alert("cleared", "closed"), alert(name="open")))
    assert len(rows(url, measurements)) == 7
    keeps_all.close()
    keeps_week = database(url, keep_days=7)
    keeps_week.deliver(waiting(measured(20, at=now), first=100))
    keeps_week.close()
    assert [row["frame"] for row in rows(url, measurements)] == [10, 11, 20]
    assert len(rows(url, zones)) == 6
    assert [row["id"] for row in rows(url, alerts)] == ["open"]


def test_a_clock_that_jumps_ahead_makes_nothing_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    url = "sqlite:///kept.sqlite"
    made = database(url, tmp_path, keep_days=7)

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return now + timedelta(days=3650)

    monkeypatch.setattr(database_module, "datetime", Ahead)
    made.deliver(waiting(measured(1, at=now), measured(2, at=now + timedelta(days=3650))))
    made.close()
    assert [row["frame"] for row in rows(url, measurements, tmp_path)] == [1, 2]


def test_a_clock_that_is_wrong_at_the_start_deletes_nothing_until_it_had_time_to_be_set(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    before = database(url)
    before.deliver(waiting(*[measured(n, at=now - timedelta(days=n)) for n in range(3)]))
    before.close()

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return now + timedelta(days=3650)

    monkeypatch.setattr(database_module, "datetime", Ahead)
    made = database(url, keep_days=7)
    made.deliver(waiting(measured(9, at=now + timedelta(days=3650)), first=10))
    assert [row["frame"] for row in rows(url, measurements)] == [0, 1, 2, 9]
    begin = time.monotonic()
    monkeypatch.setattr(database_module.time, "monotonic", lambda: begin + 3601)
    made.deliver(waiting(measured(10, at=now + timedelta(days=3650)), first=11))
    made.close()
    assert [row["frame"] for row in rows(url, measurements)] == [9, 10]  # that late, it is the time


def test_tables_that_somebody_deletes_are_made_again(url: str) -> None:
    made = database(url)
    made.deliver(waiting(measured(1)))
    with made.engine.begin() as connection:
        METADATA.drop_all(connection)
    with pytest.raises(OutputDownError, match="cannot be used now"):
        made.deliver(waiting(measured(2), first=2))
    assert made.deliver(waiting(measured(2), first=2)) == 1
    made.close()
    assert [row["frame"] for row in rows(url, measurements)] == [2]


def test_a_file_that_somebody_deletes_is_made_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kept.sqlite"
    made = database(url)
    made.deliver(waiting(measured(1)))
    (tmp_path / "kept.sqlite").unlink()
    made.deliver(waiting(measured(2), first=2))
    assert [row["frame"] for row in rows(url, measurements)] == [2]
    made.close()


def test_what_cannot_be_deleted_now_is_said_and_loses_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = database(url, keep_days=7)

    def fail(before: datetime) -> bool:
        raise sa.exc.OperationalError("DELETE", {}, Exception("it takes too long"))

    monkeypatch.setattr(made, "_delete_some", fail)
    with pytest.raises(OutputDownError, match=r"cannot be used now \(it takes too long\)"):
        made.deliver(waiting(measured(1)))
    assert made.deliver(waiting(measured(1), measured(2))) == 2
    made.close()
    assert [row["frame"] for row in rows(url, measurements)] == [1, 2]


def test_a_record_that_is_refused_holds_up_no_other(postgres: Postgres) -> None:
    with_output = database(postgres.url)
    bad = measured(2, model="a\0b")
    batch = waiting(measured(1), bad, measured(3))
    assert with_output.deliver(batch) == 1
    with pytest.raises(RefusedRecordError, match="The database refuses a record"):
        with_output.deliver(batch[1:])
    assert with_output.deliver(batch[2:]) == 1
    with_output.close()
    assert [row["frame"] for row in rows(postgres.url, measurements)] == [1, 3]


def test_the_last_hour_of_a_camera_is_found_by_an_index(url: str) -> None:
    with_output = database(url)
    with_output.deliver(waiting(*[measured(n) for n in range(50)]))
    kind = with_output.engine.dialect.name
    asked = "SELECT people FROM measurements WHERE camera = 'north' AND at > '2026-05-01 20:00:10'"
    with with_output.engine.connect() as connection:
        if kind == "postgresql":
            connection.execute(sa.text("SET enable_seqscan = off"))
        explain = "EXPLAIN" if kind == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = str(connection.execute(sa.text(f"{explain} {asked}")).all())
    with_output.close()
    assert "measurements_camera_at" in plan


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mysql://u:secret@host/db", 'A database "mysql" cannot be used: sqlite:///FILE or postgresql://'),
        ("nonsense", "is no address of a database"),
        ("sqlite://", "A database in memory keeps nothing"),
        ("sqlite:///missing/kept.sqlite", 'There is no folder ".*missing" to write to'),
        ("sqlite:///.", "is a folder: name a file in it"),
        ("postgresql://u:${NO_SUCH_NAME}@host/db", "takes \\${NO_SUCH_NAME} from the environment, which has no such"),
    ],
)
def test_an_address_of_no_use_is_refused_without_its_password(url: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        database(url, tmp_path)
    assert "secret" not in str(caught.value)


def test_a_relative_file_is_below_the_folder(tmp_path: Path) -> None:
    database("sqlite:///kept.sqlite", tmp_path).close()
    assert (tmp_path / "kept.sqlite").is_file()


def test_a_password_comes_from_the_environment(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCH_PASSWORD", "p@ss/word")
    made = database(postgres.url.replace("hidden-word", "${WATCH_PASSWORD}"))
    assert made.engine.url.password == "p@ss/word"
    assert made.deliver(waiting(measured(1))) == 1
    made.close()


def test_while_it_is_down_records_wait_and_all_are_there_once_it_is_back(postgres: Postgres, tmp_path: Path) -> None:
    told: list[OutputStatus] = []
    outputs = Outputs(site(database={"url": postgres.url}), tmp_path, changed=told.append, retry_s=0.05)
    number = 0

    def take(times: int) -> None:
        nonlocal number
        for _ in range(times):
            outputs.take(measured(number))
            number += 1

    take(50)
    wait_until(lambda: len(rows(postgres.url, measurements)) > 0)
    take(300)  # in the middle of these
    postgres.stop()
    try:
        take(200)
        wait_until(lambda: [one.state for one in told if one.output == "database"] == ["failing"])
        assert outputs.settle()
        assert 200 <= next(one for one in outputs.statuses() if one.output == "database").waiting <= 550
    finally:
        postgres.start()
    wait_until(lambda: [one.state for one in told if one.output == "database"] == ["failing", "working"])
    wait_until(lambda: next(one for one in outputs.statuses() if one.output == "database").waiting == 0)
    take(10)
    outputs.close()
    assert [row["frame"] for row in rows(postgres.url, measurements)] == list(range(560))
    reason = next(one.reason for one in told if one.output == "database")
    assert f'The database "127.0.0.1:{postgres.port}/postgres" cannot be used now' in reason
    assert "hidden-word" not in reason
    # The database was told of its own state, too, once it was back.
    assert [row["state"] for row in rows(postgres.url, states) if row["name"] == "database"] == ["failing", "working"]


def test_a_database_whose_processes_are_killed_has_each_record_once(postgres: Postgres, tmp_path: Path) -> None:
    """Killed three times in the middle of writing: it ends all connections, and recovers from its log."""
    outputs = Outputs(site(database={"url": postgres.url}), tmp_path, retry_s=0.02)
    engine = open_engine(postgres.url, tmp_path)
    serving = sa.text(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'headcount' AND pid <> pg_backend_pid()"
    )
    number = 0
    for _ in range(3):
        for _ in range(300):
            outputs.take(measured(number))
            number += 1
        for _ in range(2000):
            with suppress(sa.exc.SQLAlchemyError), engine.connect() as connection:
                if pids := connection.execute(serving).scalars().all():
                    break
            time.sleep(0.005)
        engine.dispose()
        assert pids
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    wait_until(lambda: next(one for one in outputs.statuses() if one.output == "database").waiting == 0)
    outputs.close()
    (status,) = [one for one in outputs.statuses() if one.output == "database"]
    assert (status.state, status.lost) == ("working", 0)
    assert [row["frame"] for row in rows(postgres.url, measurements)] == list(range(900))


def test_one_that_was_down_at_the_start_is_written_to_by_the_next_run(tmp_path: Path) -> None:
    dead = site(database={"url": f"postgresql://me:secret@127.0.0.1:{free_port()}/db"})
    for number in range(2):
        outputs = Outputs(dead, tmp_path, retry_s=0.05)
        outputs.take(measured(number))
        wait_until(lambda outputs=outputs: any(one.state == "failing" for one in outputs.statuses()))
        outputs.close(0.2)
    (file,) = (tmp_path / "headcount-spool").iterdir()
    outputs = Outputs(dead, tmp_path, retry_s=0.05)
    assert next(one for one in outputs.statuses() if one.output == "database").waiting >= 2
    outputs.close(0.2)
    assert file.name.startswith("database-")


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from headcount.video.outputs import Outputs
from tests_records import measured, site
outputs = Outputs(site(database={"url": sys.argv[1]}), Path(sys.argv[2]), retry_s=0.05)
number = int(sys.argv[4])
while True:
    outputs.take(measured(number))
    if number % 20 == 0:
        assert outputs.settle()
        print(number, flush=True)
    number += 1
"""


def test_a_process_that_is_killed_loses_nothing_that_was_on_the_disk(url: str, tmp_path: Path) -> None:
    """Killed three times in the middle of it; each time the next run goes on with the spool."""
    (tmp_path / "tests_records.py").write_text(Path(__file__).with_name("records.py").read_text())
    kept = []
    first = 0
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, url, str(tmp_path), str(tmp_path), str(first)],
            stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert child.stdout is not None
        last = 0
        end = time.monotonic() + 60
        while last < first + 200 and time.monotonic() < end:
            last = int(child.stdout.readline())
        child.kill()
        child.wait()
        kept.append((first, last))
        first += 1_000_000
    outputs = Outputs(site(database={"url": url}), tmp_path, retry_s=0.05)
    outputs.close(30)
    found = [row["frame"] for row in rows(url, measurements)]
    assert found == sorted(set(found))  # in order, and none twice
    for first, last in kept:
        of_run = [number for number in found if first <= number < first + 1_000_000]
        assert of_run == list(range(first, first + len(of_run)))  # no gap
        assert of_run[-1] >= last  # and all that was said to be on the disk


def test_a_full_disk_of_the_database_is_said_and_got_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[OutputStatus] = []
    outputs = Outputs(site(database={"url": "sqlite:///kept.sqlite"}), tmp_path, changed=told.append, retry_s=0.05)
    made = next(one for one in outputs._outputs if isinstance(one, Database))

    @sa.event.listens_for(made.engine, "connect")
    def _bound(connection: Any, _: object) -> None:
        connection.execute("PRAGMA max_page_count=1")  # as SQLite says it of a disk without room

    made.engine.dispose()
    for number in range(2000):
        outputs.take(measured(number))
    wait_until(lambda: any(one.state == "failing" for one in told))
    assert "database or disk is full" in told[0].reason
    sa.event.remove(made.engine, "connect", _bound)
    made.engine.dispose()
    wait_until(lambda: told[-1].state == "working")
    wait_until(lambda: next(one for one in outputs.statuses() if one.output == "database").waiting == 0)
    outputs.close()
    assert [row["frame"] for row in rows(f"sqlite:///{tmp_path}/kept.sqlite", measurements)] == list(range(2000))


def test_no_picture_is_kept(url: str) -> None:
    database(url).close()
    kinds = {str(column.type) for table in (measurements, zones, lines_table, alerts, states) for column in table.c}
    assert not any("BLOB" in kind.upper() or "BINARY" in kind.upper() for kind in kinds)


def test_an_amount_without_a_range_has_no_range(url: str) -> None:
    with_output = database(url)
    with_output.deliver(waiting(measured(1, people=Amount(value=5))))
    with_output.close()
    (row,) = rows(url, measurements)
    assert (row["people"], row["people_low"], row["level"]) == (5, None, None)
