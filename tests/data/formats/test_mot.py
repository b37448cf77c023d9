"""MOTChallenge's layout (motchallenge.net/instructions; Milan et al., "MOT16", table 3)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.formats import mot
from headcount.data.formats.mot import Track, list_mot, parse_track, read_frame
from headcount.data.formats.raw import Listing, RawAnnotation

SIZE_WH = (40, 30)
INFO = "[Sequence]\nname={name}\nimDir=img1\nframeRate=25\nseqLength=2\nimWidth=40\nimHeight=30\nimExt=.jpg\n"
ROWS = "1,1,1,1,10,8,1,1,0.9\n1,2,11,6,4,4,1,1,0.3\n2,1,2,1,10,8,1,1,1\n"


def write_video(
    root: Path, name: str, rows: str | None, *, frames: int = 2, info: str = INFO, split: str = "train"
) -> Path:
    folder = root / split / name
    (folder / "img1").mkdir(parents=True)
    for number in range(1, frames + 1):
        Image.new("RGB", SIZE_WH).save(folder / "img1" / f"{number:06}.jpg")
    (folder / "seqinfo.ini").write_text(info.format(name=name), encoding="utf-8")
    if rows is not None:
        (folder / "gt").mkdir()
        (folder / "gt" / "gt.txt").write_text(rows, encoding="utf-8")
    return folder


def listed(root: Path) -> Listing:
    return list_mot(root, "HT21", visible_only=True)


def track(tmp_path: Path, text: str, *, visible_only: bool = True) -> Track:
    path = tmp_path / "gt.txt"
    path.write_text(text, encoding="utf-8")
    return parse_track(path, visible_only=visible_only)


def frame(tmp_path: Path, text: str, number: int = 1, *, visible_only: bool = True) -> RawAnnotation:
    path = tmp_path / "gt.txt"
    path.write_text(text, encoding="utf-8")
    return read_frame(path, number, visible_only=visible_only)


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_video_without_rows_has_nobody(tmp_path: Path, text: str) -> None:
    assert len(track(tmp_path, text).boxes_xyxy) == 0
    assert frame(tmp_path, text).heads_xy.shape == (0, 2)


def test_boxes_are_one_based_corner_and_size(tmp_path: Path) -> None:
    found = frame(tmp_path, "3,1,1,1,40,30,1,1,1\n1,7,11.5,6,4,4,1,1,1\n3,2,2,2,4,4,1,1,1\n", 3)
    assert found.boxes_xyxy is not None
    assert found.boxes_xyxy.tolist() == [[0, 0, 40, 30], [1, 1, 5, 5]]
    assert found.where == ("line 1", "line 3")
    assert frame(tmp_path, "3,1,1,1,40,30,1,1,1\n", 2).heads_xy.shape == (0, 2)


@pytest.mark.parametrize(
    ("cells", "counted"),
    [
        ("", True),  # six columns
        (",1", True),
        (",0", False),
        (",-1", True),
        (",1,1", True),
        (",1,2", False),  # static
        (",1,-1", True),
        (",1,1,0", False),
        (",1,1,0.01", True),
        (",1,3,1", False),  # ignored
        (",0,1,1", False),
        (",-1,-1,-1,-1", True),  # ten columns: places in the world
        (",1,7.3,0,0", True),
        (",0,7.3,0,0", False),
    ],
)
def test_columns_decide_who_counts_as_in_the_evaluation_kit(tmp_path: Path, cells: str, counted: bool) -> None:
    for blank in ("", "\n"):  # a blank line takes the slow way
        found = frame(tmp_path, f"1,1,1,1,4,4{cells}\n{blank}1,2,1,1,4,4{cells}\n")
        assert (len(found.heads_xy), found.ignored) == ((2, 0) if counted else (0, 2))


def test_an_invisible_head_counts_where_visibility_excludes_none(tmp_path: Path) -> None:
    assert len(frame(tmp_path, "1,1,1,1,4,4,1,1,0\n", visible_only=False).heads_xy) == 1


@pytest.mark.parametrize(
    "text",
    [
        "1,1,1,1,4,4\n1,2,2,2,4,4,1,1,1\n",  # columns differ
        "1 1 1 1 4 4\r\n1\t2\t2\t2\t4\t4\r\n",
        "1;1;1;1;4;4\n1, 2, 2, 2, 4, 4,\n",
        "\ufeff1,1,1,1,4,4\n\n1.0,2,2,2,4,4",
    ],
)
def test_separators_and_numbers_of_columns_may_vary(tmp_path: Path, text: str) -> None:
    assert frame(tmp_path, text).heads_xy.tolist() == [[2, 2], [3, 3]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,1,1,1,4,4\n1,1,1\n", ["line 2", "width, height were expected, got 3 cells"]),
        ("1,1,1,1,4,4\n1,1,nan,1,4,4\n", ["line 2", "cell 3", "'nan'"]),
        ("1,1,inf,1,4,4\n", ["line 1", "cell 3"]),
        ("1,1,1e99,1,4,4\n", ["line 1", "cell 3"]),
        ("1,1,1,1,-4,4\n", ["line 1", "must not be negative"]),
        ("1.5,1,1,1,4,4\n", ["line 1", "frame must be a whole number"]),
        ("-1,1,1,1,4,4\n", ["line 1", "frame"]),
        ("frame,id,x,y,w,h\n", ["line 1", "cell 1", "'frame'"]),
        ("1,1,1_0,1,4,4\n", ["line 1", "cell 3"]),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        track(tmp_path, text)
    for word in ["gt.txt", *words]:
        assert word in str(caught.value)


def test_a_file_that_is_too_large_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mot, "_MAX_BYTES", 4)
    with pytest.raises(InputError, match="over the limit of 4"):
        track(tmp_path, ROWS)


def test_stray_and_missing_frames_are_remarked(tmp_path: Path) -> None:
    folder = write_video(tmp_path, "HT21-01", ROWS)
    (folder / "img1" / "cover.jpg").touch()
    (folder / "img1" / "1.jpg").touch()
    write_video(tmp_path, "HT21-02", ROWS, frames=0)
    remarks = {(remark.code, remark.path.name) for remark in listed(tmp_path).remarks}
    assert remarks == {("stray-file", "cover.jpg"), ("stray-file", "1.jpg"), ("empty", "img1")}


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ("name=x\n", ["seqinfo.ini", "line 1", "[Sequence] was expected"]),
        ("[Sequence]\nname\n", ["seqinfo.ini", "line 2", "key=value"]),
    ],
)
def test_a_malformed_description_is_named(tmp_path: Path, info: str, words: list[str]) -> None:
    write_video(tmp_path, "HT21-01", ROWS, info=info)
    with pytest.raises(InputError) as caught:
        listed(tmp_path)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("folder", ["..", "../HT21-02/img1", "none", "/"])
def test_a_description_never_leads_out_of_its_video(tmp_path: Path, folder: str) -> None:
    write_video(tmp_path, "HT21-01", ROWS, info=f"[Sequence]\nimDir={folder}\n")
    assert len(listed(tmp_path).scenes) == 2


def test_a_video_is_parsed_once_and_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(mot, "parse_track", lambda *a, **k: (calls.append(1), parse_track(*a, **k))[1])
    assert len(frame(tmp_path, ROWS).heads_xy) == 2
    assert len(read_frame(tmp_path / "gt.txt", 2, visible_only=True).heads_xy) == 1
    assert len(calls) == 1
    assert len(frame(tmp_path, ROWS + "1,9,1,1,3,3\n").heads_xy) == 3
    assert len(calls) == 2


def test_what_is_kept_of_videos_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mot, "_KEPT_ROWS", 7)
    monkeypatch.setattr(mot, "_tracks", mot._Tracks())
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text(ROWS, encoding="utf-8")
        read_frame(tmp_path / f"{number}.txt", 1, visible_only=True)
    assert len(mot._tracks.kept) == 2
    assert not mot._tracks.parsing


cells = st.sampled_from(["0", "1", "2", "3.5", "-1", "10", "0.25"])
lines = st.lists(st.lists(cells, min_size=5, max_size=11), max_size=6)


@settings(deadline=None, max_examples=60)
@given(lines, st.integers(6, 10))
def test_the_quick_way_reads_what_the_slow_way_reads(rows: list[list[str]], columns: int) -> None:
    """Rows of one length, as published, go the quick way; a space at the front sends them the slow one."""
    text = "".join(",".join((["1", "2", "3", "4", "5", "6", *row])[:columns]) + "\n" for row in rows)
    quick = mot._fast_table(text.splitlines())
    slow = mot._table(Path("gt.txt"), (" " + text).splitlines())
    if rows:
        assert quick is not None
        assert np.array_equal(quick[0], slow[0])
        assert np.array_equal(quick[1], slow[1])


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=60),
        lines.map(lambda rows: "\n".join(",".join(row) for row in rows).encode()),
        st.builds(
            lambda at, new: ROWS[:at].encode() + new + ROWS[at:].encode(), st.integers(0, 60), st.binary(max_size=4)
        ),
    )
)
def test_any_bytes_are_a_track_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz-gt.txt"
    path.write_bytes(content)
    with suppress(InputError):
        found = parse_track(path, visible_only=True)
        assert np.isfinite(found.boxes_xyxy).all()
        assert found.starts[-1] == len(found.boxes_xyxy) == len(found.lines)
    (path.parent / "seqinfo.ini").write_bytes(content)
    with suppress(InputError):
        mot.read_sequence_info(path.parent / "seqinfo.ini")
