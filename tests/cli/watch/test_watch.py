"""`headcount watch` as people run it: on real films, in processes of its own, until Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

pytest.importorskip("av", reason="sources are read with PyAV (video extra)")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as Unix does"),
]
RunCli = Callable[..., tuple[int, str, str]]
POINTS = [((100, 90), (0, 0)), ((20, 10), (0, 4)), ((140, 10), (4, 4)), ((150, 90), (3, 0))]
"""No camera of the world, but four points that a plane fits."""


@pytest.fixture
def site(place: Path, tiny_model: str) -> Path:
    """A site of one folder of frames, 160×120, played as fast as it is measured."""
    (place / "frames").mkdir()
    noise = np.random.default_rng(3)
    for number in range(6):
        Image.fromarray(noise.integers(0, 256, (120, 160, 3), dtype=np.uint8)).save(place / "frames" / f"{number}.png")
    write(place, tiny_model)
    return place / "site.yaml"


def write(place: Path, model: str, **more: Any) -> None:
    camera = {
        "name": "door",
        "source": "frames",
        "replay": "all",
        "folder_fps": 5,
        "frames_per_second": 5,
        "zones": [{"name": "mat", "polygon": [[10, 10], [150, 10], [150, 110], [10, 110]]}],
    }
    values = {"name": "hall", "model": model, "cameras": [camera], "outputs": {"database": None}, **more}
    (place / "site.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def run(place: Path, *arguments: str, **settings: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "headcount", "watch", *arguments]
    return subprocess.Popen(command, cwd=place, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings)


def test_a_film_is_watched_to_its_end_and_every_frame_written(site: Path, run_cli: RunCli) -> None:
    code, out, err = run_cli("watch", site, "--output", "out.jsonl")
    assert (code, err) == (0, "")
    lines = [line.partition(" ")[2] for line in out.splitlines()]
    assert lines == ["watching hall: 1 camera", "door: online", "door: ended", "stopped"]
    records = [json.loads(line) for line in (site.parent / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    measured = [one for one in records if one["kind"] == "measurement"]
    assert [one["frame"] for one in measured] == [0, 1, 2, 3, 4, 5]
    assert measured[0]["zones"][0]["name"] == "mat"
    assert measured[0]["zones"][0]["people"]["value"] > 0


def test_once_prints_the_numbers_and_stops(site: Path, run_cli: RunCli) -> None:
    code, out, err = run_cli("watch", site, "--once")
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith("door: ")
    assert first.endswith(" people")
    assert second.startswith("  mat: ")


def test_once_tells_of_a_camera_that_is_away_and_of_the_others(site: Path, tiny_model: str, run_cli: RunCli) -> None:
    values = yaml.safe_load(site.read_text(encoding="utf-8"))
    away = {"name": "away", "source": "rtsp://me:1234@127.0.0.1:9/live", "timeout_s": 1}
    site.write_text(yaml.safe_dump({**values, "cameras": [*values["cameras"], away]}), encoding="utf-8")
    code, out, _ = run_cli("watch", site, "--once")
    assert code == 1
    assert "door: " in out
    assert "away: not measured – " in out
    assert "1234" not in out


def test_an_alert_is_said_on_a_line_of_its_own(site: Path, tiny_model: str, run_cli: RunCli) -> None:
    ladder = {"measure": "people", "thresholds": [0.001], "hold_s": 0.5}
    write(site.parent, tiny_model, alerts=ladder)
    code, out, _ = run_cli("watch", site)
    assert code == 0
    assert "door, mat: ALERT of level 1: " in out
    assert "cleared" in out  # the film is over, so nobody sees what was raised


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_services_stop_end_it_cleanly(site: Path, tiny_model: str, number: signal.Signals) -> None:
    values = yaml.safe_load(site.read_text(encoding="utf-8"))
    values["cameras"][0] |= {"loop": True, "replay": "live"}
    values["outputs"] = {"database": {"url": "sqlite:///numbers.sqlite"}}
    site.write_text(yaml.safe_dump(values), encoding="utf-8")
    process = run(site.parent, "site.yaml")
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(2)]
    assert said[1].endswith("door: online\n")
    time.sleep(1)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.endswith("stopped\n")
    import sqlite3

    with sqlite3.connect(site.parent / "numbers.sqlite") as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        assert any(database.execute(f'select count(*) from "{name}"').fetchone()[0] for name in tables)


def test_a_service_manager_hears_that_it_runs_and_lives(site: Path) -> None:
    import socket

    values = yaml.safe_load(site.read_text(encoding="utf-8"))
    values["cameras"][0] |= {"loop": True, "replay": "live"}
    site.write_text(yaml.safe_dump(values), encoding="utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(site.parent / "notify"))
        manager.settimeout(30)
        environment = {**os.environ, "NOTIFY_SOCKET": str(site.parent / "notify"), "WATCHDOG_USEC": "200000"}
        process = run(site.parent, "site.yaml", env=environment)
        said = manager.recv(1000).decode()
        assert said.startswith("READY=1\nSTATUS=0 of 1 camera online\n")
        lives = [manager.recv(1000).decode() for _ in range(3)]
        assert all("WATCHDOG=1" in one for one in lives)
        process.send_signal(signal.SIGTERM)
        while "STOPPING=1" not in said:
            said = manager.recv(1000).decode()
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_on_a_terminal_it_shows_a_table(site: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "headcount", "watch", "site.yaml"],
        cwd=site.parent, stdout=theirs, stderr=subprocess.PIPE, stdin=theirs, env=environment,
    )  # fmt: skip
    os.close(theirs)
    text = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        text += part
    os.close(ours)
    assert process.wait(timeout=30) == 0
    shown = text.decode("utf-8", "replace")
    assert "camera" in shown
    assert "fullest zone" in shown
    assert "door" in shown
    assert "ended" in shown
    assert "watching hall" not in shown


def test_what_cannot_start_says_why_and_where(site: Path, tiny_model: str, run_cli: RunCli) -> None:
    for text, words in (
        ("name: hall\n", 'the key "cameras" is missing'),
        ("name: hall\ncameras: []\n", "a list of at least 1 value"),
        ("name: hall\ncameras: [{name: a, source: b}]\noutptus: {}\n", 'no key "outptus". Did you mean "outputs"?'),
        ("{", "cannot be read as YAML"),
    ):
        site.write_text(text, encoding="utf-8")
        code, out, err = run_cli("watch", site)
        assert (code, out) == (2, "")
        assert words in err
        assert err.count("\n") == 1
    write(site.parent, tiny_model)
    values = yaml.safe_load(site.read_text(encoding="utf-8"))
    values["cameras"][0]["source"] = "gone.mp4"
    site.write_text(yaml.safe_dump(values), encoding="utf-8")
    code, _, err = run_cli("watch", site)
    assert code == 2
    assert "gone.mp4" in err


def test_options_that_do_not_go_together_are_refused(site: Path, run_cli: RunCli) -> None:
    for arguments, words in (
        (("--check", "--once"), "--check watches nothing"),
        (("--save-dir", "x"), "add --check"),
        (("--output", "x.txt"), "takes a .jsonl or .csv file"),
        (("--output", "no/such/x.csv"), "There is no folder"),
    ):
        code, _, err = run_cli("watch", site, *arguments)
        assert code == 2
        assert words in err


def test_the_first_argument_is_a_file_unless_it_is_a_command(site: Path, run_cli: RunCli) -> None:
    code, out, _ = run_cli("watch", "--help")
    assert code == 0
    assert "headcount watch [OPTIONS] CONFIG" in out
    assert "headcount watch init [OPTIONS] CAMERA" in out
    assert "--check" in out
    code, out, _ = run_cli("watch", "init", "--help")
    assert code == 0
    assert "Usage: headcount watch init [OPTIONS] CAMERA" in out
    code, _, err = run_cli("watch", "inti", "rtsp://camera.example")
    assert (code, err) == (2, 'Error: There is no command and no file "inti". Did you mean "init"?\n')
    code, _, err = run_cli("watch", "--check")
    assert (code, err) == (2, "Error: headcount watch needs CONFIG, which was not given: see headcount watch --help.\n")
    Path("init").write_text(site.read_text(encoding="utf-8"), encoding="utf-8")
    assert run_cli("watch", "./init", "--once")[0] == 0


# The check.


def test_check_prints_what_is_right_and_wrong_and_draws_the_zones(site: Path, run_cli: RunCli) -> None:
    values = yaml.safe_load(site.read_text(encoding="utf-8"))
    bow = {"name": "bow", "polygon": [[0, 0], [100, 100], [100, 0], [0, 100]]}
    second = {"name": "gone", "source": "gone.mp4", "zones": [bow]}
    code, out, err = run_cli("watch", site, "--check")
    assert (code, err) == (0, "")
    assert "ok     source" in out
    assert "note   calibration" in out
    assert "all is right, " in out
    assert "1 picture in site-check" in out
    assert Image.open("site-check/door.png").size == (160, 120)
    assert max(map(len, out.splitlines())) <= 80

    code, _, err = run_cli("watch", site, "--check")
    assert code == 2
    assert "--force" in err
    assert run_cli("watch", site, "--check", "--force")[0] == 0
    assert run_cli("watch", site, "--check", "--save-dir", "elsewhere")[0] == 0

    values["cameras"][0]["zones"].append(bow)
    values["cameras"].append(second)
    site.write_text(yaml.safe_dump(values), encoding="utf-8")
    code, out, err = run_cli("watch", site, "--check", "--force")
    assert code == 1
    assert "WRONG  source" in out
    assert "crosses" in out
    assert "2 faults" in out
    assert err == "Note: 1 camera gave no picture that could be drawn on.\n"
    code, out, _ = run_cli("watch", site, "--check", "--force", "--quiet")
    assert code == 1
    assert "ok " not in out


def test_check_tells_every_key_that_is_wrong(site: Path, run_cli: RunCli) -> None:
    values = yaml.safe_load(site.read_text(encoding="utf-8"))
    values["cameras"][0] |= {"frames_per_secnd": 3, "timeout_s": "long"}
    values["alerts"] = {"thresholds": [3, 2]}
    site.write_text(yaml.safe_dump(values), encoding="utf-8")
    code, out, err = run_cli("watch", site, "--check")
    assert (code, err) == (1, "")
    said = " ".join(out.split())
    assert 'there is no key "cameras.0.frames_per_secnd". Did you mean "frames_per_second"?' in said
    assert "\"cameras.0.timeout_s\" is 'long', but a number was expected." in said
    assert "thresholds from the lowest to the highest were expected" in said
    assert out.endswith("3 faults\n")
    assert not Path("site-check").exists()


# Setting a camera up.


def test_init_takes_a_frame_serves_the_page_and_writes_the_file(site: Path, tiny_model: str) -> None:
    pytest.importorskip("fastapi", reason="the page needs the serve extra")
    import urllib.request

    place = site.parent
    (place / "sites").mkdir()
    process = run(
        place, "init", "frames", "--output", "sites/new.yaml", "--model", tiny_model, "--no-browser", "--name", "gate"
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    try:
        about = json.loads(urllib.request.urlopen(f"{address}api/place", timeout=10).read())
        assert about["size"] == [160, 120]
        assert about["draft"]["name"] == "gate"
        draft = {**about["draft"], "zones": [{"name": "mat", "corners": [[10, 10], [90, 10], [90, 90]]}]}
        body = json.dumps({"draft": draft}).encode()
        request = urllib.request.Request(f"{address}api/save", body, {"content-type": "application/json"})
        answer = json.loads(urllib.request.urlopen(request, timeout=10).read())
        assert answer["next"] == "headcount watch sites/new.yaml --check"
        finish = urllib.request.Request(f"{address}api/finish", b"{}", {"content-type": "application/json"})
        urllib.request.urlopen(finish, timeout=10).read()
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert out == "gate is in sites/new.yaml\n"
    assert "Next: headcount watch sites/new.yaml --check" in err
    written = yaml.safe_load((place / "sites" / "new.yaml").read_text(encoding="utf-8"))
    assert written["cameras"][0]["source"] == "../frames"  # from the folder of the file, where it is looked for


def test_init_changes_a_camera_of_a_site_by_its_name(site: Path, tiny_model: str) -> None:
    pytest.importorskip("fastapi", reason="the page needs the serve extra")
    import urllib.request

    text = site.read_text(encoding="utf-8").replace("name: hall", "name: hall  # as on the sign")
    site.write_text(text, encoding="utf-8")
    process = run(site.parent, "init", "door", "--add", "--output", "site.yaml", "--no-browser")
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    try:
        about = json.loads(urllib.request.urlopen(f"{address}api/place", timeout=10).read())
        assert (about["mode"], about["site"]) == ("change", "hall")
        draft = about["draft"]
        assert [zone["name"] for zone in draft["zones"]] == ["mat"]
        draft["zones"][0]["name"] = "doormat"
        body = json.dumps({"draft": draft}).encode()
        request = urllib.request.Request(f"{address}api/save", body, {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=10).read()
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    now = site.read_text(encoding="utf-8")
    assert "# as on the sign" in now
    (camera,) = yaml.safe_load(now)["cameras"]
    assert camera["zones"][0]["name"] == "doormat"
    assert camera["replay"] == "all"  # what the page does not show stays


def test_init_refuses_what_it_would_overwrite_and_what_it_cannot_see(site: Path, run_cli: RunCli) -> None:
    code, _, err = run_cli("watch", "init", "frames", "--output", site)
    assert code == 2
    assert "--force" in err
    code, _, err = run_cli("watch", "init", "frames", "--output", "other.yaml", "--add")
    assert (code, "there is no" in err) == (2, True)
    code, _, err = run_cli("watch", "init", "gone.mp4", "--output", "other.yaml", "--wait", "1")
    assert code == 2
    assert "gone.mp4" in err
    code, _, err = run_cli("watch", "init", "frames", "--output", "other.txt")
    assert code == 2
