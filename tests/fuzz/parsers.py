"""Every parser of headcount as ``fuzzer.py`` sees it: a valid miniature, the file in it that is damaged, and
the public function that reads it. A reader in ``data/sets/registry.py`` without a line here fails a test.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, features
from scipy.io import savemat

from headcount.core.card import ModelCard
from headcount.core.errors import InputError
from headcount.core.image import count_pictures, read_image
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.data.audit.accepted import read_accepted
from headcount.data.formats.coco import write_coco
from headcount.data.formats.cvat import write_cvat
from headcount.data.formats.finish import finish
from headcount.data.formats.head_list import write_boxes, write_points
from headcount.data.formats.labelme import write_labelme
from headcount.data.formats.nwpu import read_nwpu_predictions, read_nwpu_truth
from headcount.data.formats.predictions import read_predictions
from headcount.data.formats.regions import read_region
from headcount.data.formats.voc import write_voc
from headcount.data.formats.yolo import write_yolo
from headcount.data.media.sources import expand_source
from headcount.data.parse.csv import csv_row
from headcount.data.sets.registry import DATA_SETS

SIZE_WH = (32, 24)
_POINTS = [[4.5, 6.25], [20.0, 11.0], [31.5, 23.5]]
_BOXES = [[1.5, 3.25, 7.5, 9.25], [17.0, 8.0, 23.0, 14.0], [29.0, 21.0, 31.5, 23.5]]


@dataclass(frozen=True, slots=True)
class Parser:
    """One line of the table.

    Attributes:
        name: as on the command line.
        file: the file that is damaged, relative to the folder that ``lay`` fills.
        lay: writes a valid miniature into an empty folder.
        read: reads that folder through the public entry; raises a HeadcountError where it refuses it.
        more: further valid contents of the file.
        data_set: the name in ``data/sets/registry.py``, where it is a reader's.
        needs: a package without which it cannot be run.
    """

    name: str
    file: str
    lay: Callable[[Path], None]
    read: Callable[[Path], None]
    more: Callable[[], list[bytes]] = list
    data_set: str = ""
    needs: str = ""


def read_set(name: str, below: str, folder: Path) -> None:
    """Lists a data set and reads each scene whose image is there.

    Raises:
        HeadcountError: the first that listing or any of the scenes raised, after all were read.
    """
    refused: InputError | None = None
    for raw in DATA_SETS[name].list_raw(folder / below if below else folder).scenes:
        if raw.image is None or raw.annotation is None:
            continue
        try:
            finish(raw)
        except InputError as error:
            refused = refused or error
    if refused is not None:
        raise refused


def _image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE_WH, (90, 120, 150)).save(path)
    return path


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _more_regions() -> list[bytes]:
    """As LabelMe, COCO and VIA write polygons."""
    corners = [[1, 2], [20.5, 2], [20, 22]]
    shape = {"label": "gate", "shape_type": "polygon", "points": corners}
    part = {"category_id": 1, "segmentation": [[1, 2, 20.5, 2, 20, 22]]}
    drawn = {"name": "polygon", "all_points_x": [1, 20.5, 20], "all_points_y": [2, 2, 22]}
    every: list[dict[str, Any]] = [
        {"imageWidth": 32, "imageHeight": 24, "shapes": [shape]},
        {"images": [{"width": 32, "height": 24}], "categories": [{"id": 1, "name": "gate"}], "annotations": [part]},
        {"a.png": {"regions": [{"shape_attributes": drawn}]}},
    ]
    return [json.dumps(data).encode() for data in every]


def _mat(values: dict[str, Any], *, packed: bool = False) -> bytes:
    """A MAT file whose header has no date, so that seeds are always the same."""
    file = BytesIO()
    savemat(file, values, do_compression=packed)
    return b"MATLAB 5.0 MAT-file".ljust(116) + file.getvalue()[116:]


def _mats(values: dict[str, Any]) -> list[bytes]:
    """The same compressed; and without rows, where the first variable is a matrix and no structure."""
    first, *others = values
    found = [_mat(values, packed=True)]
    if np.asarray(values[first]).dtype.kind == "f":
        found.append(_mat({first: np.zeros((0, 0))} | {name: values[name] for name in others}))
    return found


def _cells(values: list[Any]) -> Any:
    found = np.empty((1, len(values)), object)
    for index, value in enumerate(values):
        found[0, index] = value
    return found


def _scenes(folder: Path, *, boxes: bool = True, names: tuple[str, ...] = ("a.png", "b.png")) -> list[Scene]:
    """Two images, the second empty; the point of the first box is not its middle."""
    points, corners = (np.array(_POINTS), np.array(_BOXES)) if boxes else (np.array(_POINTS), None)
    made = ("annotated", "interpolated", "pseudo") if boxes else ()
    one, two = (_image(folder / name) for name in names)
    return [
        Scene(one, points_xy=points, boxes_xyxy=corners, box_provenance=made, source=str(one), name="a",
              attributes={"weather": "rain"}),
        Scene(two, points_xy=np.zeros((0, 2)), source=str(two), name="b"),
    ]  # fmt: skip


# Published sets, in the layouts of their readers.

_LOC = {"loc": np.array(_POINTS)}
_ANN = {"annPoints": np.array(_POINTS)}
_NWPU = {"annPoints": np.array(_POINTS), "annBoxes": np.array(_BOXES)}
_LOCATION = {"location": np.array(_POINTS), "number": 3.0}
_SHANGHAITECH = {"image_info": _cells([_LOCATION])}
_GCC = {"image_info": {"location": np.array([[0, 0], [10, 31]])}}
_MALL = {"frame": _cells([{"loc": np.array(_POINTS)}, {"loc": np.zeros((0, 2))}]), "count": np.array([[3.0], [0.0]])}
_UCSD = {"frame": _cells([{"loc": np.array([[4.5, 6.25, 1.0]])}, {"loc": np.zeros((0, 3))}])}
_ROI = {"roi": {"mask": np.ones(SIZE_WH[::-1], np.uint8)}}
_EXPO = {"point_position": np.array(_POINTS), "point_num": 3.0}
_EXPO_ROI = {
    "maskVerticesXCoordinates": np.array([[1.0], [20.0], [20.0]]),
    "maskVerticesYCoordinates": np.array([[1.0], [1.0], [20.0]]),
}
_VIA = {
    "001.jpg9": {
        "filename": "001.jpg", "size": 9, "file_attributes": {},
        "regions": [
            {"shape_attributes": {"name": "rect", "x": 1, "y": 2, "width": 5, "height": 6}, "region_attributes": {}}
        ],
    }
}  # fmt: skip
_ODGT = [
    {"ID": "a", "gtboxes": [
        {"tag": "person", "hbox": [1, 2, 5, 6], "head_attr": {"ignore": 0, "occ": 0, "unsure": 0}, "extra": {"occ": 0}},
        {"tag": "mask", "hbox": [1, 2, 5, 6], "extra": {"ignore": 1}},
    ]},
    {"ID": "b", "gtboxes": []},
]  # fmt: skip
_SEQINFO = (
    "[Sequence]\nname=HT21-01\nimDir=img1\nframeRate=25\nseqLength=2\nimWidth=32\nimHeight=24\nimExt=.jpg\n"
    "weather=rain\n"
)


def _beijing(folder: Path) -> None:
    _image(folder / "train/frame/1-20170419091545.jpg")
    _write(folder / "train/ground_truth/1-20170419091545.mat", _mat(_LOC))


def _mot(name: str, folder: Path) -> None:
    video = folder / name / "train/HT21-01"
    for number in (1, 2):
        _image(video / f"img1/{number:06}.jpg")
    _write(video / "gt/gt.txt", "1,1,2,3,5,6,1,1,1\n1,2,10,11,5,6,0,1,1\n2,1,3,3,5,6,1,1,0.5\n")
    _write(video / "seqinfo.ini", _SEQINFO)


def _crowdhuman(folder: Path) -> None:
    for name in "ab":
        _image(folder / f"Images/{name}.jpg")
    _write(folder / "annotation_train.odgt", "".join(json.dumps(line) + "\n" for line in _ODGT))


def _fdst(folder: Path) -> None:
    _image(folder / "train_data/1/001.jpg")
    _write(folder / "train_data/1/001.json", json.dumps(_VIA))


def _gcc(folder: Path, *, mats: bool = False) -> None:
    _image(folder / "scene_00_0/pngs/0000000002.png")
    if mats:
        _write(folder / "scene_00_0/mats/0000000002.mat", _mat(_GCC))
    else:
        data = {"image_info": [[0, 0], [10, 31]], "weather": "RAIN", "timeInfo": [7, 5], "roi": []}
        _write(folder / "scene_00_0/jsons/0000000002.json", json.dumps(data))
    rows = "3 2 0 /scene_00_0 0000000002 2\n3 2 -1 scene_00_0 3.png 2\n"
    _write(folder / "txt_list/cross_camera_train_list.txt", rows)


def _jhu(folder: Path) -> None:
    _image(folder / "train/images/0001.jpg")
    _write(folder / "train/gt/0001.txt", "4 6 3 4 1 0\n20 11 0 0 3 1\n")
    _write(folder / "train/image_labels.txt", "0001,2,street, north,1,0\n0002,0,stadium,0,1\n")


def _mall(folder: Path) -> None:
    _image(folder / "frames/seq_000001.jpg")
    _write(folder / "mall_gt.mat", _mat(_MALL))


def _nwpu(folder: Path, *, mats: bool = False) -> None:
    _image(folder / "images/0001.jpg")
    if mats:
        _write(folder / "mats/0001.mat", _mat(_NWPU))
    else:
        data = {"img_id": "0001.jpg", "human_num": 3, "points": _POINTS, "boxes": _BOXES}
        _write(folder / "jsons/0001.json", json.dumps(data))
    _write(folder / "train.txt", "0001 2 3\n0002 0 4\n")


def _scut(part: str, folder: Path) -> None:
    _voc(folder / f"SCUT_HEAD_Part_{part}")


def _shanghaitech(part: str, folder: Path) -> None:
    _image(folder / f"part_{part}/train_data/images/IMG_1.jpg")
    _write(folder / f"part_{part}/train_data/ground-truth/GT_IMG_1.mat", _mat(_SHANGHAITECH))


def _ucf_cc_50(folder: Path) -> None:
    _image(folder / "1.jpg")
    _write(folder / "1_ann.mat", _mat(_ANN))


def _ucf_qnrf(folder: Path) -> None:
    _image(folder / "Train/img_0001.jpg")
    _write(folder / "Train/img_0001_ann.mat", _mat(_ANN))


def _ucsd(folder: Path) -> None:
    for number in (1, 2):
        _image(folder / f"vidf/vidf1_33_000.y/vidf1_33_000_f{number:03}.png")
    _write(folder / "vidf-cvpr/vidf1_33_000_frame_full.mat", _mat(_UCSD))
    _write(folder / "vidf-cvpr/vidf1_33_roi_mainwalkway.mat", _mat(_ROI))


def _worldexpo(folder: Path) -> None:
    _image(folder / "test_frame/104207/104207_1-04-clip1_2.jpg")
    _write(folder / "test_label/104207/104207_1-04-clip1_2.mat", _mat(_EXPO))
    _write(folder / "test_label/104207/roi.mat", _mat(_EXPO_ROI))


# General formats, by headcount's own writers.


def _boxes(suffix: str, folder: Path) -> None:
    scenes = _scenes(folder)
    write_boxes(scenes, folder / f"heads{suffix}")


def _points(suffix: str, folder: Path) -> None:
    write_points(_scenes(folder), folder / f"heads{suffix}")


def _coco(folder: Path) -> None:
    one, two = _scenes(folder)
    region = np.zeros(SIZE_WH[::-1], np.bool_)
    region[2:9, 3:20] = True
    one = Scene(
        one.image, points_xy=one.points_xy, boxes_xyxy=one.boxes_xyxy, box_provenance=one.box_provenance, region=region,
        source=one.source, name=one.name, attributes=one.attributes,
    )  # fmt: skip
    write_coco([one, two], folder / "heads.json")


def _cvat(folder: Path) -> None:
    write_cvat(_scenes(folder), folder / "annotations.xml", splits=["train", "val"])


def _labelme(folder: Path) -> None:
    write_labelme(_scenes(folder), folder / "labels")


def _labelimg(folder: Path) -> None:
    _voc(folder)
    (folder / "Annotations").rename(folder / "labels")


def _coco_folders(folder: Path) -> None:
    scenes = _scenes(folder / "set/train")
    write_coco(scenes, folder / "set/train/_annotations.coco.json")


def _cvat_tracks(folder: Path) -> None:
    for number in (0, 2):
        _image(folder / f"images/frame_{number:06}.png")
    shapes = (
        '<box frame="0" xtl="1" ytl="2" xbr="9" ybr="12"/><points frame="2" outside="0" keyframe="1" points="4,5"/>'
    )
    meta = "<meta><task><size>3</size><stop_frame>2</stop_frame></task><source>q.mp4</source></meta>"
    _write(folder / "annotations.xml", f'<annotations>{meta}<track label="head">{shapes}</track></annotations>')


def _darknet(folder: Path) -> None:
    _yolo(folder / "set")
    (folder / "set/data.yaml").unlink()
    _write(folder / "set/obj.data", "classes = 1\ntrain = data/list.txt\nnames = data/obj.names\n")
    _write(folder / "set/obj.names", "head\n")


def _labelstudio(folder: Path) -> None:
    _image(folder / "a.png")
    box = {"x": 10, "y": 20, "width": 5.5, "height": 10, "rotation": 30, "rectanglelabels": ["head"]}
    turned = {"x": 50, "y": 50, "radiusX": 5, "radiusY": 10, "ellipselabels": ["head"]}
    results = [{"id": "r", "type": "rectanglelabels", "value": box, "original_width": 40}, {"value": turned}]
    task = {"data": {"image": "/data/upload/1/1a2b3c4d-a.png"}, "annotations": [{"result": results}]}
    _write(folder / "ls.json", json.dumps([task]))


def _via_regions() -> list[dict[str, object]]:
    shapes: list[dict[str, object]] = [
        {"name": "rect", "x": 1, "y": 2, "width": 8, "height": 9.5}, {"name": "circle", "cx": 9, "cy": 9, "r": 3},
        {"name": "polygon", "all_points_x": [1, 5, 3], "all_points_y": [2, 2, 9]},
    ]  # fmt: skip
    return [{"shape_attributes": shape, "region_attributes": {"class": "head"}} for shape in shapes]


def _via(folder: Path) -> None:
    _image(folder / "a.png")
    image = {"filename": "a.png", "size": 9, "regions": _via_regions(), "file_attributes": {"weather": "rain"}}
    _write(folder / "via.json", json.dumps({"_via_settings": {}, "_via_img_metadata": {"a.png9": image}}))


def _via_csv(folder: Path) -> None:
    _image(folder / "a.png")
    rows = [csv_row(["a.png", *(json.dumps(value) for value in region.values())]) for region in _via_regions()]
    _write(folder / "via.csv", "filename,region_shape_attributes,region_attributes\n" + "".join(rows))


def _video(folder: Path) -> None:
    import cv2

    path = folder / "queue.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, SIZE_WH)
    for _ in range(3):
        writer.write(np.full((*SIZE_WH[::-1], 3), 90, np.uint8))
    writer.release()
    _write(folder / "queue.csv", "video,frame,x,y,time_s\nqueue.avi,0,4.5,6.25,0.0\nqueue.avi,2,,,0.2\n")


def _voc(folder: Path) -> None:
    scenes = [scene for scene in _scenes(folder.parent) if scene.count]
    write_voc(scenes, folder, splits=["train"])


def _yolo(folder: Path) -> None:
    whole = [scene for scene in _scenes(folder.parent) if scene.count]
    write_yolo(whole, folder, splits=["train"], copy_images=True)
    _write(folder / "list.txt", "images/train/a.png\n")


def _yolo_list(folder: Path) -> None:
    _yolo(folder)
    _write(folder / "data.yaml", "path: .\ntrain: list.txt\nnames: {0: head}\n")


# What is no data set.


def _text(name: str, content: str, folder: Path) -> None:
    _write(folder / name, content)


def _list_of_sources(folder: Path) -> None:
    _image(folder / "a.png")
    _write(folder / "list.txt", "# what is counted\na.png\n*.png\n\n")


_PREDICTION = Prediction(
    count=3.2, size_wh=SIZE_WH, points_xy=np.array(_POINTS), points_kind="heads", scores=np.array([0.5, 0.25, 1.0]),
    boxes_xyxy=np.array(_BOXES), interval=(2.0, 4.0), model="m", runtime="r", source="a.png", timing_ms={"read": 1.0},
    warnings=("small",),
).to_dict()  # fmt: skip
_CARD = {
    "name": "tiny", "method": "none", "outputs": [{"name": "density", "stride": 8}], "decoder": {"name": "density"},
    "input": {"size_divisor": 32, "mean": [0.5, 0.5, 0.5]}, "tile": {"size": 256, "halo": 32}, "seed": 1,
    "architecture": {"width": 8}, "data": [{"name": "a", "split": "train", "images": 3, "terms": "none"}],
    "results": [{"data": "a", "split": "test", "images": 3, "metric": "mae", "value": 1.5}], "notes": ["x"],
}  # fmt: skip


def _pictures() -> list[bytes]:
    found = []
    picture = Image.fromarray(np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    more = {"exif": exif, "save_all": True, "append_images": [picture]}
    kinds: list[tuple[str, dict[str, object]]] = [
        ("JPEG", {"exif": exif, "progressive": True}), ("GIF", {}), ("TIFF", more | {"compression": "tiff_lzw"}),
        ("WEBP", more), ("PNG", more), ("BMP", {}), ("PPM", {}), ("TIFF", {"compression": "jpeg"}),
        *([("AVIF", {"exif": exif})] if features.check("avif") else []),
    ]  # fmt: skip
    for kind, options in kinds:
        file = BytesIO()
        picture.save(file, kind, **options)  # type: ignore[arg-type]
        found.append(file.getvalue())
    return found


def _read_picture(folder: Path) -> None:
    count_pictures(folder / "a.png")
    _all(read_image(folder / "a.png", max_pixels=20_000_000))


def _hdf5() -> list[bytes]:
    import h5py

    file = BytesIO()
    with h5py.File(file, "w", userblock_size=512) as made:
        made["annPoints"] = np.array(_POINTS).T
    return [file.getvalue()]


def _recipe(folder: Path) -> None:
    import headcount.models.method  # noqa: F401  (torch: loaded before memory is bounded)

    shipped = Path(__file__).parents[2] / "src/headcount/recipes"
    _write(folder / "own.yaml", (shipped / "headcount-s.yaml").read_bytes())
    _write(folder / "headcount-s-base.yaml", (shipped / "headcount-s-base.yaml").read_bytes())


def _more_recipes() -> list[bytes]:
    shipped = Path(__file__).parents[2] / "src/headcount/recipes"
    return [(shipped / f"{name}.yaml").read_bytes() for name in ("headcount-s-base", "table5-small-density")]


def _read_recipe(folder: Path) -> None:
    from headcount.train.recipe import load_recipe

    load_recipe(str(folder / "own.yaml"))


def _read_sources(folder: Path) -> None:
    found = expand_source(str(folder / "list.txt"))
    refused = [each for each in found if isinstance(each, InputError)]
    if refused:
        raise refused[0]


def _set(
    name: str, file: str, lay: Callable[[Path], None], *, below: str = "", also: str = "",
    more: Callable[[], list[bytes]] = list, needs: str = "",
) -> Parser:  # fmt: skip
    """A reader of the registry; ``also`` tells a second file of a set from the first."""
    title = f"{name}-{also}" if also else name
    return Parser(title, file, lay, partial(read_set, name, below), more, name, needs)


_HT, _GTA = "HT21/train/HT21-01", "GTA_Head/train/HT21-01"
_EXPO_TEST = "test_label/104207"

PARSERS: dict[str, Parser] = {
    parser.name: parser
    for parser in (
        _set("beijing-brt", "train/ground_truth/1-20170419091545.mat", _beijing, more=partial(_mats, _LOC)),
        _set("crohd", f"{_HT}/gt/gt.txt", partial(_mot, "HT21")),
        _set("crohd", f"{_HT}/seqinfo.ini", partial(_mot, "HT21"), also="seqinfo"),
        _set("crowdhuman", "annotation_train.odgt", _crowdhuman),
        _set("fdst", "train_data/1/001.json", _fdst),
        _set("gcc", "scene_00_0/jsons/0000000002.json", _gcc),
        _set("gcc-camera", "txt_list/cross_camera_train_list.txt", _gcc),
        _set("gcc-random", "scene_00_0/mats/0000000002.mat", partial(_gcc, mats=True), more=partial(_mats, _GCC)),
        _set("gta-head", f"{_GTA}/gt/gt.txt", partial(_mot, "GTA_Head")),
        _set("gta-head", f"{_GTA}/seqinfo.ini", partial(_mot, "GTA_Head"), also="seqinfo"),
        _set("jhu-crowd", "train/image_labels.txt", _jhu),
        _set("jhu-crowd++", "train/gt/0001.txt", _jhu),
        _set("mall", "mall_gt.mat", _mall, more=partial(_mats, _MALL)),
        _set("nwpu-crowd", "jsons/0001.json", _nwpu),
        _set("nwpu-crowd", "mats/0001.mat", partial(_nwpu, mats=True), also="mat", more=partial(_mats, _NWPU)),
        _set("nwpu-crowd", "train.txt", _nwpu, also="list"),
        _set("scut-head-a", "SCUT_HEAD_Part_A/Annotations/a.xml", partial(_scut, "A")),
        _set("scut-head-b", "SCUT_HEAD_Part_B/ImageSets/Main/train.txt", partial(_scut, "B")),
        _set("shanghaitech-a", "part_A/train_data/ground-truth/GT_IMG_1.mat", partial(_shanghaitech, "A"),
             more=partial(_mats, _SHANGHAITECH)),
        _set("shanghaitech-b", "part_B/train_data/ground-truth/GT_IMG_1.mat", partial(_shanghaitech, "B"),
             more=partial(_mats, _SHANGHAITECH)),
        _set("ucf-cc-50-fold1", "1_ann.mat", _ucf_cc_50, more=partial(_mats, _ANN)),  # the five folds share one reader
        _set("ucf-qnrf", "Train/img_0001_ann.mat", _ucf_qnrf, more=partial(_mats, _ANN)),
        _set("ucf-qnrf", "Train/img_0001_ann.mat", _ucf_qnrf, also="hdf5", more=_hdf5, needs="h5py"),
        _set("ucsd", "vidf-cvpr/vidf1_33_000_frame_full.mat", _ucsd, more=partial(_mats, _UCSD)),
        _set("ucsd", "vidf-cvpr/vidf1_33_roi_mainwalkway.mat", _ucsd, also="region",
             more=lambda: [_mat(_ROI, packed=True)]),
        _set("worldexpo10", f"{_EXPO_TEST}/104207_1-04-clip1_2.mat", _worldexpo, more=partial(_mats, _EXPO)),
        _set("worldexpo10", f"{_EXPO_TEST}/roi.mat", _worldexpo, also="region",
             more=lambda: [_mat(_EXPO_ROI, packed=True)]),
        _set("boxes", "heads.csv", partial(_boxes, ".csv"), below="heads.csv"),
        _set("boxes", "heads.json", partial(_boxes, ".json"), below="heads.json", also="json"),
        _set("coco", "heads.json", _coco, below="heads.json"),
        _set("coco", "set/train/_annotations.coco.json", _coco_folders, below="set", also="folders"),
        _set("cvat", "annotations.xml", _cvat),
        _set("cvat", "annotations.xml", _cvat_tracks, also="tracks"),
        _set("labelme", "labels/a.json", _labelme, below="labels"),
        _set("labelstudio", "ls.json", _labelstudio, below="ls.json"),
        _set("points", "heads.csv", partial(_points, ".csv"), below="heads.csv"),
        _set("points", "heads.json", partial(_points, ".json"), below="heads.json", also="json"),
        _set("via", "via.json", _via, below="via.json"),
        _set("via", "via.csv", _via_csv, below="via.csv", also="csv"),
        _set("video", "queue.csv", _video, below="queue.csv"),
        _set("voc", "set/Annotations/a.xml", lambda folder: _voc(folder / "set"), below="set"),
        _set("voc", "set/labels/a.xml", lambda folder: _labelimg(folder / "set"), below="set", also="anywhere"),
        _set("yolo", "set/obj.data", _darknet, below="set", also="darknet"),
        _set("yolo", "set/labels/train/a.txt", lambda folder: _yolo(folder / "set"), below="set"),
        _set("yolo", "set/data.yaml", lambda folder: _yolo(folder / "set"), below="set", also="yaml"),
        _set("yolo", "set/list.txt", lambda folder: _yolo_list(folder / "set"), below="set", also="list"),
        Parser("nwpu-truth", "gt.txt", partial(_text, "gt.txt", "1 2 4 6 3 5 2 20 11 1 1 0\n2 0\n"),
               lambda folder: _all(read_nwpu_truth(folder / "gt.txt"))),
        Parser("nwpu-predictions", "loc.txt", partial(_text, "loc.txt", "1 2 4 6 20 11\n2 0\n"),
               lambda folder: _all(read_nwpu_predictions(folder / "loc.txt"))),
        Parser("accepted", "accepted.txt",
               partial(_text, "accepted.txt", "# seen\npoint-outside 'a b/IMG_7.jpg' 2\ncount-differs .\n"),
               lambda folder: _all(read_accepted(folder / "accepted.txt"))),
        Parser("predictions", "out.json", partial(_text, "out.json", json.dumps([_PREDICTION, _PREDICTION])),
               lambda folder: _all(read_predictions(folder / "out.json"))),
        Parser("predictions-lines", "out.jsonl", partial(_text, "out.jsonl", f"{json.dumps(_PREDICTION)}\n" * 2),
               lambda folder: _all(read_predictions(folder / "out.jsonl"))),
        Parser("region", "r.json", partial(_text, "r.json", "[[1, 2], [20.5, 2], [20, 22]]"),
               lambda folder: _all([read_region(folder / "r.json")]), _more_regions),
        Parser("region-corners", "r.csv", partial(_text, "r.csv", "x,y\n1,2\n20.5,2\n20,22\n\n1,1\n5,1\n5,9\n"),
               lambda folder: _all([read_region(folder / "r.csv")])),
        Parser("card", "card.json", partial(_text, "card.json", json.dumps(_CARD)),
               lambda folder: _all(ModelCard.read(folder / "card.json"))),
        Parser("sources", "list.txt", _list_of_sources, _read_sources),
        Parser("image", "a.png", lambda folder: _all([_image(folder / "a.png")]),
               _read_picture, _pictures),
        Parser("recipe", "own.yaml", _recipe, _read_recipe, _more_recipes, needs="torch"),
    )
}  # fmt: skip


def _all(values: Any) -> None:
    """Takes everything that a reader gives, and keeps nothing."""
    deque(values, maxlen=0)
