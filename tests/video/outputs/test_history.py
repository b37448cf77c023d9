"""The history: read from SQLite and from a real PostgreSQL, while they are written to."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.video.history import History
from headcount.video.measurement import OutputStatus, Record
from headcount.video.outputs.columns import COLUMNS
from headcount.video.outputs.database import Database
from headcount.video.outputs.files import CsvFile
from headcount.video.outputs.spool import Waiting
from headcount.video.outputs.table import OutputDownError
from headcount.video.site import DatabaseSettings

from .receivers import Postgres
from .records import BEGIN, alert, measured, site, status

END = BEGIN + timedelta(days=1)


def write(url: str, *records: Record, first: int = 1) -> None:
    output = Database(DatabaseSettings(url=url), site(), Path())
    output.deliver([Waiting(f"run-{number}", record) for number, record in enumerate(records, start=first)])
    output.close()


@pytest.fixture
def history(url: str) -> Iterator[History]:
    made = History(url)
    yield made
    made.close()


def test_a_database_that_nobody_wrote_to_has_nothing(history: History) -> None:
    assert history.measurements("north", BEGIN) == []
    assert history.alerts() == history.states() == history.cameras() == []
    assert len(list(history.csv(None, BEGIN))) == 1


def test_few_frames_are_given_each(history: History, url: str) -> None:
    write(url, *[measured(number) for number in range(5)], measured(9, camera="south"))
    points = history.measurements("north", BEGIN, END)
    assert [point.people for point in points] == [0, 1, 2, 3, 4]
    assert [point.at for point in points] == [BEGIN + timedelta(seconds=number) for number in range(5)]
    last = points[-1]
    assert (last.frames, last.people_low, last.people_high, last.people_most) == (1, 2, 7, 4)
    assert last.zones["Main gate"].density == pytest.approx(0.1)
    assert last.zones["Main gate"].people == 2
    assert last.zones["stage"].density is None
    door = last.lines["door"]
    assert (door.forward_per_min, door.forward_per_min_low, door.forward_per_min_high) == (3.0, 2.0, 7.0)
    assert (door.backward_per_min, door.backward_per_min_low, door.flow_per_m_min) == (1.0, None, None)
    assert history.cameras() == ["north", "south"]


def test_many_frames_are_means_of_even_spans_with_their_peak(history: History, url: str) -> None:
    write(url, *[measured(number) for number in range(120)])
    points = history.measurements("north", BEGIN, BEGIN + timedelta(seconds=120), most=12)
    assert [point.frames for point in points] == [10] * 12
    assert [point.people for point in points] == pytest.approx([10 * n + 4.5 for n in range(12)])
    assert [point.people_most for point in points] == [10 * n + 9 for n in range(12)]
    assert [point.at for point in points] == [BEGIN + timedelta(seconds=10 * n) for n in range(12)]
    gate = points[3].zones["Main gate"]
    assert (gate.people, gate.density_most) == (pytest.approx(34.5 / 2), pytest.approx(39 / 40))


@pytest.mark.parametrize("seconds", [60, 100, 7 * 60 + 1])
def test_many_frames_a_span_are_the_same_points_as_few(
    history: History, url: str, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = timedelta(seconds=0.2)
    write(
        url, *[measured(n, at=BEGIN + n * step) for n in range(300) if not 100 < n < 160], measured(9, camera="south")
    )
    asked = {"since": BEGIN, "until": BEGIN + timedelta(seconds=seconds), "most": 7}
    few = history.measurements("north", **asked)
    monkeypatch.setattr("headcount.video.spans._MANY", 1)
    many = history.measurements("north", **asked)
    assert len(many) == len(few) == (7 if seconds == 60 else 5 if seconds == 100 else 1)
    for one, other in zip(many, few, strict=True):
        assert (one.at, one.frames, one.people_most) == (other.at, other.frames, other.people_most)
        assert one.people == pytest.approx(other.people)
        assert one.zones["Main gate"].density == pytest.approx(other.zones["Main gate"].density)
        assert one.zones["stage"] == other.zones["stage"]
        assert one.lines["door"].forward_per_min_high == pytest.approx(other.lines["door"].forward_per_min_high)
    assert sum(point.frames for point in many) == 300 - 59


def test_an_export_goes_by_time_where_the_clock_went_back(
    history: History, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headcount.video.history._ROWS", 3)
    seconds = [*range(10, 20), *range(5, 15)]
    write(
        url,
        *[measured(n, at=BEGIN + timedelta(seconds=second), zones=(), lines=()) for n, second in enumerate(seconds)],
    )
    rows = list(csv.DictReader(history.csv("north", BEGIN, END)))
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert sorted(int(row["frame"]) for row in rows) == list(range(20))


def test_a_gap_is_no_point(history: History, url: str) -> None:
    write(url, *[measured(number) for number in (*range(20), *range(80, 100))])
    points = history.measurements("north", BEGIN, BEGIN + timedelta(seconds=100), most=10)
    assert [point.frames for point in points] == [10, 10, 10, 10]
    assert points[2].at == BEGIN + timedelta(seconds=80)


def test_from_is_in_and_until_is_not(history: History, url: str) -> None:
    write(url, *[measured(number) for number in range(10)])
    second = timedelta(seconds=1)
    assert [p.people for p in history.measurements("north", BEGIN + 2 * second, BEGIN + 5 * second)] == [2, 3, 4]
    elsewhere = BEGIN.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo)
    assert [p.people for p in history.measurements("north", elsewhere, elsewhere + second)] == [0]


def test_alerts_are_the_newest_first_and_open_ones_can_be_asked_for(history: History, url: str) -> None:
    write(
        url, alert(name="a"), alert("cleared", "a", second=60), alert(name="b", second=100), alert(name="c", second=50)
    )
    assert [one.id for one in history.alerts()] == ["b", "c", "a"]
    assert [one.id for one in history.alerts(open_only=True)] == ["b", "c"]
    assert [one.id for one in history.alerts(since=BEGIN + timedelta(seconds=70))] == ["b", "c"]
    assert [one.id for one in history.alerts(since=BEGIN + timedelta(seconds=55))] == ["b", "c", "a"]
    assert [one.id for one in history.alerts(most=1)] == ["b"]
    assert history.alerts(camera="south") == []
    over = history.alerts()[-1]
    assert (over.raised_at, over.cleared_at) == (BEGIN, BEGIN + timedelta(seconds=60))
    assert (over.zone, over.level, over.peak, over.site) == ("Main gate", 1, 3.5, "Fair")


def test_an_alert_is_acknowledged_once_and_it_is_kept(history: History, url: str) -> None:
    write(url, alert(name="a"))
    at = BEGIN + timedelta(seconds=30)
    row = history.acknowledge("a", " Ann  Lee ", at)
    assert (row.acknowledged_by, row.acknowledged_at) == ("Ann Lee", at)
    assert history.acknowledge("a", "Bob").acknowledged_by == "Ann Lee"
    write(url, alert("cleared", "a", second=60), first=2)  # that it is over changes nothing of it
    (row,) = history.alerts()
    assert (row.acknowledged_by, row.cleared_at) == ("Ann Lee", BEGIN + timedelta(seconds=60))


@pytest.mark.parametrize(
    ("name", "who", "expected"),
    [("x", "Ann", 'There is no alert "x"'), ("a", " ", "has a name of 1 to 64"), ("a", "A" * 65, "1 to 64")],
)
def test_what_cannot_be_acknowledged_is_refused(history: History, url: str, name: str, who: str, expected: str) -> None:
    write(url, alert(name="a"))
    with pytest.raises(InputError, match=expected):
        history.acknowledge(name, who)
    assert history.alerts()[0].acknowledged_by is None


def test_a_name_that_is_no_text_is_refused_or_unknown(history: History) -> None:
    with pytest.raises(InputError, match=r"There is no alert|signs which no name has"):
        history.acknowledge("a\0b", "Ann")
    with suppress(InputError):  # PostgreSQL's text holds no such sign
        assert history.measurements("a\0b", BEGIN, END) == []
    assert history.alerts() == []


def test_many_threads_may_read(history: History, url: str) -> None:
    write(url, *[measured(number) for number in range(20)])
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(history.measurements("north", BEGIN, END)))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [20] * 12


def test_states_are_the_newest_first(history: History, url: str) -> None:
    failing = OutputStatus(output="mqtt", state="failing", since=BEGIN + timedelta(seconds=5), reason="It is down.")
    write(url, status(), failing, status("offline", second=9, last_frame_at=BEGIN))
    assert [(one.kind, one.state) for one in history.states()] == [
        ("camera", "offline"), ("output", "failing"), ("camera", "online"),
    ]  # fmt: skip
    assert [one.name for one in history.states(kind="output")] == ["mqtt"]
    assert [one.state for one in history.states(name="north", since=BEGIN + timedelta(seconds=1))] == ["offline"]
    assert history.states()[0].last_frame_at == BEGIN


def test_an_export_is_what_the_csv_output_writes(history: History, url: str, tmp_path: Path) -> None:
    records = [measured(number) for number in range(4)]
    write(url, *records, measured(9, camera="south"))
    output = CsvFile(Path("out.csv"), site(), tmp_path)
    for record in records:
        output.take(record, None)
    output.close()
    exported = list(csv.DictReader(history.csv("north", BEGIN, END)))
    assert tuple(exported[0]) == COLUMNS
    with (tmp_path / "out.csv").open(newline="") as file:
        assert exported == list(csv.DictReader(file))
    assert len(list(history.csv(None, BEGIN, END))) == 1 + 4 * 4 + 1


def test_a_long_export_comes_in_parts(history: History, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headcount.video.history._ROWS", 7)
    write(url, *[measured(number) for number in range(30)])
    rows = list(csv.DictReader(history.csv("north", BEGIN, END)))
    assert [row["frame"] for row in rows if not row["zone"] and not row["line"]] == [
        str(number) for number in range(30)
    ]
    assert len(rows) == 120


def test_it_is_read_while_it_is_written_to(history: History, url: str) -> None:
    over = threading.Event()

    def keep_writing() -> None:
        output = Database(DatabaseSettings(url=url), site(), Path())
        for number in range(200):
            output.deliver([Waiting(f"run-{number}", measured(number))])
        output.close()
        over.set()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    seen = []
    while not over.is_set() and len(seen) < 100_000:
        seen.append(len(history.measurements("north", BEGIN, END)))
    writer.join()
    assert seen == sorted(seen)
    assert len(history.measurements("north", BEGIN, END)) == 200


def test_a_file_that_somebody_deletes_is_not_read_any_more(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kept.sqlite"
    write(url, measured(1))
    history = History(url)
    assert history.cameras() == ["north"]
    for path in tmp_path.glob("kept.sqlite*"):
        path.unlink()
    assert history.cameras() == []
    write(url, measured(2, camera="south"))
    assert history.cameras() == ["south"]
    history.close()


def test_one_site_of_several_can_be_read(url: str) -> None:
    write(url, measured(1), alert())
    assert History(url, site="Fair").cameras() == ["north"]
    other = History(url, site="Station")
    assert (other.cameras(), other.alerts(), other.measurements("north", BEGIN, END)) == ([], [], [])


def test_times_without_a_zone_and_too_many_points_are_refused(history: History) -> None:
    with pytest.raises(InputError, match="2026-05-01T20:00:00 has no time zone: give one"):
        history.measurements("north", BEGIN.replace(tzinfo=None))
    with pytest.raises(InputError, match="1 to 5,000 points can be asked for, but 0 were"):
        history.measurements("north", BEGIN, END, most=0)


def test_a_database_that_is_down_is_said_without_its_password(postgres: Postgres) -> None:
    history = History(postgres.url)
    postgres.stop()
    try:
        with pytest.raises(OutputDownError, match="cannot be used now") as caught:
            history.alerts()
        with pytest.raises(OutputDownError):
            History(postgres.url)
        assert "hidden-word" not in str(caught.value)
    finally:
        postgres.start()
    assert history.alerts() == []
    history.close()


def test_now_is_the_end_where_none_is_given(history: History, url: str) -> None:
    now = datetime.now(UTC)
    write(url, measured(1, at=now - timedelta(seconds=5)), measured(2, at=now + timedelta(hours=1)))
    assert [point.people for point in history.measurements("north", now - timedelta(hours=1))] == [1]
