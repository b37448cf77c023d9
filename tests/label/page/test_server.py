"""Starting the server: one for a database, at an address that stays."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from headcount.core.errors import InputError, ModelError
from headcount.label.page.server import held_database, serve_folder
from headcount.label.page.session import Labelling
from headcount.label.page.store import Store
from headcount.web.listen import FIRST_PORT, bound_socket

pytest.importorskip("fastapi", reason="the page needs the label extra")


@pytest.fixture
def start(folder: Path) -> Callable[..., tuple[subprocess.Popen[str], str]]:
    """Starts a server in a process of its own; gives it and its address."""

    def start_one(*options: str) -> tuple[subprocess.Popen[str], str]:
        code = "from headcount.cli.main import main; main()"
        command = [sys.executable, "-c", code, "label", "open", str(folder), "--no-browser", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    return start_one


def test_a_second_server_is_told_where_the_first_is(
    start: Callable[..., tuple[subprocess.Popen[str], str]], folder: Path
) -> None:
    first, address = start()
    try:
        with urllib.request.urlopen(f"{address}api/folder") as answer:
            assert json.load(answer)["images"] == 3
        second, nothing = start()
        assert nothing == ""
        assert second.stderr is not None
        assert (
            f"is open in another server already: use that one, at {address}, or stop it first." in second.stderr.read()
        )
        assert second.wait() == 2
        with pytest.raises(InputError, match=address), held_database(folder / "headcount-labels.sqlite"):
            pass
    finally:
        first.send_signal(signal.SIGTERM)
    assert first.wait() in (0, 143)
    # The same address next time: strokes that wait in a browser are found again there.
    again, later = start()
    again.send_signal(signal.SIGINT)
    assert again.wait() == 0
    assert later == address


def test_other_machines_need_a_token(folder: Path) -> None:
    with pytest.raises(InputError, match="give a token"):
        serve_folder(folder, host="0.0.0.0")
    with pytest.raises(InputError, match="8 to 128 letters and digits"):
        serve_folder(folder, host="0.0.0.0", token="a b")


def test_a_token_is_made_up_and_printed_in_the_link(start: Callable[..., tuple[subprocess.Popen[str], str]]) -> None:
    process, address = start("--host", "0.0.0.0")
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0
    assert len(address.rpartition("/enter/")[2]) == 32


def test_a_model_that_is_not_there_is_said_at_once(folder: Path) -> None:
    with pytest.raises(ModelError, match="headcount-x"):
        serve_folder(folder, model="headcount-x")


def test_ports(folder: Path) -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} is free"):
            bound_socket("127.0.0.1", port)
        with bound_socket("127.0.0.1", None, last=f"http://127.0.0.1:{port}/") as other:
            assert other.getsockname()[1] != port
            assert FIRST_PORT <= other.getsockname()[1] < FIRST_PORT + 50
    with pytest.raises(InputError, match="no address of this machine"):
        bound_socket("nowhere.invalid", 0)


def test_an_address_of_another_machine_is_said_to_be_one() -> None:
    for port in (None, 8321):
        with pytest.raises(InputError, match=r'"192.0.2.1" is no address of this machine: give one of its own'):
            bound_socket("192.0.2.1", port)


def test_another_address_than_last_time_is_said(
    start: Callable[..., tuple[subprocess.Popen[str], str]], folder: Path
) -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        last = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        Store(folder / "headcount-labels.sqlite").set_meta(last_address=last)
        process, address = start()
        process.send_signal(signal.SIGINT)
        assert address != last
        assert f"Last time the address was {last}, but its port is taken: strokes" in process.communicate()[1]
    process, again = start()
    process.send_signal(signal.SIGINT)
    assert again == address
    assert "Last time" not in process.communicate()[1]


def test_a_folder_that_is_none_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        serve_folder(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no image"):
        serve_folder(tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
    (tmp_path / "empty" / "headcount-labels.sqlite").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        serve_folder(tmp_path / "empty")


def test_claims_and_labels_outlive_the_server(folder: Path) -> None:
    first = Labelling(folder, folder / "labels.sqlite")
    first.claim(1, "annannann", "Ann")
    first.close()
    again = Labelling(folder, folder / "labels.sqlite")
    assert again.claim(1, "benbenben", "Ben")["holder"]["person"] == "Ann"
    again.close()
    assert Store(folder / "labels.sqlite").claims() == {1: ("annannann", "Ann", True)}
