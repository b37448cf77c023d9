"""NWPU localization files: what is read, what is written, and every malformed line refused with its reason."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError
from headcount.data.formats.nwpu import (
    NwpuHeads,
    ids_of_names,
    images_by_id,
    prediction_line,
    read_nwpu_predictions,
    read_nwpu_truth,
    write_nwpu_predictions,
    write_nwpu_truth,
)

TRUTH = b"7 2 10 20 3 5 1 30 40 8 12 4\r\n9 0\r\n"
PREDICTIONS = b"9 1 4 5 \n7 2 11 21 31 41   \n"


def saved(folder: Path, content: bytes, name: str = "p.txt") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def test_reads_both_files(tmp_path: Path) -> None:
    truth = read_nwpu_truth(saved(tmp_path, TRUTH, "t.txt"))
    assert list(truth) == [7, 9]
    assert truth[7].points_xy.tolist() == [[10, 20], [30, 40]]
    assert (truth[7].sigma_s_px.tolist(), truth[7].sigma_l_px.tolist()) == ([3, 8], [5, 12])
    assert (truth[7].levels.tolist(), truth[7].line, truth[9].line) == ([1, 4], 1, 2)
    assert truth[9].points_xy.shape == (0, 2)
    found = read_nwpu_predictions(saved(tmp_path, PREDICTIONS), truth)
    assert found[7].tolist() == [[11, 21], [31, 41]]
    assert found[9].tolist() == [[4, 5]]


@pytest.mark.parametrize(
    "content", [b"9 0", b"9 0\n", b"9 0 \n", b"9 0  \r\n", b"9 0\r\n", b"0009 0\n"],
)  # fmt: skip
def test_an_image_where_nobody_is(tmp_path: Path, content: bytes) -> None:
    assert {image: len(points) for image, points in read_nwpu_predictions(saved(tmp_path, content)).items()} == {9: 0}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty"]),
        (b"9 0\n\n7 0\n", ["line 2", "empty", "id"]),
        (b"9\n", ["line 1", "number of points is missing"]),
        (b"9 0\n7 1 3  4\n", ["line 2", "two blanks", '"3"']),
        (b"9  0\n", ["line 1", "two blanks"]),
        (b" 9 0\n", ["line 1", "starts with a blank"]),
        (b"9 1 3.5 4\n", ["line 1", '"3.5" (number 3)', "whole number"]),
        (b"9 1 +3 4\n", ["line 1", '"+3"']),
        (b"9 1 3 4\t\n", ["line 1", "whole number"]),
        (b"img.jpg 0\n", ["line 1", '"img.jpg"']),
        ("9 1 ٣ 4\n".encode(), ["line 1", "whole number"]),
        (b"9 1 -3 4\n", ["line 1", "negative", '"-3"']),
        (b"-9 0\n", ["line 1", "negative"]),
        (b"9 1 3 4000000\n", ["line 1", "absurdly large"]),
        (b"9 1 3 99999999999999999999999\n", ["line 1", "absurdly large", "number 4"]),
        (b"9 2 3 4\n", ["line 1", "image 9 says 2 points, so 4 numbers", "but 2 do"]),
        (b"9 1 3 4 5\n", ["line 1", "so 2 numbers", "but 3 do"]),
        (b"9 0\n7 0\n9 1 3 4\n", ["line 3", "image 9 stands in line 1 already"]),
        (b"9 0\n09 0\n", ["line 2", "line 1 already"]),
        (b"9 0\n7 0\n8 0\n", ["line 3", "ground truth has no image 8"]),
        (b"7 0\n", ["lacks image 9", "line 2 of the ground truth", '"9 0"']),
    ],
)
def test_malformed_lines_are_refused_with_the_reason(tmp_path: Path, content: bytes, words: list[str]) -> None:
    truth = read_nwpu_truth(saved(tmp_path, TRUTH, "t.txt"))
    with pytest.raises(InputError) as caught:
        read_nwpu_predictions(saved(tmp_path, content), truth)
    for word in [*words, "p.txt"]:
        assert word in str(caught.value)


def test_levels_and_counts_of_the_truth(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 2: head 2 has level 6, but levels are 0 to 5"):
        read_nwpu_truth(saved(tmp_path, b"1 0\n2 2 1 1 1 1 5 1 1 1 1 6\n"))
    with pytest.raises(InputError, match=r"line 1: image 1 says 1 points, so 5 numbers should follow, but 2 do"):
        read_nwpu_truth(saved(tmp_path, b"1 1 3 4\n"))


def test_points_outside_are_refused_where_the_images_are_known(tmp_path: Path) -> None:
    path = saved(tmp_path, PREDICTIONS)
    assert read_nwpu_predictions(path, sizes_wh={7: (32, 42), 9: (100, 100)})
    with pytest.raises(InputError, match=r"line 2: point 2, \(31, 41\), lies outside the image \(31×42\)"):
        read_nwpu_predictions(path, sizes_wh={7: (31, 42)})


def test_floats_are_floored_on_the_way_out(tmp_path: Path) -> None:
    path = write_nwpu_predictions({12: [[3.99, 0.0], [7, 8.5]], 3: []}, tmp_path / "out.txt")
    assert path.read_bytes() == b"12 2 3 0 7 8\n3 0\n"
    with pytest.raises(InputError, match="exists already"):
        write_nwpu_predictions({1: []}, path)
    for bad in ({1: [[-0.5, 1]]}, {1: [[1, 2e6]]}, {1: [[1e300, 1]]}, {-1: []}, {1: [[np.nan, 1]]}):
        with pytest.raises(InputError):
            write_nwpu_predictions(bad, tmp_path / "bad.txt")
    assert not (tmp_path / "bad.txt").exists()


def test_points_on_the_border_are_written_inside(tmp_path: Path) -> None:
    found, sizes = {4: [[64.0, 47.9], [-0.2, 50.0]], 5: [[70, 70]]}, {4: (64, 48)}
    path = write_nwpu_predictions(found, tmp_path / "p.txt", sizes_wh=sizes)
    assert path.read_text() == "4 2 63 47 0 47\n5 1 70 70\n"
    assert read_nwpu_predictions(path, sizes_wh=sizes)[4].tolist() == [[63, 47], [0, 47]]
    assert prediction_line(4, np.array(found[4]), sizes[4]) == "4 2 63 47 0 47\n"
    assert prediction_line(4, np.zeros((0, 2)), sizes[4]) == "4 0\n"


def test_ids_are_the_numbers_at_the_end_of_names() -> None:
    assert ids_of_names([]) == []
    assert ids_of_names(["val/3110", "a\\IMG_7.JPG", "x/y.2019/0012.jpeg", "0", "20190101_8.png"]) == [
        3110, 7, 12, 0, 8,
    ]  # fmt: skip
    for names, words in (
        (["hall.png"], '"hall.png" ends in no number'),
        (["clip_3.mp4"], "no number"),
        (["1.tar.gz"], "no number"),
        (["IMG_20240817.jpg"], "0 to 1,000,000"),
        (["9" * 40], "no number"),
        (["٣.jpg"], "no number"),
        ([""], "no number"),
        (["a/1.jpg", "b/01.png"], '"a/1.jpg" and "b/01.png" would both be image 1'),
    ):
        with pytest.raises(InputError, match=words):
            ids_of_names(names)


def test_images_are_found_by_id(tmp_path: Path) -> None:
    (tmp_path / "images_part2").mkdir()
    for name in ("3110.jpg", "0007.PNG", "mask_3110.png", "hall.jpg", "9.txt", ".8.jpg", "images_part2/0012.jpg"):
        (tmp_path / name).touch()
    assert {image: path.name for image, path in images_by_id(tmp_path).items()} == {
        7: "0007.PNG", 3110: "3110.jpg", 12: "0012.jpg",
    }  # fmt: skip
    (tmp_path / "7.jpg").touch()
    with pytest.raises(InputError, match="are both image 7"):
        images_by_id(tmp_path)
    for path in (tmp_path / "none", tmp_path / "7.jpg"):
        with pytest.raises(InputError, match="no folder"):
            images_by_id(path)


def test_heads_from_boxes_round_trip(tmp_path: Path) -> None:
    heads = NwpuHeads.of_boxes([[10.5, 20.5]], [[5, 10, 16, 31]], [2])
    assert (heads.sigma_s_px.tolist(), heads.sigma_l_px.tolist()) == ([5], [11])
    back = read_nwpu_truth(write_nwpu_truth({4: heads}, tmp_path / "t.txt"))
    assert (back[4].points_xy.tolist(), back[4].sigma_l_px.tolist(), back[4].levels.tolist()) == ([[10, 20]], [11], [2])
    with pytest.raises(InputError, match="level"):
        write_nwpu_truth({4: NwpuHeads.of_boxes([[1, 1]], [[0, 0, 1, 1]], [6])}, tmp_path / "no.txt")


numbers = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=5)


@given(st.dictionaries(st.integers(0, 9999), numbers, min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_what_is_written_reads_back(found: dict[int, list[tuple[int, int]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_nwpu_predictions(found, Path(folder) / "p.txt")
        back = read_nwpu_predictions(path)
        assert {image: [tuple(point) for point in points.tolist()] for image, points in back.items()} == found
        assert list(back) == list(found)


NEAR = st.text("0123456789 \n\r-.٣", max_size=40).map(str.encode)


@given(
    st.one_of(st.binary(max_size=60), NEAR, st.lists(st.integers(-2, 5)).map(lambda n: " ".join(map(str, n)).encode()))
)
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_a_result_or_one_sentence(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = saved(Path(folder), content)
        sentences: list[str] = []
        for read in (read_nwpu_truth, read_nwpu_predictions):
            try:
                read(path)
            except InputError as error:
                sentences.append(str(error))
        assert not any("\n" in sentence for sentence in sentences)
