"""The files of deployment and the examples: what they say exists, and their commands are commands of headcount."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headcount.video.site import Site, read_site

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def containerfile() -> list[tuple[str, str]]:
    """Its instructions, lines joined, without comments."""
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def unit() -> dict[str, list[str]]:
    """The unit's settings, by key."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "headcount-watch.service").read_text(encoding="utf-8").splitlines():
        key, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def documented() -> Iterator[Any]:
    """Every example in YAML of the documentation of watching."""
    for name in ("watch.md", "deploy.md"):
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL), start=1):
            yield pytest.param(block, id=f"{name} {number}")


def test_the_image_copies_what_is_there_and_nothing_else_reaches_it() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = [
        part for word, rest in containerfile() if word == "COPY" and "--from" not in rest for part in rest.split()[:-1]
    ]
    assert copied
    for part in copied:
        assert (ROOT / part).exists(), part
        assert part in allowed
    installed = " ".join(rest for word, rest in containerfile() if word == "RUN")
    (constraint,) = re.findall(r"--constraint (\S+)", installed)
    assert (ROOT / constraint).is_file()
    assert '".[video,serve]"' in installed


def test_the_image_runs_as_nobody_in_particular() -> None:
    words = dict(containerfile())
    assert re.fullmatch(r"\d{4,}:\d{4,}", words["USER"])
    assert [word for word, _ in containerfile()].index("USER") > [word for word, _ in containerfile()].index("RUN")
    assert not [rest for word, rest in containerfile() if word == "ARG"]  # no secret of a build


def test_the_images_command_and_health_check_are_real(run_cli: RunCli) -> None:
    words = dict(containerfile())
    assert json.loads(words["ENTRYPOINT"]) == ["headcount"]
    command = json.loads(words["CMD"])
    # A file that is not there is refused after the options were understood, and before anything is served.
    assert run_cli(*command, "--site", "no-such-site.yaml")[2] == (
        'Error: There is no file "no-such-site.yaml": name the file of a site.\n'
    )
    assert words["EXPOSE"] == command[command.index("--port") + 1]
    check = json.loads(words["HEALTHCHECK"].partition("CMD ")[2])
    (address,) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", check[-1])
    assert address[0] == words["EXPOSE"]
    pytest.importorskip("fastapi", reason="the server needs the serve extra")
    from headcount.serve import app

    assert f'"{address[1]}"' in Path(app.__file__).read_text(encoding="utf-8")
    compile(check[-1], "health check", "exec")


def test_compose_has_the_server_the_database_and_the_broker(compose: dict[str, Any], run_cli: RunCli) -> None:
    services = compose["services"]
    assert set(services) == {"headcount", "database", "broker"}
    own = services["headcount"]
    assert (DEPLOY / own["build"]["context"] / own["build"]["dockerfile"]).is_file()
    assert run_cli(*own["command"])[2] == 'Error: There is no file "/site/site.yaml": name the file of a site.\n'
    assert own["read_only"]
    assert own["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in own["ports"])
    assert "ports" not in services["database"]
    assert "ports" not in services["broker"]
    named = {volume.split(":")[0] for one in services.values() for volume in one["volumes"]}
    for name in named:
        assert name in compose["volumes"] or name.startswith("$") or (DEPLOY / name).exists(), name
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"^#   (\w+)=", text, re.MULTILINE)) == set(re.findall(r"\$\{(\w+)[:?-]", text))


def test_the_composes_site_is_one_and_writes_below_data(compose: dict[str, Any]) -> None:
    site = read_site(DEPLOY / "site.yaml")
    assert site.outputs.database is not None
    assert "@database/" in site.outputs.database.url
    assert "${DATABASE_PASSWORD}" in site.outputs.database.url
    assert "DATABASE_PASSWORD" in compose["services"]["headcount"]["environment"]
    assert site.outputs.mqtt is not None
    assert site.outputs.mqtt.url == "mqtt://broker"
    assert site.outputs.spool.as_posix().startswith("/data/")
    assert "data:/data" in compose["services"]["headcount"]["volumes"]


