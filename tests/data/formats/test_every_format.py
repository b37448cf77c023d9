"""Every format of the table, put through the same checks: a new one is a row and a miniature here."""

from __future__ import annotations

import re
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.finish import finish
from headcount.data.formats.raw import Listing
from headcount.data.formats.table import FORMATS, FormatRow, Holds
from headcount.data.sets.convert import convert_dataset, convert_scenes, fit
from headcount.data.sets.registry import read_dataset

SIZE_WH = (64, 48)


@dataclass(frozen=True)
class Mini:
    """The smallest set of a format that has everything: two heads on one image, nobody on another.

    Attributes:
        path: what is given to the reader.
        files: the annotation files by their names; the first is the one that is damaged.
        images: the two images; of the format of videos, one video.
        place: how the first head is named in messages, and ``name_place`` the first image's name.
        cut: where the file breaks off; what is left is malformed.
        number: a number of the first head.
        needed: a column, key, tag or attribute that cannot be left out, and what a message calls it.
        almost: another path, or a file or folder to rename, and what is said of it.
        named: the class in the file, where it has one.
    """

    path: str
    files: dict[str, str]
    cut: str
    number: str
    needed: tuple[str, str, str]
    almost: tuple[str, str, list[str]]
    place: str
    name_place: str = ""
    images: tuple[str, str] = ("in/a b.png", "in/ü.png")
    named: str = ""


