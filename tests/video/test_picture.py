"""The picture of a measured frame: heads hidden, drawn once, zones and numbers on it where they are asked for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from headcount.core.image import RgbImage
from headcount.core.prediction import Prediction
from headcount.draw import privacy
from headcount.draw.zones import colour_of
from headcount.video import picture as module
from headcount.video.measurement import Amount, LineMeasure, Measurement, ZoneMeasure
from headcount.video.picture import MeasuredPicture

AT = datetime(2026, 11, 29, 23, 5, 7, tzinfo=UTC)
SIZE_WH = (640, 480)


@dataclass(frozen=True)
class Shape:
    name: str
    heads_xy: Any


@dataclass(frozen=True)
class Found:
    measurement: Measurement
    prediction: Prediction
    zones: tuple[Shape, ...]
    lines: tuple[Shape, ...]


def found() -> Found:
    hall = ZoneMeasure(name="hall", people=Amount(value=12.4), area_m2=6.0, density=Amount(value=2.07))
    door = LineMeasure(name="door", forward=3, backward=1)
    record = Measurement(
        camera="gate", at=AT, frame=7, size_wh=SIZE_WH, people=Amount(value=30.2, low=25.5, high=38.1, level=0.9),
        zones=(hall,), lines=(door,),
    )  # fmt: skip
    boxes = np.array([[300.0, 200.0, 340.0, 250.0]])
    parts = (
        np.array([[50.0, 100.0], [600.0, 100.0], [600.0, 400.0], [50.0, 400.0]]),
        np.array([[5.0, 410.0], [25.0, 410.0], [25.0, 440.0]]),
    )
    line = Shape("door", np.array([[60.0, 300.0], [500.0, 300.0]]))
    heads = Prediction(1, SIZE_WH, [[320, 225]], "heads", boxes_xyxy=boxes)
    return Found(record, heads, (Shape("hall", parts),), (line,))


def frame() -> RgbImage:
    return np.random.default_rng(1).integers(60, 200, (SIZE_WH[1], SIZE_WH[0], 3), dtype=np.uint8)


def test_heads_are_hidden_in_the_picture_and_in_the_annotated_one() -> None:
    pixels = frame()
    shown = MeasuredPicture(pixels, found(), "pixelate")
    plain, annotated = shown(), shown.annotated()
    np.testing.assert_array_equal(pixels, frame())  # neither is drawn into the frame
    head = np.s_[215:235, 310:330]
    assert (plain[head] != pixels[head]).any(axis=2).mean() > 0.9
    assert np.unique(plain[head].reshape(-1, 3), axis=0).shape[0] <= 9
    np.testing.assert_array_equal(plain[:190], pixels[:190])
    assert np.unique(annotated[head].reshape(-1, 3), axis=0).shape[0] <= 40  # tinted by the zone


def test_each_kind_is_made_once_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    hide = privacy.hide_heads

    def counted(*given: Any) -> RgbImage:
        made.append(1)
        return hide(*given)

    monkeypatch.setattr(module, "hide_heads", counted)
    shown = MeasuredPicture(frame(), found(), "blur")
    pictures: list[RgbImage] = []
    threads = [threading.Thread(target=lambda: pictures.append(shown())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shown.annotated() is shown.annotated()
    assert len(made) == 1
    assert all(picture is pictures[0] for picture in pictures)


def test_nothing_is_drawn_before_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> RgbImage:
        raise AssertionError("nobody asked")

    monkeypatch.setattr(module, "hide_heads", fails)
    assert MeasuredPicture(frame(), found(), "blur").measured.measurement.camera == "gate"


def test_zones_lines_and_numbers_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, Any] = {}
    real = module.load_object

    def load(target: str) -> Any:
        if not target.endswith("draw_zones"):
            return real(target)

        def draw(picture: RgbImage, zones: Any, **named: Any) -> RgbImage:
            drawn.update(zones=zones, **named)
            return picture.copy()

        return draw

    written: list[str] = []
    monkeypatch.setattr(module, "load_object", load)
    monkeypatch.setattr(module, "write", lambda picture, at, text, *_, **__: written.append(text))
    MeasuredPicture(frame(), found(), "blur", {"hall": 2}).annotated()
    texts = [(zone.name, zone.text, zone.level) for zone in drawn["zones"]]
    assert texts == [("hall", "12 people, 2.07 per m²", 2), ("", "", 2)]  # of two parts the first is named
    assert [(line.name, line.text) for line in drawn["lines"]] == [("door", "3 forward, 1 back")]
    assert written == ["30 people, 90 %: 25 to 39", "gate, 2026-11-29 23:05:07 UTC"]


def test_a_zones_colour_is_that_of_its_alert() -> None:
    calm = MeasuredPicture(frame(), found(), "off").annotated().astype(int)
    alarm = MeasuredPicture(frame(), found(), "off", {"hall": 3}).annotated().astype(int)
    edge = np.s_[200:390, 600]
    assert np.abs(alarm[edge] - colour_of(3)).sum(axis=1).min() < 60
    assert np.abs(calm[edge] - colour_of(3)).sum(axis=1).min() > 60


def test_a_line_whose_crossings_are_refused_has_no_number() -> None:
    assert module._crossings_of(LineMeasure(name="door", refused="Heads are too far between frames.")) == ""
    assert module._crossings_of(None) == ""


def test_of_too_few_people_a_picture_says_how_many_there_may_be_and_not_that_nobody_is() -> None:
    few = Amount(value=0, low=0, high=9)
    assert module._in_view(few) == "0 to 9 people"
    assert module._numbers_of(ZoneMeasure(name="hall", people=few, area_m2=6.0)) == "0 to 9 people"
    nobody = Amount(value=0, low=0, high=3.2, level=0.9)
    assert module._in_view(nobody) == "0 people, 90 %: 0 to 4"
    assert module._numbers_of(ZoneMeasure(name="hall", people=Amount(value=0))) == "0 people"
