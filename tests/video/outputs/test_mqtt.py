"""MQTT: a real mosquitto, which is killed and started again, and a second client that listens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from headcount.core.errors import InputError
from headcount.video.measurement import OutputStatus
from headcount.video.outputs import Outputs
from headcount.video.outputs.mqtt import Mqtt
from headcount.video.site import MqttSettings

from .receivers import MOSQUITTO, NO_MOSQUITTO, Mosquitto, free_port
from .records import alert, measured, site, status, wait_until


class Listener:
    """A client that writes down what it is told."""

    def __init__(self, port: int, topic: str = "#") -> None:
        self.told: list[tuple[str, str, bool]] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda client, data, message: self.told.append(
            (message.topic, message.payload.decode(), bool(message.retain))
        )
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert subscribed.wait(10)

    def newest(self, topic: str) -> Any:
        """What was told last at a topic, None where nothing was."""
        found = [payload for name, payload, _ in self.told if name == topic]
        if not found:
            return None
        return json.loads(found[-1]) if found[-1].startswith("{") else found[-1]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    made = Listener(broker.port)
    yield made
    made.close()


def connected(broker: Mosquitto, tmp_path: Path, **more: Any) -> Outputs:
    url = f"mqtt://127.0.0.1:{broker.port}"
    outputs = Outputs(site(mqtt={"url": url, **more}), tmp_path, retry_s=0.05)
    wait_until(lambda: output_of(outputs).is_connected)
    return outputs


def output_of(outputs: Outputs) -> Mqtt:
    return next(one for one in outputs._outputs if isinstance(one, Mqtt))


def test_states_are_retained_json(broker: Mosquitto, listener: Listener, tmp_path: Path) -> None:
    outputs = connected(broker, tmp_path)
    outputs.take(measured(40))
    wait_until(lambda: listener.newest("headcount/Fair/north/line/door"))
    outputs.settle()
    late = Listener(broker.port)  # who comes later is told what is so
    wait_until(lambda: late.newest("headcount/Fair/north/line/door"))
    assert all(retained for _, _, retained in late.told)
    assert late.newest("headcount/Fair/availability") == "online"
    assert late.newest("headcount/Fair/north/availability") == "online"
    assert late.newest("headcount/Fair/south/availability") == "offline"  # nothing came of it yet
    view = late.newest("headcount/Fair/north/state")
    assert (view["people"], view["people_low"], view["people_high"], view["skipped"]) == (40, 38, 43, 3)
    assert view["at"] == "2026-05-01T20:00:40Z"
    gate = late.newest("headcount/Fair/north/zone/Main gate")
    assert (gate["people"], gate["density"], gate["density_high"], gate["area_m2"]) == (20, 1.0, 2.0, 20.0)
    assert late.newest("headcount/Fair/north/zone/stage")["density"] is None
    assert late.newest("headcount/Fair/north/line/door")["forward"] == 40
    late.close()
    outputs.close()


def test_an_alert_is_told_and_its_state_retained(broker: Mosquitto, listener: Listener, tmp_path: Path) -> None:
    outputs = connected(broker, tmp_path)
    at_zone, at_camera = "headcount/Fair/north/zone/Main gate/alert", "headcount/Fair/north/alert"
    wait_until(lambda: listener.newest(at_zone) == {"state": "OFF", "level": 0})
    outputs.take(alert(level=2))
    wait_until(lambda: listener.newest("headcount/Fair/alerts"))
    wait_until(lambda: listener.newest(at_zone)["state"] == "ON")
    assert listener.newest(at_zone)["level"] == listener.newest(at_camera)["level"] == 2
    told = listener.newest("headcount/Fair/alerts")
    assert (told["site"], told["alert"]["state"], told["alert"]["id"]) == ("Fair", "raised", "a-1")
    outputs.take(alert("cleared", level=2, second=60))
    wait_until(lambda: listener.newest(at_zone)["state"] == "OFF")
    wait_until(lambda: listener.newest("headcount/Fair/alerts")["alert"]["state"] == "cleared")
    messages = [json.loads(payload) for topic, payload, _ in listener.told if topic == "headcount/Fair/alerts"]
    assert len({message["id"] for message in messages}) == len(messages) == 2
    outputs.close()


def test_a_camera_that_is_not_seen_is_offline(broker: Mosquitto, listener: Listener, tmp_path: Path) -> None:
    outputs = connected(broker, tmp_path)
    topic = "headcount/Fair/north/availability"
    outputs.take(status())
    wait_until(lambda: listener.newest(topic) == "online")
    outputs.take(status("offline"))
    outputs.take(measured(41))  # its last frame, which was still being counted
    wait_until(lambda: listener.newest("headcount/Fair/north/state"))
    wait_until(lambda: listener.newest(topic) == "offline")
    assert [payload for at, payload, _ in listener.told if at == topic][-2:] == ["online", "offline"]
    outputs.take(status())
    wait_until(lambda: listener.newest(topic) == "online")
    outputs.take(status("stale"))  # no frame comes: its last numbers are old, too
    wait_until(lambda: listener.newest(topic) == "offline")
    outputs.close()


def test_goodbye_says_offline(broker: Mosquitto, listener: Listener, tmp_path: Path) -> None:
    outputs = connected(broker, tmp_path)
    outputs.take(measured(1))
    wait_until(lambda: listener.newest("headcount/Fair/north/availability") == "online")
    outputs.close()
    wait_until(lambda: listener.newest("headcount/Fair/availability") == "offline")
    wait_until(lambda: listener.newest("headcount/Fair/north/availability") == "offline")


CHILD = """
import sys, time
from pathlib import Path
from headcount.video.outputs import Outputs
from headcount.video.site import Site
site = Site.model_validate({"name": "Fair", "cameras": [{"name": "north", "source": "n.mp4"}],
                            "outputs": {"database": None, "mqtt": {"url": sys.argv[1]}}})
