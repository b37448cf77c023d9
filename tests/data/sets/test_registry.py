"""`NAME=PATH`: readers by name, the splits of one's own points, and sets that other packages add."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.sets.registry import DATA_SETS, list_dataset, read_dataset


def _points_file(folder: Path, images: int) -> Path:
    for number in range(images):
        Image.new("RGB", (8, 8)).save(folder / f"{number}.png")
    path = folder / "points.csv"
    path.write_text("image,x,y\n" + "".join(f"{number}.png,{number % 8},1\n" for number in range(images)))
    return path


@pytest.mark.parametrize(("images", "train", "val"), [(0, 0, 0), (9, 9, 0), (20, 16, 4)])
def test_a_fifth_of_ones_own_points_validates_where_they_are_not_few(
    tmp_path: Path, images: int, train: int, val: int
) -> None:
    spec = f"points={_points_file(tmp_path, images)}"
    sizes = [len(read_dataset(spec, split)) for split in ("train", "val", "trainval", "test", "all")]
    assert sizes == [train, val, images, images, images]


@pytest.mark.parametrize(
    ("spec", "split", "words"),
    [
        ("shanghaitech-b", "val", "NAME=PATH"),
        ("shanghaitech-b=", "val", "NAME=PATH"),
        ("=x", "val", "no data set"),
        ("points=/nowhere", "vall", 'Did you mean "val"'),
        ("shanghaitch-b=/x", "val", 'Did you mean "shanghaitech-b"'),
        ("shanghaitech-b=/nowhere", "val", "no folder"),
        ("shanghaitech-b=/nowhere", "valid", 'Did you mean "val"'),
    ],
)
def test_what_cannot_be_read_is_said(spec: str, split: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_dataset(spec, split)
    assert words in str(caught.value)


def _shanghaitech_b(root: Path) -> Path:
    folder = root / "part_B" / "train_data"
    for name in ("images", "ground-truth"):
        (folder / name).mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "images" / "IMG_1.jpg")
    (folder / "ground-truth" / "GT_IMG_1.mat").touch()
    return root


@pytest.mark.parametrize("name", ["shanghaitech-a", "scut-head-a"])
def test_the_nearest_known_layout_is_named(tmp_path: Path, name: str) -> None:
    root = _shanghaitech_b(tmp_path / "st")
    with pytest.raises(InputError, match="was expected") as caught:
        read_dataset(f"{name}={root}", "train")
    assert f"It is laid out like shanghaitech-b: write shanghaitech-b={root}." in str(caught.value)


VOC_XML = "<annotation><filename>a.png</filename></annotation>"
OTHERS = {  # what a folder or file holds, and the format it is
    "voc": {"Annotations/a.xml": VOC_XML, "JPEGImages/a.png": ""},
    "voc ": {"a.xml": VOC_XML, "a.png": ""},
    "yolo": {"classes.txt": "head\n", "images/a.png": "", "labels/a.txt": ""},
    "yolo ": {"obj.data": "names=obj.names\ntrain=train.txt", "obj.names": "head", "train.txt": "a.png", "a.png": "",
              "a.txt": ""},
    "coco": {"train/x.json": '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": []}', "train/a.png": ""},
    "labelme": {"a.json": '{"imagePath": "a.png", "shapes": []}', "a.png": ""},
    "cvat": {"annotations.xml": '<annotations><image name="a.png"/></annotations>', "a.png": ""},
    "points": {"x.csv": "image,x,y\na.png,,\n"},
    "coco  ": {"x.json": '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": []}'},
    "labelstudio": {"x.json": '[{"data": {"image": "a.png"}, "annotations": [{"result": []}]}]'},
    "via": {"x.json": '{"a": {"filename": "a.png", "regions": []}}'},
}  # fmt: skip


@pytest.mark.parametrize("given", ["coco", "cvat", "labelme", "voc", "yolo", "points", "via", "labelstudio"])
@pytest.mark.parametrize("found", OTHERS)
def test_the_format_that_a_path_is_of_is_named_where_another_is_given(
    tmp_path: Path, given: str, found: str
) -> None:  # fmt: skip
    for name, text in OTHERS[found].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    named = [name for name in OTHERS[found] if name.startswith("x.")]
    path, right = tmp_path / (named or ["."])[0], found.strip()
    if given == right:
        assert len(list_dataset(f"{given}={path}", "all")) == 1
        return
    with pytest.raises(InputError) as caught:
        list_dataset(f"{given}={path}", "all")
    assert f"It is laid out like {right}: write {right}={path}." in str(caught.value)


@pytest.mark.parametrize("found", ["voc", "coco  ", "via"])
def test_no_other_format_is_named_where_the_classes_alone_are_unclear(tmp_path: Path, found: str) -> None:
    car = {
        "voc": ("<filename>", "<object><name>car</name></object><object><name>hat</name></object><filename>"),
        "coco": ('"annotations": []', '"categories": [{"id": 1, "name": "car"}], "annotations": [{"image_id": 1, '
                 '"category_id": 1, "bbox": [1, 1, 2, 2]}]'),
        "via": ('"regions": []', '"regions": [{"shape_attributes": {}, "region_attributes": {"class": "car"}}]'),
    }[found.strip()]  # fmt: skip
    for name, text in OTHERS[found].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text.replace(*car), encoding="utf-8")
    path = tmp_path / "x.json" if found != "voc" else tmp_path
    with pytest.raises(InputError, match="the class to be counted") as caught:
        list_dataset(f"{found.strip()}={path}", "all")
    assert "It is laid out" not in str(caught.value)


@pytest.mark.parametrize("name", DATA_SETS)
@pytest.mark.parametrize("what", ["folder", "above"])
def test_a_closed_folder_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:  # fmt: skip
    def closed(path: object = ".", *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    if what == "above":
        monkeypatch.setattr(Path, "stat", closed)
    else:
        monkeypatch.setattr(os, "scandir", closed)
        monkeypatch.setattr(os, "listdir", closed)
    with pytest.raises(InputError) as caught:
        DATA_SETS[name].list_raw(tmp_path)
    monkeypatch.undo()
    assert f'"{tmp_path}" cannot be read (Permission denied).' in str(caught.value)


def test_folds_are_named_where_the_set_is_asked_for() -> None:
    with pytest.raises(InputError, match=r"write ucf-cc-50-fold1=/data/x \(to ucf-cc-50-fold5"):
        read_dataset("ucf-cc-50=/data/x", "train")


def test_a_split_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    root = _shanghaitech_b(tmp_path / "st")
    words = r'"test", only train: ask for one of those, or for "all", or complete'
    with pytest.raises(InputError, match=words) as caught:
        list_dataset(f"shanghaitech-b={root}", "test")
    assert caught.value.remedy == "split"
    assert len(list_dataset(f"shanghaitech-b={root}", "all")) == 1


MODULE = """
from functools import partial
from headcount.data.sets.catalogue import CatalogueEntry, Release, SetRow
from headcount.data.sets.layout import Layout, read_mat_points
from headcount.data.sets.splits import last_block

