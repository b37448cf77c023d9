"""COCO's JSON: read as COCO means it, written so that its own tools read it, and refused by file and key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.coco import list_coco, write_coco
from headcount.data.formats.finish import finish
from headcount.data.formats.raw import RawScene

SIZE_WH = (64, 48)
WRONG_REGION = {"size": [2, 2], "counts": [5]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        Image.new("L", SIZE_WH).save(tmp_path / name)
    return tmp_path


def coco(**changed: Any) -> dict[str, Any]:
    """Two images, three boxes of a head and one of a hat; keys may be replaced."""
    box = {"image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 20], "iscrowd": 0}
    data = {
        "images": [
            {"id": 7, "file_name": "a.png", "width": 64, "height": 48},
            {"id": 8, "file_name": "b.png", "width": 64, "height": 48},
        ],
        "categories": [{"id": 3, "name": "head"}, {"id": 4, "name": "hat"}],
        "annotations": [{**box, "id": 1}, {**box, "id": 2, "iscrowd": 1}, {**box, "id": 3, "category_id": 4}],
    }
    return {**data, **changed}


def one(**changed: Any) -> dict[str, Any]:
    return coco(annotations=[{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 20], **changed}])


def test_heads_are_counted_and_crowds_and_other_categories_are_not(folder: Path) -> None:
    (folder / "c.json").write_text(json.dumps(coco()))
    first, second = list_coco(folder / "c.json").scenes
    annotation = first.read()
    assert annotation.boxes_xyxy is not None
    assert (annotation.boxes_xyxy.tolist(), annotation.points_xy) == ([[1, 2, 11, 22]], None)
    assert (annotation.ignored, annotation.stated_size_wh, annotation.where) == (2, (64, 48), ("annotations[0]",))
    assert (first.name, finish(second).count) == ("a.png", 0)


def test_a_box_may_reach_over_the_edge_and_a_drawn_point_may_not(folder: Path) -> None:
    data = one(bbox=[60, 2, 10, 10])
    data["categories"][0]["keypoints"] = ["head"]
    data["annotations"].append({"image_id": 7, "category_id": 3, "keypoints": [1, 2, 2]})
    data["annotations"].append({"image_id": 8, "category_id": 3, "keypoints": [65, 2, 2]})
    (folder / "c.json").write_text(json.dumps(data))
    first, second = list_coco(folder / "c.json").scenes
    assert finish(first).points_xy.tolist() == [[64, 7], [1, 2]]
    with pytest.raises(InputError, match=r"annotations\[2\]: the point \(65, 2\) lies outside"):
        finish(second)


def test_ids_are_the_same_as_numbers_and_as_text_and_unused_categories_do_not_matter(folder: Path) -> None:
    categories = [{"id": 0, "name": "objects"}, {"id": "3", "name": "person"}]
    (folder / "c.json").write_text(json.dumps({**one(image_id="7", category_id=3.0), "categories": categories}))
    assert [finish(raw).count for raw in list_coco(folder / "c.json").scenes] == [1, 0]


def test_images_are_found_in_the_usual_folders(folder: Path) -> None:
    for place in ("annotations", "images/val2017"):
        (folder / place).mkdir(parents=True)
    (folder / "a.png").rename(folder / "images/val2017/a.png")
    (folder / "b.png").rename(folder / "images/val2017/b.png")
    (folder / "annotations/instances_val2017.json").write_text(json.dumps(coco()))
    listing = list_coco(folder)
    assert [(raw.split, finish(raw).count) for raw in listing.scenes] == [("val", 1), ("val", 0)]


def test_annotations_may_be_numbered_anew_for_each_image(folder: Path) -> None:
    first = one()["annotations"][0]
    data = coco(
        annotations=[first, {**first, "image_id": 8}, {**first, "bbox": [20, 2, 10, 20]}, {**first, "id": None}]
    )
    (folder / "c.json").write_text(json.dumps(data))
    assert [finish(raw).count for raw in list_coco(folder / "c.json").scenes] == [3, 1]


@pytest.mark.parametrize("categories", [None, []])
def test_a_file_may_list_no_categories(folder: Path, categories: list[Any] | None) -> None:
    (folder / "c.json").write_text(json.dumps({**one(), "categories": categories}))
    assert [finish(raw).count for raw in list_coco(folder / "c.json").scenes] == [1, 0]


def test_a_folder_for_each_split_is_read(folder: Path) -> None:
    roots = [{"id": 0, "name": "people-xq3z"}, {"id": 3, "name": "person"}]
    for split, name in (("train", "a.png"), ("valid", "b.png")):
        (folder / split).mkdir()
        (folder / name).rename(folder / split / name)
        data = one() if split == "train" else coco(annotations=[])
        images = [image for image in data["images"] if image["file_name"] == name]
        text = json.dumps({**data, "images": images, "categories": roots})
        (folder / split / "_annotations.coco.json").write_text(text)
    found = [(raw.name, raw.split, finish(raw).count) for raw in list_coco(folder).scenes]
    assert found == [("train/a.png", "train", 1), ("val/b.png", "val", 0)]
    assert [raw.name for raw in list_coco(folder / "train").scenes] == ["a.png"]


def test_what_is_not_counted_is_told_by_class_and_mark(folder: Path) -> None:
    (folder / "c.json").write_text(json.dumps(coco()))
    assert dict(list_coco(folder / "c.json").scenes[0].read().ignored_as) == {"iscrowd": 1, "hat": 1}


def test_cocos_own_tools_read_what_is_written(folder: Path) -> None:
    pycoco = pytest.importorskip("faster_coco_eval", reason="faster-coco-eval is in the boxes extra")
    from faster_coco_eval.core import mask

    region = np.zeros((48, 64), np.bool_)
    region[3:20, 5:9] = True
    scenes = [
        Scene(folder / "a.png", np.array([[6.0, 12.0], [1.5, 2.5]]), np.array([[1.1, 2.2, 11.3, 22.4]]), region=region),
        Scene(folder / "b.png"),
    ]
    write_coco(scenes, folder / "c.json")
    read = pycoco.COCO(str(folder / "c.json"))
    assert read.getImgIds() == [1, 2]
    assert [category["name"] for category in read.loadCats(read.getCatIds())] == ["head"]
    boxed, pointed = read.loadAnns(read.getAnnIds(imgIds=[1]))
    assert np.allclose(boxed["bbox"], [1.1, 2.2, 10.2, 20.2])
    assert (pointed["bbox"], pointed["keypoints"], pointed["num_keypoints"]) == ([1.5, 2.5, 0, 0], [1.5, 2.5, 2], 1)
    assert read.getAnnIds(imgIds=[1], areaRng=[1, 1e5]) == [1]
    run_lengths = read.loadImgs([1])[0]["region"]
    assert (mask.decode(mask.frPyObjects(run_lengths, 48, 64)) == region).all()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (coco(images=[{"id": True, "file_name": "a.png"}]), ["images[0].id"]),
        (coco(images=[{"id": 7, "file_name": "a.png"}, {"id": 7, "file_name": "b.png"}]), ["images[1].id", "7"]),
        (coco(images=[{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "./a.png"}]), ["images[1]", "a.png"]),
        (coco(categories=[{"id": 3, "name": "hut"}, {"id": 4, "name": "hat"}]), ["categories", "hut, hat"]),
        (coco(categories=[{"id": 3, "name": "head"}, {"id": 3, "name": "hat"}]), ["categories[1].id"]),
        (coco(annotations=[one()["annotations"][0]] * 2), ["annotations[1]", "the annotation annotations[0] again"]),
        (one(image_id=9), ["annotations[0].image_id", "9"]),
        (one(category_id=5), ["annotations[0].category_id", "5"]),
        (one(bbox=[1, 2, 10]), ["annotations[0].bbox", "[x, y, width, height]"]),
        (one(bbox=[1, 2, -10, 20]), ["annotations[0].bbox", "negative"]),
        (one(bbox=[True, 2, 10, 20]), ["annotations[0].bbox", "True"]),
        (one(corners=[1, 2, 11, 23]), ["annotations[0]", "two boxes"]),
        (one(provenance="pseud"), ["annotations[0]", 'Did you mean "pseudo"']),
        (coco(images=[{"id": 7, "file_name": "a.png", "region": WRONG_REGION}]), ["images[0].region", "2×2"]),
        (coco(images=[{"id": 7, "file_name": "a.png", "region": "x"}]), ["images[0].region", "counts"]),
    ],
)  # fmt: skip
def test_an_error_names_the_file_and_the_key(folder: Path, data: Any, words: list[str]) -> None:
    (folder / "c.json").write_text(json.dumps(data))
    with pytest.raises(InputError) as caught:
        _ = [finish(raw) for raw in list_coco(folder / "c.json").scenes]
    for word in ["c.json", *words]:
        assert word in str(caught.value)


def test_a_path_that_is_none_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"annotations/train\.json"):
        list_coco(folder)
    for name in ("a.json", "b.json"):
        (folder / name).write_text(json.dumps(coco()))
    with pytest.raises(InputError, match=r'"a\.json" and "b\.json".*name one'):
        list_coco(folder)


def test_annotations_of_images_that_are_not_listed_are_told_and_the_rest_is_read(folder: Path) -> None:
    data = coco()
    counted = [finish(raw).count for raw in read(folder, data)]
    strays = [
        {"id": 90 + row, "image_id": key, "category_id": 3, "bbox": [1, 2, 3, 4]} for row, key in enumerate("xxy")
    ]
    scenes = read(folder, {**data, "annotations": [strays[0], *data["annotations"], *strays[1:]]})
    assert [raw.name for raw in scenes if raw.image is None] == [
        "annotations[0], image_id 'x'",
        "annotations[5], image_id 'y'",
    ]
    assert [finish(raw).count for raw in scenes if raw.image is not None] == counted
    unknown = [*data["annotations"], {"id": 99, "image_id": 8, "category_id": 55, "bbox": [1, 2, 3, 4]}]
    first, second = read(folder, {**data, "annotations": unknown})
    assert finish(first).count == counted[0]
    with pytest.raises(InputError, match=r"annotations\[3\]\.category_id: no category has the id 55"):
        finish(second)
    with pytest.raises(InputError, match=r"annotations\[0\]\.image_id: no image has the id 'x'"):
        read(folder, {**data, "annotations": strays})


def read(folder: Path, data: dict[str, Any]) -> tuple[RawScene, ...]:
    (folder / "c.json").write_text(json.dumps(data))
    return list_coco(folder / "c.json").scenes


@pytest.mark.parametrize(
    ("mark", "counted"),
    [(None, 1), (0, 1), ("0", 1), (False, 1), ("false", 1), (1, 0), ("1", 0), (1.0, 0), (True, 0), ("True", 0)],
)
@pytest.mark.parametrize("key", ["iscrowd", "ignore"])
def test_what_is_not_to_be_counted_is_marked_in_several_ways(folder: Path, key: str, mark: Any, counted: int) -> None:
    first, _ = read(folder, one(**{key: mark}))
    annotation = first.read()
    assert (len(annotation.heads_xy), annotation.ignored) == (counted, 1 - counted)
