"""The harness for trust, in its short form: every experiment survives, and the harness can say that one did not."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from tests.trust import __main__ as harness
from tests.trust import table
from tests.trust.damage import Subject, try_damage
from tests.trust.equal_counts import Comparison
from tests.trust.experiment import Experiment, Result, Size, work_folder
from tests.trust.memory import is_flat
from tests.trust.processes import Running
from tests.trust.report import BEGIN, END, Report

from headcount.core.errors import InputError

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


def test_names_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    names = [each.name for each in table.experiments()]
    assert len(set(names)) == len(names)
    assert harness.main(["no-such-name"]) == 2
    assert "There is no experiment no-such-name" in capsys.readouterr().err


def _run(monkeypatch: pytest.MonkeyPatch, experiments: list[Experiment], *arguments: object) -> int:
    monkeypatch.setattr(harness, "experiments", lambda names=(): experiments)
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
    assert _run(monkeypatch, [counted], "--go-on", results) == 0  # the short form is not the long one
    assert runs == ["short", "short", "long"]
    assert [each["size"] for each in json.loads(results.read_text())["results"]] == ["long", "short"]


def test_runs_at_the_same_time_share_a_file(tmp_path: Path) -> None:
    first, second = (Report.going_on(tmp_path / "results.json", "long") for _ in range(2))
    first.add(HELD, HELD.run("long"), 1.0)
    second.add(LOST, LOST.run("long"), 1.0)
    assert list(Report.going_on(tmp_path / "results.json", "long").lines) == ["held", "lost"]


def test_the_table_is_put_between_the_marks_of_a_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    _run(monkeypatch, [HELD, LOST], "--results", tmp_path / "results.json", "--page", page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n| what is tried")
    assert text.endswith(f"{END}\nafter\n")
    assert "| Something lost | long | 3 | 2 | three tries |" in text
    assert "old" not in text


def test_what_an_experiment_makes_is_gone_or_kept(tmp_path: Path) -> None:
    with work_folder("one") as folder:
        (folder / "file").touch()
    assert not folder.exists()
    with harness.kept_in(tmp_path / "kept"), work_folder("one") as folder:
        (folder / "file").touch()
    assert folder.parent == tmp_path / "kept"
    assert (folder / "file").exists()


def test_memory_that_grows_is_not_flat() -> None:
    warming = list(np.linspace(50, 150, 50))
    steady = [150.0 + index % 3 for index in range(150)]
    assert is_flat(warming + steady)[0]
    assert not is_flat(warming + [150 + index / 10 for index in range(150)])[0]
    assert not is_flat(warming + steady[:75] + [each + 20 for each in steady[75:]])[0]


def test_damage_that_nobody_tells_is_found(tmp_path: Path) -> None:
    path = tmp_path / "numbers.txt"
    path.write_text("12345678 " * 20, encoding="utf-8")

    def believe() -> str:
        return path.read_text(encoding="latin-1")

    def check() -> str:
        if (text := path.read_text(encoding="latin-1")) != "12345678 " * 20:
            raise InputError(f'"{path.name}" is damaged.')
        return text

    def blame_nobody() -> str:
        try:
            return check()
        except InputError as error:
            raise InputError("It is damaged.") from error

    assert len(try_damage(Subject("believed", (path,), believe), 5).findings) == 10
    assert len(try_damage(Subject("not named", (path,), blame_nobody), 5).findings) == 10
    assert len(try_damage(Subject("broken", (path,), lambda: int(believe().replace(" ", "1"))), 20).findings) == 40
    tally = try_damage(Subject("checked", (path,), check), 5)
    assert (tally.tried, tally.refused, tally.findings) == (10, 10, ())
    assert path.read_text(encoding="utf-8") == "12345678 " * 20


def test_counts_that_differ_are_found() -> None:
    comparison = Comparison({"a.png": 100.0, "b.png": 0.0})
    comparison.add("the same", {"a.png": 100.0, "b.png": 0.0})
    comparison.add("rounded", {"a.png": 100.0001, "b.png": 0.0}, most=1e-5)
    comparison.add_written("written", {"a.png": 100.0, "b.png": 0.0})
    assert (comparison.tried, comparison.findings) == (3, [])
    comparison.add("other", {"a.png": 100.0001, "b.png": 0.0})
    comparison.add("too far", {"a.png": 100.01, "b.png": 0.0}, most=1e-5)
    comparison.add("one lost", {"a.png": 100.0})
    assert (comparison.tried, len(comparison.findings)) == (6, 3)


def test_a_process_is_killed_once_and_only_while_it_runs() -> None:
    with Running("models") as running:
        assert running.line("headcount-n")
        running.process.wait()
        assert not running.kill()
    with Running("models") as running:
        assert running.kill()
        assert running.process.returncode == -signal.SIGKILL
