"""Progress and words at a terminal."""

from __future__ import annotations

import io

import pytest

from headcount.cli.console import error_console, progress_bar


def test_progress_is_quiet_where_standard_error_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("Reading") as show:
        show(1, 3)
        show(3, None)
    assert capsys.readouterr() == ("", "")


def test_notes_are_printed_by_the_console_of_the_bar() -> None:
    assert error_console() is error_console()


@pytest.mark.parametrize(("total", "shown"), [(3, True), (1, False)])
def test_a_bar_is_shown_for_more_than_one_thing(monkeypatch: pytest.MonkeyPatch, total: int, shown: bool) -> None:
    from rich.console import Console

    console = Console(record=True, force_terminal=True, width=80, file=io.StringIO())
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("headcount.cli.console.error_console", lambda: console)
    with progress_bar("Reading") as show:
        show(1, total)
    assert ("Reading" in console.export_text()) == shown
