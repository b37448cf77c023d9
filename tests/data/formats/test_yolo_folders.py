"""YOLO folders as others export them: what names the classes, which images there are, where their text files lie."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.audit.check import check_dataset
from headcount.data.formats.finish import finish
from headcount.data.formats.yolo import list_yolo
from headcount.data.formats.yolo_folders import find_yolo, label_of
from headcount.data.sets.convert import convert_dataset

BOX = "0 0.5 0.5 0.25 0.5\n"
CVAT = {
    "obj.data": "classes = 1\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\nbackup = x/\n",
    "obj.names": "head\n\n", "train.txt": "data/obj_train_data/a.png\ndata/obj_train_data/sub/b c.png\n\n",
    "valid.txt": "\ufeffdata/obj_valid_data/v.png\r\n", "obj_train_data/a.txt": BOX, "obj_train_data/sub/b c.txt": "",
    "obj_valid_data/v.txt": BOX + BOX.replace("0.25", "0.3"), "obj_valid_data/v.png": "",
    "obj_train_data/a.png": "", "obj_train_data/sub/b c.png": "",
}  # fmt: skip
LABEL_STUDIO = {
    "classes.txt": "hat\nhead\n", "notes.json": "{}", "images/1a2b3c4d-a.png": "", "images/b.png": "",
    "labels/1a2b3c4d-a.txt": BOX + BOX.replace("0 ", "1 ", 1), "labels/b.txt": "",
}  # fmt: skip
NO_BOXES = {"empty.txt": "", "readme.txt": "7 images\n", "list.txt": "train/a.png\n", "classes.txt": "hat\nhead\n"}
LABEL_IMG = {"classes.txt": "person\n", "train/a.png": "", "train/a.txt": BOX, "valid/b.png": "", "valid/b.txt": ""}
DARKNET = {
    "README.roboflow.txt": "x", "train/_darknet.labels": "head\n", "train/a.png": "", "train/a.txt": BOX,
    "valid/_darknet.labels": "head\n", "valid/b.png": "", "valid/b.txt": "",
}  # fmt: skip
CVAT_ULTRALYTICS = {
    "data.yaml": "path: .\ntrain: train.txt\nnames:\n  0: head\n", "train.txt": "data/images/train/a.png\n",
    "images/train/a.png": "", "labels/train/a.txt": BOX,
}  # fmt: skip
ROBOFLOW = {
    "data.yaml": "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['head']\n", "train/images/a.png": "",
    "train/labels/a.txt": BOX, "valid/images/b.png": "", "valid/labels/b.txt": "",
}  # fmt: skip


def lay(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".png"):
            Image.new("L", (64, 48), len(name)).save(folder / name)
        else:
            (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (CVAT, [("train", 1), ("train", 0), ("val", 2)]),
        (LABEL_STUDIO, [("", 1), ("", 0)]),
        (
            {name: text.replace("valid = ", "By night = ") for name, text in CVAT.items()},
            [("train", 1), ("train", 0), ("", 2)],
        ),
        (LABEL_IMG, [("train", 1), ("val", 0)]),
        (DARKNET, [("train", 1), ("val", 0)]),
        (CVAT_ULTRALYTICS, [("train", 1)]),
        (ROBOFLOW, [("train", 1), ("val", 0)]),
    ],
)
def test_what_others_export_is_read(tmp_path: Path, files: dict[str, str], expected: list[tuple[str, int]]) -> None:
    listing = list_yolo(lay(tmp_path / "set", files))
    assert [(raw.split, finish(raw).count) for raw in listing.scenes] == expected
    assert not listing.remarks
    assert not [one for one in check_dataset(f"yolo={tmp_path / 'set'}") if one.is_problem and "leak" not in one.code]
    report = convert_dataset(f"yolo={tmp_path / 'set'}", "points", tmp_path / "p.csv")
    assert report.heads == sum(count for _, count in expected)


def test_an_export_without_images_tells_that_they_are_missing(tmp_path: Path) -> None:
    folder = lay(tmp_path, {name: text for name, text in CVAT.items() if not name.endswith(".png")})
    raws = list_yolo(folder).scenes
    assert [raw.annotation is not None for raw in raws] == [True] * 3
    with pytest.raises(InputError, match=r"there is no image .*a\.png"):
        finish(raws[0])


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (ROBOFLOW, "train/labels/gone.txt"),
        ({**ROBOFLOW, "train/images/gone.psd": ""}, "train/labels/gone.TXT"),
        (LABEL_STUDIO, "labels/inner/gone.txt"),
        (LABEL_IMG, "train/gone.txt"),
    ],
)
def test_boxes_whose_image_is_not_there_are_told(tmp_path: Path, files: dict[str, str], text: str) -> None:
    noise = {str(Path(text).parent / name): words for name, words in NO_BOXES.items()}
    folder = lay(tmp_path / "set", {**files, **noise, text: "\n" + BOX})
    gone = [raw for raw in list_yolo(folder).scenes if raw.image is None]
    assert [(raw.annotation, raw.name) for raw in gone] == [(folder / text, text.rpartition(".")[0])]
    assert [found.code for found in check_dataset(f"yolo={folder}")].count("missing-image") == 1
    report = convert_dataset(f"yolo={folder}", "points", tmp_path / "p.csv")
    assert (report.left_out, report.losses[-1].code) == (1, "missing-image")


def test_images_in_no_list_are_told(tmp_path: Path) -> None:
    lay(tmp_path, {**CVAT, "obj_train_data/left.png": ""})
    (remark,) = list_yolo(tmp_path).remarks
    assert remark.message == "1 image is in none of its lists, and left out: left.png for one"


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/train/é.png", "labels/train/" + unicodedata.normalize("NFD", "é") + ".TXT"),
        ("Images/a.b.png", "Labels/a.b.txt"), ("Images/a.png", "labels/a.txt"), ("images/a.png", "images/a.txt"),
        ("photos/a.png", "photos/a.txt"),
    ],
)  # fmt: skip
def test_text_files_are_found_in_their_usual_places(tmp_path: Path, image: str, label: str) -> None:
    lay(tmp_path, {"classes.txt": "head\n", image: "", label: BOX})
    (raw,) = list_yolo(tmp_path).scenes
    assert raw.annotation == tmp_path / label
    assert label_of(Path("a/b.png")) == Path("a/b.txt")


def test_a_text_file_of_no_image_is_no_class_list(tmp_path: Path) -> None:
    lay(tmp_path, {"classes.txt": "head\n", "classes.png": ""})
    assert [raw.annotation for raw in list_yolo(tmp_path).scenes] == [None]


@pytest.mark.parametrize(
    ("classes", "label", "counted"),
    [("person\ncar\n", BOX, 1), ("car\nperson\n", BOX.replace("0 ", "1.0 ", 1), 1), ("car\n", "", 0)],
)
def test_classes_that_nothing_is_of_do_not_matter(tmp_path: Path, classes: str, label: str, counted: int) -> None:
    lay(tmp_path, {"classes.txt": classes, "a.png": "", "a.txt": label})
    assert [finish(raw).count for raw in list_yolo(tmp_path).scenes] == [counted]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({**LABEL_IMG, "train/a.txt": BOX, "classes.txt": "cars\n"}, "is cars, which is no head"),
        ({"classes.txt": "\n"}, "the names of the classes were expected"),
        ({**CVAT, "obj.data": "train train.txt\n"}, "line 1: key = value was expected"),
        ({**CVAT, "obj.data": "train = train.txt\n"}, "names: the name of a file of class names"),
        ({**CVAT, "obj.data": "names = obj.names\n"}, 'names no images: "train = train.txt"'),
        ({**CVAT, "obj.data": "names = gone\ntrain = train.txt\n"}, "no list of class names"),
        ({**CVAT, "obj.data": "names = obj.names\ntrain = gone.txt\n"}, "train: there is no folder"),
        ({**CVAT, "train.txt": "x" * 5000 + "\n"}, "line 1: .* is no name of a file: it has 5,000 letters"),
        ({**CVAT, "obj.data": "names = obj.names\nnames = x\n"}, "line 2: 'names' stands there twice"),
        ({**CVAT, "other.data": ""}, "name the one that is meant"),
        ({"notes.json": "{}"}, r"data\.yaml \(or obj\.data, classes\.txt\) was expected"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, files: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        list_yolo(lay(tmp_path, files))


def test_the_file_that_describes_a_folder_may_be_given(tmp_path: Path) -> None:
    assert len(find_yolo(lay(tmp_path, CVAT) / "obj.data").images) == 3
    with pytest.raises(InputError, match="name that file, or its folder"):
        find_yolo(tmp_path / "train.txt")
