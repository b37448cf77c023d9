"""A site's file: its cameras, their calibration, zones and lines, the alerts, the outputs, and what is hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, Field, model_validator

from headcount.core.errors import InputError
from headcount.core.limits import DEFAULT_LEVEL, HIGHEST_LEVEL, LOWEST_LEVEL
from headcount.core.settings import Positive, Settings, checked, complaints
from headcount.core.words import printable

Pair = tuple[float, float]
Unit = Literal["pixels", "metres"]
_MOST_BYTES = 4 * 2**20


def _refuse_signs(name: str) -> str:
    # Names become topics, labels and parts of addresses.
    if not name or name != name.strip() or len(name) > 64 or any(sign in name for sign in "/\\+#\"'\n\r\t"):
        raise ValueError("a name of 1 to 64 letters, without / \\ + # and quotation marks, was expected")
    if printable(name) != name:  # databases take no zero byte, and a name is shown in many places
        raise ValueError("a name of letters that can be shown was expected, but it has others (an escape, a zero byte)")
    return name


Name = Annotated[str, AfterValidator(_refuse_signs)]


def _refuse_wildcards(prefix: str) -> str:
    # A broker ends the connection of who publishes to such a topic.
    if len(prefix) > 200 or prefix != prefix.strip() or any(sign in prefix for sign in "+#"):
        raise ValueError("the beginning of a topic, of at most 200 letters without + and #, was expected")
    if printable(prefix) != prefix:
        raise ValueError("letters that can be shown were expected, but it has others (a line end, an escape)")
    return prefix


Prefix = Annotated[str, AfterValidator(_refuse_wildcards)]


class GroundPoint(Settings):
    """A point on the ground (or at ``height_m`` above it) that is known in the picture and in metres."""

    pixel: Pair
    metres: Pair
    height_m: Annotated[float, Field(ge=0, le=10)] = 0.0


class CalibrationSettings(Settings):
    """How pixels lie on the ground.

    Attributes:
        points: four or more, no three of the first four on a line. All on the ground, or all at one ``height_m``: where
            heads were marked, their height, and no camera has to be worked out.
        size_wh: (width, height) of the picture that they were marked in; frames of another size are scaled.
        person_m: the height at which heads are, above the ground.
        vertical_fov_degrees: what the camera sees from its lower to its upper edge, where it is known. Without it, it
            is worked out from the points, which needs a camera that looks at the ground aslant.
        camera_height_m: how high it hangs; enough for one that looks straight down.
        most_residual_m: the largest distance between a given point and where the fit puts it, above which the
            calibration is refused.
    """

    points: Annotated[tuple[GroundPoint, ...], Field(min_length=4)]
    size_wh: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    person_m: Annotated[float, Field(gt=0, le=3)] = 1.6
    vertical_fov_degrees: Annotated[float, Field(gt=0, lt=170)] | None = None
    camera_height_m: Positive | None = None
    most_residual_m: Positive = 0.5


class AlertSettings(Settings):
    """When a zone raises an alert, and when it is over.

    Attributes:
        measure: what is compared: people per square metre of the zone, the same by Voronoi, people in the fullest
            square metre, or people.
        thresholds: each a level of the ladder, from the lowest to the highest.
        hold_s: how long the measure must stay at or above a threshold.
        clear_at: the share of the threshold that it must fall below…
        clear_s: …for so long.
        cool_down_s: how long after it was cleared the same level is not raised again.
        use: which end of the measure's range is compared: the value itself, or the low or high end.
    """

    measure: Literal["density", "voronoi", "fullest", "people"] = "density"
    thresholds: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=9)] = (2.0, 3.5, 5.0)
    hold_s: Annotated[float, Field(ge=0)] = 10.0
    clear_at: Annotated[float, Field(gt=0, le=1)] = 0.85
    clear_s: Annotated[float, Field(ge=0)] = 30.0
    cool_down_s: Annotated[float, Field(ge=0)] = 120.0
    use: Literal["value", "low", "high"] = "value"

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if any(one >= other for one, other in zip(self.thresholds, self.thresholds[1:], strict=False)):
            raise ValueError("thresholds from the lowest to the highest were expected")
        return self


class ZoneSettings(Settings):
    """A zone.

    Attributes:
        name: its name, once a camera.
        polygon: three corners or more, in order.
        unit: of the corners: ``pixels`` of a picture of the calibration's ``size_wh`` (or of the camera's, where there
            is no calibration), or ``metres`` on the ground.
        drawn: what a polygon in pixels was drawn around: the ``ground`` that people stand on (needs a calibration), or
            ``heads``; None: the ground where the camera is calibrated, else heads.
        alerts: its own ladder; None: the site's. ``false`` in the file: none.
    """

    name: Name
    polygon: Annotated[tuple[Pair, ...], Field(min_length=3, max_length=200)]
    unit: Unit = "pixels"
    drawn: Literal["ground", "heads"] | None = None
    alerts: AlertSettings | Literal[False] | None = None


class LineSettings(Settings):
    """A line that people cross, from its first end to its second; ``unit`` and ``drawn`` as of a zone."""

    name: Name
    ends: tuple[Pair, Pair]
    unit: Unit = "pixels"
    drawn: Literal["ground", "heads"] | None = None


class CameraSettings(Settings):
    """A camera, or what stands for one.

    Attributes:
        name: its name, once a site.
        source: a video file, a folder of frames, ``rtsp://…``, ``http://…`` (MJPEG, HLS), or ``webcam:0``; ``${NAME}``
            is taken from the environment, as for a password.
        frames_per_second: how many frames are measured at most.
        timeout_s: how long no frame may come before the camera counts as stale and is connected to again.
        replay: how fast a file or folder is played: ``live`` as it was filmed, frames that come too fast passed over;
            ``all``: each of the frames that are due, however long it takes.
        folder_fps: frames a second of a folder of frames.
        loop: begin a file or folder again at its end.
        calibration, zones, lines: of this camera.
    """

    name: Name
    source: Annotated[str, Field(min_length=1, max_length=2000)]
    frames_per_second: Annotated[float, Field(gt=0, le=60)] = 1.0
    timeout_s: Annotated[float, Field(ge=1, le=600)] = 10.0
    replay: Literal["live", "all"] = "live"
    folder_fps: Annotated[float, Field(gt=0, le=120)] = 25.0
    loop: bool = False
    calibration: CalibrationSettings | None = None
    zones: tuple[ZoneSettings, ...] = ()
    lines: tuple[LineSettings, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _refuse_twice("zone", [zone.name for zone in self.zones])
        _refuse_twice("line", [line.name for line in self.lines])
        if self.calibration is None:
            shapes: list[tuple[str, ZoneSettings | LineSettings]] = [("zone", zone) for zone in self.zones]
            shapes += [("line", line) for line in self.lines]
            for kind, one in shapes:
                if one.unit == "metres" or one.drawn == "ground":
                    what = "is in metres" if one.unit == "metres" else "is drawn on the ground"
                    raise ValueError(
                        f'the {kind} "{one.name}" of the camera "{self.name}" {what}, which needs a calibration of the '
                        "camera: mark four points of the ground, or draw it around heads in pixels"
                    )
        return self


class DatabaseSettings(Settings):
    """Where measures are kept.

    Attributes:
        url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/NAME``; ``${NAME}`` is taken from the environment.
        keep_days: how long measures are kept; None: for ever.
    """

    url: str = "sqlite:///headcount-watch.sqlite"
    keep_days: Positive | None = None


class MqttSettings(Settings):
    """A broker that is told: ``mqtt://USER:PASSWORD@HOST:PORT`` or ``mqtts://…``.

    Topics are ``PREFIX/SITE/CAMERA/…``; ``discovery`` is Home Assistant's prefix, empty for none. ``ca_file`` holds the
    certificate that the broker's is signed with, where the system does not know it.
    """

    url: str
    prefix: Annotated[Prefix, Field(min_length=1)] = "headcount"
    discovery: Prefix = "homeassistant"
    keep_alive_s: Annotated[int, Field(ge=5, le=600)] = 30
    ca_file: Path | None = None


class WebhookSettings(Settings):
    """An address that records are posted to.

    Attributes:
        url: ``https://…`` or ``http://…``.
        secret: signs each message, so that the receiver can tell it from a stranger's.
        events: what is sent.
    """

    url: str
    secret: str = ""
    events: tuple[Literal["alert", "camera", "measurement", "output"], ...] = ("alert",)


class OutputSettings(Settings):
    """Who is told of what is measured; the files of tables grow at their end."""

    database: DatabaseSettings | None = DatabaseSettings()
    csv: Path | None = None
    jsonl: Path | None = None
    video: Path | None = None
    """A folder, in which each camera's annotated video is written."""
    mqtt: MqttSettings | None = None
    webhooks: tuple[WebhookSettings, ...] = ()
    metrics: Annotated[str, Field(pattern=r"^[^:\s]+:\d{1,5}$")] | None = None
    """HOST:PORT at which Prometheus reads."""
    spool: Path = Path("headcount-spool")
    """A folder, in which records wait for a database or a receiver that is down…"""
    spool_megabytes: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """…so much of them at most, for each."""
    others: dict[str, Any] = Field(default_factory=dict)
    """Outputs of other packages, by name: the settings of each."""


