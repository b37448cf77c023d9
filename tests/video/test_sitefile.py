"""A site's file: what is written is what is read, and what a person wrote into it stays."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.video.site import CalibrationSettings, CameraSettings, GroundPoint, Site, ZoneSettings, read_site
from headcount.video.sitefile import has_secrets, new_file, with_camera, write_site

CALIBRATION = CalibrationSettings(
    points=tuple(
        GroundPoint(pixel=(x, y), metres=(x / 100, y / 100)) for x, y in ((0, 0), (640, 0), (640, 480), (0, 480))
    ),
    size_wh=(640, 480),
)
DOOR = CameraSettings(
    name="door",
    source="rtsp://camera.example/live",
    calibration=CALIBRATION,
    zones=(ZoneSettings(name="in front", polygon=((10.5, 20), (300, 20), (300, 200))),),
)
ROOF = CameraSettings(name="roof", source="roof.mp4", loop=True)

TOP_PART = """\
# The hall in winter.
name: hall    # as on the sign
cameras:
  # The old one.
"""
DOOR_PART = """\
  - name: door
    source: door.mp4   # recorded in May
    zones:
      - {name: mat, polygon: [[1, 2], [30, 2], [30, 40]], drawn: heads}
"""
STAGE_PART = """\
  - name: stage
    source: "stage.mp4"
    # keep it slow
    frames_per_second: 0.5   # as agreed
"""
END_PART = """\
# Whom to tell.
alerts:
  thresholds: [1, 2]   # careful here
"""
WRITTEN = f"{TOP_PART}{DOOR_PART}\n{STAGE_PART}\n{END_PART}"


def test_a_new_file_says_the_site_and_no_defaults(tmp_path: Path) -> None:
    site = Site(name="hall", cameras=(DOOR, ROOF))
    write_site(tmp_path / "site.yaml", site)
    text = (tmp_path / "site.yaml").read_text(encoding="utf-8")
    assert text.startswith("# A place that is watched.")
    assert "pixel: [640.0, 0.0]" in text
    assert "timeout_s" not in text
    assert read_site(tmp_path / "site.yaml") == site


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n"])
@pytest.mark.parametrize("name", ["roof", "door", "stage"])
def test_a_camera_is_added_or_changed_and_all_else_stays(tmp_path: Path, name: str, end: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(WRITTEN.rstrip("\n") + end, encoding="utf-8")
    site, before = read_site(path), path.read_text(encoding="utf-8")
    camera = DOOR.model_copy(update={"name": name})
    others = tuple(camera if one.name == name else one for one in site.cameras)
    wanted = site.model_copy(update={"cameras": others if camera in others else (*others, camera)})
    write_site(path, wanted, before=before, camera=camera, instead_of="" if name == "roof" else name)
    after = path.read_text(encoding="utf-8")
    assert read_site(path) == wanted
    parts = {"door": DOOR_PART, "stage": STAGE_PART}
    kept = [TOP_PART, *(part for of, part in parts.items() if of != name), END_PART.rstrip("\n")]
    assert all(part in after for part in kept)
    assert len(after) < len(before) + 800


def test_cameras_at_the_margin_and_at_the_files_end(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("name: hall\ncameras:\n- name: door\n  source: a.mp4", encoding="utf-8")
    site = read_site(path)
    wanted = site.model_copy(update={"cameras": (*site.cameras, ROOF)})
    write_site(path, wanted, before=path.read_text(encoding="utf-8"), camera=ROOF)
    assert read_site(path) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "name: hall\ncameras: [{name: door, source: a.mp4}]\n",
        "name: hall\ncameras:\n  -\n    name: roof\n    source: a.mp4\n  - name: door\n    source: a.mp4\n",
    ],
)
def test_a_file_that_cannot_be_added_to_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    site = Site(name="hall", cameras=(CameraSettings(name="door", source="a.mp4"), ROOF))
    with pytest.raises(InputError):
        write_site(path, site, before=text, camera=ROOF, instead_of="roof" if "roof" in text else "")
    assert path.read_text(encoding="utf-8") == text


def test_no_camera_of_that_name_is_told() -> None:
    with pytest.raises(InputError, match='no camera "gate"'):
        with_camera(WRITTEN, ROOF, instead_of="gate")


def test_a_file_with_a_password_is_its_owners_alone(tmp_path: Path) -> None:
    secret = Site(name="hall", cameras=(DOOR.model_copy(update={"source": "rtsp://me:1234@camera.example/live"}),))
    write_site(tmp_path / "secret.yaml", secret)
    write_site(tmp_path / "open.yaml", Site(name="hall", cameras=(DOOR,)))
    assert has_secrets(secret)
    assert stat.S_IMODE((tmp_path / "secret.yaml").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "open.yaml").stat().st_mode) & 0o400
    assert stat.S_IMODE((tmp_path / "open.yaml").stat().st_mode) != 0o600 or not has_secrets(secret)


def test_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(WRITTEN, encoding="utf-8")
    path.chmod(0o640)
    site = read_site(path)
    write_site(path, site.model_copy(update={"cameras": (*site.cameras, ROOF)}), before=WRITTEN, camera=ROOF)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


_letters = st.characters(exclude_characters="/\\+#\"'\n\r\t", exclude_categories=["C", "Zl", "Zp"])
_names = st.text(_letters, min_size=1, max_size=20).map(str.strip).filter(bool)


@settings(max_examples=60, deadline=None)
@given(name=_names, number=st.floats(0.1, 60), other=_names)
def test_whatever_a_camera_is_called_it_is_read_back(name: str, number: float, other: str) -> None:
    camera = CameraSettings(name=name, source="a.mp4", frames_per_second=number)
    site = Site(name=other, cameras=(camera,))
    assert Site.model_validate(yaml.safe_load(new_file(site))) == site
    added = CameraSettings(name=f"{name[:15]} too", source="b: c #d.mp4")
    text = with_camera(new_file(site), added)
    assert Site.model_validate(yaml.safe_load(text)) == site.model_copy(update={"cameras": (camera, added)})
