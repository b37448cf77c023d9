"""`headcount datasets check`: exit codes, 80 columns, the JSON report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from headcount.cli.main import app
from headcount.core.errors import InputError


def run(arguments: list[str]) -> Result:
    return CliRunner().invoke(app, ["datasets", *arguments])


@pytest.fixture
def points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    for name in "abcdef":
        Image.new("RGB", (8, 6)).save(tmp_path / f"{name}.png")
    path = tmp_path / "points.csv"
    path.write_text("image,x,y\n" + "".join(f"{name}.png,1,{row}\n" for name in "abcdef" for row in (1, 2)))
    return path


def test_clean_data_exits_with_0(points: Path) -> None:
    result = run(["check", f"points={points}"])
    assert result.exit_code == 0
    assert "nothing wrong found" in result.output.splitlines()[0]


def test_findings_exit_with_1_and_fit_80_columns(points: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    points.write_text(points.read_text().replace(",2\n", ",6.5\n") + "a.png,1,1\nnone.png,,\n")
    result = run(["check", "points=points.csv", "--output", "report.json"])
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
    assert run(arguments).exit_code == 0
    again = run(arguments)
    assert isinstance(again.exception, InputError)
    assert run([*arguments, "--force"]).exit_code == 0


def test_findings_are_accepted_beside_the_data(points: Path, tmp_path: Path) -> None:
    points.write_text(points.read_text().replace(",2\n", ",6.5\n"))
    check = ["check", f"points={points}"]
    assert run(check).exit_code == 1
    assert list(tmp_path.glob("headcount-*")) == []
    accepted = run([*check, "--accept"])
    assert accepted.exit_code == 0
    assert "6 lines added" in accepted.output
    again = run([*check, "--output", str(tmp_path / "report.json")])
    assert again.exit_code == 0
    assert again.output.splitlines()[0].endswith("nothing wrong found, 6 accepted")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["clean"] is True
    assert [finding["accepted"] for finding in report["findings"]] == [True] * 6
    points.write_text(points.read_text().replace("a.png,1,6.5", "a.png,1,2") + "b.png,1,7\n")
    more = run(check)
    assert more.exit_code == 1
    assert "more than were accepted" in more.output
    assert "accepted, but no longer there: 1" in more.output
    assert "point-outside  a.png" in more.output


def test_a_named_file_of_accepted_findings(points: Path, tmp_path: Path) -> None:
    points.write_text(points.read_text().replace("a.png,1,2\n", "a.png,1,6.5\n"))
    mine = tmp_path / "mine.txt"
    check = ["check", f"points={points}", "--accepted", str(mine)]
    assert isinstance(run(check).exception, InputError)
    assert run([*check, "--accept"]).exit_code == 0
    assert run(check).exit_code == 0
    mine.write_text("point-outside\n")
    error = run(check).exception
    assert isinstance(error, InputError)
    assert "line 1" in str(error)


def test_a_page_of_thumbnails(points: Path, tmp_path: Path) -> None:
    points.write_text(points.read_text().replace("a.png,1,2\n", "a.png,1,6.5\n"))
    check = ["check", f"points={points}", "--page", str(tmp_path / "page.html")]
    assert run(check).exit_code == 1
    assert (tmp_path / "page.html").read_text().count("<img ") == 1
    assert isinstance(run(check).exception, InputError)


@pytest.mark.parametrize(
    ("option", "name", "wanted"), [("--page", "x.txt", ".html or .htm"), ("--output", "x", ".json")]
)
def test_a_report_of_another_suffix_is_refused(
    points: Path, tmp_path: Path, option: str, name: str, wanted: str
) -> None:
    refused = run(["check", f"points={points}", option, str(tmp_path / name)])
    assert isinstance(refused.exception, InputError)
    assert f"must be a {wanted} file" in str(refused.exception)


def test_what_is_written_is_said(points: Path, tmp_path: Path) -> None:
    names = {"--output": tmp_path / "r.json", "--page": tmp_path / "p.htm"}
    result = run(["check", f"points={points}", *(str(word) for pair in names.items() for word in pair)])
    written = [line for line in result.output.splitlines() if line.startswith("wrote ")]
    assert written == [f"wrote {path}" for path in names.values()]


@pytest.mark.parametrize("spec", ["points=none.csv", "shanghaitech-a=none", "shangaitech-a=.", "none"])
def test_unusable_input_is_an_error_that_main_turns_into_2(points: Path, spec: str) -> None:
    assert isinstance(run(["check", spec]).exception, InputError)


def test_a_finding_in_the_folder_itself_keeps_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("annotations.xml").write_text("<!DOCTYPE a []><annotations/>", encoding="utf-8")
    result = run(["check", "cvat=."])
    assert result.exit_code == 1
    assert '"annotations.xml"' in result.output