def test_the_brokers_settings_are_mosquittos(tmp_path: Path) -> None:
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if mosquitto is None:
        pytest.skip("mosquitto is not installed here: make services installs it")
    text = (DEPLOY / "mosquitto.conf").read_text(encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = text.replace("/mosquitto/data/", f"{tmp_path}/").replace("listener 1883", f"listener {port} 127.0.0.1")
    (tmp_path / "mosquitto.conf").write_text(settings, encoding="utf-8")
    # A setting that it does not know ends it at once; otherwise it would go on.
    process = subprocess.Popen([mosquitto, "-c", tmp_path / "mosquitto.conf"], stderr=subprocess.PIPE, text=True)
    try:
        process.wait(timeout=1.5)
    except subprocess.TimeoutExpired:
        return
    finally:
        process.kill()
        _, said = process.communicate()
    assert "Unknown" not in said, said
    assert "Error" not in said, said


def test_the_units_command_is_one_of_headcount(run_cli: RunCli, tmp_path: Path) -> None:
    (command,) = unit()["ExecStart"]
    program, *arguments = shlex.split(command)
    assert program == "/opt/headcount/bin/headcount"
    (credential,) = unit()["LoadCredential"]
    name = credential.partition(":")[0]
    assert f"%d/{name}" in arguments
    given = [one.replace("%d", str(tmp_path)) for one in arguments]
    assert run_cli(*given)[2] == f'Error: There is no file "{tmp_path / name}": name the file of a site.\n'


def test_the_unit_is_hardened_and_started_anew() -> None:
    found = unit()
    for key, value in {
        "Type": "notify", "DynamicUser": "yes", "ProtectSystem": "strict", "StateDirectory": "headcount",
        "NoNewPrivileges": "yes", "Restart": "on-failure", "CapabilityBoundingSet": "",
    }.items():  # fmt: skip
        assert found[key] == [value]
    assert int(found["WatchdogSec"][0]) > 0


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd is not installed here")
    text = (DEPLOY / "headcount-watch.service").read_text(encoding="utf-8")
    path = tmp_path / "headcount-watch.service"
    path.write_text(text.replace("/opt/headcount/bin/headcount", shutil.which("true") or "/bin/true"), encoding="utf-8")
    done = subprocess.run([analyze, "verify", path], capture_output=True, text=True, timeout=60, check=False)
    if "Failed to" in done.stderr and "manager" in done.stderr:
        pytest.skip("systemd-analyze does not run here")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_says_every_key_once_and_is_a_site() -> None:
    site = read_site(ROOT / "examples" / "site.yaml")
    assert site == Site.model_validate(site.model_dump())
    (camera,) = site.cameras
    assert camera.calibration is not None
    assert {zone.unit for zone in camera.zones} == {"pixels", "metres"}


@pytest.mark.parametrize("text", documented())
def test_each_example_of_the_documentation_is_a_site(text: str, tmp_path: Path) -> None:
    values = yaml.safe_load(text)
    if "cameras" not in values:  # a part of one
        camera = {"name": "a", "source": "a.mp4"}
        if set(values) & {"zones", "lines", "calibration", "source"}:
            values = {"cameras": [{**camera, **values}]}
        values = {"name": "place", "cameras": [camera], **values}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    read_site(tmp_path / "site.yaml")


def test_every_key_of_a_site_is_in_the_table_of_the_documentation() -> None:
    from headcount.video import site as settings

    text = (ROOT / "docs" / "watch.md").read_text(encoding="utf-8")
    for kind in vars(settings).values():
        if isinstance(kind, type) and issubclass(kind, settings.Settings) and kind is not settings.Settings:
            for key in kind.model_fields:
                assert f"`{key}`" in text, (kind.__name__, key)


def test_the_example_is_right_on_a_film(
    tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch, run_cli: RunCli
) -> None:
    pytest.importorskip("av", reason="sources are read with PyAV (video extra)")
    from PIL import Image

    from headcount.synth import paint_scene

    text = (ROOT / "examples" / "site.yaml").read_text(encoding="utf-8")
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    frames = tmp_path / read_site(tmp_path / "site.yaml").cameras[0].source
    frames.mkdir(parents=True)
    Image.fromarray(paint_scene(1, size_wh=(1280, 720), count=40).pixels()).save(frames / "000001.jpg")
    monkeypatch.setenv("HEADCOUNT_MODEL", tiny_model)
    monkeypatch.chdir(tmp_path)
    code, out, err = run_cli("watch", "site.yaml", "--check")
    assert (code, err) == (0, "")
    assert "WRONG" not in out
    assert 'ok     zone "queue"   14.0 m²' in out
    assert "off by 0.0" in out
    assert (tmp_path / "site-check" / "west.png").is_file()


def test_the_points_of_the_example_are_those_of_the_film_that_its_command_renders() -> None:
    import numpy as np

    from headcount.synth.rendered.scene import Stage

    text = (ROOT / "examples" / "site.yaml").read_text(encoding="utf-8")
    seed, size, place, weather, people = (
        re.findall(rf"--{option} (\S+)", text)[0] for option in ("seed", "size", "place", "weather", "people")
    )
    width, height = map(int, size.split("x"))
    settings: dict[str, Any] = {"place": place, "weather": weather}
    stage = Stage.of(int(seed), size_wh=(width, height), count=int(people), **settings)
    (camera,) = read_site(ROOT / "examples" / "site.yaml").cameras
    assert camera.calibration is not None
    assert camera.calibration.size_wh == (width, height)
    assert f"rendered-{int(seed):06d}" in camera.source
    for point in camera.calibration.points:
        sent = stage.camera.homography @ np.array([*point.metres, 1.0])
        assert np.allclose(sent[:2] / sent[2], point.pixel, atol=0.1)
