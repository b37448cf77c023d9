"""VIA's projects and exports: which shapes are heads, which attribute is the class, and what is refused by its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.formats.finish import finish
from headcount.data.formats.via import list_via
from headcount.data.sets.convert import convert_dataset

SHAPES: dict[str, dict[str, Any]] = {
    "rect": {"x": 1, "y": 2, "width": 10, "height": 20},
    "point": {"cx": 5, "cy": 6},
    "circle": {"cx": 20, "cy": 20, "r": 4.5},
    "ellipse": {"cx": 20, "cy": 20, "rx": 4, "ry": 2, "theta": np.pi / 2},
    "polygon": {"all_points_x": [1, 5, 3], "all_points_y": [2, 2, 9]},
    "polyline": {"all_points_x": [1, 5, 3], "all_points_y": [2, 2, 9]},
}
BOXES = [[1, 2, 11, 22], [15.5, 15.5, 24.5, 24.5], [18, 16, 22, 24], [1, 2, 5, 9], [1, 2, 5, 9]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b c.jpg"):
        Image.new("L", (64, 48)).save(tmp_path / name)
    return tmp_path


def region(kind: str = "rect", said: Any = None, **changed: Any) -> dict[str, Any]:
    return {"shape_attributes": {"name": kind, **SHAPES.get(kind, {}), **changed}, "region_attributes": said or {}}


def via(*regions: Any, name: str = "a.jpg") -> dict[str, Any]:
    return {f"{name}9": {"filename": name, "size": 9, "regions": list(regions), "file_attributes": {"weather": "rain"}}}


def write(folder: Path, data: Any) -> Path:
    (folder / "v.json").write_text(json.dumps(data), encoding="utf-8")
    return folder / "v.json"


def counts(path: Path) -> list[int]:
    return [finish(raw).count for raw in list_via(path).scenes]


def heads(path: Path) -> tuple[list[list[float]], list[list[float]]]:
    """The boxes, and the points that are no centre of one."""
    scene = finish(list_via(path).scenes[0])
    assert scene.boxes_xyxy is not None
    return scene.boxes_xyxy.round(6).tolist(), [point for point in scene.points_xy.tolist() if point == [5, 6]]


@pytest.mark.parametrize("form", ["project", "export", "of version 1", "csv", "csv of version 1"])
def test_every_form_is_read(folder: Path, form: str) -> None:
    images = {**via(*map(region, SHAPES)), **via(name="b c.jpg")}
    if form == "of version 1":
        images["a.jpg9"]["regions"] = dict(enumerate(images["a.jpg9"]["regions"]))
    if form.startswith("csv"):
        header = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
        rows = [("#" * ("1" in form) + header).split(",")]
        for image in images.values():
            for number, one in enumerate(image["regions"] or [{"shape_attributes": {}, "region_attributes": {}}]):
                cells = [json.dumps(each) for each in (image["file_attributes"], *one.values())]
                rows.append([image["filename"], "9", cells[0], "6", str(number), *cells[1:]])
        quoted = ('"' + cell.replace('"', '""') + '"' for row in rows for cell in row)
        text = "\n".join(",".join(next(quoted) for _ in row) for row in rows)
        (folder / "v.csv").write_text(text + "\n\n", encoding="utf-8-sig")
        path = folder / "v.csv"
    else:
        path = write(folder, {"_via_settings": {}, "_via_img_metadata": images} if form == "project" else images)
    assert heads(path) == (BOXES, [[5, 6]])
    assert counts(path) == [6, 0]
    assert dict(list_via(path).scenes[0].read().attributes) == {"weather": "rain"}


def test_a_project_of_version_3_is_read(folder: Path) -> None:
    numbers = {"rect": [2, 1, 2, 10, 20], "point": [1, 5, 6], "circle": [3, 20, 20, 4.5], "ellipse": [4, 20, 20, 2, 4],
               "polygon": [7, 1, 2, 5, 2, 3, 9], "polyline": [6, 1, 2, 5, 2, 3, 9]}  # fmt: skip
    data = {
        "project": {"pid": "x"}, "config": {}, "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["2"]}},
        "attribute": {"1": {"aname": "what", "options": {"0": "head", "1": "hat"}}},
        "file": {"1": {"fname": "a.jpg", "type": 2}, "2": {"fname": "b c.jpg", "type": 2}},
        "metadata": {f"1_{kind}": {"vid": "1", "z": [], "xy": xy, "av": {"1": "0"}} for kind, xy in numbers.items()},
    }  # fmt: skip
    data["metadata"]["2_x"] = {"vid": "2", "z": [], "xy": numbers["rect"], "av": {"1": "1"}}  # type: ignore[index]
    path = write(folder, data)
    assert heads(path) == (BOXES, [[5, 6]])
    assert [dict(raw.read().ignored_as) for raw in list_via(path).scenes] == [{}, {"hat": 1}]


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ([{}, {}], 2),
        ([{"what": "Head"}, {"what": "hat"}], 1),
        ([{"class": "person"}, {"class": "person"}], 2),
        ([{"seen": "yes", "type": "person"}, {"seen": "no", "type": "person"}], 2),
        ([{"what": {"head": True}}, {"what": {"hat": True, "head": False}}], 1),
        ([{"what": "1"}, {"what": "2"}], 1),
    ],
)
def test_the_class_is_the_attribute_that_says_head(folder: Path, said: list[dict[str, Any]], count: int) -> None:
    options = {"region": {"what": {"type": "radio", "options": {"1": "head", "2": "hat"}}}}
    images = via(*(region(said=each) for each in said))
    data = {"_via_img_metadata": images, "_via_attributes": options if said[0].get("what") == "1" else {}}
    assert counts(write(folder, data)) == [count]


def test_images_are_found_by_the_projects_own_path(folder: Path) -> None:
    (folder / "photos").mkdir()
    (folder / "a.jpg").rename(folder / "photos/a.jpg")
    settings = {"core": {"default_filepath": "./photos/"}}
    assert counts(write(folder, {"_via_settings": settings, "_via_img_metadata": via(region())})) == [1]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "a JSON object"),
        ({"a": 3}, 'an object of images with "filename"'),
        ({"a": {"filename": 3, "regions": []}}, "'a'.filename: the name of an image"),
        ({"a": {"filename": "a.jpg"}}, "'a'.regions: a list"),
        ({**via(), "b": {"filename": "./a.jpg", "regions": []}}, "stands at 'a.jpg9' already"),
        (via({}), r"regions\[0\]: an object with shape_attributes"),
        (via(region("cube")), "'cube' is no shape"),
        (via(region(x="a")), r"regions\[0\]: x must be a number"),
        (via(region(width=-1)), r"width and height must not be negative, got -1×20"),
        (via(region("circle", r=-1)), "r must not be negative"),
        (via(region("polygon", all_points_x=[1])), "all_points_x and all_points_y"),
        (via(region(said={"class": "a"}), region(said={"class": "b"})), "may be any of a, b"),
        (via(region(said={"class": "car"})), "is car, which is no head"),
        ({"metadata": {"m": {"vid": "1", "xy": [9, 1]}}, "file": {"1": {"fname": "a.jpg"}},
          "view": {"1": {"fid_list": [1]}}}, r"metadata\['m'\].xy"),
    ],
)  # fmt: skip
def test_an_error_names_the_file_and_the_key(folder: Path, data: Any, words: str) -> None:
    with pytest.raises(InputError, match=rf"v\.json.*{words}"):
        _ = [finish(raw) for raw in list_via(write(folder, data)).scenes]


@pytest.mark.parametrize(("cell", "words"), [('"{"', "line 2: '{' is no JSON"), ("3", "line 2: an object such as")])
def test_a_cell_that_is_no_object_is_named_with_its_line(folder: Path, cell: str, words: str) -> None:
    (folder / "v.csv").write_text(f"filename,region_shape_attributes,region_attributes\na.jpg,{cell},{{}}\n")
    with pytest.raises(InputError, match=words):
        list_via(folder / "v.csv")


def test_what_is_read_is_converted(folder: Path) -> None:
    report = convert_dataset(f"via={write(folder, via(region(), region('point')))}", "labelme", folder / "out")
    assert (report.images, report.heads) == (1, 2)
