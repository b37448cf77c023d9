"""ShanghaiTech: what is its own beside ``test_every_set``: both namings, its points, its fixed validation list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.sets.published.shanghaitech import list_part, read_annotation
from headcount.data.sets.registry import read_dataset
from headcount.data.sets.splits import shipped_validation

REAL = Path(__file__).parents[4] / "../shared/data/ShanghaiTech"


def write_mat(path: Path, location: object) -> None:
    """`image_info{1}.location` and `.number`, nested as MATLAB nests the published files."""
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = {"location": location, "number": 2.0}
    savemat(path, {"image_info": cell})


@pytest.fixture
def root(write_set: Callable[[str], Path]) -> Path:
    return write_set("shanghaitech-b")


@pytest.mark.parametrize("truth", ["ground-truth", "ground_truth"])
@pytest.mark.parametrize("part", ["part_B", "part_B_final"])
def test_both_layouts_are_read_in_order_of_the_numbers(root: Path, truth: str, part: str) -> None:
    for split in ("train", "test"):
        (root / f"part_B/{split}_data/ground-truth").rename(root / f"part_B/{split}_data" / truth)
    (root / "part_B").rename(root / part)
    scenes = read_dataset(f"shanghaitech-b={root}", "test")
    assert [scene.name for scene in scenes] == [f"shanghaitech-b/test/IMG_{n}" for n in (1, 2, 10)]
    assert {scene.source for scene in scenes} == {"shanghaitech-b"}
    for below in (root / part, root / part / "test_data"):
        assert len(read_dataset(f"shanghaitech-b={below}", "test")) == 3


def test_points_are_one_based_and_those_outside_are_clamped(root: Path) -> None:
    path = root / "part_B/test_data/ground-truth/GT_IMG_1.mat"
    write_mat(path, np.array([[40.5, 30.5], [45.0, -3.0]]))
    assert read_annotation(path).heads_xy.tolist() == [[40.0, 30.0], [44.5, -3.5]]
    write_mat(root / "part_B/test_data/ground-truth/GT_IMG_2.mat", np.zeros((0, 2)))
    scenes = read_dataset(f"shanghaitech-b={root}", "test")
    assert scenes[0].points_xy.tolist() == [[40.0, 30.0], [40.0, 0.0]]
    assert scenes[1].points_xy.shape == (0, 2)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("part_B/test_data/ground-truth", "part_B/test_data/truth", ["ground-truth (or ground_truth) was expected"]),
        ("part_B", "Part B", ["Part B", "part_B/train_data (or part_B/test_data) was expected", 'Is it "Part B"?']),
        ("part_B", "part_A", ["part_B/train_data (or part_B/test_data) was expected", "write shanghaitech-a="]),
    ],
)
def test_a_wrong_layout_is_named(root: Path, old: str, new: str, words: list[str]) -> None:
    (root / old).rename(root / new)
    with pytest.raises(InputError) as caught:
        read_dataset(f"shanghaitech-b={root}", "test")
    for word in [*words, str(root)]:
        assert word in str(caught.value)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "ran",)

    np.save(tmp_path / "a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    (tmp_path / "a.npy").rename(tmp_path / "GT_IMG_1.mat")
    with pytest.raises(InputError, match=r"GT_IMG_1\.mat"):
        read_annotation(tmp_path / "GT_IMG_1.mat")
    assert not (tmp_path / "ran").exists()


def test_an_incomplete_validation_split_is_refused(root: Path) -> None:
    (root / f"part_B/train_data/images/{min(shipped_validation('shanghaitech-b.json'))}.jpg").unlink()
    with pytest.raises(InputError, match="1 of the 80 images") as caught:
        read_dataset(f"shanghaitech-b={root}", "val")
    assert caught.value.remedy == "split"
    assert len(read_dataset(f"shanghaitech-b={root}", "trainval")) == 81


@pytest.mark.skipif(not REAL.is_dir(), reason="ShanghaiTech is not here: ../shared/data/ShanghaiTech")
@pytest.mark.parametrize(("part", "images", "heads", "validation"), [("A", 300, 162_413, 60), ("B", 400, 49_151, 80)])
def test_the_real_training_sets_have_their_published_counts(
    part: str, images: int, heads: int, validation: int
) -> None:
    name = f"shanghaitech-{part.lower()}={REAL}"
    scenes = {split: read_dataset(name, split) for split in ("train", "val", "trainval")}
    assert (len(scenes["trainval"]), sum(scene.count for scene in scenes["trainval"])) == (images, heads)
    assert len(scenes["val"]) == validation
    means = {split: np.mean([scene.count for scene in found]) for split, found in scenes.items()}
    assert means["val"] == pytest.approx(means["train"], rel=0.1)  # stratified by count
    assert all(scene.image is not None and scene.annotation is not None for scene in list_part(REAL, part).scenes)
