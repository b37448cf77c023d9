"""What Home Assistant is told of a site, so that it shows cameras and zones by itself (MQTT discovery).

One device a camera; of it the number of people in view, and of each zone people, density and whether an alert is
raised. Each is told at ``PREFIX/COMPONENT/OBJECT/config``, retained.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any

import headcount
from headcount.video.outputs.topics import Topics
from headcount.video.site import CameraSettings, Site

_ORIGIN = {"name": "headcount", "sw_version": headcount.__version__}


def configurations(site: Site, topics: Topics, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(topic, what is told there) of everything that a site measures."""
    for camera in site.cameras:
        for component, thing, config in _of_camera(camera, topics):
            unique = plain(f"headcount_{site.name}_{camera.name}_{thing}")
            common = {
                "unique_id": unique,
                "origin": _ORIGIN,
                "availability": [{"topic": topics.availability}, {"topic": topics.camera_availability(camera.name)}],
                "availability_mode": "all",
                "device": {
                    "identifiers": [plain(f"headcount_{site.name}_{camera.name}")],
                    "name": f"{site.name} {camera.name}",
                    "manufacturer": "headcount",
                    "model": "camera",
                    "sw_version": headcount.__version__,
                },
            }
            yield f"{prefix}/{component}/{unique}/config", common | config


def _of_camera(camera: CameraSettings, topics: Topics) -> Iterator[tuple[str, str, dict[str, Any]]]:
    state = topics.camera(camera.name)
    yield "sensor", "people", _number("People", state, "people", "people", "mdi:account-group", 0)
    yield "binary_sensor", "alert", _alert("Alert", topics.alert(camera.name))
    for zone in camera.zones:
        state = topics.zone(camera.name, zone.name)
        yield (
            "sensor",
            f"{zone.name}_people",
            _number(f"{zone.name} people", state, "people", "people", "mdi:account-group", 0),
        )
        if camera.calibration is not None:
            yield (
                "sensor",
                f"{zone.name}_density",
                _number(f"{zone.name} density", state, "density", "people/m²", "mdi:account-multiple", 2),
            )
        yield "binary_sensor", f"{zone.name}_alert", _alert(f"{zone.name} alert", topics.alert(camera.name, zone.name))


def _number(name: str, topic: str, key: str, unit: str, icon: str, digits: int) -> dict[str, Any]:
    return {
        "name": name,
        "state_topic": topic,
        "value_template": f"{{{{ value_json.{key} }}}}",
        "json_attributes_topic": topic,
        "unit_of_measurement": unit,
        "state_class": "measurement",
        "suggested_display_precision": digits,
        "icon": icon,
    }


def _alert(name: str, topic: str) -> dict[str, Any]:
    return {
        "name": name,
        "state_topic": topic,
        "value_template": "{{ value_json.state }}",
        "json_attributes_topic": topic,
        "payload_on": "ON",
        "payload_off": "OFF",
        "device_class": "safety",
    }


def plain(text: str) -> str:
    """A name in the letters that discovery takes, and still its own: what was changed leaves a mark.

    >>> plain("headcount_Fair_north"), plain("a b") != plain("a-b")
    ('headcount_Fair_north', True)
    """
    changed = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    return changed if changed == text else f"{changed}_{zlib.crc32(text.encode()):08x}"
