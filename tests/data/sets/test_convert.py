"""What a conversion makes of scenes: what a format cannot hold is counted and said, and no file of the user is lost."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.core.locks import held
from headcount.core.scene import Scene
from headcount.data.formats.finish import finish
from headcount.data.formats.table import FORMATS
from headcount.data.sets.convert import LOSSES, convert_dataset, convert_scenes
from headcount.data.sets.registry import read_dataset

SIZE_WH = (64, 48)
PATHS = {"points": "p.csv", "boxes": "b.json", "coco": "coco", "yolo": "yolo", "voc": "voc", "labelme": "labelme"}
PATHS |= {"cvat": "c.xml"}


def save(folder: Path, name: str, size_wh: tuple[int, int] = SIZE_WH) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size_wh).save(path)
    return path


def back(target: str, path: Path) -> list[Scene]:
    """What the format's reader makes of a path."""
    return [finish(raw) for raw in FORMATS.load(target)(path).scenes]


def rich_scene(folder: Path) -> Scene:
    """A scene with all that a scene can have, and something wrong with most of it."""
    return Scene(
        save(folder, "in/rich.png"),
        points_xy=np.array([[5.0, 5.0], [20.0, 21.0], [70.0, 5.0], [30.0, 40.0]]),
        boxes_xyxy=np.array([[0.0, 0, 10, 10], [10, 10, 30, 30], [60, 0, 80, 10], [29, 41, 29, 42]]),
        box_provenance=("annotated", "interpolated", "pseudo", "annotated"),
        region=np.ones((48, 64), np.bool_),
        attributes={"weather": "rain"},
        name="rich",
    )


LOST = {
    "points": {"boxes": 3, "boxes-without-area": 1, "points-outside": 1, "region": 1, "attributes": 1, "splits": 2},
    "boxes": {"heads-without-box": 1, "splits": 2},
    "coco": {"boxes-without-area": 1, "points-outside": 1},
    "yolo": {"heads-without-box": 1},
    "voc": {"heads-without-box": 1},
    "labelme": {"boxes-without-area": 1, "points-outside": 1, "region": 1},
    "cvat": {"boxes-without-area": 1, "points-outside": 1, "region": 1},
}


@pytest.mark.parametrize("target", PATHS)
def test_what_a_format_cannot_hold_is_counted(tmp_path: Path, target: str) -> None:
    scenes = [rich_scene(tmp_path), Scene(save(tmp_path, "in/nobody.png"))]
    report = convert_scenes(scenes, target, tmp_path / PATHS[target], splits=["train", "test"])
    lost = {loss.code: loss.occurrences for loss in report.losses}
    assert lost == LOST[target]
    assert list(lost) == [code for code in LOSSES if code in lost]
    assert report.left_out == (target in ("boxes", "yolo", "voc"))
    assert report.images == len(back(target, tmp_path / PATHS[target])) == 2 - report.left_out


def test_points_move_to_the_centre_where_a_format_has_boxes_only(tmp_path: Path) -> None:
    scene = Scene(
        save(tmp_path, "a.png"), np.array([[1.0, 1], [5, 5]]), np.array([[0.0, 0, 10, 10]] * 2), ("pseudo", "annotated")
    )
    report = convert_scenes([scene], "yolo", tmp_path / "yolo")
    assert {loss.code: loss.occurrences for loss in report.losses} == {"points-in-boxes": 1, "provenance": 1}


def test_boxes_belong_to_points_where_their_numbers_differ(tmp_path: Path) -> None:
    points = np.array([[5.0, 5], [30, 30], [31, 31]])
    boxes = np.array([[29.0, 29, 33, 33], [50, 40, 60, 44]])
    scene = Scene(save(tmp_path, "a.png"), points, boxes, ("pseudo", "annotated"))
    report = convert_scenes([scene], "coco", tmp_path / "new/below/c.json")
    assert [(loss.code, loss.occurrences) for loss in report.losses] == [("boxes-without-head", 1)]
    (read,) = back("coco", tmp_path / "new/below/c.json")
    assert read.points_xy.tolist() == points.tolist()
    assert read.boxes_xyxy is not None
    assert (read.boxes_xyxy.tolist(), read.box_provenance) == ([[29, 29, 33, 33]], ("pseudo",))


