"""The data-set check: each fault is found once, in a miniature set of the published layout and in a points file."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.catalogue import CatalogueEntry, Release
from headcount.data.check import CODES, NOTES, Finding, check_dataset, check_points, compare_counts

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "ShanghaiTech"


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


def test_a_clean_copy_has_only_other_counts(mini: Path) -> None:
    assert codes(check_dataset(f"shanghaitech-b={mini}")) == ["count-differs"]
    assert problems(mini / "part_B") == problems(mini / "part_B" / "train_data") == []


def test_pairs_are_missed_either_way(mini: Path) -> None:
    folder = mini / "part_B" / "train_data"
    (folder / "images" / "IMG_2.jpg").unlink()
    (folder / "ground-truth" / "GT_IMG_10.mat").unlink()
    found = problems(mini)
    assert codes(found) == ["missing-annotation", "missing-image"]
    assert [Path(finding.path).name for finding in found] == ["IMG_10.jpg", "GT_IMG_2.mat"]


def test_files_of_other_names_are_found(mini: Path) -> None:
    images = mini / "part_B" / "train_data" / "images"
    (images / "IMG_1.jpg").rename(images / "IMG_1.JPG")
    (images / "crowd.jpg").touch()
    (images / ".hidden").touch()
    found = problems(mini)
    assert codes(found) == ["stray-file", "stray-file", "missing-image"]
    assert [Path(finding.path).name for finding in found[:2]] == ["IMG_1.JPG", "crowd.jpg"]


def test_a_data_set_without_images(mini: Path, tmp_path: Path) -> None:
    folder = mini / "part_B" / "train_data"
    for path in (*folder.glob("images/*"), *folder.glob("ground-truth/*")):
        path.unlink()
    assert codes(check_dataset(f"shanghaitech-b={mini}")) == ["empty"]
    (tmp_path / "p.csv").write_text("image,x,y\n")
    assert codes(check_dataset(f"points={tmp_path / 'p.csv'}")) == ["empty"]


@pytest.mark.parametrize("length", [0, 20, -40])
def test_images_are_decoded_to_their_end(mini: Path, length: int) -> None:
    path = mini / "part_B" / "train_data" / "images" / "IMG_1.jpg"
    path.write_bytes(path.read_bytes()[:length])
    assert codes(problems(mini)) == ["unreadable-image"]


def test_a_damaged_annotation(mini: Path) -> None:
    (mini / "part_B" / "train_data" / "ground-truth" / "GT_IMG_2.mat").write_bytes(b"not a mat file")
    assert codes(problems(mini)) == ["unreadable-annotation"]


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


ENTRY = CatalogueEntry(
    name="x",
    title="X",
    releases=(
        Release("original", {"train+test": (5, 110)}),
        Release("reduced", {"train": (3, 60), "test": (2, 40), "train+test": (5, 100)}),
    ),
    terms="",
    ask_at="",
)


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
        ({"all": (1, 1, 1)}, []),
    ],
)
def test_counts_are_compared_by_split_and_release(heads: dict[str, tuple[int, int, int]], expected: list[str]) -> None:
    found = []
    for finding in compare_counts(ENTRY, heads, "root"):
        release = finding.message.rsplit('"', 2)[1] if finding.code == "count-matches" else finding.code
        found.append(f"{finding.message.split(':')[0]} {release}")
    assert found == expected


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], {}),
        ([[0, 0], [8, 6]], {}),
        ([[-0.01, 0]], {"point-outside": 1}),
        ([[8.01, 0], [0, 6.01], [4, 4]], {"point-outside": 2}),
        ([[1, 2], [1, 2], [1, 2.001]], {"point-repeated": 1}),
        ([[9, 9], [9, 9]], {"point-outside": 2, "point-repeated": 1}),
        ([[np.inf, 1], [1, np.nan]], {"point-not-finite": 2}),
    ],
)
def test_points_of_one_image(points: list[list[float]], expected: dict[str, int]) -> None:
    found = check_points(np.array(points, dtype=float).reshape(-1, 2), (8, 6), "a.jpg")
    assert {finding.code: finding.occurrences for finding in found} == expected
    assert set(expected) <= set(CODES) - NOTES


def test_a_points_file(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    (tmp_path / "p.csv").write_text("image,x,y\na.png,1,1\na.png,9,1\na.png,1,1\nnone.png,,\n")
    assert codes(check_dataset(f"points={tmp_path / 'p.csv'}")) == ["point-outside", "point-repeated", "missing-image"]
    (tmp_path / "p.csv").write_text("image,x,y\na.png,nan,1\n")
    (finding,) = check_dataset(f"points={tmp_path / 'p.csv'}")
    assert finding.code == "unreadable-annotation"
    assert "line 2" in finding.message


@pytest.mark.parametrize(
    ("spec", "split", "words"),
    [
        ("shanghaitech-b", None, "NAME=PATH"),
        ("shanghaitech-z=.", None, "shanghaitech-"),
        ("shanghaitech-b={}/none", None, "no folder"),
        ("shanghaitech-a={}", None, "part_A"),
        ("shanghaitech-b={}", "test", "test_data"),
        ("shanghaitech-b={}", "val", "official split"),
        ("points={}/none.csv", None, "no points file"),
        ("points={}", None, "folder"),
        ("points={}/p.csv", "test", "no splits"),
        ("shanghaitech-b=" + "x" * 5000, None, "no folder"),
    ],
)
def test_what_cannot_be_checked_at_all(mini: Path, spec: str, split: str | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_dataset(spec.format(mini), split=split)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ShanghaiTech beside the project, in ../shared")
def test_the_copy_of_shanghaitech_at_hand() -> None:
    start = time.perf_counter()
    for part, outside, repeated in (("a", 9, 63), ("b", 45, 38)):
        found: Counter[str] = Counter()
        for finding in check_dataset(f"shanghaitech-{part}={SHARED}", split="train"):
            found[finding.code] += finding.occurrences
        assert found == {"point-outside": outside, "point-repeated": repeated, "count-matches": 1}
    assert time.perf_counter() - start < 20
