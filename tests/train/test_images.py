"""The record of what a run learned from forgets nothing, and tells what has changed."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.train.images import Record, differences, learned_from, merged, read_record, record_of


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    """Four files "0" to "3", and pixels without a file."""
    rng = np.random.default_rng(0)
    made = []
    for k in range(4):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(tmp_path / f"{k}.png")
        made.append(Scene(tmp_path / f"{k}.png", np.array([[k + 0.5, 1.0]]), name=str(k)))
    return [*made, Scene(np.zeros((4, 4, 3), np.uint8), name="painted")]


def _record(train: list[Scene], val: list[Scene] | None = None, before: Record | None = None) -> Record:
    return record_of({"train": {"points": train}, "val": {"points": val or []}}, before or {})


def test_nothing_has_changed_where_nothing_has(scenes: list[Scene]) -> None:
    before = _record(scenes[:3], scenes[3:])
    now = _record(scenes[:3], scenes[3:], before)
    assert differences(before, now) == ""
    assert merged(before, now, 7) == before == now
    assert learned_from(before) == {"points": 3}


def test_a_file_that_was_only_copied_anew_is_the_same(scenes: list[Scene]) -> None:
    before = _record(scenes)
    os.utime(scenes[0].image, (1, 1))  # type: ignore[arg-type]
    assert differences(before, _record(scenes, before=before)) == ""


def test_each_kind_of_change_is_told_and_kept(scenes: list[Scene], tmp_path: Path) -> None:
    before = _record(scenes[:4])
    digest = before["train"]["points"]["1"]["image"]
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    moved = dataclasses.replace(scenes[2], points_xy=scenes[2].points_xy + 0.5)
    now = _record([scenes[1], moved, scenes[3], scenes[4]], before=before)
    assert differences(before, now) == (
        'points: 1 image is gone ("0"), 1 image is new ("painted"), 1 image is changed ("1"), '
        '1 image is annotated otherwise ("2")'
    )
    record = merged(before, now, 40)
    entries = record["train"]["points"]
    assert list(entries) == ["0", "1", "2", "3", "painted"]
    assert entries["0"]["gone_at_step"] == 40
    assert entries["1"]["earlier"][0]["image"] == digest != entries["1"]["image"]
    assert entries["2"]["earlier"][0]["until_step"] == 40
    assert "earlier" not in entries["3"]
    assert entries["painted"]["new_at_step"] == 40
    assert learned_from(record) == {"points": 5}
    # What is gone stays on the record and is not told again; what comes back is new.
    again = merged(record, now, 50)
    assert differences(record, now) == ""
    assert again == record
    back = _record([scenes[0], scenes[1], moved, scenes[3], scenes[4]], before=record)
    assert differences(record, back) == 'points: 1 image is new ("0")'
    assert "gone_at_step" not in merged(record, back, 60)["train"]["points"]["0"]


def test_an_image_that_comes_to_validation_is_named(scenes: list[Scene]) -> None:
    before = _record(scenes[:2], scenes[2:3])
    told = differences(before, _record(scenes[:1], scenes[1:3], before))
    assert 'points: 1 image is gone ("1"); points, for validation: 1 image is new ("1")' in told
    assert told.endswith('1 image for validation ("1") it has learned from')
    after = merged(before, _record(scenes[:1], scenes[1:3], before), 3)
    assert differences(after, _record(scenes[:1], scenes[1:3], after)) == ""


def test_boxes_and_regions_are_part_of_the_annotation(scenes: list[Scene]) -> None:
    before = _record(scenes[:2])
    boxed = dataclasses.replace(scenes[0], boxes_xyxy=np.array([[0.0, 0, 2, 2]]))
    closed = dataclasses.replace(scenes[1], region=np.zeros((8, 8), bool))
    assert "2 images are annotated otherwise" in differences(before, _record([boxed, closed]))


def test_two_images_of_one_name_are_two(scenes: list[Scene]) -> None:
    twin = dataclasses.replace(scenes[1], name="0")
    assert learned_from(_record([scenes[0], twin])) == {"points": 2}


def test_the_record_of_an_older_run_knows_names_alone(scenes: list[Scene], tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    file.write_text(json.dumps({"train": {"points": ["0", "1"]}, "val": {"points": []}}))
    before = read_record(file)
    now = _record(scenes[1:2], before=before)
    assert differences(before, now) == 'points: 1 image is gone ("0")'
    assert set(merged(before, now, 2)["train"]["points"]) == {"0", "1"}


@pytest.mark.parametrize("text", ["", "[]", '{"train": {}}', '{"train": {"a": 3}, "val": {}}'])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "images.json").write_text(text)
    with pytest.raises(InputError, match=r"images\.json.*cannot be read"):
        read_record(tmp_path / "images.json")


def test_an_image_that_is_missing_is_named(scenes: list[Scene], tmp_path: Path) -> None:
    (tmp_path / "2.png").unlink()
    with pytest.raises(InputError, match=r"2\.png.*cannot be read"):
        _record(scenes)
