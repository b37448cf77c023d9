"""Regions of interest in the files that people have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.formats.regions import read_region, region_given

CORNERS = [[2.0, 1.0], [6.0, 1.0], [6.0, 5.0], [2.0, 5.0]]
SIZE_WH = (10, 8)
MASK = np.zeros((8, 10), np.bool_)
MASK[1:5, 2:6] = True


def _shape(points: Any, kind: str = "polygon", label: str = "gate") -> dict[str, Any]:
    return {"label": label, "shape_type": kind, "points": points}


LABELME = {
    "imagePath": "a.jpg", "imageWidth": 10, "imageHeight": 8,
    "shapes": [_shape(CORNERS), _shape([[0, 0], [9, 9]], "rectangle", "head"), _shape([[1, 1]], "point", "x")],
}  # fmt: skip
COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 10, "height": 8}],
    "categories": [{"id": 1, "name": "gate"}, {"id": 2, "name": "head"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[2, 1, 4, 1, 4, 5, 2, 5]]},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [0, 0, 9, 9]},
        {"id": 3, "image_id": 1, "category_id": 1, "bbox": [3, 1, 3, 4], "segmentation": []},
    ],
}
VIA = {
    "a.jpg1": {
        "filename": "a.jpg",
        "regions": [
            {"shape_attributes": {"name": "polygon", "all_points_x": [2, 6, 6, 2], "all_points_y": [1, 1, 5, 5]}},
            {"shape_attributes": {"name": "rect", "x": 3, "y": 2, "width": 1, "height": 1}},
            {"shape_attributes": {"name": "point", "cx": 3, "cy": 2}},
            {
                "shape_attributes": {"name": "rect", "x": 0, "y": 0, "width": 1, "height": 1},
                "region_attributes": {"kind": "Head"},
            },
        ],
    }
}


@pytest.mark.parametrize(
    "data",
    [
        CORNERS, [CORNERS], [*CORNERS, CORNERS[0]], {"polygons_xy": [CORNERS]}, LABELME, COCO, VIA,
        {"polygon": CORNERS}, {"name": "gate", "polygons": [CORNERS]}, {"points": CORNERS},
        {"_via_img_metadata": VIA}, [[x / 10, y / 8] for x, y in CORNERS],
        {**LABELME, "shapes": [_shape([[2, 1], [6, 5]], "rectangle")]},
    ],
)  # fmt: skip
def test_json_of_every_kind(tmp_path: Path, data: Any) -> None:
    (tmp_path / "r.json").write_text(json.dumps(data), encoding="utf-8")
    region = read_region(tmp_path / "r.json")
    np.testing.assert_array_equal(region.in_image(SIZE_WH), MASK)
    assert region.file == str(tmp_path / "r.json")
    np.testing.assert_array_equal(region_given(str(tmp_path / "r.json")).in_image(SIZE_WH), MASK)


@pytest.mark.parametrize(
    "text", ["x,y\n2,1\n6,1\n6,5\n2,5\n", "2 1\r\n6\t1\r\n6; 5\r\n2, 5", "#X,Y\n2,1\n6,1\n6,5\n2,5"]
)
@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_text_of_a_corner_a_line(tmp_path: Path, text: str, suffix: str) -> None:
    (tmp_path / f"r{suffix}").write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(read_region(tmp_path / f"r{suffix}").in_image(SIZE_WH), MASK)


def test_an_empty_line_begins_another_polygon(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("x,y\n0,0\n1,0\n1,8\n0,8\n\n9,0\n10,0\n10,8\n9,8\n", encoding="utf-8")
    assert np.flatnonzero(read_region(tmp_path / "r.csv").in_image(SIZE_WH)[0]).tolist() == [0, 9]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "I;16", "P", "zeros and ones", "LA"])
def test_masks_are_images_that_are_not_black_inside(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(MASK.astype(np.uint8) * (1 if mode == "zeros and ones" else 255))
    if mode == "I;16":
        image = Image.fromarray(MASK.astype(np.uint16) * 65535)
    elif mode != "zeros and ones":
        image = image.convert(mode)
    image.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_region(tmp_path / "m.png").in_image(SIZE_WH), MASK)


@pytest.mark.parametrize("colour", [(255, 255, 255), (255, 0, 0)])
def test_what_is_transparent_in_a_mask_is_outside(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    painted = np.zeros((8, 10, 4), np.uint8)
    painted[MASK] = (*colour, 200)
    Image.fromarray(painted).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_region(tmp_path / "m.png").in_image(SIZE_WH), MASK)
    painted[MASK] = (0, 0, 0, 255)  # black on nothing: neither is inside
    Image.fromarray(painted).save(tmp_path / "m.png")
    with pytest.raises(InputError, match="holds no pixel"):
        read_region(tmp_path / "m.png")


def test_the_blur_of_a_jpeg_is_no_part_of_the_mask(tmp_path: Path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 255
    Image.fromarray(mask).save(tmp_path / "m.jpg", quality=70)
    assert np.asarray(Image.open(tmp_path / "m.jpg")).astype(bool).sum() > 32 * 32
    np.testing.assert_array_equal(read_region(tmp_path / "m.jpg").in_image((64, 64)), mask > 0)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.json", "[[1, 2], [3, 4]]", "r.json\" needs three corners"),
        ("r.json", "[[1, 2], [3, NaN], [4, 4]]", r"\[1\]: y must be a number, got nan"),
        ("r.json", "[[1, 2], [3, 1e99], [4, 4]]", "lies in no image"),
        ("r.json", "[[1, 2], [3], [4, 4]]", r"\[1\]: \[x, y\], all numbers, was expected"),
        ("r.json", "[]", "a list of corners"),
        ("r.json", "[1, 2, 3]", "all numbers"),
        ("r.json", "7", "a list of corners"),
        ("r.json", "{}", "the images: .*but here are 0"),
        ("r.json", '{"a": 1}', "is no region of interest: a list of corners"),
        ("r.json", "[[0,0],[9,9],[9,0],[0,9]]", "crosses itself"),
        ("r.json", "nothing", "no valid JSON"),
        ("r.json", json.dumps({**LABELME, "shapes": []}), "holds no region"),
        ("r.json", json.dumps({**LABELME, "shapes": [3]}), "shapes: a list of objects"),
        (
            "r.json",
            json.dumps({**LABELME, "shapes": [_shape(CORNERS), _shape([[4, 4], [5, 5]], "circle")]}),
            r"shapes\[1\]: 'circle' is no shape of a region of interest: draw polygons",
        ),
        ("r.json", json.dumps({**COCO, "annotations": [{"bbox": [1, 2, 3]}]}), "x, y, width, height"),
        ("r.json", json.dumps({**COCO, "images": [{}, {}]}), "of one image, but here are 2"),
        ("r.json", json.dumps({**COCO, "annotations": [{"segmentation": {"counts": "x"}}]}), "x1, y1, x2, y2"),
        ("r.csv", "x,y\n1,2,3\n", "line 2: x and y of a corner were expected"),
        ("r.csv", "x,y\na,b\n", "line 2: x must be a number"),
        ("r.csv", "", "holds no region"),
        ("r.yaml", "", "is no region of interest: name an image file"),
        ("m.png", "no image", "not an image"),
    ],
)  # fmt: skip
def test_what_holds_no_region_is_told(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_region(tmp_path / name)


def test_masks_of_one_colour_and_missing_files_are_told(tmp_path: Path) -> None:
    Image.new("L", SIZE_WH, 0).save(tmp_path / "m.png")
    with pytest.raises(InputError, match="holds no pixel"):
        read_region(tmp_path / "m.png")
    Image.fromarray(1 + MASK.astype(np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match="nothing lies outside"):
        read_region(tmp_path / "m.png")
    Image.new("L", SIZE_WH, 255).save(tmp_path / "m.png")
    assert read_region(tmp_path / "m.png").in_image(SIZE_WH).all()
    for name in ("no.json", "no.csv", "no.png"):
        with pytest.raises(InputError, match=name):
            read_region(tmp_path / name)


def test_the_size_that_annotations_state_is_that_of_the_images(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(LABELME), encoding="utf-8")
    with pytest.raises(InputError, match=r'is of images of 10×8 pixels, but "b\.jpg" has 12×9'):
        read_region(tmp_path / "r.json").in_image((12, 9), "b.jpg")


def test_a_photograph_is_no_mask(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / "photo.png")
    with pytest.raises(InputError, match="many shades"):
        read_region(tmp_path / "photo.png")
