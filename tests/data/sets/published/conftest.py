"""A miniature of every published set: 40×30 pixels, a few heads, files named and laid out as they are published."""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from headcount.data.sets.splits import shipped_validation

SIZE_WH = (40, 30)
NAN = struct.pack("<d", math.nan)


@dataclass(frozen=True, kw_only=True)
class Miniature:
    """A set in small, and what can go wrong with one of its annotations.

    Attributes:
        write: writes it into a folder.
        home: what that folder is called.
        renamed: files or folders in it without which the layout is another.
        image: one of its images, and the file of its annotation, ``annotation``.
        scene: the name of that image in the set.
        heads: where its heads are, in headcount's pixels.
        cut: how many bytes of the annotation go where it is cut off.
        number: bytes of it, what takes their place so that a value is no number, and the place that is named.
        field: the same for a field that is missing.
        unannotate: takes the annotation away; the file where it is not given.
    """

    write: Callable[[Path], None]
    home: str = "data"
    renamed: tuple[str, ...]
    image: str
    annotation: str
    scene: str
    heads: tuple[tuple[float, float], ...]
    cut: int = 40
    number: tuple[bytes, bytes, str]
    field: tuple[bytes, bytes, str]
    unannotate: Callable[[Path], None] = Path.unlink


def write(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


@cache
def picture(suffix: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", SIZE_WH, (90, 120, 60)).save(out, {".png": "PNG", ".jpg": "JPEG"}[suffix])
    return out.getvalue()


def write_image(path: Path) -> None:
    write(path, picture(path.suffix))


def write_mat(path: Path, variables: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, dict(variables))


def cells(*values: Any) -> Any:
    """A cell of MATLAB's."""
    cell = np.empty((1, len(values)), object)
    cell[0, :] = [None] * len(values)
    for index, value in enumerate(values):
        cell[0, index] = value
    return cell


def double(value: float) -> bytes:
    """A number as a MAT file holds it."""
    return struct.pack("<d", value)


def _beijing_brt(root: Path) -> None:
    for split, days, second in (("train", range(1, 7), 10), ("test", range(1, 3), 44)):
        for day in days:
            name = f"1-2017041{day}0915{second}"
            write_image(root / split / f"frame/{name}.jpg")
            write_mat(root / split / f"ground_truth/{name}.mat", {"loc": np.array([[1.0, 1], [36.5, 24]])})
    write(root / "README.md", "")


ROWS = "1,1,1,1,10,8,1,1,0.9\n1,2,11,6,4,4,1,1,0.3\n2,1,2,1,10,8,1,1,1\n"


def _mot(root: Path, *, video: str, train: range, test: range, labelled: bool) -> None:
    for split, numbers in (("train", train), ("test", test)):
        for number in numbers:
            folder = root / split / f"{video}{number:02}"
            for frame in (1, 2):
                write_image(folder / f"img1/{frame:06}.jpg")
            info = f"[Sequence]\nname={folder.name}\nimDir=img1\nseqLength=2\nimWidth=40\nimHeight=30\nimExt=.jpg\n"
            write(folder / "seqinfo.ini", info)
            if split == "train" or labelled:
                write(folder / "gt/gt.txt", ROWS)


def _person(hbox: list[Any], **more: Any) -> dict[str, Any]:
    return {"tag": "person", "hbox": hbox, "head_attr": {"ignore": 0}, "extra": {"box_id": 0}, **more}


def _crowdhuman(root: Path) -> None:
    for split, names in {"train": ("273271,a", "273271,b"), "val": ("284193,c",)}.items():
        persons = [_person([4, 2, 10, 12]), _person([8.5, 8, 4, 4]), _person([8, 8, 4, 4], extra={"ignore": 1})]
        lines = [json.dumps({"ID": name, "gtboxes": persons}) + "\n" for name in names]
        write(root / f"annotation_{split}.odgt", "".join(lines))
        for name in names:
            write_image(root / f"CrowdHuman_{split}/Images/{name}.jpg")
    write_image(root / "CrowdHuman_test/Images/99,d.jpg")


def _without_last_line(path: Path) -> None:
    write(path, b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def _fdst(root: Path) -> None:
    for split, videos in (("train", range(1, 7)), ("test", range(7, 9))):
        for video in videos:
            for number in (1, 2, 10):
                shapes = [{"name": "rect", "x": 10, "y": 4, "width": 6, "height": 8.5}] * 2
                regions = [{"shape_attributes": shape, "region_attributes": {}} for shape in shapes]
                stem = root / f"{split}_data/{video}/{number:03}"
                write_image(stem.with_suffix(".jpg"))
                entry = {"filename": f"{stem.name}.jpg", "size": 912, "regions": regions}
                write(stem.with_suffix(".json"), json.dumps({f"{stem.name}.jpg912": entry}))


def _gcc(root: Path) -> None:
    scenes = ("scene_00_0", "scene_00_1", "scene_01_0", "scene_02_3")
    images = [(scene, name) for scene in scenes for name in ("0000000002", "0000000010")]
    for scene, name in images:
        write_image(root / scene / f"pngs/{name}.png")
        heads = {"image_info": [[0, 0], [10, 39]], "weather": "RAIN", "timeInfo": [7, 5], "roi": [[1e4, 2]]}
        write(root / scene / f"jsons/{name}.json", json.dumps(heads))
    tested = {
        "cross_location_{}_list.txt": {image for image in images if image[0] == "scene_02_3"},
        "cross_camera_{}_list.txt": {image for image in images if image[0] == "scene_00_1"},
        "{}_list.txt": {image for image in images if image[1] == "0000000002"},
    }
    for called, test in tested.items():
        for split, listed in (("train", [i for i in images if i not in test]), ("test", sorted(test))):
            rows = "".join(f"3 2 0 /{scene} {name} 2\n" for scene, name in listed)
            write(root / "txt_list" / called.format(split), rows)


def _jhu(root: Path) -> None:
    for split, names in {"train": ("0001", "0002"), "val": ("0003",), "test": ("0004",)}.items():
        for name in names:
            write_image(root / split / f"images/{name}.jpg")
            write(root / split / f"gt/{name}.txt", "10 20 4 6 1 0\n30 5 7 9 3 1 \n")
        write(root / split / "image_labels.txt", "".join(f"{name},2,street,0,0\n" for name in names))


def _mall(root: Path) -> None:
    for number in (*range(1, 11), 801):
        write_image(root / f"frames/seq_{number:06}.jpg")
    frames = cells(*({"loc": np.array([[1.0, 1.0], [30.25, 8.5 + number]])} for number in range(802)))
    write_mat(root / "mall_gt.mat", {"frame": frames, "count": np.full((802, 1), 2)})


def _nwpu_crowd(root: Path) -> None:
    for number in range(1, 6):
        write_image(root / f"images/{number:04}.jpg")
    for number in range(1, 4):
        heads = {"points": [[3.25, 4.5], [20.0, 10.0]], "boxes": [[1, 2, 5, 7], [18, 8, 22.5, 12]]}
        write(root / f"jsons/{number:04}.json", json.dumps({"img_id": f"{number:04}.jpg", "human_num": 2, **heads}))
    write(root / "train.txt", "0002 0 0 \n0001 2 4\n\n")
    write(root / "val.txt", "0003 1 3\r\n")
    write(root / "test.txt", "0004\n0005\n")


def _scut_head(root: Path, *, part: str) -> None:
    folder = root / f"SCUT_HEAD_Part_{part}"
    for number in range(3):
        name = f"Part{part}_{number:05}"
        write_image(folder / f"JPEGImages/{name}.jpg")
        boxes = "".join(
            f"\n<object><name>person</name><bndbox><xmin>{x}</xmin><ymin>1</ymin><xmax>{x + 10}</xmax><ymax>21</ymax>"
            "</bndbox></object>"
            for x in (1, 28)
        )
        size = "<size><width>40</width><height>30</height><depth>3</depth></size>"
        write(folder / f"Annotations/{name}.xml", f"<annotation><filename>3.jpg</filename>{size}{boxes}</annotation>")
    for split, numbers in {"train": (0,), "val": (1,), "trainval": (0, 1), "test": (2,)}.items():
        names = "".join(f"Part{part}_{number:05}\n" for number in numbers)
        write(folder / f"ImageSets/Main/{split}.txt", names)


def _shanghaitech(root: Path, *, part: str) -> None:
    listed = shipped_validation(f"shanghaitech-{part.lower()}.json")
    images = {"train": [*listed, "IMG_9001", "IMG_9002"], "test": ["IMG_1", "IMG_2", "IMG_10"]}
    truth = io.BytesIO()
    savemat(truth, {"image_info": cells({"location": np.array([[1.0, 1.0], [20.25, 15.0]]), "number": 2.0})})
    for split, names in images.items():
        for name in names:
            write_image(root / f"part_{part}/{split}_data/images/{name}.jpg")
            write(root / f"part_{part}/{split}_data/ground-truth/GT_{name}.mat", truth.getvalue())


def _ucf(folder: Path, names: list[str]) -> None:
    for name in names:
        write_image(folder / f"{name}.jpg")
        write_mat(folder / f"{name}_ann.mat", {"annPoints": np.array([[1.0, 1.0], [20.25, 15.0]])})


def _ucf_qnrf(root: Path) -> None:
    _ucf(root / "Train", [f"img_{number:04}" for number in range(1, 21)])
    _ucf(root / "Test", ["img_0001", "img_0002"])


def _ucsd(root: Path) -> None:
    for clip in (0, 3, 6):
        name = f"vidf1_33_{clip:03}"
        for number in (1, 2, 3):
            write_image(root / f"vidf/{name}.y/{name}_f{number:03}.png")
        frames = cells(*({"loc": np.array([[12.5, 3.0, 7.0]] * number)} for number in range(3)))
        write_mat(root / f"vidf-cvpr/{name}_frame_full.mat", {"frame": frames})
    mask = np.zeros(SIZE_WH[::-1], np.uint8)
    mask[:, 12:] = 1
    write_mat(root / "vidf-cvpr/vidf1_33_roi_mainwalkway.mat", {"roi": {"xi": np.ones((4, 1)), "mask": mask}})


def _worldexpo10(root: Path) -> None:
    scenes = {"train": [f"1000{n:02}" for n in range(1, 6)], "test": ["104207", "200608"]}
    corners = {"X": np.array([[11.0], [31], [31], [11]]), "Y": np.array([[6.0], [6], [26], [26]])}
    for split, names in scenes.items():
        for scene in names:
            labels, nested = root / f"{split}_label/{scene}", scene if split == "test" else ""
            write_mat(labels / "roi.mat", {f"maskVertices{axis}Coordinates": ends for axis, ends in corners.items()})
            for clip in (2, 10):
                write_image(root / f"{split}_frame" / nested / f"{scene}_A02-clip_{clip}.jpg")
                points = {"point_position": np.array([[1.0, 1.0], [20.25, 30.0]]), "point_num": 2.0}
                write_mat(labels / f"{scene}_A02-clip_{clip}.mat", points)


def _shanghaitech_of(part: str) -> Miniature:
    test = f"part_{part}/test_data"
    return Miniature(
        write=partial(_shanghaitech, part=part), home="ShanghaiTech", renamed=(f"{test}/images",),
        image=f"{test}/images/IMG_1.jpg", annotation=f"{test}/ground-truth/GT_IMG_1.mat", scene="test/IMG_1",
        heads=((0.5, 0.5), (19.75, 14.5)), number=(double(20.25), NAN, "image_info.location row 2"),
        field=(b"location", b"lokation", "location was expected"),
    )  # fmt: skip


def _scut_head_of(part: str) -> Miniature:
    folder = f"SCUT_HEAD_Part_{part}"
    return Miniature(
        write=partial(_scut_head, part=part), home="SCUT-HEAD", renamed=(f"{folder}/Annotations",),
        image=f"{folder}/JPEGImages/Part{part}_00000.jpg", annotation=f"{folder}/Annotations/Part{part}_00000.xml",
        scene=f"Part{part}_00000", heads=((6, 11), (33, 11)), number=(b">28<", b">x<", "line 3: xmin"),
        field=(b"<xmin>28</xmin>", b"", "line 3: <bndbox> has no <xmin>"),
    )  # fmt: skip


def _gcc_of(scene: str) -> Miniature:
    return Miniature(
        write=_gcc, home="GCC", renamed=("scene_00_0", "scene_00_1", "scene_01_0", "scene_02_3"),
        image=f"{scene}.png".replace("/", "/pngs/"), annotation=f"{scene}.json".replace("/", "/jsons/"), scene=scene,
        heads=((0.5, 0.5), (39.5, 10.5)), number=(b"[10, 39]", b"[10, null]", "image_info[1]: column"),
        field=(b"[10, 39]", b"[10]", "image_info[1]: [row, column]"),
    )  # fmt: skip


_JHU = Miniature(
    write=_jhu, home="jhu_crowd_v2.0", renamed=("val/gt",), image="val/images/0003.jpg", annotation="val/gt/0003.txt",
    scene="val/0003", heads=((10, 20), (30, 5)), cut=6, number=(b"7 9", b"7 x", "line 2: height"),
    field=(b"7 9 3 1", b"7 9 3", "line 2"),
)  # fmt: skip
_CC_50 = Miniature(
    write=lambda root: _ucf(root, [str(number) for number in range(1, 51)]), home="UCF_CC_50", renamed=(),
    image="7.jpg", annotation="7_ann.mat", scene="7", heads=((0.5, 0.5), (19.75, 14.5)),
    number=(double(20.25), NAN, "annPoints row 2"), field=(b"annPoints", b"antPoints", "annPoints was expected"),
)  # fmt: skip
MINIATURES = {
    "beijing-brt": Miniature(
        write=_beijing_brt, home="Beijing-BRT-dataset-master", renamed=("test/ground_truth",),
        image="test/frame/1-20170411091544.jpg", annotation="test/ground_truth/1-20170411091544.mat",
        scene="test/1-20170411091544", heads=((0.5, 0.5), (36, 23.5)), number=(double(36.5), NAN, "loc row 2"),
        field=(b"loc", b"log", "loc was expected"),
    ),
    "crohd": Miniature(
        write=partial(_mot, video="HT21-", train=range(1, 5), test=range(11, 12), labelled=False), home="HT21",
        renamed=("train", "test"), image="train/HT21-01/img1/000001.jpg", annotation="train/HT21-01/gt/gt.txt",
        scene="train/HT21-01/000001", heads=((5, 4), (12, 7)), cut=11, number=(b"11,6", b"x,6", "line 2: cell 3"),
        field=(b"11,6,4,4,1,1,0.3", b"11,6", "line 2"),
    ),
    "crowdhuman": Miniature(
        write=_crowdhuman, renamed=("annotation_train.odgt", "annotation_val.odgt"),
        image="CrowdHuman_train/Images/273271,b.jpg", annotation="annotation_train.odgt", scene="train/273271,b",
        heads=((9, 8), (10.5, 10)), number=(b"[8.5, 8,", b"[NaN, 8,", "line 2, gtboxes[1].hbox: x"),
        field=(b'"hbox": [8.5, 8, 4, 4]', b'"fbox": [8.5, 8, 4, 4]', "line 2, gtboxes[1].hbox"),
        unannotate=_without_last_line,
    ),
    "fdst": Miniature(
        write=_fdst, renamed=("train_data", "test_data"), image="test_data/7/001.jpg",
        annotation="test_data/7/001.json", scene="test/7/001", heads=((13, 8.25), (13, 8.25)),
        number=(b"8.5", b"true", "regions[0]: height"), field=(b'"height"', b'"hight"', "regions[0]: height"),
    ),
    "gcc": _gcc_of("scene_02_3/0000000002"),
    "gcc-camera": _gcc_of("scene_00_1/0000000010"),
    "gcc-random": _gcc_of("scene_01_0/0000000010"),
    "gta-head": Miniature(
        write=partial(_mot, video="scene_", train=range(1, 6), test=range(6, 8), labelled=True), home="GTA_Head",
        renamed=("train", "test"), image="test/scene_07/img1/000002.jpg", annotation="test/scene_07/gt/gt.txt",
        scene="test/scene_07/000002", heads=((6, 4),), cut=11, number=(b"2,1,2", b"2,1,nan", "line 3: cell 3"),
        field=(b"2,1,2,1,10,8,1,1,1", b"2,1,2,1", "line 3"),
    ),
    "jhu-crowd": _JHU,
    "jhu-crowd++": _JHU,
    "mall": Miniature(
        write=_mall, home="mall_dataset", renamed=("frames",), image="frames/seq_000003.jpg", annotation="mall_gt.mat",
        scene="train/seq_000003", heads=((0.5, 0.5), (29.75, 10)), number=(double(10.5), NAN, "frame{3}.loc row 2"),
        field=(b"frame", b"frume", "frame was expected"),
    ),
    "nwpu-crowd": Miniature(
        write=_nwpu_crowd, renamed=("jsons",), image="images/0001.jpg", annotation="jsons/0001.json",
        scene="train/0001", heads=((3.25, 4.5), (20, 10)), number=(b"4.5", b"NaN", "points[0]: y"),
        field=(b'"points"', b'"point"', "points: a list"),
    ),
    "scut-head-a": _scut_head_of("A"),
    "scut-head-b": _scut_head_of("B"),
    "shanghaitech-a": _shanghaitech_of("A"),
    "shanghaitech-b": _shanghaitech_of("B"),
    **{f"ucf-cc-50-fold{number}": _CC_50 for number in range(1, 6)},
    "ucf-qnrf": Miniature(
        write=_ucf_qnrf, home="UCF-QNRF_ECCV18", renamed=("Train", "Test"), image="Test/img_0002.jpg",
        annotation="Test/img_0002_ann.mat", scene="test/img_0002", heads=((0.5, 0.5), (19.75, 14.5)),
        number=(double(20.25), NAN, "annPoints row 2"), field=(b"annPoints", b"antPoints", "annPoints was expected"),
    ),
    "ucsd": Miniature(
        write=_ucsd, renamed=("vidf-cvpr",), image="vidf/vidf1_33_000.y/vidf1_33_000_f002.png",
        annotation="vidf-cvpr/vidf1_33_000_frame_full.mat", scene="test/vidf1_33_000_f002", heads=((12, 2.5),),
        number=(double(12.5), NAN, "frame{2}.loc row 1"), field=(b"loc", b"log", "loc was expected"),
    ),
    "worldexpo10": Miniature(
        write=_worldexpo10, renamed=("train_label",), image="train_frame/100001_A02-clip_2.jpg",
        annotation="train_label/100001/100001_A02-clip_2.mat", scene="train/100001_A02-clip_2",
        heads=((0.5, 0.5), (19.75, 29.5)), number=(double(20.25), NAN, "point_position row 2"),
        field=(b"point_position", b"paint_position", "point_position was expected"),
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def miniatures() -> Mapping[str, Miniature]:
    """The miniature of each name of ``SETS``."""
    return MINIATURES


@pytest.fixture
def write_set(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the miniature of a set; the folder to give as its path."""

    def write_one(name: str) -> Path:
        root = tmp_path / MINIATURES[name].home
        MINIATURES[name].write(root)
        return root

    return write_one