@pytest.mark.parametrize("target", PATHS)
def test_a_link_is_replaced_by_a_copy_and_the_original_stays(tmp_path: Path, target: str) -> None:
    image = save(tmp_path, "in/a.png")
    scene = Scene(image, boxes_xyxy=np.array([[1.0, 1, 9, 9]]), points_xy=np.array([[5.0, 5]]))
    content_before = image.read_bytes()
    path = tmp_path / "out" / PATHS[target]
    path.parent.mkdir()
    convert_scenes([scene], target, path)
    convert_scenes([scene], target, path, copy_images=True, overwrite=True)
    assert image.read_bytes() == content_before
    assert not image.is_symlink()
    (read,) = back(target, path)
    assert isinstance(read.image, Path)
    assert not read.image.samefile(image)
    assert read.image.read_bytes() == content_before
    assert not list(tmp_path.rglob("*partial*"))


def test_a_copy_overwrites_no_image_beside_a_file(tmp_path: Path) -> None:
    mine = save(tmp_path, "out/images/a.png", (5, 5))
    scene = Scene(save(tmp_path, "in/a.png"))
    with pytest.raises(InputError, match=r"a\.png.*exists already"):
        convert_scenes([scene], "points", tmp_path / "out" / "p.csv", copy_images=True)
    assert Image.open(mine).size == (5, 5)
    assert not (tmp_path / "out" / "p.csv").exists()


@pytest.mark.parametrize(
    ("target", "path", "words"),
    [
        ("cocoa", "c.json", 'Did you mean "coco"'),
        ("points", "p.txt", "ends in .csv or .json"),
        ("cvat", "folder", "ends in .xml"),
    ],
)
def test_a_wrong_target_is_explained(tmp_path: Path, target: str, path: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        convert_scenes([], target, tmp_path / path)


def test_a_file_where_a_folder_is_to_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "full").write_text("x")
    with pytest.raises(InputError, match="is a file, but"):
        convert_scenes([Scene(save(tmp_path, "a.png"))], "yolo", tmp_path / "full")


@pytest.mark.parametrize("target", PATHS)
def test_no_scenes_are_a_set_without_images(tmp_path: Path, target: str) -> None:
    assert convert_scenes([], target, tmp_path / PATHS[target]).images == 0


@pytest.mark.parametrize("target", ["voc", "cvat"])
def test_names_that_xml_cannot_hold_are_refused(tmp_path: Path, target: str) -> None:
    scene = Scene(save(tmp_path, "a.png").rename(tmp_path / "a\x01.png"), name="a\x01b")
    with pytest.raises(InputError, match="XML cannot"):
        convert_scenes([scene], target, tmp_path / PATHS[target])
    assert not (tmp_path / PATHS[target]).exists()
    assert convert_scenes([scene], "coco", tmp_path / "c.json").images == 1


def test_a_published_set_converts_by_its_name_and_one_split_of_it(tmp_path: Path) -> None:
    for split, number in (("train", 1), ("test", 2)):
        cell = np.array([[{"location": np.ones((number, 2)), "number": float(number)}]])
        save(tmp_path, f"part_B/{split}_data/images/IMG_{number}.jpg")
        (tmp_path / f"part_B/{split}_data/ground-truth").mkdir()
        savemat(tmp_path / f"part_B/{split}_data/ground-truth/GT_IMG_{number}.mat", {"image_info": cell})
    report = convert_dataset(f"shanghaitech-b={tmp_path}", "cvat", tmp_path / "t.xml", split="test")
    assert (report.images, report.heads, dict(report.splits)) == (1, 2, {"test": 1})
    (scene,) = read_dataset(f"cvat={tmp_path / 't.xml'}", "test")
    assert scene.points_xy.tolist() == [[0.5, 0.5]] * 2
    report = convert_dataset(f"shanghaitech-b={tmp_path / 'part_B'}", "points", tmp_path / "p.csv", split="test")
    assert not report.losses