CORNERS = "<xmin>{}</xmin><ymin>2</ymin><xmax>{}</xmax><ymax>22</ymax>"
XML_OBJECT = f"<object>\n<name>head</name><bndbox>{CORNERS}</bndbox></object>"
SHAPE = '{{"label": "head", "shape_type": "rectangle", "points": [[{}, 2], [{}, 22]]}}'
LABELME = '{{"imagePath": "{}", "imageWidth": 64, "imageHeight": 48, "shapes": [{}]}}'
COCO = """{"images": [{"id": 1, "file_name": "in/a b.png"}, {"id": 2, "file_name": "in/ü.png"}],
"categories": [{"id": 1, "name": "head"}, {"id": 2, "name": "hat"}], "annotations": [
{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 20]},
{"id": 2, "image_id": 1, "category_id": 1, "bbox": [21, 2, 10, 20]}]}
"""
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><meta><task><labels><label><name>head</name></label></labels></task></meta>
<image id="0" name="in/a b.png" width="64" height="48">
<box label="head" xtl="1" ytl="2" xbr="11" ybr="22"/>
<box label="head" xtl="21" ytl="2" xbr="31" ybr="22"/></image>
<image id="1" name="in/ü.png" width="64" height="48"/></annotations>
"""
LABEL_STUDIO = """[{"data": {"image": "in/a b.png"}, "annotations": [{"result": [
{"value": {"rotation": 0, "x": 1.5625, "y": 4.16666667, "width": 15.625, "height": 41.6666667,
 "rectanglelabels": ["head"]}},
{"value": {"rotation": 0, "x": 32.8125, "y": 4.16666667, "width": 15.625, "height": 41.6666667,
 "rectanglelabels": ["head"]}}]}]},
{"data": {"image": "in/ü.png"}, "annotations": [{"result": []}]}]
"""
REGION = '{{"shape_attributes": {{"name": "rect", "x": {}, "y": 2, "width": 10, "height": 20}}, {}}}'
REGIONS = ", ".join(REGION.format(x, '"region_attributes": {"class": "head"}') for x in (1, 21))
VIA = f"""{{"a": {{"filename": "in/a b.png", "size": 9, "regions": [{REGIONS}]}},
"b": {{"filename": "in/ü.png", "size": 9, "regions": []}}}}
"""
VOC_IMAGES = ("JPEGImages/a b.png", "JPEGImages/ü.png")
VOC = "<annotation>\n<filename>x</filename>{}</annotation>\n"
YOLO = {
    "labels/a b.txt": f"0 {6 / 64} 0.25 {10 / 64} {20 / 48}\n0 {26 / 64} 0.25 {10 / 64} {20 / 48}\n",
    "labels/ü.txt": "",
    "data.yaml": "train: list.txt\nnames: [head, hat]\n",
    "list.txt": "images/a b.png\nimages/ü.png\n",
}
MINIS = {
    "points": Mini(
        "p.csv", {"p.csv": 'image,x,y\nin/a b.png,6,12\nin/a b.png,26,12\nin/ü.png,,\n'}, cut=",26", number=",6,",
        needed=("image,x,y", "image,x,why", '"y" 0 times'), almost=("", ".", ["is a folder: name the points file"]),
        place="line 2", name_place="line 2",
    ),
    "boxes": Mini(
        "b.csv", {"b.csv": "image,x1,y1,x2,y2\nin/a b.png,1,2,11,22\nin/a b.png,21,2,31,22\nin/ü.png,,,,\n"}, cut=",31",
        number=",1,", needed=("x2,y2", "x2,y3", '"y2" 0 times'), almost=("b.csv", "b.txt", [".csv or .json was"]),
        place="line 2", name_place="line 2",
    ),
    "coco": Mini(
        "c.json", {"c.json": COCO}, cut=', "bbox": [21', number="[1,",
        needed=('"file_name"', '"filename"', "file_name"), place="annotations[0]",
        almost=("c.json", "c.txt", ["is no COCO file"]), name_place="images[0]", named='"name": "head"',
    ),
    "cvat": Mini(
        "annotations.xml", {"annotations.xml": CVAT}, cut="<box", number='"1"', needed=(' xbr="11"', "", "xbr"),
        almost=("annotations.xml", "annotation.xml", ["There is no CVAT file"]), place="line 4", name_place="line 3",
        named='label="head"',
    ),
    "labelme": Mini(
        ".", {"in/a.json": LABELME.format("a b.png", SHAPE.format(1, 11) + ", " + SHAPE.format(21, 31)),
              "in/b.json": LABELME.format("ü.png", "")},
        cut=', {"label"', number="[1,", needed=('"imagePath"', '"image"', "imagePath"),
        almost=("", "in/a.json", ["is a file: give the folder"]), place="shapes[0]", name_place="imagePath",
        named='"label": "head"',
    ),
    "labelstudio": Mini(
        "ls.json", {"ls.json": LABEL_STUDIO}, cut='\n{"value": {"rotation": 0, "x": 32',
        number='[\n{"value": {"rotation": 0',
        needed=('"result"', '"results"', "result"), place="[0].annotations[0].result[0].value", name_place="[0]",
        almost=("ls.json", "ls.txt", ["is no Label Studio file"]), named='"rectanglelabels": ["head"',
    ),
    "via": Mini(
        "v.json", {"v.json": VIA}, cut=', {"shape', number='[{"shape_attributes": {"name": "rect", "x": 1',
        needed=('"shape_attributes"', '"shape"', "shape_attributes"), place="'a'.regions[0]", name_place="'a'",
        almost=("v.json", "v.txt", ["is no VIA file"]), named='"class": "head"',
    ),
    "video": Mini(
        "v.csv", {"v.csv": "video,frame,x,y\nin/q.avi,0,6,12\nin/q.avi,0,26,12\nin/q.avi,1,,\n"}, cut=",26",
        number=",6,", needed=("frame,x,y", "frames,x,y", '"frame" 0 times'), place="line 2",
        almost=("", ".", ["is a folder where a CSV file"]), name_place="line 2", images=("in/q.avi", ""),
    ),
    "voc": Mini(
        ".", {"Annotations/a b.xml": VOC.format(XML_OBJECT.format(1, 11) + XML_OBJECT.format(21, 31)),
              "Annotations/ü.xml": VOC.format("")},
        cut="<bndbox", number=">1<", needed=("ymax", "ymx", "ymax"), images=VOC_IMAGES, place="line 3",
        almost=("", "JPEGImages", ["Annotations (or JPEGImages) was expected"]), named="<name>head",
    ),
    "yolo": Mini(
        ".", YOLO, cut=f" {20 / 48}\n0", number="0 0.09375", needed=(" 0.25 ", " ", "5 numbers"),
        images=("images/a b.png", "images/ü.png"), place="line 1", named="names: [head",
        almost=("data.yaml", "data.txt", ["data.yaml (or obj.data, classes.txt) was expected"]),
    ),
}  # fmt: skip
OWN = [name for name in FORMATS if name in MINIS]
NAMED = [name for name, mini in MINIS.items() if mini.named]
POINTS = [[6, 12], [26, 12]]


def save(image: Path, gray: int = 0) -> Path:
    image.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", SIZE_WH, gray).save(image)
    return image


def lay(name: str, folder: Path) -> Path:
    """A miniature in a folder; gives what its reader is given."""
    mini = MINIS[name]
    for file, text in mini.files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    for image in filter(None, mini.images):
        if image.endswith(".avi"):
            (folder / image).parent.mkdir(parents=True, exist_ok=True)
            writer = cv2.VideoWriter(str(folder / image), cv2.VideoWriter_fourcc(*"MJPG"), 10, SIZE_WH)
            for _ in range(3):
                writer.write(np.zeros((*SIZE_WH[::-1], 3), np.uint8))
            writer.release()
        else:
            save(folder / image)
    return folder / mini.path


def change(name: str, folder: Path, old: str, new: str, times: int = -1) -> Path:
    """The miniature with a change in the file that is damaged; gives that file."""
    file = folder / next(iter(MINIS[name].files))
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, times), encoding="utf-8")
    return file


def read(name: str, path: Path) -> list[Scene]:
    listing: Listing = FORMATS.load(name)(path)
    return [finish(raw) for raw in listing.scenes]


def refused(name: str, path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(name, path)
    return str(caught.value)


def test_every_format_has_a_miniature() -> None:
    assert set(MINIS) == set(FORMATS)


@pytest.mark.parametrize("name", OWN)
def test_a_miniature_is_read(tmp_path: Path, name: str) -> None:
    first, second = read(name, lay(name, tmp_path))
    assert np.allclose(first.points_xy, POINTS)
    assert (first.size_wh, second.count) == (SIZE_WH, 0)
    assert str(first.image).startswith(str(tmp_path / MINIS[name].images[0]))
    if FORMATS[name].holds.boxes and name != "video":
        assert first.boxes_xyxy is not None
        assert np.allclose(first.boxes_xyxy, [[1, 2, 11, 22], [21, 2, 31, 22]])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", OWN)
def test_another_encoding_and_line_end_change_nothing(tmp_path: Path, name: str, encoding: str) -> None:
    path = lay(name, tmp_path)
    for file in MINIS[name].files:
        text = (tmp_path / file).read_text(encoding="utf-8")
        text = text.replace('encoding="utf-8"', f'encoding="{encoding.removesuffix("-sig")}"')
        (tmp_path / file).write_text(text + "\n", encoding=encoding, newline="\r\n")
    first, second = read(name, path)
    assert np.allclose(first.points_xy, POINTS)
    assert second.count == 0


@pytest.mark.parametrize("name", OWN)
def test_an_almost_right_layout_says_why_it_does_not_match(tmp_path: Path, name: str) -> None:
    path = lay(name, tmp_path)
    old, new, words = MINIS[name].almost
    if old:
        (tmp_path / old).rename(tmp_path / new)
        path = tmp_path / new if path == tmp_path / old and name != "cvat" else path
    else:
        path = tmp_path / new
    message = refused(name, path)
    assert all(word in message for word in words)
    assert "no " in refused(name, tmp_path / "none.csv") or "none.csv" in refused(name, tmp_path / "none.csv")


@pytest.mark.parametrize("kind", ["cut", "number", "missing", "image"])
@pytest.mark.parametrize("name", OWN)
def test_damage_is_told_by_file_and_place(tmp_path: Path, name: str, kind: str) -> None:
    path, mini = lay(name, tmp_path), MINIS[name]
    file = tmp_path / next(iter(mini.files))
    words = [file.name]
    if kind == "cut":
        text = file.read_text(encoding="utf-8")
        file.write_text(text[: text.index(mini.cut) + (mini.cut[0] == " ")], encoding="utf-8")
        words += ["line"]
    elif kind == "number":
        change(name, tmp_path, mini.number, re.sub(r"\d+(?=\D*$)", '"x"' if "[" in mini.number else "x", mini.number))
        words += [mini.place, "number"]
    elif kind == "missing":
        old, new, word = mini.needed
        change(name, tmp_path, old, new)
        words += [word]
    else:
        (tmp_path / mini.images[0]).rename(tmp_path / "elsewhere")
        if name == "yolo":  # who names its images is the list
            words = []
        words += [mini.name_place, "image"]
    message = refused(name, path)
    assert all(word in message for word in words), message


@pytest.mark.parametrize("name", [name for name in OWN if MINIS[name].name_place])
def test_images_are_found_by_names_of_other_systems(tmp_path: Path, name: str) -> None:
    written = MINIS[name].images[0]
    name_in_file = Path(written).name if name == "labelme" else written  # which lies beside its image
    windows = name_in_file.replace("/", "\\")
    for number, other in enumerate([f".\\{windows}", name_in_file.replace(" ", "%20"), f"C:\\me\\{windows}"]):
        folder = tmp_path / str(number)
        path = lay(name, folder)
        escaped = other.replace("\\", "\\\\") if path.suffix == ".json" or name == "labelme" else other
        change(name, folder, name_in_file, escaped)
        (scene,) = [scene for scene in read(name, path) if scene.count]
        assert Path(str(scene.image)).name.partition("#")[0] == Path(written).name
        if name not in ("video", "yolo") and other != name_in_file:
            assert any(raw.found_by for raw in FORMATS.load(name)(path).scenes)


@pytest.mark.parametrize("name", NAMED)
def test_which_class_is_counted_is_one_rule(tmp_path: Path, name: str) -> None:
    named = MINIS[name].named

    def laid(word: str, *, all_of_them: bool = True) -> Path:
        folder = tmp_path / f"{word}{all_of_them}"
        path = lay(name, folder)
        for file in MINIS[name].files:
            text = (folder / file).read_text(encoding="utf-8")
            new = named.replace("head", word)
            text = text.replace(named, new) if all_of_them else text.replace(named, new, 1)
            (folder / file).write_text(
                text.replace("<name>head</name></label>", f"<name>{word}</name></label>"), "utf-8"
            )
        return path

    assert [scene.count for scene in read(name, laid("Human_Head"))] == [2, 0]
    assert [scene.count for scene in read(name, laid("person"))] == [2, 0]
    assert "car, which is no head" in refused(name, laid("car"))
    assert [scene.count for scene in read(name, laid(" head-person "))] == [2, 0]
    if name in ("cvat", "labelme", "voc"):
        raws = FORMATS.load(name)(laid("person", all_of_them=False)).scenes
        assert [(finish(raw).count, raw.read().ignored) for raw in raws] == [(1, 1), (0, 0)]
        path, hut = laid("hut"), named.replace("head", "hut")
        change(name, tmp_path / "hutTrue", hut, named.replace("head", "hat"), 1)
        assert re.search("may be any of (hat, hut|hut, hat)", refused(name, path))


@pytest.mark.parametrize("name", [name for name in OWN if name != "video"])
@pytest.mark.parametrize("change", ["NFD", "NFC", "suffix", "case"])
def test_images_are_found_though_systems_write_names_otherwise(tmp_path: Path, name: str, change: str) -> None:
    path = lay(name, tmp_path)
    for image in MINIS[name].images:
        file = tmp_path / image
        if change.startswith("NF"):
            file.rename(file.with_name(unicodedata.normalize(change, file.name)))
            for text in (tmp_path / each for each in MINIS[name].files if Path(each).stem == file.stem):
                other = "NFC" if change == "NFD" else "NFD"
                text.rename(text.with_name(unicodedata.normalize(other, text.name)))
        else:
            file.rename(file.with_suffix(".jpeg" if change == "suffix" else ".PNG"))
    assert sorted(scene.count for scene in read(name, path)) == [0, 2]
    assert all(raw.annotation is not None for raw in FORMATS.load(name)(path).scenes)


@pytest.mark.parametrize("name", OWN)
def test_what_is_wrong_with_one_image_is_its_own(tmp_path: Path, name: str) -> None:
    path, mini = lay(name, tmp_path), MINIS[name]
    change(name, tmp_path, mini.number, re.sub(r"\d+(?=\D*$)", '"x"' if "[" in mini.number else "x", mini.number), 1)
    bad, good = FORMATS.load(name)(path).scenes
    with pytest.raises(InputError, match="number"):
        finish(bad)
    assert finish(good).count == 0


COCO_POINT = """{{"images": [{{"id": 1, "file_name": "a.png"}}], "annotations": [
{{"image_id": 1, "category_id": 1, "keypoints": [{x}, 12, 2]}}],
"categories": [{{"id": 1, "name": "head", "keypoints": ["head"]}}]}}"""
LABELME_POINT = """{{"imagePath": "a.png", "shapes": [
{{"label": "head", "shape_type": "point", "points": [[{x}, 12]]}}]}}"""
VIA_POINT = """{{"a": {{"filename": "a.png", "regions": [
{{"shape_attributes": {{"name": "point", "cx": {x}, "cy": 12}}}}]}}}}"""
CVAT_POINT = '<annotations><image name="a.png"><points label="head" points="{x},12"/></image></annotations>'
ONE_POINT = {
    "points": ("p.csv", "image,x,y\na.png,{x},12\n"),
    "coco": ("c.json", COCO_POINT),
    "cvat": ("c.xml", CVAT_POINT),
    "labelme": (".", LABELME_POINT),
    "via": ("v.json", VIA_POINT),
}


@pytest.mark.parametrize("name", ONE_POINT)
def test_a_point_a_hair_outside_is_moved_to_the_edge_and_one_further_out_is_refused(tmp_path: Path, name: str) -> None:
    file, text = ONE_POINT[name]
    save(tmp_path / "a.png")

    def laid(x: float) -> Path:
        (tmp_path / (file if file != "." else "a.json")).write_text(text.format(x=x), encoding="utf-8")
        return tmp_path / file

    assert [read(name, laid(x))[0].points_xy.tolist() for x in (64.00001, -4e-7)] == [[[64, 12]], [[0, 12]]]
    for x in (64.5, -0.5):
        assert "lies outside" in refused(name, laid(x))


NO_SIZE = {
    "coco": ('"file_name": "in/a b.png"', '"file_name": "in/a b.png", "width": {}, "height": {}'),
    "cvat": ('width="64" height="48"', "width={} height={}"),
    "labelme": ('"imageWidth": 64, "imageHeight": 48', '"imageWidth": {}, "imageHeight": {}'),
    "voc": ("<filename>", "<size><width>{}</width><height>{}</height></size><filename>"),
}


@pytest.mark.parametrize("name", NO_SIZE)
def test_a_size_that_is_none_is_not_stated(tmp_path: Path, name: str) -> None:
    old, new = NO_SIZE[name]
    for number, (width, height, stated) in enumerate([
        ('""', '""', None), ("0", "0", None), ("-1", "-1", None), ("null", "48", None), ("64", "48", SIZE_WH),
        ("64.0", '"48"', SIZE_WH),
    ]):  # fmt: skip
        texts = [text if name in ("coco", "labelme", "labelstudio") else text.strip('"') for text in (width, height)]
        texts = [f'"{text}"' for text in texts] if name == "cvat" else texts
        path = lay(name, tmp_path / str(number))
        change(name, tmp_path / str(number), old, new.format(*texts), 1)
        (found,) = [raw.read() for raw in FORMATS.load(name)(path).scenes if len(raw.read().heads_xy)]
        assert found.stated_size_wh == stated


inside_x, inside_y = st.floats(0, SIZE_WH[0]), st.floats(0, SIZE_WH[1])
points_of = st.tuples(inside_x, inside_y)
NAMES = [
    "a.png", "hall/a.png", "hall/A.PNG", "b, c.png", "zwölf 人.png", "images/labels/x.png", "train/7.png", "v1.2.png",
]  # fmt: skip


@st.composite
def boxes_of(draw: st.DrawFn) -> tuple[float, float, float, float]:
    x1, x2 = sorted([draw(inside_x), draw(inside_x)])
    y1, y2 = sorted([draw(inside_y), draw(inside_y)])
    x1, y1 = min(x1, 60.0), min(y1, 40.0)
    return x1, y1, x2 if x2 > x1 else x1 + 1.5, y2 if y2 > y1 else y1 + 1.5


@st.composite
def heads_with_boxes(draw: st.DrawFn) -> dict[str, object]:
    """Fields of a Scene whose heads all have a box; their points may lie elsewhere."""
    boxes = np.array(draw(st.lists(boxes_of(), max_size=4))).reshape(-1, 4)
    points = (boxes[:, :2] + boxes[:, 2:]) / 2
    for row in range(len(points)):
        if draw(st.booleans()):
            points[row] = draw(points_of)
    made = st.sampled_from(["annotated", "interpolated", "pseudo"])
    return {"points_xy": points, "boxes_xyxy": boxes, "box_provenance": tuple(draw(made) for _ in boxes)}


heads_without = st.lists(points_of, max_size=4).map(lambda rows: {"points_xy": np.array(rows).reshape(-1, 2)})
regions = st.binary(min_size=8, max_size=8).map(
    lambda bits: np.resize(np.unpackbits(np.frombuffer(bits, np.uint8)), SIZE_WH[::-1]).astype(np.bool_)
)
words = st.sampled_from(["rain", "<&\" '>", "", "人\n"])
attributes = st.dictionaries(st.sampled_from(["weather", "wéi ter"]), words)
more = st.fixed_dictionaries({}, optional={"region": regions, "attributes": attributes})
drawn_scenes = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(heads_with_boxes() | heads_without, more, st.sampled_from(["train", "val", "test"])),
    min_size=1, max_size=4,
)  # fmt: skip
WRITTEN = [
    (name, suffix)
    for name, row in FORMATS.items()
    if row.writes
    for suffix in (*row.file_suffixes, *([""] if row.folder else []))
]


def all_but_boxes(scene: Scene, holds: Holds) -> tuple[object, ...]:
    """What must come back exactly, less the names: of a format that rounds, how many heads and what else it keeps."""
    points = scene.count if holds.precision_px else scene.points_xy.tolist()
    boxes = 0 if scene.boxes_xyxy is None else len(scene.boxes_xyxy)
    made = (scene.box_provenance or ("annotated",) * boxes) if holds.provenance else ()
    return points, made, dict(scene.attributes), None if scene.region is None else scene.region.tolist()


@pytest.mark.parametrize(("name", "suffix"), WRITTEN)
@settings(max_examples=12, deadline=None)
@given(drawn=drawn_scenes, copy=st.booleans())
def test_what_a_format_holds_comes_back(name: str, suffix: str, drawn: dict[str, tuple], copy: bool) -> None:  # type: ignore[type-arg]
    row = FORMATS[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        path = folder / "out" / f"set{suffix}"
        path.parent.mkdir()
        holds = row.holds_at(path)
        kept: dict[int, tuple[Scene, str]] = {}  # by the gray of the image, which copies share
        scenes = []
        for gray, (image, (heads, rest, split)) in enumerate(drawn.items()):
            scenes.append(Scene(save(folder / "in" / image, gray), name=image, **heads, **rest))
            fitted, _ = fit(scenes[-1], holds)
            kept |= {} if fitted is None else {gray: (fitted, split if holds.splits else "")}
        splits = [split for *_, split in drawn.values()]
        if not kept:
            with pytest.raises(InputError, match="holds heads as boxes"):
                convert_scenes(scenes, name, path, splits=splits, copy_images=copy)
            return
        report = convert_scenes(scenes, name, path, splits=splits, copy_images=copy)
        found = [(finish(raw), raw.split) for raw in FORMATS.load(name)(path).scenes]
        assert report.images == len(found) == len(kept)
        assert report.heads == sum(scene.count for scene, _ in found)
        for scene, split in found:
            expected, split_before = kept.pop(int(scene.pixels()[0, 0, 0]))
            assert isinstance(scene.image, Path)
            assert scene.image.resolve().is_relative_to(path.parent) if copy else scene.image.samefile(expected.image)  # type: ignore[arg-type]
            assert (*all_but_boxes(scene, holds), split) == (*all_but_boxes(expected, holds), split_before)
            boxes, before = (np.zeros((0, 4)) if s.boxes_xyxy is None else s.boxes_xyxy for s in (scene, expected))
            assert boxes.shape == before.shape
            assert np.abs(boxes - before).max(initial=0) <= holds.precision_px


@pytest.mark.parametrize(("name", "suffix"), WRITTEN)
def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / "out" / f"set{suffix}"
    path.parent.mkdir()
    nobody = Scene(save(tmp_path / "a.png"))
    refused_scenes = {"no file": [Scene(np.zeros((4, 4, 3), np.uint8), name="x")]}
    if name not in ("labelme", "voc", "yolo"):  # which give each scene a file of its own
        refused_scenes["Two scenes"] = [nobody, Scene(tmp_path / "out/../a.png")]
    if not FORMATS[name].holds.points_alone:
        refused_scenes["without a box|1 (points|heads) and 0 boxes"] = [replace(nobody, points_xy=np.ones((1, 2)))]
    for message, scenes in refused_scenes.items():
        with pytest.raises(InputError, match=message):
            FORMATS[name].write(scenes, path)
    assert not [file for file in path.parent.rglob("*") if file.is_file()]


@pytest.mark.parametrize(("name", "suffix"), WRITTEN)
def test_nothing_is_overwritten_unless_allowed(tmp_path: Path, name: str, suffix: str) -> None:
    head = np.array([[5.0, 5]]), np.array([[1.0, 1, 9, 9]])
    scenes = [Scene(save(tmp_path / "in" / image), *head) for image in ("a.png", "b.png")]
    path = tmp_path / f"set{suffix}"
    FORMATS[name].write(scenes[:1], path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match=r"(exists|files) already") as caught:
        FORMATS[name].write(scenes, path)
    assert caught.value.remedy == "overwrite"
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    FORMATS[name].write(scenes, path, overwrite=True)
    assert len(read(name, path)) == 2


PACKAGE = """
from pathlib import Path
from headcount.core.scene import Scene
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene
from headcount.data.formats.table import FormatRow, Holds
import numpy as np