class PrivacySettings(Settings):
    """What is hidden.

    Attributes:
        heads: how heads are hidden in every picture that leaves.
        least_people: numbers of people below it are told as 0 to this number; 1 hides nothing.
        keep_pictures: whether pictures (hidden heads and all) are kept anywhere but in the running server.
    """

    heads: Literal["blur", "pixelate", "off"] = "blur"
    least_people: Annotated[int, Field(ge=1, le=1000)] = 1
    keep_pictures: bool = False


class Site(Settings):
    """A site: everything that one file says."""

    name: Name
    model: str | None = None
    interval: Annotated[float, Field(ge=LOWEST_LEVEL, le=HIGHEST_LEVEL)] = DEFAULT_LEVEL
    cameras: Annotated[tuple[CameraSettings, ...], Field(min_length=1, max_length=64)]
    alerts: AlertSettings | Literal[False] = AlertSettings()
    outputs: OutputSettings = OutputSettings()
    privacy: PrivacySettings = PrivacySettings()

    @model_validator(mode="after")
    def _once(self) -> Self:
        _refuse_twice("camera", [camera.name for camera in self.cameras])
        return self


def _refuse_twice(kind: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f'there are two {kind}s of the name "{name}": give each its own')


def read_site(path: Path) -> Site:
    """A site's file (YAML). Relative paths of sources and outputs in it are below the file's own folder.

    Raises:
        InputError: it cannot be read, or a key or value is not as expected; the message names it.
    """
    return checked(Site, _values(path), str(path))


def problems_of(path: Path) -> list[str]:
    """All keys and values of a site's file that are not as expected, a sentence each.

    Raises:
        InputError: it cannot be read at all.
    """
    return complaints(Site, _values(path), path.name)


def _values(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f'"{path}" has more than {_MOST_BYTES:,} bytes: this is no file of a site.')
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f'There is no file "{path}": name the file of a site.') from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InputError(f'"{path}" cannot be read as YAML ({" ".join(str(error).split())}).') from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError(f'"{path}" holds no table of keys and values: begin with "name:" and "cameras:".')
    return values
