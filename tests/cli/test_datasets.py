"""`headcount datasets`: exit codes, 80 columns, the JSON report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from headcount.cli.datasets import app
from headcount.core.errors import InputError
from headcount.data.sets.catalogue import CATALOGUE, find_entry
from headcount.data.sets.registry import DATA_SETS


@pytest.fixture
def points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    for name in "abcdef":
        Image.new("RGB", (8, 6)).save(tmp_path / f"{name}.png")
    path = tmp_path / "points.csv"
    path.write_text("image,x,y\n" + "".join(f"{name}.png,1,{row}\n" for name in "abcdef" for row in (1, 2)))
    return path


def test_clean_data_exits_with_0(points: Path) -> None:
    result = CliRunner().invoke(app, ["check", f"points={points}"])
    assert result.exit_code == 0
    assert "nothing wrong found" in result.output.splitlines()[0]


def test_findings_exit_with_1_and_fit_80_columns(points: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    points.write_text(points.read_text().replace(",2\n", ",6.5\n") + "a.png,1,1\nnone.png,,\n")
    result = CliRunner().invoke(app, ["check", "points=points.csv", "--output", "report.json"])
    assert result.exit_code == 1
    assert result.output.splitlines()[0] == "points=points.csv: 8 findings"
    assert re.search(r"^point-outside +6 in 6 files$", result.output, re.MULTILINE)
    assert "… and 3 more in report.json" in result.output
    assert max(map(len, result.output.splitlines())) <= 80
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["clean"] is False
    assert len(report["findings"]) == 8
    assert report["findings"][0]["code"] == "point-outside"


def test_a_report_is_not_overwritten_unless_forced(points: Path, tmp_path: Path) -> None:
    arguments = ["check", f"points={points}", "--output", str(tmp_path / "report.json")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, InputError)
    assert CliRunner().invoke(app, [*arguments, "--force"]).exit_code == 0


def test_findings_are_accepted_beside_the_data(points: Path, tmp_path: Path) -> None:
    points.write_text(points.read_text().replace(",2\n", ",6.5\n"))
    check = ["check", f"points={points}"]
    assert CliRunner().invoke(app, check).exit_code == 1
    assert list(tmp_path.glob("headcount-*")) == []
    accepted = CliRunner().invoke(app, [*check, "--accept"])
    assert accepted.exit_code == 0
    assert "6 lines added" in accepted.output
    again = CliRunner().invoke(app, [*check, "--output", str(tmp_path / "report.json")])
    assert again.exit_code == 0
    assert again.output.splitlines()[0].endswith("nothing wrong found, 6 accepted")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["clean"] is True
    assert [finding["accepted"] for finding in report["findings"]] == [True] * 6
    points.write_text(points.read_text().replace("a.png,1,6.5", "a.png,1,2") + "b.png,1,7\n")
    more = CliRunner().invoke(app, check)
    assert more.exit_code == 1
    assert "more than were accepted" in more.output
    assert "accepted, but no longer there: 1" in more.output
    assert "point-outside  a.png" in more.output


def test_a_named_file_of_accepted_findings(points: Path, tmp_path: Path) -> None:
    points.write_text(points.read_text().replace("a.png,1,2\n", "a.png,1,6.5\n"))
    mine = tmp_path / "mine.txt"
    check = ["check", f"points={points}", "--accepted", str(mine)]
    assert isinstance(CliRunner().invoke(app, check).exception, InputError)
    assert CliRunner().invoke(app, [*check, "--accept"]).exit_code == 0
    assert CliRunner().invoke(app, check).exit_code == 0
    mine.write_text("point-outside\n")
    error = CliRunner().invoke(app, check).exception
    assert isinstance(error, InputError)
    assert "line 1" in str(error)


def test_a_page_of_thumbnails(points: Path, tmp_path: Path) -> None:
    points.write_text(points.read_text().replace("a.png,1,2\n", "a.png,1,6.5\n"))
    check = ["check", f"points={points}", "--page", str(tmp_path / "page.html")]
    assert CliRunner().invoke(app, check).exit_code == 1
    assert (tmp_path / "page.html").read_text().count("<img ") == 1
    assert isinstance(CliRunner().invoke(app, check).exception, InputError)


@pytest.mark.parametrize("spec", ["points=none.csv", "shanghaitech-a=none", "shangaitech-a=.", "none"])
def test_unusable_input_is_an_error_that_main_turns_into_2(points: Path, spec: str) -> None:
    assert isinstance(CliRunner().invoke(app, ["check", spec]).exception, InputError)


def test_the_list_is_a_table_of_80_columns(points: Path) -> None:
    result = CliRunner().invoke(app, ["list"])
    assert result.exit_code == 0
    for entry in CATALOGUE.values():
        images, heads = (f"{number:,}" if number is not None else "-" for number in entry.total)
        line = next(line for line in result.output.splitlines() if line[2:].startswith(f"{entry.name} "))
        assert line[2:].split()[1:3] == [images, heads]
        assert entry.annotated in line
    assert max(map(len, result.output.splitlines())) <= 80


@pytest.mark.parametrize("name", [*CATALOGUE, *DATA_SETS])
def test_one_set_is_told_with_counts_and_terms(points: Path, name: str) -> None:
    result = CliRunner().invoke(app, ["list", name])
    assert result.exit_code == 0
    entry = find_entry(name)
    for release in entry.releases if entry is not None else ():
        for images, heads in release.counts.values():
            assert f"{images:,} images" in result.output
            assert heads is None or f"{heads:,} heads" in result.output
    assert entry is None or "terms:" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_an_unknown_set_is_told_the_nearest(points: Path) -> None:
    error = CliRunner().invoke(app, ["list", "ucf-qnfr"]).exception
    assert isinstance(error, InputError)
    assert '"ucf-qnrf"' in str(error)
