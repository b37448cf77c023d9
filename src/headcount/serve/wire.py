"""What the process that watches the cameras and the server say to each other: plain data through a pipe."""

from __future__ import annotations

from dataclasses import dataclass, field

Corners = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A record (``headcount.video.measurement.Record``) as JSON."""

    record: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest picture of a camera, heads hidden as the site says, and what lies over it.

    Attributes:
        camera: its name.
        at: when it was taken, in ISO 8601.
        jpeg: the picture.
        points: heads or peaks, as shares of the picture's width and height.
        heat: people in cells of a coarse density map, rows from the top; None where the model has none.
        zones: name and corners, as shares.
    """

    camera: str
    at: str
    jpeg: bytes
    points: Corners = ()
    heat: list[list[float]] | None = None
    zones: tuple[tuple[str, Corners], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Running:
    """It watches."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """It cannot go on, and why, in a sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """To the watcher: somebody looks at a camera; its pictures are sent for a while."""

    camera: str


LOOKED_AT_S = 15.0
"""How long pictures are sent after somebody looked."""

FromWatcher = Told | Seen | Running | Stopped
