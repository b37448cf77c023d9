"""FDST: what is its own beside ``test_every_set``; layout: the public code of those who train on the set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headcount.core.errors import InputError
from headcount.data.sets.published.fdst import read_annotation
from headcount.data.sets.registry import read_dataset


def region(x: object, y: object, width: object, height: object, name: str = "rect") -> dict[str, Any]:
    shape = {"name": name, "x": x, "y": y, "width": width, "height": height}
    return {"shape_attributes": shape, "region_attributes": {}}


def via(*regions: object) -> dict[str, Any]:
    return {"001.jpg912": {"filename": "001.jpg", "regions": list(regions)}}


def test_boxes_and_their_centres_are_read(write_set: Callable[[str], Path]) -> None:
    root = write_set("fdst")
    (root / "test_data/7").rename(root / "test_data/10")  # behind 8, as a number
    content = json.dumps(via(region(10, 4, 6, 8), region(36, 20, 10, 10), region(1, 1, 0, 4)))
    (root / "test_data/10/002.json").write_text(content)
    scenes = read_dataset(f"fdst={root}", "test")
    names = [f"fdst/test/{video}/{frame}" for video in (8, 10) for frame in ("001", "002", "010")]
    assert [scene.name for scene in scenes] == names
    assert scenes[4].boxes_xyxy is not None
    assert scenes[4].boxes_xyxy.tolist() == [[10, 4, 16, 12], [36, 20, 40, 30]]
    assert scenes[4].points_xy.tolist() == [[13, 8], [40, 25]]
    assert set(scenes[4].box_provenance) == {"annotated"}


def test_regions_by_number_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"a": {"regions": {"0": region(1, 2, 3, 4)}}}))
    assert read_annotation(tmp_path / "a.json").heads_xy.tolist() == [[2.5, 4.0]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "the annotation of one image was expected, but there are 0"),
        (json.dumps({**via(), "b": {}}), "but there are 2"),
        (json.dumps({"a": 3}), r"'a'.regions: a list was expected, got None"),
        (json.dumps(via(3)), r"regions\[0\]: an object with shape_attributes was expected"),
        (
            json.dumps(via(region(1, 1, 2, 2), region(1, 1, -2, 2))),
            r"\[1\]: width and height must not.* -2×2",
        ),
        (json.dumps(via(region(1, 1, 2, 2, name="circle"))), "'circle' is no shape that a head can have"),
    ],
)
def test_a_mistake_is_named_with_its_key(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "001.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"001.json.*{words}"):
        read_annotation(tmp_path / "001.json")
