"""Only printable text reaches a terminal, and what becomes of it ends no run."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from headcount.cli.console import output_console
from headcount.cli.signals import Stopped, signals_stop
from headcount.cli.streams import Stream, guarded_streams, printable, results_are_filed

EVIL = "\x1b[31mred\x1b]0;title\x07 \x9b2J \u202egnp.jpg\r\b\u2066"


def harmless(text: str) -> bool:
    return not set(text) & set(EVIL) - set(printable(EVIL))


@pytest.mark.parametrize("way", ["print", "console", "text", "table", "styled", "error"])
def test_no_way_of_printing_moves_the_cursor(capsys: pytest.CaptureFixture[str], way: str) -> None:
    with guarded_streams():
        if way in ("print", "error"):
            print(f"a {EVIL} b", file=sys.stderr if way == "error" else sys.stdout)
        elif way == "table":
            table = Table(EVIL, box=None)
            table.add_row(Text(EVIL))
            output_console().print(table)
        else:
            thing = Text(EVIL) if way == "text" else EVIL
            output_console().print(thing, style="bold" if way == "styled" else None, soft_wrap=True)
    out, err = capsys.readouterr()
    assert "red" in out + err
    assert harmless(out + err)


def test_colours_of_our_own_stay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with guarded_streams():
        output_console().print(f"a{EVIL}", style="bold", soft_wrap=True)
    out = capsys.readouterr().out
    assert out.startswith("\x1b[1ma\\x1b[31mred")


@pytest.mark.parametrize(
    "text", ["", "plain", "人", "ü\u0308", "a\u3000b", "👨\u200d👩\u200d👧", "نمی\u200cشود", "two\nlines\tand tabs"]
)
def test_what_people_write_stays_as_it_is(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with guarded_streams():
        print(text)
    assert capsys.readouterr().out == text + "\n"


class Full(io.StringIO):
    """Takes nothing more."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_stream_that_takes_no_more_keeps_the_reason() -> None:
    stream = Stream(Full())
    print("one", file=stream)
    stream.flush()
    assert stream.failure is not None
    assert stream.failure.errno == 28
    closed = io.StringIO()
    closed.close()
    stream = Stream(closed)
    print("one", file=stream)
    assert stream.failure is not None


def test_only_a_file_of_results_makes_it_needless() -> None:
    with guarded_streams() as (out, _):
        assert out.is_needed
        results_are_filed()
        assert not out.is_needed
    results_are_filed()  # without them nothing is to be said


def run(command: Sequence[str], redirection: str) -> subprocess.CompletedProcess[str]:
    words = " ".join(f'"{word}"' for word in (sys.executable, "-m", "headcount", *command))
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{words} {redirection}"], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("redirection", [">&-", "0<&- >&- 2>&-", "> /dev/full", "> /dev/full 2>&1", "| true"])
def test_results_in_a_file_need_no_standard_output(
    tmp_path: Path, odd_images: dict, tiny_model: str, redirection: str
) -> None:
    path = tmp_path / "out.json"
    image = str(next(iter(odd_images.values()))[0])
    done = run(["count", image, "--model", tiny_model, "--output", str(path)], redirection)
    assert done.returncode == 0
    assert done.stderr == ""
    (row,) = json.loads(path.read_text(encoding="utf-8"))
    assert row["source"] == image


def test_results_for_standard_output_need_one() -> None:
    done = run(["count", "a.jpg", "--output", "-"], ">&-")
    assert done.returncode == 2
    assert (
        done.stderr == "Error: There is no standard output to write the results to: name a file with --output FILE.\n"
    )


@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", "0<&- >&- 2>&-"])
def test_the_version_needs_none(redirection: str) -> None:
    done = run(["--version"], redirection)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_note_that_nobody_can_read_ends_nothing(tmp_path: Path, odd_images: dict, tiny_model: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    image = str(next(iter(odd_images.values()))[0])
    done = run(["count", image, "no.png", "--model", tiny_model], "2> /dev/full")
    assert done.returncode == 1
    assert image.rpartition("/")[2] in done.stdout


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_signals_stop_as_ctrl_c_does(name: str) -> None:
    def wait() -> None:
        with signals_stop() as came:
            try:
                os.kill(os.getpid(), getattr(signal, name))
                time.sleep(10)
            finally:
                assert came == ([] if name == "SIGINT" else [getattr(signal, name)])

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt if name == "SIGINT" else Stopped):
        wait()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_that_shall_be_ignored_is() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_stop() as came:
            os.kill(os.getpid(), signal.SIGHUP)
        assert came == []
    finally:
        signal.signal(signal.SIGHUP, before)
