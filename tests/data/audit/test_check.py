"""The data-set check: each fault is found once, in a miniature set of the published layout and in a points file."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.core.random import generator
from headcount.data.audit.check import check_dataset, check_names, compare_counts
from headcount.data.audit.findings import CODES, Finding
from headcount.data.audit.fingerprints import fingerprint
from headcount.data.audit.leaks import check_duplicates, check_groups, splits_of
from headcount.data.formats.raw import Listing, RawScene, no_annotation
from headcount.data.sets.catalogue import CatalogueEntry, Release
from headcount.data.sets.registry import DataSet
from headcount.data.sets.splits import official, own

pytestmark = pytest.mark.slow

SHARED = Path(__file__).parents[4] / "shared" / "data" / "ShanghaiTech"


def write_truth(path: Path, points: list[list[float]]) -> None:
    image_info = np.empty((1, 1), dtype=object)
    image_info[0, 0] = {"location": np.array(points, dtype=float).reshape(-1, 2), "number": float(len(points))}
    savemat(path, {"image_info": image_info})


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """Part B of a miniature ShanghaiTech, 32×24 pixels, three images, nothing wrong but the counts."""
    folder = tmp_path / "part_B" / "train_data"
    (folder / "images").mkdir(parents=True)
    (folder / "ground-truth").mkdir()
    noise = np.random.Generator(np.random.Philox(1))
    for number in (1, 2, 10):
        pixels = noise.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"IMG_{number}.jpg")
        write_truth(folder / "ground-truth" / f"GT_IMG_{number}.mat", [[1, 1], [32, 24], [0.5, 24.5]])
    return tmp_path


def problems(root: Path) -> list[Finding]:
    return [f for f in check_dataset(f"shanghaitech-b={root}") if f.code != "count-differs"]


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_what_one_image_or_annotation_raises_is_its_finding(mini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprised(path: Path, *_: Any) -> Any:
        if "IMG_2" in str(path):
            raise ZeroDivisionError("by nought")
        return read(path, *_)

    for module, name, code in (
        ("headcount.data.audit.check", "read_reduced", "unreadable-image"),
        ("headcount.data.sets.published.shanghaitech", "read_annotation", "unreadable-annotation"),
    ):
        read = getattr(import_module(module), name)
        with monkeypatch.context() as patch:
            patch.setattr(f"{module}.{name}", surprised)
            (found,) = problems(mini)
        assert (found.code, "IMG_2" in found.path) == (code, True)
        assert found.message.endswith("(ZeroDivisionError: by nought)")


def test_a_clean_copy_has_only_other_counts(mini: Path) -> None:
    for split in (None, "all"):
        assert codes(check_dataset(f"shanghaitech-b={mini}", split=split)) == ["count-differs"]


def test_files_of_other_names_are_found(mini: Path) -> None:
    images = mini / "part_B" / "train_data" / "images"
    (images / "IMG_1.jpg").rename(images / "img_1.jpg")
    (images / "IMG_2.jpg").rename(images / "IMG_2.JPG")  # suffixes are read in any case
    (images / "crowd.jpg").touch()
    (images / ".hidden").touch()
    found = problems(mini)
    assert codes(found) == ["stray-file", "stray-file", "missing-image"]
    assert [Path(finding.path).name for finding in found[:2]] == ["crowd.jpg", "img_1.jpg"]


def test_a_data_set_without_images(mini: Path, tmp_path: Path) -> None:
    folder = mini / "part_B" / "train_data"
    for path in (*folder.glob("images/*"), *folder.glob("ground-truth/*")):
        path.unlink()
    assert codes(check_dataset(f"shanghaitech-b={mini}")) == ["empty"]
    (tmp_path / "p.csv").write_text("image,x,y\n")
    assert codes(check_dataset(f"points={tmp_path / 'p.csv'}")) == ["empty"]


def test_points_are_judged_before_they_are_clamped(mini: Path) -> None:
    truth = mini / "part_B" / "train_data" / "ground-truth"
    write_truth(truth / "GT_IMG_1.mat", [[0.2, 5], [33, 5], [7, 7], [7, 7], [7, 7]])
    write_truth(truth / "GT_IMG_2.mat", [[np.nan, 5], [3, 3]])
    found = [(f.code, Path(f.path).name, f.occurrences) for f in problems(mini)]
    assert found == [
        ("point-outside", "IMG_1.jpg", 2),
        ("point-repeated", "IMG_1.jpg", 2),
        ("point-not-finite", "IMG_2.jpg", 1),
    ]


def test_the_number_of_threads_changes_nothing(mini: Path) -> None:
    (mini / "part_B" / "train_data" / "images" / "IMG_2.jpg").write_bytes(b"x")
    one, four = (check_dataset(f"shanghaitech-b={mini}", workers=workers) for workers in (1, 4))
    assert one == four


def test_progress_ends_at_the_whole(mini: Path) -> None:
    told: list[tuple[int, int]] = []
    check_dataset(f"shanghaitech-b={mini}", progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


RELEASES = (
    Release("original", {"train+test": (5, 110)}),
    Release("reduced", {"train": (3, 60), "test": (2, 40), "train+test": (5, 100)}),
)
ENTRY = CatalogueEntry("x", "X", RELEASES, terms="", ask_at="")


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        ({}, []),
        ({"train": (3, 60, 60)}, ["train reduced"]),
        ({"train": (3, 65, 60)}, ["train reduced"]),
        ({"train": (3, 61, 61)}, ["train count-differs"]),
        ({"train": (4, 60, 60)}, ["train count-differs"]),
        ({"train": (3, 65, 60), "test": (2, 45, 40)}, ["train reduced", "test reduced", "train+test original"]),
        ({"train": (3, 60, 60), "test": (2, 40, 40)}, ["train reduced", "test reduced", "train+test reduced"]),
        ({"all": (1, 1, 1)}, ["all count-differs"]),
        ({"all": (5, 110, 100)}, ["all stated in all"]),
        ({"val": (5, 110, 110), "": (0, 0, 0)}, ["val+ stated in all"]),
    ],
)
def test_counts_are_compared_by_split_and_release(heads: dict[str, tuple[int, int, int]], expected: list[str]) -> None:
    found = []
    for finding in compare_counts(ENTRY, heads, "root"):
        release = finding.message.rsplit('"', 2)[1] if finding.code == "count-matches" else finding.code
        found.append(f"{finding.message.split(':')[0]} {release}")
    assert found == expected


def test_one_split_is_never_compared_with_the_whole() -> None:
    assert compare_counts(ENTRY, {"val": (5, 110, 110)}, "root", whole=False) == []


@pytest.mark.parametrize(
    ("published", "heads", "code", "words"),
    [
        ("val", {"val": (3, 17, 17)}, "count-matches", ""),
        ("val", {"val": (4, 17, 17)}, "count-differs", "3 and an unstated number"),
        ("trainval", {"train": (2, 9, 9), "val": (2, 2, 2)}, "count-differs", "trainval: 4 images, 11 heads"),
    ],
)
def test_heads_that_are_not_published_are_not_compared(
    published: str, heads: dict[str, tuple[int, int, int]], code: str, words: str
) -> None:
    entry = CatalogueEntry("x", "X", (Release("published", {published: (3, None)}),), terms="", ask_at="")
    (finding,) = compare_counts(entry, heads, "root")
    assert finding.code == code
    assert words in finding.message


def test_a_points_file(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    (tmp_path / "p.csv").write_text("image,x,y\na.png,1,1\na.png,9,1\na.png,1,1\nnone.png,,\n")
    assert codes(check_dataset(f"points={tmp_path / 'p.csv'}")) == ["point-outside", "point-repeated", "missing-image"]
    (tmp_path / "p.csv").write_text("image,x,y\na.png,nan,1\n")
    (finding,) = check_dataset(f"points={tmp_path / 'p.csv'}")
    assert finding.code == "unreadable-annotation"
    assert "line 2" in finding.message


def test_an_image_found_by_another_name_is_noted(tmp_path: Path) -> None:
    (tmp_path / "hall").mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "hall" / "a.png")
    (tmp_path / "p.csv").write_text("image,x,y\nhall\\a.png,1,1\n")
    (finding,) = check_dataset(f"points={tmp_path / 'p.csv'}")
    assert (finding.code, finding.is_problem) == ("name-differs", False)
    assert "backslashes" in finding.message


@pytest.mark.parametrize(
    ("spec", "split", "words"),
    [
        ("shanghaitech-b", None, "NAME=PATH"),
        ("shanghaitech-b={}", "test", 'split "test", only of train'),
        ("shanghaitech-b={}", "val", "official split"),
        ("points={}/own.csv", "test", "no splits"),
        ("shanghaitech-b=" + "x" * 5000, None, "no folder"),
    ],
)
def test_what_cannot_be_checked_at_all(mini: Path, spec: str, split: str | None, words: str) -> None:
    (mini / "own.csv").write_text("image,x,y\n")
    with pytest.raises(InputError, match=words):
        check_dataset(spec.format(mini), split=split)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ShanghaiTech beside the project, in ../shared")
def test_the_copy_of_shanghaitech_at_hand() -> None:
    # Looked at: A's 118 (validation) and 283 (train) are one photograph, cut otherwise; 167 and 169 are the same.
    alike = {"a": {"leak-duplicate": 1, "duplicate": 1}, "b": {}}
    for part, outside, repeated in (("a", 9, 63), ("b", 45, 38)):
        found: Counter[str] = Counter()
        for finding in check_dataset(f"shanghaitech-{part}={SHARED}", split="train"):
            found[finding.code] += finding.occurrences
        assert found == {"point-outside": outside, "point-repeated": repeated, "count-matches": 1, **alike[part]}


def write_voc(root: Path, name: str, boxes: list[tuple[float, ...]], size_wh: tuple[int, int] = (160, 120)) -> None:
    """An annotation as SCUT-HEAD has them."""
    objects = "".join(
        f"<object><name>person</name><bndbox><xmin>{a:g}</xmin><ymin>{b:g}</ymin><xmax>{c:g}</xmax><ymax>{d:g}</ymax>"
        "</bndbox></object>"
        for a, b, c, d in boxes
    )
    size = f"<size><width>{size_wh[0]}</width><height>{size_wh[1]}</height><depth>3</depth></size>"
    (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{objects}</annotation>")


BOXES: list[tuple[float, ...]] = [(10 + 14 * k, 20 + 5 * k, 20 + 14 * k, 31 + 5 * k) for k in range(9)]


def save(path: Path, seed: int, *, exif: int = 1, size_wh: tuple[int, int] = (160, 120)) -> None:
    pixels = cv2.resize(
        generator(seed, stream=79).integers(0, 256, (9, 12, 3)).astype(np.uint8), size_wh, interpolation=cv2.INTER_CUBIC
    )
    tag = Image.Exif()
    tag[0x0112] = exif
    Image.fromarray(pixels).save(path, exif=tag, quality=95)


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """A clean set of boxes in the layout of VOC: four images of 160×120, in train and val."""
    root = tmp_path / "SCUT_HEAD_Part_A"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for number in range(4):
        save(root / "JPEGImages" / f"PartA_{number}.jpg", number)
        write_voc(root, f"PartA_{number}", BOXES)
    (root / "ImageSets/Main/train.txt").write_text("PartA_0\nPartA_1\n")
    (root / "ImageSets/Main/val.txt").write_text("PartA_2\nPartA_3\n")
    return root


def found_in(root: Path) -> dict[str, int]:
    """Code → occurrences of all findings but that on the counts."""
    seen: Counter[str] = Counter()
    for finding in check_dataset(f"scut-head-a={root}"):
        assert finding.code in CODES
        seen[finding.code] += finding.occurrences
    seen.pop("count-differs", None)
    return dict(seen)


@pytest.mark.parametrize(
    ("code", "boxes"),
    [
        ("", BOXES),
        ("no-heads", []),
        ("box-beyond", [*BOXES, (155, 30, 166, 40)]),
        ("head-size", [*BOXES, (1, 1, 159, 119)]),
    ],
)
def test_each_fault_of_boxes_is_found_alone(heads: Path, code: str, boxes: list[tuple[float, ...]]) -> None:
    write_voc(heads, "PartA_1", boxes)
    assert found_in(heads) == ({code: 1} if code else {})


@pytest.mark.parametrize(
    ("exif", "size_wh", "annotation", "code"),
    [
        (1, (160, 120), (BOXES, (1, 1)), "size-differs"),
        (6, (120, 160), (BOXES, (160, 120)), "exif-rotated"),
        (6, (160, 120), (BOXES, (160, 120)), "exif-unapplied"),  # by its size
        (6, (160, 120), ([(148, 20, 158, 30)], (1, 1)), "exif-unapplied"),  # by its boxes
    ],
)
def test_the_frame_of_the_annotation(
    heads: Path, exif: int, size_wh: tuple[int, int], annotation: Any, code: str
) -> None:  # fmt: skip
    save(heads / "JPEGImages/PartA_1.jpg", 1, exif=exif, size_wh=size_wh)
    write_voc(heads, "PartA_1", *annotation)
    assert found_in(heads) == {code: 1}


def test_one_picture_in_two_splits(heads: Path) -> None:
    Image.open(heads / "JPEGImages/PartA_0.jpg").resize((80, 60)).save(heads / "JPEGImages/PartA_3.jpg", quality=60)
    write_voc(heads, "PartA_3", [(5, 5, 9, 9)], (80, 60))
    assert found_in(heads) == {"leak-duplicate": 1}
    (finding,) = [f for f in check_dataset(f"scut-head-a={heads}") if f.code == "leak-duplicate"]
    assert [Path(path).name for path in (finding.path, finding.other)] == ["PartA_3.jpg", "PartA_0.jpg"]
    assert finding.message.startswith("val: looks like PartA_0.jpg of train")


def test_one_picture_twice_in_a_split_is_noted(heads: Path) -> None:
    save(heads / "JPEGImages/PartA_1.jpg", 0)
    assert found_in(heads) == {"duplicate": 1}


def test_coordinates_off_by_one_are_told_of_the_whole_set(heads: Path) -> None:
    edge: list[tuple[float, ...]] = [(x, 10 * k + 5, x + 10, 10 * k + 15) for x in (1, 150) for k in range(5)]
    for number in range(4):
        write_voc(heads, f"PartA_{number}", edge)
    assert found_in(heads) == {"off-by-one": 1}


@pytest.mark.parametrize("size_wh", [(160, 120), (1600, 1200)])
def test_images_are_decoded_to_their_end(heads: Path, size_wh: tuple[int, int]) -> None:
    path = heads / "JPEGImages/PartA_1.jpg"
    for length in (0, 20, -40, -200):
        save(path, 1, size_wh=size_wh)
        path.write_bytes(path.read_bytes()[:length])
        write_voc(heads, "PartA_1", BOXES, size_wh)
        assert found_in(heads) == {"unreadable-image": 1}


def test_the_order_of_files_changes_nothing(heads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(heads / "JPEGImages/PartA_3.jpg", 0)
    save(heads / "JPEGImages/PartA_1.jpg", 0)
    write_voc(heads, "PartA_2", [*BOXES, BOXES[3], (5, 5, 5, 5)], (3, 3))
    write_voc(heads, "PartA_0", [])
    straight = check_dataset(f"scut-head-a={heads}")
    list_raw = DataSet.list_raw

    def backwards(self: DataSet, path: Path) -> Listing:
        listing = list_raw(self, path)
        return Listing(listing.scenes[::-1], listing.remarks[::-1])

    monkeypatch.setattr(DataSet, "list_raw", backwards)
    turned = check_dataset(f"scut-head-a={heads}")
    assert turned != straight
    assert sorted(map(repr, turned)) == sorted(map(repr, straight))


def scene(name: str, split: str, group: str = "") -> RawScene:
    return RawScene(name, split, Path(f"{name}.jpg"), None, no_annotation, group)


def test_names_that_repeat() -> None:
    assert check_names([]) == check_names([scene("a", ""), scene("b", "")]) == []
    (finding,) = check_names([scene("a", ""), scene("b", ""), scene("a", "")])
    assert (finding.code, finding.occurrences) == ("name-repeated", 1)


def test_a_video_in_two_splits() -> None:
    scenes = [scene("1", "train", "v"), scene("2", "train", "v"), scene("3", "test", "v"), scene("4", "test", "w")]
    splits = splits_of(scenes, official())
    assert splits == {"1": "train", "2": "train", "3": "test", "4": "test"}
    (finding,) = check_groups(scenes, splits)
    assert (finding.code, finding.occurrences, finding.path) == ("leak-group", 1, "1.jpg")
    assert finding.message == '"v" has 3 images: 1 in test, 2 in train'
    assert check_groups(scenes[:2] + scenes[3:], splits) == []
    assert check_groups([], {}) == []


def test_pictures_of_one_video_are_alike_by_nature() -> None:
    scenes = [scene("1", "train", "v"), scene("2", "val", "v")]
    look = fingerprint(generator(1, stream=79).integers(0, 256, (40, 60, 3)).astype(np.uint8))
    splits = {"1": "train", "2": "val"}
    assert check_duplicates(scenes, [look, look], splits, by_group=True) == []
    assert codes(check_duplicates(scenes, [look, look], splits, by_group=False)) == ["leak-duplicate"]
    assert check_duplicates(scenes, [look, None], splits, by_group=False) == []


def test_ones_own_images_are_split_into_train_and_validation() -> None:
    scenes = [scene(f"{folder}/{number}", "", folder) for folder in "abcdef" for number in range(3)]
    assert set(splits_of(scenes, own()).values()) == {"train", "val"}
