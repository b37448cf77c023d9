"""The board of a site: what is news is said once, and the table holds the newest of everything."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from headcount.cli.watch.board import Board, alert_line, stamped
from headcount.video.measurement import (
    AlertEvent,
    Amount,
    CameraStatus,
    LineMeasure,
    Measurement,
    OutputStatus,
    ZoneMeasure,
)

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)


def status(state: Any, reason: str = "", camera: str = "door") -> CameraStatus:
    return CameraStatus(camera=camera, state=state, since=NOW, reason=reason, skipped=1_234)


def amount(value: float) -> Amount:
    return Amount(value=value, low=0.9 * value, high=1.2 * value, level=0.9)


def measurement(people: float = 42, *, density: float | None = 2.14) -> Measurement:
    dense = None if density is None else amount(density)
    zones = (
        ZoneMeasure(name="mat", people=amount(3), density=None if density is None else amount(0.3)),
        ZoneMeasure(name="front", people=amount(12), density=dense),
    )
    lines = (LineMeasure(name="gate", forward=3, backward=1), LineMeasure(name="bar", refused="They are too close."))
    return Measurement(camera="door", at=NOW, frame=1, size_wh=(8, 8), people=amount(people), zones=zones, lines=lines)


def alert(state: Any = "raised", level: int = 2, id_: str = "a") -> AlertEvent:
    return AlertEvent(
        id=id_, camera="door", zone="front", measure="density", level=level, threshold=3.5, state=state, at=NOW,
        value=3.72, peak=4.1, reason="it fell below 2.98" if state == "cleared" else "",
    )  # fmt: skip


def shown(board: Board, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(board.table(width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_state_is_said_when_it_changes_and_only_then() -> None:
    board = Board(["door"])
    assert board.take(status("starting")) == ""
    assert board.take(status("online")) == "door: online"
    assert board.take(status("online")) == ""
    assert board.take(measurement()) == ""
    assert board.take(status("offline", "It refuses.")) == "door: offline – It refuses."
    assert board.take(status("offline", "It is silent.")) == "door: offline – It is silent."


def test_alerts_are_said_with_their_numbers_until_they_are_cleared() -> None:
    board = Board(["door"])
    assert board.take(alert()) == "door, front: ALERT of level 2: 3.7 per m², threshold 3.5"
    assert "level 2" in shown(board)
    said = board.take(alert("cleared"))
    assert said == "door, front: alert of level 2 cleared at 3.7 per m², peak 4.1 – it fell below 2.98"
    assert "level 2" not in shown(board)
    everything = alert_line(alert().model_copy(update={"zone": "", "measure": "people", "value": 120.0}))
    assert everything == "door: ALERT of level 2: 120.0 people, threshold 3.5"


def test_an_output_is_said_when_it_fails_and_when_it_works_again() -> None:
    board = Board(["door"])
    working = OutputStatus(output="database", state="working", since=NOW)
    failing = OutputStatus(output="database", state="failing", since=NOW, reason="It is down.", waiting=1_200)
    assert board.take(working) == ""
    assert board.take(failing) == "output database: failing (1,200 waiting) – It is down."
    assert board.take(failing.model_copy(update={"waiting": 1_300})) == ""
    assert "1,300 waiting" in shown(board)
    assert board.take(working) == "output database: working"
    assert "database" not in shown(board)


def test_how_many_wait_is_counted_on_while_an_output_fails() -> None:
    board = Board(["door"])
    down = OutputStatus(output="database", state="failing", since=NOW, reason="It is down.", waiting=1)
    board.take(down)
    news = board.news
    board.recount([down, OutputStatus(output="csv", state="working", since=NOW)])
    assert board.news == news  # nothing new is nothing to draw
    board.recount([down.model_copy(update={"waiting": 62})])
    assert "62 waiting" in shown(board)
    assert board.news > news


def test_a_warning_is_said_once_and_shown_for_a_minute() -> None:
    now = [0.0]
    board = Board(["door"], clock=lambda: now[0])
    jumped = measurement().model_copy(update={"warnings": ("The clock went back by 3,600 s.",)})
    assert board.take(jumped) == "door: note – The clock went back by 3,600 s."
    assert board.take(jumped) == ""
    assert board.take(measurement()) == ""
    assert "The clock went back" in shown(board)
    now[0] = 61
    assert "The clock went back" not in shown(board)
    now[0] = 700
    assert board.take(jumped) == "door: note – The clock went back by 3,600 s."
    for number in range(500):
        board.take(measurement().model_copy(update={"warnings": (f"Number {number}.",)}))
    assert shown(board).count("Number") <= 50


def test_nothing_is_still_while_no_camera_is_online() -> None:
    now = [0.0]
    board = Board(["door"], clock=lambda: now[0])
    now[0] = 100
    assert board.still_s == 0
    board.take(status("online"))
    now[0] = 140
    assert board.still_s == 40
    board.take(measurement())
    assert board.still_s == 0


def test_the_table_shows_each_camera_in_its_place_within_80_columns() -> None:
    board = Board(["door", "a camera with a very long name at the far end of the square"])
    for record in (status("online"), measurement(), alert(), status("offline", "It refuses.", "roof")):
        board.take(record)
    text = shown(board)
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("door, front: ALERT of level 2")  # a low terminal cuts the lower end
    at = next(at for at, line in enumerate(text.splitlines()) if line.startswith("camera "))
    head, door, roof = text.splitlines()[at : at + 3]
    assert head.split() == ["camera", "state", "people", "fullest", "zone", "alerts", "skipped"]
    assert door.startswith("door")
    assert "online" in door
    assert "42 (37–51)" in door
    assert "front" in door
    assert door.rstrip().endswith("1,234")
    assert "starting" in roof
    assert "fullest" in shown(board, 120)


def test_of_a_camera_that_is_gone_it_shows_since_when_and_no_old_numbers() -> None:
    board = Board(["door"])
    for record in (status("online"), measurement(), status("offline", "It refuses.")):
        board.take(record)
    text = shown(board)
    assert text.startswith("door: offline since 2026-05-01 12:30:00 UTC. It refuses.")
    assert "42" not in text
    assert "front" not in text
    for state in ("online", "ended"):
        board.take(status(state))
        assert "42 (37–51)" in shown(board)
        assert "since" not in shown(board)


def test_a_name_has_the_room_that_zones_do_not_need() -> None:
    name = "Main entrance, west"
    board = Board([name])
    board.take(status("offline", "It refuses.", name))
    assert shown(board).splitlines()[-1].startswith(name)


def test_the_fullest_zone_is_the_densest_or_without_areas_the_one_of_most_people() -> None:
    for density, expected in (
        (2.14, "front: 12 (10–15) people, 2.1 (1.9–2.6) per m²"),
        (None, "front: 12 (10–15) people"),
    ):
        board = Board(["door"])
        board.take(measurement(density=density))
        assert expected in shown(board, 200)


def test_lines_of_once_tell_all_numbers_and_who_was_not_measured() -> None:
    board = Board(["door", "roof"])
    board.take(measurement())
    board.take(status("offline", "It refuses.", "roof"))
    assert board.lines() == [
        "door: 42 (37–51) people",
        "  mat: 3 (2–4) people, 0.3 (0.3–0.4) per m²",
        "  front: 12 (10–15) people, 2.1 (1.9–2.6) per m²",
        "  gate: 3 forward, 1 backward",
        "  bar: They are too close.",
        "roof: not measured – It refuses.",
    ]
    assert (board.measured, board.lost) == ({"door"}, {"roof"})
    assert board.summary == "0 of 2 cameras online"


def test_hidden_signs_of_names_do_not_reach_the_terminal() -> None:
    board = Board(["door\x1b[2J"])
    assert "\x1b" not in shown(board)


def test_a_line_begins_with_the_time() -> None:
    assert stamped("door: online")[10] == "T"
    assert stamped("door: online").endswith("Z door: online")
