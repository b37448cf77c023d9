"""VOC folders, read and written; layout as in the VOC 2012 development kit, section 4, and as LabelImg writes files."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
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


def test_an_image_without_objects_has_nobody(tmp_path: Path) -> None:
    found = annotation(tmp_path, voc_file())
    assert found.heads_xy.shape == (0, 2)
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.shape == (0, 4)
    assert found.stated_size_wh == SIZE_WH


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
    [("", None), ("<size><width>0</width><height>0</height></size>", (0, 0))],
)
def test_the_stated_size_is_told_as_it_is(tmp_path: Path, size: str, stated: tuple[int, int] | None) -> None:
    assert annotation(tmp_path, voc_file(size=size)).stated_size_wh == stated


def test_the_only_name_is_that_of_heads_whatever_it_is(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": voc_file(voc_object((1, 1, 9, 9))), "b": voc_file(voc_object((1, 1, 9, 9)))})
    assert [scene.count for scene in read_dataset(f"voc={tmp_path}", "trainval")] == [1, 1]


@pytest.mark.parametrize(("names", "words"), [(("car", "person"), "car, person"), (("car", "car"), "car, which is no")])
def test_who_is_a_head_is_never_guessed(tmp_path: Path, names: tuple[str, str], words: str) -> None:
    first, second = (voc_file(voc_object((1, 1, 9, 9), name)) for name in names)
    write_folder(tmp_path, {"a": first, "b": second})
    with pytest.raises(InputError, match=rf'Annotations": the class to be counted .*{words}.*call it "head"'):
        list_voc(tmp_path)


@pytest.mark.parametrize("name", ["head", "Heads", "human_head", " person-head "])
def test_where_heads_are_named_only_they_count(tmp_path: Path, name: str) -> None:
    first = voc_file(voc_object((1, 1, 9, 9), name), voc_object((1, 1, 9, 29), "person"))
    write_folder(tmp_path, {"a": first, "b": voc_file(voc_object((1, 1, 9, 9)))})
    listed = list_voc(tmp_path).scenes
    assert [len(scene.read().heads_xy) for scene in listed] == [1, 0]
    assert [scene.read().ignored for scene in listed] == [1, 1]


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
        ("", ["is empty"]),
        ("<anotation/>", ["<annotation> was expected", "<anotation>"]),
        (voc_file("\n<object><name>head</name></object>"), ["line 3", "<object> has no <bndbox>"]),
        (voc_file("\n<object><bndbox><xmin>1</xmin><ymin>1</ymin><xmx>9</xmx></bndbox></object>"), ["xmax", '"xmx"']),
        (voc_file(voc_object(("nan", 1, 9, 9))), ["line 5", "xmin must be a number", "'nan'"]),
        (voc_file(voc_object((1, 1, "1e300", 9))), ["line 5", "lies in no image"]),
        (voc_file(voc_object((1, 1, "", 9))), ["xmax must be a number, got ''"]),
        (voc_file(voc_object((1, 1, 9, 9), more="<provenance>pseudonym</provenance>")), ["line 3", '"pseudo"']),
        (voc_file(size="<size><width>wide</width></size>"), ["width must be a number"]),
        ("<!DOCTYPE annotation>" + voc_file(), ["line 1", "refuses"]),
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        annotation(tmp_path, text)
    for word in ["a.xml", *words]:
        assert word in str(caught.value)


def scenes_of(folder: Path) -> list[Scene]:
    for name in ("one.png", "two.png"):
        Image.new("RGB", SIZE_WH).save(folder / name)
    boxes = np.array([[1.25, 2, 9, 12], [0, 0, 40, 30]])
    return [
        Scene(
            folder / "one.png", points_xy=np.array([[5.125, 7.0], [33.3, 3.0]]), boxes_xyxy=boxes,
            box_provenance=("annotated", "interpolated"), name="set/one <&>",
        ),
        Scene(folder / "two.png", boxes_xyxy=np.zeros((0, 4))),
    ]  # fmt: skip


coordinates = st.floats(0, 40, allow_nan=False).map(lambda value: round(value, 6))
heads = st.lists(st.tuples(*[coordinates] * 6, st.sampled_from(["annotated", "interpolated", "pseudo"])), max_size=5)


@settings(max_examples=40, deadline=None)
@given(heads)
def test_round_trips_lose_nothing(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]]) -> None:
    folder = tmp_path_factory.getbasetemp()
    Image.new("RGB", SIZE_WH).save(folder / "image.png")
    boxes = np.array([row[:4] for row in rows], np.float64).reshape(-1, 4)
    points = np.array([row[4:6] for row in rows], np.float64).reshape(-1, 2)
    made = tuple(row[6] for row in rows)
    scene = Scene(folder / "image.png", points_xy=points, boxes_xyxy=boxes, box_provenance=made)  # type: ignore[arg-type]
    (folder / "round.xml").write_text(voc_text(scene, "image.png"), encoding="utf-8")
    found = read_voc_annotation(folder / "round.xml")
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.tolist() == boxes.tolist()
    assert found.heads_xy.tolist() == points.tolist()
    assert found.box_provenance == made
    assert found.stated_size_wh == SIZE_WH
    # An independent reader: what every other tool does with such a file.
    for element, box in zip(ElementTree.parse(folder / "round.xml").getroot().iter("object"), boxes, strict=True):
        assert element.findtext("name") == "head"
        corners = [float(element.findtext(f"bndbox/{tag}") or "nan") for tag in ("xmin", "ymin", "xmax", "ymax")]
        assert corners == box.tolist()


def test_whole_pixels_are_written_without_a_dot(tmp_path: Path) -> None:
    text = voc_text(scenes_of(tmp_path)[0], "one.png")
    assert "<xmin>1.25</xmin><ymin>2</ymin><xmax>9</xmax><ymax>12</ymax>" in text


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (Scene(np.zeros((4, 4, 3), np.uint8), name="x"), "holds pixels"),
        (Scene(Path("one.png"), points_xy=np.ones((1, 2)), name="x"), "1 heads and 0 boxes"),
        (Scene(Path("one.png"), name="a\x01b"), "XML cannot"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is(tmp_path: Path, scene: Scene, words: str) -> None:
    with pytest.raises(InputError, match=words):
        write_voc([scene], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'"tset" is no split.*"test"'):
        write_voc(scenes_of(tmp_path)[1:], tmp_path / "out", splits=["tset"])
