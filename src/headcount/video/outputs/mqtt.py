"""A broker (MQTT 3.1.1): what is measured now as retained states, alerts as messages, and a last will.

States tell what is so now: the newest of each is sent again after the connection was lost, older ones are not. Alerts
are told at quality of service 1, and wait on the disk until the broker has them.
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from headcount.core.errors import InputError
from headcount.video.measurement import AlertEvent, CameraStatus, Measurement, Record
from headcount.video.outputs.columns import flat, flat_line, iso
from headcount.video.outputs.discovery import configurations
from headcount.video.outputs.environment import filled
from headcount.video.outputs.spool import Waiting
from headcount.video.outputs.table import OutputDownError, Picture
from headcount.video.outputs.topics import Topics
from headcount.video.site import MqttSettings, Site

_ANSWER_S = 10.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Mqtt:
    """Tells a broker.

    Raises:
        InputError: the address is none of a broker, or the certificate's file cannot be read. A broker that cannot be
            reached now raises nothing.

    Attributes:
        trouble: why it is not connected, in a sentence; empty while it is, or while it is tried for the first time.
    """

    name = "mqtt"

    def __init__(self, settings: MqttSettings, site: Site, folder: Path) -> None:
        self._settings, self._site = settings, site
        self.topics = Topics(settings.prefix, site.name)
        self.trouble = ""
        self._lock = threading.Lock()
        self._states: dict[str, str] = {}
        self._open: dict[str, AlertEvent] = {}
        self._sent: tuple[str, paho.MQTTMessageInfo] | None = None
        for camera in site.cameras:
            self._note_alerts(camera.name, [None, *(zone.name for zone in camera.zones)])
            self._states[self.topics.camera_availability(camera.name)] = "offline"
        self._client = self._connect(folder)

    def take(self, record: Record, picture: Picture | None) -> None:
        """Tell what is so now."""
        with self._lock:  # while states are told, so that none is told after a newer one
            before = dict(self._states)
            if isinstance(record, Measurement):
                self._states |= _of_measurement(record, self.topics)
                self._states[self.topics.camera_availability(record.camera)] = "online"
            elif isinstance(record, CameraStatus):
                is_seen = record.state in ("online", "stale")
                self._states[self.topics.camera_availability(record.camera)] = "online" if is_seen else "offline"
            elif isinstance(record, AlertEvent):
                self._open[record.id] = record
                if record.state == "cleared":
                    del self._open[record.id]
                self._note_alerts(record.camera, [None, *([record.zone] if record.zone else [])])
            if self._client.is_connected():
                for topic, text in self._states.items():
                    if before.get(topic) != text:
                        self._client.publish(topic, text, retain=True)

    def wants(self, record: Record) -> bool:
        """Alerts."""
        return isinstance(record, AlertEvent)

    def deliver(self, waiting: Sequence[Waiting]) -> int:
        """Tell alerts, each once the broker has the one before."""
        taken = 0
        for one in waiting:
            if not self._tell_alert(one):
                if not taken:
                    raise OutputDownError(self.trouble or f"{self._shown} does not answer.")
                break
            taken += 1
        return taken

    def close(self) -> None:
        """Say goodbye: nothing is watched any more."""
        if self._client.is_connected():
            gone = [self.topics.availability, *map(self.topics.camera_availability, self._names)]
            told = [self._client.publish(topic, "offline", qos=1, retain=True) for topic in gone]
            end = time.monotonic() + 2
            for one in told:
                with suppress(ValueError, RuntimeError):
                    one.wait_for_publish(max(0.0, end - time.monotonic()))
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def is_connected(self) -> bool:
        """Whether the broker hears it now."""
        return self._client.is_connected()

    @property
    def _names(self) -> list[str]:
        return [camera.name for camera in self._site.cameras]

    @property
    def _shown(self) -> str:
        return f'The broker at "{self._host}:{self._port}"'

    def _connect(self, folder: Path) -> paho.Client:
        url = filled(self._settings.url, "url")
        try:
            address = urlsplit(url)
            self._host, self._port = address.hostname or "", address.port or _PORTS.get(address.scheme, 0)
        except ValueError:
            self._host, self._port = "", 0
        if not self._host or not self._port or address.scheme not in _PORTS:
            raise InputError('The "url" of a broker must be mqtt://HOST:PORT or mqtts://HOST:PORT.')
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"headcount-{uuid4().hex[:12]}")
        if address.username is not None:
            client.username_pw_set(unquote(address.username), unquote(address.password or ""))
        if address.scheme == "mqtts":
            client.tls_set_context(_tls(self._settings.ca_file and folder / self._settings.ca_file))
        client.will_set(self.topics.availability, "offline", qos=1, retain=True)
        client.reconnect_delay_set(1, 30)
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.connect_timeout = 5
        client.connect_async(self._host, self._port, keepalive=self._settings.keep_alive_s)
        client.loop_start()
        return client

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self.trouble = f"{self._shown} does not let it in ({code})."
            return
        client.publish(self.topics.availability, "online", qos=1, retain=True)
        if self._settings.discovery:
            for topic, config in configurations(self._site, self.topics, self._settings.discovery):
                client.publish(topic, _json(config), qos=1, retain=True)
        with self._lock:
            for topic, text in self._states.items():
                client.publish(topic, text, retain=True)
        self.trouble = ""

    def _on_connect_fail(self, client: paho.Client, data: Any) -> None:
        error = sys.exception()  # paho calls this while it handles it
        self.trouble = f"{self._shown} cannot be reached ({_reason(error)})."

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, code: Any, properties: Any) -> None:
        if not self.trouble:  # why it was not let in says more
            self.trouble = f"{self._shown} is gone ({code})."

    def _tell_alert(self, waiting: Waiting) -> bool:
        """Whether the broker has it. One that was sent and not acknowledged is not sent anew: paho does that itself."""
        if self._sent is None or self._sent[0] != waiting.id:
            if not self._client.is_connected():
                return False
            told = {"id": waiting.id, "site": self._site.name, "alert": waiting.record.model_dump(mode="json")}
            self._sent = waiting.id, self._client.publish(self.topics.alerts, _json(told), qos=1)
        sent = self._sent[1]
        if sent.rc == paho.MQTT_ERR_NO_CONN:  # paho has it, and sends it once it is connected again
            sent.rc = paho.MQTT_ERR_SUCCESS
        if sent.rc != paho.MQTT_ERR_SUCCESS:
            self._sent = None
            return False
        sent.wait_for_publish(_ANSWER_S)
        return sent.is_published()

    def _note_alerts(self, camera: str, zones: Sequence[str | None]) -> None:
        for zone in zones:
            found = [one for one in self._open.values() if one.camera == camera and zone in (None, one.zone)]
            told: dict[str, Any] = {
                "state": "ON" if found else "OFF",
                "level": max((a.level for a in found), default=0),
            }
            if found:
                told["since"] = iso(min(one.at for one in found))
            self._states[self.topics.alert(camera, zone)] = _json(told)


def _of_measurement(record: Measurement, topics: Topics) -> dict[str, str]:
    """Topic → what is told there."""
    at = {"at": iso(record.at)}
    states = {
        topics.camera(record.camera): at
        | _rounded(flat("people", record.people) | flat("trend_per_min", record.trend_per_min))
        | {"frame": record.frame, "skipped": record.skipped, "latency_ms": round(record.latency_ms, 1)}
    }
    for zone in record.zones:
        told = {**flat("people", zone.people), **flat("density", zone.density), **flat("voronoi", zone.voronoi)}
        told |= {**flat("fullest", zone.fullest), "area_m2": zone.area_m2, **flat("trend_per_min", zone.trend_per_min)}
        states[topics.zone(record.camera, zone.name)] = at | _rounded(told)
    for line in record.lines:
        states[topics.line(record.camera, line.name)] = at | _rounded(flat_line(line))
    return {topic: _json(told) for topic, told in states.items()}


def _rounded(values: dict[str, float | None]) -> dict[str, float | None]:
    return {key: None if value is None else round(value, 3) for key, value in values.items()}


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Certificates are checked, and the name of the host."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise InputError(f'"{ca_file}" cannot be read as certificates ({error.strerror or error}).') from error


def _reason(error: BaseException | None) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return str(getattr(error, "strerror", None) or error or "no answer")


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False)
