"""Predictions are written as they come, each into a file that is whole, and read back."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.geometry import centres
from headcount.core.prediction import PointsKind, Prediction
from headcount.core.writers import TextWriter
from headcount.data.formats.nwpu import read_nwpu_predictions
from headcount.data.formats.predictions import CSV_COLUMNS, PredictionFile, read_predictions
from headcount.data.parse.csv import text_of_cell

SUFFIXES = (".json", ".jsonl", ".csv")
BOXES = np.array([[1.0, 2.0, 11.0, 22.0], [30.25, 4.0, 40.0, 9.125]])


def some(number: int) -> Prediction:
    return Prediction(
        count=number + 0.25, size_wh=(64, 48), points_xy=np.full((number, 2), 3.5), points_kind="peaks",
        source=f'a "{number}", ü.jpg', model="m", runtime="openvino cpu f32",
        warnings=("small", "odd") if number == 2 else (), interval=(1.0, 9.0) if number == 1 else None,
        interval_level=0.8 if number == 1 else None,
    )  # fmt: skip


def write(path: Path, number: int, **options: bool) -> None:
    with PredictionFile(path, **options) as file:
        for k in range(number):
            file.add(some(k))


@pytest.mark.parametrize("number", [0, 1, 3])
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_round_trip(tmp_path: Path, suffix: str, number: int) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, number)
    expected = [some(k).to_dict() for k in range(number)]
    assert [p.to_dict() for p in read_predictions(path)] == expected
    text = path.read_text(encoding="utf-8")
    assert (json.loads(text) if suffix == ".json" else [json.loads(line) for line in text.splitlines()]) == expected
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_csv(tmp_path: Path) -> None:
    write(tmp_path / "out.csv", 3)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == list(CSV_COLUMNS)
    *row, region, level = rows[2]
    assert (region, level) == ("", "0.8")
    assert row == ['a "1", ü.jpg', "1.25", "1", "1.0", "9.0", "1", "peaks", "64", "48", "m", "openvino cpu f32", ""]
    assert rows[3][-3:] == ["small; odd", "", ""]
    assert len(rows) == 4


@pytest.mark.parametrize("missing", [1, 2])
def test_a_csv_of_an_earlier_release_is_gone_on_with(tmp_path: Path, missing: int) -> None:
    """It had no column for a region, or for the chance of a range."""
    write(tmp_path / "out.csv", 2)
    lines = list(csv.reader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    with (tmp_path / "old.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(line[:-missing] for line in lines)
    with PredictionFile(tmp_path / "old.csv", resume=True) as file:
        file.keep(file.rows_before)
        file.add(some(2))
    text = (tmp_path / "old.csv").read_text(encoding="utf-8")
    assert {len(row) for row in csv.reader(text.splitlines())} == {len(CSV_COLUMNS)}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_prediction_saved_by_itself(tmp_path: Path, suffix: str) -> None:
    some(2).save(tmp_path / f"one{suffix}")
    text = (tmp_path / f"one{suffix}").read_text(encoding="utf-8")
    if suffix == ".csv":
        assert len(text.splitlines()) == 2
    else:
        assert [p.to_dict() for p in read_predictions(tmp_path / f"one{suffix}")] == [some(2).to_dict()]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_overwritten_unasked(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="exists already") as caught:
        PredictionFile(path)
    assert caught.value.remedy == "overwrite"
    assert path.read_text(encoding="utf-8") == "mine"
    write(path, 1, overwrite=True)
    assert "ü" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("written", [0, 2])
def test_an_interruption_leaves_a_valid_file_or_none(tmp_path: Path, suffix: str, written: int) -> None:
    path = tmp_path / f"out{suffix}"

    def interrupted() -> None:
        with PredictionFile(path) as file:
            for k in range(written):
                file.add(some(k))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [entry.name for entry in tmp_path.iterdir()] == ([path.name] if written else [])
    if written and suffix != ".csv":
        assert len(list(read_predictions(path))) == 2


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_a_full_disk_leaves_what_was_added_before(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    row = len(json.dumps(some(1).to_dict(), ensure_ascii=False).encode())
    with full_disk(2 * row + 40), pytest.raises(InputError, match=rf"out{suffix}\" cannot be written"):
        write(path, 9)
    assert [one.count for one in read_predictions(path)] == [0.25, 1.25]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_a_link_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    write(tmp_path / "link.json", 1)
    assert (tmp_path / "link.json").is_symlink()
    assert len(list(read_predictions(tmp_path / "real.json"))) == 1


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".coco.json", ".txt"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_the_file_is_whole_after_every_row(tmp_path: Path, suffix: str, overwrite: bool) -> None:
    path, wanted = tmp_path / f"out{suffix}", tmp_path / f"wanted{suffix}"
    rows = [boxed(f"{number}.jpg") for number in range(4)]
    if overwrite:
        path.write_text("old", encoding="utf-8")
    with PredictionFile(path, overwrite=overwrite) as file:
        assert path.exists() == overwrite
        for number in range(len(rows)):
            file.add(rows[number])
            with PredictionFile(wanted, overwrite=True) as other:
                for row in rows[: number + 1]:
                    other.add(row)
            assert path.read_bytes() == wanted.read_bytes()
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, wanted.name}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("error", [OSError(122, "Disk quota exceeded"), KeyboardInterrupt(), OSError(5, "I/O error")])
def test_rows_stay_where_they_cannot_be_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, error: BaseException
) -> None:
    """Also a second Ctrl-C, while the first is seen to."""
    path = tmp_path / f"out{suffix}"

    def fails(descriptor: int) -> None:
        raise error

    def interrupted() -> None:
        with PredictionFile(path) as file:
            file.add(some(0))
            file.add(some(1))
            raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises((InputError, KeyboardInterrupt)) as caught:
        interrupted()
    if isinstance(error, OSError):
        assert str(error.strerror) in str(caught.value)
        assert "it holds 2 predictions until then" in str(caught.value)
    monkeypatch.undo()
    write(tmp_path / f"wanted{suffix}", 2)
    assert path.read_bytes() == (tmp_path / f"wanted{suffix}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("room", [0, 1, 7])
def test_a_disk_that_is_full_behind_a_row_leaves_a_list_that_is_closed(tmp_path: Path, room: int) -> None:
    path = tmp_path / "out.json"

    def fill() -> None:
        with PredictionFile(path) as file:
            for number in range(9):
                file.add(some(1))
                if number == 4:
                    limit.enter_context(full_disk(path.stat().st_size + room))

    with ExitStack() as limit, pytest.raises(InputError, match="it holds 5 predictions until then"):
        fill()
    assert len(list(read_predictions(path))) == 5


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with PredictionFile(path) as file:
        for overwrite in (False, True):
            with pytest.raises(InputError, match=r"out\.csv\" is being written by another run \(process [0-9]+ on "):
                PredictionFile(path, overwrite=overwrite)
        file.add(some(0))
    with pytest.raises(InputError, match="exists already"):
        PredictionFile(path)
    write(path, 1, overwrite=True)


def test_what_another_program_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    def another_makes_it_while_we_write() -> None:
        with PredictionFile(path) as file:
            path.write_text("mine", encoding="utf-8")
            file.add(some(0))

    with pytest.raises(InputError, match="another program has made it"):
        another_makes_it_while_we_write()
    assert path.read_text(encoding="utf-8") == "mine"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_writer_that_breaks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(prediction: Prediction) -> str:
        raise KeyError("width")

    monkeypatch.setattr("headcount.data.formats.predictions.JSON_LINES", TextWriter(row=breaks))
    with PredictionFile(tmp_path / "out.jsonl") as file, pytest.raises(InputError) as caught:
        file.add(some(0))
    for word in ('".jsonl"', "headcount.data.formats.predictions:JSON_LINES", "KeyError: 'width'", 'ü.jpg"'):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["a\rb.png", "a\nb.png", "a\r\nb.png", ' a,"b" .png', "\ta.png", "a\u2028b.png"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_are_read_back_as_they_are(tmp_path: Path, suffix: str, name: str) -> None:
    with PredictionFile(tmp_path / f"out{suffix}") as file:
        for source in (name, "b.png"):
            file.add(Prediction(1.0, (8, 8), source=source))
    if suffix == ".csv":
        with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as text:
            found = [text_of_cell(row["source"]) for row in csv.DictReader(text)]
    else:
        found = [one.source for one in read_predictions(tmp_path / f"out{suffix}")]
    assert found == [name, "b.png"]


@pytest.mark.parametrize("name", ["out.xml", "out.png", "out", "nowhere/out.csv", "folder.json", f"{'x' * 300}.json"])
def test_places_that_cannot_be_written_are_named_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match="no folder .*nowhere" if "nowhere" in name else Path(name).name):
        PredictionFile(tmp_path / name)


def test_names_that_are_no_unicode(tmp_path: Path) -> None:
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    for suffix in SUFFIXES:
        with PredictionFile(tmp_path / f"out{suffix}") as file:
            file.add(Prediction(1.0, (8, 8), source=name))
        if suffix != ".csv":
            assert next(read_predictions(tmp_path / f"out{suffix}")).source == name


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "", "neither"),
        ("a.json", "{", "no valid JSON"),
        ("a.json", "[3]", "prediction 1"),
        ("a.json", '[{"count": 1}]', "size_wh"),
        ("a.jsonl", '{"count": 1, "size_wh": [1, 1]}\n\n{', "line 3"),
    ],
)
def test_files_that_are_no_predictions(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        list(read_predictions(tmp_path / name))


def test_nwpu_lines(tmp_path: Path) -> None:
    def found(source: str, kind: PointsKind = "heads") -> Prediction:
        return Prediction(2, (64, 48), np.array([[3.9, 0.0], [64.0, 8.5]]), kind, source=source)

    path = tmp_path / "out.txt"
    with PredictionFile(path) as file:
        file.add(found("test/0012.jpg"))
        file.add(Prediction(0, (64, 48), points_kind="heads", source="3.png"))
        for wrong in (found("hall.jpg"), found("5.jpg", "none")):
            with pytest.raises(InputError):
                file.add(wrong)
    assert path.read_text(encoding="utf-8") == "12 2 3 0 63 8\n3 0\n"
    assert {image: len(points) for image, points in read_nwpu_predictions(path).items()} == {12: 2, 3: 0}


def boxed(source: str, boxes: np.ndarray = BOXES, **changes: Any) -> Prediction:
    scores = np.array([0.5, 0.98765])[: len(boxes)]
    fields = {"scores": scores, "boxes_xyxy": boxes, "source": source, "model": "m", **changes}
    return Prediction(len(boxes), (64, 48), centres(boxes), "heads", **fields)


def test_boxes_come_back_from_json_with_what_they_are(tmp_path: Path) -> None:
    with PredictionFile(tmp_path / "out.json") as file:
        file.add(boxed("a.jpg"))
        file.add(boxed("b.jpg", boxes_kind="parts"))
        file.add(some(1))
    first, second, third = read_predictions(tmp_path / "out.json")
    assert first.boxes_xyxy is not None
    assert first.boxes_xyxy.tolist() == [[1, 2, 11, 22], [30.25, 4, 40, 9.12]]
    assert (first.boxes_kind, second.boxes_kind, third.boxes_xyxy) == ("heads", "parts", None)


def test_boxes_of_before_they_had_a_kind_are_those_of_instances() -> None:
    plain = boxed("a.jpg").to_dict()
    del plain["boxes_kind"]
    assert Prediction.from_dict(plain).boxes_kind == "parts"


def test_coco_results_are_a_list_of_boxes_with_scores(tmp_path: Path) -> None:
    path = tmp_path / "out.coco.json"
    with PredictionFile(path) as file:
        file.add(boxed("nobody.jpg", np.zeros((0, 4))))
        file.add(boxed("val/000000000139.jpg"))
        file.add(boxed("hall 3.jpg", BOXES[:1], scores=None))
        for wrong in (some(1), boxed("5.jpg", boxes_kind="parts")):
            with pytest.raises(InputError, match="gives no boxes of heads"):
                file.add(wrong)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert [entry["image_id"] for entry in found] == [139, 139, "hall 3"]
    assert [entry["bbox"] for entry in found[:2]] == [[1, 2, 10, 20], [30.25, 4, 9.75, 5.12]]
    assert [entry["score"] for entry in found] == [0.5, 0.9876, 1.0]
    boxed("7.jpg").save(tmp_path / "one.coco.json")
    assert len(json.loads((tmp_path / "one.coco.json").read_text(encoding="utf-8"))) == 2
    boxed("7.jpg", np.zeros((0, 4))).save(tmp_path / "none.coco.json")
    assert json.loads((tmp_path / "none.coco.json").read_text(encoding="utf-8")) == []


def test_frames_of_one_second_are_told_apart_in_coco_results(tmp_path: Path) -> None:
    with PredictionFile(tmp_path / "out.coco.json") as file:
        for second in ("1.0", "1.5"):
            file.add(boxed(f"hall/v.mp4@{second}s", BOXES[:1]))
    found = json.loads((tmp_path / "out.coco.json").read_text(encoding="utf-8"))
    assert [entry["image_id"] for entry in found] == ["v.mp4@1.0s", "v.mp4@1.5s"]


def test_coco_results_are_what_its_own_tools_read(tmp_path: Path) -> None:
    coco = pytest.importorskip("faster_coco_eval", reason="faster-coco-eval is in the boxes extra")
    truth = coco.COCO()
    truth.dataset = {"images": [{"id": 12}], "annotations": [], "categories": [{"id": 1, "name": "head"}]}
    truth.createIndex()
    boxed("12.jpg").save(tmp_path / "12.coco.json")
    assert len(truth.loadRes(str(tmp_path / "12.coco.json")).anns) == 2


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_open_file_is_renamed_and_no_folder_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, overwrite: bool
) -> None:
    """As Windows has it: an open file can neither be renamed nor replaced, and a folder not be opened."""
    path, replace, real_open = tmp_path / f"out{suffix}", os.replace, os.open
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not tell which files are open")

    def refuse_open(*paths: Path) -> None:
        names = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
        if {*map(os.path.realpath, paths)} & {*names}:
            raise PermissionError(13, "The process cannot access the file because it is being used")

    def windows_replace(self: Path, target: Path) -> None:
        refuse_open(self, target)
        replace(self, target)

    def windows_open(name: Any, flags: int, *mode: int) -> int:
        if Path(name).is_dir():
            raise PermissionError(13, "Permission denied")
        return real_open(name, flags, *mode)

    monkeypatch.setattr(Path, "replace", windows_replace)
    monkeypatch.setattr(os, "open", windows_open)
    if overwrite:
        path.write_text("old", encoding="utf-8")
    write(path, 2, overwrite=overwrite)
    some(1).save(tmp_path / f"one{suffix}")
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, f"one{suffix}"}
