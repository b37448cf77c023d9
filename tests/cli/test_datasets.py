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
from headcount.data.catalogue import CATALOGUE


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


@pytest.mark.parametrize("spec", ["points=none.csv", "shanghaitech-a=none", "shangaitech-a=.", "none"])
def test_unusable_input_is_an_error_that_main_turns_into_2(points: Path, spec: str) -> None:
    assert isinstance(CliRunner().invoke(app, ["check", spec]).exception, InputError)


def test_the_list_gives_counts_and_terms_in_80_columns(points: Path) -> None:
    result = CliRunner().invoke(app, ["list"])
    assert result.exit_code == 0
    for entry in CATALOGUE.values():
        assert entry.name in result.output
        for release in entry.releases:
            for images, heads in release.counts.values():
                assert f"{images:,} images" in result.output
                assert f"{heads:,} heads" in result.output
    assert "terms:" in result.output
    assert max(map(len, result.output.splitlines())) <= 80