def list_lines(path):
    rows = [line.split("|") for line in path.read_text().splitlines()]
    scenes = (
        RawScene(name, "", path.parent / name, path,
                 lambda cells=cells: RawAnnotation(points_xy=np.array(cells, float).reshape(-1, 2)))
        for name, *cells in rows
    )
    return Listing(tuple(scenes))

def write_lines(scenes, path, *, splits, copy_images, overwrite):
    lines = ["|".join([scene.image.name, *map(str, scene.points_xy.ravel().tolist())]) for scene in scenes]
    path.write_text("\\n".join(lines) + "\\n")

LINES = FormatRow(
    name="lines", title="Lines", target="lines_of_others:list_lines", writer="lines_of_others:write_lines",
    holds=Holds(boxes=False, provenance=False, splits=False), file_suffixes=(".lines",), folder=False,
)
"""


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that adds a format through an entry point, as pip would install it."""
    home = tmp_path / "site"
    (home / "lines_of_others-1.0.dist-info").mkdir(parents=True)
    (home / "lines_of_others.py").write_text(PACKAGE)
    info = home / "lines_of_others-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lines-of-others\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[headcount.formats]\nlines = lines_of_others:LINES\n")
    monkeypatch.syspath_prepend(str(home))
    FORMATS.__dict__.pop("_others", None)
    yield
    FORMATS.__dict__.pop("_others", None)
    FORMATS._loaded.pop("lines", None)
    sys.modules.pop("lines_of_others", None)


