"""UCF_CC_50 and UCF-QNRF: annPoints, 1-based; five folds of ten; Train and Test.

Layouts: the note in UCF_CC_50 and its three files at hand; the page of UCF-QNRF (www.crcv.ucf.edu).
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.audit.check import check_dataset
from headcount.data.sets.published.ucf_cc_50 import list_ucf_cc_50, read_annotation
from headcount.data.sets.published.ucf_qnrf import list_ucf_qnrf
from headcount.data.sets.registry import list_dataset, read_dataset

REAL = Path(__file__).parents[2] / "../shared/data/UCF_CC_50"
SIZE_WH = (40, 30)


def write_image(folder: Path, name: str, points: list[tuple[float, float]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("L", SIZE_WH).save(folder / f"{name}.jpg")
    savemat(folder / f"{name}_ann.mat", {"annPoints": np.array(points, np.float64)})


@pytest.fixture
def cc_50(tmp_path: Path) -> Path:
    for number in range(1, 51):
        write_image(tmp_path / "UCF_CC_50", str(number), [(1.0, 1.0)] * (number % 3))
    (tmp_path / "UCF_CC_50" / "README.txt").write_text("a note")
    return tmp_path / "UCF_CC_50"


@pytest.fixture
def qnrf(tmp_path: Path) -> Path:
    for number in range(1, 21):
        write_image(tmp_path / "UCF-QNRF_ECCV18/Train", f"img_{number:04}", [(40.5, 30.5), (20.0, 15.0)])
    write_image(tmp_path / "UCF-QNRF_ECCV18/Test", "img_0001", [])
    return tmp_path / "UCF-QNRF_ECCV18"


def test_five_folds_test_every_image_once(cc_50: Path) -> None:
    tested: list[str] = []
    for number in range(1, 6):
        names = {
            split: [raw.name for raw in list_dataset(f"ucf-cc-50-fold{number}={cc_50}", split)]
            for split in ("train", "val", "trainval", "test")
        }
        assert names["test"] == [str(n) for n in range(10 * number - 9, 10 * number + 1)]
        assert (len(names["train"]), len(names["val"])) == (32, 8)
        assert sorted(names["train"] + names["val"]) == sorted(names["trainval"])
        assert not set(names["trainval"]) & set(names["test"])
        tested += names["test"]
    assert tested == [str(n) for n in range(1, 51)]


def test_points_are_one_based(qnrf: Path) -> None:
    scenes = read_dataset(f"ucf-qnrf={qnrf}", "train")
    assert scenes[0].points_xy.tolist() == [[40, 30], [19.5, 14.5]]
    assert read_dataset(f"ucf-qnrf={qnrf}", "test")[0].count == 0
    assert scenes[0].pixels().shape == (30, 40, 3)


def test_qnrf_validates_on_a_tenth_of_training(qnrf: Path) -> None:
    names = {split: [raw.name for raw in list_dataset(f"ucf-qnrf={qnrf}", split)] for split in ("train", "val", "test")}
    assert (len(names["train"]), len(names["val"]), names["test"]) == (18, 2, ["test/img_0001"])


def test_the_folder_above_may_be_named(cc_50: Path, qnrf: Path) -> None:
    assert len(list_ucf_cc_50(cc_50.parent).scenes) == 50
    assert len(list_ucf_qnrf(qnrf.parent).scenes) == 21


def test_what_lacks_its_pair_and_what_is_named_otherwise_is_told(cc_50: Path, qnrf: Path) -> None:
    (cc_50 / "7.jpg").unlink()
    (cc_50 / "8_ann.mat").unlink()
    (cc_50 / "eight.jpg").touch()
    listing = list_ucf_cc_50(cc_50)
    raw = {scene.name: scene for scene in listing.scenes}
    assert raw["7"].image is None
    assert raw["8"].annotation is None
    assert [remark.path.name for remark in listing.remarks] == ["eight.jpg"]
    (qnrf / "Test/img_0001_ann.mat").unlink()
    codes = [finding.code for finding in check_dataset(f"ucf-qnrf={qnrf}", split="test")]
    assert "missing-annotation" in codes
    with pytest.raises(InputError, match="is missing"):
        read_dataset(f"ucf-qnrf={qnrf}", "test")


def test_readers_travel_to_other_processes(qnrf: Path) -> None:
    raw = pickle.loads(pickle.dumps(list_ucf_qnrf(qnrf).scenes[0]))
    assert len(raw.read().heads_xy) == 2


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("ucf-cc-50-fold1", ["part_A", "1.jpg (or 1_ann.mat) was expected"]),
        ("ucf-qnrf", ["part_A", "Train (or Test) was expected"]),
        ("ucf-cc-50-fold6", ['no data set that headcount reads. Did you mean "ucf-cc-50-fold']),
    ],
)
def test_another_layout_is_told(tmp_path: Path, spec: str, words: list[str]) -> None:
    (tmp_path / "part_A").mkdir()
    with pytest.raises(InputError) as caught:
        list_dataset(f"{spec}={tmp_path}", "test")
    for word in words:
        assert word in str(caught.value)


def test_the_nearest_folder_is_named(tmp_path: Path) -> None:
    write_image(tmp_path / "Trian", "img_0001", [])
    with pytest.raises(InputError, match='Is it "Trian"'):
        list_ucf_qnrf(tmp_path)


def test_an_empty_split_is_remarked(tmp_path: Path) -> None:
    (tmp_path / "Train").mkdir()
    assert [remark.code for remark in list_ucf_qnrf(tmp_path).remarks] == ["empty"]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"points": np.ones((1, 2))}, "holds points, but annPoints was expected"),
        ({"annPoints": np.ones((1, 3))}, "1×3 numbers"),
        ({"annPoints": np.array([[1, 1], [1, 1e12]])}, "annPoints row 2"),
    ],
)
def test_a_malformed_annotation_is_named(tmp_path: Path, variables: dict[str, object], words: str) -> None:
    savemat(tmp_path / "1_ann.mat", variables)
    with pytest.raises(InputError, match=words):
        read_annotation(tmp_path / "1_ann.mat")


def test_a_point_that_is_no_number_is_named_with_its_row(tmp_path: Path) -> None:
    write_image(tmp_path, "1", [(3.0, 4.0), (float("nan"), 4.0)])
    with pytest.raises(InputError, match=r'1_ann\.mat", annPoints row 2: a point must be finite'):
        read_dataset(f"ucf-cc-50-fold1={tmp_path}", "test")


@pytest.mark.skipif(not REAL.is_dir(), reason="UCF_CC_50 is not here: ../shared/data/UCF_CC_50")
def test_the_real_images_have_their_heads_inside() -> None:
    scenes = read_dataset(f"ucf-cc-50-fold1={REAL}", "test")
    assert [scene.count for scene in scenes] == [4633, 1940, 2364]
    for raw, scene in zip(list_ucf_cc_50(REAL).scenes, scenes, strict=True):
        assert raw.image is not None
        # 1-based as they are: nothing had to be clamped, and at x as written one point would have been outside.
        assert np.array_equal(raw.read().heads_xy, scene.points_xy)
