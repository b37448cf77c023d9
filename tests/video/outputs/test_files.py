"""CSV and JSON lines: they grow at their end, and what is there is never written over."""

from __future__ import annotations

import csv
import errno
import os
from datetime import datetime
from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.video.measurement import Record
from headcount.video.outputs import Outputs
from headcount.video.outputs import files as files_module
from headcount.video.outputs.columns import COLUMNS
from headcount.video.outputs.files import CsvFile, JsonLines
from headcount.video.outputs.spool import RECORDS

from .records import alert, measured, site, status, wait_until


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(kind: type[CsvFile] | type[JsonLines], folder: Path, *records: Record) -> Path:
    output = kind(Path("out.txt"), site(), folder)
    for record in records:
        output.take(record, None)
    output.close()
    return folder / "out.txt"


def test_a_csv_file_has_a_row_for_the_view_and_for_each_zone_and_line(tmp_path: Path) -> None:
    path = written(CsvFile, tmp_path, measured(40), status(), alert(), measured(7, camera="south"))
    view, gate, stage, door, south = table(path)
    assert tuple(view) == COLUMNS
    assert [row["zone"] for row in (view, gate, stage, door, south)] == ["", "Main gate", "stage", "", ""]
    assert [row["line"] for row in (view, gate, stage, door, south)] == ["", "", "", "door", ""]
    assert (view["people"], view["people_low"], view["people_high"], view["level"]) == ("40.0", "38.0", "43.0", "0.9")
    assert view["density"] == view["area_m2"] == ""
    assert (gate["people"], gate["density"], gate["fullest_x_m"], gate["area_m2"]) == ("20.0", "1.0", "1.5", "20.0")
    assert [gate[f"trend_per_min{end}"] for end in ("", "_low", "_high")] == ["1.25", "-0.5", "3.0"]
    assert (stage["density"], stage["refused"], stage["level"]) == ("", "It needs a calibration.", "0.9")
    assert (door["forward"], door["backward"], door["people"], door["level"]) == ("40", "1", "", "0.8")
    assert [door[f"forward_per_min{end}"] for end in ("", "_low", "_high")] == ["3.0", "2.0", "43.0"]
    assert [door[f"backward_per_min{end}"] for end in ("", "_low", "_high")] == ["1.0", "", ""]
    assert (door["flow_per_m_min"], door["refused"], gate["forward"]) == ("", "It needs a calibration.", "")
    assert datetime.fromisoformat(view["at"]) == measured(40).at
    assert south["camera"] == "south"


def test_a_json_line_is_a_record_that_can_be_read_back(tmp_path: Path) -> None:
    records = [measured(40), status("offline"), alert(), alert("cleared")]
    path = written(JsonLines, tmp_path, *records)
    assert [RECORDS.validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()] == records


@pytest.mark.parametrize("kind", [CsvFile, JsonLines])
def test_a_file_grows_at_its_end_and_has_one_header(kind: type[CsvFile], tmp_path: Path) -> None:
    path = written(kind, tmp_path, measured(1))
    before = path.read_bytes()
    written(kind, tmp_path, measured(2))
    assert path.read_bytes().startswith(before)
    assert path.read_text().count("at,camera,frame") == (1 if kind is CsvFile else 0)
    assert len(path.read_text().splitlines()) == (9 if kind is CsvFile else 2)


@pytest.mark.parametrize("kind", [CsvFile, JsonLines])
@pytest.mark.parametrize("content", ["at,camera,people\n2026,north,3\n", "\x89PNG"])
def test_a_file_of_something_else_is_refused_and_left(kind: type[CsvFile], content: str, tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"exists already and holds .*: nothing is added to it; choose another name"):
        kind(Path("out.txt"), site(), tmp_path)
    assert (tmp_path / "out.txt").read_text(encoding="latin-1") == content


@pytest.mark.parametrize("kind", [CsvFile, JsonLines])
def test_a_line_that_a_crash_cut_off_is_left_alone(kind: type[CsvFile], tmp_path: Path) -> None:
    path = written(kind, tmp_path, measured(1))
    cut = path.read_bytes()[:-20]
    path.write_bytes(cut)
    written(kind, tmp_path, measured(2, zones=(), lines=()))
    assert path.read_bytes().startswith(cut + b"\n")
    assert len(path.read_bytes().splitlines()) == len(cut.splitlines()) + 1


def test_places_of_no_use_are_refused(tmp_path: Path) -> None:
    for path, expected in ((Path(), "is a folder"), (Path("missing/out.csv"), "There is no folder")):
        with pytest.raises(InputError, match=expected):
            CsvFile(path, site(), tmp_path)


def test_two_runs_do_not_share_a_file(tmp_path: Path) -> None:
    first = CsvFile(Path("out.csv"), site(), tmp_path)
    with pytest.raises(InputError, match="is being written by another run"):
        CsvFile(Path("out.csv"), site(), tmp_path)
    first.close()
    CsvFile(Path("out.csv"), site(), tmp_path).close()


def test_each_record_is_there_at_once(tmp_path: Path) -> None:
    output = JsonLines(Path("out.jsonl"), site(), tmp_path)
    for number in range(3):
        output.take(measured(number), None)
        assert len((tmp_path / "out.jsonl").read_text().splitlines()) == number + 1
    output.close()


def test_a_file_that_is_moved_away_is_begun_anew(tmp_path: Path) -> None:
    output = CsvFile(Path("out.csv"), site(), tmp_path)
    output.take(measured(1), None)
    (tmp_path / "out.csv").rename(tmp_path / "out.csv.1")
    output.take(measured(2), None)
    output.close()
    assert [row["frame"] for row in table(tmp_path / "out.csv.1")] == ["1"] * 4
    assert [row["frame"] for row in table(tmp_path / "out.csv")] == ["2"] * 4


def test_a_full_disk_cuts_no_line_is_said_and_got_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = Outputs(site(jsonl="out.jsonl"), tmp_path, retry_s=0.02)
    outputs.take(measured(0))
    assert outputs.settle()
    real = os.write
    room = [150]

    def little(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = min(room[0], len(data))
        room[0] -= taken
        return real(descriptor, bytes(data)[:taken])

    monkeypatch.setattr(files_module.os, "write", little)
    for number in range(1, 5):
        outputs.take(measured(number))
    state = lambda: next(one for one in outputs.statuses() if one.output == "jsonl")  # noqa: E731
    wait_until(lambda: state().state == "failing")
    assert state().reason == "It cannot be written (No space left on device): make room for it."
    monkeypatch.undo()
    wait_until(lambda: state().state == "working")
    outputs.close()
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    numbers = [record.frame for record in map(RECORDS.validate_json, lines) if record.kind == "measurement"]
    assert numbers == list(range(5))


def test_a_csv_file_holds_no_formulas(tmp_path: Path) -> None:
    (row, *_) = table(written(CsvFile, tmp_path, measured(1, camera="=north")))
    assert row["camera"] == "'=north"
