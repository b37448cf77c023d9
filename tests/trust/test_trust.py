"""The harness for trust, in its short form: every experiment survives, and the harness can say that one did not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.trust import __main__ as harness
from tests.trust import table
from tests.trust.experiment import Experiment, Result, Size, work_folder
from tests.trust.report import BEGIN, END

HELD = Experiment("held", "Something held", lambda size: Result(3, 3, f"three {size} tries"))
LOST = Experiment("lost", "Something lost", lambda size: Result(3, 2, "three tries", ("The third was lost.",)))


def _fail(size: Size) -> Result:
    raise RuntimeError("no experiment")


@pytest.mark.slow
@pytest.mark.parametrize("row", table.ROWS)
def test_every_experiment_survives_its_short_form(row: str) -> None:
    experiment = table.load(row)
    result = experiment.run("short")
    if not result.tried:
        pytest.skip(result.how)
    assert result.holds, result


def test_names_are_said_once() -> None:
    names = [each.name for each in table.experiments()]
    assert len(set(names)) == len(names)


def _run(monkeypatch: pytest.MonkeyPatch, experiments: list[Experiment], *arguments: object) -> int:
    monkeypatch.setattr(harness, "experiments", lambda names: experiments)
    return harness.main([str(each) for each in arguments])


def test_what_did_not_survive_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.json"
    assert _run(monkeypatch, [HELD], "--results", results) == 0
    assert _run(monkeypatch, [HELD, LOST], "--results", results) == 1
    assert "The third was lost." in capsys.readouterr().out
    for broken in (
        Experiment("none", "Nothing tried", lambda size: Result(0, 0, "nothing to try it with")),
        Experiment("fails", "An experiment that fails", _fail),
        Experiment("told", "All survive, and a finding", lambda size: Result(1, 1, "one try", ("Lost.",))),
    ):
        assert _run(monkeypatch, [HELD, broken], "--results", results) == 1


def test_a_run_that_was_cut_off_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    results, runs = tmp_path / "results.json", []

    def count(size: Size) -> Result:
        runs.append(size)
        return Result(1, 1, "a try")

    counted = Experiment("counted", "Counted runs", count)
    assert _run(monkeypatch, [counted], "--results", results, "--short") == 0
    assert _run(monkeypatch, [counted, HELD], "--go-on", results, "--short") == 0
    assert runs == ["short"]
    assert _run(monkeypatch, [counted], "counted", "--go-on", results, "--short") == 0
    assert runs == ["short", "short"]
    assert [each["name"] for each in json.loads(results.read_text())["results"]] == ["counted", "held"]
    with pytest.raises(ValueError, match="holds the short form"):
        _run(monkeypatch, [counted], "--go-on", results)


def test_the_table_is_put_between_the_marks_of_a_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    _run(monkeypatch, [HELD, LOST], "--results", tmp_path / "results.json", "--page", page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n| what is tried")
    assert text.endswith(f"{END}\nafter\n")
    assert "| Something lost | 3 | 2 | three tries |" in text
    assert "old" not in text


def test_what_an_experiment_makes_is_gone_or_kept(tmp_path: Path) -> None:
    with work_folder("one") as folder:
        (folder / "file").touch()
    assert not folder.exists()
    with harness.kept_in(tmp_path / "kept"), work_folder("one") as folder:
        (folder / "file").touch()
    assert folder.parent == tmp_path / "kept"
    assert (folder / "file").exists()