def test_a_set_of_ones_own_keeps_its_splits_and_says_what_was_ignored(tmp_path: Path) -> None:
    scenes = [Scene(save(tmp_path, f"in/{name}.png"), np.array([[1.0, 2.0]])) for name in "abc"]
    convert_scenes(scenes, "coco", tmp_path / "coco", splits=["train", "val", "train"])
    file = tmp_path / "coco/annotations/val.json"
    file.write_text(file.read_text().replace('"iscrowd": 0', '"iscrowd": 1'))
    (tmp_path / "in/c.png").unlink()
    report = convert_dataset(f"coco={tmp_path / 'coco'}", "labelme", tmp_path / "part")
    assert (report.images, report.left_out, [one.name for one in report.skipped]) == (2, 1, ["train/../in/c.png"])
    assert "there is no image" in report.skipped[0].text
    assert {loss.code for loss in report.losses} == {"ignored", "unusable"}
    save(tmp_path, "in/c.png")
    seen: list[tuple[int, int]] = []
    report = convert_dataset(
        f"coco={tmp_path / 'coco'}", "labelme", tmp_path / "lm", progress=lambda done, all_: seen.append((done, all_))
    )
    assert [(loss.code, loss.occurrences, loss.images) for loss in report.losses] == [("ignored", 1, 1)]
    assert dict(report.splits) == {"train": 2, "val": 1}
    every = convert_dataset(f"coco={tmp_path / 'coco'}", "labelme", tmp_path / "every", split="all")
    assert every.splits == report.splits
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_what_reading_left_out_or_moved_is_said(tmp_path: Path) -> None:
    image = save(tmp_path, "a.png")
    scene = Scene(image, np.array([[4.0, 4.0]]), np.array([[2.0, 2.0, 6.0, 6.0]]), box_provenance=("annotated",))
    convert_scenes([scene], "voc", tmp_path / "voc")
    (file,) = (tmp_path / "voc").rglob("*.xml")
    text = file.read_text()
    head = text[text.index("<object>") : text.index("</object>") + len("</object>")]
    flat = re.sub(r"<(xmax)>[^<]*<", lambda tag: f"<{tag[1]}>{re.search('<xmin>([^<]*)<', head)[1]}<", head)  # type: ignore[index]
    file.write_text(text.replace(head, head + flat))
    report = convert_dataset(f"voc={tmp_path / 'voc'}", "boxes", tmp_path / "b.csv")
    assert (report.heads, [(loss.code, loss.occurrences) for loss in report.losses]) == (1, [("boxes-without-area", 1)])


@pytest.mark.parametrize("target", PATHS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_target_that_another_run_writes_is_refused_and_left_alone(
    tmp_path: Path, target: str, overwrite: bool
) -> None:
    scene = Scene(save(tmp_path, "in/a.png"), np.array([[5.0, 5]]), np.array([[1.0, 1, 9, 9]]))
    path = tmp_path / "out" / PATHS[target]
    (path if FORMATS[target].folder and not FORMATS[target].is_file_name(path) else path.parent).mkdir(parents=True)
    with held(path), pytest.raises(InputError, match=r"is being written by another run \(process"):
        convert_scenes([scene], target, path, overwrite=overwrite)
    assert not [file for file in path.parent.rglob("*") if file.is_file()]
    assert convert_scenes([scene], target, path, copy_images=True).images == 1
    assert not list(tmp_path.rglob("*lock*"))


def test_two_files_of_one_folder_do_not_mix_their_images(tmp_path: Path) -> None:
    scene = Scene(save(tmp_path, "in/a.png"), np.array([[5.0, 5]]))
    (tmp_path / "out/images").mkdir(parents=True)
    with held(tmp_path / "out/images"), pytest.raises(InputError, match="another run"):
        convert_scenes([scene], "points", tmp_path / "out/p.csv", copy_images=True)
    assert convert_scenes([scene], "points", tmp_path / "out/p.csv").images == 1


@pytest.mark.parametrize("target", PATHS)
def test_no_folder_is_made_by_what_is_refused(tmp_path: Path, target: str) -> None:
    image = save(tmp_path, "in/a.png")
    for scenes in ([Scene(image), Scene(image)], [Scene(np.zeros((4, 4, 3), np.uint8))]):
        with pytest.raises(InputError, match=r"give each image once|holds pixels"):
            convert_scenes(scenes, target, tmp_path / "new/below" / PATHS[target], copy_images=True)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("target", PATHS)
def test_a_relative_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    scene = Scene(save(tmp_path, "in/a.png"))
    monkeypatch.chdir(tmp_path)
    assert convert_scenes([scene], target, PATHS[target]).images == 1


@pytest.mark.parametrize("target", sorted(PATHS))
def test_a_data_set_is_not_written_over_itself(tmp_path: Path, target: str) -> None:
    path = tmp_path / PATHS[target]
    box = np.array([[1.0, 1, 9, 9]])
    scenes = [Scene(save(tmp_path, f"in/{name}.png"), np.array([[5.0, 5.0]]), boxes_xyxy=box) for name in "ab"]
    convert_scenes(scenes, target, path)
    (tmp_path / "link").symlink_to(path)
    before = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    with pytest.raises(InputError, match="what is not converted would be lost"):
        convert_dataset(
            f"{target}={tmp_path / 'link'}" if path.is_dir() else f"{target}={path}", target, path, overwrite=True
        )
    assert {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()} == before
