"""Forward is the same everywhere: who walks along the arrow that is drawn is counted as forward."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from headcount.core.prediction import Prediction
from headcount.draw.zones import DrawnLine, draw_zones
from headcount.video.measure import Measurer
from headcount.video.site import CalibrationSettings, CameraSettings, GroundPoint, LineSettings

from .places import METRES, SIZE_WH, pixels_of

START = datetime(2026, 5, 1, tzinfo=UTC)
ENDS = ((-2.0, 8.0), (2.0, 8.0))


def calibration(turned: int) -> CalibrationSettings:
    """``turned``: 1 where y is counted ahead, −1 where it is counted towards the viewer."""
    return CalibrationSettings(
        points=tuple(
            GroundPoint(pixel=(float(u), float(v)), metres=(x, turned * y))
            for (u, v), (x, y) in zip(pixels_of(METRES), METRES, strict=True)
        ),
        size_wh=SIZE_WH,
    )


def arrow_of(ends_xy: Any) -> Any:
    """The way that the drawn arrow points, by what it adds to a picture with the line alone."""
    gray = np.full((SIZE_WH[1], SIZE_WH[0], 3), 90, np.uint8)
    drawn = draw_zones(gray, lines=[DrawnLine("", np.array(ends_xy, float))])
    rows, columns = np.nonzero((drawn != gray).any(axis=2))
    along = np.subtract(ends_xy[1], ends_xy[0])
    aside = np.array([-along[1], along[0]]) / np.hypot(*along)
    away = (np.stack([columns, rows], axis=1) - np.mean(ends_xy, axis=0)) @ aside
    return aside * (1 if away.max() > -away.min() else -1)


def crossings(camera: CameraSettings, way: Any) -> tuple[int, int]:
    """How often somebody crosses forward and backward who walks along ``way`` over the line's middle."""
    measurer = Measurer(camera)
    middle = pixels_of(np.mean(ENDS, axis=0), 1.6)[0]
    lines: Any = ()
    for number in range(21):
        head = middle + (number - 10) * 6 * np.asarray(way)
        found = Prediction(1.0, SIZE_WH, points_xy=head[None], points_kind="heads")
        at = START + timedelta(seconds=number / 5)
        now = time.monotonic()
        lines = measurer.measure_counted(found, [], at, frame=number, skipped=0, came=now).measurement.lines
    return lines[0].forward, lines[0].backward


@pytest.mark.parametrize("turned", [1, -1])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("unit", ["pixels", "metres", "heads"])
def test_who_walks_along_the_arrow_goes_forward(unit: str, order: int, turned: int) -> None:
    heads = pixels_of(ENDS, 1.6)[::order]
    drawn = heads if unit == "heads" else pixels_of(ENDS)[::order]
    settings: dict[str, Any] = {"ends": tuple(map(tuple, drawn.tolist()))}
    if unit == "metres":
        settings = {"ends": tuple((x, turned * y) for x, y in ENDS[::order]), "unit": "metres"}
    if unit == "heads":
        settings["drawn"] = "heads"
    camera = CameraSettings(
        name="a", source="a.mp4", calibration=calibration(turned), lines=(LineSettings(name="l", **settings),)
    )
    way = arrow_of(drawn)
    assert crossings(camera, way) == (1, 0)
    assert crossings(camera, -way) == (0, 1)


@pytest.mark.parametrize("order", [1, -1])
def test_the_same_without_a_calibration(order: int) -> None:
    heads = pixels_of(ENDS, 1.6)[::order]
    line = LineSettings(name="l", ends=tuple(map(tuple, heads.tolist())))  # type: ignore[arg-type]
    camera = CameraSettings(name="a", source="a.mp4", lines=(line,))
    boxed = arrow_of(heads)
    assert boxed @ (0, 1 if order == 1 else -1) > 0.9
    measurer = Measurer(camera)
    lines: Any = ()
    for number in range(21):
        head = heads.mean(axis=0) + (number - 10) * 6 * boxed
        box = np.array([[head[0] - 10, head[1] - 10, head[0] + 10, head[1] + 10]])
        found = Prediction(1.0, SIZE_WH, points_xy=head[None], points_kind="heads", boxes_xyxy=box, boxes_kind="heads")
        at = START + timedelta(seconds=number / 5)
        now = time.monotonic()
        lines = measurer.measure_counted(found, [], at, frame=number, skipped=0, came=now).measurement.lines
    assert (lines[0].forward, lines[0].backward) == (1, 0)