LAYOUT = Layout(images="photos/*.png", annotations=("truth/*.mat",), splits={"train": ("train",), "test": ("test",)})


def list_plaza(root):
    return LAYOUT.find(root, partial(read_mat_points, key="heads"))


ENTRY = CatalogueEntry(
    "plaza", "The Plaza", (Release("first", {"train": (5, 10), "test": (2, 4)}),), terms="free", ask_at="its makers"
)
ROW = SetRow(name="plaza", target="acme_sets:list_plaza", entry=ENTRY, splits=last_block(0.4))
"""
USE = """
import json, sys
from headcount.data.audit.check import check_dataset
from headcount.data.sets.catalogue import CATALOGUE, SETS, find_entry
from headcount.data.sets.registry import DATA_SETS, read_dataset
spec = f"plaza={sys.argv[1]}"
print(json.dumps({
    "read": {split: [scene.name for scene in read_dataset(spec, split)] for split in ("train", "val", "test")},
    "points": read_dataset(spec, "test")[0].points_xy.tolist(),
    "listed": [list(SETS)[-1], list(CATALOGUE)[-1], find_entry("plaza").title, "plaza" in DATA_SETS],
    "checked": [finding.code + " " + finding.message for finding in check_dataset(spec)],
}))
"""


def test_a_set_of_another_package_is_read_listed_and_checked(tmp_path: Path) -> None:
    site, root = tmp_path / "site", tmp_path / "copy"
    (site / "acme_sets-1.0.dist-info").mkdir(parents=True)
    (site / "acme_sets.py").write_text(MODULE, encoding="utf-8")
    (site / "acme_sets-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: acme-sets\nVersion: 1.0\n")
    (site / "acme_sets-1.0.dist-info/entry_points.txt").write_text("[headcount.sets]\nplaza = acme_sets:ROW\n")
    for split, images in (("train", 5), ("test", 2)):
        for folder in ("photos", "truth"):
            (root / split / folder).mkdir(parents=True)
        for number in range(images):
            Image.new("RGB", (8, 8)).save(root / split / f"photos/{number}.png")
            savemat(root / split / f"truth/{number}.mat", {"heads": np.array([[1.0, 1.0], [2.0, number + 1.0]])})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = json.loads(run("-c", USE, str(root)))
    assert found["read"] == {
        "train": [f"plaza/train/{n}" for n in range(3)],
        "val": ["plaza/train/3", "plaza/train/4"],
        "test": ["plaza/test/0", "plaza/test/1"],
    }
    assert found["points"] == [[0.5, 0.5], [1.5, 0.5]]
    assert found["listed"] == ["plaza", "plaza", "The Plaza", True]
    assert found["checked"] == [
        'count-matches train: 5 images, 10 heads, as in the release "first"',
        'count-matches test: 2 images, 4 heads, as in the release "first"',
    ]
    listed = run("-m", "headcount", "datasets", "list", "plaza")
    assert "The Plaza" in listed
    assert "its makers" in listed
