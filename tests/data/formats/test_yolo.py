"""YOLO's text files: read as their documentation says, written so that another reader gets the same boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.finish import finish
from headcount.data.formats.yolo import list_yolo, read_labels, write_yolo

SIZE_WH = (64, 48)
YAML = "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: hat\n  1: head\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train/a.png", "val/b.png"):
        for kind in ("images", "labels"):
            (tmp_path / kind / name).parent.mkdir(parents=True)
        Image.new("L", SIZE_WH).save(tmp_path / "images" / name)
    (tmp_path / "labels/train/a.txt").write_text("1 0.5 0.5 0.25 0.5\n0 0.5 0.5 1 1\n\n")
    (tmp_path / "labels/val/b.txt").touch()
    (tmp_path / "data.yaml").write_text(YAML)
    return tmp_path


def test_boxes_of_the_class_head_are_read(folder: Path) -> None:
    first, second = list_yolo(folder).scenes
    assert (first.name, first.split, second.name, second.split) == ("train/a.png", "train", "val/b.png", "val")
    assert first.read().ignored == 1
    scene = finish(first)
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == [[24, 12, 40, 36]]
    assert finish(second).count == 0
    assert list_yolo(folder / "data.yaml").scenes[0].image == first.image


@pytest.mark.parametrize(
    "text",
    [
        "train: images/train\nval: images/val\nnames: [hat, head]\n",
        "path: /nowhere/at/all\ntrain: ../images/train\nval: [images/val]\nnames: [hat, head]\n",
        "train: train.txt\nval: images/val\nnames: [hat, head]\n",
        "train: images/train\nval: images/val\nnames: {'1': head, 7: hat, 0.0: hut}\n",
        "train: images/train\nvalid: images/val\nnames: [hat, head]\nnone: {a: [{a: 1}, {a: 2}], b: {a: 3}}\n",
        "train: D:\\set\\images\\train\nval: /home/me/images/val/\nnames: [hat, head]\n",
        "train: images/train/\nval: IMAGES\\..\\images\\val\nnames: [hat, head]\ntest: gone\n",
    ],
)
def test_other_ways_to_say_where_images_are(folder: Path, text: str) -> None:
    (folder / "train.txt").write_text("./images/train/a.png\n")
    (folder / "data.yaml").write_text(text)
    assert [finish(raw).count for raw in list_yolo(folder).scenes] == [1, 0]


def test_polygons_count_by_their_boxes_and_keypoints_are_passed_over(folder: Path) -> None:
    label, image = folder / "labels/train/a.txt", folder / "images/train/a.png"
    label.write_text("0 0.25 0.5 0.5 0.25 0.75 0.875\n")
    boxes = read_labels(label, image).boxes_xyxy
    assert boxes is not None
    assert boxes.tolist() == [[16, 12, 48, 42]]
    label.write_text("0 0.5 0.5 0.25 0.5 7 7\n")
    boxes = read_labels(label, image, keypoints=2).boxes_xyxy
    assert boxes is not None
    assert boxes.tolist() == [[24, 12, 40, 36]]


def test_values_a_hair_outside_are_read_and_missing_folders_noted(folder: Path) -> None:
    (folder / "labels/train/a.txt").write_text("1 0.5 0.5 1.00044 -4e-07\n")
    (folder / "data.yaml").write_text(YAML.replace("images/val", "images/gone"))
    listing = list_yolo(folder)
    assert [len(raw.read().heads_xy) for raw in listing.scenes] == [1]
    assert [(remark.code, remark.path.name) for remark in listing.remarks] == [("missing-folder", "gone")]


def test_an_image_without_its_text_has_no_annotation(folder: Path) -> None:
    (folder / "labels/val/b.txt").unlink()
    with pytest.raises(InputError, match=r'annotation of ".*b\.png" is missing'):
        finish(list_yolo(folder).scenes[1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n1 0.5 0.5 0.5 0.5 0.5\n", ["line 2", "got 6"]),
        ("1 0.5 0.5 0.5 1.01\n", ["line 1", "1.01 is not from 0 to 1"]),
        ("1 32 24 10 10\n", ["line 1", "not pixels"]),
        ("1 0.5 -0.5 0.5 0.5\n", ["line 1", "-0.5"]),
        ("2 0.5 0.5 0.5 0.5\n", ["line 1", "class from 0 to 1"]),
        ("1.5 0.5 0.5 0.5 0.5\n", ["line 1", "class"]),
        ("head 0.5 0.5 0.5 0.5\n", ["line 1", "class"]),
    ],
)
def test_an_error_names_the_file_and_the_line(folder: Path, text: str, words: list[str]) -> None:
    (folder / "labels/train/a.txt").write_text(text)
    with pytest.raises(InputError) as caught:
        finish(list_yolo(folder).scenes[0])
    for word in ["a.txt", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lines such as"),
        ("names: [head\n", "line 2.*no valid YAML"),
        ("train: images/train\n", "names"),
        ("train: images/train\nnames: [hut, hat]\n", "hut, hat"),
        ("train: images/train\nnames: {a: head}\n", "names: a number of a class.*got 'a'"),
        ("train: images/train\nnames: {1: head, '1.0': hat}\n", "names: a number of a class.*each once"),
        ("train: /\nnames: [head]\n", 'train: "/" is above the folder of this file'),
        ("train: ../../..\nnames: [head]\n", "is above the folder of this file"),
        (f"train: {'x' * 5000}\nnames: [head]\n", "train: a folder of images was expected, got 'xxx"),
        ("names: [" + "a, " * 200_000 + "b]\ntrain: images/train\n", "over the limit of 524,288"),
        ("train: images/trein\nnames: [head]\n", "train: there is no folder"),
        ("train: 3\nnames: [head]\n", "train: a folder of images"),
        ("trian: images/train\nnames: [head]\n", 'Did you mean "trian"'),
        ("train: images\nval: images/val\nnames: [head]\n", "is in train and in val"),
        ("train: images/train\nnames: [head]\nkpt_shape: 3\n", "kpt_shape"),
        ("train: !!python/object:os.system x\nnames: [head]\n", "no valid YAML"),
        ("a: &a [1, 2]\nb: &b [*a, *a]\ntrain: [*b, *b]\nnames: [head]\n", "alias"),
        ("a: " + "[" * 20_000, "nested too deeply"),
        ("train: images/train\nnames: [head]\ntrain: images/val\n", "line 3: 'train' stands there twice"),
        ("train: images/train\nnames: {0: head, 0: hat}\n", "line 2: '0' stands there twice"),
    ],
)
def test_a_wrong_data_yaml_is_explained(folder: Path, text: str, words: str) -> None:
    (folder / "data.yaml").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        list_yolo(folder)
    assert "data.yaml" in str(caught.value)


def _read_independently(folder: Path) -> dict[str, list[tuple[float, float, float, float]]]:
    """Boxes by image name, by nothing but the format's description."""
    data = yaml.safe_load((folder / "data.yaml").read_text())
    found = {}
    for split in ("train", "val", "test"):
        for image in sorted((folder / data[split]).rglob("*.png")) if split in data else []:
            width, height = Image.open(image).size
            rows = []
            for line in Path(str(image).replace("/images/", "/labels/")[:-4] + ".txt").read_text().splitlines():
                name, cx, cy, w, h = line.split()
                assert data["names"][int(name)] == "head"
                x, y, w, h = float(cx) * width, float(cy) * height, float(w) * width, float(h) * height
                rows.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
            found[image.name] = rows
    return found


