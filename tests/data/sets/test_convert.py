"""Every format, both ways: what it holds comes back as it was, and what it cannot hold is counted and said."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.formats.raw import finish
from headcount.data.sets.convert import (
    FORMATS,
    LOSSES,
    ConversionReport,
    convert_dataset,
    convert_scenes,
    fit,
    format_of,
)
from headcount.data.sets.registry import DATA_SETS, read_dataset

SIZE_WH = (64, 48)
PATHS = {"points": "p.csv", "boxes": "b.json", "coco": "coco", "yolo": "yolo", "voc": "voc", "labelme": "labelme"}
PATHS |= {"cvat": "c.xml"}
EXACT = sorted({*PATHS} - {"yolo"})


def save(folder: Path, name: str, size_wh: tuple[int, int] = SIZE_WH) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size_wh).save(path)
    return path


def back(target: str, path: Path) -> list[tuple[Scene, str]]:
    """What the format's reader makes of a path, and the splits it states."""
    return [(finish(raw), raw.split) for raw in DATA_SETS[target].list_raw(path).scenes]


def content(scene: Scene) -> tuple[object, ...]:
    """What must come back: heads with their boxes, and all else, less the names."""
    boxes = scene.boxes_xyxy if scene.boxes_xyxy is not None and len(scene.boxes_xyxy) else None
    made = scene.box_provenance or ("annotated",) * (0 if boxes is None else len(boxes))
    region = None if scene.region is None else scene.region.tolist()
    return (
        scene.points_xy.tolist(),
        None if boxes is None else list(zip(boxes.tolist(), made, strict=True)),
        dict(scene.attributes),
        region,
    )


def by_image(scenes: Sequence[Scene]) -> dict[Path, tuple[object, ...]]:
    return {scene.image.resolve(): content(scene) for scene in scenes}  # type: ignore[union-attr]


inside_x, inside_y = st.floats(0, SIZE_WH[0]), st.floats(0, SIZE_WH[1])
points_of = st.tuples(inside_x, inside_y)
NAMES = [
    "a.png",
    "hall/a.png",
    "hall/A.PNG",
    "b, c.png",
    "zwölf 人.png",
    "images/labels/x.png",
    "train/7.png",
    "v1.2.png",
]


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
    made = draw(
        st.lists(st.sampled_from(["annotated", "interpolated", "pseudo"]), min_size=len(boxes), max_size=len(boxes))
    )
    return {"points_xy": points, "boxes_xyxy": boxes, "box_provenance": tuple(made)}


heads_without = st.lists(points_of, max_size=4).map(lambda rows: {"points_xy": np.array(rows).reshape(-1, 2)})
more = st.fixed_dictionaries(
    {},
    optional={
        "region": st.binary(min_size=8, max_size=8).map(
            lambda bits: np.resize(np.unpackbits(np.frombuffer(bits, np.uint8)), (48, 64)).astype(np.bool_)
        ),
        "attributes": st.dictionaries(
            st.sampled_from(["weather", "wéi ter"]), st.sampled_from(["rain", "<&\" '>", "", "人\n"])
        ),
    },
)
heads = st.one_of(heads_with_boxes(), heads_without)
scenes_of = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(heads, more, st.sampled_from(["train", "val", "test"])), min_size=1, max_size=4
)


@pytest.mark.parametrize("target", EXACT)
@settings(max_examples=10, deadline=None)
@given(drawn=scenes_of, copy=st.booleans())
def test_a_round_trip_loses_nothing_but_what_is_said(target: str, drawn: dict[str, tuple], copy: bool) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        scenes = [
            Scene(save(folder / "in", image), name=image, **fields, **rest)
            for image, (fields, rest, _) in drawn.items()
        ]
        splits = [split for _, _, split in drawn.values()]
        holds = format_of(target).holds_at(folder / PATHS[target])
        fitted = [fit(scene, holds)[0] for scene in scenes]
        if scenes and not any(fitted):
            with pytest.raises(InputError, match="holds heads as boxes"):
                convert_scenes(scenes, target, folder / PATHS[target], splits=splits)
            return
        report = convert_scenes(scenes, target, folder / PATHS[target], splits=splits, copy_images=copy)
        read = back(target, folder / PATHS[target])
        kept = {s.image: (content(s), split) for s, split in zip(fitted, splits, strict=True) if s is not None}
        assert report.images == len(read) == len(kept)
        assert report.heads == sum(scene.count for scene, _ in read)
        if not copy:
            assert {s.image.resolve(): content(s) for s, _ in read} == {image: its for image, (its, _) in kept.items()}  # type: ignore[union-attr]
        key = lambda row: repr(row)  # noqa: E731
        found = sorted(((content(s), split if holds.splits else "") for s, split in read), key=key)
        assert found == sorted(((its, split if holds.splits else "") for its, split in kept.values()), key=key)