@pytest.mark.usefixtures("other_package")
def test_a_format_of_another_package_is_read_and_written(tmp_path: Path) -> None:
    points = lay("points", tmp_path)
    report = convert_dataset(f"points={points}", "lines", tmp_path / "in/heads.lines")
    assert (report.images, report.heads) == (2, 2)
    scenes = read_dataset(f"lines={tmp_path / 'in/heads.lines'}", "all")
    assert [scene.points_xy.tolist() for scene in scenes] == [POINTS, []]
    convert_dataset(f"lines={tmp_path / 'in/heads.lines'}", "coco", tmp_path / "c.json")
    assert [scene.count for scene in read("coco", tmp_path / "c.json")] == [2, 0]


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(OWN), st.data())
def test_whatever_stands_there_it_is_read_or_refused_by_file(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / f"fuzz-{name}"
    path, mini = lay(name, folder), MINIS[name]
    file = folder / data.draw(st.sampled_from(list(mini.files)))
    text = file.read_text(encoding="utf-8")
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 12)))
    signs = st.text(st.sampled_from('<>/="&;,.-e019{}[]: \\\n'), max_size=6)
    piece = data.draw(signs | st.text(max_size=4) | st.sampled_from(["nan", "null", "1e999"]))
    file.write_bytes((text[:start] + piece + text[stop:]).encode("utf-8", "surrogatepass"))
    message = str(folder)
    try:
        for raw in FORMATS.load(name)(path).scenes:
            assert np.isfinite(raw.read().heads_xy).all()
    except InputError as error:
        message = str(error)
    assert str(folder) in message


def test_a_row_says_what_a_path_can_hold() -> None:
    row = FormatRow(name="x", target="math:pi", file_suffixes=(".x",))
    assert not row.writes
    assert (row.holds_at(Path("a")).splits, row.holds_at(Path("a.x")).splits) == (True, False)
    with pytest.raises(InputError, match=r"no x file: a name that ends in \.x"):
        replace(row, folder=False).holds_at(Path("a"))
