"""Label Studio's JSON and JSON-MIN: which shapes are heads, whose annotation counts, and where images are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.formats.finish import finish
from headcount.data.formats.labelstudio import list_labelstudio
from headcount.data.sets.convert import convert_dataset

SIZE_WH = (200, 100)
BOX = {"x": 10, "y": 20, "width": 5, "height": 10, "rotation": 0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("L", SIZE_WH).save(tmp_path / "a.jpg")
    return tmp_path


def result(value: dict[str, Any], kind: str = "rectanglelabels", label: Any = "head", **more: Any) -> dict[str, Any]:
    labels = {} if label is None else {kind: label if isinstance(label, list) else [label]}
    size = {"original_width": SIZE_WH[0], "original_height": SIZE_WH[1]}
    return {"type": kind, "value": {**value, **labels}, **size, **more}


def task(*results: Any, image: str = "a.jpg", **more: Any) -> dict[str, Any]:
    return {"id": 1, "data": {"image": image}, "annotations": [{"id": 1, "result": list(results), **more}]}


def write(folder: Path, *tasks: Any) -> Path:
    (folder / "ls.json").write_text(json.dumps(list(tasks)), encoding="utf-8")
    return folder / "ls.json"


def boxes(path: Path) -> list[list[float]]:
    found = finish(list_labelstudio(path).scenes[0]).boxes_xyxy
    return [] if found is None else found.round(6).tolist()


def test_shapes_become_boxes_and_points(folder: Path) -> None:
    path = write(folder, task(
        result(BOX), result({**BOX, "x": 50, "y": 50, "rotation": 90}),
        result({"x": 50, "y": 50, "radiusX": 5, "radiusY": 10, "rotation": 0}, "ellipselabels"),
        result({"points": [[1, 2], [3, 2], [3, 10]], "closed": True}, "polygonlabels"),
        result({"x": 25, "y": 75, "width": 0.3}, "keypointlabels"), result({"choices": ["crowded"]}, "choices"),
        result(BOX, label="hat"), {"type": "relation", "from_id": "a", "to_id": "b"},
    ))  # fmt: skip
    (raw,) = list_labelstudio(path).scenes
    scene, read = finish(raw), raw.read()
    assert boxes(path) == [[20, 20, 30, 30], [90, 50, 100, 60], [90, 40, 110, 60], [2, 2, 6, 10]]
    assert scene.points_xy[-1].tolist() == [50, 75]
    assert dict(read.ignored_as) == {"hat": 1}


def test_places_are_shares_of_the_image_that_is_there(folder: Path) -> None:
    Image.new("L", (400, 300)).save(folder / "a.jpg")
    path = write(folder, task(result(BOX)))
    assert list_labelstudio(path).scenes[0].read().stated_size_wh == SIZE_WH  # cut out, or turned
    Image.new("L", (400, 200)).save(folder / "a.jpg")
    assert list_labelstudio(path).scenes[0].read().stated_size_wh is None
    assert boxes(path) == [[40, 40, 60, 60]]


def test_a_place_and_its_label_may_be_two_entries_and_a_label_may_be_missing(folder: Path) -> None:
    two = result(BOX, "rectangle", None, id="r1"), result(BOX, "labels", id="r1")
    assert boxes(write(folder, task(*two, result({**BOX, "x": 0}, "labels", "hat", id="r2")))) == [[20, 20, 30, 30]]
    assert boxes(write(folder, task(result(BOX, "rectangle", None)))) == [[20, 20, 30, 30]]


def test_what_a_model_drew_is_pseudo_and_rounding_is_taken(folder: Path) -> None:
    box = {"x": -1e-6, "y": 0, "width": 100.01, "height": 50}
    (raw,) = list_labelstudio(write(folder, task(result(box, origin="prediction")))).scenes
    assert (finish(raw).box_provenance, raw.read().nearly) == (("pseudo",), 2)
    assert boxes(folder / "ls.json") == [[0, 0, 200, 50]]


def test_the_small_json_is_read_too(folder: Path) -> None:
    Image.new("L", SIZE_WH).save(folder / "b.jpg")
    label = {**BOX, "rectanglelabels": ["head"], "original_width": 200, "original_height": 100}
    tasks = {"image": "/data/upload/3/0011aabb-a.jpg", "id": 1, "label": [label], "annotator": 1}, {"image": "b.jpg"}
    path = write(folder, *tasks)
    assert [(raw.name, finish(raw).count) for raw in list_labelstudio(path).scenes] == [("a.jpg", 1), ("b.jpg", 0)]


@pytest.mark.parametrize(
    "image",
    [
        "/data/upload/1/ab12cd34-a.jpg", "/data/local-files/?d=photos%2Fin/a.jpg", "a.jpg", "C:\\photos\\a.jpg",
        "http://host:8080/data/upload/1/ab12cd34-a.jpg", "s3://bucket/photos/a.jpg?versionId=3",
        "upload/1/ab12cd34-a.JPG",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [".", "images"])
def test_images_are_found_by_address(folder: Path, image: str, place: str) -> None:
    (folder / place).mkdir(exist_ok=True)
    (folder / "a.jpg").rename(folder / place / "a.jpg")
    (raw,) = list_labelstudio(write(folder, task(result(BOX), image=image))).scenes
    assert finish(raw).count == 1


def test_of_several_annotations_the_marked_one_counts_and_skipped_ones_are_none(folder: Path) -> None:
    several = task(result(BOX))
    several["annotations"].append({"result": [], "ground_truth": True})
    assert boxes(write(folder, several)) == []
    del several["annotations"][1]["ground_truth"]
    (raw,) = list_labelstudio(write(folder, several)).scenes
    with pytest.raises(InputError, match=r"\[0\]: 2 annotations of this image are there, 0 marked as ground truth"):
        finish(raw)
    several["annotations"][1]["was_cancelled"] = True
    assert boxes(write(folder, several)) == [[20, 20, 30, 30]]
    image = {"data": {"image": "a.jpg"}}
    for none in (task(was_cancelled=True), {**image, "annotations": []}, image):
        (raw,) = list_labelstudio(write(folder, none)).scenes
        assert raw.annotation is None


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([3], "a list of tasks"),
        ([task(result(BOX)), task()], r"\[1\].*stands at \[0\] already"),
        ([{"data": {"image": 3}}], r"\[0\].data.image: the name of an image"),
        ([{"data": {"image": "a.jpg"}, "annotations": 3}], r"\[0\].annotations: a list"),
        ([{"data": {"image": "a.jpg"}, "annotations": [{"result": 3}]}], r"annotations\[0\].result: a list"),
        ([task(result({**BOX, "x": 640}))], r"result\[0\].value: x is 640, which is not from 0 to 100"),
        ([task(result({**BOX, "x": "a"}))], "x must be a number"),
        ([task(result({**BOX, "width": None}))], "width must be a number"),
        ([task(result({"points": [[1]]}))], r"points: \[\[x, y\]"),
        ([task(result({"rle": [1], "format": "rle"}, "brushlabels"))], "a brush stroke is no shape"),
        ([task(result(BOX, image_rotation=90))], "the image was turned"),
        ([task(result(BOX, label=[3]))], "a list of labels"),
        ([task(result(BOX, label="car"))], "is car, which is no head"),
    ],
)
def test_an_error_names_the_file_and_the_key(folder: Path, tasks: list[Any], words: str) -> None:
    with pytest.raises(InputError, match=rf"ls\.json.*{words}"):
        finish(list_labelstudio(write(folder, *tasks)).scenes[0])


def test_what_is_read_is_converted(folder: Path) -> None:
    path = write(folder, task(result(BOX), result(BOX, label="hat")))
    report = convert_dataset(f"labelstudio={path}", "yolo", folder / "out")
    assert (report.images, report.heads) == (1, 1)
    label = np.loadtxt(folder / "out/labels/train/a.txt")
    assert np.allclose(label, [0, 0.125, 0.25, 0.05, 0.1])
