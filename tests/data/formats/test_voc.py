"""VOC folders, read and written; layout as in the VOC 2012 development kit, section 4, and as LabelImg writes files."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.finish import finish
from headcount.data.formats.raw import RawAnnotation
from headcount.data.formats.voc import list_voc, read_voc_annotation, voc_text, write_voc
from headcount.data.sets.registry import read_dataset

SIZE_WH = (40, 30)


def voc_object(box: tuple[object, object, object, object], name: str = "person", more: str = "") -> str:
    corners = "".join(
        f"<{tag}>{value}</{tag}>" for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"""
    <object>
        <name>{name}</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>
        <bndbox>{corners}</bndbox>{more}
    </object>"""


def voc_file(*objects: str, size: str = "<size><width>40</width><height>30</height><depth>3</depth></size>") -> str:
    return f"<annotation>\n<folder>x</folder><filename>other.jpg</filename>{size}{''.join(objects)}\n</annotation>\n"


def write_folder(
    root: Path, files: dict[str, str], *, lists: dict[str, str] | None = None, suffix: str = ".jpg"
) -> Path:  # fmt: skip
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / name).mkdir(parents=True)
    for name, text in files.items():
        (root / "Annotations" / f"{name}.xml").write_text(text, encoding="utf-8")
        Image.new("RGB", SIZE_WH).save(root / "JPEGImages" / f"{name}{suffix}")
    for split, text in (lists or {}).items():
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text(text, encoding="utf-8")
    return root


def annotation(tmp_path: Path, text: str) -> RawAnnotation:
    path = tmp_path / "a.xml"
    path.write_text(text, encoding="utf-8")
    return read_voc_annotation(path)


def test_corners_are_places_of_edges_as_written(tmp_path: Path) -> None:
    found = annotation(
        tmp_path, voc_file(voc_object((0, 0, 40, 30)), voc_object((5, 5, 5, 9)), voc_object((9, 3, 4, 1)))
    )
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.tolist() == [[0, 0, 40, 30], [5, 5, 5, 9], [9, 3, 4, 1]]
    assert found.points_xy is None
    assert found.heads_xy[0].tolist() == [20.0, 15.0]
    assert found.where[0] == "line 3"


@pytest.mark.parametrize(
    ("size", "stated"),
    [
        ("", None),
        ("<size><width>0</width><height>0</height></size>", None),
        ("<size><width/><height></height></size>", None),
        ("<size><width>40.0</width><height> 30 </height></size>", SIZE_WH),
        ("<size><width>40</width><height>30</height><depth>3</depth></size>", SIZE_WH),
    ],
)
def test_the_stated_size_is_told_where_it_is_one(tmp_path: Path, size: str, stated: tuple[int, int] | None) -> None:
    assert annotation(tmp_path, voc_file(size=size)).stated_size_wh == stated


def test_heads_that_are_parts_of_persons_count(tmp_path: Path) -> None:
    part = "<part><name>head</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>8</xmax><ymax>8</ymax></bndbox></part>"
    write_folder(tmp_path, {"a": voc_file(voc_object((1, 1, 20, 29), more=part))})
    assert list_voc(tmp_path).scenes[0].read().heads_xy.tolist() == [[5.0, 5.0]]


def test_lists_give_the_splits(tmp_path: Path) -> None:
    files = {name: voc_file() for name in "abcde"}
    lists = {"train": "a\n", "val": "b 1\n\n", "trainval": "a\nb\nd\n", "test": "c\ngone\n"}
    write_folder(tmp_path, files, lists=lists)
    found = {scene.name: (scene.split, scene.image is not None) for scene in list_voc(tmp_path).scenes}
    assert found == {
        "a": ("train", True), "b": ("val", True), "c": ("test", True), "d": ("train", True), "e": ("", True),
        "gone": ("test", False),
    }  # fmt: skip
    assert [Path(str(scene.image)).stem for scene in read_dataset(f"voc={tmp_path}", "test")] == ["c"]
    assert [remark.message for remark in list_voc(tmp_path).remarks] == [
        "1 image is in none of its lists, and so in no split: e for one"
    ]


def test_a_name_in_two_splits_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": voc_file()}, lists={"train": "a\n", "test": "\na\n"})
    with pytest.raises(InputError, match=r'test\.txt", line 2: "a" is in the list "train" too'):
        list_voc(tmp_path)


def test_what_lacks_its_pair_is_listed_and_what_is_no_pair_remarked(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": voc_file(), "b": voc_file()})
    (tmp_path / "JPEGImages" / "a.jpg").unlink()
    (tmp_path / "Annotations" / "b.xml").unlink()
    (tmp_path / "JPEGImages" / "notes.txt").touch()
    listing = list_voc(tmp_path)
    assert [(s.name, s.image is None, s.annotation is None) for s in listing.scenes] == [
        ("a", True, False), ("b", False, True),
    ]  # fmt: skip
    assert [(remark.code, remark.path.name) for remark in listing.remarks] == [("stray-file", "notes.txt")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<anotation/>", ["<annotation> was expected", "<anotation>"]),
        (voc_file("\n<object><name>head</name></object>"), ["line 3", "<object> has no <bndbox>"]),
        (voc_file(voc_object((1, 1, "1e300", 9))), ["line 5", "lies in no image"]),
        (voc_file(voc_object((1, 1, 9, 9), more="<provenance>pseudonym</provenance>")), ["line 3", '"pseudo"']),
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        annotation(tmp_path, text)
    for word in ["a.xml", *words]:
        assert word in str(caught.value)


def test_an_independent_reader_finds_the_same_boxes(tmp_path: Path) -> None:
    Image.new("RGB", SIZE_WH).save(tmp_path / "one.png")
    boxes = [[1.25, 2, 9, 12], [0, 0, 40, 30]]
    scene = Scene(tmp_path / "one.png", np.array([[5.125, 7.0], [33.3, 3.0]]), np.array(boxes), name="set/one <&>")
    text = voc_text(scene, "one <&>.png")
    assert "<xmin>1.25</xmin><ymin>2</ymin><xmax>9</xmax><ymax>12</ymax>" in text  # whole pixels without a dot
    root = ElementTree.fromstring(text)
    assert (root.findtext("filename"), root.findtext("size/width")) == ("one <&>.png", "40")
    assert [element.findtext("name") for element in root.iter("object")] == ["head", "head"]
    assert [[float(corner.text or "nan") for corner in box] for box in root.iter("bndbox")] == boxes


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'"tset" is no split.*"test"'):
        write_voc([Scene(Path("one.png"))], tmp_path / "out", splits=["tset"])


BOX = (1, 2, 11, 22)


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".xml"):
            (root / name).write_text(text, encoding="utf-8")
        else:
            Image.new("RGB", SIZE_WH, text).save(root / name)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.jpg": "red", "a.xml": voc_file(voc_object(BOX)), "b.png": "blue", "b.xml": voc_file()},
         [("a", "", 1), ("b", "", 0)]),
        ({"train/a.jpg": "red", "train/a.xml": voc_file(voc_object(BOX)), "valid/a.jpg": "blue",
          "valid/a.xml": voc_file()}, [("train/a", "train", 1), ("valid/a", "val", 0)]),
        ({"images/a b.JPG": "red", "labels/a b.xml": voc_file(voc_object(BOX))}, [("labels/a b", "", 1)]),
        ({"images/other.jpg": "red", "xml/1.xml": voc_file(voc_object(BOX))}, [("xml/1", "", 1)]),  # by <filename>
        ({"train/img/a.jpg": "red", "train/xml/a.xml": voc_file(voc_object(BOX)), "test/img/a.jpg": "blue",
          "test/xml/a.xml": voc_file()}, [("test/xml/a", "test", 0), ("train/xml/a", "train", 1)]),
        ({"Annotations/a.xml": voc_file(voc_object(BOX)), "images/a.jpg": "red"}, [("Annotations/a", "", 1)]),
        ({"Annotations/x/a.xml": voc_file(voc_object(BOX)), "JPEGImages/x/a.jpg": "red",
          "Annotations/y/a.xml": voc_file(), "JPEGImages/y/a.jpg": "blue"},
         [("Annotations/x/a", "", 1), ("Annotations/y/a", "", 0)]),
    ],
)  # fmt: skip
def test_annotations_beside_images_and_in_folders_of_any_name_are_read(
    tmp_path: Path, files: dict[str, str], expected: list[tuple[str, str, int]]
) -> None:
    listing = list_voc(lay(tmp_path, files))
    assert [(raw.name, raw.split, finish(raw).count) for raw in listing.scenes] == expected
    assert not listing.remarks
    assert len(read_dataset(f"voc={tmp_path}", "all")) == len(expected)


def test_what_lacks_its_pair_is_told_in_folders_of_any_name(tmp_path: Path) -> None:
    files = {"a.jpg": "red", "b.xml": voc_file(), "c.jpg": "red", "c.xml": voc_file(), "x.xml": "<page/>"}
    listing = list_voc(lay(tmp_path, files))
    assert [(raw.name, raw.image is None, raw.annotation is None) for raw in listing.scenes] == [
        ("a.jpg", False, True), ("b", True, False), ("c", False, False),
    ]  # fmt: skip
    assert [remark.path.name for remark in listing.remarks] == ["x.xml"]
    lay(tmp_path, {"in/other.xml": voc_file(), "in2/7.xml": voc_file(), "in3/other.jpg": "red"})
    with pytest.raises(InputError, match="are of one image"):
        list_voc(tmp_path)


def test_which_class_is_counted_does_not_depend_on_the_layout(tmp_path: Path) -> None:
    two = voc_file(voc_object(BOX, "Head"), voc_object(BOX, "person"), voc_object(BOX, "person"))
    (raw,) = list_voc(lay(tmp_path, {"a.jpg": "red", "a.xml": two})).scenes
    assert (len(raw.read().heads_xy), dict(raw.read().ignored_as)) == (1, {"person": 2})
    lay(tmp_path, {"a.xml": voc_file(voc_object(BOX, "Cars"))})
    with pytest.raises(InputError, match="is cars, which is no head"):
        list_voc(tmp_path)


@pytest.mark.parametrize(
    "line", ["a b", "a b  1", "a b -1", "a b.jpg", "JPEGImages/a b.jpg", "x\\JPEGImages\\a b.jpg 0", " a b "]
)
def test_lists_may_name_images_with_blanks_folders_and_suffixes(tmp_path: Path, line: str) -> None:
    write_folder(tmp_path, {"a b": voc_file(), "a": voc_file()}, lists={"test": f"\ufeff{line}\n\n", "train": "a 1"})
    assert [(raw.name, raw.split) for raw in list_voc(tmp_path).scenes] == [("a", "train"), ("a b", "test")]
