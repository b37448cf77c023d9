"""What is measured of a camera, and what is told of it: the records that every output takes and the server shows.

They are plain data: ``model_dump(mode="json")`` writes them and ``model_validate`` reads them. Times are in UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
CameraState = Literal["starting", "online", "stale", "offline", "ended"]
"""``starting``: no frame yet. ``online``: frames come. ``stale``: the connection stands, but no frame came for longer
than the camera's ``timeout_s``. ``offline``: it cannot be reached, and is tried again. ``ended``: a file was read to
its end."""


class _Record(BaseModel):
    """A record: nothing in it changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Amount(_Record):
    """A measured number with the range that the true one lies in.

    Attributes:
        value: what was measured.
        low, high: the range's ends, or None where the model has no range.
        level: with what chance the true number lies in it, as in 0.9; None where there is no range.
    """

    value: Finite
    low: Finite | None = None
    high: Finite | None = None
    level: Finite | None = None

    @property
    def is_withheld(self) -> bool:
        """Whether it tells only that there are fewer people than may be told of: nobody, or up to ``high``."""
        return self.value == 0 and self.high is not None and self.level is None

    def times(self, factor: float) -> Amount:
        """All of it times a number that is not below 0, as one over an area.

        >>> Amount(value=10, low=8, high=14, level=0.9).times(0.5)
        Amount(value=5.0, low=4.0, high=7.0, level=0.9)
        """
        return Amount(
            value=self.value * factor,
            low=None if self.low is None else self.low * factor,
            high=None if self.high is None else self.high * factor,
            level=self.level,
        )


class ZoneMeasure(_Record):
    """What was measured in a zone.

    Attributes:
        name: of the zone.
        people: in it.
        area_m2: the area of its part in view on the ground, in square metres; None without a calibration.
        density: people per square metre of that area (classic); None without a calibration.
        voronoi: the same, of the ground that is nearer to each head than to any other (Voronoi); None where heads
            cannot be told apart.
        fullest: people in the fullest square metre.
        fullest_xy_m: the middle of that square metre, in metres on the ground.
        trend_per_min: by how many people a minute the zone fills (above 0) or empties; None until enough was seen.
        refused: why something above is None, by its name, in a sentence each.
    """

    name: str
    people: Amount
    area_m2: Finite | None = None
    density: Amount | None = None
    voronoi: Amount | None = None
    fullest: Amount | None = None
    fullest_xy_m: tuple[Finite, Finite] | None = None
    trend_per_min: Amount | None = None
    refused: dict[str, str] = Field(default_factory=dict)


class LineMeasure(_Record):
    """Who crossed a line in the last minute (or since the camera came online, if that is shorter).

    Attributes:
        name: of the line.
        forward, backward: crossings so far since the start, from the line's left to its right as seen from its first
            end to its second one, and the other way.
        forward_per_min, backward_per_min: crossings a minute, of the last minute; None until ten seconds were seen.
        flow_per_m_min: crossings both ways a metre (of the part in view) and minute; None without a calibration.
        forward_range_per_min, backward_range_per_min, flow_range_per_m_min: (low, high) of each; None where the model
            has none.
        level: with what chance the true number lies in its range; None where there is none.
        refused: why heads cannot be followed here (too far between frames, too few told apart), in a sentence; the
            numbers a minute are None then.
    """

    name: str
    forward: int = 0
    backward: int = 0
    forward_per_min: Finite | None = None
    backward_per_min: Finite | None = None
    flow_per_m_min: Finite | None = None
    forward_range_per_min: tuple[Finite, Finite] | None = None
    backward_range_per_min: tuple[Finite, Finite] | None = None
    flow_range_per_m_min: tuple[Finite, Finite] | None = None
    level: Finite | None = None
    refused: str = ""


class Measurement(_Record):
    """One frame of a camera, measured.

    Attributes:
        camera: its name.
        at: when the frame was taken: when it came, of a live camera; the film's own time, of a replay.
        frame: its number, from 0, of those that came (the skipped ones count).
        size_wh: (width, height) of the frame in pixels.
        people: in view.
        trend_per_min: by how many people a minute the view fills or empties.
        zones, lines: in the order of the site's file.
        model: what counted.
        latency_ms: from the frame's coming to this record.
        skipped: frames passed over so far because a newer one was there.
        warnings: what the reader of the numbers should know.
    """

    kind: Literal["measurement"] = "measurement"
    camera: str
    at: datetime
    frame: Annotated[int, Field(ge=0)]
    size_wh: tuple[int, int]
    people: Amount
    trend_per_min: Amount | None = None
    zones: tuple[ZoneMeasure, ...] = ()
    lines: tuple[LineMeasure, ...] = ()
    model: str = ""
    latency_ms: Finite = 0.0
    skipped: int = 0
    warnings: tuple[str, ...] = ()


class CameraStatus(_Record):
    """How a camera does; told whenever its state changes.

    Attributes:
        camera: its name.
        state: see ``CameraState``.
        since: when that began.
        reason: why it is not online, in a sentence; or why its frames cannot be measured. Empty where all is well.
        frames, skipped, reconnects: so far, since the start.
        damaged: frames that could not be decoded, so far.
        last_frame_at: when the newest frame came; None before the first one.
    """

    kind: Literal["camera"] = "camera"
    camera: str
    state: CameraState
    since: datetime
    reason: str = ""
    frames: int = 0
    skipped: int = 0
    reconnects: int = 0
    last_frame_at: datetime | None = None
    damaged: int = 0


class AlertEvent(_Record):
    """A threshold was crossed for long enough, or the alert is over.

    Attributes:
        id: of the breach: the same in its ``raised`` and its ``cleared``.
        camera, zone: where; the zone is empty for the camera's whole view.
        measure: what was compared, as in ``density``.
        level: the threshold's place on the ladder, from 1.
        threshold: its value, in the measure's unit.
        state: ``raised`` or ``cleared``.
        at: when.
        value: the measure then.
        peak: the largest value since it was raised.
        reason: why it was cleared: it fell below the clear level, or what was watched is not seen any more.
    """

    kind: Literal["alert"] = "alert"
    id: str
    camera: str
    zone: str = ""
    measure: str
    level: int
    threshold: Finite
    state: Literal["raised", "cleared"]
    at: datetime
    value: Finite
    peak: Finite
    reason: str = ""


class OutputStatus(_Record):
    """How an output does; told whenever its state changes.

    Attributes:
        output: its name, as in ``database``.
        state: ``working``, or ``failing`` while what it should take waits on the disk or is lost.
        since: when that began.
        reason: why it fails, in a sentence.
        waiting: records that wait on the disk for it.
        lost: records that it never took.
    """

    kind: Literal["output"] = "output"
    output: str
    state: Literal["working", "failing"]
    since: datetime
    reason: str = ""
    waiting: int = 0
    lost: int = 0


Record = Annotated[Measurement | CameraStatus | AlertEvent | OutputStatus, Field(discriminator="kind")]
"""What outputs take."""
