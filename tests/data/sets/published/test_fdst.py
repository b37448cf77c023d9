"""FDST's published layout in a miniature, as the public code of those who train on the set reads it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.sets.published.fdst import list_fdst, read_annotation
from headcount.data.sets.registry import read_dataset

SIZE_WH = (64, 36)


def region(x: object, y: object, width: object, height: object, name: str = "rect") -> dict[str, Any]:
    shape = {"name": name, "x": x, "y": y, "width": width, "height": height}
    return {"shape_attributes": shape, "region_attributes": {}}


def via(*regions: object, image: str = "001.jpg") -> dict[str, Any]:
    entry = {"filename": image, "size": 912, "regions": list(regions), "file_attributes": {}}
    return {f"{image}912": entry}


def write_frame(folder: Path, number: int, *regions: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE_WH).save(folder / f"{number:03d}.jpg")
    (folder / f"{number:03d}.json").write_text(json.dumps(via(*regions)), encoding="utf-8")


def write_fdst(root: Path, videos: int = 6) -> Path:
    for video in range(1, videos + 1):
        for number in (1, 2, 10):
            write_frame(root / "train_data" / str(video), number, *[region(10, 4, 6, 8)] * video)
    write_frame(root / "test_data" / "7", 1)
    return root


def test_boxes_and_their_centres_are_read(tmp_path: Path) -> None:
    write_frame(tmp_path / "test_data" / "10", 2, region(10, 4, 6, 8), region(60, 30, 10, 10), region(1, 1, 0, 4))
    write_frame(tmp_path / "test_data" / "9", 1)
    empty, scene = read_dataset(f"fdst={tmp_path}", "test")
    assert (empty.name, scene.name) == ("fdst/test/9/001", "fdst/test/10/002")
    assert empty.count == 0
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == [[10, 4, 16, 12], [60, 30, 64, 36]]
    assert scene.points_xy.tolist() == [[13, 8], [64, 35]]
    assert set(scene.box_provenance) == {"annotated"}


def test_a_video_is_whole_in_training_or_in_validation(tmp_path: Path) -> None:
    write_fdst(tmp_path)
    names = {split: [s.name for s in read_dataset(f"fdst={tmp_path}", split)] for split in ("train", "val", "trainval")}
    videos = {split: {name.rsplit("/", 1)[0] for name in found} for split, found in names.items()}
    assert not videos["train"] & videos["val"]
    assert len(videos["val"]) == 1
    assert sorted(names["train"] + names["val"]) == sorted(names["trainval"])
    assert len(names["trainval"]) == 18
    assert names["trainval"][:3] == [f"fdst/train/1/{frame}" for frame in ("001", "002", "010")]


def test_what_lacks_its_pair_and_copies_people_made_are_told(tmp_path: Path) -> None:
    video = write_fdst(tmp_path) / "train_data" / "1"
    (video / "002.json").unlink()
    (video / "010.jpg").rename(video / "010_resize.jpg")
    listing = list_fdst(tmp_path)
    found = {scene.name: scene for scene in listing.scenes}
    assert found["train/1/002"].annotation is None
    assert found["train/1/010"].image is None
    assert {scene.group for scene in listing.scenes[:3]} == {"train/1"}
    assert {scene.split for scene in listing.scenes} == {"train", "test"}
    assert [remark.path.name for remark in listing.remarks] == ["010_resize.jpg"]


def test_another_layout_is_named(tmp_path: Path) -> None:
    (tmp_path / "Train_data").mkdir()
    with pytest.raises(InputError, match=r'train_data \(or test_data\) was expected.*Is it "Train_data"'):
        list_fdst(tmp_path)
    (tmp_path / "train_data").mkdir()
    assert [remark.code for remark in list_fdst(tmp_path).remarks] == ["empty"]
    with pytest.raises(InputError, match="There is no folder"):
        list_fdst(tmp_path / "none")


def test_regions_by_number_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"a": {"regions": {"0": region(1, 2, 3, 4)}}}))
    assert read_annotation(tmp_path / "a.json").heads_xy.tolist() == [[2.5, 4.0]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "line 1: this is no valid JSON"),
        ("[]", "must be a VIA file"),
        ("{}", "the annotation of one image was expected, but there are 0"),
        (json.dumps({**via(), "b": {}}), "but there are 2"),
        (json.dumps({"a": 3}), r"'a'.regions: a list was expected, got None"),
        (json.dumps(via(3)), r"regions\[0\]: an object with shape_attributes was expected"),
        (json.dumps(via(region(1, 1, 2, 2), region(1, 1, 2, "wide"))), r"regions\[1\]: height must be a number"),
        (json.dumps(via(region(1, 1, 2, True))), r"regions\[0\]: height must be a number, got True"),
        (json.dumps(via(region(1, None, 2, 2))), r"regions\[0\]: y must be a number, got None"),
        (json.dumps(via(region(1, 1, -2, 2))), r"regions\[0\]: width and height must not be negative, got -2×2"),
        (json.dumps(via(region(1e9, 1, 2, 2))), r"regions\[0\]: x is 1e\+09, which lies in no image"),
        (json.dumps(via(region(float("nan"), 1, 2, 2))), r"regions\[0\]: x must be a number"),
        (json.dumps(via(region(1, 1, 2, 2, name="circle"))), "'circle' is no shape that a head can have"),
    ],
)
def test_a_mistake_is_named_with_its_key(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "001.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words) as caught:
        read_annotation(tmp_path / "001.json")
    assert "001.json" in str(caught.value)


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=80)
@given(
    st.one_of(
        st.binary(max_size=60),
        values.map(lambda value: json.dumps(value).encode()),
        values.map(lambda value: json.dumps({"a": {"regions": value}}).encode()),
        values.map(lambda value: json.dumps(via(value, region(value, 1, 2, value))).encode()),
    )
)
def test_any_file_is_read_or_refused_in_words(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "via.json"
    path.write_bytes(content)
    with suppress(InputError):
        assert np.isfinite(read_annotation(path).heads_xy).all()
