"""ShanghaiTech's published layout, its points, and one sentence for what is wrong with a copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.data.sets.published.shanghaitech import (
    Part,
    image_files,
    list_part,
    read_annotation,
    read_raw_points,
    split_folder,
    truth_files,
)
from headcount.data.sets.registry import parse_spec, read_dataset
from headcount.data.sets.splits import shipped_validation


def read_shanghaitech(root: Path, part: str, split: str) -> list[Scene]:
    return read_dataset(f"shanghaitech-{part.lower()}={root}", split)


REAL = Path(__file__).parents[4] / "../shared/data/ShanghaiTech"
SIZE_WH = (40, 30)


def write_mat(path: Path, points: object, number: int | None = None) -> None:
    """`image_info{1}.location` and `.number`, nested as MATLAB nests the published files."""
    location = np.asarray(points, np.float64).reshape(-1, 2)
    inner = np.zeros((1, 1), dtype=[("location", object), ("number", object)])
    inner[0, 0] = (location, np.array([[len(location) if number is None else number]]))
    outer = np.zeros((1, 1), dtype=object)
    outer[0, 0] = inner
    savemat(path, {"image_info": outer})


def write_part(
    root: Path, points: dict[int, list[tuple[float, float]]], *, part: str = "part_B", truth: str = "ground-truth",
    split: str = "test_data", gray: bool = False,
) -> Path:  # fmt: skip
    folder = root / part / split
    (folder / "images").mkdir(parents=True)
    (folder / truth).mkdir()
    for number, location in points.items():
        Image.new("L" if gray else "RGB", SIZE_WH).save(folder / "images" / f"IMG_{number}.jpg")
        write_mat(folder / truth / f"GT_IMG_{number}.mat", location)
    return folder


POINTS = {2: [(1.0, 1.0), (20.0, 15.0)], 10: [], 1: [(40.5, 30.5), (45.0, -3.0)]}


@pytest.mark.parametrize("truth", ["ground-truth", "ground_truth"])
@pytest.mark.parametrize("part", ["part_B", "part_B_final"])
def test_both_layouts_are_read_in_order_of_the_numbers(tmp_path: Path, truth: str, part: str) -> None:
    write_part(tmp_path, POINTS, truth=truth, part=part)
    scenes = read_shanghaitech(tmp_path, "B", "test")
    assert [scene.name for scene in scenes] == [f"shanghaitech-b/test/IMG_{n}" for n in (1, 2, 10)]
    assert {scene.source for scene in scenes} == {"shanghaitech-b"}
    assert scenes[1].points_xy.tolist() == [[0.5, 0.5], [19.5, 14.5]]
    assert scenes[2].points_xy.shape == (0, 2)


def test_points_are_one_based_and_those_outside_are_clamped(tmp_path: Path) -> None:
    write_part(tmp_path, POINTS)
    assert read_shanghaitech(tmp_path, "B", "test")[0].points_xy.tolist() == [[40.0, 30.0], [40.0, 0.0]]


def test_the_raw_points_are_as_written(tmp_path: Path) -> None:
    write_mat(tmp_path / "a.mat", POINTS[1])
    assert read_raw_points(tmp_path / "a.mat").tolist() == [[40.5, 30.5], [45.0, -3.0]]
    assert read_annotation(tmp_path / "a.mat").heads_xy.tolist() == [[40.0, 30.0], [44.5, -3.5]]


def test_the_list_holds_both_splits_and_what_lacks_its_pair(tmp_path: Path) -> None:
    folder = write_part(tmp_path, POINTS)
    write_part(tmp_path, {3: []}, split="train_data")
    (folder / "images" / "IMG_2.jpg").unlink()
    (folder / "ground-truth" / "GT_IMG_10.mat").unlink()
    found = {scene.name: (scene.split, scene.image, scene.annotation) for scene in list_part(tmp_path, "B").scenes}
    assert list(found) == ["train/IMG_3", "test/IMG_1", "test/IMG_10", "test/IMG_2"]
    assert found["test/IMG_10"][2] is None
    assert found["test/IMG_2"][1] is None
    part: Part = "A"
    with pytest.raises(InputError, match=r"part_A/train_data"):
        list_part(tmp_path, part)


@pytest.mark.parametrize("below", ["", "part_B", "part_B/test_data"])
def test_the_set_the_part_or_the_split_may_be_named(tmp_path: Path, below: str) -> None:
    folder = write_part(tmp_path, POINTS)
    assert split_folder(tmp_path / below, "B", "test") == folder


def test_gray_images_are_read_as_rgb(tmp_path: Path) -> None:
    write_part(tmp_path, POINTS, gray=True)
    assert read_shanghaitech(tmp_path, "B", "test")[0].pixels().shape == (30, 40, 3)


def test_it_is_found_by_its_name_in_the_registry(tmp_path: Path) -> None:
    write_part(tmp_path, POINTS, part="part_A")
    assert [scene.count for scene in read_dataset(f"shanghaitech-a={tmp_path}", "test")] == [2, 2, 0]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("shanghaitech-a", ["NAME=PATH"]),
        ("shanghaitech-a=", ["NAME=PATH"]),
        ("shanghaitec-a=x", ['Did you mean "shanghaitech-a"']),
        ("=x", ["no data set"]),
    ],
)
def test_a_wrong_specification_is_explained(spec: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse_spec(spec)
    for word in words:
        assert word in str(caught.value)


def test_an_unknown_split_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'"vall" is no split.*"val"'):
        read_dataset(f"points={tmp_path}", "vall")


def _drop_images(folder: Path) -> None:
    (folder / "images").rename(folder / "pictures")


def _drop_truths(folder: Path) -> None:
    (folder / "ground-truth").rename(folder / "truth")


def _drop_one(folder: Path) -> None:
    (folder / "ground-truth" / "GT_IMG_2.mat").unlink()


def _empty(folder: Path) -> None:
    for image in (folder / "images").iterdir():
        image.unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_empty, ["there are no images", "datasets check"]),
        (_drop_images, ['"images"', "published layout"]),
        (_drop_truths, ['"ground-truth"', '"ground_truth"']),
        (_drop_one, ['IMG_2.jpg" is missing', "datasets check"]),
        (
            lambda folder: folder.rename(folder.with_name("val_data")),
            ["part_B/train_data (or part_B/test_data) was expected"],
        ),
        (
            lambda folder: folder.parent.rename(folder.parent.with_name("Part B")),
            ["Part B", "part_B/test_data", 'Is it "Part B"?'],
        ),
        (lambda folder: (folder / "images" / "IMG_2.jpg").write_bytes(b""), ["IMG_2.jpg", "0 bytes"]),
    ],
)
def test_a_wrong_layout_is_named(tmp_path: Path, damage: object, words: list[str]) -> None:
    damage(write_part(tmp_path, POINTS))  # type: ignore[operator]
    with pytest.raises(InputError) as caught:
        read_shanghaitech(tmp_path, "B", "test")
    for word in [*words, str(tmp_path)]:
        assert word in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'There is no folder ".*none".*part_A'):
        read_shanghaitech(tmp_path / "none", "A", "train")


def _object_pickle(path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (path.with_suffix(".ran"),)

    np.save(path.with_suffix(".npy"), np.array([Trap()], dtype=object), allow_pickle=True)
    path.with_suffix(".npy").rename(path)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"MATLAB 5.0 MAT-file, cut short"),
        lambda path: savemat(path, {"annPoints": np.ones((3, 2))}),
        lambda path: savemat(path, {"image_info": np.ones((1, 1))}),
        lambda path: write_wrong(path, np.ones((3, 3))),
        lambda path: write_wrong(path, np.array([["a", "b"]])),
        lambda path: write_wrong(path, np.array([[{"x": 1}, {"y": 2}]], dtype=object)),
        _object_pickle,
    ],
    ids=["empty", "cut short", "other variable", "no struct", "three columns", "text", "objects", "pickle"],
)
def test_another_mat_file_is_refused_by_name(tmp_path: Path, write: object) -> None:
    path = tmp_path / "GT_IMG_1.mat"
    write(path)  # type: ignore[operator]
    with pytest.raises(InputError, match=r"GT_IMG_1\.mat"):
        read_raw_points(path)
    assert not path.with_suffix(".ran").exists()


def write_wrong(path: Path, location: object) -> None:
    inner = np.zeros((1, 1), dtype=[("location", object)])
    inner[0, 0] = (location,)
    outer = np.zeros((1, 1), dtype=object)
    outer[0, 0] = inner
    savemat(path, {"image_info": outer})


def test_a_missing_annotation_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no annotation"):
        read_raw_points(tmp_path / "GT_IMG_1.mat")


def test_a_point_that_is_no_number_is_refused(tmp_path: Path) -> None:
    write_part(tmp_path, {1: [(float("nan"), 2.0)]})
    with pytest.raises(InputError, match="finite"):
        read_shanghaitech(tmp_path, "B", "test")


def _training_set(tmp_path: Path) -> Path:
    validation = sorted(shipped_validation("shanghaitech-b.json"), key=lambda name: int(name[4:]))
    numbers = [int(name[4:]) for name in validation] + [9001, 9002]
    return write_part(tmp_path, {number: [(1.0, 1.0)] for number in numbers}, split="train_data")


def test_validation_is_the_shipped_list_and_training_the_rest(tmp_path: Path) -> None:
    _training_set(tmp_path)
    names = {split: [s.name for s in read_shanghaitech(tmp_path, "B", split)] for split in ("train", "val", "trainval")}
    assert names["train"] == ["shanghaitech-b/train/IMG_9001", "shanghaitech-b/train/IMG_9002"]
    assert len(names["val"]) == 80
    assert sorted(names["train"] + names["val"]) == sorted(names["trainval"])


def test_an_incomplete_validation_split_is_refused(tmp_path: Path) -> None:
    folder = _training_set(tmp_path)
    image = next(iter((folder / "images").iterdir()))
    image.unlink()
    if image.stem in ("IMG_9001", "IMG_9002"):  # not of the list
        (folder / "images" / f"{min(shipped_validation('shanghaitech-b.json'))}.jpg").unlink()
    with pytest.raises(InputError, match="1 of the 80 images"):
        read_shanghaitech(tmp_path, "B", "val")


@pytest.mark.skipif(not REAL.is_dir(), reason="ShanghaiTech is not here: ../shared/data/ShanghaiTech")
@pytest.mark.parametrize(("part", "images", "heads", "validation"), [("A", 300, 162_413, 60), ("B", 400, 49_151, 80)])
def test_the_real_training_sets_have_their_published_counts(
    part: str, images: int, heads: int, validation: int
) -> None:
    scenes = {
        split: read_dataset(f"shanghaitech-{part.lower()}={REAL}", split) for split in ("train", "val", "trainval")
    }
    assert (len(scenes["trainval"]), sum(scene.count for scene in scenes["trainval"])) == (images, heads)
    assert len(scenes["val"]) == validation
    names = {split: {scene.name for scene in found} for split, found in scenes.items()}
    assert names["train"] | names["val"] == names["trainval"]
    assert not names["train"] & names["val"]
    means = {split: np.mean([scene.count for scene in found]) for split, found in scenes.items()}
    assert means["val"] == pytest.approx(means["train"], rel=0.1)  # stratified by count
    folder = split_folder(REAL, part, "train")  # type: ignore[arg-type]
    assert image_files(folder).keys() == truth_files(folder).keys()
