"""SCUT-HEAD in its published layout (github.com/HCIILAB/SCUT-HEAD-Dataset-Release), in miniature and real."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.formats.raw import finish
from headcount.data.sets.registry import DATA_SETS, read_dataset

SIZE_WH = (40, 30)
CORNERS = ("xmin", "ymin", "xmax", "ymax")
REAL = Path(__file__).parents[4] / "../shared/data/SCUT-HEAD"


def write_file(path: Path, boxes: list[tuple[int, int, int, int]], size_wh: tuple[int, int] = SIZE_WH) -> None:
    """An annotation as the set has them: written by LabelImg, the file named as the annotators named it."""
    lines = ["<annotation>", "<folder>0-249</folder>", "<filename>3.jpg</filename>", "<path>/data/0-249/3.jpg</path>"]
    lines.append(f"<size><width>{size_wh[0]}</width><height>{size_wh[1]}</height><depth>3</depth></size>")
    for box in boxes:
        corners = "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(CORNERS, box, strict=True))
        lines.append(f"<object><name>person</name><difficult>0</difficult><bndbox>{corners}</bndbox></object>")
    path.write_text("\n".join([*lines, "</annotation>"]), encoding="utf-8")


def write_part(root: Path, part: str = "A") -> Path:
    """Three images: heads at the edges, a degenerate box with a wrong size, nobody."""
    folder = root / f"SCUT_HEAD_Part_{part}"
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", SIZE_WH).save(folder / "JPEGImages" / f"Part{part}_{number:05}.jpg")
    truths = [folder / "Annotations" / f"Part{part}_{number:05}.xml" for number in range(3)]
    write_file(truths[0], [(1, 1, 11, 21), (29, 9, 40, 30)])
    write_file(truths[1], [(5, 5, 5, 9), (4, 4, 10, 10)], (0, 0))
    write_file(truths[2], [])
    for split, numbers in {"train": [0], "val": [1], "trainval": [0, 1], "test": [2]}.items():
        text = "".join(f"Part{part}_{number:05}\n" for number in numbers)
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("below", ["", "SCUT_HEAD_Part_A"])
def test_the_set_or_the_part_may_be_named(tmp_path: Path, below: str) -> None:
    write_part(tmp_path)
    scenes = read_dataset(f"scut-head-a={tmp_path / below}", "trainval")
    assert [scene.name for scene in scenes] == ["scut-head-a/PartA_00000", "scut-head-a/PartA_00001"]


def test_splits_are_the_sets_own(tmp_path: Path) -> None:
    write_part(tmp_path, "B")
    for split, number in (("train", 0), ("val", 1), ("test", 2)):
        assert [s.name for s in read_dataset(f"scut-head-b={tmp_path}", split)] == [f"scut-head-b/PartB_{number:05}"]


def test_every_object_is_a_head_at_the_middle_of_its_box(tmp_path: Path) -> None:
    write_part(tmp_path)
    scene = read_dataset(f"scut-head-a={tmp_path}", "train")[0]
    assert scene.points_xy.tolist() == [[6.0, 11.0], [34.5, 19.5]]
    assert scene.boxes_xyxy is not None
    assert scene.boxes_xyxy.tolist() == [[1, 1, 11, 21], [29, 9, 40, 30]]
    assert scene.box_provenance == ("annotated", "annotated")


def test_a_wrong_size_and_a_degenerate_box_are_kept_raw_and_left_out_when_read(tmp_path: Path) -> None:
    write_part(tmp_path)
    raw = DATA_SETS["scut-head-a"].list_raw(tmp_path).scenes[1].read()
    assert raw.stated_size_wh == (0, 0)
    assert len(raw.heads_xy) == 2
    scene = read_dataset(f"scut-head-a={tmp_path}", "val")[0]
    assert (scene.count, scene.size_wh) == (1, (40, 30))


def test_the_other_part_and_another_layout_are_named(tmp_path: Path) -> None:
    write_part(tmp_path, "B")
    for folder in (tmp_path, tmp_path / "SCUT_HEAD_Part_B"):
        with pytest.raises(InputError, match="SCUT_HEAD_Part_A/Annotations was expected"):
            read_dataset(f"scut-head-a={folder}", "train")
    with pytest.raises(InputError, match='Is it "SCUT_HEAD_Part_B"'):
        read_dataset(f"scut-head-a={tmp_path}", "train")
    with pytest.raises(InputError, match="There is no folder"):
        read_dataset(f"scut-head-a={tmp_path / 'none'}", "train")


@pytest.mark.skipif(not REAL.is_dir(), reason="SCUT-HEAD is not here: ../shared/data/SCUT-HEAD")
@pytest.mark.parametrize(
    ("part", "split_sizes", "heads", "degenerate", "wrong_sizes"),
    [("a", (440, 160), 19_102, 2, 0), ("b", (536, 174), 12_470, 0, 20)],
)
def test_the_real_files_are_read_whole(
    part: str, split_sizes: tuple[int, int], heads: int, degenerate: int, wrong_sizes: int
) -> None:
    """Counted independently, with the standard library's parser and Pillow."""
    listing = DATA_SETS[f"scut-head-{part}"].list_raw(REAL)
    assert listing.remarks == ()
    assert tuple(sum(s.split == split for s in listing.scenes) for split in ("train", "val")) == split_sizes
    raw = [scene.read() for scene in listing.scenes]
    assert sum(len(each.heads_xy) for each in raw) == heads
    boxes = np.concatenate([each.boxes_xyxy for each in raw if each.boxes_xyxy is not None])
    assert int((boxes[:, 2:] <= boxes[:, :2]).any(axis=1).sum()) == degenerate
    scenes = [finish(replace(scene, read=lambda at=at: raw[at])) for at, scene in enumerate(listing.scenes)]
    assert sum(scene.count for scene in scenes) == heads - degenerate
    sizes = [scene.size_wh for scene in scenes]
    assert sum(each.stated_size_wh != size for each, size in zip(raw, sizes, strict=True)) == wrong_sizes
    # The evidence for the convention: no corner is left of or above 1, or beyond the image.
    assert boxes.min() == 1
    limits = np.repeat(np.array(sizes), [len(each.heads_xy) for each in raw], axis=0)
    assert (boxes[:, 2:] <= limits).all()
