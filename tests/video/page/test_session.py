"""One camera being set up, without HTTP: what a draft comes to, and what is saved of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.image import RgbImage
from headcount.video.page.draft import draft_of, read_draft
from headcount.video.page.schema import DraftBody
from headcount.video.page.session import Drawing
from headcount.video.site import (
    AlertSettings,
    CalibrationSettings,
    CameraSettings,
    GroundPoint,
    LineSettings,
    Site,
    ZoneSettings,
    read_site,
)
from headcount.video.sitefile import new_file

from ..places import METRES, SIZE_WH, pixels_of


def points(number: int = 6) -> list[dict[str, Any]]:
    return [
        {"pixel": pixel, "x": str(x), "y": str(y)}
        for pixel, (x, y) in zip(pixels_of(METRES).tolist()[:number], METRES[:number], strict=True)
    ]


def draft(**values: Any) -> DraftBody:
    return DraftBody.model_validate({"site": "fair", "name": "square", "person": "1.6", **values})


ZONE = {"name": "front", "corners": pixels_of([(-2, 6), (2, 6), (2, 9)]).tolist()}


def test_settings_become_a_draft_and_the_same_settings_again() -> None:
    calibration = CalibrationSettings(
        points=tuple(
            GroundPoint(pixel=(x, y), metres=place)
            for (x, y), place in zip(pixels_of(METRES).round(1).tolist(), METRES, strict=True)
        ),
        size_wh=SIZE_WH,
        person_m=1.2,
        vertical_fov_degrees=50.5,
        most_residual_m=0.2,
    )
    camera = CameraSettings(
        name="square",
        source="a.mp4",
        frames_per_second=3,
        calibration=calibration,
        zones=(
            ZoneSettings(name="m", polygon=((0, 5), (1, 5), (1, 6)), unit="metres", alerts=AlertSettings(hold_s=3)),
            ZoneSettings(name="h", polygon=((0, 5), (100, 5), (100, 60)), drawn="heads", alerts=False),
        ),
        lines=(LineSettings(name="gate", ends=((0, 8), (1, 8)), unit="metres"),),
    )
    read = read_draft(DraftBody.model_validate(draft_of(camera, "fair")), camera, SIZE_WH)
    assert read.is_whole
    assert read.camera(camera) == camera


def test_few_points_are_asked_for_step_by_step(drawing: Any) -> None:
    for given, words in (
        ([], "Without points of the ground there are no persons per square metre"),
        (points(1), "Mark 3 points more"),
        ([*points(3), {"pixel": [3, 4]}], "Type where point 4 is, in metres."),
        ([*points(4), {"pixel": [3, 4], "x": "1"}], "Type where point 5 is, in metres, or remove it."),
        ([*points(3), {"pixel": [3, 4], "x": "one", "y": "2"}], '"one" is no number of metres for x'),
    ):
        looked = drawing.look(draft(points=given))
        assert words in looked["fit"]["text"]
        assert looked["ready"] is (not given)
        assert len(looked["points"]) == len(given)


def test_the_answer_holds_all_that_the_page_draws(drawing: Any) -> None:
    looked = drawing.look(draft(points=points(), zones=[ZONE], lines=[{"name": "l", "corners": ZONE["corners"][:2]}]))
    assert looked["ready"]
    assert looked["fit"]["state"] == "good"
    assert [point["off_m"] for point in looked["points"]] == pytest.approx([0] * 6, abs=1e-3)
    (zone,) = looked["zones"]
    assert zone["area_m2"] == pytest.approx(6.0, abs=1e-6)
    # Heads of people on the ground are seen above it in the picture.
    assert np.array(zone["heads"])[:, 1].max() < np.array(ZONE["corners"])[:, 1].max()
    assert looked["lines"][0]["text"] == "4.0 m long."
    assert looked["grid"]
    assert looked["people"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": " "}, "A camera's name has 1 to 64 letters"),
        ({"site": "a/b"}, "The place needs a name"),
        ({"zones": [{**ZONE, "name": ""}]}, "A zone's name"),
        ({"zones": [{**ZONE, "corners": ZONE["corners"][:2]}]}, "A zone has 3 corners or more."),
        ({"zones": [{**ZONE, "drawn": "ground"}]}, "needs four points of the ground"),
        ({"zones": [ZONE, ZONE]}, "two zones of the name"),
        ({"lines": [{"name": "l", "corners": [[1, 1], [1, 1]]}]}, "two ends at different places"),
        ({"points": points(2)}, "Mark 2 points more"),
        ({"points": points(), "person": "7"}, 'Heads are 0.1 to 3 metres above the ground, but "7" was typed.'),
        ({"points": points(), "fov": "wide"}, "The angle of view is"),
        ({"zones": [{**ZONE, "corners": [[-500, -500], [-400, -500], [-400, -400]]}]}, "outside the picture"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(drawing: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        drawing.save(draft(**changes))
    assert not drawing.file.exists()
    assert changes.keys() == {"site"} or not drawing.look(draft(**changes))["ready"]


def test_a_file_that_came_meanwhile_is_overwritten_only_when_asked(drawing: Any) -> None:
    drawing.file.write_text("mine", encoding="utf-8")
    assert "is there already" in drawing.save(draft(zones=[ZONE]))["taken"]
    assert drawing.file.read_text(encoding="utf-8") == "mine"
    assert drawing.save(draft(zones=[ZONE]), over=True)["file"] == str(drawing.file)
    assert "taken" not in drawing.save(draft(zones=[ZONE]))  # what is there now was saved here
    assert drawing.saved == "square"


def test_a_site_that_was_changed_meanwhile_keeps_those_changes(frame: RgbImage, tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    gate = CameraSettings(name="gate", source="g.mp4")
    file.write_text(new_file(Site(name="fair", cameras=(gate,))), encoding="utf-8")
    drawing = Drawing(frame, gate, file=file, site=read_site(file))
    changed = Site(name="fair", cameras=(gate, CameraSettings(name="roof", source="r.mp4")), interval=0.8)
    file.write_text(new_file(changed), encoding="utf-8")
    assert "changed meanwhile" in drawing.save(draft(name="gate", zones=[ZONE]))["taken"]
    drawing.save(draft(name="gate", zones=[ZONE]), over=True)
    now = read_site(file)
    assert [camera.name for camera in now.cameras] == ["gate", "roof"]
    assert now.cameras[0].zones[0].name == "front"
    assert now.interval == 0.8
    renamed = drawing.save(draft(name="door", zones=[ZONE]))
    assert "taken" not in renamed
    assert [camera.name for camera in read_site(file).cameras] == ["door", "roof"]
    with pytest.raises(InputError, match="has a camera “roof” already"):
        drawing.save(draft(name="roof", zones=[ZONE]))


def test_settings_of_another_size_are_scaled_to_the_picture(frame: RgbImage, tmp_path: Path) -> None:
    calibration = CalibrationSettings(
        points=tuple(
            GroundPoint(pixel=(2 * x, 2 * y), metres=place)
            for (x, y), place in zip(pixels_of(METRES).tolist(), METRES, strict=True)
        ),
        size_wh=(2 * SIZE_WH[0], 2 * SIZE_WH[1]),
    )
    corners = tuple((2 * x, 2 * y) for x, y in ZONE["corners"])
    zone = ZoneSettings(name="front", polygon=corners)
    camera = CameraSettings(name="gate", source="g.mp4", calibration=calibration, zones=(zone,))
    drawing = Drawing(frame, camera, file=tmp_path / "site.yaml", name="fair")
    begun = drawing.about()["draft"]
    assert np.allclose([point["pixel"] for point in begun["points"]], pixels_of(METRES), atol=0.01)
    assert np.allclose(begun["zones"][0]["corners"], ZONE["corners"], atol=0.01)
    assert drawing.look(DraftBody.model_validate(begun))["ready"]


def test_the_source_is_told_without_its_password(drawing: Any) -> None:
    assert drawing.about()["source"] == "rtsp://…@camera.example/live"
    assert "1234" not in str(drawing.about())