def test_another_reader_gets_the_same_boxes(folder: Path, tmp_path: Path) -> None:
    boxes = np.array([[0.0, 0.0, 64.0, 48.0], [1 / 3, 2 / 3, 17.123456789, 20.5], [63.999, 47.5, 64, 48]])
    scenes = [
        Scene(folder / "images/train/a.png", (boxes[:, :2] + boxes[:, 2:]) / 2, boxes),
        Scene(folder / "images/val/b.png"),
    ]
    write_yolo(scenes, tmp_path / "out", splits=["train", "test"])
    read = _read_independently(tmp_path / "out")
    assert read["b.png"] == []
    assert np.abs(np.array(read["a.png"]) - boxes).max() < 0.01


def test_a_box_too_thin_for_division_is_written(tmp_path: Path) -> None:
    Image.new("L", (64, 48)).save(tmp_path / "a.png")
    scene = Scene(tmp_path / "a.png", np.array([[0.75, 0.0]]), np.array([[0.0, 0.0, 1.5, 5e-324]]))
    write_yolo([scene], tmp_path / "yolo")
    assert next((tmp_path / "yolo" / "labels").rglob("*.txt")).read_text().startswith("0 ")


@pytest.mark.parametrize("line", ["/", "..", "a\0b.png"])
def test_a_line_of_a_list_that_names_no_image_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / "data.yaml").write_text("train: train.txt\nnames: [head]\n")
    (tmp_path / "train.txt").write_text(f"{'../' * 40 if line == '..' else line}\n")
    with pytest.raises(InputError, match=r"train\.txt.*line 1.*(names no file|zero byte)"):
        list_yolo(tmp_path)
