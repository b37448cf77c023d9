"""What of an annotation does not fit its image: judged once, told by reading, converting and checking alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.audit.check import check_dataset
from headcount.data.formats.raw import RawAnnotation
from headcount.data.formats.truth import TOLD, Tally, Told, frame_of
from headcount.data.sets.convert import convert_dataset
from headcount.data.sets.registry import read_dataset, read_set

SIZE_WH = (80, 60)


def save(path: Path, *, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("L", SIZE_WH).save(path, exif=exif)
    return path


def coco(folder: Path, images: dict[str, list[list[float]]], stated_wh: tuple[int, int] = SIZE_WH) -> str:
    """A COCO file of these boxes by image, each image stating a size."""
    annotations = [
        {"id": f"{number}-{row}", "image_id": number, "category_id": 1, "bbox": box}
        for number, boxes in enumerate(images.values())
        for row, box in enumerate(boxes)
    ]
    data = {
        "images": [
            {"id": number, "file_name": name, "width": stated_wh[0], "height": stated_wh[1]}
            for number, name in enumerate(images)
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "head"}],
    }
    (folder / "c.json").write_text(json.dumps(data))
    return f"coco={folder / 'c.json'}"


def voc(folder: Path, boxes: list[list[int]], stated_wh: tuple[int, int]) -> str:
    """One VOC file of these boxes beside a.jpg."""
    (folder / "voc/Annotations").mkdir(parents=True)
    (folder / "voc/JPEGImages").mkdir()
    (folder / "a.jpg").rename(folder / "voc/JPEGImages/a.jpg")
    tags = ("xmin", "ymin", "xmax", "ymax")
    objects = "".join(
        "<object><name>head</name><bndbox>"
        + "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(tags, box, strict=True))
        + "</bndbox></object>"
        for box in boxes
    )
    size = f"<size><width>{stated_wh[0]}</width><height>{stated_wh[1]}</height></size>"
    text = f"<annotation><filename>a.jpg</filename>{size}{objects}</annotation>"
    (folder / "voc/Annotations/a.xml").write_text(text)
    return f"voc={folder / 'voc'}"


def told(spec: str) -> dict[str, tuple[int, int]]:
    return {one.code: (one.occurrences, one.images) for one in read_set(spec, "all").told}


def codes(spec: str) -> set[str]:
    return {finding.code for finding in check_dataset(spec) if finding.is_problem}


@pytest.mark.parametrize("form", ["coco", "voc"])
def test_heads_annotated_on_a_larger_copy_are_never_taken_for_those_of_this_one(tmp_path: Path, form: str) -> None:
    save(tmp_path / "a.jpg")
    if form == "coco":
        spec = coco(tmp_path, {"a.jpg": [[20, 20, 10, 10], [130, 100, 10, 10]]}, (160, 120))
    else:
        spec = voc(tmp_path, [[20, 20, 30, 30], [130, 100, 140, 110]], (160, 120))
    assert {"size-differs", "box-outside"} == codes(spec)
    for use in (lambda: read_dataset(spec, "all"), lambda: convert_dataset(spec, "points", tmp_path / "p.csv")):
        with pytest.raises(InputError, match=r"on 160×120 pixels, but .*a\.jpg. has 80×60: give the image"):
            use()
    assert not (tmp_path / "p.csv").exists()


def test_heads_annotated_before_the_image_was_turned_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", orientation=6)  # 60×80 upright
    save(tmp_path / "b.jpg")
    spec = coco(tmp_path, {"a.jpg": [[10, 10, 8, 8], [65, 30, 8, 8]], "b.jpg": [[10, 10, 8, 8]]})
    assert codes(spec) == {"exif-unapplied"}
    read = read_set(spec, "all")
    assert [scene.name for scene in read.scenes] == ["b.jpg"]
    assert [(one.name, "before EXIF turns" in one.text) for one in read.skipped] == [("a.jpg", True)]
    report = convert_dataset(spec, "points", tmp_path / "p.csv")
    assert (report.images, report.left_out, len(report.skipped)) == (1, 1, 1)


def test_another_stated_size_is_said_where_all_heads_lie_in_the_image(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg")
    spec = coco(tmp_path, {"a.jpg": [[10, 10, 8, 8]]}, (81, 60))
    assert told(spec) == {"size-differs": (1, 1)}
    assert codes(spec) == {"size-differs"}
    report = convert_dataset(spec, "points", tmp_path / "p.csv")
    assert ([one.code for one in report.doubts], report.heads, report.left_out) == (["size-differs"], 1, 0)


def test_an_image_that_is_found_by_another_name_is_said(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg")
    spec = coco(tmp_path, {"C:\\photos\\a.jpg": [[10, 10, 8, 8]]})
    assert told(spec) == {"name-differs": (1, 1)}
    assert [one.text for one in convert_dataset(spec, "points", tmp_path / "p.csv").doubts] == [
        "1 image found by another name than the annotation writes"
    ]


def test_boxes_that_are_left_out_are_told_by_what_is_wrong_with_them(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg")
    save(tmp_path / "b.jpg")
    spec = coco(tmp_path, {"a.jpg": [[90, 10, 8, 8], [10, 10, 0, 8], [1, 1, 9, 9]], "b.jpg": [[10, 70, 8, 8]]})
    assert told(spec) == {"boxes-without-area": (1, 1), "boxes-outside": (2, 2)}
    report = convert_dataset(spec, "coco", tmp_path / "out.json")
    assert {loss.code: (loss.occurrences, loss.images) for loss in report.losses} == told(spec)
    assert report.heads == 1


def test_objects_that_are_not_counted_are_told_by_their_class_or_mark(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg")
    spec = coco(tmp_path, {"a.jpg": [[10, 10, 8, 8]] * 3})
    file = tmp_path / "c.json"
    data = json.loads(file.read_text())
    data["categories"].append({"id": 2, "name": "dog"})
    data["annotations"][0]["iscrowd"] = 1
    data["annotations"][1]["category_id"] = 2
    file.write_text(json.dumps(data))
    (found,) = read_set(spec, "all").told
    assert (found.code, found.occurrences, dict(found.kinds)) == ("ignored", 2, {"iscrowd": 1, "dog": 1})
    (finding,) = [one for one in check_dataset(spec) if one.code == "ignored"]
    assert (finding.occurrences, finding.is_problem) == (2, False)
    assert finding.message == "2 objects not to be counted (dog 1, iscrowd 1)"


def test_a_published_set_is_read_as_it_is_and_told(tmp_path: Path) -> None:
    from headcount.data.formats.finish import finish_telling
    from headcount.data.formats.raw import RawScene

    annotation = RawAnnotation(boxes_xyxy=np.array([[70.0, 10, 76, 16]]), stated_size_wh=SIZE_WH)
    image = save(tmp_path / "a.jpg", orientation=8)
    raw = RawScene("a", "train", image, tmp_path / "a.txt", lambda: annotation)
    assert dict(finish_telling(raw, data="set").numbers) == {"exif-unapplied": 1, "boxes-outside": 1}


@pytest.mark.parametrize(
    ("boxes", "stated", "orientation", "expected"),
    [
        ([], None, 6, (False, False, False)),
        ([[1, 1, 9, 9]], (60, 80), 6, (False, False, False)),  # of the upright image
        ([[1, 1, 9, 9]], (80, 60), 6, (True, False, False)),
        ([[70, 1, 76, 9]], None, 6, (True, False, True)),
        ([[55, 1, 63, 9]], None, 6, (True, False, False)),  # over the border, its head within
        ([[90, 1, 96, 9]], None, 6, (False, False, False)),  # in neither
        ([[70, 1, 76, 9]], None, 3, (False, False, False)),  # a half turn tells nothing
        ([[90, 1, 96, 9]], (160, 120), 1, (False, True, True)),
        ([[190, 1, 196, 9]], (160, 120), 1, (False, True, False)),
    ],
)
def test_the_frame(
    boxes: list[list[float]], stated: tuple[int, int] | None, orientation: int, expected: tuple[bool, bool, bool]
) -> None:
    size_wh = (60, 80) if orientation == 6 else SIZE_WH
    annotation = RawAnnotation(boxes_xyxy=np.array(boxes, float).reshape(-1, 4), stated_size_wh=stated)
    frame = frame_of(annotation, size_wh, orientation)
    assert (frame.unturned, frame.resized, frame.misplaced) == expected


@pytest.mark.parametrize(
    ("box", "stated", "orientation", "unsure"),
    [
        ([1, 1, 9, 9], None, 6, True),
        ([1, 1, 9, 9], None, 3, True),
        ([1, 1, 9, 9], SIZE_WH, 3, True),  # a half turn changes no size
        ([1, 1, 9, 9], (60, 80), 6, False),
        ([1, 70, 9, 79], None, 6, False),  # fits the upright image alone
        ([1, 1, 9, 9], None, 1, False),
        (None, None, 6, False),
    ],
)
def test_an_image_that_exif_turns_is_in_doubt_where_nothing_tells_how_it_was_annotated(
    box: list[float] | None, stated: tuple[int, int] | None, orientation: int, unsure: bool
) -> None:
    size_wh = (60, 80) if orientation == 6 else SIZE_WH
    boxes = np.array([box] if box else [], float).reshape(-1, 4)
    annotation = RawAnnotation(boxes_xyxy=boxes, stated_size_wh=stated)
    assert frame_of(annotation, size_wh, orientation).unsure == unsure


def test_words() -> None:
    tally = Tally()
    assert tally.told() == ()
    tally.add_images("missing-image", 0)
    tally.add_images("missing-image", 3)
    tally.add({"boxes-outside": 1})
    tally.add({"boxes-outside": 2, "ignored": 5}, {"a": 1, "b": 2, "c": 1, "d": 1})
    assert [one.text for one in tally.told()] == [
        "5 objects not to be counted (b 2, a 1, c 1, …), in 1 image",
        "3 boxes of which nothing lies in the image; left out, in 2 images",
        "3 annotations whose image is not there",
    ]
    assert tally.told()[-1].images == 3
    assert [Told(code, 2, 1).text.split()[0] for code in TOLD] == ["2"] * len(TOLD)
