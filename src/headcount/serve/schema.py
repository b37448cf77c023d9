"""What the server answers, as pydantic models: the OpenAPI document is made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from headcount.video.history import Point
from headcount.video.measurement import AlertEvent, CameraStatus, Measurement, OutputStatus

_POINT = [812.5, 301.25]


class Told(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


class Problem(Told):
    """Why a request was not done, in a sentence."""

    detail: str = Field(examples=["All places are taken: try again in 2 s."])


class Heat(Told):
    """A coarse density map."""

    cell_px: int = Field(description="Side of a cell in pixels of the image.", examples=[16])
    people: list[list[float]] = Field(description="People in each cell, rows from the top.", examples=[[[0.1, 0.4]]])


class Count(Told):
    """What the model says of an image: `Prediction.to_dict` of the Python library."""

    source: str = Field(description="The name of the uploaded file, where it has one.", examples=["square.jpg"])
    model: str = Field(examples=["headcount-s"])
    terms: str = Field(description="On what terms the model's weights may be used.", examples=["research only"])
    runtime: str = Field(examples=["openvino cpu int8"])
    count: float = Field(description="People in the image.", examples=[117.313])
    people: int = Field(description="The count as a whole number.", examples=[117])
    interval: tuple[float, float] | None = Field(
        description="The range that the true number lies in, where the model has one.", examples=[[101.2, 139.8]]
    )
    interval_level: float | None = Field(description="With what chance it does.", examples=[0.9])
    counts: dict[str, float] = Field(description="What each part of a fused model counts.", examples=[{}])
    region: dict[str, Any] | None = None
    size_wh: tuple[int, int] = Field(description="Width and height of the upright image.", examples=[[1920, 1080]])
    points_kind: Literal["heads", "peaks", "none"]
    points_xy: list[tuple[float, float]] = Field(description="In pixels.", examples=[[_POINT]])
    scores: list[float] | None = Field(examples=[[0.93]])
    boxes_xyxy: list[tuple[float, float, float, float]] | None = Field(examples=[[[800, 290, 825, 318]]])
    boxes_kind: Literal["heads", "parts"] | None
    timing_ms: dict[str, float] = Field(examples=[{"read": 8.1, "network": 301.4, "decode": 4.2, "total": 313.7}])
    warnings: list[str] = Field(description="What the reader of the number should know.", examples=[[]])
    density: dict[str, Any] | None = Field(
        default=None, description="Size and sum of the density map.", examples=[{"stride": 8, "sum": 117.313}]
    )
    heat: Heat | None = Field(default=None, description="Where `heat=true` was asked for and the model has a density.")


class Model(Told):
    """A model that the server has open."""

    name: str = Field(examples=["headcount-s"])
    terms: str = Field(description="On what terms its weights may be used.")
    pictures: list[str] = Field(description="What overlays can show.", examples=[["points", "boxes", "density"]])


class About(Told):
    """What this server is."""

    version: str
    models: list[Model] = Field(description="The first is the one where none is asked for; empty until one is open.")
    site: str | None = Field(description="The name of the site that is watched.")
    folders: list[str] = Field(description="Folders of this machine that jobs may read.")
    most_bytes: int = Field(description="Of one image.")
    most_pixels: int
    deadline_s: float
    queue: int


class JobState(Told):
    """A job."""

    id: str = Field(examples=["k3v9x0a2m4"])
    state: Literal["waiting", "running", "done", "failed"]
    reason: str = Field(default="", description="Why it failed.")
    made_at: datetime
    ended_at: datetime | None = None
    deleted_after: datetime | None = Field(default=None, description="When it is thrown away.")
    model: str
    every_s: float
    files: int = Field(description="Files to be counted.")
    files_done: int = 0
    counted: int = Field(default=0, description="Images and frames that were counted.")
    problems: int = Field(default=0, description="Those that could not be.")
    notes: list[str] = []


class Jobs(Told):
    """All jobs that are kept, the newest first."""

    jobs: list[JobState]


class FolderJob(BaseModel):
    """A job on a folder or a file of the server's machine, which must lie below a folder that its operator allowed."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[str, Field(min_length=1, max_length=4096, examples=["/data/photos/2026-11-28"])]
    recursive: bool = False
    model: Annotated[str, Field(max_length=200)] = ""
    every_s: Annotated[float, Field(gt=0, le=86400, description="Seconds between the frames of a video.")] = 1.0


class ZoneShape(Told):
    """A zone as it lies in the picture."""

    name: str
    polygon: list[tuple[float, float]] = Field(description="Corners as shares of the picture's width and height.")


class ZoneLevel(Told):
    """How full a zone is by its thresholds."""

    name: str
    level: int = Field(description="How many of its thresholds are reached now; 0: none.")
    levels: int = Field(description="How many thresholds it has.")


class Camera(Told):
    """A camera now."""

    name: str
    status: CameraStatus
    measurement: Measurement | None = Field(description="The newest; None before the first one.")
    age_s: float | None = Field(description="Seconds since the newest measurement came.")
    levels: list[ZoneLevel]
    has_picture: bool


class Cameras(Told):
    """All cameras of the site, in the order of its file."""

    cameras: list[Camera]


class Marks(Told):
    """What lies over the newest picture of a camera; all places are shares of its width and height."""

    at: datetime | None
    points: list[tuple[float, float]] = []
    heat: list[list[float]] | None = Field(default=None, description="People in each cell, rows from the top.")
    zones: list[ZoneShape] = []


class Alert(Told):
    """A breach: raised, maybe cleared, maybe acknowledged."""

    id: str
    raised: AlertEvent
    cleared: AlertEvent | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""


class Alerts(Told):
    """Alerts, the newest first."""

    alerts: list[Alert]


class Acknowledgement(BaseModel):
    """Who has seen an alert."""

    model_config = ConfigDict(extra="forbid")

    who: Annotated[str, Field(max_length=64, examples=["control room"])] = ""


class History(Told):
    """A camera over time, the oldest point first: single frames, or means where there are more than were asked for."""

    camera: str
    since: datetime
    until: datetime
    points: list[Point]


class Monitor(Told):
    """The process that watches the cameras."""

    state: Literal["none", "starting", "running", "down"]
    since: datetime
    reason: str = ""
    starts: int = 0


class Live(Told):
    """All that is known now: what `/api/live` tells first."""

    site: str
    monitor: Monitor
    cameras: list[Camera]
    alerts: list[Alert]
    outputs: list[OutputStatus]


class Health(Told):
    """Whether the server is alive."""

    status: Literal["alive"] = "alive"


class Readiness(Told):
    """Whether the server can count now."""

    status: Literal["ready", "starting", "failed", "stopping"]
    reason: str = ""
    waiting: int = Field(description="Requests that wait.")
    places: int
