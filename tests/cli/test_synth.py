"""`headcount synth`: data sets and videos that headcount reads again, runs that go on, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from headcount.core.errors import HeadcountError
from headcount.data.sets.registry import read_set
from headcount.synth.rendered.engine import engine

if TYPE_CHECKING:
    from conftest import RunCli

SMALL = ("--size", "200x120", "--people", "12")


@pytest.fixture(autouse=True)
def _needs_opengl() -> None:
    try:
        engine()
    except HeadcountError as error:
        pytest.skip(str(error))


def test_pictures_are_a_data_set(run_cli: RunCli, tmp_path: Path) -> None:
    out = tmp_path / "made"
    code, told, _ = run_cli("synth", out, "--scenes", 5, "--seed", 40, "--validation", 0.4, "--empty", 0, *SMALL)
    assert code == 0
    assert "5 pictures (train 3, val 2)" in " ".join(told.split())
    read = {split: read_set(f"coco={out}", split).scenes for split in ("train", "val")}
    assert [len(scenes) for scenes in read.values()] == [3, 2]
    records = {one["image"]: one for one in map(json.loads, (out / "heads.jsonl").read_text().splitlines())}
    heads = 0
    for scene in (*read["train"], *read["val"]):
        assert isinstance(scene.image, Path)
        record = records[f"images/{scene.image.name}"]
        np.testing.assert_allclose(scene.points_xy, np.reshape(record["points"], (-1, 2)))
        assert scene.size_wh == (200, 120)
        assert scene.attributes["place"]
        assert len(record["visible"]) == len(record["ground_m"]) == scene.count
        assert np.shape(record["camera"]["ground_to_pixels"]) == (3, 3)
        heads += scene.count
    assert 5 < heads <= 60
    assert f"{heads} heads" in " ".join(told.split())


def test_a_stopped_run_goes_on(run_cli: RunCli, tmp_path: Path) -> None:
    out = tmp_path / "made"
    run_cli("synth", out, "--scenes", 2, *SMALL)
    first = {path.name: path.stat().st_mtime_ns for path in (out / "images").iterdir()}
    with (out / "heads.jsonl").open("a") as file:
        file.write('{"image": "images/rend')  # the line it was stopped in
    code, told, _ = run_cli("synth", out, "--scenes", 4, *SMALL)
    assert code == 0
    assert "4 pictures" in told
    for name, time in first.items():
        assert (out / "images" / name).stat().st_mtime_ns == time
    whole = tmp_path / "whole"
    run_cli("synth", whole, "--scenes", 4, *SMALL)
    for name in ("rendered-000003.jpg", "rendered-000004.jpg"):
        assert (out / "images" / name).read_bytes() == (whole / "images" / name).read_bytes()
    assert (out / "heads.jsonl").read_text() == (whole / "heads.jsonl").read_text()
    assert [scene.count for scene in read_set(f"coco={out}", "all").scenes] == [
        scene.count for scene in read_set(f"coco={whole}", "all").scenes
    ]


def test_fewer_scenes_leave_no_annotation_of_the_others(run_cli: RunCli, tmp_path: Path) -> None:
    out = tmp_path / "made"
    run_cli("synth", out, "--scenes", 6, "--validation", 0.4, *SMALL)
    assert read_set(f"coco={out}", "val").scenes
    code, told, _ = run_cli("synth", out, "--scenes", 1, "--validation", 0.4, *SMALL)
    assert code == 0
    assert "1 picture (" in told
    assert len(read_set(f"coco={out}", "all").scenes) == 1


def test_videos_are_read_as_tracks(run_cli: RunCli, tmp_path: Path) -> None:
    out = tmp_path / "films"
    code, told, _ = run_cli("synth", out, "--sequences", 2, "--frames", 3, "--fps", 5, "--place", "street", *SMALL)
    assert code == 0
    assert "2 videos of 3 frames" in told
    read = read_set(f"gta-head={out}", "trainval").scenes
    assert len(read) == 6
    video = out / "train" / "rendered-000001"
    rows = np.loadtxt(video / "gt" / "gt.txt", delimiter=",", ndmin=2)
    assert sum(scene.count for scene in read[:3]) == len(rows)
    assert ((rows[:, 8] > 0) & (rows[:, 8] <= 1)).all()
    people = [set(rows[rows[:, 0] == frame, 1].astype(int).tolist()) for frame in (1, 2, 3)]
    assert people[0] & people[1] & people[2]
    assert json.loads((video / "camera.json").read_text())["height_m"] > 1


def test_other_settings_or_files_are_not_written_over(run_cli: RunCli, tmp_path: Path) -> None:
    out = tmp_path / "made"
    run_cli("synth", out, "--scenes", 1, *SMALL)
    code, _, said = run_cli("synth", out, "--scenes", 1, "--seed", 9, *SMALL)
    assert code == 2
    assert "other settings" in " ".join(said.split())
    own = tmp_path / "own"
    own.mkdir()
    (own / "thesis.txt").write_text("mine")
    code, _, said = run_cli("synth", own, "--scenes", 1, *SMALL)
    assert code == 2
    assert "is not empty" in " ".join(said.split())
    assert [path.name for path in own.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--size", "big"), "--size takes a width and a height"),
        (("--size", "20x20"), "at least 64 px"),
        (("--place", "moon"), "choose one of square, street"),
        (("--weather", "hail"), "choose one of sunny"),
        (("--weather", "rain", "--place", "hall"), 'no weather or day part in the place "hall"'),
        (("--size", "12000x400"), "at most 8,192 px a side"),
        (("--people", "100000"), "at most 10,000 people"),
        (("--seed", str(2**63 - 1), "--scenes", "2"), "A seed must be from 0"),
        (("--frames", "3"), "--frames is for videos, but pictures were asked for"),
        (("--sequences", "1", "--empty", "0.5"), "--empty is for pictures, but videos were asked for"),
    ],
)
def test_what_is_wrong_is_said(run_cli: RunCli, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    code, _, told = run_cli("synth", tmp_path / "made", *options)
    assert code == 2
    assert said in " ".join(told.split())
    assert not (tmp_path / "made").exists()


def test_names_are_listed(run_cli: RunCli, tmp_path: Path) -> None:
    code, told, _ = run_cli("synth", tmp_path / "made", "--weather", "list")
    assert code == 0
    assert told.split() == ["sunny", "extra-sunny", "clouds", "overcast", "rain", "fog", "thunder"]
    assert not (tmp_path / "made").exists()
