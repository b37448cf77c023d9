"""The check of a site: it looks at everything, stops at nothing, and says what is wrong in words."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.image import RgbImage
from headcount.core.prediction import Prediction
from headcount.video.check import check_site
from headcount.video.reach import check_outputs
from headcount.video.site import (
    AlertSettings,
    CalibrationSettings,
    CameraSettings,
    DatabaseSettings,
    GroundPoint,
    LineSettings,
    MqttSettings,
    OutputSettings,
    PrivacySettings,
    Site,
    WebhookSettings,
    ZoneSettings,
)

from .places import METRES, SIZE_WH, pixels_of

HEADS = np.array([(300.5, 200.5), (500.5, 300.5)])


class Card:
    name = "two heads"


class TwoHeads:
    """Finds two heads in every picture."""

    card = Card()

    def count(self, pixels: RgbImage) -> Prediction:
        return Prediction(2.0, (pixels.shape[1], pixels.shape[0]), points_xy=HEADS, points_kind="heads")


def calibration(metres: Any = METRES) -> CalibrationSettings:
    points = tuple(
        GroundPoint(pixel=(float(x), float(y)), metres=(float(right), float(ahead)))
        for (x, y), (right, ahead) in zip(pixels_of(METRES), metres, strict=True)
    )
    return CalibrationSettings(points=points, size_wh=SIZE_WH)


def grab(source: str, *, folder: Path, timeout_s: float = 10) -> RgbImage:
    """A gray frame of every source but of those that are away."""
    if "away" in source:
        raise InputError("The camera refuses the connection: look whether it is on.")
    return np.full((SIZE_WH[1], SIZE_WH[0], 3), 128, np.uint8)


def check(site: Site, folder: Path = Path(), **settings: Any) -> dict[str, Any]:
    found = list(check_site(site, folder, **{"counter": TwoHeads(), "grab": grab, **settings}))
    return {one.camera: one for one in found}


def said(checked: Any, about: str) -> tuple[str, str]:
    (found,) = [one for one in checked.findings if one.about == about]
    return found.verdict, found.text


FRONT = ZoneSettings(name="front", polygon=((-2, 6), (2, 6), (2, 9), (-2, 9)), unit="metres")
NO_OUTPUTS = OutputSettings(database=None)


def test_a_good_camera_is_right_and_drawn(tmp_path: Path) -> None:
    line = LineSettings(name="gate", ends=((-2, 7), (2, 7)), unit="metres")
    camera = CameraSettings(name="door", source="d.mp4", calibration=calibration(), zones=(FRONT,), lines=(line,))
    found = check(Site(name="hall", cameras=(camera,), outputs=NO_OUTPUTS), tmp_path)
    door = found["door"]
    assert door.is_right
    assert said(door, "source") == ("right", "a frame of 960×540 pixels")
    assert said(door, "calibration")[0] == "right"
    assert "The camera hangs 6.0 m high" in said(door, "calibration")[1]
    assert said(door, 'zone "front"')[1].startswith("12.0 m²")
    assert said(door, 'line "gate"')[1] == "4.0 m long"
    assert said(door, "count")[1].startswith("2 people")
    assert door.picture is not None
    assert (door.picture != 128).any(axis=2).sum() > 2_000
    assert said(found[""], "alerts") == ("right", "density at 2, 3.5 and 5, for 10 s")
    assert said(found[""], "model") == ("right", "two heads")


def test_how_many_people_are_in_view_is_told_from_the_sites_least_on(tmp_path: Path) -> None:
    for least, text in ((2, "2 people"), (3, "Fewer than 3 people are in view: how many is not told.")):
        site = Site(
            name="hall",
            cameras=(CameraSettings(name="door", source="d.mp4"),),
            outputs=NO_OUTPUTS,
            privacy=PrivacySettings(least_people=least),
        )
        assert said(check(site, tmp_path)["door"], "count")[1].startswith(text)


@pytest.mark.parametrize(("thresholds", "is_said"), [((4, 20), True), ((5, 20), False)])
def test_alerts_on_fewer_people_than_are_told_are_said(
    tmp_path: Path, thresholds: tuple[float, ...], is_said: bool
) -> None:
    zone = ZoneSettings(name="front", polygon=((0, 0), (100, 0), (100, 100)))
    for zones, about in (((zone,), 'alerts of "front"'), ((), 'alerts of "the whole view"')):
        site = Site(
            name="hall",
            cameras=(CameraSettings(name="door", source="d.mp4", zones=zones),),
            outputs=NO_OUTPUTS,
            alerts=AlertSettings(measure="people", thresholds=thresholds),
            privacy=PrivacySettings(least_people=5),
        )
        door = check(site, tmp_path)["door"]
        told = [one.text for one in door.findings if one.about == about]
        assert told == is_said * [
            "they compare people with 4, but numbers below 5 are not told here (least_people): set thresholds of 5 or "
            "more"
        ]


@pytest.mark.parametrize(("rate", "is_told"), [(1.0, True), (2.5, False), (5.0, False)])
def test_lines_ask_for_several_frames_a_second(rate: float, is_told: bool, tmp_path: Path) -> None:
    line = LineSettings(name="gate", ends=((100, 300), (800, 300)))
    for lines, expected in (((line,), is_told), ((), False)):
        camera = CameraSettings(name="door", source="d.mp4", lines=lines, frames_per_second=rate)
        found = check(Site(name="hall", cameras=(camera,), outputs=NO_OUTPUTS), tmp_path)["door"]
        told = [one for one in found.findings if one.about == "frames"]
        assert [one.verdict for one in told] == ["note"] * expected
        assert all("set frames_per_second to 5" in one.text for one in told)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    moved = [*METRES[:2], (METRES[2][0] + 3, METRES[2][1]), *METRES[3:]]
    bow = ZoneSettings(name="bow", polygon=((0, 0), (100, 100), (100, 0), (0, 100)), drawn="heads")
    far = ZoneSettings(name="far", polygon=((5000, 0), (5100, 0), (5100, 100)), drawn="heads")
    cameras = (
        CameraSettings(name="away", source="away.mp4", calibration=calibration(), zones=(FRONT,)),
        CameraSettings(name="moved", source="m.mp4", calibration=calibration(moved), zones=(FRONT,)),
        CameraSettings(name="drawn", source="d.mp4", zones=(bow, far)),
    )
    found = check(Site(name="hall", cameras=cameras, outputs=NO_OUTPUTS), tmp_path)
    assert [found[name].is_right for name in ("", "away", "moved", "drawn")] == [True, False, False, False]
    assert said(found["away"], "source") == ("wrong", "The camera refuses the connection: look whether it is on.")
    assert said(found["away"], 'zone "front"')[0] == "right"  # in the picture that it was marked in
    assert found["away"].picture is None
    assert "lies" in said(found["moved"], "calibration")[1]
    assert said(found["moved"], 'zone "front"') == ("wrong", 'The zone "front" waits for a calibration that holds.')
    assert "crosses" in said(found["drawn"], 'zone "bow"')[1]
    assert "outside the picture of 960×540" in said(found["drawn"], 'zone "far"')[1]
    assert said(found["drawn"], "calibration")[0] == "note"
    assert found["drawn"].picture is not None  # what is wrong is drawn, too


def test_a_frame_of_another_shape_is_told(tmp_path: Path) -> None:
    camera = CameraSettings(name="door", source="d.mp4", calibration=calibration(), zones=(FRONT,))

    def turned(source: str, *, folder: Path, timeout_s: float = 10) -> RgbImage:
        return np.zeros((960, 540, 3), np.uint8)

    door = check(Site(name="hall", cameras=(camera,), outputs=NO_OUTPUTS), tmp_path, grab=turned)["door"]
    assert "of another shape" in said(door, "calibration")[1]


def test_four_points_are_a_note_since_nothing_checks_them(tmp_path: Path) -> None:
    four = calibration().model_copy(update={"points": calibration().points[:4]})
    camera = CameraSettings(name="door", source="d.mp4", calibration=four, zones=(FRONT,))
    door = check(Site(name="hall", cameras=(camera,), outputs=NO_OUTPUTS), tmp_path)["door"]
    assert door.is_right
    assert said(door, "calibration")[0] == "note"
    assert "a fifth would check them" in said(door, "calibration")[1]


@pytest.mark.parametrize(
    ("own", "site", "verdict"),
    [
        (None, AlertSettings(), "note"),
        (AlertSettings(measure="fullest"), AlertSettings(), "wrong"),
        (AlertSettings(measure="people", thresholds=(10,)), AlertSettings(), ""),
        (False, AlertSettings(), ""),
        (None, False, ""),
    ],
)
def test_alerts_that_can_never_be_raised_are_told(own: Any, site: Any, verdict: str, tmp_path: Path) -> None:
    zone = ZoneSettings(name="mat", polygon=((0, 0), (100, 0), (100, 100)), alerts=own)
    camera = CameraSettings(name="door", source="d.mp4", zones=(zone,))
    door = check(Site(name="hall", cameras=(camera,), alerts=site, outputs=NO_OUTPUTS), tmp_path)["door"]
    verdicts = [one.verdict for one in door.findings if one.about == 'alerts of "mat"']
    assert verdicts == ([verdict] if verdict else [])


def test_a_camera_without_zones_is_told_that_it_has_no_alerts(tmp_path: Path) -> None:
    camera = CameraSettings(name="door", source="d.mp4", calibration=calibration())
    door = check(Site(name="hall", cameras=(camera,), outputs=NO_OUTPUTS), tmp_path)["door"]
    assert said(door, "alerts") == ("note", "none for this camera: density is of zones, and it has none")
    people = AlertSettings(measure="people", thresholds=(10,))
    door = check(Site(name="hall", cameras=(camera,), outputs=NO_OUTPUTS, alerts=people), tmp_path)["door"]
    assert not [one for one in door.findings if one.about == "alerts"]


def test_heads_are_hidden_in_the_picture_unless_the_site_says_otherwise(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (540, 960, 3), dtype=np.uint8)

    def noisy(source: str, *, folder: Path, timeout_s: float = 10) -> RgbImage:
        return noise

    camera = CameraSettings(name="door", source="d.mp4")
    pictures = {
        heads: check(
            Site(name="hall", cameras=(camera,), outputs=NO_OUTPUTS, privacy=PrivacySettings(heads=heads)),
            tmp_path,
            grab=noisy,
        )["door"].picture
        for heads in ("blur", "pixelate", "off")
    }
    for x, y in HEADS.astype(int):
        spot = (slice(y - 4, y + 5), slice(x - 4, x + 5))
        assert np.array_equal(pictures["off"][spot], noise[spot])
        assert pictures["blur"][spot].std() < 0.5 * noise[spot].std()
        assert pictures["pixelate"][spot].std() < 0.5 * noise[spot].std()


def test_no_picture_leaves_where_heads_cannot_be_found(tmp_path: Path) -> None:
    site = Site(name="hall", model="no-such-model", cameras=(CameraSettings(name="door", source="d.mp4"),))
    found = check(site.model_copy(update={"outputs": NO_OUTPUTS}), tmp_path, counter=None)
    assert said(found[""], "model")[0] == "wrong"
    assert found["door"].picture is None


def test_a_folder_of_frames_is_grabbed_for_real(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="sources are read with PyAV (video extra)")
    (tmp_path / "frames").mkdir()
    for number in range(3):
        Image.fromarray(np.full((540, 960, 3), 60, np.uint8)).save(tmp_path / "frames" / f"{number}.png")
    camera = CameraSettings(name="door", source="frames", calibration=calibration(), zones=(FRONT,))
    lost = CameraSettings(name="lost", source="nowhere.mp4")
    found = check(Site(name="hall", cameras=(camera, lost), outputs=NO_OUTPUTS), tmp_path, grab=None)
    assert found["door"].is_right
    assert said(found["lost"], "source")[0] == "wrong"


def test_outputs_are_reached_or_told_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_WORD", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_server(("127.0.0.1", 0)) as closed:
        port, gone = listening.getsockname()[1], closed.getsockname()[1]
        closed.close()
        outputs = OutputSettings(
            database=DatabaseSettings(url=f"postgresql://me:1234@127.0.0.1:{gone}/db"),
            csv=Path("numbers.csv"),
            jsonl=Path("no/such/folder.jsonl"),
            mqtt=MqttSettings(url=f"mqtt://127.0.0.1:{port}"),
            webhooks=(WebhookSettings(url="https://me:${NO_SUCH_WORD}@127.0.0.1/hook"),),
            metrics=f"127.0.0.1:{port}",
            video=Path("films"),
        )
        site = Site(name="hall", cameras=(CameraSettings(name="door", source="d.mp4"),), outputs=outputs)
        found = {name: (verdict, text) for name, verdict, text in check_outputs(site, tmp_path)}
    assert found["csv"] == ("right", '"numbers.csv", to be made')
    assert found["jsonl"][0] == "wrong"
    assert "there is no folder" in found["jsonl"][1]
    assert found["mqtt"] == ("right", f"127.0.0.1:{port} answers")
    assert found["database"][0] == "wrong"
    assert "does not answer" in found["database"][1]
    assert "1234" not in found["database"][1]
    assert found["webhook 1"][0] == "wrong"
    assert "NO_SUCH_WORD" in found["webhook 1"][1]
    assert found["metrics"][0] == "wrong"
    assert found["video"][0] == "wrong"  # privacy forbids to keep pictures
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_there_is_not_is_told(tmp_path: Path) -> None:
    outputs = OutputSettings(database=None, metrics="127.0.0.1:99999")
    site = Site(name="hall", cameras=(CameraSettings(name="door", source="d.mp4"),), outputs=outputs)
    told = '"127.0.0.1:99999" has no port of 1 to 65535: give HOST:PORT.'
    assert list(check_outputs(site, tmp_path)) == [("metrics", "wrong", told)]


def test_an_address_that_nothing_is_posted_to_is_told_before_it_is_asked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/a\r\nX-Own: 1"
        outputs = OutputSettings(database=None, webhooks=(WebhookSettings(url=url),))
        site = Site(name="hall", cameras=(CameraSettings(name="door", source="d.mp4"),), outputs=outputs)
        ((name, verdict, told),) = check_outputs(site, tmp_path)
    assert (name, verdict) == ("webhook 1", "wrong")
    assert "without spaces" in told