@settings(max_examples=10, deadline=None)
@given(drawn=st.dictionaries(st.sampled_from(NAMES), heads_with_boxes(), min_size=1, max_size=4))
def test_yolo_gives_boxes_back_to_a_hundredth_of_a_pixel(drawn: dict[str, dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        scenes = [Scene(save(folder / "in", image), name=image, **fields) for image, fields in drawn.items()]  # type: ignore[arg-type]
        report = convert_scenes(scenes, "yolo", folder / "yolo")
        read = {scene.image.resolve(): scene for scene, _ in back("yolo", folder / "yolo")}  # type: ignore[union-attr]
        assert report.images == len(read) == len(scenes)
        for scene in scenes:
            boxes = read[scene.image].boxes_xyxy  # type: ignore[index]
            assert boxes is not None
            assert scene.boxes_xyxy is not None
            assert np.abs(boxes - scene.boxes_xyxy).max(initial=0) < FORMATS["yolo"].holds.precision_px


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
    report = convert_scenes([scene], "coco", tmp_path / "c.json")
    assert [(loss.code, loss.occurrences) for loss in report.losses] == [("boxes-without-head", 1)]
    ((read, _),) = back("coco", tmp_path / "c.json")
    assert read.points_xy.tolist() == points.tolist()
    assert read.boxes_xyxy is not None
    assert (read.boxes_xyxy.tolist(), read.box_provenance) == ([[29, 29, 33, 33]], ("pseudo",))


@pytest.mark.parametrize("target", PATHS)
def test_nothing_is_overwritten_unless_allowed(tmp_path: Path, target: str) -> None:
    scene = Scene(save(tmp_path, "in/a.png"), boxes_xyxy=np.array([[1.0, 1, 9, 9]]), points_xy=np.array([[5.0, 5]]))
    path = tmp_path / PATHS[target]
    convert_scenes([scene], target, path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match="already"):
        convert_scenes([scene, Scene(save(tmp_path, "in/b.png"))], target, path)
    (tmp_path / "in/b.png").unlink()
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert convert_scenes([scene], target, path, overwrite=True).images == 1


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
    ((read, _),) = back(target, path)
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


def test_scenes_without_a_file_or_of_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        convert_scenes([Scene(np.zeros((4, 4, 3), np.uint8))], "coco", tmp_path / "c.json")
    scene = Scene(save(tmp_path, "a.png"))
    with pytest.raises(InputError, match="Two scenes"):
        convert_scenes([scene, scene], "coco", tmp_path / "c.json")
    (tmp_path / "full").write_text("x")
    with pytest.raises(InputError, match="is a file, but"):
        convert_scenes([scene], "yolo", tmp_path / "full")


@pytest.mark.parametrize("target", PATHS)
def test_no_scenes_are_a_set_without_images(tmp_path: Path, target: str) -> None:
    assert convert_scenes([], target, tmp_path / PATHS[target]).images == 0


@pytest.mark.parametrize("path", ["new/below/p.csv", "new/c.json"])
def test_folders_above_a_file_are_made(tmp_path: Path, path: str) -> None:
    scene = Scene(save(tmp_path, "a.png"), np.array([[1.0, 2.0]]))
    convert_scenes([scene], "points", tmp_path / path)
    assert (tmp_path / path).is_file()


def test_names_that_xml_cannot_hold_are_refused(tmp_path: Path) -> None:
    scene = Scene(save(tmp_path, "a\x01.png"))
    with pytest.raises(InputError, match="XML cannot"):
        convert_scenes([scene], "cvat", tmp_path / "c.xml")
    assert convert_scenes([scene], "coco", tmp_path / "c.json").images == 1


def published(folder: Path) -> Path:
    """A part of ShanghaiTech with one image for training and one for testing."""
    from scipy.io import savemat

    for split, number in (("train", 1), ("test", 2)):
        inner = np.zeros((1, 1), dtype=[("location", object), ("number", object)])
        inner[0, 0] = (np.ones((number, 2)), np.array([[number]]))
        outer = np.zeros((1, 1), dtype=object)
        outer[0, 0] = inner
        save(folder, f"part_B/{split}_data/images/IMG_{number}.jpg")
        (folder / f"part_B/{split}_data/ground-truth").mkdir()
        savemat(folder / f"part_B/{split}_data/ground-truth/GT_IMG_{number}.mat", {"image_info": outer})
    return folder


def test_a_published_set_converts_by_its_name_and_one_split_of_it(tmp_path: Path) -> None:
    spec = f"shanghaitech-b={published(tmp_path / 'set')}"
    report: ConversionReport = convert_dataset(spec, "cvat", tmp_path / "t.xml", split="test")
    assert (report.images, report.heads, dict(report.splits)) == (1, 2, {"test": 1})
    (scene,) = read_dataset(f"cvat={tmp_path / 't.xml'}", "test")
    assert scene.points_xy.tolist() == [[0.5, 0.5]] * 2


def test_a_set_of_ones_own_keeps_its_splits_and_says_what_was_ignored(tmp_path: Path) -> None:
    scenes = [Scene(save(tmp_path, f"in/{name}.png"), np.array([[1.0, 2.0]])) for name in "abc"]
    convert_scenes(scenes, "coco", tmp_path / "coco", splits=["train", "val", "train"])
    file = tmp_path / "coco/annotations/val.json"
    file.write_text(file.read_text().replace('"iscrowd": 0', '"iscrowd": 1'))
    (tmp_path / "in/c.png").unlink()
    with pytest.raises(InputError, match="there is no image"):
        convert_dataset(f"coco={tmp_path / 'coco'}", "labelme", tmp_path / "lm")
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
    part_b = published(tmp_path / "set") / "part_B"
    report = convert_dataset(f"shanghaitech-b={part_b}", "points", tmp_path / "p.csv", split="test")
    assert [(loss.code, loss.occurrences) for loss in report.losses] == []
