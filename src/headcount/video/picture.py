"""The picture of a measured frame as it may leave: heads hidden, and drawn only when somebody asks."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headcount.core.image import RgbImage
from headcount.core.kinds import Hiding
from headcount.core.table import load_object
from headcount.core.words import people, whole_people, with_range
from headcount.draw.privacy import hide_heads
from headcount.draw.text import line_of, write

if TYPE_CHECKING:
    from headcount.core.prediction import Prediction
    from headcount.video.measurement import Amount, LineMeasure, Measurement, ZoneMeasure

_ZONES = "headcount.draw.zones"
_WHITE, _DARK = (255, 255, 255), (15, 15, 15)


class Measured(Protocol):
    """What a frame's measuring gives.

    Attributes:
        measurement: the record.
        prediction: what was counted.
        zones: those of the camera in this picture: ``name`` and ``heads_xy``, polygons (k, 2) in pixels.
        lines: likewise; ``heads_xy`` are the two ends of each.
    """

    @property
    def measurement(self) -> Measurement: ...

    @property
    def prediction(self) -> Prediction: ...

    @property
    def zones(self) -> Sequence[Any]: ...

    @property
    def lines(self) -> Sequence[Any]: ...


class MeasuredPicture:
    """Called, it gives the frame (h, w, 3) with heads hidden. Each kind of picture is made once; any thread may ask.

    Args:
        pixels: (h, w, 3) the frame.
        measured: what was found in it.
        how: how heads are hidden.
        levels: the level of the alert that is raised, by zone; 0 or missing: none.

    Attributes:
        measured: as given.
        levels: as given.
    """

    def __init__(
        self, pixels: RgbImage, measured: Measured, how: Hiding, levels: Mapping[str, int] | None = None
    ) -> None:
        self._pixels, self.measured, self._how = pixels, measured, how
        self.levels = dict(levels or {})
        self._lock = threading.Lock()
        self._hidden: RgbImage | None = None
        self._annotated: RgbImage | None = None

    def __call__(self) -> RgbImage:
        """The frame, heads hidden; not to be changed."""
        with self._lock:
            return self._made()

    def annotated(self) -> RgbImage:
        """The same with zones, their numbers, how many people are in view, and when; not to be changed."""
        with self._lock:
            if self._annotated is None:
                self._annotated = annotate(self._made(), self.measured, self.levels)
            return self._annotated

    def _made(self) -> RgbImage:
        if self._hidden is None:
            self._hidden = hide_heads(self._pixels, self.measured.prediction, self._how)
        return self._hidden


def annotate(picture: RgbImage, measured: Measured, levels: Mapping[str, int]) -> RgbImage:
    """A copy of a picture with its zones, lines and numbers."""
    record = measured.measurement
    texts = {zone.name: _numbers_of(zone) for zone in record.zones}
    make = load_object(f"{_ZONES}:DrawnZone")
    drawn = []
    for zone in measured.zones:
        level = levels.get(zone.name, 0)
        for at, polygon in enumerate(zone.heads_xy):
            # One that the picture's border cuts into parts is named once.
            name, text = ("", "") if at else (zone.name, texts.get(zone.name, ""))
            drawn.append(make(name, polygon, text, level))
    make, crossed = load_object(f"{_ZONES}:DrawnLine"), {line.name: line for line in record.lines}
    lines = [make(line.name, line.heads_xy, _crossings_of(crossed.get(line.name))) for line in measured.lines]
    draw = load_object(f"{_ZONES}:draw_zones")
    shown: RgbImage = draw(picture, drawn, lines=lines, heads_xy=measured.prediction.points_xy)
    _write_numbers(shown, record)
    return shown


def _write_numbers(picture: RgbImage, record: Measurement) -> None:
    """How many people are in view, and when, in the lower left corner."""
    height, width = picture.shape[:2]
    size = int(np.clip(round(width / 40), 11, 48))
    lines = [_in_view(record.people), f"{record.camera}, {record.at:%Y-%m-%d %H:%M:%S} UTC"]
    step = line_of(size) + size // 3
    for number, line in enumerate(lines):
        at = (size // 2, height - step * (len(lines) - number))
        # The pictures' font has no signs beyond Latin ones.
        write(picture, at, line.encode("latin-1", "replace").decode("latin-1"), size, _WHITE, rim=_DARK)


def _numbers_of(zone: ZoneMeasure) -> str:
    density = "" if zone.density is None else f", {zone.density.value:.2f} per m²"
    return _people(zone.people) + density


def _crossings_of(line: LineMeasure | None) -> str:
    return "" if line is None or line.refused else f"{line.forward:,} forward, {line.backward:,} back"


def _in_view(amount: Amount) -> str:
    if amount.is_withheld or amount.low is None or amount.high is None:
        return _people(amount)
    return _people(amount) + with_range((amount.low, amount.high), amount.level).replace("–", " to ")


def _people(amount: Amount) -> str:
    """How many; of too few to be told of, how many there may be at most: a picture is not to say that nobody is."""
    if amount.is_withheld and amount.high is not None:
        return f"0 to {people(whole_people(amount.high))}"
    return people(whole_people(amount.value))
