"""GCC: (row, column) from 0 become (x, y), three published splits, scenes grouped by place.

Layout: the program that wrote the set (github.com/gjy3035/GCC-CL) and its lists (github.com/gjy3035/C-3-Framework).
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.data.formats.raw import UnreadableAnnotationError
from headcount.data.sets.catalogue import find_entry
from headcount.data.sets.published.gcc import LISTS, list_gcc, read_annotation, read_list
from headcount.data.sets.registry import list_dataset, read_dataset

SIZE_WH = (64, 36)
HEADS = [[0, 0], [10, 63]]


def write_json(path: Path, heads: object = HEADS, **more: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"image_info": heads, "weather": "RAIN", "timeInfo": [7, 5], "roi": [[1e4, 2]], **more}))
    return path


def write_mat(path: Path, heads: object = HEADS) -> Path:
    """As the labeller writes it: a structure without dimensions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    location = np.array(heads, dtype="int").reshape(-1, 2)
    kind = np.dtype([("location", "O"), ("number", "O")])
    savemat(path, {"image_info": np.array((location, np.array([[len(location)]])), dtype=kind), "roi_info": [[1.0]]})
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for scene in ("scene_00_0", "scene_00_1", "scene_01_0", "scene_02_3"):
        (tmp_path / scene / "pngs").mkdir(parents=True)
        for name in ("0000000002", "0000000010"):
            Image.new("RGB", SIZE_WH).save(tmp_path / scene / f"pngs/{name}.png")
            write_json(tmp_path / scene / f"jsons/{name}.json")
        (tmp_path / scene / "segs").mkdir()
    lists = tmp_path / "txt_list"
    lists.mkdir()
    for by, test in {"location": ("scene_02_3",), "camera": ("scene_00_1",), "random": ()}.items():
        for split in ("train", "test"):
            rows = []
            for scene in ("scene_00_0", "scene_00_1", "scene_01_0", "scene_02_3"):
                for name in ("0000000002", "0000000010"):
                    tested = scene in test or (by == "random" and name == "0000000002")
                    if tested == (split == "test"):
                        rows.append(f"3 2 0 /{scene} {name} 2\n")
            (lists / LISTS[by].format(split)).write_text("".join(rows))  # type: ignore[index]
    return tmp_path


def test_rows_and_columns_become_centres_of_pixels(root: Path) -> None:
    scene = read_dataset(f"gcc={root}", "trainval")[0]
    assert scene.points_xy.tolist() == [[0.5, 0.5], [63.5, 10.5]]
    assert scene.name == "gcc/scene_00_0/0000000002"
    assert scene.attributes == {
        "crowd_level": "3", "time_class": "2", "weather_class": "0", "weather": "RAIN", "time": "07:05",
    }  # fmt: skip


def test_mat_files_say_the_same(tmp_path: Path) -> None:
    for heads in (HEADS, []):
        one, other = write_json(tmp_path / "a.json", heads), write_mat(tmp_path / "a.mat", heads)
        assert read_annotation(one).heads_xy.tolist() == read_annotation(other).heads_xy.tolist()


@pytest.mark.parametrize(
    ("name", "tested"),
    [
        ("gcc", ["scene_02_3/0000000002", "scene_02_3/0000000010"]),
        ("gcc-camera", ["scene_00_1/0000000002", "scene_00_1/0000000010"]),
        ("gcc-random", [f"scene_{s}/0000000002" for s in ("00_0", "00_1", "01_0", "02_3")]),
    ],
)
def test_the_three_published_splits(root: Path, name: str, tested: list[str]) -> None:
    assert [raw.name for raw in list_dataset(f"{name}={root}", "test")] == tested
    train, val = (list_dataset(f"{name}={root}", split) for split in ("train", "val"))
    assert len(train) + len(val) + len(tested) == 8
    assert val
    assert not {raw.group for raw in train} & {raw.group for raw in val}
    entry = find_entry(name)
    assert entry is not None
    assert entry.name == "gcc"


def test_without_lists_all_is_for_training(root: Path) -> None:
    for path in (root / "txt_list").iterdir():
        path.unlink()
    assert len(list_dataset(f"gcc={root}", "trainval")) == 8
    with pytest.raises(InputError, match='no images of the split "test", only train'):
        list_dataset(f"gcc={root}", "test")


def test_an_image_in_no_list_is_in_no_split(root: Path) -> None:
    Image.new("RGB", SIZE_WH).save(root / "scene_01_0/pngs/0000000003.png")
    (root / "scene_02_3/jsons/0000000010.json").unlink()
    (root / "scene_00_0/pngs/0000000010.png").unlink()
    raw = {scene.name: scene for scene in list_gcc(root, "location").scenes}
    assert raw["scene_01_0/0000000003"].split == ""
    assert raw["scene_02_3/0000000010"].annotation is None
    assert raw["scene_00_0/0000000010"].image is None
    assert [scene.split for scene in raw.values()] == ["train"] * 6 + ["test"] * 2 + [""]


def test_another_layout_is_told(tmp_path: Path) -> None:
    (tmp_path / "scene_0").mkdir()
    with pytest.raises(InputError, match=r'holds scene_0, but scene_00_0 was expected.*Is it "scene_0"'):
        list_gcc(tmp_path, "random")
    (tmp_path / "scene_00_0").mkdir()
    assert [remark.code for remark in list_gcc(tmp_path, "random").remarks] == ["empty"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("3 2 0 scene_00_0 0000000002", "was expected"),
        ("3 2 0 hall 0000000002 5", "was expected"),
        ("3 2 x scene_00_0 0000000002 5", "was expected"),
        ("3 2 0 scene_00_0 1 5", "already"),
    ],
)
def test_a_malformed_list_is_named(tmp_path: Path, row: str, words: str) -> None:
    (tmp_path / "train_list.txt").write_text(f"3 2 0 /scene_00_0 1.png 5\n{row}\n")
    with pytest.raises(UnreadableAnnotationError, match=rf'train_list\.txt", line 2: .*{words}'):
        read_list(tmp_path / "train_list.txt")


@pytest.mark.parametrize(
    ("heads", "words"),
    [
        (None, "image_info: a list"),
        ([[1, 2], [3]], r"image_info\[1\]: \[row, column\]"),
        ([[1, None]], r"image_info\[0\]: column must be"),
        ([[1e30, 2]], "lies in no image"),
    ],
)
def test_a_malformed_annotation_is_named(tmp_path: Path, heads: object, words: str) -> None:
    with pytest.raises(InputError, match=rf"a\.json.*{words}"):
        read_annotation(write_json(tmp_path / "a.json", heads))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda i: st.lists(i, max_size=4) | st.dictionaries(st.sampled_from(["image_info", "weather", "timeInfo"]), i),
    max_leaves=12,
)
ROW = st.lists(st.sampled_from(["1", "-", "--1", "scene_1_1", "/scene_1_1", "x", "\n", "٣"]), max_size=12).map(" ".join)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | JSON.map(lambda data: json.dumps(data).encode()), st.binary(max_size=40) | ROW)
def test_fuzz(tmp_path: Path, annotation: bytes, listed: bytes | str) -> None:
    (tmp_path / "a.json").write_bytes(annotation)
    (tmp_path / "list.txt").write_bytes(listed if isinstance(listed, bytes) else listed.encode())
    with suppress(InputError):
        read_annotation(tmp_path / "a.json")
    with suppress(UnreadableAnnotationError):
        read_list(tmp_path / "list.txt")