outputs = Outputs(site, Path(sys.argv[2]))
time.sleep(60)
"""


def test_the_last_will_is_told_when_the_process_is_killed(
    broker: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, f"mqtt://127.0.0.1:{broker.port}", str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        wait_until(lambda: listener.newest("headcount/Fair/availability") == "online", 30)
    finally:
        child.kill()
        child.wait()
    wait_until(lambda: listener.newest("headcount/Fair/availability") == "offline")


def test_home_assistant_finds_everything_by_itself(broker: Mosquitto, listener: Listener, tmp_path: Path) -> None:
    outputs = connected(broker, tmp_path)
    outputs.take(measured(40))
    wait_until(lambda: listener.newest("headcount/Fair/north/line/door"))
    found = {topic: json.loads(text) for topic, text, _ in listener.told if topic.endswith("/config")}
    # Of two cameras people and alert; of each of two zones people and alert; no density without a calibration.
    assert len(found) == 2 * 2 + 2 * 2
    assert len({config["unique_id"] for config in found.values()}) == len(found)
    assert {config["device"]["identifiers"][0] for config in found.values()} == {
        "headcount_Fair_north", "headcount_Fair_south",
    }  # fmt: skip
    for topic, config in found.items():
        _, component, thing, _ = topic.split("/")
        assert component in ("sensor", "binary_sensor")
        assert thing.replace("_", "").replace("-", "").isalnum()
        assert thing.isascii()
        assert config["availability_mode"] == "all"
        for place in config["availability"]:
            assert listener.newest(place["topic"]) in ("online", "offline")
        if "_south" not in thing or component == "binary_sensor":  # every state has a message with what is asked for
            state = listener.newest(config["state_topic"])
            key = config["value_template"].removeprefix("{{ value_json.").removesuffix(" }}")
            assert key in state
    outputs.close()


def test_a_calibrated_camera_has_a_density(broker: Mosquitto) -> None:
    from headcount.video.outputs.discovery import configurations
    from headcount.video.outputs.topics import Topics

    points = [{"pixel": p, "metres": p} for p in ([0, 0], [100, 0], [100, 100], [0, 100])]
    plain = site()
    calibrated = {"points": points, "size_wh": [100, 100]}
    north = plain.cameras[0].model_dump(mode="json") | {"calibration": calibrated}
    changed = plain.model_validate(plain.model_dump(mode="json") | {"cameras": [north]})
    told = [config["name"] for _, config in configurations(changed, Topics("headcount", "Fair"), "homeassistant")]
    assert told == [
        "People", "Alert", "Main gate people", "Main gate density", "Main gate alert", "stage people", "stage density",
        "stage alert",
    ]  # fmt: skip


def test_without_discovery_nothing_is_told_of_it(broker: Mosquitto, listener: Listener, tmp_path: Path) -> None:
    outputs = connected(broker, tmp_path, discovery="")
    wait_until(lambda: listener.newest("headcount/Fair/availability"))
    assert not any(topic.endswith("/config") for topic, _, _ in listener.told)
    outputs.close()


def test_a_broker_that_is_killed_and_comes_back_is_told_everything_again(broker: Mosquitto, tmp_path: Path) -> None:
    told: list[OutputStatus] = []
    url = f"mqtt://me:hidden-word@127.0.0.1:{broker.port}"
    outputs = Outputs(site(mqtt={"url": url}), tmp_path, changed=told.append, retry_s=0.05)
    wait_until(lambda: output_of(outputs).is_connected)
    outputs.take(measured(1))
    broker.stop()
    wait_until(lambda: told and told[-1].state == "failing")
    for number in range(2, 6):
        outputs.take(measured(number))
    for number in range(5):
        outputs.take(alert(name=f"a-{number}"))
    assert outputs.settle()
    assert next(one for one in outputs.statuses() if one.output == "mqtt").waiting == 5
    broker.start()  # it keeps nothing on the disk
    listener = Listener(broker.port)
    wait_until(lambda: told[-1].state == "working", 40)
    wait_until(lambda: next(one for one in outputs.statuses() if one.output == "mqtt").waiting == 0, 40)
    wait_until(lambda: listener.newest("headcount/Fair/availability") == "online")
    assert listener.newest("headcount/Fair/north/state")["people"] == 5  # the newest alone
    assert any(topic.endswith("/config") for topic, _, _ in listener.told)
    alerts = [json.loads(text) for topic, text, _ in listener.told if topic == "headcount/Fair/alerts"]
    assert [one["alert"]["id"] for one in alerts] == [f"a-{number}" for number in range(5)]
    reason = next(one.reason for one in told if one.state == "failing")
    assert f'The broker at "127.0.0.1:{broker.port}"' in reason
    assert "hidden-word" not in reason
    listener.close()
    outputs.close()


def test_user_and_password_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if MOSQUITTO is None:
        pytest.skip(NO_MOSQUITTO)
    (tmp_path / "users").write_text("me:p@ss/word\n")
    subprocess.run(["mosquitto_passwd", "-U", str(tmp_path / "users")], check=True)
    running = Mosquitto(tmp_path, more=f"password_file {tmp_path / 'users'}\nallow_anonymous false\n")
    running.start()
    monkeypatch.setenv("BROKER_PASSWORD", "p@ss/word")
    try:
        for word, expected in (("${BROKER_PASSWORD}", ""), ("wrong", "does not let it in (Not authorized)")):
            url = f"mqtt://me:{word}@127.0.0.1:{running.port}"
            output = Mqtt(MqttSettings(url=url), site(), tmp_path)
            wait_until(lambda output=output: output.is_connected or output.trouble)
            assert expected in output.trouble
            assert word not in output.trouble or not expected
            output.close()
    finally:
        running.stop()


def make_certificate(folder: Path) -> None:
    """An authority, and what it signed for 127.0.0.1."""
    for line in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=authority -days 2",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=127.0.0.1",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
    ):
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)


def test_a_certificate_is_checked(tmp_path: Path) -> None:
    if MOSQUITTO is None:
        pytest.skip(NO_MOSQUITTO)
    make_certificate(tmp_path)
    keys = f"cafile {tmp_path}/ca.pem\ncertfile {tmp_path}/server.pem\nkeyfile {tmp_path}/server.key\n"
    running = Mosquitto(tmp_path, listener=keys)
    running.start()
    try:
        for known, expected in ((Path("ca.pem"), ""), (None, "its certificate is not trusted")):
            url = f"mqtts://127.0.0.1:{running.port}"
            output = Mqtt(MqttSettings(url=url, ca_file=known), site(), tmp_path)
            wait_until(lambda output=output: output.is_connected or output.trouble)
            assert expected in output.trouble
            assert bool(output.trouble) == bool(expected)
            output.close()
    finally:
        running.stop()


@pytest.mark.parametrize("url", ["http://host", "mqtt://", "mqtt://host:99999", "mqtt:host", "mqtt://[::1"])
def test_an_address_of_no_use_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'The "url" of a broker must be mqtt://HOST:PORT'):
        Mqtt(MqttSettings(url=url), site(), tmp_path)


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(InputError, match="cannot be read as certificates"):
            Mqtt(MqttSettings(url="mqtts://127.0.0.1:1", ca_file=Path(name)), site(), tmp_path)


def test_a_broker_that_does_not_answer_is_said_and_holds_up_nobody(tmp_path: Path) -> None:
    begin = time.monotonic()
    output = Mqtt(MqttSettings(url=f"mqtt://127.0.0.1:{free_port()}"), site(), tmp_path)
    output.take(measured(1), None)
    assert time.monotonic() - begin < 5
    wait_until(lambda: "cannot be reached (Connection refused)" in output.trouble)
    output.close()
